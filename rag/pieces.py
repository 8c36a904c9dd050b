"""Cutting a piece in two, every character keeping its place in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.types import Part, Piece, Span

_TURN = (
    r"(?:下|上|紧|文)(?:转|接)\s*[A-H]?[第\d一二三四五六七八九十]+\s*(?:版|页)?[^（()）。]{0,12}"
)
_TURN_END = re.compile(rf"[（(【]\s*{_TURN}[）)】]\s*$")
_TURN_START = re.compile(rf"^\s*[（(【]\s*{_TURN}[）)】]")


def without_turn_lines(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces, with a turn line at an end (（下转第三版）) or start cut off as its own."""
    cut: list[Piece] = []
    for piece in pieces:
        start = _TURN_START.match(piece.text[:60])
        if start and start.end() < len(piece.text):
            first, piece = split(piece, start.end())
            cut.append(first)
        tail = max(0, len(piece.text) - 60)
        end = _TURN_END.search(piece.text[tail:])
        if end and tail + end.start() > 0:
            cut.extend(split(piece, tail + end.start()))
        else:
            cut.append(piece)
    return tuple(cut)


def split(piece: Piece, at: int) -> tuple[Piece, Piece]:
    """A piece as two, the second beginning with character `at`; both keep the kind."""
    left: list[Part] = []
    right: list[Part] = []
    for part in piece.parts:
        end = part.start + len(part.source)
        if part.start < at:
            left.append(
                Part(
                    part.start,
                    Span(part.source.start, part.source.start + min(end, at) - part.start),
                )
            )
        if end > at:
            skipped = max(0, at - part.start)
            right.append(
                Part(max(0, part.start - at), Span(part.source.start + skipped, part.source.end))
            )
    return (
        replace(
            piece,
            text=piece.text[:at],
            parts=tuple(left),
            breaks=tuple(b for b in piece.breaks if b < at),
        ),
        replace(
            piece,
            text=piece.text[at:],
            parts=tuple(right),
            breaks=tuple(b - at for b in piece.breaks if b > at),
        ),
    )
