"""Whether what is asked for stands near what the question is about.

A passage on the right subject mostly holds some number or date. It answers only when one of the
asked kind stands in a sentence, or better a clause, that the question's words stand in too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.fitness import DATE, asked_numbers
from rag.overlap import stands_in
from rag.question import ASKS_DAY, Analysis, Wanted
from rag.relevance import Ranking
from rag.types import Span

_MONTHS = (
    "(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_DAY = re.compile(
    r"\d{1,2}\s*月\s*\d{1,2}|(?<![一二三四五六七八九十])[一二三四五六七八九十]+月[一二三四五六七八九十]+日"
    r"|[正一二三四五六七八九十冬腊]月[初廿十]|[今昨当次翌]日|[今昨]天"
    rf"|{_MONTHS} \d|\d{{1,2}} {_MONTHS}"
)
_ERA_YEAR = (
    r"[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]年"
    r"|[\u4e00-\u9fff]{2}(?:元|[一二三四五六七八九十]{1,3}|\d{1,2})年|第[一二三四五六七八九十\d]+年"
)
_YEAR = re.compile(
    r"\d{3,4}\s*年|[一二三四五六七八九〇零]{4}年|\b1\d{3}s?\b|\b20\d\ds?\b|[今去前明当次同]年"
    rf"|\b\d[\d,]{{0,9}} ?(?:b\.?c|b\.?p|a\.?d|c\.?e)\b|{_ERA_YEAR}"
)
_TIME = re.compile(
    rf"{_YEAR.pattern}|{DATE.pattern}|[正一二三四五六七八九十冬腊]月|[今昨当次翌近]日|日前|年[前后末初底]"
    r"|时代|[古近现]代|[纪朝]|[古始渐中上更全]新世|[夏商周秦汉隋唐宋元明清]代|[东西南北前后][汉晋宋周魏唐]|[唐宋元明清民][初末]"
    r"|民国|[春夏秋冬](?:季|天|节)|\w节|期间|以[来后前]|之[前后]|时(?![间代期速装尚髦])|[早晚凌夜][晨上间]|上午|下午|中午"
    r"|\b(?:era|period|dynasty|age|spring|summer|autumn|winter|today|yesterday|tomorrow|tonight"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|noon|midnight|morning|afternoon|evening|ago"
    r"|last (?:year|month|week)|this (?:year|month|week)|before|after|since|during|until|when)\b"
)
"""Whatever may tell a time, where neither a day nor a year is asked for."""
_ASKS_YEAR = re.compile(r"哪一?年|何年|\bwh(?:at|ich) year\b")
_CLAUSE = re.compile(r"[^，。；：！？,;:!?\n]+")


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near the asked kind of answer stands to the question's words.

    Attributes:
        none: whether no chosen sentence holds anything of the asked kind.
        sentence: the most of the question's words, by rarity, that stand in a chosen sentence
            with such an answer, the sentence before it and its title; 0 to 1.
        clause: the same of the answer's own clause and the one before.
        article: the words' share in the whole article of the best sentence.
    """

    none: bool
    sentence: float
    clause: float
    article: float


def nearness(
    analysis: Analysis, ranking: Ranking, chosen: Sequence[int], title: str, article: str
) -> Nearness:
    """Look for the asked kind of answer in the chosen sentences.

    Args:
        analysis: the question.
        ranking: all candidates.
        chosen: the sentences that would be the answer, the best first; at least one.
        title: of the best sentence's article, folded.
        article: the whole of it, folded.
    """
    shares = _Shares(ranking, chosen[0])
    whole = shares.of(article)
    if analysis.wanted not in (Wanted.NUMBER, Wanted.TIME):
        near = shares.of(_with_before(ranking, chosen[0], title))
        return Nearness(False, near, near, whole)
    none, sentence, clause = True, 0.0, 0.0
    for index in chosen:
        folded = ranking.candidates[index].folded
        found = answers_in(analysis, folded)
        if not found:
            continue
        none = False
        sentence = max(sentence, shares.of(_with_before(ranking, index, title)))
        windows = {_window(folded, span.start) for span in found}
        clause = max(clause, *(shares.of(window) for window in windows))
    return Nearness(none, sentence, clause, whole)


def answers_in(analysis: Analysis, folded: str) -> list[Span]:
    """The numbers of the asked unit, or the dates as exact as is asked, in a sentence."""
    if analysis.wanted is Wanted.NUMBER:
        return [number.span for number in asked_numbers(analysis, folded)]
    pattern = _TIME
    if ASKS_DAY.search(analysis.folded):
        pattern = _DAY
    elif _ASKS_YEAR.search(analysis.folded):
        pattern = _YEAR
    stated = {f"{value:g}" for value, _ in analysis.asserted}
    return [
        Span(*m.span()) for m in pattern.finditer(folded) if m[0].rstrip("年月日 ") not in stated
    ]


class _Shares:
    """The share of the question's words, by rarity, that stand in a text."""

    def __init__(self, ranking: Ranking, best: int) -> None:
        self._terms = ranking.words.terms
        self._weights: NDArray[np.float64] = ranking.words.weights[:, best]

    def of(self, text: str) -> float:
        """0 to 1."""
        return float(
            sum(
                weight * stands_in(alternatives, text)
                for weight, (_, alternatives) in zip(self._weights, self._terms, strict=True)
                if weight
            )
        )


def _with_before(ranking: Ranking, index: int, title: str) -> str:
    """A sentence with the title and the sentence before it in its passage."""
    own = ranking.candidates[index]
    before = ""
    if own.order and index and ranking.candidates[index - 1].evidence == own.evidence:
        before = ranking.candidates[index - 1].folded
    return f"{title} {before} {own.folded}"


def _window(folded: str, at: int) -> str:
    """The clause around a place and the one before it."""
    clauses = [Span(*m.span()) for m in _CLAUSE.finditer(folded)]
    own = next((i for i, c in enumerate(clauses) if c.start <= at < c.end), None)
    if own is None:
        return ""
    return folded[clauses[max(0, own - 1)].start : clauses[own].end]
