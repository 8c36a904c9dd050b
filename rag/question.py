"""What a question asks for: the kind of answer, and what must stand where the answer is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rag.asked_heads import COUNT, EN_COUNT, Head, head_asked
from rag.numerals import numbers

ASKS_DAY = re.compile(r"哪一?天|哪日|几号|几月几|\bwh(?:at|ich) (?:day|date)\b")
"""What a question for a time has in it that asks for a day."""

LASTING, LONG = "时间", "长短"
"""The units of a question for how long something takes, and for a length, of time or in space."""


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
class Analysis:
    """A question taken apart. Texts are folded (width, case, simplified characters).

    Attributes:
        text: the question as asked, not folded.
        folded: the whole question.
        core: the question without its question words; never empty unless `folded` is.
        language: "zh" or "en".
        wanted: the kind of answer.
        count: how many items are asked for ("哪四大", "which five"), or None.
        unit: the measure or noun that an asked number must carry ("家", "元", "%"), `LASTING` for
            a length of time, `LONG` for one of either kind, or "".
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


_PERSON = re.compile(
    r"谁|哪(?:一|两|几|二|三)?[位名](?!单位)|何人|什么人|哪个人|哪些人"
    r"|(?:主任|书记|[局市县区镇省部院校会队董事总行]长|经理|总裁|教练|导演|主席|总理|总统|设计师|工程师"
    r"|建筑师|负责人|发言人|创始人|教授|院士|冠军)(?:的名字)?(?:叫|是)?(?:什么(?:名字)?|姓什么)[?？]?$"
    r"|\bwho(?:m|se)?\b|\bwhich (?:person|official|leader|author|scientist|player|president|king"
    r"|architect|engineer|mayor|minister|director|artist|singer|general|writer|politician|doctor"
    r"|professor|actor|actress|emperor|queen|philosopher|designer|founder)\b"
)
_TIME = re.compile(
    r"哪一?年|何时|什么时[候间]|啥时候?|何年|几月|几号|几点|哪一?[天日]|哪个?(?:月|世纪|年代|时期"
    r"|年份|日期)"
    r"|(?:年份|日期|时间)(?:是|为)?(?:什么|何|哪)"
    # Where it only joins clauses ("what happens when …") no time is asked for.
    r"|^when\b(?!.*,)|\bwhen (?:did|do|does|was|were|is|are|will|would|has|have|had|can|could"
    r"|should|must|may|might|shall)\b|\b(?:know|tell me|say|and|since|until|by) when\b"
    r"|\b(?:what|which) (?:\w+ )?(?:year|date|day|month|century|decade|time)\b"
)
_PLACE = re.compile(
    r"哪[里儿]|何[处地]|什么地[方点]|哪座?个?(?:城市|地方|国家|省份?|市|区|县|镇|村|州|地区|国"
    r"|大洲|座城)"
    r"|在哪(?!一|个|些|几|种|方面)|位于|\bwhere\b"
    r"|\b(?:what|which) (?:\w+ )?(?:city|country|place|province|town|state|county|district"
    r"|location|region)\b"
)
_NUMBER = re.compile(
    r"多少|(?<!哪)几(?=[个家项年次条种所座位名人天月倍成层座类件篇台万亿岁届级米公])"
    r"|多[大高长远久重深宽快]|百分之几|(?:比例|占比|比重|利率|增速|增长率|面积|人口|数量|总数"
    r"|金额|gdp|产值|总额)"
    r"(?:是|为|达到?|有)?(?:什么|何)?[？?]?$"
    r"|\bhow (?:many|much|long|far|old|large|big|tall|high|deep|often|fast)\b"
    r"|\bwhat (?:did|does|do|will|would|has|have)\b.{1,60}\bcost\b"
    r"|\bwhat (?:\w+ ){0,2}(?:percentage|percent|proportion|number|rate|share|amount|population"
    r"|area|size|ratio|salary|wage|fine|price|cost|fee|margin|budget|speed|height|length|depth"
    r"|distance|temperature|weight)\b"
)
_LIST = re.compile(
    rf"哪{COUNT}|哪些|有啥|都有(?:谁|什么|哪)|包括(?:什么|哪)|分别|各[指是为]|(?:指|是)的?哪"
    rf"|\b(?:which|what)(?: \w+)? {EN_COUNT}\b|\bwhat are\b|\bname the\b|\blist\b"
    r"|\bwhich (?:\w+ ){0,3}\w+s (?:should|are|were|do|does|did|have|will|must|can)\b"
)
_REASON = re.compile(
    r"(?<!界定)(?<!定义)(?<![称作视看叫解释])为什么|为何|为啥|原因|缘何|怎么会|因何|凭什么"
    r"|\bwhy\b|\breasons?\b|\bhow come\b"
)
_MANNER = re.compile(r"怎样|怎么|如何|咋|靠什么|通过什么|\bhow\b")
_DEFINITION = re.compile(
    r"什么叫|何谓|何为|是什么意思|(?:界定|定义|称|视|解释|看|比)(?:为|作|成)(?:什么|啥)|定义"
    r"|指的?是什么|是指什么|什么是|属于什么"
    r"|解释|\bdefin|\bmean(?:s|t)?\b|\bamounts? to\b|\bwhat (?:is|are|role|does)\b"
)

