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


_BOUNDS: Mapping[str, tuple[float | None, float | None]] = {
    "lexical": (0.0, None),  # BM25 has a true zero: no word in common
    "exact": (0.0, 1.0),
}
"""Signals that are not scaled from the worst candidate to the best."""


def _weights() -> dict[str, float]:
    """Where question and archive are of one language.

    One sentence that fits says more than a paragraph's average, and words are as sharp: of XQuAD
    zh, en, CMRC and DRCD (1,190 questions each) .9695 come first so, .9683 with "dense" at 1; from
    .5 to .75 all rank alike. What is quoted, counted or dated brings .004 on XQuAD zh, .003 on
    DRCD and nothing on the others; weights from .75 to 1.5 rank alike.
    """
    return {"dense": 0.75, "sentence": 1.5, "lexical": 1.5, "exact": 1.0}


def _across() -> dict[str, float]:
    """Where they are not: a dictionary is less sure of the words than the text.

    Numbers that match say less too, since units do not: "exact" costs .002 at 1, .001 at .5.
    """
    return {"dense": 1.0, "sentence": 1.5, "lexical": 1.0, "exact": 0.5}


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
        lowest, highest = _BOUNDS.get(name, (None, None))
        low = min(scores.values()) if lowest is None else lowest
        high = max(scores.values()) if highest is None else highest
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
