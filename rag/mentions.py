"""What a question is about: the things it names, its subject, and the thing that another replaces.

Word classes are told by form alone (years, quotation marks, capitals, the last character of a
Chinese name), so that nothing here depends on what an archive holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.types import Span

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
HAN = re.compile(f"[{_HAN}]")

_PROVINCES = (
    "北京|上海|天津|重庆|重慶|四川|贵州|貴州|云南|雲南|广东|廣東|广西|廣西|湖南|湖北|河南|河北|山东|山東|山西|陕西|陝西"
    "|甘肃|甘肅|青海|宁夏|寧夏|新疆|西藏|内蒙古|內蒙古|辽宁|遼寧|吉林|黑龙江|黑龍江|江苏|江蘇|浙江|安徽|福建|江西|海南"
    "|香港|澳门|澳門|台湾|臺灣|成都|广州|廣州|深圳|武汉|武漢|杭州|南京|西安|贵阳|貴陽|昆明|南宁|南寧|长沙|長沙|郑州|鄭州"
    "|川渝|成渝|中国|中國|美国|美國|日本|德国|德國|法国|法國|英国|英國|俄罗斯|俄羅斯|韩国|韓國|印度|新加坡"
)
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("title", re.compile(r"《[^《》]+》|“[^“”]+”|「[^「」]+」|\"[^\"]+\"")),
    (
        "time",
        re.compile(
            r"(?:19|20)\d\d[年]?(?:\d{1,2}月)?(?:\d{1,2}[日号])?(?:底|末|初)?|[二一][〇零○九]\S{2}年"
            r"|\d{1,2}月(?:\d{1,2}[日号])?|去年|今年|前年|明年|上半年|下半年|(?:近|中|远|遠|首|一|二|三)期(?!间)"
            r"|\b(?:last|this|next) year\b|\b(?:January|February|March|April|May|June|July|August"
            r"|September|October|November|December)(?: \d{4})?\b"
        ),
    ),
    (
        "ordinal",
        re.compile(
            r"第[一二三四五六七八九十\d]+[^，。？?的\s]?"
            r"|\b(?:first|second|third|fourth|fifth|last)\b",
            re.IGNORECASE,
        ),
    ),
    ("line", re.compile(r"(?<!\d)\d+号[线線]|\b[Ll]ine \d+\b")),
    ("place", re.compile(rf"(?:{_PROVINCES})(?:省|市|自治区)?"
                         rf"(?![{_HAN}]{{0,60}}(?:铁路|高铁|话|菜))")),
    ("country", re.compile(r"\b(?:China|Japan|Germany|France|Russia|India|Korea|Singapore|Poland"
                           r"|Kazakhstan|Belarus|Italy|Spain|Britain|Brazil|Canada|Australia)\b")),
)  # fmt: skip
_EN_NAME = re.compile(
    r"(?<![A-Za-z0-9’'])[A-Z0-9][A-Za-zÀ-ɏ0-9’'–-]*"
    r"(?:(?: (?:of|the|and|for))* [A-Z0-9][A-Za-zÀ-ɏ0-9’'–-]*)*"
)
_EN_FIRST = re.compile(
    r"^(?:and|but|so|or|then|what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|in|on|at|by|under|"
    r"the|a|an|has|have|had|can|could|will|would|about|name|list|tell|to|for|from|it|its|they|their|he|she|there|any)$",
    re.IGNORECASE,
)

MEASURES = (
    "总面积|面积|面積|总长度|全长|全長|总长|长度|長度|工期|投资额|总投资|投资|投資|造价|总库容|库容|人口|产量|產量|产值|產值"
    "|高度|深度|埋深|宽度|最高时速|时速|速度|价格|價格|票价|数量|數量|总数|总量|比例|占比|规模|規模|成本|费用|費用|金额|营收"
    "|增速|增幅|发送量|吞吐量|客流量|容量|装机容量|海拔|时长|年龄|蓄水位|正常蓄水位|增长率|增長率|门票|門票|资金|資金|经费|收入|利润|GDP"
)
ASPECTS = (
    "原因|意义|意義|目的|作用|影响|影響|结果|結果|背景|特点|特點|优势|不足|难点|办法|辦法|措施|目标|目標|任务|任務|地点|地點|位置"
    "|时间|時間|日期|名字|名称|名稱|来历|由来|起点|终点|经验|教训|建议|标准|要求|用途|定位|范围|範圍|条件|流程|负责人|进展"
)
_ASKS = (
    "多少|几(?!乎|何)|幾|谁|誰|什么|什麼|甚麼|啥|哪|何时|何時|何地|为何|為何|如何|怎么|怎麼|怎样|怎樣|为什么|為什麼"
    "|多[大少长長高深宽远重久快]|是否|[有能会]没有|吗|嗎"
)
ASKS = re.compile(_ASKS)
ASKS_EN = re.compile(r"\b(?:what|which|who|whom|whose|when|where|why|how)\b", re.IGNORECASE)
VERB_EN = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|will|can|could|should|would|must)\b",
    re.IGNORECASE,
)
_SUBJECT_ENDS = re.compile(
    rf"{_ASKS}|{MEASURES}|\d{{4}}年|去年|今年|前年|一共|总共|總共|共有|(?<!但)(?<!于)是|(?<![国所具没])有|(?<![存现正實实])在"
    r"|由(?!来)|被|把|(?<!即)将(?!军)|最早|最快|首次|曾|计划|計劃|要求|属于|屬於|位于|位於|包括|叫|拿了|跑了|花了|建了"
    r"|建成|开工|開工|动工|通车|通車|开通|開通|挂牌|成立|设立|得名|落户|落戶|列入|(?:退捕|生产|生產|上岸|改造)(?!工|者|力|线|总值|總值)|得了|获得|獲得|夺得|写(?=了|过)|获评|要(?=[算走打讲分])|靠"
    r"|撥了|拨了|[，,。？?；;：:]"
)
_OPENERS = re.compile(
    r"^(?:请问|請問|那么|那麼|那(?!里|时|個|个|座|条|篇)|然后|还有|另外|所以)[，,]?"
)
_PARTICLES = "的了着過过里裡中内內上之时時，, "
# A name ends where one of these stands, seen from its last character to the left.
_LEFT_BOUND = re.compile(
    r"(?:(?:[一二三两兩几幾\d少大]|多少)[个個枚条條座名位家项項篇艘辆輛种種大]"
    rf"|[的了和与與跟在是从從到被把由让讓有、，,：:；;？?\s《》“”「」]|{_ASKS})"
)
_HEADS = (
    "省市区區县縣镇鎮村州国國站线線路桥橋江河湖山岛港寺塔机场場铁運运河道园園"
    "城馆館院校司团所局会會社站牌号圈群电業业船民鱼队隊"
)
_NP_STOP = re.compile(
    r"\b(?:and|or|but|that|which|who|in|on|at|by|with|from|to|for|as|than|into|under|over|before"
    r"|after|during|because|if|when|where|while)\b|[,.?;:!]"
)
_SUBJECT_EN = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|will|can|could|should|would|must)\s+"
    r"(?P<np>(?:the|a|an|this|that|these|those)\s.+|[A-Z].+|\w+'s .+)"
)
_PARTICIPLE = re.compile(r"(?<!\s)\s+(?:be|been|being|\w+ed|built|made|held|written|begun|sold)$")


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that a text names.

    Attributes:
        span: in that text.
        kind: "title", "time", "ordinal", "line", "place", "country" or "name" (capitals).
    """

    span: Span
    kind: str


