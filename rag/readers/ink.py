"""Boxes of lines drawn in to their ink.

A detector of text gives boxes that reach beyond the letters, the further the smaller and the more
worn these are: at 100 dots an inch, on a page that lies askew, by a third of a letter's height on
every side. The white between two columns then looks too narrow to part them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag.readers.boxes import Box

_BESIDE = 0.6  # heights of a box by which a side is drawn in at most: half a letter and more
_ABOVE = 0.25
_FEWEST = 2  # dark pixels of a row or column that belongs to a letter; a speck has one


def tightened(boxes: Sequence[Box], page: NDArray[np.uint8]) -> list[Box]:
    """The boxes, each drawn in to the letters that it holds.

    Args:
        boxes: upright, in pixels of the page.
        page: (height, width), 0 is black.
    """
    return [_tightened(box, page) for box in boxes]


def _tightened(box: Box, page: NDArray[np.uint8]) -> Box:
    left, top = max(0, int(box.left)), max(0, int(box.top))
    part = page[top : int(np.ceil(box.bottom)), left : int(np.ceil(box.right))]
    if min(part.shape) < _FEWEST:
        return box
    # Half way between ink and paper, of this line: pages are not everywhere as light.
    ink, paper = np.percentile(part, (2, 90))
    dark = part < (ink + paper) / 2
    if not dark.any():
        return box
    beside, above = int(_BESIDE * part.shape[0]), int(_ABOVE * part.shape[0])
    before, after = _outer(dark.sum(axis=0), beside)
    over, under = _around(dark.sum(axis=1), above)
    right, bottom = left + part.shape[1] - after, top + part.shape[0] - under
    if right <= left + before or bottom <= top + over:
        return box
    size = float(bottom - top - over)
    return replace(box, left=left + before, top=top + over, right=right, bottom=bottom, size=size)


def _outer(dark: NDArray[np.int_], most: int) -> tuple[int, int]:
    """How many columns without letters stand at the beginning and at the end."""
    inked = np.flatnonzero(dark >= _FEWEST)
    if not len(inked):
        return 0, 0
    return min(int(inked[0]), most), min(len(dark) - 1 - int(inked[-1]), most)


def _around(dark: NDArray[np.int_], most: int) -> tuple[int, int]:
    """How many rows stand above and below the line: a box may reach into its neighbours."""
    blank = np.flatnonzero(dark < _FEWEST)
    middle = len(dark) / 2
    over = int(blank[blank < middle][-1]) + 1 if (blank < middle).any() else 0
    under = len(dark) - int(blank[blank >= middle][0]) if (blank >= middle).any() else 0
    return min(over, most), min(under, most)
