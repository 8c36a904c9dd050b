"""Draft questions by leaving a fact out of a sentence, without a model (Taylor 1953).

In Chinese a date or a figure gives way to the word that asks for it (多少, 哪一年 …), which makes
an ordinary question of most sentences; in English a gap is left to fill.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.sentences import split_sentences

LONGEST = {"zh": 60, "en": 200}
"""Characters of a question by language; a longer one is not drafted."""

SHORTEST = 10
"""Characters of the sentence that have to be left beside the fact."""

GAP = "____"

_CLAUSE_END = re.compile(r"[，；：。！？]|$")
_POINTING = re.compile(
    r"^(?:其中|此外|同时|这|该|此|它|他|她|对此|为此|而|但|并|也|另|目前|去年|今年|当年|It|They|He|She|"
    r"This|That|These|Those|But|And|There)"
)
_FIGURE = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_NOT_INSIDE = r"(?<![\d.A-Za-z])"
_MEASURE = (
    "平方公里|平方米|立方米|公里|公顷|公頃|千米|厘米|毫米|千瓦时|千瓦|千伏|美元|港元|公斤|小时|小時|"
    "[个個名人位家座条條项項列辆輛艘架台套件种種次届屆头頭只隻所处處米吨噸元倍亩畝尊天株棵间間层層卷册冊岁歲]"
)
_CHINESE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(_NOT_INSIDE + pattern), word)
    for pattern, word in (
        (r"(?P<fact>(?:19|20)\d\d年\d{1,2}月\d{1,2}日)", "哪一天"),
        (r"(?P<fact>(?:19|20)\d\d年\d{1,2}月)(?!\d)", "哪年哪月"),
        (r"(?P<fact>(?:19|20)\d\d年)(?![\d代])", "哪一年"),
        (rf"(?P<fact>(?:{_FIGURE})[%％])", "百分之几"),
        (rf"(?P<fact>(?:{_FIGURE})[万亿萬億]*+)(?=(?P<measure>{_MEASURE}))", "多少"),
    )
)
_ENGLISH = re.compile(_NOT_INSIDE + rf"(?P<fact>{_FIGURE})(?![\d%]|[A-Za-z]|-)")
_LEAST_AFTER = 3
"""Characters of the clause after a date, without which it asks for nothing."""


@dataclass(frozen=True, slots=True)
class Cloze:
    """One draft.

    Attributes:
        answers: the fact as it stands there, and with its measure word or without.
        start: where the sentence that holds it starts in the paragraph.
        quote: that sentence, `paragraph[start : start + len(quote)]`.
    """

    question: str
    answers: tuple[str, ...]
    start: int
    quote: str


def clozes(paragraph: str, language: str) -> Iterator[Cloze]:
    """The drafts that a paragraph gives, in its order; one for each fact.

    Left out are sentences that point back to another one, that are too long, or that name their
    fact twice.

    Args:
        paragraph: its text.
        language: "zh" or "en".
    """
    for span in split_sentences(paragraph):
        raw = span.of(paragraph)
        sentence = raw.strip()
        if _POINTING.match(sentence):
            continue
        start = span.start + raw.index(sentence)
        found = _chinese(sentence) if language == "zh" else _english(sentence)
        for question, answers in found:
            if sentence.count(answers[-1]) == 1 and len(question) <= LONGEST[language]:
                yield Cloze(question, answers, start, sentence)


def _chinese(sentence: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Questions that end with the clause of their fact."""
    taken: list[tuple[int, int]] = []
    for pattern, word in _CHINESE:
        for match in pattern.finditer(sentence):
            start, end = match.span("fact")
            if any(a < end and start < b for a, b in taken):
                continue
            taken.append((start, end))
            after = match.end()
            stop = _CLAUSE_END.search(sentence, after)
            clause = sentence[after : stop.start() if stop else len(sentence)]
            left = sentence[:start] + clause
            if len(left) < SHORTEST or _unpaired(left):
                continue
            if word.startswith("哪") and len(clause) < _LEAST_AFTER:
                continue
            fact = match["fact"]
            answers = (fact + match["measure"], fact) if word == "多少" else (fact,)
            yield f"{sentence[:start]}{word}{clause}？", answers


def _english(sentence: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for match in _ENGLISH.finditer(sentence):
        start, end = match.span("fact")
        if len(sentence) - (end - start) >= SHORTEST:
            gapped = sentence[:start] + GAP + sentence[end:]
            yield f"Fill the gap: {gapped}", (match["fact"],)


def _unpaired(text: str) -> bool:
    """Whether cutting at a clause tore a quotation or brackets apart."""
    return any(text.count(a) != text.count(b) for a, b in ("“”", "《》", "（）", "「」"))