def mentions(text: str) -> list[Mention]:
    """The things that a text names by form, in order, none inside another."""
    found: list[Mention] = []
    for kind, pattern in _KINDS:
        for match in pattern.finditer(text):
            found.append(Mention(Span(*match.span()), kind))
    for match in _EN_NAME.finditer(text):
        span = Span(*match.span())
        words = match[0].split(" ")
        while words and _EN_FIRST.match(words[0]):
            span = Span(min(span.start + len(words[0]) + 1, span.end), span.end)
            words = words[1:]
        if words and not words[0].isdigit() and len(span) > 1:
            found.append(Mention(span, "name"))
    found.sort(key=lambda m: (m.span.start, -len(m.span)))
    kept: list[Mention] = []
    for mention in found:
        if not kept or mention.span.start >= kept[-1].span.end:
            kept.append(mention)
    return kept


def kind_of(text: str) -> str | None:
    """The kind of a text that is one thing's name and nothing else; None for anything else."""
    for kind, pattern in _KINDS:
        if pattern.fullmatch(text):
            return kind
    return "name" if _EN_NAME.fullmatch(text) else None


def is_chinese(text: str) -> bool:
    """Whether a text has a Chinese character outside quotation marks and titles."""
    return bool(HAN.search(re.sub(r"《[^《》]*》|“.{0,200}”|「[^「」]*」", "", text)))


