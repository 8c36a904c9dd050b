"""Whether a question asks about articles themselves: who wrote them, when they appeared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.numerals import numbers

COUNT = r"(?:\d{1,2}|[二两三四五六七八九十]{1,3}|几)"
EN_COUNT = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
"""A small count, in Chinese and in English."""

_WHO_WROTE = re.compile(
    r"谁.{0,3}(?:写|撰|著(?!名)|执笔|署名)|(?:写|撰|著|执笔|署名)的?(?:人|作者)?(?:是|都?有)?(?:谁|哪)"
    r"|出自(?:谁|哪[一几些两]?(?:位|名|个?人))|谁的(?:文章|稿子?|手笔|笔下|作品)|谁(?:是|当|任).{0,12}作者"
    r"|作者(?:们|都|又|分别|各自?|究竟|到底)*(?:是|有|为|叫)?(?:什么名字|谁|哪|何人|姓名)"
    r"|(?:记者|通讯员|撰稿人|执笔者)(?:们|都|分别)*(?:的名字)?(?:是|有|叫)?(?:谁|哪|什么)"
    r"|署(?:的|了)?(?:是|上)?谁的名|[由是]?谁(?:采写|报道)"
    r"|\bwho (?:is|are|was|were) the (?:\w+ )?(?:reporters?|journalists?)\b"
    r"|\b(?:which|what) (?:\w+ )?(?:reporters?|journalists?) (?:wrote|write)"
    r"|哪(?:些|几|一|两|二)?[位个名]?作者|作者\s*$|作者[?？]|\bwho (?:\w+ )?(?:wrote|write"
    r"|authored|penned|signed)"
    r"|\bwho (?:is|are|was|were) the (?:\w+ )?(?:authors?|writers?)\b|\b(?:written|authored"
    r"|penned) by wh"
    r"|\b(?:whose|which authors?|what authors?)\b.{0,40}\b(?:article|piece|author|wr[io]te?)"
    r"|\bname (?:of )?the (?:\w+ )?(?:authors?|writers?)\b|\bauthors?\??$"
    r"|\b(?:articles?|pieces?|reports?|stories|story|written|authored|penned)\b.{0,60}\bby whom\b"
    r"|\bby whom\b.{0,60}\b(?:articles?|pieces?|written|authored|penned)\b"
)
_WHO_SAID = re.compile(
    r"谁(?:所|先|最先|最早)?(?:说|讲|提出|提|喊)|谁的(?:话|观点|看法|主张|说法|原话)"
    r"|\bwho (?:\w+ )?(?:said|says|argued?|argues|called|coined|claims?|claimed)\b|\bwhose words\b"
)
_WHERE_WORK = re.compile(
    r"作者单位|(?:作者|写|他们?|她们?|撰).{0,10}(?:来自|供职|任职|工作|所在|隶属|就职|单位"
    r"|哪个?(?:单位|机构|学校|大学|院校))"
    r"|哪(?:些|几|家|个|所|两|一)?(?:所|个|家)?(?:单位|高校|院校|大学|学校|机构).{0,6}(?:的?作者"
    r"|写|的人|供职|任职)"
    r"|\b(?:institutions?|universit(?:y|ies)|colleges?|organi[sz]ations?|employers?"
    r"|affiliat\w+)\b.{0,40}"
    r"\b(?:authors?|writers?|affiliat\w+)\b"
    r"|\b(?:authors?|writers?)\b.{0,60}\b(?:from|work|affiliat\w+|institutions?|based"
    r"|employ\w+)\b.{0,20}$"
    r"|\bwhere (?:do|does|did) (?:the |its )?(?:\w+ )?(?:authors?|writers?|they|he"
    r"|she)\b.{0,10}\bwork"
    r"|\baffiliat\w+ (?:of|do|does|are|is)\b"
)
_PUBLISHED = re.compile(
    r"(?:文章|报道|稿件?|这篇|那篇|一文|专题).{0,12}(?:哪一?[天年日]|何时|什么时候|几月"
    r"|几号).{0,6}(?:发表|刊[登发出]|见报|登|发的|出版)?"
    r"|(?:哪一?[天年日]|何时|什么时候|几月几号|时间).{0,3}(?:发表|刊[登发出]|见报|登报)|(?:发表"
    r"|刊[登发]|见报)(?:于|在)?(?:的?(?:日期|时间)|哪一?[天年日]|何时|什么时候)"
    r"|\bwhen (?:was|were|did).{0,80}\b(?:published?|printed|appear(?:ed)?)\b"
    r"|\b(?:date|day) .{0,60}\b(?:article|published|piece)\b"
)
_SOURCE = re.compile(
    r"哪(?:家|份|张|个|一家|一份)(?:报纸?|媒体|刊物|报社|日报|杂志)|什么报纸?|(?:刊[登发]|发表|登"
    r"|见报|刊载)(?:于|在|自)?(?:哪(?!一?[天年日月])|什么报|何处)"
    r"|\b(?:which|what) (?:newspaper|paper|magazine|publication|outlet|medium|media)\b"
)
_TITLE = re.compile(
    r"哪(?:些|几|一|两|二|三|四|五)?篇|(?:标题|题目|篇名)(?:是|叫|为)?(?:什么|啥)|(?:什么"
    r"|啥)(?:标题|题目)|谁的文章|哪些文章"
    r"|\b(?:which|what) (?:\w+ )?(?:articles?|pieces?|stor(?:y|ies)|reports?)\b"
    r"|\btitle of the (?:article|piece)\b"
)
_SEVERAL = re.compile(
    r"哪(?:些|几|两|二|三|四|五)篇|哪些(?:文章|作者)|还(?:在|有)(?:谁|哪)|都(?:谈|提|说|讲|写)"
    r"|分别|各自|\b(?:which|what) (?:\w+ )?"
    r"(?:articles|pieces|stories|reports)\b|\bboth\b|\beach\b"
)
_ARTICLES = re.compile(
    rf"({COUNT})篇|\b({EN_COUNT}) (?:\w+ )?(?:articles|pieces|stories|authors)\b"
)
_IN_HEAD_WORDS = re.compile(
    r"(?:出现在|载于)|(?:哪(?:些|几|一|两|二|三)?篇)?(?:的)?文章(?:里|中|内)?|(?:这|那"
    r"|该)(?:一)?篇|作者们?|记者|通讯员|撰写|撰文|写的|谁写|执笔"
    r"|这句话|是谁说的|谁说的?|原话|主张|观点|说法|提出|单位|哪里工作|在哪工作|工作|供职|任职|来自|(?:标题|题目)"
    r"|\b(?:the|an?|that|which|what|who|wrote|written|by|article|articles|piece|authors?|writers?|reporters?|journalists?|behind"
    r"|whose|from|come|comes|"
    r"institutions?|work|works|two|three|both|did|does|do|talks?|about|proposes?|says|saying|and"
    r"|them|they|where|is|are|was|were|of)\b"
)
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Head:
    """What a question asks about articles themselves rather than about what they say.

    Attributes:
        authors, affiliations, published, source, title: which of these are asked.
        several: more than one article may be meant ("哪几篇", "还在谁的文章里", "which articles").
        count: how many articles are asked for, or None.
    """

    authors: bool = False
    affiliations: bool = False
    published: bool = False
    source: bool = False
    title: bool = False
    several: bool = False
    count: int | None = None


def head_asked(folded: str) -> Head | None:
    """What a folded question asks about articles, or None where it asks what they say."""
    authors, work = bool(_WHO_WROTE.search(folded)), bool(_WHERE_WORK.search(folded))
    published, source = bool(_PUBLISHED.search(folded)), bool(_SOURCE.search(folded))
    title = bool(_TITLE.search(folded))
    if not (authors or work or published or source or title):
        return None
    match = _ARTICLES.search(folded)
    count = None
    if match is not None:
        found = numbers(match[1] or match[2])
        count = int(found[0].value) if found and found[0].value >= 2 else None
    several = bool(_SEVERAL.search(folded))
    return Head(authors, work, published, source, title, several, count if several else None)


def asks_who_said(folded: str) -> bool:
    """Whether it is asked whose words something is: 这句话是谁说的, "who said"."""
    return bool(_WHO_SAID.search(folded))


def about(core: str) -> str:
    """What an attribution question is about.

    Args:
        core: the question without its question words (`Analysis.core`).

    Returns:
        The core without the words that ask for authors, institutions, dates and titles; the whole
        core where nothing else is left.
    """
    rest = " ".join(_IN_HEAD_WORDS.sub(" ", core).split())
    return rest if len(_HAN.findall(rest)) >= 2 or len(rest.split()) >= 2 else core
