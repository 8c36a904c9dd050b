"""Vectors of the parts of rows, one byte a dimension: a row may have several, or none.

A part's vector has length 1, so its direction is all that must be kept: each is scaled until its
largest value is 127 and rounded, and brought back to length 1 when it is read. With the bundled
encoder's 384 dimensions an inner product with a vector of length 1 is off by .0006 on average, a
twentieth of what usually parts two sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST = 127


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
    """One byte a dimension; int8, (n, dim), no row all 0 unless the vector was."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    scaled = vectors * (_MOST / np.maximum(largest, np.float32(1e-30)))
    codes: NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return codes


def restored(codes: NDArray[np.int8]) -> NDArray[np.float32]:
    """The vectors again, float32, (n, dim), length 1 (0 where all was 0)."""
    rows = codes.astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.maximum(length, np.float32(1))[:, None]
    return rows
