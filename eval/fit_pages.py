"""Find the weights of `rag/weave.py` on made pages whose truth is known.

    python -m eval.fit_pages PAGES rag/page_weights.json [--ngrams FILE]

PAGES is a folder made by `eval.make_pages`. At every piece the choices that the true articles so
far leave open are compared with the true one, and the weights make the true ones likeliest
(conditional logit, L2-regularised, L-BFGS). Prints how often the best choice is the true one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.chains import INDEX, NAMES, State, Step, steps_of
from rag.choices import DECIDED, Choices
from rag.joints import Evidence
from rag.ngrams import Ngrams, load
from rag.roles import lines_of
from rag.types import Part, Piece, Span
from rag.weave import beam, broken, ending

_FIXED = {"close.far": -6.0, "close.broken": -3.0, "end.broken": -3.0}


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision of a page: the options' numbers and the true options.

    Attributes:
        vectors: (options, names).
        truth: (options,), whether each is true; at least one is.
    """

    vectors: NDArray[np.float64]
    truth: NDArray[np.bool_]


def pieces_of(text: str) -> list[Piece]:
    """A page's pieces: what blank lines part."""
    pieces = []
    at = 0
    for block in text.split("\n\n"):
        bare = block.strip()
        if bare:
            start = at + block.index(bare)
            pieces.append(Piece(bare, (Part(0, Span(start, start + len(bare))),)))
        at += len(block) + 2
    return pieces


@dataclass(frozen=True, slots=True)
class Page:
    """One made page: its weaver, the true steps and their choices.

    Attributes:
        steps: the true reading, or None when the true one is not among the options somewhere.
    """

    weaver: Choices
    choices: list[Choice]
    steps: list[Step] | None
    state: State


def page_of(text: str, gold: Mapping[str, Any], ngrams: Ngrams) -> Page | None:
    """The decisions of one made page, each under the true articles so far."""
    pieces = pieces_of(text)
    labels = gold["pieces"]
    if len(pieces) != len(labels):
        return None
    lines = lines_of(pieces)
    weaver = Choices(lines, Evidence([line.text for line in lines], ngrams), np.zeros(len(NAMES)))
    state = State()
    chain_of: dict[int, int] = {}
    found: list[Choice] = []
    steps: list[Step] = []
    for piece, label in enumerate(labels):
        if lines[piece].role not in DECIDED:
            continue
        options = weaver.options(state, piece)
        true = [_is_true(o, label, chain_of) for o in options]
        if any(true) and not all(true):
            found.append(Choice(_dense(options), np.array(true)))
        step = next((o for o, t in zip(options, true, strict=True) if t), None)
        if step is None:
            return Page(weaver, found, None, state)
        if step.what == "begin":
            chain_of[label["article"]] = step.chain
        state = weaver.take(state, step)
        steps.append(step)
    return Page(weaver, found, steps, state)


def whole_page(weaver: Choices, steps: Sequence[Step], state: State) -> NDArray[np.float64]:
    """The summed numbers of a whole reading."""
    total: NDArray[np.float64] = _dense(steps).sum(axis=0)
    total[INDEX["end.broken"]] = broken(weaver, state)
    return total


def refine(
    pages: Sequence[Page], weights: NDArray[np.float64], rounds: int, ridge: float
) -> NDArray[np.float64]:
    """Make true readings of whole pages score above the readings that the search finds.

    Each round searches every page with the weights so far, adds the best wrong readings to those
    known, and fits anew, staying near the first weights (Och 2003's loop with a logistic loss).
    """
    usable = [p for p in pages if p.steps]
    rivals: list[list[NDArray[np.float64]]] = [
        [whole_page(p.weaver, p.steps or [], p.state)] for p in usable
    ]
    first = weights.copy()
    for number in range(rounds):
        right = 0
        for page, known in zip(usable, rivals, strict=True):
            page.weaver.weights = weights.tolist()
            read = beam(page.weaver)
            read.sort(key=lambda s, w=page.weaver: -(s.score + ending(w, s)))  # type: ignore[misc]
            for rank, state in enumerate(read[:12]):
                total = whole_page(page.weaver, steps_of(state), state)
                same = np.allclose(total, known[0])
                right += rank == 0 and same
                if not any(np.allclose(total, other) for other in known):
                    known.append(total)
        print(json.dumps({"round": number, "pages": len(usable), "whole_pages_right": right}))
        found = [
            Choice(np.stack(known), np.arange(len(known)) == 0) for known in rivals if known[1:]
        ]
        weights = fit(found, ridge, first)
    return weights


