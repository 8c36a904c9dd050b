"""So many requests a minute, whatever the clock on the wall does."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rates import MINUTE, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_one_as_each_part_of_the_minute_goes() -> None:
    clock = Clock()
    rates = Rates(6, 0, clock)
    assert [rates.wait("key", "a") for _ in range(6)] == [None] * 6
    assert rates.wait("key", "a") == 10
    assert rates.wait("key", "a") == 10  # who is refused is not counted
    assert rates.wait("key", "b") is None
    clock.now += 9.5
    assert rates.wait("key", "a") == 1
    clock.now += 0.5
    assert rates.wait("key", "a") is None
    assert rates.wait("key", "a") == 10
    clock.now += MINUTE
    assert [rates.wait("key", "a") for _ in range(6)] == [None] * 6


def test_what_has_no_limit_is_never_refused() -> None:
    rates = Rates(0, 1, Clock())
    assert {rates.wait("key", "a") for _ in range(100)} == {None}
    assert [rates.wait("address", "a"), rates.wait("address", "a")] == [None, 60]


@given(st.integers(1, 50), st.lists(st.floats(0, 20), max_size=200))
def test_no_minute_has_more_than_twice_as_many(number: int, pauses: list[float]) -> None:
    clock, passed = Clock(), []
    rates = Rates(number, 0, clock)
    for pause in pauses:
        clock.now += pause
        wait = rates.wait("key", "a")
        if wait is None:
            passed.append(clock.now)
        else:
            assert 1 <= wait <= math.ceil(MINUTE)
    for start in passed:
        assert sum(start <= at < start + MINUTE for at in passed) <= 2 * number


@pytest.mark.parametrize("again", [1, 3])
def test_however_many_come_those_who_asked_most_are_remembered(again: int) -> None:
    clock = Clock()
    rates = Rates(0, 3, clock)
    for _ in range(3):
        assert rates.wait("address", "greedy") is None
    for number in range(100_000):
        rates.wait("address", str(number))
    assert rates.wait("address", "greedy") == 20
    clock.now += again * MINUTE
    assert rates.wait("address", "greedy") is None
