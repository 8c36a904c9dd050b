"""What each piece of a page can be, judged by the piece itself and the two beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rag.furniture import (
    PageHeader,
    is_caption,
    is_editors_note,
    is_turn_line,
    iso_date,
    parse_page_header,
    title_score,
)
from rag.heads import Affiliation, Byline, parse_affiliation, parse_byline
from rag.types import BlockKind, Piece


class Role(StrEnum):
    """What a piece is taken for."""

    BODY = "body"
    TITLE = "title"
    BYLINE = "byline"
    AFFILIATION = "affiliation"
    HEADER = "header"
    DATELINE = "dateline"
    CAPTION = "caption"
    TURN = "turn"
    RULE = "rule"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Line:
    """One piece and what it says about itself.

    Attributes:
        text: the piece's text without blanks at its ends.
        title: 0 to 1, how much it looks like a title (only for role BODY or TITLE).
        note: whether it calls itself an editor's note.
        lead: whether it begins as a news item does (本报讯, 新华社北京5月20日电).
    """

    text: str
    role: Role
    byline: Byline | None = None
    affiliation: Affiliation | None = None
    header: PageHeader | None = None
    title: float = 0.0
    note: bool = False
    lead: bool = False


_LEAD = re.compile(
    r"^(?:[一-鿿]{0,8}(?:报|网|社|台|客户端|新闻)"
    r"[一-鿿]{0,6}(?:\d{1,2}月\d{1,2}日)?(?:讯|电|消息)(?=[\s（(【　]|记者)"
    r"|[A-Z][A-Z ]{2,20}(?:, [A-Z][a-z]+\.? \d{1,2})? (?:\([A-Z][A-Za-z]+\) )?[-—–])"
)
_RULE = re.compile(r"^[-=_*~—－·•#＊＝\s]{3,}$")
_DATELINE = re.compile(
    r"^(?:发布时间|发表时间|时间|日期|来源|稿源|published|date|source)?\s*[:：]?.{0,40}$", re.I
)


def lines_of(pieces: Sequence[Piece]) -> list[Line]:
    """A line for each piece, in order."""
    lines = [_line(p) for p in pieces]
    for i in range(1, len(lines)):
        if lines[i - 1].role is Role.DATELINE and lines[i].text[:1] in "年月日，、":
            lines[i - 1] = Line(lines[i - 1].text, Role.BODY)  # a date cut by a column's end
    return lines


def _line(piece: Piece) -> Line:
    text = piece.text.strip()
    if piece.kind is BlockKind.TITLE:
        return Line(text, Role.TITLE, title=1.0)
    if piece.kind is BlockKind.HEADING:
        return Line(text, Role.HEADING, title=0.5)
    if _RULE.match(text):
        return Line(text, Role.RULE)
    if is_turn_line(text):
        return Line(text, Role.TURN)
    affiliation = parse_affiliation(text)
    if affiliation:
        return Line(text, Role.AFFILIATION, affiliation=affiliation)
    header = parse_page_header(text)
    if header:
        return Line(text, Role.HEADER, header=header)
    byline = parse_byline(text)
    if byline and byline.sure:
        return Line(text, Role.BYLINE, byline=byline)
    if _is_dateline(text):
        return Line(text, Role.DATELINE)
    if is_caption(text):
        return Line(text, Role.CAPTION)
    return Line(
        text,
        Role.BODY,
        byline=byline,
        title=title_score(text),
        note=is_editors_note(text),
        lead=bool(_LEAD.match(text[:80])),
    )


def _is_dateline(text: str) -> bool:
    """Whether a short line says when or where an article appeared and nothing else."""
    if len(text) > 50 or re.search(r"[。！？；，]", text) or not _DATELINE.match(text):
        return False
    if re.match(r"(?:发布时间|发表时间|来源|稿源|published|source)\s*[:：]", text, re.I):
        return True
    rest = re.sub(r"[\d年月日时分秒:：./\-\s]|星期.|来源|发布时间", "", text)
    date = iso_date(text)
    return date is not None and len(date) == 10 and len(rest) <= 10
