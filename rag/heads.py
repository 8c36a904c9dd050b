"""What the heads of articles say: bylines and affiliations.

Every function looks at one line alone and knows nothing of the page around it. A line that does
not clearly say something gives None or False: the page decides what becomes of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.names import is_latin_name, is_name, split_names

MARKS = "□■◎●○◇◆△▲▷▶☐◻◼▪★☆◈⊙※"
_BYLINE_LIMIT = 90
_AFFILIATION_LIMIT = 400

_ROLE = (
    "(?:本报|本刊|本网|本台|新华社|人民日报|中新社|中新网|经济日报|光明日报|[一-鿿]{2,6}(?:日报|晚报|时报"
    "|商报|早报|周刊|网|社|融媒|客户端))?(?:全媒体|融媒体|特约|特派|驻[一-鿿]{2,4}|首席|高级|资深|见习|实习|视觉)*"
    "(?:记者|通讯员|评论员|撰稿人|撰稿|特稿|编辑|主笔|观察员|实习生|供稿)"
)
_WITH_ROLE = re.compile(rf"^{_ROLE}[:：/／|｜\s]*(?P<names>\S.*)?$")
_ROLE_INSIDE = re.compile(rf"(?<![\s、，,;；])[\s、，,;；]*+{_ROLE}[:：/／\s]*")
_LABEL = re.compile(
    r"^(?:本文)?(?:作者|撰文|文字|执笔|撰稿|采写|文图|图文|文[、/／]图|文)(?:\s*[:：/／|｜]\s*|(?<=图)\s+)(?P<names>\S.*)$"
)
_PHOTO = re.compile(
    r"(?<![\s、，,;；|｜（(])[\s、，,;；|｜（(]*+(?:摄影|图片|摄|图|制图|漫画|视频)\s*[:：/／]\s*.*$"
)
_BY_LATIN = re.compile(
    r"^(?:(?:story|text|words|written|reporting)\s+)?by[:\s]\s*(?P<names>[^\W\d_].*)$", re.I
)
_LATIN_ROLE = re.compile(
    r"\b(?:staff|writers?|reporters?|correspondents?|editors?|columnists?|contributors?|bureau|times|daily|post"
    r"|news|press|reuters|xinhua|agency|special to|in [A-Z])",
    re.I,
)
_COLLECTIVE = re.compile(
    r"^(?:本报|本刊|本网|新华社|人民日报|[一-鿿]{2,6}(?:日报|晚报|时报|网))(?:特约)?(?:评论员|编辑部|评论部|记者|采访组|报道组|社论|综合)$"
)
_BRACKETS = {"(": ")", "（": "）", "[": "]", "［": "］", "【": "】", "〔": "〕"}


@dataclass(frozen=True, slots=True)
class Byline:
    """Who wrote an article, as its byline says.

    Attributes:
        authors: in the order printed; may be empty only in an `Affiliation`.
        mark: the sign or words that made it a byline ("□", "本报记者", "By", "" for bare names).
        sure: False for bare names without any sign, which need a place that fits.
    """

    authors: tuple[str, ...]
    mark: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Affiliation:
    """Where the authors work, as a line at an article's end says.

    Attributes:
        places: institutions in the order printed.
        authors: names when the line gives them ("作者张三系……"), else empty.
    """

    places: tuple[str, ...]
    authors: tuple[str, ...] = ()


def parse_byline(line: str) -> Byline | None:
    """The byline in a line of its own, or None.

    Args:
        line: one piece of a page; blanks at its ends do not matter.
    """
    line = " ".join(line.split())
    if not line or len(line) > _BYLINE_LIMIT or re.search(r"[。！？!?]", line):
        return None
    if line[0] in MARKS:
        rest = line.lstrip(MARKS + " ")
        inner = parse_byline(rest) if rest and rest[0] not in MARKS else None
        names = inner.authors if inner else split_names(_without_photo(rest), strict=False)
        return Byline(names, line[0]) if names else None
    if _COLLECTIVE.match(line):
        return Byline((line,), line)
    latin = _BY_LATIN.match(line)
    if latin:
        names = _latin_names(latin["names"])
        return Byline(names, "By") if names else None
    return _chinese_byline(line)


def _chinese_byline(line: str) -> Byline | None:
    """A byline by a role, a label or bare names, no mark before it."""
    if line[0] in _BRACKETS and line[-1] == _BRACKETS[line[0]]:
        inner = line[1:-1].strip()
        if re.match(rf"{_ROLE}|作者[:：]|文[/／]", inner):
            return parse_byline(inner)
        return None
    for pattern in (_LABEL, _WITH_ROLE):
        found = pattern.match(line)
        if found and found["names"]:
            names = split_names(_ROLE_INSIDE.sub(" ", _without_photo(found["names"])), strict=False)
            if names:
                return Byline(names, line[: found.start("names")].strip())
    names = split_names(line, strict=True)
    if names and (len(names) > 1 or len(line.replace(" ", "")) > 1) and all(map(is_name, names)):
        return Byline(names, "", sure=False)
    return None


def _without_photo(text: str) -> str:
    """The text before a photographer's or designer's credit."""
    return _PHOTO.sub("", " " + text).strip()


def _latin_names(text: str) -> tuple[str, ...]:
    """Names after "By": "Jane Doe and John Roe, Staff Writers" gives two; () when none is one."""
    names: list[str] = []
    for part in re.split(
        r"(?<!\s)\s+(?:and|&|with)\s+|(?:(?<!\s)\s+)?[,;|/&]\s*|(?<!\s)\s+(?=in [A-Z])", text
    ):
        if is_latin_name(part) and not _LATIN_ROLE.search(part):
            names.append(part.title() if part.isupper() else part)
        elif not _LATIN_ROLE.search(part) and not names:
            return split_names(text, strict=True)
    return tuple(names)


_AFFILIATED = re.compile(
    r"^(?:本文|本版)?(?P<who>第一作者|通讯作者|作者|撰稿人|执笔人?|课题组)?"
    r"(?P<names>[一-鿿·、，, ]{0,40}?)[:：，,]?\s*"
    r"(?P<link>(?:工作)?单位(?:分别|均|依次)?(?:为|系|是)?|(?:分别|均|依次|现)?(?:为|系|是)|简介)\s*[:：/]?\s*"
    r"(?P<rest>.+)$"
)
_LATIN_AFFILIATED = re.compile(
    r"^the (?:authors?|writers?) (?:is|are|works?|teach(?:es)?)\b"
    r".*?\b(?:at|of|with|from|for|in) (?P<rest>.+)$",
    re.I,
)
_NOTE = re.compile(
    r"(?<![，,；;。\s])[，,；;。\s]*+(?:本文|此文|该文|系[^，,；;]{0,20}(?:项目|课题)).*$"
)
_RANK = re.compile(
    r"(?:[一二三]级|特聘|客座|兼职|终身|荣誉|特约|助理|高级|首席|在读)*(?:副|助理)?"
    r"(?:教授|研究员|讲师|助教|博士后|博士生导师|硕士生导师|博士生?|硕士生?|研究生|院长|所长|主任|馆长|书记|校长|部长|秘书长|会长|理事长"
    r"|经济师|工程师|编审|编辑|记者|学者|专家|作家|律师|医师|教师|成员|负责人|员工|干部)$"
)
_PLACE = re.compile(
    r"(?:大学|学院|党校|研究院|研究所|研究中心|研究室|中心|学校|中学|小学|医院|日报社?|报社|杂志社|出版社|电视台|公司|集团|委员会|委"
    r"|局|厅|部|处|科|署|院|所|馆|会|社|校|系|室|基地|实验室|政府|法院|检察院|银行|智库|协会|学会|联盟|街道|社区|镇|乡|村|县|市|区|省)$"
)


def parse_affiliation(line: str) -> Affiliation | None:
    """The authors' workplaces in a line like （作者单位：……） or (作者系……), or None.

    Role words after a place ("教授") and remarks ("本文系……项目成果") are left out.
    """
    line = " ".join(line.split())
    if len(line) < 6 or len(line) > _AFFILIATION_LIMIT:
        return None
    inner = line.rstrip("。. ")
    bracketed = inner[0] in _BRACKETS and inner[-1] == _BRACKETS[inner[0]]
    if bracketed:
        inner = inner[1:-1].strip()
    latin = _LATIN_AFFILIATED.match(inner)
    if latin:
        return Affiliation((latin["rest"].rstrip("."),))
    if not bracketed and not re.match(r"(?:本文)?(?:第一)?作者(?:工作)?单位|作者简介", inner):
        return None
    people = _by_person(inner)
    if people:
        return people
    found = _AFFILIATED.match(inner)
    if not found or not found["who"]:
        return None
    named = found["names"].strip("、，, ")
    authors = split_names(named, strict=False) if named else ()
    if named and not authors:
        return None
    places = _places(found["rest"])
    return Affiliation(places, authors) if places else None


def _by_person(inner: str) -> Affiliation | None:
    """张三系甲大学教授，李四系乙大学讲师: places and names; None for anything else."""
    places: list[str] = []
    names: list[str] = []
    for part in re.split(r"[；;]|[，,](?=[^，,；;]{2,4}[系为，,：:])", inner):
        found = re.match(
            r"^(?:作者)?[:：]?\s*(?P<name>[一-鿿·]{2,10}?)\s*[，,：:]?(?:系|为|单位[:：]?)(?P<rest>.+)$",
            part,
        )
        if not found or not is_name(found["name"]) or "单位" in found["name"]:
            break
        names.append(found["name"])
        places.extend(_places(found["rest"]))
    return Affiliation(tuple(dict.fromkeys(places)), tuple(names)) if places else None


def _places(text: str) -> tuple[str, ...]:
    """Institutions of a list, without roles and remarks, each once for each time it is printed."""
    places = []
    for part in re.split(
        r"[、；;，,]|(?<!\s)\s+和\s*|和(?=[一-鿿]{4,40}(?:大学|学院|研究院|研究所|党校))",
        _NOTE.sub("", text),
    ):
        part = re.sub(
            r"^(?:分别|均|依次)?(?:为|系|是)|^[:：]|^[一-鿿]{2,3}[:：]", "", part.strip()
        ).strip()
        bare = _RANK.sub("", part).strip()
        while bare != part and _RANK.search(bare):
            part, bare = bare, _RANK.sub("", bare).strip()
        if bare and (_PLACE.search(bare) or len(bare) >= 4):
            places.append(bare)
    return tuple(places)


_NAMED = rf"[（(]\s*(?:{_ROLE}|文|作者)[:：/\s]*(?P<names>[^（）()。，]{{2,30}})[）)]"
_INLINE = re.compile(r"^[^。！？]{0,24}?" + _NAMED)
_INLINE_END = re.compile(_NAMED + "$")


def inline_authors(first: str, last: str) -> tuple[str, ...]:
    """Authors that a text itself names: 本报讯（记者 张三）… at its start, （记者张三） at its end.

    Args:
        first: the article's first paragraph.
        last: its last paragraph.
    """
    for found in (_INLINE.search(first[:80]), _INLINE_END.search(last[-60:].rstrip())):
        if found:
            names = split_names(_ROLE_INSIDE.sub(" ", found["names"]), strict=False)
            if names:
                return names
    return ()
