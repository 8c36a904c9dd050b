"""Postings in few bytes: which rows hold a token, and how often in each field.

A token's postings are one run of bytes: a byte that tells its kind; how far each row lies behind
the one before (the first: behind row 0), in one, two or four bytes each as the widest gap needs;
and for each the place of its counts in a table of them, in one, two or four bytes, or in none
where all are the commonest, which is at place 0. Widths are fixed for a token, so that numpy reads
it in two calls. On 24.6 million postings of 195,891 news passages this takes 2.9 bytes a posting,
where rows and counts as they are took 8. Codes whose width changes within a token (Elias-Fano,
PForDelta) are shorter still, but no library decodes them for Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.strings import offsets

FIELDS = ("text", "title", "context")
"""What a row's tokens may stand in, each weighed apart."""

# How often a token stands in each field of a row, at most so often as fits.
COUNTS = np.dtype([("text", "<u2"), ("title", "u1"), ("context", "u1")])
# A token in a row, as they are made and merged.
POSTING = np.dtype([("row", "<u4"), *((name, COUNTS[name]) for name in FIELDS)])

_GAPS = (1, 2, 4)
_PLACES = (0, 1, 2, 4)
_TYPES = {size: np.dtype(f"<u{size}") for size in _GAPS}
_WIDE, _NARROW = np.array(_GAPS), np.array(_PLACES)
_BLOCK = 1 << 20
"""Postings packed, or bytes unpacked, at one time."""


class Shapes(NamedTuple):
    """Where the runs of some tokens lie, each (tokens,).

    Attributes:
        begins: in the data.
        sizes: postings.
        wide: bytes of each gap.
        narrow: bytes of each place.
    """

    begins: NDArray[np.int64]
    sizes: NDArray[np.int64]
    wide: NDArray[np.int64]
    narrow: NDArray[np.int64]

    def some(self, which: NDArray[np.bool_]) -> Shapes:
        """Those of some of the tokens."""
        return Shapes(*(column[which] for column in self))


