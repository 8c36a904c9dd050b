"""Several signals become one score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import Method, fuse, fuse_ranks

SIGNALS = {
    "dense": {"a": 0.8, "b": 0.9, "c": 0.85},
    "lexical": {"a": 10.0, "c": 5.0},
    "sentence": {},
}


def test_fusing_scales_each_signal_and_adds_by_weight():
    fused = fuse(SIGNALS, {"dense": 1.0, "lexical": 3.0, "sentence": 5.0})
    assert fused == pytest.approx({"a": 0.75, "b": 0.25, "c": 0.125 + 0.375})


def test_ranks_are_fused_by_their_reciprocals():
    fused = fuse_ranks(SIGNALS, {"dense": 1.0, "lexical": 3.0, "sentence": 5.0})
    share = 61 / 4
    assert fused == pytest.approx(
        {"a": share * (1 / 63 + 3 / 61), "b": share / 61, "c": share * (1 / 62 + 3 / 62)}
    )
    assert fuse_ranks({"dense": {"a": 0.1}}, {"dense": 2.0}) == pytest.approx({"a": 1.0})


def test_a_weight_of_nothing_leaves_a_signal_out_but_keeps_what_it_found():
    signals = {"dense": {"a": 0.8, "b": 0.9}, "lexical": {"c": 5.0}}
    fused = fuse(signals, {"dense": 0.0, "lexical": 1.0})
    assert fused == pytest.approx({"a": 0.0, "b": 0.0, "c": 1.0})


def scores(highest):
    return st.dictionaries(st.sampled_from("abcdef"), st.floats(0, highest, width=32))


GIVEN = {name: scores(1 if name == "exact" else 30) for name in Method().weights}


@given(st.fixed_dictionaries(GIVEN), st.booleans())
def test_fused_scores_stand_between_0_and_1_whatever_the_order(signals, by_rank):
    method = Method(by_rank=by_rank)
    for across in (False, True):
        fused = method.fused(signals, across)
        assert fused.keys() == {key for found in signals.values() for key in found}
        assert all(-1e-9 <= score <= 1 + 1e-9 for score in fused.values())
        turned = {name: dict(reversed(found.items())) for name, found in signals.items()}
        assert method.fused(turned, across) == pytest.approx(fused)


def test_what_is_held_exactly_counts_from_0_to_1():
    signals = {"dense": {"a": 0.8, "b": 0.9}, "exact": {"a": 0.5}}
    assert fuse(signals, {"dense": 1.0, "exact": 1.0}) == pytest.approx({"a": 0.25, "b": 0.5})
