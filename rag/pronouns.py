"""Pronouns and questions without a subject: what was spoken of last takes their place."""

from __future__ import annotations

import re

from rag.mentions import (
    ASKS,
    ASKS_EN,
    ASPECTS,
    HAN,
    MEASURES,
    VERB_EN,
    is_chinese,
    mentions,
    subject,
)
from rag.references import AUTHORSHIP, PERSON_ZH
from rag.turns import Context, named

THIRD_ZH = re.compile(
    r"(?:它们|牠们|它們|它|牠)(?:的)?|(?<![与與及尤极極])其(?![他它中实實余餘次间間])"
)
_DEMONSTRATIVE_ZH = re.compile(
    r"(?:[这這那](?:座|条|條|个|個|项|項|家|所|种|種|次|场|場|处|處|只|些|位|届)|[该該此]|上述)"
    r"(?!问题|問題|说法|說法|情况|情況|数字|數字|数据|數據|消息|意思|时候|時候|话|話)"
    r"(?P<noun>[\u4e00-\u9fff]{1,6}?)(?=的|有|是|在|由|被|什|多|几|幾|哪|全|总|總|建|开|開|何|为|為|怎|如|目|现|現|位|属|需|和|与|，|$)"
)
_PRONOUN_EN = re.compile(r"\b(?:it|its|they|them|their|he|him|his|she|her|there)\b", re.IGNORECASE)
_THERE_ZH = re.compile(r"(?<![一-鿿])[那这這][里裡儿兒]|当地|當地")
_DEMONSTRATIVE_EN = re.compile(
    r"\b(?:this|that|these|those) (?P<noun>[a-z-]+(?: [a-z-]+)?)\b", re.IGNORECASE
)
# A name up to its last character, without the words that may stand before it.
_NAME_BEFORE = re.compile(
    r"(?:(?![的了和与與是在从從到由被将將把个個座条條家入立，。、；：“”（）「」\s])[一-鿿]){1,8}$"
)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|are|were|will) there\b|\bthere (?:is|are|was|were)\b"
    r"|\b(?:does|did|would|will) it take\b"
    r"|\bis it (?:true|possible|that)\b|\bthat (?:is|are|was|were|has|have)\b",
    re.IGNORECASE,
)
_ASKED_KIND = re.compile(
    r"哪(?![一]?[年天日月时時里裡儿兒])(?:一|几|些)?[个個座家条條所项項处處种種支次只片]?(?P<zh>[\u4e00-\u9fff]{1,6}?)(?=被|是|入|在|能|可|有|获|獲|的|[，,？?]|$)"
    r"|(?P<last>哪(?![一]?[年天日月时時里裡儿兒])[^，？?]{0,100}?(?P<n>[\u4e00-\u9fff]{2}))[？?]?$"
    r"|\b(?:which|what) (?P<en>[a-z-]+)\b",
    re.IGNORECASE,
)
_OWN_SUBJECT_LESS = re.compile(
    rf"^(?:是|在|又|都|一共|总共|總共|共|有|其中|[花用建投耗持][资时续費费]?了?)?(?:{ASKS.pattern}|{MEASURES}|{ASPECTS})"
)
_FILLER = re.compile(
    rf"{ASKS.pattern}|时候|時候|时间|時間|[个個名座条條项項种種家次年天日月米里公元度的是了在有被把为為哪些一]"
)
CONTENT_LEFT = 5
"""Chinese characters besides the asking words up to which a question has no subject of its own."""


def pronoun(text: str, context: Context) -> str | None:
    """它的, 这座机场, "its": what was spoken of takes its place."""
    chinese = is_chinese(text)
    if chinese:
        return _pronoun_zh(text, context)
    plain = _EXPLETIVE.sub(lambda m: "#" * len(m[0]), text)
    match = _DEMONSTRATIVE_EN.search(plain)
    if match:
        about = _that_ends(match["noun"], context) or _antecedent(context)
        return text[: match.start()] + about + text[match.end() :] if about else None
    match = _PRONOUN_EN.search(plain)
    if match is None or _within(text[: match.start()], match[0].lower()):
        return None
    about = _antecedent(context)
    if not about:
        return None
    word = match[0].lower()
    owning = word in ("its", "their", "his") or (
        word == "her" and re.match(r" \w+", text[match.end() :]) is not None
    )
    about = f"{about}'s" if owning else f"in {about}" if word == "there" else about
    return _agreeing(text[: match.start()], word) + about + text[match.end() :]


def _agreeing(before: str, word: str) -> str:
    return before if word != "there" else re.sub(r"\b(?:over|in)\s+$", "", before)


def _within(before: str, pronoun: str) -> bool:
    """Whether the words before an English pronoun name what it stands for in the same question."""
    if any(m.kind in ("name", "title") for m in mentions(before)):
        return True
    if pronoun in ("their", "they", "them"):
        return re.search(r"\b(?!was|is|has|does|this)[a-z]{3,}s\b", before) is not None
    return re.search(r"\b(?:the|a|an) [a-z]+", before) is not None


