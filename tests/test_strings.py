"""Sorted strings on disk, against Python's own."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import index.strings
from index.strings import Strings

VALUES = st.lists(st.binary(max_size=6), unique=True).map(sorted)


@given(VALUES, st.lists(st.binary(max_size=6)))
def test_what_is_located_is_there(values: list[bytes], others: list[bytes]) -> None:
    strings = Strings.of(values)
    wanted = [*others, *values, *others]
    expected = [values.index(v) if v in values else -1 for v in wanted]
    assert strings.locate(wanted).tolist() == expected
    assert [strings.find(v) for v in wanted] == expected
    assert list(strings) == values == [strings[i] for i in range(len(strings))]
    assert strings.some(np.arange(len(values))[::-1]) == values[::-1]


@given(VALUES, st.lists(st.binary(max_size=6)))
def test_strings_with_one_hash_are_told_apart(values: list[bytes], others: list[bytes]) -> None:
    def coarse(some: list[bytes]) -> np.ndarray:
        return np.array([len(v) % 2 for v in some], np.uint64)

    with patch.object(index.strings, "keys_of", coarse):
        strings = Strings.of(values)
        wanted = [*others, *values]
        expected = [values.index(v) if v in values else -1 for v in wanted]
        assert strings.locate(wanted).tolist() == expected