def subject(question: str) -> str:
    """What a question is about, as its own words name it; "" where that cannot be told."""
    if not is_chinese(question):
        return _subject_en(question)
    quoted = re.search(r"《[^《》]+》", question)
    if quoted:
        return quoted[0]
    text = _OPENERS.sub("", question)
    text = re.sub(
        r"^(?:截至|到|在)?(?:\d{4}年(?:\d+月)?(?:\d+日)?|去年|今年|目前|现在)[，,]?", "", text
    )
    first = _SUBJECT_ENDS.search(text)
    head = text[: first.start()] if first else text
    if not head.rstrip(_PARTICLES) and first:  # 哪… / 谁…: what follows the asking word
        return ""
    head = re.split(rf"的(?=(?:{MEASURES}|{ASPECTS}|[{_HAN}]{{1,8}}$))", head)[0]
    head = head.lstrip("的, ，").rstrip(_PARTICLES)
    return head if 2 <= len(head) <= 20 else ""


def _subject_en(question: str) -> str:
    match = _SUBJECT_EN.search(question)
    if match:
        whole = match["np"]
        stop = _NP_STOP.search(whole, 1)
        phrase = whole[: stop.start()] if stop else whole
        names = [m for m in mentions(phrase) if m.kind in ("name", "country", "place", "title")]
        asked_by_do = re.search(r"\b(?:do|does|did|will|can|could|should|would|must)\s+$",
                                question[: match.start("np")])  # fmt: skip
        if names and asked_by_do:
            return phrase[: names[0].span.end].strip()
        phrase = _PARTICIPLE.sub("", phrase.strip())
        if asked_by_do and " " in phrase:
            phrase = phrase.rsplit(" ", 1)[0]
        if 3 < len(phrase) <= 60:
            return phrase
    names = [m for m in mentions(question) if m.kind in ("title", "name", "country", "place")]
    if names:
        best = max(names, key=lambda m: len(m.span))
        before = re.search(r"\bthe $", question[: best.span.start])
        return ("the " if before else "") + best.span.of(question)
    phrase_ = re.search(r"\b(?:how many|which|what) ((?:[a-z-]+ ){0,2}[a-z-]+s)\b", question, re.I)
    return phrase_[1] if phrase_ else ""


def replaced_by(question: str, other: str) -> Span | None:
    """The span of a question whose place another thing takes (那四川呢, "and in 2021?").

    A thing of the same kind first, then one that ends or begins alike.

    Args:
        question: that stands alone.
        other: the thing asked about now.

    Returns:
        None where nothing in the question is of its kind.
    """
    kind = kind_of(other)
    found = mentions(question)
    if kind is not None:
        same = [m.span for m in found if m.kind == kind and m.span.of(question) != other]
        if kind == "country":
            same = same or [m.span for m in found if m.kind == "name"][:1]
        if kind == "title" and not same:
            # “一体” for “两翼” in other marks, or without marks
            same = [m.span for m in found if m.kind == "title"]
        if same and kind != "name":
            return same[0]
        if same:
            alike = [s for s in same if s.of(question).split()[-1] == other.split()[-1]]
            return (alike or same)[0]
    return _alike_han(question, other) if HAN.search(other) else _alike_latin(question, other)


def _alike_han(question: str, other: str) -> Span | None:
    """A run of Chinese that ends as the other thing does; else one that begins as it does."""
    for size in range(min(len(other) - 1, 6), 0, -1):
        ending = other[-size:]
        if size == 1 and ending not in _HEADS:
            continue
        at = question.find(ending)
        while at >= 0:
            start = _left_end(question, at, len(other) + 4)
            end = at + size
            if question[start:end] != other and (size > 1 or end - start > 1):
                return Span(start, end)
            at = question.find(ending, at + 1)
    if len(other) >= 2 and (at := question.find(other[0])) >= 0:
        end = at + len(other)
        if end <= len(question) and all(HAN.match(c) for c in question[at:end]):
            return Span(at, end)
    return None


def _left_end(question: str, at: int, longest: int) -> int:
    """Where the name that goes on at `at` begins."""
    start = max(0, at - longest)
    bounds = [m.end() for m in _LEFT_BOUND.finditer(question, 0, at) if m.end() <= at]
    return max([start, *bounds])


def _alike_latin(question: str, other: str) -> Span | None:
    """Words whose last one is the other thing's last, of its length."""
    words = other.split()
    last = words[-1].rstrip("s").lower()
    tokens = list(re.finditer(r"[\w’'-]+", question))
    for i, token in enumerate(tokens):
        if token[0].rstrip("s").lower() == last and i >= len(words) - 1:
            return Span(tokens[i - len(words) + 1].start(), token.end())
    if len(words) <= 2 and other.islower() and words[-1].endswith("s"):  # venues for athletes
        plural = re.search(r"(?<=\bhow many )(?:[a-z-]+ )*?[a-z-]+s\b", question, re.IGNORECASE)
        return Span(*plural.span()) if plural else None
    return None
