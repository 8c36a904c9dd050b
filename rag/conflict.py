"""Two articles that give different figures for the one fact that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from rag.fitness import asked_numbers
from rag.overlap import pairs_of
from rag.question import Analysis, Wanted
from rag.relevance import Ranking
from rag.types import Evidence

ALIKE = 0.7
"""Two sentences tell of one fact when they share this much of the shorter one's character pairs
that the question holds too."""

CLOSE = 3.0
"""The other sentence must score within so much of the first."""


def find(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], chosen: Sequence[int]
) -> int | None:
    """A sentence of another article with another figure than the answer's first sentence.

    Args:
        analysis: the question; only those that ask for a number with a unit can conflict.
        ranking: the candidates.
        evidence: what they were cut from.
        chosen: the answer's sentences, most important first.

    Returns:
        Index into `ranking.candidates`, or None.
    """
    if analysis.wanted is not Wanted.NUMBER or not analysis.unit:
        return None
    first = ranking.candidates[chosen[0]]
    told = {n.value for n in asked_numbers(analysis, first.folded)}
    if len(told) != 1:
        return None
    asked = set(pairs_of(analysis.core))
    own = asked & set(pairs_of(first.folded))
    for index in ranking.best()[:6]:
        other = ranking.candidates[index]
        if evidence[other.evidence].article.id == evidence[first.evidence].article.id:
            continue
        figures = {n.value for n in asked_numbers(analysis, other.folded)}
        shared = own & set(pairs_of(other.folded))
        close = ranking.scores[chosen[0]] - ranking.scores[index] <= CLOSE
        if (
            len(figures) == 1
            and not figures & told
            and close
            and len(shared) >= max(2.0, ALIKE * len(own))
        ):
            return index
    return None
