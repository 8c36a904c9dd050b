"""Two articles that give different figures for the one fact that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from rag.dates import asked_dates, holds_date, names_a_year
from rag.fitness import asked_numbers, counted
from rag.overlap import pairs_of
from rag.question import Analysis, Wanted
from rag.relevance import Ranking
from rag.types import Article, Evidence

ALIKE = 0.7
"""Two sentences tell of one fact when the other shares this much of what the first holds of the
question: character pairs of a Chinese one, words of an English one."""

CLOSE = 3.0
"""The other sentence must score within so much of the first."""


def find(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], chosen: Sequence[int]
) -> int | None:
    """A sentence of another article with another figure than the answer's first sentence.

    Args:
        analysis: the question; only those that ask for a number with a unit, or in English for
            how many there are of something, can conflict.
        ranking: the candidates.
        evidence: what they were cut from.
        chosen: the answer's sentences, most important first.

    Returns:
        Index into `ranking.candidates`, or None.
    """
    if analysis.wanted is not Wanted.NUMBER or not (analysis.unit or counted(analysis)):
        return None
    first = ranking.candidates[chosen[0]]
    told = {n.value for n in asked_numbers(analysis, first.folded)}
    if len(told) != 1:
        return None
    own = _held(analysis, ranking, chosen[0])
    for index in ranking.best()[:6]:
        other = ranking.candidates[index]
        if evidence[other.evidence].article.id == evidence[first.evidence].article.id:
            continue
        figures = {n.value for n in asked_numbers(analysis, other.folded)}
        shared = own & _held(analysis, ranking, index)
        close = ranking.scores[chosen[0]] - ranking.scores[index] <= CLOSE
        if (
            len(figures) == 1
            and not figures & told
            and close
            and _of_that_time(analysis, other.folded, evidence[other.evidence].article)
            and len(shared) >= max(2.0, ALIKE * len(own))
        ):
            return index
    return None


def _of_that_time(analysis: Analysis, folded: str, article: Article) -> bool:
    """Whether a sentence is not of other years or months than the question's."""
    return not names_a_year(folded) or all(
        holds_date(date, folded, article.published) for date in asked_dates(analysis.folded)
    )


def _held(analysis: Analysis, ranking: Ranking, index: int) -> set[str]:
    """What a sentence holds of the question. Words are those of the sentence's own language."""
    if analysis.language != "en":
        return set(pairs_of(analysis.core)) & set(pairs_of(ranking.candidates[index].folded))
    words = ranking.words
    columns = zip(words.terms, words.weights[:, index], words.held[:, index], strict=True)
    return {term for (term, _), weight, held in columns if weight and held == 1.0}
