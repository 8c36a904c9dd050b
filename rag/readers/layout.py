"""Lines with boxes to paragraphs in reading order: columns first, then what stands in them.

A page is cut again and again along its white (the recursive XY cut of Nagy and Seth, 1984): above
rows of titles, else at a gutter where no line crosses it, else at the white between rows that
leaves a part with a gutter, else at the widest white between rows. In each column a paragraph
begins where a line is indented, where the line before it falls short, or where the distance or the
size of the letters changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from rag.readers.boxes import Box, in_one_line
from rag.readers.extract import Paragraph
from rag.readers.lines import is_head
from rag.types import BlockKind

_GUTTER = 0.8  # of a letter's height: the narrowest white between columns
_FEWEST = 2  # lines on either side of a gutter
_NARROWEST = 4.0  # heights: the narrowest column
_BREAK = 2.0  # heights of white between rows that part two blocks
_INDENT = (1.2, 4.5)  # heights by which a paragraph's first line may stand in
_SHORT = 2.0  # heights by which a paragraph's last line falls short
_TITLE = 1.35  # times the usual size
_FEWEST_OF_COLUMN = 5  # lines that show where a column's sides are
_LARGE = 1.2  # times the usual size: letters of a title
_DEEPEST = 40
_HEAD = re.compile(r"(?:1[5-9]|20)\d\d\s*[年.\-/]|\d月\d|\w\s*版|\b(?:Page|Vol|No)\b", re.I)
_SENTENCE_ENDS = "。！？!?.…”』）)】;；：:"


def columns(boxes: Sequence[Box]) -> list[list[Box]]:
    """The columns and blocks of a page in reading order, each with its lines from above."""
    if not boxes:
        return []
    size = median(box.size for box in boxes)
    head = _running_head(boxes)
    body = [box for box in boxes if box not in head]
    leaves = [_rows(leaf, size) for leaf in _cut(body, size, 0)] if body else []
    return [_rows(head, size), *leaves] if head else leaves


def _running_head(boxes: Sequence[Box]) -> list[Box]:
    """The topmost row where it names a date or a page, however far its parts stand apart."""
    first = min(boxes, key=lambda box: box.top)
    row = [box for box in boxes if box.top < (first.top + first.bottom) / 2 < box.bottom]
    text = " ".join(box.text for box in row)
    return row if len(text) <= 80 and _HEAD.search(text) else []


def side_by_side(leaves: Sequence[Sequence[Box]]) -> int:
    """The most columns of several lines that stand beside each other on a page."""
    spans = [
        (min(b.top for b in leaf), max(b.bottom for b in leaf)) for leaf in leaves if len(leaf) > 3
    ]
    return max((sum(a <= top < b for a, b in spans) for top, _ in spans), default=0)


def paragraphs(leaves: Sequence[Sequence[Box]], page: int, *, joined: bool) -> list[Paragraph]:
    """The paragraphs of a page's columns.

    Args:
        leaves: what `columns` gave.
        page: its number, from 1.
        joined: whether a sentence that a column's end cuts is put together with the next column's
            first lines, where these are not indented and of the same size. For a page of several
            articles it is not: `rag.pages` weighs where each piece goes on.
    """
    usual = _usual_size(leaves)
    found: list[tuple[Paragraph, Sequence[Box]]] = []
    for leaf in leaves:
        for number, run in enumerate(_parted(leaf)):
            kind = _kind(run, usual) or _centred(run, leaf)
            lines = tuple(box.text for box in run)
            places = tuple(box.place(page) for box in run)
            if kind is BlockKind.TITLE and found and found[-1][0].kind is kind:
                kind = _one_of_two(found, run)
            if joined and number == 0 and found and kind is None and _goes_on(found[-1], leaf):
                before, boxes = found[-1]
                breaks = (*before.breaks, len(before.lines))
                both = before.places + places
                whole = Paragraph(before.lines + lines, None, before.page, breaks, both)
                found[-1] = (whole, [*boxes, *run])
            else:
                found.append((Paragraph(lines, kind, page, (), places), run))
    return [paragraph for paragraph, _ in found]


def _one_of_two(found: list[tuple[Paragraph, Sequence[Box]]], run: Sequence[Box]) -> BlockKind:
    """Of two large lines below each other the larger is the title; the kind of the second."""
    before, boxes = found[-1]
    if run[0].size <= boxes[0].size:
        return BlockKind.HEADING
    found[-1] = (replace(before, kind=BlockKind.HEADING), boxes)
    return BlockKind.TITLE


def _cut(boxes: list[Box], size: float, depth: int) -> Iterator[list[Box]]:
    """The leaves of the recursive cut, in reading order."""
    parts = None
    if len(boxes) > 1 and depth < _DEEPEST:
        parts = _above_titles(boxes, size) or _at_gutter(boxes, size) or _at_white(boxes, size)
    if parts is None:
        yield boxes
        return
    for part in parts:
        yield from _cut(part, size, depth + 1)


def _above_titles(boxes: Sequence[Box], size: float) -> tuple[list[Box], list[Box]] | None:
    """Above and below the first white under which a row begins that is set in large letters only.

    Two articles beside each other under a third one share a gutter with its columns: their titles
    tell that it ends there.
    """
    ordered = sorted(boxes, key=lambda b: b.top)
    bottom = ordered[0].bottom
    for at, box in enumerate(ordered[1:], 1):
        if box.top > bottom and box.size > _LARGE * size and ordered[at - 1].size <= _LARGE * size:
            row = [b for b in ordered[at:] if b.top < box.bottom - box.size / 2]
            if all(b.size > _LARGE * size for b in row):
                return ordered[:at], ordered[at:]
        bottom = max(bottom, box.bottom)
    return None


def _at_gutter(boxes: Sequence[Box], size: float) -> tuple[list[Box], list[Box]] | None:
    """Both sides of the widest white from top to bottom; None where no column begins."""
    ordered = sorted(boxes, key=lambda b: b.left)
    best, at, right = _GUTTER * size, 0, ordered[0].right
    for number, box in enumerate(ordered[1:], 1):
        if (
            box.left - right > best
            and _is_column(ordered[:number], size)
            and _is_column(ordered[number:], size)
        ):
            best, at = box.left - right, number
        right = max(right, box.right)
    return (ordered[:at], ordered[at:]) if at else None


def _is_column(boxes: Sequence[Box], size: float) -> bool:
    wide = max(b.right for b in boxes) - min(b.left for b in boxes) >= _NARROWEST * size
    return wide and len(boxes) >= _FEWEST


def _at_white(boxes: Sequence[Box], size: float) -> tuple[list[Box], list[Box]] | None:
    """Above and below the white between rows where a column begins on one side, else the widest."""
    ordered = sorted(boxes, key=lambda b: b.top)
    cuts: list[tuple[float, int]] = []
    bottom = ordered[0].bottom
    for number, box in enumerate(ordered[1:], 1):
        if box.top > bottom:
            cuts.append((box.top - bottom, number))
        bottom = max(bottom, box.bottom)
    ranked = sorted(cuts, key=lambda c: (not _lone_row(ordered, c[1]), -round(c[0], 1), c[1]))
    for _, at in ranked[:24]:
        if _at_gutter(ordered[:at], size) or _at_gutter(ordered[at:], size):
            return ordered[:at], ordered[at:]
    widest, at = max(cuts, default=(0.0, 0))
    if widest <= _BREAK * size:
        at = _beside_wide(ordered, [place for _, place in cuts])
    return (ordered[:at], ordered[at:]) if at else None


def _lone_row(ordered: Sequence[Box], at: int) -> bool:
    """Whether the row above or below a place is one large or wide line, as a title is."""
    width = max(b.right for b in ordered) - min(b.left for b in ordered)
    size = median(b.size for b in ordered)
    above, below = max(ordered[:at], key=lambda b: b.bottom), ordered[at]
    rows = (
        (above, sum(b.bottom > above.top + above.size / 2 for b in ordered[:at])),
        (below, sum(b.top < below.bottom - below.size / 2 for b in ordered[at:])),
    )
    return any(
        beside == 1 and (row.size > _LARGE * size or row.right - row.left > 0.55 * width)
        for row, beside in rows
    )


def _beside_wide(ordered: Sequence[Box], places: Sequence[int]) -> int:
    """The first of some places between rows beside a line over several columns, or 0."""
    width = max(b.right for b in ordered) - min(b.left for b in ordered)
    wide = [box.right - box.left > 0.55 * width for box in ordered]
    if 3 * sum(wide) > len(ordered):
        return 0
    return next((at for at in places if wide[at - 1] or wide[at]), 0)


def _rows(leaf: Sequence[Box], size: float) -> list[Box]:
    """The lines of a leaf from above, what stands beside each other put into one."""
    rows: list[Box] = []
    for box in sorted(leaf, key=lambda b: (b.top + b.bottom) / 2):
        last = rows[-1] if rows else None
        if last is not None and (box.top + box.bottom) / 2 < last.bottom - 0.2 * last.size:
            first, second = (last, box) if last.left <= box.left else (box, last)
            rows[-1] = in_one_line(first, second, 0.3 * size)
        else:
            rows.append(box)
    return rows


def _parted(leaf: Sequence[Box]) -> Iterator[list[Box]]:
    """The lines of a column by paragraphs."""
    left, right = min(b.left for b in leaf), max(b.right for b in leaf)
    pitch = median([b.top - a.top for a, b in pairwise(leaf)] or [0.0])
    run = [leaf[0]]
    for before, box in pairwise(leaf):
        if _begins(before, box, left, right, pitch):
            yield run
            run = []
        run.append(box)
    yield run


def _begins(before: Box, box: Box, left: float, right: float, pitch: float) -> bool:
    """Whether a paragraph begins with a line."""
    size = box.size
    resized = max(before.size, size) > 1.2 * min(before.size, size)
    if resized or box.top - before.top > max(1.5 * pitch, 1.8 * size):
        return True
    short = right - before.right > max(_SHORT * size, _first_word(before, box))
    if not short and _INDENT[0] * size < box.left - left < _INDENT[1] * size:
        return before.left - left < _INDENT[0] * size or before.text[-1] in _SENTENCE_ENDS
    return short


def _first_word(before: Box, box: Box) -> float:
    """The room that a Latin line's first word would have taken in the line before, at most."""
    word = box.text.split(" ", 1)[0]
    if not (word.isascii() and before.text[-1].isascii()):
        return 0.0
    return 1.3 * (len(word) + 1) * (box.right - box.left) / len(box.text) + before.size


