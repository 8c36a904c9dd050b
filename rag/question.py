"""What a question asks for: the kind of answer, and what must stand where the answer is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rag.numerals import numbers


class Wanted(StrEnum):
    """The kind of answer that a question asks for."""

    PERSON = "person"
    TIME = "time"
    PLACE = "place"
    NUMBER = "number"
    LIST = "list"
    REASON = "reason"
    MANNER = "manner"
    DEFINITION = "definition"
    THING = "thing"


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


@dataclass(frozen=True, slots=True)
class Analysis:
    """A question taken apart. Texts are folded (width, case, simplified characters).

    Attributes:
        text: the question as asked, not folded.
        folded: the whole question.
        core: the question without its question words; never empty unless `folded` is.
        language: "zh" or "en".
        wanted: the kind of answer.
        count: how many items are asked for ("哪四大", "which five"), or None.
        unit: the measure or noun that an asked number must carry ("家", "元", "%"), or "".
        asserted: numbers that the question itself states, with their unit ("2027" "年").
        quoted: what stands in quotation or title marks.
        latin: names in Latin letters in a Chinese question, numbers with letters (5G) too.
        head: what is asked about articles themselves, or None.
    """

    text: str
    folded: str
    core: str
    language: str
    wanted: Wanted
    count: int | None
    unit: str
    asserted: tuple[tuple[float, str], ...]
    quoted: tuple[str, ...]
    latin: tuple[str, ...]
    head: Head | None


_COUNT = r"(?:\d{1,2}|[二两三四五六七八九十]{1,3}|几)"
_EN_COUNT = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"

_PERSON = re.compile(
    r"谁|哪(?:一|两|几|二|三)?[位名](?!单位)|何人|什么人|哪个人|哪些人"
    r"|\bwho(?:m|se)?\b|\bwhich (?:person|official|leader|author|scientist|player|president|king)"
)
_TIME = re.compile(
    r"哪一?年|何时|什么时[候间]|啥时候?|何年|几月|几号|几点|哪一?[天日]|哪个?(?:月|世纪|年代|时期|年份|日期)"
    r"|(?:年份|日期|时间)(?:是|为)?(?:什么|何|哪)|\bwhen\b"
    r"|\b(?:what|which) (?:\w+ )?(?:year|date|day|month|century|decade|time)\b"
)
_PLACE = re.compile(
    r"哪[里儿]|何[处地]|什么地[方点]|哪座?个?(?:城市|地方|国家|省份?|市|区|县|镇|村|州|地区|国|大洲|座城)"
    r"|在哪(?!一|个|些|几|种|方面)|位于|\bwhere\b"
    r"|\b(?:what|which) (?:\w+ )?(?:city|country|place|province|town|state|county|district|location|region)\b"
)
_NUMBER = re.compile(
    r"多少|(?<!哪)几(?=[个家项年次条种所座位名人天月倍成层座类件篇台万亿岁届级米公])"
    r"|多[大高长远久重深宽快]|百分之几|(?:比例|占比|比重|利率|增速|增长率|面积|人口|数量|总数|金额|gdp|产值|总额)"
    r"(?:是|为|达到?|有)?(?:什么|何)?[？?]?$"
    r"|\bhow (?:many|much|long|far|old|large|big|tall|high|deep|often|fast)\b"
    r"|\bwhat (?:\w+ ){0,2}(?:percentage|percent|proportion|number|rate|share|amount|population|area|size|ratio)\b"
)
_LIST = re.compile(
    rf"哪{_COUNT}|哪些|有啥|都有(?:谁|什么|哪)|包括(?:什么|哪)|分别|各[指是为]|(?:指|是)的?哪"
    rf"|\b(?:which|what)(?: \w+)? {_EN_COUNT}\b|\bwhat are\b|\bname the\b|\blist\b"
    r"|\bwhich (?:\w+ ){0,3}\w+s (?:should|are|were|do|does|did|have|will|must|can)\b"
)
_REASON = re.compile(
    r"(?<!界定)(?<!定义)(?<![称作视看叫解释])为什么|为何|为啥|原因|缘何|怎么会|因何|凭什么|\bwhy\b|\breasons?\b|\bhow come\b"
)
_MANNER = re.compile(r"怎样|怎么|如何|咋|靠什么|通过什么|\bhow\b")
_DEFINITION = re.compile(
    r"什么叫|何谓|何为|是什么意思|(?:界定|定义|称|视|解释|看|比)(?:为|作|成)(?:什么|啥)|定义|指的?是什么|是指什么|什么是|属于什么"
    r"|解释|\bdefin|\bmean(?:s|t)?\b|\bamounts? to\b|\bwhat (?:is|are|role|does)\b"
)

_WHO_WROTE = re.compile(
    r"谁.{0,3}(?:写|撰|著|执笔|署名)|(?:写|撰|著|执笔|署名)的?(?:人|作者)?(?:是|都?有)?(?:谁|哪)"
    r"|出自(?:谁|哪)|谁的(?:文章|稿子?|手笔|笔下|作品)|谁(?:是|当|任).{0,12}作者"
    r"|作者(?:们|都|又|分别|各自?|究竟|到底)*(?:是|有|为|叫)?(?:什么名字|谁|哪|何人|姓名)"
    r"|哪(?:些|几|一|两|二)?[位个名]?作者|作者\s*$|作者[?？]|\bwho (?:\w+ )?(?:wrote|write|authored|penned|signed)"
    r"|\bwho (?:is|are|was|were) the (?:\w+ )?(?:authors?|writers?)\b|\b(?:written|authored|penned) by wh"
    r"|\b(?:whose|which authors?|what authors?)\b.{0,40}\b(?:article|piece|author|wr[io]te?)"
    r"|\bname (?:of )?the (?:\w+ )?(?:authors?|writers?)\b|\bauthors?\??$|\bby whom\b"
)
_WHERE_WORK = re.compile(
    r"作者单位|(?:作者|写|他们?|她们?|撰).{0,10}(?:来自|供职|任职|工作|所在|隶属|就职|单位|哪个?(?:单位|机构|学校|大学|院校))"
    r"|哪(?:些|几|家|个|所|两|一)?(?:所|个|家)?(?:单位|高校|院校|大学|学校|机构).{0,6}(?:的?作者|写|的人|供职|任职)"
    r"|\b(?:institutions?|universit(?:y|ies)|colleges?|organi[sz]ations?|employers?|affiliat\w+)\b.{0,40}"
    r"\b(?:authors?|writers?|affiliat\w+)\b"
    r"|\b(?:authors?|writers?)\b.{0,60}\b(?:from|work|affiliat\w+|institutions?|based|employ\w+)\b.{0,20}$"
    r"|\bwhere (?:do|does|did) (?:the |its )?(?:\w+ )?(?:authors?|writers?|they|he|she)\b.{0,10}\bwork"
    r"|\baffiliat\w+ (?:of|do|does|are|is)\b"
)
_PUBLISHED = re.compile(
    r"(?:文章|报道|稿件?|这篇|那篇|一文|专题).{0,12}(?:哪一?[天年日]|何时|什么时候|几月|几号).{0,6}(?:发表|刊[登发出]|见报|登|发的|出版)?"
    r"|(?:哪一?[天年日]|何时|什么时候|几月几号|时间).{0,3}(?:发表|刊[登发出]|见报|登报)|(?:发表|刊[登发]|见报)(?:于|在)?(?:的?(?:日期|时间)|哪一?[天年日]|何时|什么时候)"
    r"|\bwhen (?:was|were|did).{0,80}\b(?:published?|printed|appear(?:ed)?)\b"
    r"|\b(?:date|day) .{0,60}\b(?:article|published|piece)\b"
)
_SOURCE = re.compile(
    r"哪(?:家|份|张|个|一家|一份)(?:报纸?|媒体|刊物|报社|日报|杂志)|什么报纸?|(?:刊[登发]|发表|登|见报|刊载)(?:于|在|自)?(?:哪(?!一?[天年日月])|什么报|何处)"
    r"|\b(?:which|what) (?:newspaper|paper|magazine|publication|outlet|medium|media)\b"
)
_TITLE = re.compile(
    r"哪(?:些|几|一|两|二|三|四|五)?篇|(?:标题|题目|篇名)(?:是|叫|为)?(?:什么|啥)|(?:什么|啥)(?:标题|题目)|谁的文章|哪些文章"
    r"|\b(?:which|what) (?:\w+ )?(?:articles?|pieces?|stor(?:y|ies)|reports?)\b|\btitle of the (?:article|piece)\b"
)
_SEVERAL = re.compile(
    r"哪(?:些|几|两|二|三|四|五)篇|哪些(?:文章|作者)|还(?:在|有)(?:谁|哪)|都(?:谈|提|说|讲|写)|分别|各自|\b(?:which|what) (?:\w+ )?"
    r"(?:articles|pieces|stories|reports)\b|\bboth\b|\beach\b"
)
_ARTICLES = re.compile(
    rf"({_COUNT})篇|\b({_EN_COUNT}) (?:\w+ )?(?:articles|pieces|stories|authors)\b"
)
_IN_HEAD_WORDS = re.compile(
    r"(?:出现在|载于)|(?:哪(?:些|几|一|两|二|三)?篇)?(?:的)?文章(?:里|中|内)?|(?:这|那|该)(?:一)?篇|作者们?|撰写|撰文|写的|谁写|执笔"
    r"|主张|观点|说法|提出|单位|哪里工作|在哪工作|工作|供职|任职|来自|(?:标题|题目)"
    r"|\b(?:the|an?|that|which|what|who|wrote|written|by|article|articles|piece|authors?|writers?|whose|from|come|comes|"
    r"institutions?|work|works|two|three|both|did|does|do|talks?|about|proposes?|says|saying|and|them|they|where|is|are|was|were|of)\b"
)

_ASKING = re.compile(
    r"请问|请告诉我|告诉我|你知道|知道|想问(?:一下)?|到底|究竟|具体|分别|主要|是不是|"
    rf"哪{_COUNT}?(?:个|项|家|种|类|条|位|名|座|所|张|样|方面|大|些|里|儿|年|天|一)?|什么(?:样|时候|时间|地方|叫)?|"
    r"多少|谁|怎么样?|怎样|如何|为什么|为何|为啥|何时|何地|何处|何谓|啥|咋|[吗呢呀啊吧]|[?？。,，、：:；;]|"
    r"\b(?:what|which|who|whom|whose|when|where|why|how|many|much|is|are|was|were|do|does|did|the|an?|of|to|in|on|for|by|"
    r"be|been|has|have|had|will|would|should|can|could|and|or|it|its|that|this|which|with|at|from|as|their|there)\b"
)
_QUOTE = re.compile(
    r"《([^《》]{1,60})》|“([^“”]{1,60})”|\"([^\"]{1,60})\"|「([^「」]{1,60})」|『([^『』]{1,60})』|‘([^‘’]{2,60})’|(?<!\w)'([^']{2,60})'(?!\w)"
)
_LATIN = re.compile(
    r"(?<![a-z0-9])[a-z][a-z0-9]*(?:[+&./-][a-z0-9]+)*\+?|\d+[a-z][a-z0-9]*|\d+(?:\+[a-z0-9]+)+"
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_UNIT_ASKED = re.compile(r"(?:多少|几(?:多)?)\s*([\u4e00-\u9fff]{1,4})?")
_MONEY = re.compile(
    r"多少钱|多少[亿万]?(?:元|资金|美元|经费|投资)|(?:投资|资金|经费|预算|造价|成本|收入|费用)(?:是|为|了|总额)*多少|how much (?:money|funding|investment)|\b(?:cost|budget|invest\w*)\b"
)
_RATE = re.compile(
    r"百分之几|百分比|比例|占比|比重|利率|增速|增长率|percentage|percent\b|proportion|interest rate|growth rate"
)


def analyse(text: str, fold: Callable[[str], str], language: str) -> Analysis:
    """Take a question apart.

    Args:
        text: the question as asked.
        fold: width, case and script folding (`index.tokens.fold`).
        language: "zh" or "en".

    Returns:
        What it asks for.
    """
    # Quotation marks survive some foldings and not others: read them before.
    quoted = tuple(fold(next(filter(None, m.groups()))).strip() for m in _QUOTE.finditer(text))
    folded = fold(text).strip()
    core = " ".join(_ASKING.sub(" ", folded).split())
    head = _head(folded)
    count = _count(folded)
    wanted = _wanted(folded, count)
    latin = tuple(dict.fromkeys(_LATIN.findall(folded))) if language == "zh" else ()
    return Analysis(
        text=text,
        folded=folded,
        core=core or folded,
        language=language,
        wanted=wanted,
        count=count,
        unit=_unit(folded) if wanted is Wanted.NUMBER else "",
        asserted=_asserted(folded),
        quoted=tuple(q for q in quoted if q),
        latin=latin,
        head=head,
    )


def about(analysis: Analysis) -> str:
    """What an attribution question is about: the question without the words that ask for authors,
    institutions, dates and titles; the whole core where nothing else is left.
    """
    rest = " ".join(_IN_HEAD_WORDS.sub(" ", analysis.core).split())
    return rest if len(_HAN.findall(rest)) >= 2 or len(rest.split()) >= 2 else analysis.core


def _wanted(folded: str, count: int | None) -> Wanted:
    ordered = [
        (Wanted.TIME, _TIME),
        (Wanted.REASON, _REASON),
        (Wanted.NUMBER, _NUMBER),
        (Wanted.LIST, _LIST),
        (Wanted.PERSON, _PERSON),
        (Wanted.PLACE, _PLACE),
        (Wanted.DEFINITION, _DEFINITION),
        (Wanted.MANNER, _MANNER),
    ]
    if count is not None and count > 1:
        return Wanted.LIST
    if not _HAN.search(folded):
        # English asks with its first question word: "How old was she when …" asks for no date.
        found = [(m.start(), i) for i, (_, p) in enumerate(ordered) if (m := p.search(folded))]
        return ordered[min(found)[1]][0] if found else Wanted.THING
    return next((kind for kind, pattern in ordered if pattern.search(folded)), Wanted.THING)


_ITEMS = re.compile(
    rf"哪[“「\"]?(?P<zh>\d{{1,2}}|[二两三四五六七八九十]{{1,3}})"
    r"|(?P<after>\d{1,2}|[二两三四五六七八九十]{1,3})(?:大|个|种|项|家|类|条|样|方面|座|所)[\u4e00-\u9fff]{0,10}?"
    r"(?:都?有(?:谁|什么|哪)|分别(?:是|指|为)|各[指是为]|是哪|是什么)"
    rf"|\b(?:which|what)(?: are)?(?: the)?(?: \w+)? (?P<en>{_EN_COUNT})\b|\bname the (?P<name>{_EN_COUNT})\b"
)


def _count(folded: str) -> int | None:
    match = _ITEMS.search(folded)
    if match is None:
        return None
    found = numbers(next(filter(None, match.groups())))
    value = int(found[0].value) if found else 0
    return value if 2 <= value <= 30 else None


def _unit(folded: str) -> str:
    if _MONEY.search(folded):
        return "元"
    if _RATE.search(folded):
        return "%"
    match = _UNIT_ASKED.search(folded)
    return (match[1] or "")[:2] if match else ""


def _asserted(folded: str) -> tuple[tuple[float, str], ...]:
    """Numbers that the question states: written in digits, or years and counts in words."""
    found: list[tuple[float, str]] = []
    for number in numbers(folded):
        before = folded[: number.span.start][-1:]
        inside_name = before.isalpha() and before.isascii()
        if inside_name or before == "哪":
            continue
        if number.written == "digits" or (number.written == "han" and len(number.span) >= 3):
            found.append((number.value, number.unit[:1]))
    return tuple(dict.fromkeys(found))


def _head(folded: str) -> Head | None:
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
