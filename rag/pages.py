"""From a file's pieces to whole articles: a page, one article, or several one after the other.

`articles` is what the pipeline calls. It decides what the file is, puts a page's broken and
interleaved columns right, and lays every article out with its head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.assemble import Draft, Paragraph, article
from rag.drafts import decisions, drafts_of
from rag.furniture import iso_date
from rag.joints import Evidence
from rag.ngrams import load
from rag.roles import Line, Role, lines_of
from rag.types import Article, BlockKind, Document
from rag.weave import Weaver, load_weights

_KINDS = ("page", "article", "articles")


def articles(document: Document, *, kind: str | None = None) -> tuple[Article, ...]:
    """The whole articles of a file, in the order in which they begin.

    Args:
        document: as a reader made it. Metadata win over what the text suggests: all of them for
            a single article; date, source, page and section for every article of a page.
        kind: "page", "article" or "articles"; None means `document.metadata["kind"]`, and if
            that is absent too, what the text looks like.

    Returns:
        Articles that together hold every character of the pieces once, but for characters that
        the page printed twice (`Joint.dropped`). Pieces of no article (running heads, slogans)
        come last, as blocks of kind UNPLACED in an article of their own.

    Raises:
        ValueError: `kind` is none of the three.
    """
    lines = lines_of(document.pieces)
    kind = _kind(document.metadata, kind, lines)
    drafts = _single(lines) if kind == "article" else _woven(lines)
    for draft in drafts:
        _describe(draft, document.metadata, single=kind == "article")
    return tuple(a for a in (article(document, d) for d in drafts) if a.blocks)


def _kind(
    metadata: Mapping[str, str | tuple[str, ...]], kind: str | None, lines: Sequence[Line]
) -> str:
    """The kind asked for, or the one the lines show."""
    asked = kind or metadata.get("kind")
    if asked is not None:
        if asked not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(_KINDS)}, not {asked!r}")
        return str(asked)
    bylines = sum(line.role is Role.BYLINE for line in lines)
    titles = sum(line.role is Role.TITLE for line in lines)
    places = sum(line.role is Role.AFFILIATION for line in lines)
    if max(bylines, titles, places) < 2:
        return "article"
    return "page"


def _woven(lines: Sequence[Line]) -> list[Draft]:
    """The articles of a page put right, and a last draft of what belongs to none."""
    evidence = Evidence([line.text for line in lines], load())
    found = decisions(Weaver(lines, evidence, load_weights()))
    drafts, strays = drafts_of(lines, evidence, found)
    _imprint(lines, drafts)
    return [*drafts, strays]


def _imprint(lines: Sequence[Line], drafts: Sequence[Draft]) -> None:
    """What running heads say of date, paper and page holds for every article of the page."""
    for line in lines:
        if line.header is None:
            continue
        for draft in drafts:
            draft.published = draft.published or line.header.published
            draft.source = draft.source or line.header.source
            draft.page = draft.page or line.header.page


def _single(lines: Sequence[Line]) -> list[Draft]:
    """One article: its first line is a title if it looks like one and text follows."""
    draft = Draft()
    for i, line in enumerate(lines):
        head = not any(b.kind is BlockKind.BODY for b in draft.blocks)
        if (
            head
            and draft.title is None
            and (line.role is Role.TITLE or (line.title >= 0.5 and i + 1 < len(lines)))
        ):
            draft.title = line.text
            draft.blocks.append(Paragraph(BlockKind.TITLE, [i]))
        elif line.role is Role.BYLINE and line.byline is not None and not draft.authors:
            draft.authors = line.byline.authors
            draft.blocks.append(Paragraph(BlockKind.BYLINE, [i]))
        else:
            _add(draft, i, line)
    return [draft]


def _add(draft: Draft, index: int, line: Line) -> None:
    """Put a piece that begins no article into the one it stands in."""
    kind = {
        Role.AFFILIATION: BlockKind.AFFILIATION,
        Role.CAPTION: BlockKind.CAPTION,
        Role.HEADING: BlockKind.HEADING,
        Role.TURN: BlockKind.UNPLACED,
        Role.HEADER: BlockKind.UNPLACED,
        Role.RULE: BlockKind.UNPLACED,
        Role.DATELINE: BlockKind.BYLINE,
    }.get(line.role, BlockKind.BODY)
    if line.affiliation is not None:
        draft.affiliations = (*draft.affiliations, *line.affiliation.places)
        draft.authors = draft.authors or line.affiliation.authors
    if line.role is Role.DATELINE:
        draft.published = draft.published or iso_date(line.text)
    if line.header is not None:
        draft.published = draft.published or line.header.published
        draft.source = draft.source or line.header.source
        draft.page = draft.page or line.header.page
    draft.blocks.append(Paragraph(kind, [index]))


def _describe(draft: Draft, metadata: Mapping[str, str | tuple[str, ...]], *, single: bool) -> None:
    """Let the front matter win over what was read from the page."""
    draft.published = _one(metadata, "published") or draft.published
    draft.source = _one(metadata, "source") or draft.source
    draft.page = _one(metadata, "page") or draft.page
    draft.section = _one(metadata, "section") or draft.section
    draft.language = _one(metadata, "language") or draft.language
    if single:
        draft.title = _one(metadata, "title") or draft.title
        draft.authors = _many(metadata, "authors") or draft.authors
        draft.affiliations = _many(metadata, "affiliations") or draft.affiliations
        draft.url = _one(metadata, "url") or draft.url


def _one(metadata: Mapping[str, str | tuple[str, ...]], key: str) -> str | None:
    value = metadata.get(key)
    if isinstance(value, tuple):
        return "、".join(value) or None
    return value or None


def _many(metadata: Mapping[str, str | tuple[str, ...]], key: str) -> tuple[str, ...]:
    value = metadata.get(key)
    if isinstance(value, str):
        return (value,) if value else ()
    return value or ()
