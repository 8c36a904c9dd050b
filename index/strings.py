"""Sorted strings in two arrays: the UTF-8 bytes one after the other, and where each one ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class Strings(Sequence[bytes]):
    """A sorted sequence of distinct byte strings that can be memory-mapped.

    Sorting by UTF-8 bytes is sorting by code points, as Python sorts strings.
    """

    def __init__(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Wrap the two arrays.

        Args:
            data: all bytes.
            ends: where each string ends in `data`, rising.
        """
        self.data = data
        self.ends = ends

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Strings:
        """From sorted, distinct strings."""
        ends = np.cumsum([len(v) for v in values], dtype=np.int64)
        return cls(np.frombuffer(b"".join(values), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> bytes:  # type: ignore[override]  # no slices
        start = self.ends[place - 1] if place else 0
        return self.data[start : self.ends[place]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        data, start = self.data.tobytes(), 0
        for end in self.ends.tolist():
            yield data[start:end]
            start = end

    def find(self, value: bytes) -> int:
        """The place of a string, or -1."""
        place = bisect_left(self, value)
        return place if place < len(self) and self[place] == value else -1

    def beginning(self, prefix: bytes, shortest: int, longest: int) -> NDArray[np.int64]:
        """The places of the strings that begin so and have so many bytes."""
        # No byte of UTF-8 is 255.
        first, last = bisect_left(self, prefix), bisect_left(self, prefix + b"\xff")
        if first == last:
            return np.empty(0, np.int64)
        before = int(self.ends[first - 1]) if first else 0
        sizes = np.diff(self.ends[first:last], prepend=before)
        return first + np.flatnonzero((sizes >= shortest) & (sizes <= longest))

    def holding(self, part: bytes) -> NDArray[np.int64]:
        """The places of the strings that hold a part, by one look through all bytes."""
        found = [match.start() for match in re.finditer(re.escape(part), self.data.tobytes())]
        places = np.searchsorted(self.ends, np.array(found, np.int64), side="right")
        # A match that runs over the end of a string is no match.
        whole = np.array(found, np.int64) + len(part) <= self.ends[places]
        return np.unique(places[whole])

    def locate(self, values: Collection[bytes]) -> NDArray[np.int64]:
        """The place of each string, -1 for those that are not here; one after the other."""
        # A binary search takes about 15 steps, each dearer than a look into a dictionary.
        if len(values) * 32 < len(self):
            return np.fromiter((self.find(v) for v in values), np.int64, len(values))
        places = self._places
        return np.fromiter((places.get(v, -1) for v in values), np.int64, len(values))

    @cached_property
    def _places(self) -> dict[bytes, int]:
        return {value: place for place, value in enumerate(self)}
