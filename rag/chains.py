"""What a reading of a page is made of: articles so far, steps, hypotheses, and the numbers' names.

A hypothesis is never changed: a step makes a new one, and its steps are a linked list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rag.joints import PAIR_NAMES

_RECENT = 24  # articles begun last that may still go on
NO_VECTOR = np.zeros(0, dtype=np.float32)

CONT_NAMES = (
    *(f"{state}.{name}" for state in ("broken", "whole") for name in ("near", "far")),
    "left_whole",
    "left_broken",
    "alike_article",
    "alike_share",
    "closes",
    "closes_nothing",
    "stays_open",
    "next_number",
    "wrong_number",
    "rank",
    "distance",
    "fresh_whole",
    "hard_whole",
    "after_title",
    "alike_best",
)
HEAD_NAMES = (
    "bias",
    "score",
    "alike",
    "fresh",
    "short",
    "after_whole",
    "near",
    "ends",
    "rival",
    "young",
)
NAMES = (
    *(f"pair.{n}" for n in PAIR_NAMES),
    *(f"go_on.{n}" for n in CONT_NAMES),
    *(f"title.{n}" for n in HEAD_NAMES),
    *(f"late.{n}" for n in HEAD_NAMES),
    *(f"heading.{n}" for n in HEAD_NAMES),
    *(f"stray.{n}" for n in HEAD_NAMES),
    "close.far",
    "close.broken",
    "end.broken",
)
INDEX = {name: i for i, name in enumerate(NAMES)}
CONT_AT = len(PAIR_NAMES)


@dataclass(frozen=True, slots=True)
class Chain:
    """An article as far as it has been read.

    Attributes:
        body: its pieces in order.
        counted: the last number of each enumeration in its present paragraph.
        opened: quotes and brackets open at its end.
        likeness: how alike it is to every piece of the page, before division by `norm`.
        best: how alike its likest piece is to every piece of the page.
    """

    byline: int | None = None
    title: int | None = None
    body: tuple[int, ...] = ()
    closed: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)
    opened: Mapping[str, int] = field(default_factory=dict)
    likeness: NDArray[np.float32] = field(default_factory=lambda: NO_VECTOR)
    best: NDArray[np.float32] = field(default_factory=lambda: NO_VECTOR)
    norm: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: what a piece is, and of which article.

    Attributes:
        what: "go_on", "title", "late", "heading", "close", "begin" or "stray".
        chain: the article's number, in the order of beginning; -1 for none.
        vector: the numbers that spoke for it: index in `NAMES` and value.
        odds: the score, log-odds.
    """

    piece: int
    what: str
    chain: int
    vector: tuple[tuple[int, float], ...] = ()
    odds: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """A hypothesis.

    Attributes:
        near: the article of the piece before; -1 at the page's head.
        title: a piece taken for the title of the article that begins next, or None.
        forced: the article that must go on next, its title having just been set; or -1.
        path: the steps so far, newest first, as a linked list.
    """

    chains: tuple[Chain, ...] = ()
    near: int = -1
    title: int | None = None
    forced: int = -1
    score: float = 0.0
    path: tuple[object, ...] = ()


def recent(state: State) -> Iterator[tuple[int, Chain]]:
    """The articles begun last, with their numbers; older ones are taken to be over."""
    first = max(0, len(state.chains) - _RECENT)
    yield from enumerate(state.chains[first:], first)


def steps_of(state: State) -> tuple[Step, ...]:
    """A hypothesis's steps in page order."""
    steps: list[Step] = []
    path = state.path
    while path:
        step, path = path  # type: ignore[assignment]  # a linked list of (step, rest)
        steps.append(step)  # type: ignore[arg-type]  # as above
    return tuple(reversed(steps))
