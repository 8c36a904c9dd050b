"""The pages of a PDF or a scan to documents: what a printed page is, whatever it was read from.

A newspaper page becomes a document of its own. Where titles in large letters part its articles,
the layout says what goes on in which column; else `rag.pages` weighs the text of the pieces. The
pages of a report or a magazine are read as one text that runs on over page breaks. What stands at
the top or bottom of many pages is left out, and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.furniture import parse_page_header
from rag.readers import layout
from rag.readers.boxes import Box
from rag.readers.extract import Extract, Paragraph
from rag.types import BlockKind, Picture

_LARGE = 700.0  # points of a newspaper page's shorter side (A3 has 842, A4 595)
_COLUMNS = 3  # that make a smaller page a newspaper's
_TITLES = 2  # in large letters: where they part the articles, the text need not tell
_MARGIN = 0.12  # of a page's height in which running heads stand


@dataclass(frozen=True, slots=True)
class Page:
    """What is printed on a page.

    Attributes:
        boxes: its lines; running heads are taken out of this list.
        height: in the unit of the boxes.
        shorter: its shorter side in points, 1/72 of an inch.
        picture: of a scan; the boxes stand on it.
    """

    boxes: list[Box]
    height: float
    shorter: float
    picture: Picture | None = None


def _imprint(found: Sequence[Paragraph]) -> dict[str, str]:
    """Date, paper and page of a newspaper page as its running head prints them."""
    head = next((h for p in found[:2] if (h := parse_page_header(" ".join(p.lines)))), None)
    if head is None:
        return {}
    said = {"published": head.published, "source": head.source, "page": head.page}
    return {key: value for key, value in said.items() if value}


def _without_running_heads(pages: Sequence[Page]) -> int:
    """Take out what stands in the margin of many pages, and page numbers; how many lines."""
    if len(pages) < 2:
        return 0
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_masked(b.text) for b in page.boxes if _in_margin(b, page.height)})
    often = {text for text, count in seen.items() if count >= max(2, 0.3 * len(pages))}
    dropped = 0
    for page in pages:
        kept = [
            b for b in page.boxes if not (_in_margin(b, page.height) and _masked(b.text) in often)
        ]
        dropped += len(page.boxes) - len(kept)
        page.boxes[:] = kept
    return dropped


def _in_margin(box: Box, height: float) -> bool:
    return box.bottom < _MARGIN * height or box.top > (1 - _MARGIN) * height


def _masked(text: str) -> str:
    """A running head without what changes from page to page."""
    return re.sub(r"[\d一二三四五六七八九十]+|[ivxlc]+(?=\W|$)", "#", text)


def extracts(
    pages: Sequence[Page],
    described: Mapping[str, str],
    notices: Sequence[str],
    kind: str,
    lacks: str = "",
) -> list[Extract]:
    """The documents of some pages: one for each newspaper page, or one for all.

    Args:
        pages: in order, with and without text.
        described: what the file states of itself.
        notices: what was left out so far.
        kind: the format, "pdf" or "scan".
        lacks: what is not installed that would have read more; see `Extract`.
    """
    dropped = _without_running_heads(pages)
    told = tuple(notices)
    if dropped:
        told += (f"{dropped} running heads and page numbers were left out",)
    laid = [layout.columns(page.boxes) for page in pages]
    newspaper = [
        layout.side_by_side(leaves) >= (2 if page.shorter >= _LARGE else _COLUMNS)
        for leaves, page in zip(laid, pages, strict=True)
    ]
    if 2 * sum(newspaper) < len(pages):
        found: list[Paragraph] = []
        for number, leaves in enumerate(laid, 1):
            added = layout.paragraphs(leaves, number, joined=True)
            found += _over_the_page(found, added)
        pictures = tuple(page.picture for page in pages if page.picture)
        return [Extract(tuple(found), dict(described), kind, "", told, pictures, lacks)]
    extracts = []
    for number, leaves in enumerate(laid, 1):
        picture = pages[number - 1].picture
        part = f"#page={number}" if len(pages) > 1 else ""
        found = layout.paragraphs(leaves, number, joined=True)
        titles = sum(paragraph.kind is BlockKind.TITLE for paragraph in found)
        if titles < _TITLES:
            found = layout.paragraphs(leaves, number, joined=False)
        if found:
            metadata = {**described, "kind": "articles" if titles >= _TITLES else "page"}
            metadata.pop("title", None)
            metadata |= _imprint(found)
            pictures = (picture,) if picture else ()
            extracts.append(Extract(tuple(found), metadata, kind, part, told, pictures, lacks))
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
    count = len(last.lines)
    breaks = (*last.breaks, count, *(count + at for at in first.breaks))
    places = last.places + first.places
    before[-1] = Paragraph(last.lines + first.lines, None, last.page, breaks, places)
    return added[1:]
