"""Markdown to pieces: markdown-it-py finds the blocks and the marks, the places are found here.

Tokens say in which lines a block stands but not where in a line, so each token's text is looked
for from where the one before it ended. What a hostile file could make slow is bounded: markdown-it
takes time as the square of the marks in a block, so a block with very many keeps them, and a file
longer than `_LONGEST` is read as plain text; both are told in a notice.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.readers.inline import visible_lines
from rag.readers.lines import Line, as_kind, join, pieces_of, source_line, wrap_width
from rag.readers.text import text_pieces
from rag.types import BlockKind, Part, Piece, Span

_LONGEST = 4_000_000  # code points
_MOST_MARKS = 1_000  # in one block; ordinary paragraphs have a dozen
_MOST_WORK = 50_000_000  # sum over a file's blocks of the squares of their marks, about a second
_ORDERED = re.compile(r"[\s>*+-]*(\d{1,9}[.)])[ \t]+")
_RULE_LINE = re.compile(r"[\s>|:=*_~`+-]*(?:`{3}.*|~{3}.*)?$")
_COMMENT_OR_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z!?][^<>]{0,2000}>", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]{0,2000}>")

_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|big|cite|code|del|em|font|i|ins|mark|q|s|small|span|strong|sub|sup|u)\b",
    re.IGNORECASE,
)

# One block: its lines, what the format says it is, and whether its lines stay apart.
_Found = tuple[int, list[Line], BlockKind | None, bool]


def markdown_pieces(text: str, start: int = 0) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """Cut the body of a Markdown file into pieces.

    Headings become TITLE (the first, when it is of the first level) or HEADING; an image alone its
    caption; a table row a piece with its cells parted by " | "; ordered items keep their number.

    Args:
        text: the whole canonical text of the file.
        start: where the body begins, in code points.

    Returns:
        The pieces in reading order, and notices. Marks, link targets and tags are in no piece; a
        line that is not markup is never left out, however deep it is nested.
    """
    if len(text) - start > _LONGEST:
        pieces, notices = text_pieces(text, start)
        told = f"longer than {_LONGEST} characters: read as plain text, marks are kept"
        return pieces, (*notices, told)
    reading = _Reading(text, start)
    blocks = sorted(reading.blocks(), key=lambda block: block[0])
    groups = [lines for _, lines, kind, apart in blocks if kind is None and not apart]
    width = wrap_width(groups)
    pieces_found: list[Piece] = []
    closed: set[str] = set()
    for _, lines, kind, apart in blocks:
        if apart or kind is not None:
            pieces_found.append(as_kind(join(lines, closed), kind))
        else:
            pieces_found += pieces_of([lines], width, closed)
    if not pieces_found:  # nothing but marks: better shown as it is than lost
        return text_pieces(text, start)
    return tuple(pieces_found), tuple(reading.notices)


class _Reading:
    """One pass over a file's tokens."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.notices: list[str] = []
        self.starts = [start]  # where each line of the body begins
        at = text.find("\n", start)
        while at >= 0:
            self.starts.append(at + 1)
            at = text.find("\n", at + 1)
        self.starts.append(len(text) + 1)
        self.covered = bytearray(len(self.starts))
        self.used = start  # nothing before this place is looked at for the next token
        self.titled = False
        self.work = 0
        self.md = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        self.references: dict[str, object] = {}

    def blocks(self) -> Iterator[_Found]:
        """The blocks, each with the number of its first line; then what no block covered."""
        tokens: list[Token] = []
        env: dict[str, object] = {}
        body = self.text[self.starts[0] :]
        self.md.block.parse(body, self.md, env, tokens)
        self.references = env
        yield from self._leaves(tokens)
        for reference in _reference_maps(env):
            self._cover(reference)
        yield from self._left_over()

    def _leaves(self, tokens: Sequence[Token]) -> Iterator[_Found]:
        heading: Token | None = None
        item: Token | None = None
        for at, token in enumerate(tokens):
            if token.type == "heading_open":
                heading = token
                self._cover(token.map)
            elif token.type == "list_item_open":
                item = token if token.info else None
            elif token.type == "tr_open":
                yield from self._row(tokens, at)
            elif token.type in ("thead_open", "hr", "html_block", "fence", "code_block"):
                self._cover(token.map)
                if token.type == "thead_open" and token.map:
                    self._cover([token.map[0], token.map[1] + 1])
                if token.type in ("fence", "code_block"):
                    yield from self._code(token)
                elif token.type == "html_block":
                    yield from self._html(token)
            elif token.type == "inline" and token.map and not _in_table(tokens, at):
                yield from self._inline(token, heading, item)
                heading = item = None

    def _cover(self, lines: Sequence[int] | None) -> None:
        for line in range(lines[0], min(lines[1], len(self.covered))) if lines else ():
            self.covered[line] = 1

    def _inline(self, token: Token, heading: Token | None, item: Token | None) -> Iterator[_Found]:
        first, last = token.map or (0, 0)
        self._cover((first, last))
        rows = token.content.split("\n")
        starts = [self._place(row, first + at) for at, row in enumerate(rows)]
        lines, only_image = self._visible(token.content, starts)
        if item is not None and lines:
            lines[0] = self._numbered(lines[0], first)
        kind = BlockKind.CAPTION if only_image else None
        if heading is not None:
            top = heading.tag == "h1" and not self.titled
            kind = BlockKind.TITLE if top else BlockKind.HEADING
            self.titled = self.titled or top
        if lines:
            yield first, lines, kind, False

    def _visible(self, content: str, starts: list[int]) -> tuple[list[Line], bool]:
        marks = sum(map(content.count, "[]!*_`<&\\~"))
        self.work += marks * marks
        if marks > _MOST_MARKS or self.work > _MOST_WORK:
            told = "paragraphs with too many marks keep them"
            if told not in self.notices:
                self.notices.append(told)
            rows = zip(content.split("\n"), starts, strict=True)
            plain = (source_line(self.text, at, at + len(row)) for row, at in rows)
            return [line for line in plain if line is not None], False
        tokens: list[Token] = []
        self.md.inline.parse(content, self.md, self.references, tokens)
        return visible_lines(content, tokens, starts, self.md)

    def _place(self, row: str, line: int) -> int:
        """Where a row of a token's content stands in the text; it ends its line but for markup."""
        begin, end = self.starts[line], self.starts[line + 1] - 1
        at = self.text.find(row, begin, end)
        if at < 0:  # a tab was made into blanks: the row without them is there
            bare = row.lstrip()
            at = self.text.find(bare, begin, end) - (len(row) - len(bare))
        return max(at, 0)

    def _numbered(self, line: Line, number: int) -> Line:
        """The line with the number of its list item before it."""
        begin = self.starts[number]
        mark = _ORDERED.match(self.text, begin, self.starts[number + 1] - 1)
        if not mark or not line.parts or mark.end() > line.parts[0].source.start:
            return line
        lead = self.text[mark.start(1) : mark.end(1)] + " "
        parts = [Part(p.start + len(lead), p.source) for p in line.parts]
        head = Part(0, Span(mark.start(1), mark.end(1)))
        return Line(lead + line.text, (head, *parts), line.indent, line.breaks)

    def _row(self, tokens: Sequence[Token], at: int) -> Iterator[_Found]:
        line = (tokens[at].map or [0])[0]
        self._cover((line, line + 1))
        cells: list[Line] = []
        cursor, end = self.starts[line], self.starts[line + 1] - 1
        for number in range(at + 1, len(tokens)):
            token = tokens[number]
            if token.type == "tr_close":
                break
            if token.type != "inline" or not token.content:
                continue
            place, source = self._cell(token.content, cursor, end)
            if place >= 0:
                cells += self._visible(source, [place])[0]
                cursor = place + len(source)
        if cells:
            yield line, [_beside(cells)], None, True

    def _cell(self, content: str, begin: int, end: int) -> tuple[int, str]:
        """Where a cell stands and its source; the table rule took the backslash before a bar."""
        if "|" not in content:
            return self.text.find(content, begin, end), content
        pattern = re.escape(content).replace(r"\|", r"\\?\|")
        found = re.compile(pattern).search(self.text, begin, end)
        return (found.start(), found[0]) if found else (-1, "")

    def _code(self, token: Token) -> Iterator[_Found]:
        first, last = token.map or (0, 0)
        inner = (first + 1, last) if token.type == "fence" else (first, last)
        rows = token.content.split("\n")
        lines = []
        for number, row in zip(range(*inner), rows, strict=False):
            if row.strip():
                at = self.text.find(row.strip(), self.starts[number], self.starts[number + 1] - 1)
                line = source_line(self.text, at, at + len(row.strip())) if at >= 0 else None
                lines += [(number, line)] if line else []
        for number, line in lines:
            yield number, [line], None, True

    def _html(self, token: Token) -> Iterator[_Found]:
        first, last = token.map or (0, 0)
        begin, end = self.starts[first], self.starts[last] - 1
        group: list[Line] = []
        place = begin
        for line in _tagless_lines(self.text, begin, end):
            if line is not None:
                place = line.parts[0].source.start if not group else place
                group.append(line)
            elif group:
                yield bisect_right(self.starts, place) - 1, group, None, False
                group = []
        if group:
            yield bisect_right(self.starts, place) - 1, group, None, False

    def _left_over(self) -> Iterator[_Found]:
        """Lines that no token covers and that are more than marks (nested too deeply)."""
        for number in range(len(self.starts) - 1):
            if not self.covered[number]:
                line = source_line(self.text, self.starts[number], self.starts[number + 1] - 1)
                if line is not None and not _RULE_LINE.match(line.text):
                    yield number, [line], None, True


