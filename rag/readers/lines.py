"""Lines of a file to pieces: which lines were one paragraph before somebody wrapped it.

A file is hard-wrapped when its lines are full (the next word or character would not have fitted)
and mostly do not end with a sentence. Only such lines are put together again, and only within a
group of lines that no blank line parts. Bylines, affiliations and indented lines begin anew.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag.types import BlockKind, Part, Piece, Span

_SENTENCE_END = re.compile(r"[。！？!?：:；;…．.][”’」』）)】》\"']*$")
_BYLINE_MARK = re.compile(r"[□■◎●○◆◇△▲▪※★☆]\s*\S")
_BYLINE = re.compile(
    r"(?:\S{0,8}(?:记者|記者|通讯员|通訊員|评论员|評論員|撰稿人)[\s：:/／]+\S"
    r"|(?:文|图|圖|作者|撰文|摄影|攝影|编辑|編輯|责编|責編|文字|图片)\s*[/／：:|｜丨]\s*\S"
    r"|[Bb][Yy] +[A-Z])"
)
_NOT_IN_BYLINES = re.compile(r"[。！？!?；;]|，.*，")
_AFFILIATION = re.compile(r"[（(【\[](?:本文)?(?:第[一二三]|通[讯訊])?作者")
_LIST_MARK = re.compile(
    r"(?:[-*•·●▪]\s|\d{1,2}[.．、)）]\s?(?!\d)|[(（]\d{1,2}[)）]"
    r"|[(（]?[一二三四五六七八九十]{1,3}(?:[)）]|、))"
)
_LATIN_WORD = re.compile("[^\\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+")
_LONGEST_BYLINE = 60  # columns
_NARROWEST, _WIDEST = 16, 240  # columns; what is outside was not wrapped
_NARROWEST_ALONE = 40  # where a line or two are all the evidence, they may be lines of a title
_SLACK = 3  # columns by which a full line of Chinese may fall short (punctuation moves)


@dataclass(frozen=True, slots=True)
class Line:
    """One visible line.

    Attributes:
        text: without indentation and trailing blanks; never empty.
        parts: its characters' places in `Document.text`; `Part.start` counts in `text`.
        indent: columns of indentation; a full-width blank is two.
        breaks: the format itself says that a new piece begins after this line.
    """

    text: str
    parts: tuple[Part, ...]
    indent: int = 0
    breaks: bool = False


def columns(text: str) -> int:
    """The display width: wide and full-width characters count two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)


def source_line(text: str, start: int, end: int) -> Line | None:
    """The line of `text` from `start` to `end` (code points, half-open), or None if it is blank."""
    raw = text[start:end]
    bare = raw.strip()
    if not bare:
        return None
    lead = len(raw) - len(raw.lstrip())
    begin = start + lead
    part = Part(0, Span(begin, begin + len(bare)))
    return Line(bare, (part,), columns(raw[:lead].expandtabs(4)))


def groups_of(text: str, start: int, end: int) -> list[list[Line]]:
    """The lines of a range of `text`, grouped as blank lines part them."""
    groups: list[list[Line]] = []
    open_group: list[Line] = []
    at = start
    for raw in text[start:end].split("\n"):
        line = source_line(text, at, at + len(raw))
        at += len(raw) + 1
        if line is not None:
            open_group.append(line)
        elif open_group:
            groups.append(open_group)
            open_group = []
    if open_group:
        groups.append(open_group)
    return groups


def is_head(line: str) -> bool:
    """Whether a line looks like a byline or an affiliation, which stay pieces of their own."""
    if _AFFILIATION.match(line) or line.startswith(("作者单位", "作者單位", "作者系", "作者为")):
        return True
    if len(line) > _LONGEST_BYLINE or columns(line) > _LONGEST_BYLINE:
        return False
    if _NOT_IN_BYLINES.search(line):
        return False
    return bool(_BYLINE_MARK.match(line) or _BYLINE.match(line))


def wrap_width(groups: Sequence[Sequence[Line]]) -> int | None:
    """The columns at which a file was hard-wrapped, or None when its lines are paragraphs.

    Wrapped means: of the lines that have a line after them in their group at least six in ten are
    full, and at least four in ten of the full ones stop within a sentence.
    """
    multi = [group for group in groups if len(group) > 1]
    pairs = [(a, b) for g in multi for a, b in pairwise(g) if not _starts(a, b)]
    if not pairs:
        return None
    width = _usual_width([a for a, _ in pairs])
    if not (_NARROWEST if len(pairs) > 2 else _NARROWEST_ALONE) <= width <= _WIDEST:
        return None
    full = [a for a, b in pairs if is_full(a, b, width)]
    within = sum(1 for line in full if not _SENTENCE_END.search(line.text))
    if len(full) < 0.6 * len(pairs) or within < max(1, 0.4 * len(full)):
        return None
    return width


