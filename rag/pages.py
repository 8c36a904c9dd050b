"""From a file's pieces to whole articles: a page, one article, or several one after the other.

`articles` is what the pipeline calls. It decides what the file is, puts a page's broken and
interleaved columns right, and lays every article out with its head. `explain` tells why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.assemble import Draft, article
from rag.choices import Choices
from rag.drafts import decisions, drafts_of
from rag.joints import Evidence
from rag.kinds import KINDS, kind_of
from rag.ngrams import load
from rag.order import in_order, one_article
from rag.page_report import Explanation, reports
from rag.pagination import pages_of
from rag.pieces import without_turn_lines
from rag.roles import Line, lines_of
from rag.types import Article, Document
from rag.weave import load_weights

MOST_WOVEN = 1500  # pieces; longer files are read in order, as no page has so many


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
    pieces = without_turn_lines(document.pieces)
    lines = lines_of(pieces)
    kind, _ = _kind(document.metadata, kind, lines)
    return _laid_out(replace(document, pieces=pieces), _drafts(lines, kind), kind)


def explain(document: Document, *, kind: str | None = None) -> Explanation:
    """Why `articles` gives what it gives; the same arguments and errors."""
    pieces = without_turn_lines(document.pieces)
    lines = lines_of(pieces)
    kind, why = _kind(document.metadata, kind, lines)
    if kind != "page" or len(lines) > MOST_WOVEN:
        return Explanation(kind, why, ())
    evidence = Evidence([line.text for line in lines], load())
    choices = Choices(lines, evidence, load_weights())
    found = decisions(choices)
    drafts, _ = drafts_of(lines, evidence, found)
    return Explanation(kind, why, tuple(reports(lines, choices, found, drafts)))


def _kind(
    metadata: Mapping[str, str | tuple[str, ...]], kind: str | None, lines: Sequence[Line]
) -> tuple[str, str]:
    """The kind asked for, or the one the lines show; and why."""
    asked = kind or metadata.get("kind")
    if asked is None:
        return kind_of(lines)
    if asked not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {asked!r}")
    return str(asked), "it was said so"


def _drafts(lines: Sequence[Line], kind: str) -> list[Draft]:
    """Drafts of the articles, what belongs to none last."""
    if kind == "article":
        return [one_article(lines)]
    if kind == "articles" or len(lines) > MOST_WOVEN:
        return in_order(lines)
    evidence = Evidence([line.text for line in lines], load())
    found = decisions(Choices(lines, evidence, load_weights()))
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


def _laid_out(document: Document, drafts: Sequence[Draft], kind: str) -> tuple[Article, ...]:
    """Drafts as articles, the front matter winning over what was read."""
    for draft in drafts:
        _describe(draft, document.metadata, single=kind == "article")
        draft.page = draft.page or pages_of(document, (i for b in draft.blocks for i in b.pieces))
    return tuple(a for a in (article(document, d) for d in drafts) if a.blocks)


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
