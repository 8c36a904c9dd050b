"""The answer itself, without its sentence: a number with its unit, a date, a name, a list.

It is the span that the small reader finds (`rag.reader`, `rag.spans`), but for dates, lists and
plain definitions, which are cut out by rules where these find one. Where the model has no reader,
numbers and titles in marks are, too, and the spans are chosen by their features alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rag.bilingual import to_chinese
from rag.fitness import STEPS, asked_numbers, definition_fit, series
from rag.question import ASKS_DAY, Analysis, Wanted
from rag.reader import Read
from rag.span_features import Words
from rag.spans import best_span

FIGURES = (Wanted.NUMBER, Wanted.TIME)
"""What may stand in any sentence of an answer, and cannot be told in other words."""

_HAN_DIGITS = "一二三四五六七八九十"
_TO = r"(?:\s*(?:至|到|-|—|–|~|～)\s*)"
_ONE_DATE = (
    r"(?:(?:(?:公元前?|前)\s*|(?<!\s)\s+)?\d{1,4}\s*年代?|[今去前明]年)(?:[初末底中头]|[早中晚]期)?"
    r"(?:\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*[日号])?)?(?:[上下]午|[早晚]上|凌晨)?(?:[初末底中下上]旬?)?"
    r"|\d{1,2}\s*月(?:\s*\d{1,2}\s*[日号])?"
    rf"|(?:[\u4e00-\u9fff]{{2}})?(?:元|[{_HAN_DIGITS}]{{1,3}})年(?:[{_HAN_DIGITS}正]{{1,3}}月)?"
    rf"|[{_HAN_DIGITS}〇零]{{4}}年(?:[{_HAN_DIGITS}]{{1,3}}月(?:[{_HAN_DIGITS}]{{1,3}}[日号])?)?"
    r"|(?:公元)?前?\d{1,2}世纪(?:\d{2}年代)?(?:[初末中]叶?|[早中晚]期)?"
)
_DATE = re.compile(
    rf"(?:{_ONE_DATE})(?:{_TO}(?:{_ONE_DATE}|\d{{1,2}}[日号]))?|(?:\d{{1,2}} )?(?:January|February"
    r"|March|April|May|June|July|August|September|October|November|December)(?: \d{1,2}\b,?)?"
    r"(?: \d{4})?|\b(?:1\d|20)\d\d\b"
)
_YEAR = re.compile(
    rf"(?:公元)?前?\d{{1,4}}\s*年代?(?:[初末底中头]|[早中晚]期)?|[{_HAN_DIGITS}〇零]{{4}}年"
    rf"|[\u4e00-\u9fff]{{2}}(?:元|[{_HAN_DIGITS}]{{1,3}})年|\b(?:1\d|20)\d\d\b"
)
_DAY = re.compile(
    rf"(?:(?:\d{{4}}|[今去])\s*年\s*)?\d{{1,2}}\s*月\s*\d{{1,2}}\s*[日号](?:{_TO}(?:\d{{1,2}}月)?"
    r"\d{1,2}[日号])?|[一二三四五六七八九〇零]{4}年"
    rf"[{_HAN_DIGITS}]{{1,3}}月[{_HAN_DIGITS}]{{1,3}}[日号]"
    r"|\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November"
    r"|December)(?: \d{4})?|(?:January|February|March|April|May|June|July|August|September"
    r"|October|November|December) \d{1,2}\b(?:, \d{4})?"
    r"|(?<![\d.月-])(?:[12]?\d|3[01])日(?![报本常期子夜元均前后内历])"  # of the month said before
)
_ASKS_YEAR = re.compile(r"哪一?年(?!哪?[几月])|何年|what year|which year")
_ASKS_ONE = re.compile(r"哪一?[个座家位名次届场种条所本部项支首篇]")
_UNIT = re.compile(
    r"\s*[余多]?(?:[万亿]?(?:平方公里|平方千米|平方米|立方米|公里|千米|英里|海里|米|厘米|公分|公尺|英吋"
    r"|吨|[美港欧日澳加]?元|英镑|人次|个?小时|分钟|个百分点|℃|[万亿]?千瓦时?|个月|公斤|千克)|%|％"
    r"|[\u4e00-\u9fff]|[A-Za-z]+)?"
)
_UP_TO = re.compile(rf"[^\W\d]{{0,2}}{_TO}[\d.,]+")
_FROM = re.compile(rf"第?(?:[\d.,]{{1,12}}[^\W\d_]{{0,2}}{_TO})?$")
_MARKED = re.compile(r"“([^”]{1,30})”|《[^》]{1,40}》|「([^」]{1,30})」")
_CLAUSES = re.compile(r"[^，。；：！？,;!?\n]+")
_SERIES = re.compile(r"(?<![^，。；：！？,;:!?\n])[^，。；：！？,;:!?\n]*、[^，。；：！？,;:!?\n]*")
_LEAD = re.compile(
    r"^(?:.*?(?:包括|拥有|分别是|分别为|主要有|聚焦|涵盖|建立企业与|实现|打造|构建|形成|壮大|布局|布置"
    r"|穿过|途经|新建|建成|创建|设有|设立|涉及|围绕|突出|建设|开展|其中|[是为有：在与指]))(?=[^、]{1,20}、)"
)
_TAIL = re.compile(
    r"(?:等|[\d一二两三四五六七八九十]{1,2}(?:大|个|座|家|项|种|类|条|所|位|名|方面)).*$"
)
_BOTH = re.compile(r"(?:[是为指即：]|分别)([\u4e00-\u9fff]{2,14}[和与及][\u4e00-\u9fff]{2,14})$")
_EN_LIST = re.compile(
    r"(?::|\bare|\bwere|\bincluding|\bincludes?|\bnamely) ((?:[^.;:,]+, )*[^.;:,]+,? and [^.;:]+)"
)
_STOPS = re.compile("[，、。；：！？,;:!?]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_REACH = 40
"""Characters on either side of a number that are looked at."""
_IS = re.compile(r"(?:是|指的是|是指|即|称为|定义为|意味着)(.{2,80})$")


SURE = 0.3
"""Without a reader a span less probable than this is a guess. Inside the right sentence, of
questions that the weights were not fitted on, .45 get a surer one in Chinese, and .55 of these are
just the accepted answer; with the guesses .34 of all are."""

READ_SURE = 0.4
"""The same with one: there .78 get a surer one (those that rules cut out are among them), of which
.61 are right, and of all .52; without a reader .34 (`python -m eval.fit_reader … --check`, 2,776
held-out questions, Chinese, English and across)."""

MOST_READ = 3
"""Sentences that are read for one answer; each takes as long as encoding it."""


class Short(NamedTuple):
    """A short answer: a slice of a sentence.

    Attributes:
        sure: whether it is rather right than wrong.
    """

    text: str
    sure: bool


def short_answer(
    analysis: Analysis,
    sentences: Sequence[str],
    fold: Callable[[str], str],
    words: Words,
    read: Read | None = None,
) -> Short | None:
    """The asked thing itself, cut out of the sentences that answer.

    Args:
        analysis: the question.
        sentences: those of the answer, as printed, the best first; at least one. A number or a
            date may stand in any; all else must stand in the best.
        fold: width, case and script folding.
        words: cuts a text into words.
        read: reads the best sentence, or those that hold such a number or date; None to go by rules
            and the features of the spans alone.

    Returns:
        None where there is none: no number of those asked for, say.
    """
    if read is not None:
        return _read(analysis, sentences, fold, words, read)
    anywhere = analysis.wanted in FIGURES
    looked = sentences if anywhere else sentences[:1]
    cut = (_cut(analysis, sentence, fold) for sentence in looked)
    found = next(filter(None, cut), None)
    if found or anywhere:  # no other words are a number or a date
        return Short(found, sure=True) if found else None
    span = best_span(analysis, sentences[0], fold(sentences[0]), words)
    if span is None:
        return None
    return Short(span.span.of(sentences[0]), sure=span.probability >= SURE)


def _read(
    analysis: Analysis,
    sentences: Sequence[str],
    fold: Callable[[str], str],
    words: Words,
    read: Read,
) -> Short | None:
    """The same with a reader.

    Inside the right sentence, of questions that it was not fitted on, it is just right more often
    than the rules are, but for dates, where they are alike, and lists, where it gives a part.
    """
    if analysis.wanted in FIGURES:
        sentences = [s for s in sentences if _tells(analysis, s, fold)][:MOST_READ]
        if not sentences:
            return None  # no other words are a number or a date
    else:
        sentences = sentences[:1]
    sentence = sentences[0]
    if len(sentences) > 1:  # it is the one that reads most like an answer
        sentence = max(sentences, key=lambda s: read(s).answers)
    if _ruled(analysis, sentence, fold) and (cut := _cut(analysis, sentence, fold)):
        return Short(cut, sure=True)
    numbers = asked_numbers(analysis, sentence) if analysis.wanted is Wanted.NUMBER else ()
    held = [number.span for number in numbers] or None
    span = best_span(analysis, sentence, fold(sentence), words, read(sentence), held)
    if span is None:
        cut = _cut(analysis, sentence, fold)
        return Short(cut, sure=False) if cut else None
    text = _closed(span.span.of(sentence))
    return Short(text, sure=span.probability >= READ_SURE) if text else None


def _tells(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> bool:
    """Whether a number or a date of the asked kind stands in a sentence."""
    if analysis.wanted is Wanted.NUMBER:
        return bool(asked_numbers(analysis, sentence))
    return _cut(analysis, sentence, fold) is not None


def _ruled(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> bool:
    """Whether a rule may cut the answer out, also where there is a reader."""
    if analysis.wanted is Wanted.DEFINITION:
        return definition_fit(analysis, fold(sentence)) == 1.0
    if analysis.wanted is Wanted.LIST:
        return not _ASKS_ONE.search(analysis.folded)
    return analysis.wanted is Wanted.TIME


def _closed(text: str) -> str:
    """A text without a quotation mark at an end whose other half it lacks."""
    for opening, closing in ("“”", "‘’", "《》", "「」", "『』", "（）"):
        if text.count(opening) > text.count(closing) and text[0] == opening:
            text = text[1:]
        elif text.count(opening) < text.count(closing) and text[-1] == closing:
            text = text[:-1]
    return text


def _cut(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> str | None:
    """The asked thing in one sentence."""
    wanted = analysis.wanted
    if wanted is Wanted.NUMBER:
        return _number(analysis, sentence)
    if wanted is Wanted.TIME:
        asks_day = ASKS_DAY.search(analysis.folded)
        pattern = _DAY if asks_day else _YEAR if _ASKS_YEAR.search(analysis.folded) else _DATE
        return _date(analysis, sentence, pattern, fold)
    if wanted is Wanted.LIST:
        return _list(analysis, sentence, fold)
    if wanted is Wanted.DEFINITION:
        clause = _IS.search(sentence.rstrip("。.！!"))
        return clause[1].strip("“”") if clause else None
    if wanted is Wanted.THING:
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
    further = _UP_TO.match(sentence, number.end)
    unit = _UNIT.match(sentence, further.end() if further else number.end)
    lead = _FROM.search(sentence, max(0, number.start - 12), number.start)
    start = lead.start() if lead else number.start
    return sentence[start : unit.end() if unit else number.end].strip()


def _said(analysis: Analysis, sentence: str, start: int, end: int) -> int:
    """How much of the question stands in the clause around a number, up to the next figure."""
    before = _STOPS.split(sentence[max(0, start - _REACH) : start])[-1]
    after = _STOPS.split(sentence[end : end + _REACH])[0]
    clause = re.split(r"\d", before)[-1] + re.split(r"\d", after)[0]
    if analysis.language == "en" and _HAN.search(clause):
        return sum(any(t in clause for t in found) for _, found in to_chinese(analysis.text))
    return len(_overlap_places(analysis, clause))


def _date(
    analysis: Analysis, sentence: str, pattern: re.Pattern[str], fold: Callable[[str], str]
) -> str | None:
    """The date whose own part of the sentence says most of what was asked, then the nearest."""
    stated = {f"{value:g}" for value, _ in analysis.asserted}
    dates = [m for m in pattern.finditer(sentence) if fold(m[0]).rstrip("年月日号 ") not in stated]
    if not dates:
        return None
    words = _overlap_places(analysis, sentence)
    ends = [0, *(m.end() for m in dates)]
    starts = [*(m.start() for m in dates[1:]), len(sentence)]

    def fits(place: int) -> tuple[int, int]:
        date = dates[place]
        before = re.split(r"[，。；;,]", sentence[ends[place] : date.start()])[-1]
        after = re.split(r"[。；;]", sentence[date.end() : starts[place]])[0]
        start, end = date.start() - len(before), date.end() + len(after)
        said = sum(start <= w < end for w in words)
        return said, -min((abs(date.start() - w) for w in words), default=0)

    return dates[max(range(len(dates)), key=fits)][0].strip()


def _overlap_places(analysis: Analysis, sentence: str) -> list[int]:
    """Where the question's character pairs stand in the sentence."""
    return [
        i
        for i in range(len(sentence) - 1)
        if sentence[i : i + 2] in analysis.core and not sentence[i : i + 2].isspace()
    ]


