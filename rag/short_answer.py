"""The answer itself, without its sentence: a number with its unit, a date, a name, a list."""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.bilingual import to_chinese
from rag.fitness import asked_numbers, series
from rag.question import Analysis, Wanted

_DATE = re.compile(
    r"(?:\d{4}\s*年)?\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*[日号])?|\d{4}\s*年"
    r"|[一二三四五六七八九〇零]{4}年"
    r"(?:[一二三四五六七八九十]{1,3}月(?:[一二三四五六七八九十]{1,3}日)?)?"
    r"|\d{1,2}世纪(?:\d{2}年代)?|(?:\d{1,2} )?(?:January|February|March|April|May|June|July"
    r"|August|September|October|"
    r"November|December)(?: \d{1,2},?)?(?: \d{4})?|\b(?:1\d|20)\d\d\b"
)
_YEAR = re.compile(r"\d{4}\s*年|[一二三四五六七八九〇零]{4}年|\b(?:1\d|20)\d\d\b")
_UNIT = re.compile(
    r"\s*(?:余|多)?(?:[万亿]?(?:平方公里|平方米|立方米|公里|千米|米|厘米|吨|元|美元|人次|小时"
    r"|分钟|个百分点|℃)|%|％|[\u4e00-\u9fff]|[A-Za-z]+)?"
)
_MARKED = re.compile(r"“([^”]{1,30})”|《[^》]{1,40}》|「([^」]{1,30})」")
_CLAUSES = re.compile(r"[^，。；：！？,;!?\n]+")
_SERIES = re.compile(r"[^，。；：！？,;:!?\n]*、[^，。；：！？,;:!?\n]*")
_LEAD = re.compile(
    r"^(?:.*?(?:包括|拥有|分别是|分别为|主要有|聚焦|涵盖|建立企业与|实现|打造|构建|形成|壮大|布局"
    r"|建设|开展|[是为有：在与]))(?=[^、]{1,20}、)"
)
_STOPS = re.compile("[，、。；：！？,;:!?]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_REACH = 40
"""Characters on either side of a number that are looked at."""
_IS = re.compile(r"(?:是|指的是|是指|即|称为|定义为|意味着)(.{2,80})$")


def short_answer(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> str | None:
    """The asked thing itself, cut out of the sentence that answers.

    Args:
        analysis: the question.
        sentence: the best sentence of the answer, as printed.
        fold: width, case and script folding.

    Returns:
        A slice of the sentence, or None where the kind of answer allows none.
    """
    wanted = analysis.wanted
    if wanted is Wanted.NUMBER:
        return _number(analysis, sentence)
    if wanted is Wanted.TIME:
        pattern = _YEAR if re.search(r"哪一?年|what year|which year", analysis.folded) else _DATE
        return _nearest(analysis, sentence, pattern, fold)
    if wanted is Wanted.LIST:
        return _list(analysis, sentence, fold)
    if wanted is Wanted.DEFINITION:
        clause = _IS.search(sentence.rstrip("。.！!"))
        return clause[1].strip("“”") if clause else None
    if wanted is Wanted.THING or wanted is Wanted.PLACE or wanted is Wanted.PERSON:
        return _new_marked(analysis, sentence, fold)
    return None


def _number(analysis: Analysis, sentence: str) -> str | None:
    """The number whose own clause says most of what was asked; None where two say as much."""
    asked = asked_numbers(analysis, sentence)
    if not asked:
        return None
    said = [_said(analysis, sentence, n.span.start, n.span.end) for n in asked]
    best = max(range(len(asked)), key=said.__getitem__)
    rivals = {n.value for n, score in zip(asked, said, strict=True) if score == said[best]}
    if len(rivals) > 1:
        return None
    number = asked[best].span
    unit = _UNIT.match(sentence, number.end)
    return sentence[number.start : unit.end() if unit else number.end].strip()


def _said(analysis: Analysis, sentence: str, start: int, end: int) -> int:
    """How much of the question stands in the clause around a number, up to the next figure."""
    before = _STOPS.split(sentence[max(0, start - _REACH) : start])[-1]
    after = _STOPS.split(sentence[end : end + _REACH])[0]
    clause = re.split(r"\d", before)[-1] + re.split(r"\d", after)[0]
    if analysis.language == "en" and _HAN.search(clause):
        return sum(any(t in clause for t in found) for _, found in to_chinese(analysis.text))
    return len(_overlap_places(analysis, clause))


def _nearest(
    analysis: Analysis, sentence: str, pattern: re.Pattern[str], fold: Callable[[str], str]
) -> str | None:
    """The match that stands nearest to the question's own words."""
    stated = {f"{value:g}" for value, _ in analysis.asserted}
    found = [m for m in pattern.finditer(sentence) if fold(m[0]).rstrip("年月日号 ") not in stated]
    if not found:
        return None
    words = _overlap_places(analysis, sentence)
    best = min(found, key=lambda m: min((abs(m.start() - w) for w in words), default=0))
    return best[0].strip()


def _overlap_places(analysis: Analysis, sentence: str) -> list[int]:
    """Where the question's character pairs stand in the sentence."""
    return [
        i
        for i in range(len(sentence) - 1)
        if sentence[i : i + 2] in analysis.core and not sentence[i : i + 2].isspace()
    ]


def _list(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> str | None:
    """The series with the asked number of items, else the one nearest to the question's words."""
    runs = [m for m in _SERIES.finditer(sentence)]
    if analysis.count is not None:
        runs = [m for m in runs if analysis.count in series(fold(m[0]))] or runs
    if not runs:
        return None
    words = _overlap_places(analysis, sentence)
    best = max(runs, key=lambda m: sum(m.start() <= w < m.end() for w in words))
    text = best[0].strip()
    lead = _LEAD.match(text)
    text = text[lead.end() :] if lead else text
    return re.sub(r"(?:等|[\d一二三四五六七八九十]大).*$", "", text).strip() or None


def _new_marked(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> str | None:
    """The only quoted name or title in the sentence that the question does not hold."""
    found = [
        m[0] if m[0].startswith("《") else next(filter(None, m.groups()))
        for m in _MARKED.finditer(sentence)
    ]
    new = [f for f in dict.fromkeys(found) if fold(f).strip("《》") not in analysis.folded]
    return new[0] if len(new) == 1 else None
