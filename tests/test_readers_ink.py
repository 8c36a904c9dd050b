"""Boxes of scanned lines drawn in to their letters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.readers.boxes import Box
from rag.readers.ink import tightened
from rag.readers.layout import columns

LETTER, PITCH = 14, 22


def page(width: int = 400, height: int = 300) -> np.ndarray:
    return np.full((height, width), 240, dtype=np.uint8)


def line(pixels: np.ndarray, left: int, top: int, letters: int) -> Box:
    """Print letters, each a frame with white inside; the box that tightly holds them."""
    for n in range(letters):
        x = left + n * LETTER
        pixels[top : top + LETTER - 1, x : x + LETTER - 1] = 30
        pixels[top + 2 : top + LETTER - 3, x + 2 : x + LETTER - 3] = 240
    right, bottom = left + letters * LETTER - 1, top + LETTER - 1
    return Box("字" * letters, left, top, right, bottom, LETTER - 1, 0.9)


def grown(box: Box, beside: int, above: int) -> Box:
    size = box.size + 2 * above
    return Box(box.text, box.left - beside, box.top - above, box.right + beside,
               box.bottom + above, size, box.sure)  # fmt: skip


SPECKS = st.lists(  # no two in a row or in a column
    st.tuples(st.integers(0, 99), st.integers(0, 132)), max_size=40,
    unique_by=(lambda speck: speck[0], lambda speck: speck[1]),
)  # fmt: skip


@settings(deadline=None)
@given(beside=st.integers(0, 8), above=st.integers(0, 4), specks=SPECKS)
def test_a_box_is_drawn_in_to_its_letters_whatever_specks_lie_around(beside, above, specks):
    pixels = page()
    for row, column in specks:
        pixels[3 * row, 3 * column] = 0
    true = line(pixels, 100, 100, 9)
    (found,) = tightened([grown(true, beside, above)], pixels)
    for side in ("left", "top", "right", "bottom"):
        assert getattr(found, side) == pytest.approx(getattr(true, side), abs=2 + (above > 3))
    assert (found.text, found.sure) == (true.text, true.sure)


def test_the_lines_above_and_below_are_left_out():
    pixels = page()
    lines = [line(pixels, 50, 50 + PITCH * n, 10) for n in range(3)]
    box = Box("字" * 10, 46, lines[1].top - 6, 196, lines[1].bottom + 6, 25, 0.9)
    assert pixels[lines[0].bottom - 1, 60] == 30  # the box reaches almost there
    (found,) = tightened([box], pixels)
    assert (found.top, found.bottom) == (lines[1].top, lines[1].bottom)


def test_a_gutter_is_seen_that_the_boxes_had_closed():
    pixels = page(700)
    left = [line(pixels, 30, 40 + PITCH * n, 20) for n in range(9)]
    right = [line(pixels, 30 + 20 * LETTER + 24, 40 + PITCH * n, 20) for n in range(9)]
    loose = [grown(box, 7, 4) for box in left + right]
    assert len(columns(loose)) == 1
    assert [len(c) for c in columns(tightened(loose, pixels))] == [9, 9]


def test_what_holds_no_letter_stays():
    pixels = page()
    boxes = [Box("一", 10, 10, 40, 30, 20, 0.5), Box("外", 390, 290, 450, 330, 40, 0.5),
             Box("线", 10, 50, 11, 51, 1, 0.5)]  # fmt: skip
    assert tightened(boxes, pixels) == boxes
