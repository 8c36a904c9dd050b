"""The risk–coverage curve by hand and by its definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.risk import Point, area, curve


def test_by_hand():
    confidences = [0.9, 0.5, 0.5, None, 0.1]
    right = [True, True, False, False, False]
    points = curve(confidences, right)
    assert points == [
        Point(0.2, 0.0, 0.9),
        Point(0.6, pytest.approx(1 / 3), 0.5),  # two that cannot be told apart
        Point(0.8, 0.5, 0.1),
    ]
    assert area(points) == pytest.approx((0.2 * 0 + 0.4 / 3 + 0.2 * 0.5) / 0.8)


def test_nothing_answered():
    assert curve([None, None], [False, False]) == []
    assert area([]) is None


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 5).map(lambda i: i / 5)), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_each_point_is_what_answering_from_its_confidence_on_gives(pairs):
    confidences, right = zip(*pairs, strict=True)
    for point in curve(confidences, right):
        kept = [r for c, r in pairs if c is not None and c >= point.confidence]
        assert point.coverage == pytest.approx(len(kept) / len(pairs))
        assert point.risk == pytest.approx(kept.count(False) / len(kept))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.randoms())
def test_the_order_of_the_questions_does_not_count(right, rng):
    pairs = [(rng.random(), r) for r in right]
    shuffled = rng.sample(pairs, len(pairs))
    assert area(curve(*zip(*pairs, strict=True))) == pytest.approx(
        area(curve(*zip(*shuffled, strict=True)))
    )


def test_a_perfect_confidence_is_better_than_a_reversed_one():
    right = [True, True, False]
    assert area(curve([0.9, 0.8, 0.1], right)) < area(curve([0.1, 0.2, 0.9], right))
