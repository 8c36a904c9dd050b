"""PDF to paragraphs: PDFium's characters with their places, laid out by `rag.readers.layout`.

A newspaper page becomes a document of its own, whose columns `rag.pages` puts together; the pages
of a report or a magazine are read as one text that runs on over page breaks. What stands at the
top or bottom of many pages is left out, and counted. Pages without text are read by OCR.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from rag.errors import UnreadableFile
from rag.readers import layout
from rag.readers.extract import Extract, Paragraph
from rag.readers.layout import Box

_MOST_PAGES = 2_000
_MOST_CHARACTERS = 200_000  # of a page
_LARGE = 700.0  # points of a newspaper page's shorter side (A3 has 842, A4 595)
_COLUMNS = 3  # that make a smaller page a newspaper's
_MARGIN = 0.12  # of a page's height in which running heads stand
_SCAN = 20  # characters, under which a page with an image is taken for a scan

# What is on one page: its lines, its height and its shorter side in points.
_Page = tuple[list[Box], float, float]


def parse(name: str, data: bytes) -> list[Extract]:
    """The documents of a PDF: one for each newspaper page, or one for all pages.

    Raises:
        UnreadableFile: it is encrypted or damaged, or holds neither text nor images.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower()
        reason = "is encrypted; save it without its password" if locked else "is no PDF, or damaged"
        raise UnreadableFile(name, f"{reason} ({error})") from error
    with pdf:
        if len(pdf) > _MOST_PAGES:
            reason = f"has {len(pdf)} pages, at most {_MOST_PAGES} are read; cut it into parts"
            raise UnreadableFile(name, reason)
        pages: list[_Page] = []
        notices: list[str] = []
        for number in range(len(pdf)):
            pages.append(_page(pdf, number, notices))
        described = _described(pdf, pages[0][0] if pages else [])
    if not any(boxes for boxes, _, _ in pages):
        raise UnreadableFile(name, f"holds no text on its {len(pages)} pages" + _because(notices))
    dropped = _without_running_heads(pages)
    if dropped:
        notices.append(f"{dropped} running heads and page numbers were left out")
    return _extracts(pages, described, notices)


def _because(notices: Sequence[str]) -> str:
    return f" ({notices[0]})" if notices else ""


def _page(pdf: Any, number: int, notices: list[str]) -> _Page:  # noqa: ANN401 untyped
    """One page; its objects are freed at once."""
    page = pdf[number]
    width, height = page.get_size()
    text = page.get_textpage()
    try:
        boxes = list(_lines(text, height))
    finally:
        text.close()
        page.close()
    if text_length(boxes) < _SCAN:
        notices.append(f"page {number + 1} holds no text")
    return boxes, height, min(width, height)


def text_length(boxes: Sequence[Box]) -> int:
    """How many characters some lines have."""
    return sum(len(box.text) for box in boxes)


def _lines(text: Any, height: float) -> Iterator[Box]:  # noqa: ANN401 untyped
    """The page's lines: characters beside each other, in the order of the file."""
    run: list[tuple[str, float, float, float, float, float]] = []
    for char in _characters(text, height):
        if run and not _adjoins(run, char):
            yield from _box(run)
            run = []
        run.append(char)
    yield from _box(run)


