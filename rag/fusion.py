"""Several signals become one score, and every weight stands here.

Each signal is scaled to 0..1 over the candidates and they are added up with fixed weights: this
keeps how far ahead a hit is, which reciprocal rank fusion (Cormack et al., 2009, Reciprocal Rank
Fusion outperforms Condorcet and individual Rank Learning Methods) throws away. `python -m eval
retrieval --ablations` measures both, and each signal alone and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RANK_CONSTANT = 60
"""The constant of reciprocal rank fusion, as in its paper."""


def _weights() -> dict[str, float]:
    """Where question and archive are of one language.

    Words are the sharpest evidence there. One sentence that fits says more than a paragraph's
    average: across languages that brings .007, within one it changes nothing.
    """
    return {"dense": 1.0, "sentence": 1.5, "lexical": 1.5}


def _across() -> dict[str, float]:
    """Where they are not: a dictionary is less sure of the words than the text."""
    return _weights() | {"lexical": 1.0}


@dataclass(frozen=True, slots=True)
class Method:
    """How candidates are compared and ranked. The defaults are the product's.

    Attributes:
        weights: of the signals within one language, by name, 0 and up; 0 leaves a signal out.
        across: of the signals where languages differ.
        centred: take the mean of their language off vectors where languages differ.
        translated: look for a question's words in the other language too.
        evened: raise the scores of a language that lies farther from the question as a whole.
        by_rank: reciprocal rank fusion in place of the scaled sum.
    """

    weights: Mapping[str, float] = field(default_factory=_weights)
    across: Mapping[str, float] = field(default_factory=_across)
    centred: bool = True
    translated: bool = True
    evened: bool = True
    by_rank: bool = False

    def fused(self, signals: Mapping[str, Mapping[str, float]], across: bool) -> dict[str, float]:
        """One score for each candidate, see `fuse`; `across`: whether languages differ."""
        weights = self.across if across else self.weights
        return fuse_ranks(signals, weights) if self.by_rank else fuse(signals, weights)


def fuse(
    signals: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]
) -> dict[str, float]:
    """Scale each signal to 0..1 over its own candidates and add them up by weight.

    Args:
        signals: by name, a score for each id, higher is better; an id that a signal did not
            find counts as that signal's worst.
        weights: by name, 0 and up.

    Returns:
        The fused score by id: 0 to 1, higher is better.
    """
    total = sum(weights[name] for name, scores in signals.items() if scores) or 1.0
    fused: dict[str, float] = {}
    for name, scores in signals.items():
        if not scores:
            continue
        low, high = min(scores.values()), max(scores.values())
        if name == "lexical":
            low = 0.0  # BM25 has a true zero: no word in common
        width = high - low
        for key, score in scores.items():
            scaled = (score - low) / width if width > 0 else 1.0
            fused[key] = fused.get(key, 0.0) + weights[name] * scaled / total
    return fused


def fuse_ranks(
    signals: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]
) -> dict[str, float]:
    """Reciprocal rank fusion: each signal adds weight / (RANK_CONSTANT + rank), ranks from 1.

    Args:
        signals: as in `fuse`; an id that a signal did not find gets nothing from it. Equal scores
            are ranked by id.
        weights: by name, 0 and up.

    Returns:
        The fused score by id, 0 to 1, where 1 is first in every signal.
    """
    total = sum(weights[name] for name, scores in signals.items() if scores) or 1.0
    fused: dict[str, float] = {}
    for name, scores in signals.items():
        share = weights[name] * (RANK_CONSTANT + 1) / total
        for rank, key in enumerate(sorted(scores, key=lambda k: (-scores[k], k)), 1):
            fused[key] = fused.get(key, 0.0) + share / (RANK_CONSTANT + rank)
    return fused