def _is_true(step: Step, label: Mapping[str, Any], chain_of: Mapping[int, int]) -> bool:
    """Whether a step is what the truth says of its piece."""
    role, chain = label["role"], chain_of.get(label["article"], -2)
    if step.what == "begin":
        return role in ("byline", "body") and chain == -2
    if step.what == "go_on":
        return bool(role == "body" and step.chain == chain)
    if step.what == "title":
        return bool(role == "title" and chain == -2)
    if step.what == "late":
        return bool(role == "title" and step.chain == chain)
    if step.what == "heading":
        return bool(role == "heading" and step.chain == chain)
    if step.what == "close":
        return bool(role == "affiliation" and step.chain == chain)
    return bool(role == "stray" or chain == -2)


def _dense(options: Sequence[Step]) -> NDArray[np.float64]:
    vectors = np.zeros((len(options), len(NAMES)))
    for row, option in enumerate(options):
        for index, value in option.vector:
            vectors[row, index] += value
    return vectors


def fit(
    found: Sequence[Choice], ridge: float = 1.0, first: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The weights that make the true options likeliest, in the order of `NAMES`.

    Args:
        found: the decisions.
        ridge: how strongly weights are drawn to `first`; at least 0.
        first: where they start and are drawn to; by default 0, and what is fixed stays fixed.
    """
    from scipy.optimize import minimize

    vectors = np.concatenate([c.vectors for c in found])
    truth = np.concatenate([c.truth for c in found])
    starts = np.cumsum([0, *(len(c.truth) for c in found[:-1])])
    group = np.repeat(np.arange(len(found)), [len(c.truth) for c in found])
    free = np.array([first is not None or name not in _FIXED for name in NAMES])
    start = np.array([_FIXED.get(name, 0.0) for name in NAMES]) if first is None else first
    drawn = start[free] if first is not None else np.zeros(int(free.sum()))

    def loss(part: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = start.copy()
        weights[free] = part
        scores = vectors @ weights
        scores -= np.maximum.reduceat(scores, starts)[group]
        odds = np.exp(scores)
        every = np.add.reduceat(odds, starts)
        true = np.add.reduceat(odds * truth, starts)
        slope = vectors.T @ (odds / every[group] - odds * truth / true[group])
        value = float(
            np.sum(np.log(every) - np.log(true)) + ridge / 2 * np.sum((part - drawn) ** 2)
        )
        return value, slope[free] + ridge * (part - drawn)

    result = minimize(loss, start[free], jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights = start.copy()
    weights[free] = result.x
    return weights


def accuracy(found: Sequence[Choice], weights: NDArray[np.float64]) -> float:
    """Share of decisions whose best option is true."""
    return float(np.mean([c.truth[int(np.argmax(c.vectors @ weights))] for c in found]))


def read(folder: Path, ngrams: Ngrams) -> list[Page]:
    """Every page of a folder of made pages."""
    found: list[Page] = []
    for path in sorted(folder.glob("*.json")):
        gold = json.loads(path.read_text(encoding="utf-8"))
        page = page_of(path.with_suffix(".txt").read_text(encoding="utf-8"), gold, ngrams)
        if page is not None:
            found.append(page)
    return found


def main() -> None:
    """Fit and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--ngrams", type=Path)
    parser.add_argument("--test", type=Path, help="a folder of other pages to measure on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ridge", type=float, default=1.0)
    options = parser.parse_args()
    ngrams = load(options.ngrams) if options.ngrams else load()
    pages = read(options.pages, ngrams)
    found = [c for p in pages for c in p.choices]
    weights = fit(found)
    report = {"decisions": len(found), "right": round(accuracy(found, weights), 4)}
    if options.test:
        other = [c for p in read(options.test, ngrams) for c in p.choices]
        report |= {"test_decisions": len(other), "test_right": round(accuracy(other, weights), 4)}
    print(json.dumps(report))
    weights = refine(pages, weights, options.rounds, options.ridge)
    stored = {name: round(float(w), 4) for name, w in zip(NAMES, weights, strict=True)}
    options.weights.write_text(
        json.dumps({"found_by": "eval/fit_pages.py", **report, "weights": stored}, indent=1) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
