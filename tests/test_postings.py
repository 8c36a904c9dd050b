"""Packed postings against the postings that they were packed from."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import index.postings
from index.postings import POSTING, Postings

rows = st.one_of(st.integers(0, 40), st.integers(0, 70_000), st.integers(0, 2**32 - 1))
counts = st.tuples(
    st.sampled_from([0, 1, 1, 1, 2, 65_535]), st.sampled_from([0, 0, 255]), st.integers(0, 2)
)
tokens = st.lists(st.dictionaries(rows, counts, max_size=12), max_size=12)


def plain(
    held: list[dict[int, tuple[int, int, int]]],
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    starts = np.cumsum([0, *map(len, held)])
    found = [(row, *own[row]) for own in held for row in sorted(own)]
    return np.array(found, POSTING), starts


@pytest.mark.parametrize("block", [3, 1 << 20])
@given(held=tokens)
def test_everything_comes_back(block: int, held: list[dict[int, tuple[int, int, int]]]) -> None:
    postings, starts = plain(held)
    with patch.object(index.postings, "_BLOCK", block):
        packed = Postings.of(postings, starts)
        of, back = packed.all()
    assert len(packed) == len(held)
    assert packed.total == len(postings)
    np.testing.assert_array_equal(back, postings)
    np.testing.assert_array_equal(of, np.repeat(np.arange(len(held)), np.diff(starts)))
    for token in range(len(held)):
        mine = postings[starts[token] : starts[token + 1]]
        found, places = packed.rows(token)
        np.testing.assert_array_equal(found, mine["row"])
        times = packed.counts[np.zeros(len(mine), int) if places is None else places]
        for name in times.dtype.names or ():
            np.testing.assert_array_equal(times[name], mine[name])


@given(held=tokens, data=st.data())
def test_several_are_each_one_after_the_other(
    held: list[dict[int, tuple[int, int, int]]], data: st.DataObject
) -> None:
    packed = Postings.of(*plain(held))
    some = data.draw(st.lists(st.integers(0, len(held) - 1), max_size=6)) if held else []
    found, places = packed.several(packed.shapes(np.array(some, np.int64)))
    alone = [packed.rows(token) for token in some]
    empty = np.empty(0, np.int64)
    np.testing.assert_array_equal(found, np.concatenate([empty, *(r for r, _ in alone)]))
    each = [np.zeros(len(r), np.int64) if p is None else p for r, p in alone]
    np.testing.assert_array_equal(places, np.concatenate([empty, *each]))


@pytest.mark.parametrize(
    ("gap", "times", "size"),
    [(255, 1, 1), (256, 1, 2), (65_535, 1, 2), (65_536, 1, 4), (255, 2, 1 + 1)],
)
def test_a_posting_takes_as_many_bytes_as_its_token_needs(gap: int, times: int, size: int) -> None:
    held = [{7: (1, 0, 0), 8: (1, 0, 0), 9: (1, 0, 0)}, {gap: (times, 0, 0)}]
    packed = Postings.of(*plain(held))
    assert len(packed.data) == (1 + 3) + (1 + size)
    assert packed.counts[0].tolist() == (1, 0, 0)


def test_more_distinct_counts_than_two_bytes_number() -> None:
    number = 70_000
    found = np.zeros(number, POSTING)
    found["row"] = np.arange(number)
    found["text"], found["title"] = np.arange(number) % 65_536, np.arange(number) // 65_536
    packed = Postings.of(found, np.array([0, number]))
    assert len(packed.counts) == number
    np.testing.assert_array_equal(packed.all()[1], found)
