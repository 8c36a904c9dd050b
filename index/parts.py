"""Vectors as whole numbers, and the parts of rows: a row may have several, or none.

A vector has length 1, so its direction is all that must be kept: a part is scaled until its
largest value is 127, rounded, and brought back to length 1 when it is read. With the bundled
encoder's 384 dimensions an inner product is off by .0001 on average, a hundredth of what usually
parts two sentences.

The rows of large segments are kept in one byte a dimension too, but of what they differ from the
mean of all: an encoder's vectors lie in a narrow cone, and half of what would be rounded is the
same for all. Of 60,516 real vectors of news, the ten and the fifty best for 400 others
(`python -m eval.rounding HOME/vectors.sqlite`):

    bytes a row                              off by      of the 10   of the 50
    768     float16                          .00001      .9995       .9994
    388     one byte, of the whole           .00013      .9938       .9921
    388     one byte, of the difference      .00012      .9960       .9939
    384     one byte, between a dimension's
            least and most (FAISS's SQ8)     .00015      .9865       .9874
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows compared at one time: they stay in a processor's own cache, which for 2,000 rows took half.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The part vectors of some rows.

    Attributes:
        codes: int8, (m, dim), a row's together and in their order.
        ends: int64, (n,): where each row's end in `codes`, rising.
    """

    codes: NDArray[np.int8]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], counts: Sequence[int]) -> Parts:
        """Round vectors.

        Args:
            vectors: float32, (m, dim), rows of length 1.
            counts: how many of them each row has; together m.

        Raises:
            ValueError: the counts do not add up.
        """
        if sum(counts) != len(vectors):
            raise ValueError(f"{sum(counts)} parts are counted, {len(vectors)} are given")
        return cls(rounded(vectors), np.cumsum(counts, dtype=np.int64))

    @classmethod
    def none(cls, rows: int, dim: int) -> Parts:
        """Rows without any part."""
        return cls(np.empty((0, dim), np.int8), np.zeros(rows, np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def places(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the parts of some rows stand in `codes`, one row's after the other's.

        Args:
            rows: in any order, repeats allowed.

        Returns:
            The places, (k,), and how many of them each row has, (rows,).
        """
        return places(self.ends, rows)


def places(
    ends: NDArray[np.int64], rows: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As `Parts.places`, from the ends alone."""
    last = ends[rows]
    first = np.where(rows > 0, ends[np.maximum(rows, 1) - 1], 0)
    counts = last - first
    skipped = np.cumsum(counts) - counts
    return np.repeat(first - skipped, counts) + np.arange(int(counts.sum())), counts


def rounded(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Whole numbers, int8, (n, dim), no row all 0 unless the vector was.

    Rounding what was restored gives the same numbers again.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    scaled = vectors * (np.iinfo(np.int8).max / np.maximum(largest, np.float32(1e-30)))
    codes: NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return codes


def restored(codes: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """The vectors again, float32, (n, dim), length 1 (0 where all was 0)."""
    rows = codes.astype(np.float32)
    rows /= lengths(rows)[:, None]
    return rows


def lengths(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of vectors of whole numbers, (n,); 1 where all is 0."""
    found: NDArray[np.float32] = np.maximum(
        np.sqrt(np.einsum("ij,ij->i", rows, rows)), np.float32(1)
    )
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Rows of length 1 as a segment keeps them: in float32, or as what they differ from a mean.

    Attributes:
        codes: float32, or whole numbers, (n, dim).
        scales: what each row's numbers are multiplied by, float32, (n,); None for float32.
        mean: is added then, float32, (dim,); None for float32.
    """

    codes: NDArray[Any]
    scales: NDArray[np.float32] | None = None
    mean: NDArray[np.float32] | None = None

    @classmethod
    def of_format_3(cls, codes: NDArray[Any]) -> Kept:
        """What an index of that format has: float32, or int16 of the whole vector."""
        if codes.dtype == np.float32:
            return cls(codes)
        blocks = (codes[i : i + _AT_ONCE] for i in range(0, len(codes), _AT_ONCE))
        scales = [1 / lengths(block.astype(np.float32)) for block in blocks]
        return cls(codes, np.concatenate(scales), np.zeros(codes.shape[1], np.float32))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def rounded(self) -> bool:
        """Whether `differing` made them."""
        return self.codes.dtype == np.int8

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of rows as they are read."""
        return np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, dim)."""
        return self.codes.shape

    def __getitem__(self, places: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Some rows, float32, (places, dim)."""
        picked = self.codes.take(places, axis=0).astype(np.float32, copy=False)
        if self.scales is not None and self.mean is not None:
            picked *= self.scales.take(places)[:, None]
            picked += self.mean
        return picked

    def products(
        self, places: NDArray[np.integer[Any]], query: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The inner products of some rows with a vector, float32, (places,).

        One formula whatever else is compared at the same time, so that equal vectors have equal
        products.
        """
        products = np.empty(len(places), np.float32)
        for start in range(0, len(places), _AT_ONCE):
            some = self.codes.take(places[start : start + _AT_ONCE], axis=0)
            part = products[start : start + _AT_ONCE]
            np.einsum("ij,j->i", some.astype(np.float32, copy=False), query, out=part)
        if self.scales is not None and self.mean is not None:
            products *= self.scales.take(places)
            products += np.float32(self.mean @ query)
        return products


def differing(
    vectors: NDArray[np.float32], mean: NDArray[np.float32]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Vectors as what they differ from a mean.

    Differences that were kept with the same mean are kept as they are.

    Args:
        vectors: (n, dim), rows of length 1.
        mean: (dim,), no longer than 1.

    Returns:
        int8, (n, dim), and the scales that give rows of length 1 again, (n,).
    """
    codes = rounded(vectors - mean)
    numbers = codes.astype(np.float32)
    # |mean + s c| = 1, solved for s; what lies at the mean itself stays there.
    square = np.einsum("ij,ij->i", numbers, numbers)
    along = np.einsum("ij,j->i", numbers, mean)
    short = np.float32(1 - mean @ mean)
    root = np.sqrt(np.maximum(along * along + square * short, 0))
    scales = np.divide(root - along, square, out=np.zeros_like(square), where=square > 0)
    return codes, scales.astype(np.float32)


def laid_out(
    ids: Sequence[str], dim: int, held: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int8]]]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """What `Snapshot.vectors_and_parts` gives, from a server's rows.

    Args:
        ids: of the rows, in the order that is wanted.
        dim: the vectors' width.
        held: each row's vector, (dim,), and its parts, (m, dim). One that is there no more,
            deleted since it was found, has zeros, which are near nothing.
    """
    own = np.zeros((len(ids), dim), np.float32)
    parts: list[NDArray[np.float32]] = []
    counts = np.ones(len(ids), np.int64)
    for place, key in enumerate(ids):
        parts.append(own[place : place + 1])
        if key in held:
            own[place], codes = held[key]
            if len(codes):
                parts[-1] = restored(codes)
        counts[place] = len(parts[-1])
    together = np.concatenate(parts) if parts else own
    return own, together, np.cumsum(counts) - counts