def _pronoun_zh(text: str, context: Context) -> str | None:
    match = _DEMONSTRATIVE_ZH.search(text)
    if match:
        return _this_one(text, match, context)
    match = _THERE_ZH.search(text)
    if match:
        about = _antecedent(context)
        return text[: match.start()] + about + text[match.end() :] if about else None
    match = PERSON_ZH.search(text) if not re.search("其他|吉他", text) else None
    if match and not re.search(r"作者|[一-鿿]{2,4}(?:说|表示)", text[: match.start()]):
        cited = context.cited()
        about = _antecedent(context)
        if cited and (AUTHORSHIP.search(context.question) or not about):
            about = named(cited[0], chinese=True)
            return text[: match.start()] + f"{about}的作者" + text[match.end() :]
        return text[: match.start()] + about + text[match.end() :] if about else None
    match = THIRD_ZH.search(text)
    # A clause before it has its own name for what it stands for.
    if match is None or re.search(r"[\u4e00-\u9fff]{3}[，,]", text[: match.start()]):
        return None
    about = _antecedent(context)
    if not about:
        return None
    owning = "的" if match[0].endswith("的") else ""
    return text[: match.start()] + about + owning + text[match.end() :]


def _this_one(text: str, match: re.Match[str], context: Context) -> str | None:
    """这座大桥花了…: the longest noun after 这座 that ends a name spoken of before."""
    after = text[match.start("noun") :]
    for size in range(min(6, len(after)), 0, -1):
        if about := _that_ends(after[:size], context, whole=True):
            return text[: match.start()] + about + after[size:]
    noun = match["noun"]
    about = _that_ends(noun, context) or _antecedent(context)
    return text[: match.start()] + about + after[len(noun) :] if about else None


def _antecedent(context: Context) -> str:
    """What was spoken of last: what a which-question found, else what the question was about."""
    last = context.question
    about = subject(last)
    asked = _ASKED_KIND.search(last)
    starts = re.match(r"哪|which\b|what\b", last, re.IGNORECASE)
    if asked and (starts or not about):
        noun = asked["zh"] or asked["n"] or asked["en"] or ""
        found = _ending_with(noun, context.answer, last) if noun else ""
        if found:
            return found
        if asked["en"] and starts and not VERB_EN.match(last[asked.end() :].strip() + " "):
            first = [m for m in mentions(context.answer[:60]) if m.kind in ("name", "title")]
            if first:
                return first[0].span.of(context.answer)
    return about or _longest_name(last)


def _longest_name(text: str) -> str:
    names = [m.span.of(text) for m in mentions(text) if m.kind in ("title", "name", "place")]
    return max(names, key=len, default="")


def _that_ends(noun: str, context: Context, *, whole: bool = False) -> str:
    """The name that ends with a noun, in the last question or its answer: 新区 → 高竹新区."""
    asked = _ASKED_KIND.search(context.question)
    known = context.question
    if asked:  # what was asked for is named in the answer
        known = known[: asked.start()] + "？" + known[asked.end() :]
    for text in (known, context.answer):
        found = _ending_with(noun, text, "", whole=whole)
        if found:
            return found
    return ""


def _ending_with(noun: str, text: str, asked: str, *, whole: bool = False) -> str:
    """The first name in a text that ends with a noun, or with its first character (村子).

    Names that stand in the question that asked for it are passed over; `whole` takes the noun
    as it is alone.
    """
    if not HAN.search(noun):
        last = noun.split()[-1]
        for match in re.finditer(rf"\b(?:the )?((?:[\w’'-]+ )+){re.escape(last)}\b", text):
            words = match[1].split()
            while words and not words[0][0].isupper() and words[0] not in ("the",):
                words = words[1:]
            if words:
                return "the " * (words[0] != "the") + " ".join(words) + " " + last
        return ""
    for ending in (noun,) if whole else dict.fromkeys((noun, noun[-2:], noun[:1])):
        spans = [_NAME_BEFORE.search(text[: m.end()]) for m in re.finditer(re.escape(ending), text)]
        names = [s[0] for s in spans if s and len(s[0]) > len(ending) and not ASKS.search(s[0])]
        fresh = [n for n in names if n not in asked]
        if fresh:
            return fresh[0]
    return ""


def without_subject(text: str, context: Context) -> str | None:
    """什么时候开工的, 为什么, "why?": a question without a subject takes the last one's."""
    if is_chinese(text) or (HAN.search(text) and not is_chinese(context.question)):
        content = "".join(HAN.findall(_FILLER.sub("", text)))
        starts = _OWN_SUBJECT_LESS.match(text)
        if not starts or len(content) > CONTENT_LEFT or re.search(r"[A-Za-z《“]", text):
            return None
        about = _antecedent(context)
        return f"{about}{text}" if about and about not in text else None
    words = text.split()
    if len(words) > 4 or VERB_EN.search(text) or not ASKS_EN.search(text):
        return None
    last = context.question.rstrip("？?。. ")
    return f"{last}? {text}" if words else None