def _usual_width(lines: Sequence[Line]) -> int:
    """Chinese lines are mostly exactly as wide as the margin; Latin ones at most."""
    widths = sorted(columns(line.text) + line.indent for line in lines)
    if 2 * sum(1 for line in lines if not _is_latin(line.text[-1])) > len(lines):
        return Counter(widths).most_common(1)[0][0]
    return widths[-1 - len(widths) // 20]  # one in twenty may stick out (a long address)


def is_full(line: Line, following: Line, width: int) -> bool:
    """Whether nothing more of `following` would have fitted into `line` at `width` columns."""
    if columns(following.text) > 1.15 * width + _SLACK:
        return False
    used = columns(line.text) + line.indent
    word = _LATIN_WORD.match(following.text)
    if word:
        return used + _is_latin(line.text[-1]) + len(word[0]) > width
    if _SENTENCE_END.search(line.text):
        return used >= width - _SLACK
    return used >= 0.85 * width


def _starts(before: Line, line: Line) -> bool:
    """Whether `line` begins a new piece whatever the width."""
    if before.breaks or is_head(line.text) or is_head(before.text):
        return True
    if line.indent > before.indent + 1:
        return not _LIST_MARK.match(before.text)
    return False


def pieces_of(
    groups: Sequence[Sequence[Line]], width: int | None, closed: set[str] | None = None
) -> list[Piece]:
    """Put hard-wrapped lines together.

    Args:
        groups: lines that no blank line parts; pieces never cross groups.
        width: what `wrap_width` found; None makes every line a piece.
        closed: receives the words that a hyphen at a line's end had parted.
    """
    pieces: list[Piece] = []
    for group in groups:
        run: list[Line] = []
        for line in group:
            if run and not _continues(run, line, width):
                pieces.append(join(run, closed))
                run = []
            run.append(line)
        pieces.append(join(run, closed))
    return pieces


def _continues(run: Sequence[Line], line: Line, width: int | None) -> bool:
    before = run[-1]
    if before.breaks:
        return False
    if _AFFILIATION.match(run[0].text):
        # An affiliation goes on until its bracket closes, for a few lines at most.
        return width is not None and len(run) < 4 and before.text[-1] not in "）)】]"
    if width is None or not is_full(before, line, width):
        return False
    unfinished = not _SENTENCE_END.search(before.text)
    # A full line that looks like a byline is a line of a paragraph about reporters.
    short = columns(line.text) < 0.85 * width
    if is_head(line.text) and (_AFFILIATION.match(line.text) or (short and not unfinished)):
        return False
    if _BYLINE_MARK.match(line.text):
        return False
    if line.indent > before.indent + 1:
        return len(run) == 1 and _LIST_MARK.match(before.text) is not None
    return unfinished or not _LIST_MARK.match(line.text)


def join(lines: Sequence[Line], closed: set[str] | None = None) -> Piece:
    """One piece of several lines: no blank beside Chinese, one between Latin words."""
    texts: list[str] = []
    parts: list[Part] = []
    length = 0
    chinese = len(lines) > 1 and sum(map(_is_han, lines[0].text)) * 3 > len(lines[0].text)
    for at, line in enumerate(lines):
        if at:
            glue, cut = _seam(lines[at - 1].text, line.text, chinese)
            if cut:
                if parts and parts[-1].start + len(parts[-1].source) == length:
                    parts[-1] = _shorter(parts[-1])
                texts[-1] = texts[-1][:-1]
                length -= 1
                if closed is not None:
                    closed.add(f"{lines[at - 1].text.split()[-1][:-1]}{line.text.split()[0]}")
            texts.append(glue)
            length += len(glue)
        parts += [Part(length + part.start, part.source) for part in line.parts]
        texts.append(line.text)
        length += len(line.text)
    return Piece("".join(texts), tuple(part for part in parts if len(part.source)))


def _seam(left: str, right: str, chinese: bool) -> tuple[str, bool]:
    """What goes between two lines, and whether the hyphen that ends the first is taken out."""
    a, b = left[-1], right[0]
    if (
        a == "-"
        and right.split()[0] not in ("and", "or", "to")
        and len(left) > 1
        and left[-2].islower()
        and b.islower()
        and b.isascii()
    ):
        return "", left[-2].isascii() and "-" not in left.split()[-1][:-1]
    if not (_is_latin(a) and _is_latin(b)) or (chinese and a.isdigit() and b in "0123456789.,%"):
        return "", False
    return " ", False


def _shorter(part: Part) -> Part:
    return Part(part.start, Span(part.source.start, part.source.end - 1))


def _is_latin(ch: str) -> bool:
    return unicodedata.east_asian_width(ch) not in "WF" and not "\u2e80" <= ch <= "\u9fff"


def _is_han(ch: str) -> bool:
    return (
        "\u3400" <= ch <= "\u9fff"
        or "\uf900" <= ch <= "\ufaff"
        or "\U00020000" <= ch <= "\U0003ffff"
    )


def as_kind(piece: Piece, kind: BlockKind | None) -> Piece:
    """The same piece under a kind that the format states."""
    return replace(piece, kind=kind)