def _tagless_lines(text: str, begin: int, end: int) -> Iterator[Line | None]:
    """The lines of some HTML without its tags; None where a block-level tag or a blank line is."""
    shown, parts, at = "", list[Part](), begin
    # Before the last "-->" every comment ends, so that the search below is linear.
    last = max(begin, text.rfind("-->", begin, end) + 3)
    tags = [*_COMMENT_OR_TAG.finditer(text, begin, last)]
    cuts = [*tags, *_TAG.finditer(text, tags[-1].end() if tags else begin, end), None]
    for tag in cuts:
        stop = tag.start() if tag else end
        for number, row in enumerate(text[at:stop].split("\n")):
            if number:
                yield _trimmed(shown, parts)
                shown, parts = "", []
            if row:
                parts.append(Part(len(shown), Span(at, at + len(row))))
            shown += row
            at += len(row) + (1 if at + len(row) < stop else 0)
        at = tag.end() if tag else end
        if tag is None or not (tag[0].startswith("<!--") or _INLINE_TAG.match(tag[0])):
            yield _trimmed(shown, parts)
            yield None
            shown, parts = "", []


def _trimmed(text: str, parts: Sequence[Part]) -> Line | None:
    """A line without the blanks around it; None when nothing is left."""
    lead, end = len(text) - len(text.lstrip()), len(text.rstrip())
    kept = []
    for part in parts:
        left, right = max(part.start, lead), min(part.start + len(part.source), end)
        if left < right:
            begin = part.source.start - part.start
            kept.append(Part(left - lead, Span(begin + left, begin + right)))
    return Line(text[lead:end], tuple(kept)) if end > lead else None


def _in_table(tokens: Sequence[Token], at: int) -> bool:
    return at > 0 and tokens[at - 1].type in ("td_open", "th_open")


def _reference_maps(env: dict[str, object]) -> Iterator[Sequence[int]]:
    """The lines of link definitions, which are no text of the article."""
    for found in (env.get("references"), env.get("duplicate_refs")):
        entries = found.values() if isinstance(found, dict) else found or ()
        for entry in entries if isinstance(entries, (list, type({}.values()))) else ():
            yield entry["map"]


def _beside(cells: Sequence[Line]) -> Line:
    """Table cells as one line, parted by " | "."""
    text, parts = "", list[Part]()
    for cell in cells:
        text += " | " if text else ""
        parts += [Part(len(text) + part.start, part.source) for part in cell.parts]
        text += cell.text
    return Line(text, tuple(parts))