def _list(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> str | None:
    """The series with the asked number of items, else the one nearest to the question's words.

    Items counted out (一是…，二是…) are a series from the first to the end of the sentence.
    """
    steps = list(STEPS.finditer(sentence))
    if len(steps) > 1 and len(steps) == (analysis.count or len(steps)):
        return sentence[steps[0].start() :].strip("，。；：,;: \n")
    if not _HAN.search(sentence):
        english = _EN_LIST.search(sentence)
        return english[1].strip() if english else None
    runs = [m for m in _SERIES.finditer(sentence)]
    if analysis.count is not None:
        runs = [m for m in runs if analysis.count in series(fold(m[0]))] or runs
    if not runs:
        return _two(analysis, sentence)
    words = _overlap_places(analysis, sentence)
    best = max(runs, key=lambda m: sum(m.start() <= w < m.end() for w in words))
    text = best[0].strip()
    lead = _LEAD.match(text)
    text = text[lead.end() :] if lead else text
    last = text.rfind("、") + 1
    return (text[:last] + _TAIL.sub("", text[last:])).strip("、 ") or None


def _two(analysis: Analysis, sentence: str) -> str | None:
    """A和B, where two things are asked for and one clause ends with the two."""
    if analysis.count != 2:
        return None
    found = [m[1] for c in _CLAUSES.findall(sentence) if (m := _BOTH.search(c))]
    return found[0] if len(found) == 1 else None


def _new_marked(analysis: Analysis, sentence: str, fold: Callable[[str], str]) -> str | None:
    """The only quoted name or title in the sentence that the question does not hold."""
    found = [
        m[0] if m[0].startswith("《") else next(filter(None, m.groups()))
        for m in _MARKED.finditer(sentence)
    ]
    new = [f for f in dict.fromkeys(found) if fold(f).strip("《》") not in analysis.folded]
    return new[0] if len(new) == 1 else None
