"""Which pieces of a page belong together, and in what order: a search over the whole page.

The page is read from top to bottom. A hypothesis holds the articles begun so far; each piece goes
on in one of them, or is a title, a subheading, the end of one. Choices are scored by a log-linear
model over the numbers of `rag.joints` (weights in `page_weights.json`, found by
`eval/fit_pages.py`), and a beam keeps the best hypotheses, so that a late piece can still decide
about an early one. Articles are taken to run forward on the page, though interleaved.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.chains import INDEX, NAMES, State, Step, recent, steps_of
from rag.choices import DECIDED, Choices

_WEIGHTS = Path(__file__).with_name("page_weights.json")
_BEAM = 40
_WORK = 2400  # hypotheses times pieces, about: long pages get a narrower beam
_GAP = 14.0  # hypotheses this far behind the best, in log-odds, are dropped


def search(choices: Choices) -> tuple[Step, ...]:
    """The best hypothesis's steps, one for each piece that is no furniture, in page order."""
    best = max(beam(choices), key=lambda s: s.score + ending(choices, s))
    return steps_of(best)


def beam(choices: Choices) -> list[State]:
    """The best hypotheses at the page's end, their `ending` not yet counted."""
    width = max(6, min(_BEAM, _WORK // max(1, len(choices.lines))))
    beam = [State()]
    for piece, line in enumerate(choices.lines):
        if line.role not in DECIDED:
            continue
        found: list[tuple[float, State, Step]] = []
        for state in beam:
            for step in choices.options(state, piece):
                found.append((state.score + step.odds, state, step))
        beam = _best(choices, found, width)
    return beam


def _best(choices: Choices, found: list[tuple[float, State, Step]], width: int) -> list[State]:
    """The best different hypotheses."""
    found.sort(key=lambda f: -f[0])
    kept: list[State] = []
    seen: set[tuple[object, ...]] = set()
    for score, state, step in found:
        if score < found[0][0] - _GAP or len(kept) >= width:
            break
        after = choices.take(state, step)
        mark = (
            after.near,
            after.title,
            after.forced,
            tuple((c.body[-1:], c.title, c.closed) for _, c in recent(after)),
        )
        if mark not in seen:
            seen.add(mark)
            kept.append(after)
    return kept


def ending(choices: Choices, state: State) -> float:
    """What it costs a hypothesis that articles stay broken off at the page's end."""
    weight: float = choices.weights[INDEX["end.broken"]]
    return broken(choices, state) * weight


def broken(choices: Choices, state: State) -> int:
    """How many articles of a hypothesis are broken off."""
    sides = choices.evidence.sides
    return sum(1 for c in state.chains if c.body and not c.closed and not sides[c.body[-1]].whole)


@lru_cache(maxsize=1)
def load_weights(path: Path = _WEIGHTS) -> NDArray[np.float64]:
    """The weights that come with Wenju, in the order of `NAMES`.

    Raises:
        ValueError: the file has other names than this program.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))["weights"]
    if set(stored) != set(NAMES):
        raise ValueError(f"{path.name} does not fit this version: run eval/fit_pages.py")
    return np.array([stored[name] for name in NAMES], dtype=np.float64)
