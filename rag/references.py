"""References to cited articles: 第二篇的作者是谁, 谁写的, "who wrote it"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.mentions import is_chinese
from rag.turns import Context, named
from rag.types import Article

PERSON_ZH = re.compile(r"他们|她们|他們|她們|他|她")
_NUMERAL = {c: i for i, c in enumerate("一二三四五六七八九十", start=1)} | {
    w: i for i, w in enumerate("first second third fourth fifth".split(), start=1)
}  # fmt: skip
_THE_ARTICLE = re.compile(
    r"(?:第(?P<zh>[一二三四五六七八九十\d])|最后一|最後一|前一|后一|後一|这|這|那|该|該|此|上面?那?|刚才那?)[一]?(?:篇|则|則|条新闻|條新聞|份报道)"
    r"(?:文章|报道|報道|新闻|新聞|稿子)?"
    r"|[这這那该該此](?:个|個|条|條)?(?:文章|报道|報道|新闻|新聞|文(?![件化字]))"
    r"|\bthe (?P<en>first|second|third|fourth|fifth|last) (?:article|piece|story|report|one)\b"
    r"|\b(?:this|that|the) (?:article|piece|story|report)(?! on| about| that| which|’s|'s)\b",
    re.IGNORECASE,
)
_ABOUT_HEAD = re.compile(
    r"^(?:文章|报道|報道|文章的|它的|他的|其)?(?:作者|记者|記者|标题|標題|题目|題目|署名|刊登|发表|發表|见报|登报|出处|出處)"
    r"|^(?:它|这|這)?是?(?:由)?[谁誰](?:写|寫|撰|执笔|报道)|^(?:它)?(?:是)?(?:什么时候|何时|哪天|哪一天|几号)(?:发表|刊登|见报|登)"
    r"|^(?:登|刊|发表|發表)(?:在|于|於)|^写(?:它|这个)的"
    r"|\bwho (?:wrote|authored|penned|published|is the author|are the authors)"
    r"(?: (?:it|this|that|them))?$"
    r"|\bwho (?:is|are|was|were) (?:its|their|the) (?:authors?|writers?|reporters?)\b"
    r"|\b(?:when|where) was (?:it|this|that) (?:published|printed)\b"
    r"|\b(?:which|what) (?:newspaper|paper|magazine)\b.{0,12}\b(?:it|this|that)\b"
    r"|^what(?:'s| is) (?:its|the) title$",
    re.IGNORECASE,
)
_PEOPLE_WORK = re.compile(
    r"(?:他们|她们|他們|她們|他|她|两位|兩位|作者).{0,6}(?:工作|单位|單位|供职|任职|来自|來自|就职)"
    r"|\b(?:where|which \w+) (?:do|does|are|is) (?:they|he|she|the authors?)\b"
    r".{0,12}\b(?:work|from|based|employ)",
    re.IGNORECASE,
)
AUTHORSHIP = re.compile(
    r"作者|谁写|誰寫|记者|執筆|执笔|\bwr(?:ote|itten)\b|\bauthor|\breporter", re.IGNORECASE
)


def about_article(text: str, context: Context) -> str | None:
    """第二篇的作者是谁, 谁写的, "who wrote it": the cited article takes the reference's place."""
    reference = _THE_ARTICLE.search(text)
    head = _ABOUT_HEAD.search(text)
    people = _PEOPLE_WORK.search(text)
    if not (reference or head or people):
        return None
    cited = context.cited()
    if not cited:
        return None
    chinese = is_chinese(text)
    if reference is None:
        if "《" in text or (not head and not AUTHORSHIP.search(context.question)):
            return None
        several = len(cited) > 1 and AUTHORSHIP.search(context.question) is None and (
            re.search(r"分别|他们|它们|\bthe(?:y|m|ir)\b", text) is not None
        )  # fmt: skip
        chosen = cited if several else cited[:1]
        earlier = re.findall(r"《[^《》]+》|the article “[^”]+”", context.question)
        name = earlier[0] if people and earlier else _joined(chosen, chinese)
        return _with_name(text, name, chinese)
    ordinal = reference["zh"] or (reference["en"] or "").lower()
    place = 1 if not ordinal else len(cited) if ordinal == "last" else _ordinal(ordinal)
    if reference[0].startswith(("最后", "最後", "后", "後")):
        place = len(cited)
    if place > len(cited):
        return None
    name = named(cited[place - 1], chinese=chinese)
    rest = text[: reference.start()] + name + text[reference.end() :]
    if re.fullmatch(r"的?(?:呢|\?)?", text[: reference.start()] + text[reference.end() :].strip()):
        return _same_question_about(name, context)
    return rest


def _same_question_about(name: str, context: Context) -> str:
    """第一篇呢 after a question about the second: the titles change places."""
    swapped = re.sub(r"《[^《》]+》|the article “[^”]+”", lambda _: name, context.question, count=1)
    return swapped if swapped != context.question else f"{name} {context.question}"


def _ordinal(written: str) -> int:
    return int(written) if written.isdigit() else _NUMERAL.get(written, 99)


def _joined(cited: Sequence[Article], chinese: bool) -> str:
    return ("和" if chinese else " and ").join(named(a, chinese=chinese) for a in cited)


def _with_name(text: str, name: str, chinese: bool) -> str:
    """A question about the head of an article that it does not name, with the name."""
    if chinese:
        rest = re.sub(r"^(?:文章|报道|報道|它|其|这|這)的?", "", text)
        rest = PERSON_ZH.sub("作者", rest)
        link = "" if re.match(r"是|刊|登|发表|發表|由", rest) else "的"
        if re.match(r"[谁誰]|什么时候|何时|哪", rest):
            link = "是"
        return f"{name}{link}{rest}" + ("的" if re.search(r"[谁誰]写$", rest) else "")
    author = re.search(r"\b(?:its|their|the) (authors?|writers?|reporters?|title)\b", text, re.I)
    if author:
        return text.replace(author[0], f"the {author[1]} of {name}")
    if re.search(r"\b(?:they|he|she|the authors?)\b", text, re.IGNORECASE):
        who = f"the authors of {name}"
        return re.sub(r"\b(?:they|he|she|the authors?)\b", who, text, count=1, flags=re.IGNORECASE)
    replaced, count = re.subn(r"\b(?:it|this|that|them)\b", name, text, count=1, flags=re.I)
    return replaced if count else f"{text} {name}"