def _characters(
    text: Any,  # noqa: ANN401 untyped
    height: float,
) -> Iterator[tuple[str, float, float, float, float, float]]:
    """Each character with left, top, right, bottom (y downwards) and size, in points."""
    from ctypes import c_double

    import pypdfium2.raw as raw

    rect, x, y = raw.FS_RECTF(), c_double(), c_double()
    for at in range(min(text.count_chars(), _MOST_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(text, at)
        if not code or 0xD800 <= code < 0xE000 or raw.FPDFText_IsGenerated(text, at) == 1:
            continue
        if not raw.FPDFText_GetLooseCharBox(text, at, rect):
            continue
        raw.FPDFText_GetCharOrigin(text, at, x, y)
        size = _size(raw.FPDFText_GetFontSize(text, at), text, at)
        base = height - y.value
        char, left, right = chr(code), min(rect.left, x.value), rect.right
        if unicodedata.east_asian_width(char) in "WF":  # some boxes hold the ink alone
            right = max(right, x.value + 0.95 * size)
        yield char, left, base - 0.85 * size, right, base + 0.15 * size, size


def _size(said: float, text: Any, at: int) -> float:  # noqa: ANN401 untyped
    """The height of a character's letters: its font's size times its matrix."""
    import pypdfium2.raw as raw

    matrix = raw.FS_MATRIX()
    if raw.FPDFText_GetMatrix(text, at, matrix):
        scale = abs(matrix.d) or abs(matrix.b)
        return max(1.0, said * scale if scale else said)
    return max(1.0, said)


def _adjoins(run: Sequence[tuple[str, float, float, float, float, float]], char: Any) -> bool:  # noqa: ANN401 the same tuple
    """Whether a character goes on in a line."""
    _, left, top, _, bottom, size = char
    last = run[-1]
    middle = (top + bottom) / 2
    return bool(
        last[2] < middle < last[4]
        and -0.7 * size <= left - last[3] < 1.1 * size
        and 0.7 < size / last[5] < 1.4
    )


def _box(run: Sequence[tuple[str, float, float, float, float, float]]) -> Iterator[Box]:
    gaps = [b[1] - a[3] for a, b in pairwise(run)]
    usual = max(0.0, median(gaps)) if gaps else 0.0  # justified lines are set wider
    text = run[0][0]
    for gap, (char, *_, size) in zip(gaps, run[1:], strict=True):
        text += (" " if gap - usual > _blank(text[-1], char) * size else "") + char
    bare = " ".join(text.split())
    inked = [c for c in run if not c[0].isspace()]
    if bare and inked:
        yield Box(
            bare,
            min(c[1] for c in inked), min(c[2] for c in inked),
            max(c[3] for c in inked), max(c[4] for c in inked),
            max(c[5] for c in inked),
        )  # fmt: skip


def _blank(left: str, right: str) -> float:
    """The white, in heights of a letter, that is a blank between two characters.

    Programs widen the gaps beside punctuation and between Chinese and Latin by themselves.
    """
    if unicodedata.category(left)[0] == "P" or unicodedata.category(right)[0] == "P":
        return 0.2 if left.isascii() and right.isascii() else 0.9
    return 0.2 if left.isascii() == right.isascii() else 0.5


def _without_running_heads(pages: Sequence[_Page]) -> int:
    """Take out what stands in the margin of many pages, and page numbers; how many lines."""
    if len(pages) < 2:
        return 0
    seen: Counter[str] = Counter()
    for boxes, height, _ in pages:
        seen.update({_masked(b.text) for b in boxes if _in_margin(b, height)})
    often = {text for text, count in seen.items() if count >= max(2, 0.3 * len(pages))}
    dropped = 0
    for boxes, height, _ in pages:
        kept = [b for b in boxes if not (_in_margin(b, height) and _masked(b.text) in often)]
        dropped += len(boxes) - len(kept)
        boxes[:] = kept
    return dropped


def _in_margin(box: Box, height: float) -> bool:
    return box.bottom < _MARGIN * height or box.top > (1 - _MARGIN) * height


def _masked(text: str) -> str:
    """A running head without what changes from page to page."""
    return re.sub(r"[\d一二三四五六七八九十]+|[ivxlc]+(?=\W|$)", "#", text)


def _extracts(
    pages: Sequence[_Page], described: dict[str, str], notices: Sequence[str]
) -> list[Extract]:
    laid = [layout.columns(boxes) for boxes, _, _ in pages]
    newspaper = [
        layout.side_by_side(leaves) >= (2 if side >= _LARGE else _COLUMNS)
        for leaves, (_, _, side) in zip(laid, pages, strict=True)
    ]
    told = tuple(notices)
    if 2 * sum(newspaper) < len(pages):
        found: list[Paragraph] = []
        for number, leaves in enumerate(laid, 1):
            added = layout.paragraphs(leaves, number, joined=True)
            found += _over_the_page(found, added)
        return [Extract(tuple(found), described, "pdf", notices=told)]
    extracts = []
    for number, leaves in enumerate(laid, 1):
        part = f"#page={number}" if len(pages) > 1 else ""
        found = layout.paragraphs(leaves, number, joined=False)
        if found:
            metadata = {**described, "kind": "page"}
            metadata.pop("title", None)
            extracts.append(Extract(tuple(found), metadata, "pdf", part, told))
            told = ()
    return extracts


def _over_the_page(before: list[Paragraph], added: list[Paragraph]) -> list[Paragraph]:
    """A page's paragraphs; the first goes on in the last one before it where that broke off."""
    if not before or not added:
        return added
    last, first = before[-1], added[0]
    whole = last.lines[-1][-1] in "。！？!?.…”』）)】;；：:"
    if whole or last.kind or first.kind or len("".join(last.lines)) < 15:
        return added
    before[-1] = Paragraph(last.lines + first.lines, None, last.page)
    return added[1:]


def _described(pdf: Any, first: Sequence[Box]) -> dict[str, str]:  # noqa: ANN401 untyped
    """Title and author as the file states them, where its first page prints them too.

    What programs write there by themselves (a file's name, who was at the computer) is no title.
    """
    said = pdf.get_metadata_dict(skip_empty=True)
    page = "".join("".join(box.text for box in first).split())
    found = {"title": said.get("Title", ""), "authors": said.get("Author", "")}
    return {k: v for k, v in found.items() if v.strip() and "".join(v.split()) in page}
