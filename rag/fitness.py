"""Whether a sentence can hold the kind of answer that a question asks for."""

from __future__ import annotations

import re

from rag.numerals import Number, numbers
from rag.question import LASTING, LONG, Analysis, Wanted

DATE = re.compile(
    r"\d{3,4}\s*年|\d{1,2}\s*月|\d{1,2}\s*[日号]|世纪|年代|[一二三四五六七八九〇]{4}年|[今去昨明前]年|[今昨前]天|"
    r"元年|\d年|时期|\b1\d{3}\b|\b20\d\d\b|"
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"century|\d{1,2}(?:st|nd|rd|th))\b"
)
_EXACT_DATE = re.compile(
    r"\d{4}\s*年|\d{1,2}\s*月\s*\d{1,2}|世纪|[一二三四五六七八九〇]{4}年|\b1\d{3}\b|\b20\d\d\b|century"
)
_PERSON = re.compile(
    r"·|书记|主任|教授|总统|先生|女士|院长|导演|将军|皇帝|国王|记者|创始人|主席|部长|市长|省长|总理|校长|博士|院士|作者|首相|公爵|演员|歌手|姓|"
    r"\b(?:mr|mrs|ms|dr|president|professor|king|queen|sir|chairman|minister)\b"
)
_PLACE = re.compile(r"位于|坐落|地处|[省市县区镇乡村州国岛街路湾]|\b(?:in|at|located)\b")
_REASON = re.compile(
    r"因为|由于|因此|因而|所以|原因|为了|以便|从而|导致|使得|致使|鉴于|出于|是因|之所以|因|"
    r"\b(?:because|since|due|therefore|reason|so that|in order|caused?)\b"
)
_MANNER = re.compile(
    r"通过|采用|利用|借助|依托|运用|以[^，。]{2,20}为|用|按照|加强|推动|推进|建立|"
    r"\b(?:by|through|using|via|with)\b"
)
_DEFINITION = re.compile(
    r"[是指即]|称[为作]|定义|意[为思]|\b(?:is|are|means?|refers?|called|known)\b"
)
_MARKS = re.compile(r"[“《\"「][^”》\"」]{1,40}[”》\"」]")
# Folded text has ASCII commas, colons and so on, but 。 and 、 as printed.
_CLAUSE = re.compile(r"[^，。；：！？,;:!?\n]+")
_PAIR = re.compile(r"[\u4e00-\u9fff]{2}[和与及][\u4e00-\u9fff]{2}")
_LONG_ITEM = 16
"""Characters that an item of a series has at most."""
_EN_SERIES = re.compile(r"(?:(?<![^.;:])|(?<=,)(?! ))(?:[^,.;:]+, )+(?:and|or) [^,.;:]+")
STEPS = re.compile(
    r"(?:^|[。；：，！？;:,!?\s])(?P<zh>[一二三四五六七八九十])(?:是|要|方面|个|则|靠|类|曰|抓)"
    r"|(?P<first>首先|其次|再次|最后|第[一二三四五六七八九十]|其[一二三四五六])|[（(](?P<digit>[一二三四五六七八九十\d]{1,2})[)）]"
    r"|(?:^|[。；;\s])(?P<dot>\d{1,2})[.、](?=\D)"
)
"""What opens one item of a list that runs over sentences: 一是, 首先, 第二, （三）, 4."""

_CURRENCY = re.compile(
    r"元|美元|欧元|港元|日元|英镑|\$|usd|yuan|rmb|dollar|euro|pound|yen|franc|rupee|crown|rouble|ruble|won\b"
)
_PERCENT = re.compile(r"%|％|百分|个百分点|成|percent|:\d|比\d|倍|半")


def series(folded: str) -> list[int]:
    """How many items each 、-series (or English comma series) of a sentence has, at least 2.

    A series ends at a comma, at 等, and where an item is too long to be one: 与企业、科研机构等合作
    开展技术研发、技术创新和社会服务 holds one of 2 and one of 3.
    """
    found: list[int] = []
    for clause in _CLAUSE.findall(folded):
        if "、" in clause:
            found += _runs(clause.split("、"))
        elif _PAIR.search(clause):
            found.append(2)
    for match in _EN_SERIES.finditer(folded):
        found.append(match.group().count(",") + 1 + (", and" not in match.group()))
    run = _stepped(folded)
    return [*found, run] if run > 1 else found


