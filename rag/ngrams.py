"""Character statistics of Chinese news: how likely text goes on in this or that way.

Counts of single characters, pairs and triples, found by `eval/fit_ngrams.py` on a news corpus and
kept as hashed numbers (no text) in `page_ngrams.npz`. The probabilities are interpolated as by
Jelinek and Mercer (1980), each order backed by the next lower one.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TABLE = Path(__file__).with_name("page_ngrams.npz")
STEPS = 8  # quantisation: a stored byte is round(STEPS * log2(count)) - OFFSET
OFFSET = 20
_BACKOFF = 100.0  # pseudo-count with which a triple's estimate is drawn to the pair's
_FLOOR = 0.1  # share of the single character's probability in a pair's estimate


def key(gram: str) -> int:
    """A 32-bit hash of one to three characters; stored tables hold only these."""
    value = 2166136261
    for char in gram:
        value = (value ^ ord(char)) * 16777619 & 0xFFFFFFFF
        value ^= value >> 15
        value = value * 0x2C1B3C6D & 0xFFFFFFFF
        value ^= value >> 12
    return value


class Ngrams:
    """Counts by n-gram, and the log-probabilities drawn from them (natural logarithms).

    Args:
        keys: uint32, ascending: `key` of each n-gram.
        values: uint8, quantised counts, in the same order.
        total: how many characters were counted.
        unseen_pair: the highest count that a pair can have without being stored.
    """

    def __init__(
        self,
        keys: NDArray[np.uint32],
        values: NDArray[np.uint8],
        total: int,
        unseen_pair: float,
    ) -> None:
        self._counts = dict(zip(keys.tolist(), values.tolist(), strict=True))
        self._total = total
        self._unseen = unseen_pair
        self._power = [2.0 ** ((v + OFFSET) / STEPS) for v in range(256)]

    def count(self, gram: str) -> float:
        """How often an n-gram stood in the corpus, about; 0.0 when it is not stored."""
        value = self._counts.get(key(gram))
        return 0.0 if value is None else self._power[value]

    @lru_cache(maxsize=1 << 15)  # noqa: B019 - one table lives as long as the process
    def single(self, char: str) -> float:
        """P(char)."""
        return max(self.count(char), 20.0) / self._total

    @lru_cache(maxsize=1 << 16)  # noqa: B019 - as above
    def pair(self, first: str, second: str) -> float:
        """P(second | first), interpolated with P(second)."""
        before = self.single(first) * self._total
        seen = self.count(first + second)
        if not seen:
            seen = min(before * self.single(second) * 0.5, self._unseen * 0.3)
        return (1 - _FLOOR) * min(1.0, seen / before) + _FLOOR * self.single(second)

    def triple(self, first: str, second: str, third: str) -> float:
        """P(third | first second), interpolated with P(third | second)."""
        lower = self.pair(second, third)
        before = self.count(first + second)
        if not before:
            return lower
        share = before / (before + _BACKOFF)
        return share * min(1.0, self.count(first + second + third) / before) + (1 - share) * lower

    def across(self, before: str, after: str) -> float:
        """How much likelier `after` stands right behind `before` than anywhere, as log-odds.

        0 means that the joint says nothing; about 3 is usual inside a word.

        Args:
            before: at least one character; the last two count.
            after: at least one character; the first two count.
        """
        left = before[-1]
        first = after[0]
        odds = math.log(
            (self.triple(before[-2], left, first) if len(before) > 1 else self.pair(left, first))
            / self.single(first)
        )
        if len(after) > 1:
            odds += math.log(self.triple(left, first, after[1]) / self.pair(first, after[1]))
        return odds

    def rarity(self, pair: str) -> float:
        """Minus the log-probability of two characters in a row, at most 16; higher is rarer."""
        if len(pair) != 2:
            return 8.0
        return min(16.0, -math.log(self.single(pair[0]) * self.pair(pair[0], pair[1])))


@lru_cache(maxsize=1)
def load(path: Path = _TABLE) -> Ngrams:
    """The statistics that come with Wenju (loaded once, about a tenth of a second)."""
    with np.load(path, allow_pickle=False) as stored:
        steps = stored["steps"].astype(np.uint64)
        keys = np.cumsum(steps).astype(np.uint32)
        kept = stored["values"] > 0
        return Ngrams(
            keys[kept], stored["values"][kept], int(stored["total"]), float(stored["unseen_pair"])
        )
