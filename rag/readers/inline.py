"""The visible text of one Markdown block, with the place of every run in the file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.readers.lines import Line
from rag.types import Part, Span

_AHEAD = 4_000  # code points searched for a run; the marks between two runs are shorter
_MARK_CHARACTERS = frozenset("*_~`[]()<>!\\ \t\n")

# A visible run: its characters, and where they begin in the block's content (None: not in it).
_Run = tuple[str, int | None]


def visible_lines(
    content: str, tokens: Sequence[Token], starts: Sequence[int], md: MarkdownIt
) -> tuple[list[Line], bool]:
    """The lines of a block as a reader sees them.

    Args:
        content: the block's source without the marks of its containers.
        tokens: what markdown-it's inline parser made of it.
        starts: where in the file each line of `content` begins, in code points.
        md: gives the helpers that read link targets.

    Returns:
        The lines that are not blank, and whether the block is nothing but an image.
    """
    offsets = [0]
    for row in content.split("\n")[:-1]:
        offsets.append(offsets[-1] + len(row) + 1)
    lines: list[Line] = []
    runs: list[_Run] = []
    shown = 0
    images = 0
    for token, run in _runs(content, tokens, md):
        if token.type in ("softbreak", "hardbreak"):
            lines += _line(runs, offsets, starts, token.type == "hardbreak")
            runs = []
        elif run is not None:
            images += token.type == "image"
            shown += token.type != "image" and bool(run[0].strip())
            runs.append(run)
    lines += _line(runs, offsets, starts, False)
    return lines, images == 1 and not shown


def _runs(
    content: str, tokens: Sequence[Token], md: MarkdownIt
) -> Iterator[tuple[Token, _Run | None]]:
    cursor = 0
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            cursor = _after(content, "\n", cursor)
            yield token, None
        elif token.type == "link_close" and token.markup != "autolink":
            cursor = _after_target(content, _after(content, "]", cursor), md)
        elif token.type == "image":
            begin = _after(content, "![", cursor)
            label = md_text(token)
            found = content.find(label, begin, begin + _AHEAD) if label else -1
            end = found + len(label) if found >= 0 else begin
            cursor = _after_target(content, _after(content, "]", end), md)
            if label:
                yield token, (label, found if found >= 0 else None)
        elif token.type == "html_inline":
            cursor = _after(content, token.content, cursor)
        elif token.type == "text_special" and token.info == "entity":
            cursor = _after(content, token.markup, cursor)
            yield token, (token.content, None)
        elif token.content:
            begin = content.find(token.content, cursor, cursor + len(token.content) + _AHEAD)
            if begin >= 0:
                cursor = begin + len(token.content)
                yield token, (token.content, begin)
            else:
                yield token, (token.content, None)


def md_text(token: Token) -> str:
    """The description of an image without marks."""
    return "".join(child.content for child in token.children or [])


def _after(content: str, mark: str, cursor: int) -> int:
    found = content.find(mark, cursor, cursor + len(mark) + _AHEAD)
    return cursor if found < 0 else found + len(mark)


def _after_target(content: str, cursor: int, md: MarkdownIt) -> int:
    """The place after a link's "(target "title")" or "[reference]", which begins at `cursor`."""
    end = len(content)
    if content.startswith("[", cursor):
        close = content.find("]", cursor, cursor + 1001)
        return cursor if close < 0 else close + 1
    if not content.startswith("(", cursor):
        return cursor
    at = _blank_end(content, cursor + 1)
    target = md.helpers.parseLinkDestination(content, at, end)
    at = _blank_end(content, target.pos if target.ok else at)
    title = md.helpers.parseLinkTitle(content, at, end)
    at = _blank_end(content, title.pos if title.ok else at)
    return at + 1 if content.startswith(")", at) else cursor


def _blank_end(content: str, at: int) -> int:
    while at < len(content) and content[at] in " \t\n":
        at += 1
    return at


def _line(
    runs: Sequence[_Run], offsets: Sequence[int], starts: Sequence[int], breaks: bool
) -> list[Line]:
    """One line of runs, without blanks around it; none when nothing is left."""
    text = "".join(shown for shown, _ in runs)
    lead = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    parts: list[Part] = []
    at = 0
    for shown, begin in runs:
        if begin is not None:
            row = bisect_right(offsets, begin) - 1
            place = starts[row] + begin - offsets[row]
            left, right = max(at, lead), min(at + len(shown), end)
            if left < right:
                span = Span(place + left - at, place + right - at)
                if parts and _adjoins(parts[-1], left - lead, span.start):
                    parts[-1] = Part(parts[-1].start, Span(parts[-1].source.start, span.end))
                else:
                    parts.append(Part(left - lead, span))
        at += len(shown)
    return [Line(text[lead:end], tuple(parts), 0, breaks)] if end > lead else []


def _adjoins(part: Part, start: int, place: int) -> bool:
    return part.start + len(part.source) == start and part.source.end == place
