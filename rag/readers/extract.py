"""What the parser of a binary or marked-up format finds, and the Document that is made of it.

Parsers run in a process of their own (`rag.readers.worker`), so what they give is plain text and
can be sent as JSON. `Document.text` of such a format is the extracted text: lines parted by line
feeds, paragraphs by a blank line, pages by a form feed, so that every place in it has a page.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from rag.errors import UnreadableFile
from rag.pagination import PAGE_BREAK
from rag.readers.decode import clean
from rag.readers.lines import as_kind, join, source_line
from rag.readers.matter import normalise
from rag.types import BlockKind, Document, Picture, Piece, Place, ScanLine, Span


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph as it was laid out.

    Attributes:
        lines: as they are printed; they are put together without a blank beside Chinese.
        kind: what the format itself says, or None.
        page: the number of the page on which it begins, from 1; 0 for a format without pages.
        breaks: the lines, counted from 0, that begin in another column or on another page.
        places: where each line is printed on a scan, None for one that is not; or nothing.
    """

    lines: tuple[str, ...]
    kind: BlockKind | None = None
    page: int = 0
    breaks: tuple[int, ...] = ()
    places: tuple[Place | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Extract:
    """One document found in a file.

    Attributes:
        paragraphs: in reading order.
        metadata: keys as the file names them; see `rag.readers.matter.normalise`.
        format: "html", "pdf" …
        part: what is put behind the file's name where it holds several ("#page=3"), or "".
        notices: what was left out or guessed, for a person to read.
        pictures: of the scanned pages that lines have places on.
        lacks: what is not installed that would have read more of the file ("ocr"), or "".
    """

    paragraphs: tuple[Paragraph, ...]
    metadata: Mapping[str, str | tuple[str, ...]]
    format: str
    part: str = ""
    notices: tuple[str, ...] = field(default=())
    pictures: tuple[Picture, ...] = ()
    lacks: str = ""


def to_json(extract: Extract) -> dict[str, Any]:
    """An extract as JSON can carry it."""
    return {
        "paragraphs": [
            [
                list(p.lines),
                p.kind.value if p.kind else None,
                p.page,
                list(p.breaks),
                [place and astuple(place) for place in p.places] if any(p.places) else [],
            ]
            for p in extract.paragraphs
        ],
        "metadata": dict(extract.metadata),
        "format": extract.format,
        "part": extract.part,
        "notices": list(extract.notices),
        "pictures": [
            [p.page, p.width, p.height, b64encode(p.data).decode()] for p in extract.pictures
        ],
        "lacks": extract.lacks,
    }


def from_json(value: Mapping[str, Any]) -> Extract:
    """The inverse of `to_json`."""
    return Extract(
        tuple(
            Paragraph(
                tuple(lines),
                BlockKind(kind) if kind else None,
                page,
                tuple(breaks),
                tuple(place and Place(*place) for place in places),
            )
            for lines, kind, page, breaks, places in value["paragraphs"]
        ),
        {k: v if isinstance(v, str) else tuple(v) for k, v in value["metadata"].items()},
        value["format"],
        value["part"],
        tuple(value["notices"]),
        tuple(
            Picture(page, width, height, b64decode(data))
            for page, width, height, data in value["pictures"]
        ),
        value["lacks"],
    )


def document(name: str, extract: Extract, digest: str) -> Document:
    """Lay an extract out as a Document.

    Args:
        name: the file's path or the upload's name.
        extract: what its parser found.
        digest: SHA-256 of the file's bytes, hexadecimal; what the reader lacked is put behind it,
            so that the file counts as changed once that is installed.

    Raises:
        UnreadableFile: it holds no text, or metadata that cannot be used.
    """
    text, pieces, printed, dropped = _laid_out(extract.paragraphs)
    if not pieces:
        raise UnreadableFile(name, "holds no text; nothing was added")
    metadata, notices = normalise(name, extract.metadata)
    metadata.pop("notices", None)
    told = (*extract.notices, *notices)
    if dropped:
        told += (f"{dropped} control or invisible characters were left out",)
    if told:
        metadata["notices"] = told
    digest = lacking(digest, extract.lacks) if extract.lacks else digest
    return Document(
        name + extract.part, text, pieces, metadata, extract.format, "", digest,
        printed, extract.pictures,
    )  # fmt: skip


def lacking(digest: str, what: str) -> str:
    """The content hash of a file that was read while something was not installed ("ocr")."""
    return f"{digest}:without-{what}"


def with_notice(document: Document, notice: str) -> Document:
    """A document with one more sentence for a person."""
    told = document.metadata.get("notices", ())
    notices = ((told,) if isinstance(told, str) else tuple(told)) + (notice,)
    return replace(document, metadata={**document.metadata, "notices": notices})


def _laid_out(
    paragraphs: Sequence[Paragraph],
) -> tuple[str, tuple[Piece, ...], tuple[ScanLine, ...], int]:
    """The text of some paragraphs, pieces, scanned lines, and how many characters are left out."""
    texts: list[str] = []
    length, dropped, page = 0, 0, 1
    printed: list[ScanLine] = []
    found: list[tuple[list[tuple[int, str]], BlockKind | None, set[int]]] = []
    for paragraph in paragraphs:
        lines, lost = _clean(paragraph)
        dropped += lost
        if not lines:
            continue
        turned = max(0, paragraph.page - page)
        page += turned
        gap = ("\n" if texts else "") + (PAGE_BREAK * turned or ("\n" if texts else ""))
        texts.append(gap)
        length += len(gap)
        rows: list[tuple[int, str]] = []
        begins: set[int] = set()
        for number, (line, of) in enumerate(lines):
            at = length + (number > 0)
            rows.append((at, line))
            if of in paragraph.breaks and (not number or lines[number - 1][1] != of):
                begins.add(at)
            place = paragraph.places[of] if paragraph.places else None
            if place:
                printed.append(ScanLine(Span(at, at + len(line)), place))
            texts.append(("\n" if number else "") + line)
            length += len(texts[-1])
        found.append((rows, paragraph.kind, begins))
    text = "".join(texts)
    return text, tuple(_pieces(text, found)), tuple(printed), dropped


def _pieces(
    text: str, found: Sequence[tuple[list[tuple[int, str]], BlockKind | None, set[int]]]
) -> Iterator[Piece]:
    """A piece of each paragraph: its lines with their places in `text`, kind and breaks."""
    for rows, kind, begins in found:
        placed = (source_line(text, at, at + len(line)) for at, line in rows)
        piece = as_kind(join([line for line in placed if line]), kind)
        breaks = tuple(p.start for p in piece.parts if p.source.start in begins and p.start)
        yield replace(piece, breaks=breaks)


def _clean(paragraph: Paragraph) -> tuple[list[tuple[str, int]], int]:
    """Canonical lines without blank ones, each with the line it is of, and how much is left out."""
    kept: list[tuple[str, int]] = []
    dropped = 0
    for number, line in enumerate(paragraph.lines):
        text, lost = clean(line)
        dropped += lost
        kept += [(bare, number) for bare in _rows(text) if bare]
    return kept, dropped


def _rows(text: str) -> Iterator[str]:
    for row in text.split("\n"):
        yield " ".join(row.replace("\t", " ").replace("\xa0", " ").split(" ")).strip()
