"""What each piece of a page can be under a hypothesis, scored by a log-linear model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag.chains import CONT_AT, INDEX, Chain, State, Step, recent
from rag.joints import Evidence
from rag.roles import Line, Role

_OPEN = 14  # articles that may go on at any piece
DECIDED = (Role.BODY, Role.BYLINE, Role.AFFILIATION, Role.TITLE, Role.HEADING)


class Choices:
    """The choices that a page leaves open, and what speaks for each.

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

    def options(self, state: State, piece: int) -> list[Step]:
        """What a piece can be under a hypothesis; never empty."""
        line = self.lines[piece]
        if line.role is Role.BYLINE:
            return [Step(piece, "begin", len(state.chains))]
        if line.role is Role.AFFILIATION:
            return self._closings(state, piece) or [Step(piece, "stray", -1)]
        if line.role is Role.HEADING and state.near >= 0:
            return [Step(piece, "heading", state.near)]
        if line.lead and state.title is not None:
            return [Step(piece, "begin", len(state.chains))]
        if state.forced >= 0:
            return [self._go_on(state, piece, state.forced, self._shares(state, piece))]
        if not state.chains and line.title > 0 and not self._before_opening(piece):
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
            chain = self._read(Chain(byline=byline, title=state.title), state.title)
            chains.append(chain if byline is not None else self._grown(chain, step.piece))
        elif step.what == "go_on":
            chains[near] = self._grown(chains[near], step.piece)
        elif step.what == "close":
            chains[near] = replace(chains[near], closed=True)
        elif step.what == "late":
            chains[near] = self._read(replace(chains[near], title=step.piece), step.piece)
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
        return replace(
            self._read(chain, piece), body=(*chain.body, piece), counted=counted, opened=opened
        )

    def _read(self, chain: Chain, piece: int | None) -> Chain:
        """An article whose words include those of a piece."""
        if piece is None or not len(self.evidence.alike):
            return chain
        row = self.evidence.alike[piece]
        known = len(chain.likeness) > 0
        return replace(
            chain,
            likeness=chain.likeness + row if known else row,
            best=np.maximum(chain.best, row) if known else row,
            norm=chain.norm
            + float(row[piece])
            + 2 * (float(chain.likeness[piece]) if known else 0.0),
        )

    def _shares(self, state: State, piece: int) -> dict[int, tuple[float, float, float]]:
        """Articles that may go on: likeness, the log of its share, and that of the likest piece."""
        going = [k for k, c in recent(state) if c.body and not c.closed]
        going = sorted(going, key=lambda k: -state.chains[k].body[-1])[:_OPEN]
        chains = [state.chains[k] for k in going]
        alike = [self._likeness(c, piece) for c in chains]
        best = [float(c.best[piece]) if len(c.best) else 0.0 for c in chains]
        shares = zip(going, alike, _log_shares(alike), _log_shares(best), strict=True)
        return {k: (a, s, b) for k, a, s, b in shares}

    def _go_on(
        self, state: State, piece: int, chain: int, shares: Mapping[int, tuple[float, float, float]]
    ) -> Step:
        """The choice that a piece goes on in an article."""
        article = state.chains[chain]
        tail = article.body[-1]
        a, b = self.evidence.sides[tail], self.evidence.sides[piece]
        pair = self.evidence.pair(tail, piece)
        vector = [(i, float(v)) for i, v in enumerate(pair) if v]
        near = chain == state.near
        add = CONT_AT
        vector.append((add + 2 * a.whole + (not near), 1.0))
        if not near and state.near >= 0:
            left = state.chains[state.near]
            if left.body and not left.closed:
                whole = self.evidence.sides[left.body[-1]].whole
                vector.append((add + (4 if whole else 5), 1.0))
        alike, share, best = shares.get(chain, (0.0, 0.0, 0.0))
        vector += [(add + 6, alike), (add + 7, share), (add + 18, best)]
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
        if self._before_opening(piece):
            yield self._head(state, piece, "title", -1, body)
            if not state.chains:
                yield self._head(state, piece, "stray", -1, body)
            return
        if body is None or following is None or following.role is not Role.BODY:
            return
        for k, chain in recent(state):
            if chain.title is None and chain.body and not chain.closed:
                yield self._head(state, piece, "late", k, body)
        if state.near >= 0 and state.chains[state.near].body:
            yield self._head(state, piece, "heading", state.near, body)

    def _before_opening(self, piece: int) -> bool:
        """Whether an article opens right below a piece: with a byline or as news items do."""
        if piece + 1 >= len(self.lines):
            return False
        below = self.lines[piece + 1]
        return below.role is Role.BYLINE or (below.role is Role.BODY and below.lead)

    def _head(self, state: State, piece: int, what: str, chain: int, body: int | None) -> Step:
        """The choice that a piece is a title (of the next article, or a late one) or subheading."""
        line, side = self.lines[piece], self.evidence.sides[piece]
        at = INDEX[f"{what}.bias"]
        alike = rival = 0.0
        if len(self.evidence.alike):
            alike = float(self.evidence.alike[piece, body]) if body is not None else 0.0
            near = [self._likeness(c, piece) for _, c in recent(state) if c.norm and not c.closed]
            rival = max(near, default=0.0)
            if what == "late":
                alike += self._likeness(state.chains[chain], piece)
        vector = [(at, 1.0), (at + 1, line.title), (at + 2, alike), (at + 3, side.fresh)]
        if len(line.text) < 7:
            vector.append((at + 4, 1.0))
        if state.near >= 0:
            before = state.chains[state.near]
            whole = before.closed or not before.body or self.evidence.sides[before.body[-1]].whole
            vector.append((at + 5, float(whole)))
        vector.append((at + 6, float(chain == state.near)))
        vector += [(at + 7, side.ends), (at + 8, rival)]
        if what == "late":
            vector.append((at + 9, float(len(state.chains[chain].body) == 1)))
        return self._step(piece, what, chain, vector)

    def _likeness(self, chain: Chain, piece: int) -> float:
        """How alike a piece is to an article so far, 0 to 1."""
        if not len(chain.likeness):
            return 0.0
        return float(chain.likeness[piece]) / math.sqrt(max(chain.norm, 1e-6))

    def _closings(self, state: State, piece: int) -> list[Step]:
        """The choices of the article that an affiliation closes."""
        steps = []
        for k, chain in recent(state):
            if chain.closed or not chain.body:
                continue
            vector = []
            if k != state.near:
                vector.append((INDEX["close.far"], 1.0))
            if not self.evidence.sides[chain.body[-1]].whole:
                vector.append((INDEX["close.broken"], 1.0))
            steps.append(self._step(piece, "close", k, vector))
        return steps

    def _step(self, piece: int, what: str, chain: int, vector: list[tuple[int, float]]) -> Step:
        weights = self.weights
        odds = 0.0
        for index, value in vector:
            odds += weights[index] * value
        return Step(piece, what, chain, tuple(vector), odds)


def _following(lines: Sequence[Line]) -> list[int | None]:
    """For each piece the next body piece behind it."""
    following: list[int | None] = [None] * len(lines)
    last: int | None = None
    for i in range(len(lines) - 1, -1, -1):
        following[i] = last
        if lines[i].role is Role.BODY:
            last = i
    return following


def _log_shares(values: Sequence[float]) -> list[float]:
    """The log of each value's share of them all, 0 when all are equal."""
    total = sum(values) / max(1, len(values)) + 0.01
    return [math.log((v + 0.01) / total) for v in values]


def counts_on(counted: Mapping[str, int], first: Mapping[str, int]) -> tuple[bool, bool]:
    """Whether an enumeration goes on where it stopped, and whether one jumps or starts nowhere."""
    fits = any(kind in counted and number == counted[kind] + 1 for kind, number in first.items())
    clashes = any(
        number > 1 and number != counted.get(kind, 0) + 1
        for kind, number in first.items()
        if kind not in ("digit", "、")
    )
    return fits, clashes and not fits
