"""Plans become articles: text laid out, every character's place in the file kept.

A `Draft` says which pieces of a document make up one article; `article` lays it out as
`rag.types.Article` describes and computes its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.language import language_of
from rag.types import Article, Block, BlockKind, Document, Joint, Part, Piece, Span

_BY_LAYOUT = 0.95
"""Confidence of a joint that a printed page's layout closed: on 24 made pages of five articles in
one to five columns all of 126 paragraphs with such joints were those that had been set."""

_LAID_OUT = ("the next column, or page, goes on without an indent in letters of the same size",)


@dataclass(frozen=True, slots=True)
class Join:
    """How a piece goes on in the next one of its paragraph.

    Attributes:
        confidence: 0 to 1, higher is surer.
        reasons: strongest first, for a person to read.
        doubled: whether the next piece's first character repeats this one's last.
    """

    confidence: float
    reasons: tuple[str, ...] = ()
    doubled: bool = False


@dataclass(slots=True)
class Paragraph:
    """Pieces of one block, by number, and the joins between them (one fewer)."""

    kind: BlockKind
    pieces: list[int]
    joins: list[Join] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """What one article will be made of.

    Attributes:
        blocks: in the order of the article's text.
        title: as it stands in the metadata; None when none was printed.
    """

    blocks: list[Paragraph] = field(default_factory=list)
    title: str | None = None
    authors: tuple[str, ...] = ()
    affiliations: tuple[str, ...] = ()
    published: str | None = None
    source: str | None = None
    page: str | None = None
    section: str | None = None
    language: str | None = None
    url: str | None = None


def article(document: Document, draft: Draft) -> Article:
    """Lay a draft out as an article.

    Blocks stand in the draft's order, parted by a blank line. Where Latin text was joined a blank
    is put in; where a character was printed twice the second one is left out and recorded.
    """
    texts: list[str] = []
    blocks: list[Block] = []
    start = 0
    for paragraph in draft.blocks:
        text, parts, joints = _joined(document.pieces, paragraph)
        if not text:
            continue
        blocks.append(
            Block(
                paragraph.kind,
                Span(start, start + len(text)),
                tuple(Part(p.start + start, p.source) for p in parts),
                tuple(_moved(j, start) for j in joints),
            )
        )
        texts.append(text)
        start += len(text) + 2
    text = "\n\n".join(texts)
    language = draft.language or language_of(text)
    return Article(
        id=article_id(text, draft, language),
        text=text,
        blocks=tuple(blocks),
        title=draft.title,
        authors=draft.authors,
        affiliations=draft.affiliations,
        published=draft.published,
        source=draft.source,
        page=draft.page,
        section=draft.section,
        language=language,
        url=draft.url,
    )


def article_id(text: str, draft: Draft, language: str) -> str:
    """16 hexadecimal digits of the SHA-256 over the text and everything said about it."""
    facts = {
        "text": text,
        "title": draft.title,
        "authors": list(draft.authors),
        "affiliations": list(draft.affiliations),
        "published": draft.published,
        "source": draft.source,
        "page": draft.page,
        "section": draft.section,
        "language": language,
        "url": draft.url,
    }
    canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]


def _joined(pieces: Sequence[Piece], paragraph: Paragraph) -> tuple[str, list[Part], list[Joint]]:
    """One block's text; parts and joints count from its own start."""
    text = ""
    parts: list[Part] = []
    joints: list[Joint] = []
    for number, index in enumerate(paragraph.pieces):
        piece = pieces[index]
        skip, dropped_at = 0, None
        if number:
            join = paragraph.joins[number - 1]
            dropped_at = first_source(piece) if join.doubled else None
            skip = 1 if dropped_at else 0
            if needs_blank(text, piece.text[skip:]):
                text += " "
            joints.append(
                Joint(len(text), join.confidence, piece.text[:skip], join.reasons, dropped_at)
            )
        shift = len(text) - skip
        joints += [Joint(shift + at, _BY_LAYOUT, reasons=_LAID_OUT) for at in piece.breaks]
        text += piece.text[skip:]
        parts.extend(_part for p in piece.parts if (_part := _shifted(p, shift, skip)))
    return text, parts, joints


def _shifted(part: Part, shift: int, skip: int) -> Part | None:
    """A piece's part in its block, without the first `skip` characters of the piece."""
    cut = max(0, skip - part.start)
    if cut >= len(part.source):
        return None
    return Part(part.start + cut + shift, Span(part.source.start + cut, part.source.end))


def _moved(joint: Joint, by: int) -> Joint:
    return Joint(joint.at + by, joint.confidence, joint.dropped, joint.reasons, joint.dropped_at)


def first_source(piece: Piece) -> Span | None:
    """Where the first character of a piece stands in the file; None if it was put in."""
    for part in piece.parts:
        if part.start == 0 and len(part.source):
            return Span(part.source.start, part.source.start + 1)
    return None


def needs_blank(before: str, after: str) -> bool:
    """Whether two pieces need a blank between them: Latin words do, Chinese text does not."""
    if not before or not after or before[-1].isspace() or after[0].isspace():
        return False
    left, right = before[-1], after[0]
    return (
        left.isascii()
        and right.isascii()
        and ((right.isalnum() or right in "([\"'$") and (left.isalnum() or left in ",.;:!?)]\"'%"))
        and not (left.isdigit() and right.isdigit())
        and _is_latin(before, after)
    )


def _is_latin(before: str, after: str) -> bool:
    """Whether the text around a joint is mostly Latin script."""
    return language_of(before[-40:] + after[:40]) == "en"
