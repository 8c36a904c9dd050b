"""Lines of a newspaper page that are no article's text: running heads, captions, turn lines.

Titles stand here too, since they are told by their look alone. Every function judges one line by
itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TITLE_LIMIT = 60


@dataclass(frozen=True, slots=True)
class PageHeader:
    """The furniture at the head or foot of a page.

    Attributes:
        source: the paper's name, or None.
        published: ISO date, as precise as printed, or None.
        page: "5", "A05", "第5版 理论" …, or None.
    """

    source: str | None
    published: str | None
    page: str | None


_HEADER_BITS = re.compile(
    r"(?:责任?编辑?|责编|编辑|美编|校对|版式|值班|组版|制图|总编|主编|策划|统筹|执行|视觉|设计)\s*[:：/／]"
    r"|国内统一(?:连续出版物|刊)号|邮发代号|新闻热线|广告热线|电子邮箱|E-?mail|https?://|www\.|今日\s*\d+\s*版|总第\s*\d+\s*期"
)
_DATE = re.compile(
    r"(?P<y>(?:19|20)\d\d)\s*[年./-]\s*(?P<m>\d{1,2})\s*(?:[月./-]\s*(?P<d>\d{1,2})\s*日?)?"
)
_PAGE_NUMBER = re.compile(
    r"(?P<page>第\s*[\d一二三四五六七八九十]+\s*版|[A-H]?\d{1,3}\s*版"
    r"|版次\s*[:：]?\s*[A-H]?\d{1,3}|(?<![\w])[A-H]\d{1,2}(?![\w])|\bpage [A-H]?\d+\b)",
    re.I,
)
_PAPER = re.compile(
    r"(?P<paper>[一-鿿]{2,8}(?:日报|晚报|时报|商报|早报|晨报|都市报|周报|报|周刊|快报)"
    r"|(?:[A-Z][a-z]+ )+(?:Daily|Times|Post|News|Herald))"
)


def parse_page_header(line: str) -> PageHeader | None:
    """Paper, date and page number of a running head or an imprint line, or None.

    A line counts when at least two such facts, or an imprint word (责任编辑：……), fill it.
    """
    line = " ".join(line.split())
    if not line or len(line) > 120 or re.search(r"[。！？；]", line):
        return None
    date, number, paper = _DATE.search(line), _PAGE_NUMBER.search(line), _PAPER.search(line)
    facts = [m for m in (date, number, paper) if m]
    rest = line
    for found in facts:
        rest = rest.replace(found.group(), " ")
    rest = re.sub(r"星期[一二三四五六日天]|农历\S+|[\W_]+", "", rest)
    imprint = _HEADER_BITS.search(line) and (len(line) <= 60 or len(_HEADER_BITS.findall(line)) > 1)
    if not imprint and not (len(facts) >= 2 and len(rest) <= 14):
        return None
    if not imprint and len(facts) == 2 and paper and not number and len(rest) > 6:
        return None
    return PageHeader(
        paper["paper"] if paper else None,
        iso_date(line),
        re.sub(r"\s+|版次[:：]?", "", number["page"]) if number else None,
    )


def iso_date(text: str) -> str | None:
    """The first date in a text as ISO 8601 ("2024-05-20", "2024-05"), or None."""
    found = _DATE.search(text)
    if not found or not 1 <= int(found["m"]) <= 12:
        return None
    date = f"{found['y']}-{int(found['m']):02d}"
    day = int(found["d"] or 0)
    return f"{date}-{day:02d}" if 1 <= day <= 31 else date


_TURN = re.compile(
    r"^[（(〔【\[▶►▷↓→]*\s*(?:(?:下|上|紧|文)(?:转|接)\s*[A-H]?[第\d一二三四五六七八九十]+\s*(?:版|页)?.{0,12}"
    r"|continued (?:on|from) (?:page )?\S{1,4})\s*[）)〕】\]◀◄]*$",
    re.I,
)
_HAN = re.compile("[一-鿿]")
_CAPTION = re.compile(
    r"^[▲△↑↓←→▼◀▶（(\s]*"
    r"(?:图[①-⑳\d一二三四五六]?[为：:]|上图|下图|左图|右图"
    r"|题图|资料图|配图|图片说明|photo[: ]|caption)"
    r"|(?:摄|供图|/图|摄影报道|图片来源[:：].{2,20}|photo by [^.]{3,40})[）)]?$",
    re.I,
)
_NOTE_HEAD = re.compile(
    r"^[【\[（(]?\s*(?:编者按|编者的话|编前|开栏语|开栏的话|编辑手记|editor'?s note)", re.I
)


def is_turn_line(line: str) -> bool:
    """Whether a line only sends the reader to another page (下转第三版, Continued on page 4)."""
    return len(line) <= 40 and bool(_TURN.match(line.strip()))


def is_caption(line: str) -> bool:
    """Whether a line describes a picture (图为……, ……张三 摄)."""
    return len(line) <= 160 and bool(_CAPTION.search(line.strip()))


def is_editors_note(line: str) -> bool:
    """Whether a piece calls itself an editor's note (编者按：……)."""
    return bool(_NOTE_HEAD.match(line.strip()))


def title_score(line: str) -> float:
    """How much a line looks like a printed title, 0 (not at all) to 1; higher is likelier.

    Judged by length, by punctuation that titles do not carry and by how it begins and ends.
    """
    line = line.strip()
    han = len(_HAN.findall(line))
    length = len(line) if han >= 2 else len(line.split()) * 3
    if not line or length > _TITLE_LIMIT or length < 2:
        return 0.0
    if re.match(
        r"[。，、；：！？”’）》」』】…,.;:)\]的了着们地得等]|.*[，、；,;的地和与及以]$", line
    ):
        return 0.0
    if re.search(r"[。；]", line) or line.endswith("."):
        return 0.0 if "。" in line or len(line) > 30 else 0.2
    score = 1.0
    if length > 34:
        score -= (length - 34) / 26
    if han < 2 and not line[0].isupper():
        score -= 0.6
    for left, right in ("“”", "（）", "《》", "()", "‘’", "【】"):
        if line.count(left) != line.count(right):
            score -= 0.5
    if length < 4:
        score -= 0.4
    if line[-1] in "了在是将把被对从向并而或、该其已":
        score -= 0.5
    return max(0.0, min(1.0, score))