_ASKING = re.compile(
    r"请问|请告诉我|告诉我|你知道|知道|想问(?:一下)?|到底|究竟|具体|分别|主要|是不是|"
    rf"哪{COUNT}?(?:个|项|家|种|类|条|位|名|座|所|张|样|方面|大|些|里|儿|年|天|一)?|什么(?:样"
    rf"|时候|时间|地方|叫)?|"
    r"多少|谁|怎么样?|怎样|如何|为什么|为何|为啥|何时|何地|何处|何谓|啥|咋|[吗呢呀啊吧]"
    r"|[?？。,，、：:；;]|"
    r"\b(?:what|which|who|whom|whose|when|where|why|how|many|much|is|are|was|were|do|does|did|the"
    r"|an?|of|to|in|on|for|by|"
    r"be|been|has|have|had|will|would|should|can|could|and|or|it|its|that|this|which|with|at|from"
    r"|as|their|there)\b"
)
_QUOTE = re.compile(
    r"《([^《》]{1,60})》|“([^“”]{1,60})”|\"([^\"]{1,60})\"|「([^「」]{1,60})」"
    r"|『([^『』]{1,60})』|‘([^‘’]{2,60})’|(?<!\w)'([^']{2,60})'(?!\w)"
)
_LATIN = re.compile(
    r"(?<![a-z0-9])[a-z][a-z0-9]*(?:[+&./-][a-z0-9]+)*\+?|(?<!\d)\d+(?:[a-z][a-z0-9]*|(?:\+[a-z0-9]+)+)"
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_UNIT_ASKED = re.compile(r"(?:多少|几(?:多)?)\s*[万亿]*(?!的)([\u4e00-\u9fff]{1,4})?")
_MONEY = re.compile(
    r"多少钱|多少[亿万]?(?:元|资金|美元|经费|投资)"
    # 多少补偿款, but not 多少款新车, 多少新款, 多少条款 and 多少消费者.
    r"|多少[\u4e00-\u9fff]{0,2}(?:[偿赔罚拨捐贷货借欠汇存退房]款|[\u4e00-\u9fff]费|薪|工资|租金|奖金|押金"
    r"|补贴|补助|津贴|税)(?![\u4e00-\u9fff])|(?:投资|资金|经费|预算|造价|成本|收入"
    r"|费用|金额|总额|价|票|款|费|薪|工资|产值|生产总值|gdp|利润)(?:是|为|有|达到?|了|总额)*多少"
    r"|how much (?:money|funding|investment)|\b(?:cost|budget|invest\w*|salary|wages?|price|fine"
    r"|fee)\b"
)
_RATE = re.compile(
    r"百分之几|百分比|比例|占比|比重|利率|增速|增长率|percentage|percent\b|proportion"
    r"|率(?:是|为|有|达到?|了)*多少|interest rate|growth rate|\bmargin\b|\bwhat share\b"
)
_PEOPLE = re.compile(r"(?:人口|人数|客流量?|吞吐量)(?:是|为|有|达到?|了)*多少")
_LASTING = re.compile(r"多久|多长时间|\bhow long (?!(?:is|are|was|were)\b)")
_LONG = re.compile(r"多长(?!时间)|\bhow long\b")


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
    head = head_asked(folded)
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
    r"|(?P<after>\d{1,2}|[二两三四五六七八九十]{1,3})(?:大|个|种|项|家|类|条|样|方面|座"
    r"|所)[\u4e00-\u9fff]{0,10}?"
    r"(?:都?有(?:谁|什么|哪)|分别(?:是|指|为)|各[指是为]|是哪|是什么)"
    rf"|\b(?:which|what)(?: are)?(?: the)?(?: \w+)? (?P<en>{EN_COUNT})\b"
    rf"|\bname the (?P<name>{EN_COUNT})\b"
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
    if _LASTING.search(folded):
        return LASTING
    if _LONG.search(folded):
        return LONG
    match = _UNIT_ASKED.search(folded)
    if match and match[1]:
        return match[1][:2]
    return "人" if _PEOPLE.search(folded) else ""


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