def _stepped(folded: str) -> int:
    """How many items a sentence counts out: 一是…，二是…，三是… has 3."""
    run = 0
    for match in STEPS.finditer(folded):
        sign = next(filter(None, match.groups()))
        if sign.lstrip("第其")[:1] in ("一二三四五六七八九十"[run : run + 1], str(run + 1)):
            run += 1
    return run


def _runs(pieces: list[str]) -> list[int]:
    """The lengths of the series in a clause that was cut at 、."""
    found: list[int] = []
    items = 1
    for i, piece in enumerate(pieces[1:], start=1):
        items += 1
        ends = i == len(pieces) - 1
        # After the series something else may go on in the same piece: "科研机构等合作开展技术研发".
        if not ends and not ("等" in piece or len(piece) > _LONG_ITEM):
            continue
        head = piece.split("等")[0]
        joined = re.search(r"和|与|以及|及", head)
        items += bool(joined and 0 < joined.start() <= _LONG_ITEM)
        found.append(items)
        items = 1
    return found


def fit(analysis: Analysis, folded: str) -> float:
    """How well a sentence can hold the answer asked for.

    Args:
        analysis: the question.
        folded: the sentence, folded.

    Returns:
        0 (cannot), .5 (may) or 1 (has just what is asked); higher is better.
    """
    wanted = analysis.wanted
    if wanted is Wanted.NUMBER:
        return number_fit(analysis, folded)
    if wanted is Wanted.LIST:
        return list_fit(analysis, folded)
    if wanted is Wanted.TIME:
        return 1.0 if _EXACT_DATE.search(folded) else 0.5 if DATE.search(folded) else 0.0
    if wanted is Wanted.DEFINITION:
        return definition_fit(analysis, folded)
    patterns = {
        Wanted.PERSON: _PERSON,
        Wanted.PLACE: _PLACE,
        Wanted.REASON: _REASON,
        Wanted.MANNER: _MANNER,
        Wanted.THING: _MARKS,
    }
    return 1.0 if patterns[wanted].search(folded) else 0.0


def definition_fit(analysis: Analysis, folded: str) -> float:
    """1 where the sentence opens with a word of the question and says what it is (X是…).

    .5 where it says so of something else, else 0.
    """
    if not _DEFINITION.search(folded):
        return 0.0
    opening = re.split(r"[是指即]|称为|\b(?:is|are|means?|refers?)\b", folded)[0][:24]
    lead = re.match(r"[\u4e00-\u9fff]{2}|[a-z]+", opening.lstrip("“‘「《(\"'"))
    return 1.0 if lead and lead[0] in analysis.folded else 0.5


def asked_numbers(analysis: Analysis, folded: str) -> list[Number]:
    """The numbers of a sentence that can answer a question for a number, in order.

    Of an English sentence those before the noun that is counted, where there are any: of 18
    kilometres and 21 stops the latter tell "how many stops".
    """
    stated = {value for value, _ in analysis.asserted}
    nouns = counted(analysis)
    ordinal = "第" in analysis.folded or "排名" in analysis.folded
    found = [
        n
        for n in numbers(folded)
        if n.value not in stated
        and _has_unit(analysis.unit, n, folded)
        and (ordinal or folded[: n.span.start][-1:] != "第")
    ]
    return [n for n in found if nouns & _behind(folded, n)] or found


def counted(analysis: Analysis) -> set[str]:
    """The words of what an English question counts ("how many new trains"), without plural s."""
    found = _HOW_MANY.search(analysis.folded)
    return {w.rstrip("s") for w in found[1].split() if w not in _AUXILIARY} if found else set()


def _behind(folded: str, number: Number) -> set[str]:
    """The first words behind a number, without a plural's s."""
    words = re.findall(r"[a-z]+", folded[number.span.end : number.span.end + 40])
    return {word.rstrip("s") for word in words[:4]}


