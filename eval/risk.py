"""Risk and coverage: how often an answer is wrong, by how many questions are answered.

Questions are taken in the order of the system's confidence; after each, coverage is the share of
all questions that are answered so far, and risk the share of those answered that are wrong
(El-Yaniv and Wiener 2010). A useful confidence starts near risk 0 and rises to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Point:
    """One place on the curve.

    Attributes:
        coverage: above 0, at most 1.
        risk: 0 to 1, lower is better.
        confidence: the least one that is answered here.
    """

    coverage: float
    risk: float
    confidence: float


def curve(confidences: Sequence[float | None], right: Sequence[bool]) -> list[Point]:
    """The curve, from the surest answer on.

    Args:
        confidences: of each question's answer, higher is surer; None for one that was refused or
            failed, which is never answered.
        right: whether the answer is right; one to an unanswerable question is not.

    Returns:
        A point for each confidence: equal ones cannot be told apart and are answered together.
        Empty where nothing was answered.
    """
    pairs = [(c, r) for c, r in zip(confidences, right, strict=True) if c is not None]
    points: list[Point] = []
    answered = wrong = 0
    for confidence, group in groupby(sorted(pairs, key=lambda p: -p[0]), key=lambda p: p[0]):
        held = [r for _, r in group]
        answered += len(held)
        wrong += held.count(False)
        points.append(Point(answered / len(confidences), wrong / answered, confidence))
    return points


def area(points: Sequence[Point]) -> float | None:
    """The mean risk over the coverages that the system reaches (AURC), 0 to 1, lower is better.

    Each answered question counts with the risk at its point (Geifman and El-Yaniv 2017); None
    where nothing was answered.
    """
    if not points:
        return None
    before = 0.0
    total = 0.0
    for point in points:
        total += point.risk * (point.coverage - before)
        before = point.coverage
    return total / before
