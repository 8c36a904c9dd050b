"""Files that need no putting right: one article, or several one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from rag.assemble import Draft, Paragraph
from rag.furniture import iso_date
from rag.heads import inline_authors
from rag.roles import Line, Role
from rag.types import BlockKind

_KINDS = {
    Role.AFFILIATION: BlockKind.AFFILIATION,
    Role.CAPTION: BlockKind.CAPTION,
    Role.HEADING: BlockKind.HEADING,
    Role.TURN: BlockKind.UNPLACED,
    Role.HEADER: BlockKind.UNPLACED,
    Role.RULE: BlockKind.UNPLACED,
    Role.DATELINE: BlockKind.BYLINE,
    Role.BYLINE: BlockKind.BYLINE,
}
_TITLE = 0.5


def one_article(lines: Sequence[Line]) -> Draft:
    """One article, untouched: its first line is a title if it looks like one and text follows."""
    draft = Draft()
    head = True
    for i, line in enumerate(lines):
        if head and draft.title is None and i + 1 < len(lines) and _titled(line):
            draft.title = line.text
            draft.blocks.append(Paragraph(BlockKind.TITLE, [i]))
        else:
            _add(draft, i, line, bare_names=head and draft.title is not None)
            head = head and draft.blocks[-1].kind is not BlockKind.BODY
    if not _has_body(draft):  # a lone caption or date is a text too
        for block in draft.blocks:
            block.kind = BlockKind.BODY if block.kind is not BlockKind.TITLE else block.kind
    name_authors(draft, lines)
    return draft


def in_order(lines: Sequence[Line]) -> list[Draft]:
    """Several articles; a byline, a title before one, or a rule begins the next.

    The last draft holds what belongs to none.
    """
    drafts: list[Draft] = []
    strays = Draft()
    begins = _beginnings(lines)
    for i, line in enumerate(lines):
        if i in begins:
            drafts.append(Draft())
        if line.role in (Role.HEADER, Role.RULE):
            strays.blocks.append(Paragraph(BlockKind.UNPLACED, [i]))
            continue
        if not drafts:
            drafts.append(Draft())
        draft = drafts[-1]
        if i in begins and line.role is not Role.BYLINE and _titled(line):
            draft.title = line.text
            draft.blocks.append(Paragraph(BlockKind.TITLE, [i]))
        else:
            _add(draft, i, line, bare_names=False)
    for draft in drafts:
        name_authors(draft, lines)
    _slogan(drafts, strays, lines)
    return [*drafts, strays]


def _beginnings(lines: Sequence[Line]) -> set[int]:
    """The pieces with which articles begin: a title, or a byline without one."""
    begins: set[int] = set()
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else None
        opens = below is not None and (
            below.role in (Role.BYLINE, Role.DATELINE) or (below.role is Role.BODY and below.lead)
        )
        ruled = i > 0 and lines[i - 1].role is Role.RULE
        if line.role is Role.TITLE or (_titled(line) and (opens or ruled or i == 0)):
            begins.add(i)
        elif line.role is Role.BYLINE and i - 1 not in begins and i - 2 not in begins:
            text = below is not None and below.role in (Role.BODY, Role.DATELINE)
            if text:
                begins.add(i)
    return begins


def _titled(line: Line) -> bool:
    return line.role in (Role.TITLE, Role.HEADING, Role.BODY) and line.title >= _TITLE


def _has_body(draft: Draft) -> bool:
    return any(b.kind is BlockKind.BODY for b in draft.blocks)


def _slogan(drafts: list[Draft], strays: Draft, lines: Sequence[Line]) -> None:
    """A lone title at the top, right above another one, is the slogan of what follows."""
    if len(drafts) < 2 or len(drafts[0].blocks) != 1 or drafts[0].title is None:
        return
    strays.blocks.insert(0, Paragraph(BlockKind.UNPLACED, drafts[0].blocks[0].pieces))
    for draft in drafts[1:]:
        draft.section = drafts[0].title
    del drafts[0]


def _add(draft: Draft, index: int, line: Line, *, bare_names: bool) -> None:
    """Put a piece into its article."""
    kind = _KINDS.get(line.role, BlockKind.BODY)
    byline = line.byline
    if byline is not None and (byline.sure or bare_names):
        draft.authors = draft.authors or byline.authors
        kind = BlockKind.BYLINE
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


def name_authors(draft: Draft, lines: Sequence[Line]) -> None:
    """Where no byline was printed, the authors that the text itself names."""
    body = [b for b in draft.blocks if b.kind is BlockKind.BODY]
    if body and not draft.authors:
        first, last = lines[body[0].pieces[0]], lines[body[-1].pieces[-1]]
        draft.authors = inline_authors(first.text, last.text)
