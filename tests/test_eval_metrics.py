"""Measures over many questions against hand-worked values and the written formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import RANK_MEASURES, means, percentile, rank_scores, refusal
from eval.score import Ranking


def ranking(gold, found):
    return Ranking(frozenset(gold), tuple(found))


def test_rank_scores_by_hand():
    scores = rank_scores(
        {
            "first": ranking({"g"}, ["g", "-2", "-3"]),
            "third": ranking({"g", "h"}, ["-1", "-2", "g", "-4", "-5", "-6", "h"]),
            "none": ranking({"g"}, []),
            "eleventh": ranking({"g"}, [*(f"-{i}" for i in range(10)), "g"]),
        }
    )
    assert scores["first"] == pytest.approx(dict.fromkeys(RANK_MEASURES, 1.0))
    ideal = 1 + 1 / math.log2(3)
    assert scores["third"] == pytest.approx(
        {
            "hit@1": 0,
            "hit@5": 1,
            "hit@10": 1,
            "recall@1": 0,
            "recall@5": 0.5,
            "recall@10": 1,
            "mrr@10": 1 / 3,
            "map@10": (1 / 3 + 2 / 7) / 2,
            "ndcg@10": (1 / math.log2(4) + 1 / math.log2(8)) / ideal,
        }
    )
    assert scores["none"] == dict.fromkeys(RANK_MEASURES, 0.0)
    assert scores["eleventh"] == pytest.approx(dict.fromkeys(RANK_MEASURES, 0.0))
    assert rank_scores({}) == {}


@given(
    st.dictionaries(
        st.integers(0, 30).map("q{}".format),
        st.tuples(
            st.sets(st.integers(0, 8), min_size=1, max_size=4),
            st.lists(st.integers(0, 20), unique=True, max_size=15),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_rank_scores_are_the_formulas(questions):
    scores = rank_scores(
        {
            key: ranking({f"d{g}" for g in gold}, [f"d{f}" for f in found])
            for key, (gold, found) in questions.items()
        }
    )
    for key, (gold, found) in questions.items():
        gains = [1.0 if f in gold else 0.0 for f in found]
        ideal = sum(1 / math.log2(i + 2) for i in range(min(len(gold), 10)))
        gained = sum(g / math.log2(i + 2) for i, g in enumerate(gains[:10]))
        first = next((i for i, g in enumerate(gains[:10]) if g), None)
        expected = {"mrr@10": 0.0 if first is None else 1 / (first + 1), "ndcg@10": gained / ideal}
        precisions = [sum(gains[: i + 1]) / (i + 1) * g for i, g in enumerate(gains[:10])]
        expected["map@10"] = sum(precisions) / len(gold)
        for k in (1, 5, 10):
            expected[f"hit@{k}"] = float(any(gains[:k]))
            expected[f"recall@{k}"] = sum(gains[:k]) / len(gold)
        assert scores[key] == pytest.approx(expected)


def test_means_leave_out_what_does_not_apply_and_count_the_rest():
    found = means([{"a": 1.0, "b": None}, {"a": 0.0}, {"a": 0.5, "b": 0.25}])
    assert found == {"a": {"mean": 0.5, "n": 3}, "b": {"mean": 0.25, "n": 1}}
    assert means([]) == {}


def test_refusal_by_hand():
    #                      answerable: 5 of which 1 refused; unanswerable: 3 of which 2 refused
    answerable = [True] * 5 + [False] * 3
    refused = [True, False, False, False, False, True, True, False]
    found = refusal(answerable, refused)
    assert found == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "false_refusals": 0.2}
    )


def test_refusal_without_anything_to_take_a_share_of():
    assert refusal([True], [False]) == {
        "precision": None,
        "recall": None,
        "f1": None,
        "false_refusals": 0.0,
    }
    assert refusal([False], [False])["recall"] == 0.0


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 20), (0.51, 30), (0.95, 40), (0.25, 10), (1.0, 40)]
)
def test_percentile_is_the_nearest_rank(share, expected):
    assert percentile([40, 10, 30, 20], share) == expected


def test_percentile_of_nothing():
    assert percentile([], 0.5) is None