def _has_unit(unit: str, number: Number, folded: str) -> bool:
    """Whether a number can be of the asked unit.

    That is money, a share, a length of time, a measure of the same kind, or the noun itself soon
    after it. A date is none of these.
    """
    before = folded[: number.span.start]
    after = _ROUND.sub("", folded[number.span.end : number.span.end + 12].lstrip())
    if unit == "元":
        spent = _SCALE.sub("", folded[number.span.end : number.span.end + 24].lstrip())
        return bool(_CURRENCY.search(after[:8]) or _CURRENCY.match(spent)) or before.endswith(
            ("$", "¥")
        )
    if unit == "%":
        return bool(_PERCENT.match(after)) or before.endswith(("分之", ":"))
    if unit in (LASTING, LONG):
        lasts = bool(_LENGTH.match(after)) and not _year(number, after)
        return lasts or (unit == LONG and bool(_EXTENT.match(after)))
    if unit[:1] not in ("年", "月", "日", "天", "号") and _dated(number, before, after):
        return False
    if number.written == "han" and (not number.unit or _A.match(folded, number.span.start)):
        return False
    if not unit:
        return number.written == "digits" or len(number.span) > 1 or after[:1] in _COUNTERS
    same = after[:1] == unit[0] or unit in after[:8]
    if unit[0] in _COUNTERS:
        # 多少座加氢站: 5座, 5个 and 5 加氢站 all tell; 5只 does not.
        noun = len(unit) > 1 and unit[1:] in after[:8]
        alike = after[:1] in _COUNTERS if unit[0] == "个" else after[:1] == "个" and unit[0] != "人"
        people = unit[0] in _PERSONS and after[:1] in _PERSONS
        bare = number.written == "digits" and not (after[:1].isalnum() or after[:1] in "+-")
        return same or noun or alike or people or bare
    if _MEASURE.match(unit):
        return same
    # 多少块试验田 asks for 三十二块: the first character is the measure, the next the noun's.
    return same or (number.written == "digits" and after[:1] in "人名个家所座")


def _year(number: Number, after: str) -> bool:
    return number.written == "digits" and len(number.span) == 4 and after.startswith("年")


def _dated(number: Number, before: str, after: str) -> bool:
    """Whether a number is a part of a date (2024年, 8月, 27日, "in 2024")."""
    if after.startswith(("月", "日", "号")) or _year(number, after):
        return True
    if re.match(r"世纪|年代", after):
        return True
    year = len(number.span) == 4 and 1000 <= number.value < 2100 and "," not in before[-1:]
    return year and bool(_BEFORE_YEAR.search(before)) and not after[:1].isalpha()


_A = re.compile(r"一(?=[个种次些定批系名条项位座])")
_ROUND = re.compile(r"^(?:[多余来][万亿千百]*|\s*[~—–至到-]\s*[\d.,]+)\s*")
_PERSONS = frozenset("人名位口")
_LENGTH = re.compile(
    r"年|个?多?月|天|日|周|个?星期|个?(?:多|半)?小时|分钟?|秒|(?:year|month|week|day|hour|minute|second)"
)
_AUXILIARY = frozenset(
    "has have had is are was were do does did will would can could of in there".split()
)
_HOW_MANY = re.compile(r"\bhow many ((?:\w+ )?\w+)")
_SCALE = re.compile(r"^(?:(?:hundred|thousand|million|billion|trillion) )+")
_EXTENT = re.compile(
    r"[公英海]?里|公[尺分]|千?米|厘米|毫米|英尺|英寸|尺|-?(?:km|kilomet|met(?:er|re)|mile|f[eo]+t\b|yards?\b|inch)|m\b"
)
_MEASURE = re.compile(
    r"公|平方|立方|米|厘|毫|吨|度|列|亩|小时|分钟|秒|斤|克|升|瓦|千|海里|英|元|美"
)
_BEFORE_YEAR = re.compile(
    r"\b(?:in|of|since|by|until|from|for|to|before|after|during|and|early|late|january|february"
    r"|march|april|may|june|july|august|september|october|november|december|\d{1,2},?) $"
)
_COUNTERS = frozenset("个家名位人口所座种类项条件只头匹张本部辆艘架台篇处次届岁级层倍户套栋")


def number_fit(analysis: Analysis, folded: str) -> float:
    """1 where a number carries the asked unit, .5 where there is another number, else 0."""
    if asked_numbers(analysis, folded):
        return 1.0
    digits = [n for n in numbers(folded) if n.written == "digits" or len(n.span) > 1]
    stated = {value for value, _ in analysis.asserted}
    return 0.5 if any(n.value not in stated for n in digits) else 0.0


def list_fit(analysis: Analysis, folded: str) -> float:
    """1 where a series has just the asked number of items, .5 for another series or step."""
    sizes = series(folded)
    if analysis.count is not None and analysis.count in sizes:
        return 1.0
    if analysis.count is None and any(size >= 3 for size in sizes):
        return 1.0
    return 0.5 if sizes or STEPS.search(folded) else 0.0
