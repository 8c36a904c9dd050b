"""Which terms of a question stand in which sentences, rarer terms counting more.

The weights are Spärck Jones's (1972) inverse document frequency, taken over the sentences at hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONE = 0.4
"""What a one-character translation counts."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_RUNS = re.compile(r"[\u3400-\u9fff]+|[a-z0-9.%+]+")


def stands_in(alternatives: Sequence[str], folded: str) -> float:
    """1 where any of the alternatives stands in a text, else 0.

    A single character of a longer list counts `LONE`; English must stand at the beginning of a
    word, so that its forms count.
    """
    best = 0.0
    for text in alternatives:
        if text[:1].isascii():
            # Most English words stand nowhere in a Chinese text, which `in` finds far sooner.
            if text in folded and re.search(rf"\b{re.escape(text)}", folded):
                return 1.0
        elif text in folded:
            if len(text) > 1 or len(alternatives) == 1:
                return 1.0
            best = LONE
    return best


def _row(alternatives: Sequence[str], texts: Sequence[str]) -> Sequence[float]:
    """`stands_in` for each text; most terms are one Chinese word, which needs no more than `in`."""
    if len(alternatives) == 1 and not alternatives[0][:1].isascii():
        return [alternatives[0] in text for text in texts]
    return [stands_in(alternatives, text) for text in texts]


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Terms of the question and the candidates that hold them.

    Attributes:
        terms: once each.
        weights: float64, (terms, candidates): rarity among the candidates; each column adds up
            to 1, or is all 0.
        held: float64, (terms, candidates), 0 to 1.
    """

    terms: tuple[tuple[str, tuple[str, ...]], ...]
    weights: NDArray[np.float64]
    held: NDArray[np.float64]

    @classmethod
    def of(cls, terms: Sequence[tuple[str, tuple[str, ...]]], texts: Sequence[str]) -> Overlap:
        """Look terms up in texts: any of a term's alternatives counts for it.

        A rarer term weighs more (idf), and so does a longer one.
        """
        once = tuple(dict(terms).items())
        held = np.array([_row(a, texts) for _, a in once], dtype=np.float64)
        held = held.reshape(len(once), len(texts))
        rarity = np.maximum(np.log((len(texts) + 1.0) / (held.sum(axis=1) + 0.5)), 0.0)
        lengths = [min(len(t), 4) if _HAN.match(t) else 2 for t, _ in once]
        rarity = rarity * np.sqrt(np.array(lengths, dtype=np.float64))
        rarity = rarity / rarity.sum() if rarity.sum() > 0 else rarity
        return cls(once, np.repeat(rarity[:, None], len(texts), axis=1), held)

    def merged(self, other: Overlap, where: NDArray[np.bool_]) -> Overlap:
        """Both sets of terms: the other's for the candidates `where`, this one's elsewhere."""
        return Overlap(
            (*self.terms, *other.terms),
            np.vstack([np.where(where, 0.0, self.weights), np.where(where, other.weights, 0.0)]),
            np.vstack([self.held, other.held]),
        )

    def share(self, held: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """The weight held by each candidate, 0 to 1; float64, (candidates,)."""
        result: NDArray[np.float64] = (self.weights * (self.held if held is None else held)).sum(
            axis=0
        )
        return result

    def near(self, joined: Sequence[bool], titles: Sequence[str]) -> NDArray[np.float64]:
        """The weight held by each candidate, the one before it in its passage and its title.

        Args:
            joined: for each candidate but the first, whether the one before is of its passage.
            titles: of the candidates' articles, folded.
        """
        held = self.held.copy()
        if joined:
            held[:, 1:] = np.maximum(held[:, 1:], self.held[:, :-1] * np.array(joined))
        known: dict[str, NDArray[np.float64]] = {}
        for i, title in enumerate(titles):
            if title not in known:
                known[title] = np.array([stands_in(a, title) for _, a in self.terms])
            held[:, i] = np.maximum(held[:, i], known[title])
        return self.share(held)


def pairs_of(text: str) -> list[str]:
    """Neighbouring character pairs of Chinese runs, Latin words whole; once each, in order."""
    found: list[str] = []
    for run in _RUNS.findall(text):
        if _HAN.match(run):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        else:
            found.append(run)
    return list(dict.fromkeys(found))
