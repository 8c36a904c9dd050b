"""Printed lines with their places, whatever they were read from."""

from __future__ import annotations

from dataclasses import dataclass

from rag.types import Place


@dataclass(frozen=True, slots=True)
class Box:
    """A printed line, or a part of one; y grows downwards, in any unit.

    Attributes:
        size: the height of its letters.
        sure: 0 to 1, how sure OCR is of the text; None where none was needed. The unit is then a
            pixel of the page's picture.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float
    sure: float | None = None

    def place(self, page: int) -> Place | None:
        """Where a line of a scan stands on the picture of a page, which is numbered from 1."""
        if self.sure is None:
            return None
        left, top = max(0, round(self.left)), max(0, round(self.top))
        right, bottom = max(left, round(self.right)), max(top, round(self.bottom))
        return Place(page, left, top, right, bottom, round(self.sure, 3))


def in_one_line(first: Box, second: Box, white: float) -> Box:
    """Two parts of one line as one.

    Args:
        first: the left one.
        second: the right one.
        white: more white than this between them is a blank.
    """
    blank = "" if second.left - first.right < white else " "
    known = [box.sure for box in (first, second) if box.sure is not None]
    return Box(
        first.text + blank + second.text,
        min(first.left, second.left), min(first.top, second.top),
        max(first.right, second.right), max(first.bottom, second.bottom),
        max(first.size, second.size), min(known, default=None),
    )  # fmt: skip
