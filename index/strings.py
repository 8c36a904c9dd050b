"""Sorted strings in two arrays: the UTF-8 bytes one after the other, and where each one ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Strings(Sequence[bytes]):
    """A sorted sequence of distinct byte strings that can be memory-mapped.

    Sorting by UTF-8 bytes is sorting by code points, as Python sorts strings.
    """

    def __init__(
        self,
        data: NDArray[np.uint8],
        ends: NDArray[Any],
        keys: NDArray[Any],
        places: NDArray[np.uint32],
    ) -> None:
        """Wrap the arrays.

        Args:
            data: all bytes.
            ends: where each string ends in `data`, rising whole numbers.
            keys: the upper 32 bits of the strings' hashes, rising, uint32; or all 64 of them.
            places: of the strings that have them.
        """
        self.data = data
        self.ends = ends
        self.keys = keys
        self.places = places

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Strings:
        """From sorted, distinct strings."""
        ends = np.cumsum([len(v) for v in values], dtype=np.int64)
        keys = _upper(keys_of(values))
        order = np.argsort(keys, kind="stable")
        data = np.frombuffer(b"".join(values), dtype=np.uint8)
        return cls(data, ends.astype(offsets(len(data))), keys[order], order.astype(np.uint32))

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

    def some(self, places: NDArray[np.integer]) -> list[bytes]:
        """The strings at some places, as `self[place]` for each."""
        starts, ends, data = self._starts(places), self.ends[places], self.data.data
        return [bytes(data[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]

    def _starts(self, places: NDArray[np.integer]) -> NDArray[np.int64]:
        """Where the strings at some places begin in `data`; the places are signed numbers."""
        return np.where(places > 0, self.ends[places - 1].astype(np.int64), 0)

    def find(self, value: bytes) -> int:
        """The place of a string, or -1."""
        return int(self.locate([value])[0])

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
        places = np.searchsorted(self.ends, np.array(found, self.ends.dtype), side="right")
        # A match that runs over the end of a string is no match.
        whole = np.array(found, np.int64) + len(part) <= self.ends[places]
        return np.unique(places[whole])

    def locate(
        self, values: Collection[bytes], keys: NDArray[Any] | None = None
    ) -> NDArray[np.int64]:
        """The place of each string, -1 for those that are not here; one after the other.

        All are looked up at once by their hashes: a binary search through the strings themselves,
        one after the other, took most of a question's time.

        Args:
            values: may repeat.
            keys: `keys_of(values)`, for a caller who looks the same ones up in several tables.
        """
        whole = keys_of(values) if keys is None else keys
        keys = whole if self.keys.dtype == whole.dtype else _upper(whole)
        found = np.full(len(keys), -1, np.int64)
        at = np.searchsorted(self.keys, keys)
        inside = np.flatnonzero(at < len(self.keys))
        likely = inside[self.keys[at[inside]] == keys[inside]]
        if not len(likely):
            return found
        listed = list(values)
        wanted = [listed[i] for i in likely.tolist()]
        same = self._hold(self.places[at[likely]], wanted)
        found[likely[same]] = self.places[at[likely[same]]]
        for i in likely[~same].tolist():  # another string of the same hash comes first
            found[i] = self._same(listed[i], int(at[i]))
        return found

    def _hold(self, places: NDArray[np.uint32], values: Sequence[bytes]) -> NDArray[np.bool_]:
        """Whether the strings at some places are these, (n,); all compared at once."""
        places = places.astype(np.int64)
        starts = self._starts(places)
        sizes = np.array([len(v) for v in values], np.int64)
        same: NDArray[np.bool_] = self.ends[places] - starts == sizes
        kept = np.flatnonzero(same & (sizes > 0))
        if not len(kept):
            return same
        sizes, starts = sizes[kept], starts[kept]
        before = np.cumsum(sizes) - sizes
        at = np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)
        wanted = np.frombuffer(b"".join(values[i] for i in kept.tolist()), np.uint8)
        same[kept] = np.logical_and.reduceat(self.data[at] == wanted, before)
        return same

    def _same(self, value: bytes, at: int) -> int:
        """The place of a string among those that have its hash, the first of which is at `at`."""
        key = self.keys[at]
        while at < len(self.keys) and self.keys[at] == key:
            place = int(self.places[at])
            if self[place] == value:
                return place
            at += 1
        return -1


def offsets(size: int) -> np.dtype[Any]:
    """The narrowest type for places in so many bytes, and for their end."""
    return np.dtype("<u4" if size < 1 << 32 else "<u8")


def _upper(keys: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Enough of the hashes: of a million words some hundred share it with another one."""
    return (keys >> np.uint64(32)).astype(np.uint32)


def keys_of(values: Collection[bytes]) -> NDArray[np.uint64]:
    """A hash of each string, the same on every machine, uint64, (n,)."""
    digests = b"".join(blake2b(value, digest_size=8).digest() for value in values)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
