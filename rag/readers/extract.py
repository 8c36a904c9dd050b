"""What the parser of a binary or marked-up format finds, and the Document that is made of it.

Parsers run in a process of their own (`rag.readers.worker`), so what they give is plain text and
can be sent as JSON. `Document.text` of such a format is the extracted text: lines parted by line
feeds, paragraphs by a blank line, pages by a form feed, so that every place in it has a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rag.errors import UnreadableFile
from rag.readers.decode import clean
from rag.readers.lines import as_kind, join, source_line
from rag.readers.matter import normalise
from rag.types import BlockKind, Document, Piece

PAGE_BREAK = "\f"
PAGED = frozenset({"pdf", "scan"})
"""The formats that have pages."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph as it was laid out.

    Attributes:
        lines: as they are printed; they are put together without a blank beside Chinese.
        kind: what the format itself says, or None.
        page: the number of the page on which it begins, from 1; 0 for a format without pages.
        breaks: the lines, counted from 0, that begin in another column or on another page.
    """

    lines: tuple[str, ...]
    kind: BlockKind | None = None
    page: int = 0
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Extract:
    """One document found in a file.

    Attributes:
        paragraphs: in reading order.
        metadata: keys as the file names them; see `rag.readers.matter.normalise`.
        format: "html", "pdf" …
        part: what is put behind the file's name where it holds several ("#page=3"), or "".
        notices: what was left out or guessed, for a person to read.
    """

    paragraphs: tuple[Paragraph, ...]
    metadata: Mapping[str, str | tuple[str, ...]]
    format: str
    part: str = ""
    notices: tuple[str, ...] = field(default=())


def to_json(extract: Extract) -> dict[str, Any]:
    """An extract as JSON can carry it."""
    return {
        "paragraphs": [
            [list(p.lines), p.kind.value if p.kind else None, p.page, list(p.breaks)]
            for p in extract.paragraphs
        ],
        "metadata": dict(extract.metadata),
        "format": extract.format,
        "part": extract.part,
        "notices": list(extract.notices),
    }


def from_json(value: Mapping[str, Any]) -> Extract:
    """The inverse of `to_json`."""
    return Extract(
        tuple(
            Paragraph(tuple(lines), BlockKind(kind) if kind else None, page, tuple(breaks))
            for lines, kind, page, breaks in value["paragraphs"]
        ),
        {k: v if isinstance(v, str) else tuple(v) for k, v in value["metadata"].items()},
        value["format"],
        value["part"],
        tuple(value["notices"]),
    )


def document(name: str, extract: Extract, digest: str) -> Document:
    """Lay an extract out as a Document.

    Args:
        name: the file's path or the upload's name.
        extract: what its parser found.
        digest: SHA-256 of the file's bytes, hexadecimal.

    Raises:
        UnreadableFile: it holds no text, or metadata that cannot be used.
    """
    text, pieces, dropped = _laid_out(extract.paragraphs)
    if not pieces:
        raise UnreadableFile(name, "holds no text; nothing was added")
    metadata, notices = normalise(name, extract.metadata)
    metadata.pop("notices", None)
    told = (*extract.notices, *notices)
    if dropped:
        told += (f"{dropped} control or invisible characters were left out",)
    if told:
        metadata["notices"] = told
    return Document(name + extract.part, text, pieces, metadata, extract.format, "", digest)


def with_notice(document: Document, notice: str) -> Document:
    """A document with one more sentence for a person."""
    told = document.metadata.get("notices", ())
    notices = ((told,) if isinstance(told, str) else tuple(told)) + (notice,)
    return replace(document, metadata={**document.metadata, "notices": notices})


def _laid_out(paragraphs: Sequence[Paragraph]) -> tuple[str, tuple[Piece, ...], int]:
    """The text of some paragraphs, their pieces, and how many characters were left out."""
    texts: list[str] = []
    length, dropped, page = 0, 0, 1
    found: list[tuple[list[tuple[int, str]], BlockKind | None, set[int]]] = []
    for paragraph in paragraphs:
        lines, lost, broken = _clean(paragraph)
        dropped += lost
        if not lines:
            continue
        turned = max(0, paragraph.page - page)
        page += turned
        gap = ("\n" if texts else "") + (PAGE_BREAK * turned or ("\n" if texts else ""))
        texts.append(gap)
        length += len(gap)
        rows: list[tuple[int, str]] = []
        for number, line in enumerate(lines):
            rows.append((length + (number > 0), line))
            texts.append(("\n" if number else "") + line)
            length += len(texts[-1])
        found.append((rows, paragraph.kind, {rows[number][0] for number in broken}))
    text = "".join(texts)
    pieces = []
    for rows, kind, begins in found:
        placed = (source_line(text, at, at + len(line)) for at, line in rows)
        piece = as_kind(join([line for line in placed if line]), kind)
        breaks = tuple(p.start for p in piece.parts if p.source.start in begins and p.start)
        pieces.append(replace(piece, breaks=breaks))
    return text, tuple(pieces), dropped


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


def _clean(paragraph: Paragraph) -> tuple[list[str], int, list[int]]:
    """Canonical lines without blank ones, how many characters were left out, and the breaks."""
    kept: list[str] = []
    dropped = 0
    breaks: list[int] = []
    for number, line in enumerate(paragraph.lines):
        text, lost = clean(line)
        dropped += lost
        rows = [bare for bare in _rows(text) if bare]
        if rows and number in paragraph.breaks:
            breaks.append(len(kept))
        kept += rows
    return kept, dropped, breaks


def _rows(text: str) -> Iterator[str]:
    for row in text.split("\n"):
        yield " ".join(row.replace("\t", " ").replace("\xa0", " ").split(" ")).strip()