def _usual_size(leaves: Sequence[Sequence[Box]]) -> float:
    """The size of most letters."""
    sizes = sorted((b.size, len(b.text)) for leaf in leaves for b in leaf)
    half, seen = sum(n for _, n in sizes) / 2, 0
    for size, count in sizes:
        seen += count
        if seen >= half:
            return size
    return 1.0


def _kind(run: Sequence[Box], usual: float) -> BlockKind | None:
    """A heading where a few lines are set in large letters."""
    large = median(box.size for box in run) >= _TITLE * usual
    return BlockKind.TITLE if large and sum(len(b.text) for b in run) <= 80 else None


def _centred(run: Sequence[Box], leaf: Sequence[Box]) -> BlockKind | None:
    """A heading where a line alone stands as far from the column's left as from its right."""
    box = run[0]
    before = box.left - min(b.left for b in leaf)
    after = max(b.right for b in leaf) - box.right
    alone = len(run) == 1 and len(leaf) >= _FEWEST_OF_COLUMN and not is_head(box.text)
    middle = before > _INDENT[0] * box.size and abs(before - after) < 0.8 * box.size
    return BlockKind.HEADING if alone and middle and box.text[-1] not in "。！？；，" else None


def _goes_on(last: tuple[Paragraph, Sequence[Box]], leaf: Sequence[Box]) -> bool:
    """Whether a column goes on with the sentence that the one before it broke off."""
    paragraph, boxes = last
    left = min(b.left for b in leaf)
    first = leaf[0]
    return (
        paragraph.kind is None
        and paragraph.lines[-1][-1] not in _SENTENCE_ENDS
        and len("".join(paragraph.lines)) >= 15
        and abs(boxes[-1].size - first.size) < 0.1 * first.size
        and not _INDENT[0] * first.size < first.left - left < _INDENT[1] * first.size
        and not is_head(first.text)
    )
