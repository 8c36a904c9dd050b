"""Which pieces of a page belong together, and in what order: a search over the whole page.

The page is read from top to bottom. A hypothesis holds the articles begun so far; each piece goes
on in one of them, or is a title, a subheading, the end of one. Choices are scored by a log-linear
model over the numbers of `rag.joints` (weights in `page_weights.json`, found by
`eval/fit_pages.py`), and a beam keeps the best hypotheses, so that a late piece can still decide
about an early one. Articles are taken to run forward on the page, though interleaved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.joints import PAIR_NAMES, Evidence
from rag.roles import Line, Role

_WEIGHTS = Path(__file__).with_name("page_weights.json")
_BEAM = 40
_WORK = 2400  # hypotheses times pieces, about: long pages get a narrower beam
_GAP = 14.0  # hypotheses this far behind the best, in log-odds, are dropped
_OPEN = 14  # articles that may go on at any piece
_NO_VECTOR = np.zeros(0, dtype=np.float32)

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
)
HEAD_NAMES = ("bias", "score", "alike", "fresh", "short", "after_whole", "near")
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
_CONT_AT = len(PAIR_NAMES)


@dataclass(frozen=True, slots=True)
class Chain:
    """An article as far as it has been read.

    Attributes:
        body: its pieces in order.
        counted: the last number of each enumeration in its present paragraph.
        opened: quotes and brackets open at its end.
        likeness: how alike it is to every piece of the page, before division by `norm`.
    """

    byline: int | None = None
    title: int | None = None
    body: tuple[int, ...] = ()
    closed: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)
    opened: Mapping[str, int] = field(default_factory=dict)
    likeness: NDArray[np.float32] = field(default_factory=lambda: _NO_VECTOR)
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


class Weaver:
    """The choices that a page leaves open, and the search among them.

    Args:
        lines: the page's pieces in order.
        evidence: their numbers.
        weights: one for each of `NAMES`.
    """

    def __init__(
        self, lines: Sequence[Line], evidence: Evidence, weights: NDArray[np.float64]
    ) -> None:
        self.lines = lines
        self.evidence = evidence
        self.weights = weights.tolist()
        self._next_body = _following(lines)

    def search(self) -> tuple[Step, ...]:
        """The best hypothesis's steps, one for each piece that is no furniture, in page order."""
        best = max(self.beam(), key=lambda s: s.score + self.ending(s))
        return steps_of(best)

    def beam(self) -> list[State]:
        """The best hypotheses at the page's end, their `ending` not yet counted."""
        width = max(6, min(_BEAM, _WORK // max(1, len(self.lines))))
        beam = [State()]
        for piece, line in enumerate(self.lines):
            if line.role not in DECIDED:
                continue
            found: list[tuple[float, State, Step]] = []
            for state in beam:
                for step in self.options(state, piece):
                    found.append((state.score + step.odds, state, step))
            beam = self._best(found, width)
        return beam

    def _best(self, found: list[tuple[float, State, Step]], width: int) -> list[State]:
        """The best different hypotheses."""
        found.sort(key=lambda f: -f[0])
        kept: list[State] = []
        seen: set[tuple[object, ...]] = set()
        for score, state, step in found:
            if score < found[0][0] - _GAP or len(kept) >= width:
                break
            after = self.take(state, step)
            mark = (
                after.near,
                after.title,
                after.forced,
                tuple((c.body[-1:], c.title, c.closed) for c in after.chains),
            )
            if mark not in seen:
                seen.add(mark)
                kept.append(after)
        return kept

    def ending(self, state: State) -> float:
        """What it costs a hypothesis that articles stay broken off at the page's end."""
        weight: float = self.weights[INDEX["end.broken"]]
        return self.broken(state) * weight

    def broken(self, state: State) -> int:
        """How many articles of a hypothesis are broken off."""
        sides = self.evidence.sides
        return sum(
            1 for c in state.chains if c.body and not c.closed and not sides[c.body[-1]].whole
        )

    def options(self, state: State, piece: int) -> list[Step]:
        """What a piece can be under a hypothesis; never empty."""
        line = self.lines[piece]
        if line.role is Role.BYLINE:
            return [Step(piece, "begin", len(state.chains))]
        if line.role is Role.AFFILIATION:
            return self._closings(state, piece) or [Step(piece, "stray", -1)]
        if state.forced >= 0:
            return [self._go_on(state, piece, state.forced, self._shares(state, piece))]
        if not state.chains and line.title > 0 and not self._before_byline(piece):
            return [Step(piece, "stray", -1)]
        near = state.chains[state.near] if state.near >= 0 else None
        if near is not None and not near.body and not near.closed:
            return [Step(piece, "go_on", state.near)]
        steps = list(self._titles(state, piece))
        shares = self._shares(state, piece)
        steps.extend(self._go_on(state, piece, k, shares) for k in shares)
        return steps or [Step(piece, "begin", len(state.chains))]

    def take(self, state: State, step: Step) -> State:
        """The hypothesis after a step."""
        chains = list(state.chains)
        near, title, forced = step.chain, None, -1
        if step.what == "begin":
            byline = step.piece if self.lines[step.piece].role is Role.BYLINE else None
            chain = Chain(byline=byline, title=state.title)
            chains.append(chain if byline is not None else self._grown(chain, step.piece))
        elif step.what == "go_on":
            chains[near] = self._grown(chains[near], step.piece)
        elif step.what == "close":
            chains[near] = replace(chains[near], closed=True)
        elif step.what == "late":
            chains[near] = replace(chains[near], title=step.piece)
            near, forced = state.near, step.chain
        else:
            near = state.near
            title = step.piece if step.what == "title" else None
        return State(
            tuple(chains),
            near,
            title,
            forced,
            state.score + step.odds,
            (step, state.path),
        )

    def _grown(self, chain: Chain, piece: int) -> Chain:
        """An article with one more piece."""
        side = self.evidence.sides[piece]
        counted: dict[str, int] = dict(chain.counted) | dict(side.last)
        opened: dict[str, int] = {}
        if not side.whole or side.opening:
            for sign in {*chain.opened, *side.opening}:
                left = chain.opened.get(sign, 0) - side.closing[sign] + side.opening[sign]
                if left > 0:
                    opened[sign] = left
        likeness, norm = chain.likeness, chain.norm
        row = self.evidence.alike[piece] if len(self.evidence.alike) else _NO_VECTOR
        if len(row):
            norm += float(row[piece]) + 2 * (float(likeness[piece]) if len(likeness) else 0.0)
            likeness = likeness + row if len(likeness) else row
        return replace(
            chain,
            body=(*chain.body, piece),
            counted=counted,
            opened=opened,
            likeness=likeness,
            norm=norm,
        )

    def _shares(self, state: State, piece: int) -> dict[int, tuple[float, float]]:
        """Articles that may go on: likeness to the piece, and the log of its share of them all."""
        going = [k for k, c in enumerate(state.chains) if c.body and not c.closed]
        going = sorted(going, key=lambda k: -state.chains[k].body[-1])[:_OPEN]
        alike = [
            float(c.likeness[piece]) / c.norm**0.5 if c.norm > 0 else 0.0
            for c in (state.chains[k] for k in going)
        ]
        total = sum(alike) + 0.01 * len(alike)
        logs = [float(np.log((a + 0.01) / total * len(alike))) for a in alike]
        return {k: (a, s) for k, a, s in zip(going, alike, logs, strict=True)}

    def _go_on(
        self, state: State, piece: int, chain: int, shares: Mapping[int, tuple[float, float]]
    ) -> Step:
        """The choice that a piece goes on in an article."""
        article = state.chains[chain]
        tail = article.body[-1]
        a, b = self.evidence.sides[tail], self.evidence.sides[piece]
        pair = self.evidence.pair(tail, piece)
        vector = [(i, float(v)) for i, v in enumerate(pair) if v]
        near = chain == state.near
        add = _CONT_AT
        vector.append((add + 2 * a.whole + (not near), 1.0))
        if not near and state.near >= 0:
            left = state.chains[state.near]
            if left.body and not left.closed:
                whole = self.evidence.sides[left.body[-1]].whole
                vector.append((add + (4 if whole else 5), 1.0))
        alike, share = shares.get(chain, (0.0, 0.0))
        vector += [(add + 6, alike), (add + 7, share)]
        closes = sum(min(n, article.opened.get(s, 0)) for s, n in b.closing.items())
        vector.append((add + 8, min(2.0, float(closes))))
        vector.append((add + 9, min(2.0, float(b.closing.total() - closes))))
        if article.opened and not closes:
            vector.append((add + 10, 1.0))
        fits, clashes = counts_on(article.counted, b.first)
        vector += [(add + 11, float(fits)), (add + 12, float(clashes))]
        newer = sum(
            1
            for k in shares
            if k != chain
            and state.chains[k].body[-1] > tail
            and not self.evidence.sides[state.chains[k].body[-1]].whole
        )
        vector += [(add + 13, float(newer)), (add + 14, float(np.log1p(piece - tail - 1)))]
        if a.whole:
            vector += [(add + 15, b.fresh), (add + 16, float(b.hard_start))]
        if state.forced >= 0:
            vector.append((add + 17, 1.0))
        return self._step(piece, "go_on", chain, vector)

    def _titles(self, state: State, piece: int) -> Iterator[Step]:
        """The choices that a piece is a title or a subheading."""
        line = self.lines[piece]
        if line.title <= 0:
            return
        following = self.lines[piece + 1] if piece + 1 < len(self.lines) else None
        body = self._next_body[piece]
        if self._before_byline(piece):
            yield self._head(state, piece, "title", -1, body)
            if not state.chains:
                yield self._head(state, piece, "stray", -1, body)
            return
        if body is None or following is None or following.role is not Role.BODY:
            return
        for k, chain in enumerate(state.chains[-_OPEN:], max(0, len(state.chains) - _OPEN)):
            if chain.title is None and chain.body and not chain.closed:
                yield self._head(state, piece, "late", k, body)
        if state.near >= 0 and state.chains[state.near].body:
            yield self._head(state, piece, "heading", state.near, body)

    def _before_byline(self, piece: int) -> bool:
        """Whether a byline stands right below a piece."""
        return piece + 1 < len(self.lines) and self.lines[piece + 1].role is Role.BYLINE

    def _head(self, state: State, piece: int, what: str, chain: int, body: int | None) -> Step:
        """The choice that a piece is a title (of the next article, or a late one) or subheading."""
        line, side = self.lines[piece], self.evidence.sides[piece]
        at = INDEX[f"{what}.bias"]
        alike = 0.0
        if len(self.evidence.alike) and body is not None:
            alike = float(self.evidence.alike[piece, body])
            if what == "late":
                article = state.chains[chain]
                alike += float(article.likeness[piece]) / max(article.norm, 1e-6) ** 0.5
        vector = [(at, 1.0), (at + 1, line.title), (at + 2, alike), (at + 3, side.fresh)]
        if len(line.text) < 7:
            vector.append((at + 4, 1.0))
        if state.near >= 0:
            before = state.chains[state.near]
            whole = before.closed or not before.body or self.evidence.sides[before.body[-1]].whole
            vector.append((at + 5, float(whole)))
        vector.append((at + 6, float(chain == state.near)))
        return self._step(piece, what, chain, vector)

    def _closings(self, state: State, piece: int) -> list[Step]:
        """The choices of the article that an affiliation closes."""
        steps = []
        for k, chain in enumerate(state.chains):
            if chain.closed or not chain.body:
                continue
            vector = []
            if k != state.near:
                vector.append((INDEX["close.far"], 1.0))
            if not self.evidence.sides[chain.body[-1]].whole:
                vector.append((INDEX["close.broken"], 1.0))
            steps.append(self._step(piece, "close", k, vector))
        return steps[-_OPEN:]

    def _step(self, piece: int, what: str, chain: int, vector: list[tuple[int, float]]) -> Step:
        weights = self.weights
        odds = 0.0
        for index, value in vector:
            odds += weights[index] * value
        return Step(piece, what, chain, tuple(vector), odds)


DECIDED = (Role.BODY, Role.BYLINE, Role.AFFILIATION, Role.TITLE, Role.HEADING)


def _following(lines: Sequence[Line]) -> list[int | None]:
    """For each piece the next body piece behind it."""
    following: list[int | None] = [None] * len(lines)
    last: int | None = None
    for i in range(len(lines) - 1, -1, -1):
        following[i] = last
        if lines[i].role is Role.BODY:
            last = i
    return following


def counts_on(counted: Mapping[str, int], first: Mapping[str, int]) -> tuple[bool, bool]:
    """Whether an enumeration goes on where it stopped, and whether one jumps or starts nowhere."""
    fits = any(kind in counted and number == counted[kind] + 1 for kind, number in first.items())
    clashes = any(
        number > 1 and number != counted.get(kind, 0) + 1
        for kind, number in first.items()
        if kind not in ("digit", "、")
    )
    return fits, clashes and not fits


def steps_of(state: State) -> tuple[Step, ...]:
    """A hypothesis's steps in page order."""
    steps: list[Step] = []
    path = state.path
    while path:
        step, path = path  # type: ignore[assignment]  # a linked list of (step, rest)
        steps.append(step)  # type: ignore[arg-type]  # as above
    return tuple(reversed(steps))


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
