"""A follow-up question and the turns before it become a question that stands alone.

By rules, in this order: a reference to a cited article (第二篇, 作者是谁, "who wrote it"), a wish
for more, a thing that takes another's place (那四川呢, "and in 2021?"), a pronoun, and a question
without a subject of its own. Whatever fits none of them is a new topic and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.mentions import (
    ASKS,
    ASKS_EN,
    ASPECTS,
    HAN,
    MEASURES,
    VERB_EN,
    is_chinese,
    kind_of,
    mentions,
    replaced_by,
    subject,
)
from rag.pronouns import THIRD_ZH, pronoun, without_subject
from rag.references import about_article
from rag.turns import Articles, Context
from rag.types import Turn

REMEMBERED = 6
"""Earlier turns that are looked at."""

_END = re.compile(r"(?<![？?。.!！\s])[？?。.!！\s]+$")
_OPENER = re.compile(
    r"^(?:那么|那麼|那(?![里裡时時个個座条條篇些位家项項本])|还有|還有|另外|然后|然後|好的?|谢谢|至于|至於|换成|換成|再说|请问|請問)"
    r"[，,、：:]?\s*|^(?:and|so|but|then|ok(?:ay)?|also|now|well|thanks)[,:]?\s+",
    re.IGNORECASE,
)

_MORE = re.compile(
    r"^(?:还有(?:呢|吗|别的吗|什么|其他的吗|哪些)?|還有(?:呢|嗎|什麼|哪些)?|其他的?呢|其它的?呢|别的呢|继续|繼續|接着说|更多"
    r"|(?:anything|what|who|where) else|more|go on|tell me more|and\??|any others?)$",
    re.IGNORECASE,
)
_NE = re.compile(
    r"^(?P<x>.{1,24}?)(?:又)?(?:的)?呢$|^(?P<how>.{1,12}?)(?:又?怎么样|又?如何|又怎樣)$"
)
_NE_MORE = re.compile(r"^(?P<x>[^？?，,]{1,14}?)的?呢[？?，,](?P<more>.{2,})$")
_WHAT_ABOUT = re.compile(
    r"^(?:what about|how about|and what about|and)\s+(?P<x>.{2,60})$"
    r"|^(?P<bare>(?:in|on|at|for|by|from|to|of|with|since|under) [\w’' -]{2,30})$",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"^(?:(?P<word>in|on|at|for|by|from|to|of|with|since|under)\s+)?(?:(?:the|its|their)\s+)?",
    re.IGNORECASE,
)


def standalone(question: str, history: Sequence[Turn], articles: Articles | None = None) -> str:
    """The question as it should be searched.

    Args:
        question: as it was asked.
        history: earlier turns as they were asked, oldest first.
        articles: finds the articles that the turns cite, for their titles.

    Returns:
        The question itself where it stands alone, else a question with what it points back to.
    """
    find: Articles = articles or (lambda _: None)
    turns: list[Turn] = []
    for turn in history[-REMEMBERED:]:
        asked = _rewritten(turn.question, Context(tuple(turns), find)) if turns else turn.question
        turns.append(Turn(asked, turn.answer, turn.article_ids))
    return _rewritten(question, Context(tuple(turns), find)) if turns else question


def depends(question: str, history: Sequence[Turn], articles: Articles | None = None) -> bool:
    """Whether a question points back to the turns before it."""
    return standalone(question, history, articles) != question


def _rewritten(question: str, context: Context) -> str:
    text = _END.sub("", question.strip())
    bare = _OPENER.sub("", text) or text
    found = (
        about_article(bare, context)
        or _more(text, context)
        or _in_place_of(bare, context, opened=bare != text)
        or pronoun(bare, context)
        or without_subject(bare, context)
    )
    return _asked(found) if found and found != text else question


def _asked(text: str) -> str:
    """With one question mark at its end."""
    text = _END.sub("", text)
    text = text[0].upper() + text[1:] if not HAN.search(text[:1]) else text
    return text + ("？" if is_chinese(text) else "?")


def _more(text: str, context: Context) -> str | None:
    """还有呢, "anything else": the same question, more of it."""
    if not _MORE.match(text):
        return None
    last = _END.sub("", re.sub(r"？还有哪些|\? What else", "", context.question))
    return f"{last}？还有哪些" if is_chinese(last) else f"{last}? What else"


def _in_place_of(text: str, context: Context, *, opened: bool) -> str | None:
    """那四川呢, "and in 2021?": another thing takes the place of one in the last question."""
    longer = _NE_MORE.match(text)
    if longer and ASKS.search(longer["more"]):
        return longer["x"] + longer["more"]
    match = _NE.match(text) or _WHAT_ABOUT.match(text)
    if match and match.groupdict().get("how") and not (opened or kind_of(match["how"])):
        return None
    if match is None and opened and not ASKS.search(text) and not ASKS_EN.search(text):
        other = text
    elif match is None:
        # 2021年？ 四川？: a bare time or place
        if kind_of(text) not in ("time", "place", "country", "line", "ordinal"):
            return None
        other = text
    else:
        other = next(g for g in match.groups() if g)
    if ASKS.search(other) or VERB_EN.search(other) or THIRD_ZH.fullmatch(other):
        return None
    other = re.sub(r"^(?:在|对|於|于)(?=[\u4e00-\u9fff]{2})", "", other)
    return _substituted(other, context)


def _substituted(other: str, context: Context) -> str:
    """The last question with `other` in the place of what it stands for."""
    last = _END.sub("", context.question)
    preposition = None if HAN.search(other) else _PREPOSITION.match(other)
    thing = other[preposition.end() :] if preposition else other
    if re.fullmatch(rf"{MEASURES}|{ASPECTS}", thing):
        about = subject(last)
        asks = "多少" if re.fullmatch(MEASURES, thing) else "什么"
        return f"{about}的{thing}是{asks}" if about else f"{last}，{thing}是{asks}"
    pieces = _pieces(thing)
    if len(pieces) > 1:  # 成都2021年, Chongqing to Duisburg: each in the place of its own kind
        return _each(pieces, last)
    place = replaced_by(last, thing)
    if preposition and preposition["word"] and kind_of(thing) in ("name", "place", "country"):
        after = re.search(rf"\b{preposition['word']} (?=[A-Z])", last, re.IGNORECASE)
        same = [m.span for m in mentions(last) if after and m.span.start == after.end()]
        place = same[0] if same else place
    if place is not None:
        return last[: place.start] + thing + last[place.end :]
    return _added(other, thing, last)


def _pieces(thing: str) -> list[str]:
    """The several things that a follow-up names at once."""
    if HAN.search(thing):
        return [m.span.of(thing) for m in mentions(thing)]
    parts = re.fullmatch(r"(.+?) to (.+)", thing)
    return list(parts.groups()) if parts else []


def _each(pieces: Sequence[str], last: str) -> str:
    if not HAN.search(pieces[0]):  # from … to …: in their order
        spans = [m.span for m in mentions(last) if m.kind != "time"][: len(pieces)]
        for span, piece in reversed(list(zip(spans, pieces, strict=False))):
            last = last[: span.start] + piece + last[span.end :]
        return last
    for piece in pieces:
        place = replaced_by(last, piece)
        if place is not None:
            last = last[: place.start] + piece + last[place.end :]
    return last


def _added(other: str, thing: str, last: str) -> str:
    """The last question about another thing where nothing in it is of that thing's kind."""
    kind, about = kind_of(thing), subject(last)
    if HAN.search(thing) and is_chinese(last):
        if kind == "time":
            return f"{thing}{last}"
        # Another thing of the kind asked about: it takes the subject's place.
        return last.replace(about, thing, 1) if about and about in last else f"{thing} {last}"
    if kind == "time" or (kind in ("place", "country", "name") and not about):
        return f"{thing} {last}" if is_chinese(last) else f"{last} in {thing}"
    if re.match(r"(?:the|its|their) ", other, re.IGNORECASE) and about:
        return f"What is the {thing} of {re.sub(r'^the [a-z-]+ of ', '', about)}"
    if about and about in last:
        return last.replace(about, thing, 1)
    return f"{last} {thing}"