@dataclass(frozen=True)
class Postings:
    """All tokens' postings.

    Attributes:
        data: uint8, the runs of bytes one after the other.
        ends: where each token's ends in `data`, rising, unsigned, (tokens,).
        counts: dtype COUNTS, the distinct ones, the commonest first.
    """

    data: NDArray[np.uint8]
    ends: NDArray[Any]
    counts: NDArray[np.void]

    @classmethod
    def of(cls, postings: NDArray[np.void], starts: NDArray[np.int64]) -> Postings:
        """Pack them.

        Args:
            postings: dtype POSTING; a token's together, by row, no row twice.
            starts: where each token's begin, and where the last one's end, (tokens + 1,).
        """
        numbers = _numbered(postings, starts)
        runs = [np.empty(0, np.uint8)]
        lengths = [np.empty(0, np.int64)]
        for first, last in _blocks(starts):
            some = postings[starts[first] : starts[last]]
            sizes = np.diff(starts[first : last + 1])
            run, length = _packed(some["row"], numbers.of(some), sizes)
            runs.append(run)
            lengths.append(length)
        ends = np.cumsum(np.concatenate(lengths))
        data = np.concatenate(runs)
        return cls(data, ends.astype(offsets(len(data))), numbers.table)

    def __len__(self) -> int:
        """The tokens."""
        return len(self.ends)

    @cached_property
    def total(self) -> int:
        """The postings of all tokens."""
        return sum(int(self.shapes(tokens).sizes.sum()) for tokens in self._blocks())

    def rows(self, token: int) -> tuple[NDArray[np.int64], NDArray[Any] | None]:
        """The rows that hold a token, and the places of its counts there.

        Returns:
            Rising row numbers, (n,); places in `counts`, (n,), or None where all are 0.
        """
        ends = self.ends
        run = self.data[ends[token - 1] if token else 0 : ends[token]]
        if not len(run):
            return np.empty(0, np.int64), None
        wide, narrow = _widths(int(run[0]))
        split = 1 + (len(run) - 1) // (wide + narrow) * wide
        rows = np.cumsum(run[1:split].view(_TYPES[wide]), dtype=np.int64)
        return rows, run[split:].view(_TYPES[narrow]) if narrow else None

    def several(self, shapes: Shapes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `rows`, of several tokens, one after the other: quicker where each has few.

        Args:
            shapes: the tokens'.
        """
        gaps, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for begin, size, wide, narrow in zip(*(column.tolist() for column in shapes), strict=True):
            split = begin + 1 + size * wide
            gaps.append(self.data[begin + 1 : split].view(_TYPES[wide]))
            if narrow:
                places.append(self.data[split : split + size * narrow].view(_TYPES[narrow]))
            else:
                places.append(np.zeros(size, np.uint8))
        together = np.concatenate(gaps, dtype=np.int64)
        return _summed(together, shapes.sizes), np.concatenate(places, dtype=np.int64)

    def shapes(self, tokens: NDArray[np.int64]) -> Shapes:
        """Where the runs of some tokens lie, and what they consist of."""
        begins = np.where(tokens > 0, self.ends[tokens - 1].astype(np.int64), 0)
        lengths = self.ends[tokens].astype(np.int64) - begins
        kinds = np.zeros(len(tokens), np.int64)
        held = lengths > 0
        kinds[held] = self.data[begins[held]]
        wide, narrow = _WIDE[kinds // len(_PLACES)], _NARROW[kinds % len(_PLACES)]
        return Shapes(begins, np.where(held, (lengths - 1) // (wide + narrow), 0), wide, narrow)

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.void]]:
        """Every token's, unpacked.

        Returns:
            The tokens, rising, (n,); what they were packed from, dtype POSTING, (n,).
        """
        of = [np.empty(0, np.int64)]
        found = [np.empty(0, POSTING)]
        for tokens in self._blocks():
            shapes = self.shapes(tokens)
            rows, places = self.several(shapes)
            block = np.empty(len(rows), POSTING)
            block["row"] = rows
            for name in FIELDS:
                block[name] = self.counts[name][places]
            of.append(np.repeat(tokens, shapes.sizes))
            found.append(block)
        return np.concatenate(of), np.concatenate(found)

    def _blocks(self) -> Iterator[NDArray[np.int64]]:
        for first, last in _blocks(np.concatenate([[0], self.ends.astype(np.int64)])):
            yield np.arange(first, last)


def _widths(kind: int) -> tuple[int, int]:
    """The bytes of a gap, and of a place in the table."""
    gap, place = divmod(kind, len(_PLACES))
    return _GAPS[gap], _PLACES[place]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The distinct counts.

    Attributes:
        table: dtype COUNTS, the commonest first.
        keys: one whole number for each, rising.
        places: where the counts with these keys stand in the table.
    """

    table: NDArray[np.void]
    keys: NDArray[np.int64]
    places: NDArray[np.int64]

    def of(self, postings: NDArray[np.void]) -> NDArray[np.int64]:
        """The place of each posting's counts."""
        return self.places[np.searchsorted(self.keys, _keys(postings))]


def _numbered(postings: NDArray[np.void], starts: NDArray[np.int64]) -> _Numbers:
    """Number the distinct counts of all postings, some at a time: there may be very many."""
    times: dict[int, int] = {}
    for first, last in _blocks(starts):
        found = np.unique(_keys(postings[starts[first] : starts[last]]), return_counts=True)
        for key, number in zip(*(column.tolist() for column in found), strict=True):
            times[key] = times.get(key, 0) + number
    ordered = np.array(sorted(times, key=lambda key: (-times[key], key)), np.int64)
    table = np.empty(len(ordered), COUNTS)
    table["text"], table["title"], table["context"] = (
        ordered >> 16,
        ordered >> 8 & 255,
        ordered & 255,
    )
    places = np.argsort(ordered)
    return _Numbers(table, ordered[places], places)


def _keys(postings: NDArray[np.void]) -> NDArray[np.int64]:
    """One whole number for the counts of each posting."""
    keys = postings["text"].astype(np.int64) << 16
    keys |= postings["title"].astype(np.int64) << 8
    keys |= postings["context"]
    return keys


def _blocks(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of tokens that together have some _BLOCK of what is counted by rising bounds."""
    tokens, first = len(bounds) - 1, 0
    while first < tokens:
        last = int(np.searchsorted(bounds, bounds[first] + _BLOCK, side="right")) - 1
        last = min(max(last, first + 1), tokens)
        yield first, last
        first = last


def _packed(
    rows: NDArray[np.unsignedinteger[Any]], places: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The runs of some tokens, and how long each is."""
    held = sizes > 0
    heads = (np.cumsum(sizes) - sizes)[held]
    gaps = rows.astype(np.int64)
    gaps[1:] -= rows[:-1]
    gaps[heads] = rows[heads]
    gap, place = np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64)
    if len(heads):
        gap[held] = np.searchsorted([0xFF, 0xFFFF], np.maximum.reduceat(gaps, heads))
        place[held] = np.searchsorted([0, 0xFF, 0xFFFF], np.maximum.reduceat(places, heads))
    wide, narrow = _WIDE[gap], _NARROW[place]
    lengths = np.where(held, 1 + sizes * (wide + narrow), 0)
    begins = np.cumsum(lengths) - lengths
    run = np.empty(int(lengths.sum()), np.uint8)
    run[begins[held]] = (gap * len(_PLACES) + place)[held]
    for begin, width, values in (
        (begins + 1, wide, gaps),
        (begins + 1 + sizes * wide, narrow, places),
    ):
        for mine, at, byte in _bytes(begin, width, sizes):
            run[at] = values[mine] >> 8 * byte & 0xFF
    return run, lengths


def _bytes(
    begins: NDArray[np.int64], widths: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], int]]:
    """Where the bytes of tokens' numbers stand.

    Yields:
        Which numbers of all tokens', (n,); where each one's byte stands, (n,); which byte it is.
    """
    nth = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    begin = np.repeat(begins, sizes)
    of = np.repeat(widths, sizes)
    for width in np.unique(widths[sizes > 0]).tolist():
        mine = np.flatnonzero(of == width)
        at = begin[mine] + nth[mine] * width
        for byte in range(width):
            yield mine, at + byte, byte


def _summed(gaps: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that some tokens' gaps lead to."""
    sums = np.cumsum(gaps)
    heads = np.cumsum(sizes) - sizes
    held = sizes > 0
    before = np.zeros(len(sizes), np.int64)
    before[held] = sums[heads[held]] - gaps[heads[held]]
    rows: NDArray[np.int64] = sums - np.repeat(before, sizes)
    return rows
