"""The pages of a document that has some, and which one a place of its text stands on."""

from __future__ import annotations

from collections.abc import Iterable

from rag.types import Document

PAGE_BREAK = "\f"
"""What parts two pages in `Document.text`."""

PAGED = frozenset({"pdf", "scan"})
"""The formats that have pages."""


def page_at(text: str, at: int) -> int:
    """The number, from 1, of the page on which a place of `Document.text` stands."""
    return text.count(PAGE_BREAK, 0, at) + 1


def pages_of(document: Document, pieces: Iterable[int]) -> str | None:
    """The pages on which some of a document's pieces stand: "3", "3-5"; None without pages."""
    if document.format not in PAGED:
        return None
    places = [part.source for number in pieces for part in document.pieces[number].parts]
    if not places:
        return None
    first = page_at(document.text, min(span.start for span in places))
    last = page_at(document.text, max(span.end for span in places))
    return str(first) if first == last else f"{first}-{last}"
