"""Plain text to pieces: blank lines part them, hard-wrapped lines are put together."""

from __future__ import annotations

from rag.readers.lines import groups_of, pieces_of, wrap_width
from rag.types import Piece


def text_pieces(text: str, start: int = 0) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """Cut the body of a plain-text file into pieces.

    Args:
        text: the whole canonical text of the file.
        start: where the body begins, in code points.

    Returns:
        The pieces in reading order, and notices. Every character of the body that is not blank is
        in exactly one part of one piece, but for hyphens that parted a word at a line's end.
    """
    groups = groups_of(text, start, len(text))
    closed: set[str] = set()
    pieces = pieces_of(groups, wrap_width(groups), closed)
    notices: tuple[str, ...] = ()
    if closed:
        some = ", ".join(sorted(closed)[:3])
        notices = (f"{len(closed)} words parted at a line's end were closed ({some})",)
    return tuple(pieces), notices
