"""PDF to lines: PDFium's characters with their places; `rag.readers.printed` lays them out.

Pages that hold an image and no text are read by OCR.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from rag.errors import UnreadableFile
from rag.readers import printed, scans
from rag.readers.boxes import Box
from rag.readers.extract import Extract
from rag.readers.printed import Page

_MOST_PAGES = 2_000
_MOST_CHARACTERS = 200_000  # of a page
_DPI = 200  # at which scans are read
_WIDEST = 5_000  # pixels of a page's longer side
_SCAN = 20  # characters, under which a page with an image is taken for a scan


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
        notices: list[str] = []
        pages = [_page(pdf, number) for number in range(len(pdf))]
        lacks = _read_scans(name, pdf, pages, notices)
        described = _described(pdf, pages[0].boxes if pages else [])
    if not any(page.boxes for page in pages):
        raise UnreadableFile(name, f"holds no text on its {len(pages)} pages" + _because(notices))
    return printed.extracts(pages, described, notices, "pdf", lacks)


def _because(notices: Sequence[str]) -> str:
    return f" ({notices[0]})" if notices else ""


def _page(pdf: Any, number: int) -> Page:  # noqa: ANN401 untyped
    """One page; its objects are freed at once."""
    page = pdf[number]
    width, height = page.get_size()
    text = page.get_textpage()
    try:
        boxes = list(_lines(text, height))
    finally:
        text.close()
        page.close()
    return Page(boxes, height, min(width, height))


def _read_scans(name: str, pdf: Any, pages: list[Page], notices: list[str]) -> str:  # noqa: ANN401 untyped
    """Read the pages that hold images and no text by OCR; what is not installed for it, or ""."""
    done = 0
    for number, page in enumerate(pages):
        if sum(len(box.text) for box in page.boxes) >= _SCAN or not _has_image(pdf, number):
            continue
        if done == scans.MOST_PAGES:
            notices.append(f"page {number + 1} and later scans were not read: cut the file up")
            break
        try:
            scans.engine(name)
        except UnreadableFile as error:
            notices.append(f"page {number + 1} {error.reason}")
            return scans.LACKS
        scale = min(_DPI / 72, _WIDEST / max(pdf[number].get_size()))
        image = pdf[number].render(scale=scale).to_pil().convert("RGB")
        pages[number] = scans.page_of(name, image, number + 1, notices)
        done += 1
    return ""


def _has_image(pdf: Any, number: int) -> bool:  # noqa: ANN401 untyped
    import pypdfium2.raw as raw

    return next(pdf[number].get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,)), None) is not None


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
    if not run:
        return
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

    Programs widen the gaps beside punctuation and between Chinese and Latin by themselves. A blank
    is a quarter of a letter's height, of which the f before it may hang over a tenth.
    """
    if unicodedata.category(left)[0] == "P" or unicodedata.category(right)[0] == "P":
        return 0.2 if left.isascii() and right.isascii() else 0.9
    return 0.14 if left.isascii() == right.isascii() else 0.5


def _described(pdf: Any, first: Sequence[Box]) -> dict[str, str]:  # noqa: ANN401 untyped
    """Title and author as the file states them, where its first page prints them too.

    What programs write there by themselves (a file's name, who was at the computer) is no title.
    """
    said = pdf.get_metadata_dict(skip_empty=True)
    page = "".join("".join(box.text for box in first).split())
    found = {"title": said.get("Title", ""), "authors": said.get("Author", "")}
    return {k: v for k, v in found.items() if v.strip() and "".join(v.split()) in page}
