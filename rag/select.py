"""Which ranked sentences make the answer: enough to be complete, and no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag.fitness import STEPS
from rag.overlap import pairs_of
from rag.question import Analysis, Wanted
from rag.reader import Read
from rag.relevance import Candidate, Ranking
from rag.types import Evidence

MAINS = 3
"""Sentences chosen for themselves; what completes them comes on top. The third adds .02 to .06 to
the share of answers that contain an accepted one, and a third to their length."""

LONGEST_LIST = 8
"""Sentences of a list that runs over sentences."""

SURE = 0.85
"""A sentence that is this likely to be the answer stands alone."""

LIKELY = 0.08
"""A further sentence must be at least this likely, relative to the first."""

RUN_LEAD = 1.5
"""A single sentence must score so much higher than a list over sentences to be taken instead."""

READ = 5
"""Foreign sentences that are read to choose among; with 8 the answers were the same."""

READ_CHARACTERS = 250
"""A longer one takes long to read: it is not, and keeps its score."""

ACROSS = 0.5
"""What the reader's log-odds add to a foreign sentence's score. Of .25, .5 and 1 all help: of the
held-out questions of XQuAD .836 instead of .822 were contained (en→zh) and .782 instead of .771
(zh→en), in fewer sentences."""

MOST_TOLD = 4.0
"""Log-odds beyond which the reader is not believed."""

SAME = 0.8
"""Sentences that share so many character pairs say the same."""

_DANGLING = re.compile(
    r"(?:这|该|此|其|他|她|它|上述|对此|为此|因此|同时|不过|然而|但|并且|而)"
    r"|(?:this|these|those|that|such|it|he|she|they|its|his|her|their|however|but)\b"
)
_FRAGMENT = 14
"""A sentence this short (characters) is a heading of what follows."""

_ITEM = 30
"""So is an item of a list that is this short."""


def probabilities(ranking: Ranking) -> NDArray[np.float64]:
    """The scores as probabilities that a candidate answers; they add up to 1."""
    weights = np.exp(ranking.scores - ranking.scores.max())
    result: NDArray[np.float64] = weights / weights.sum()
    return result


def read_across(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], read: Read
) -> Ranking:
    """The scores with what the reader makes of the best sentences, where these are foreign.

    Words say less of a sentence in the other language than of one in the question's own, where the
    reader adds nothing.

    Args:
        analysis: the question.
        ranking: the candidates with their scores.
        evidence: what they were cut from.
        read: reads a sentence.
    """
    best = ranking.best()[:READ]
    first = evidence[ranking.candidates[best[0]].evidence].article
    if first.language == analysis.language:
        return ranking
    texts = [ranking.candidates[i].text for i in best]
    told = np.array([read(t).answers if len(t) <= READ_CHARACTERS else 0.0 for t in texts])
    told = np.clip(told, -MOST_TOLD, MOST_TOLD)
    scores = ranking.scores + ACROSS * min(told.min(), 0.0)  # others are as if they read worst
    scores[best] = ranking.scores[best] + ACROSS * told
    return replace(ranking, scores=scores)


def choose(analysis: Analysis, ranking: Ranking, allowed: Sequence[int] | None = None) -> list[int]:
    """The candidates that make the answer, most important first.

    Args:
        analysis: the question.
        ranking: the candidates with their scores.
        allowed: only these candidates; None for all.

    Returns:
        Indices into `ranking.candidates`; empty only where nothing is allowed.
    """
    order = [i for i in ranking.best() if allowed is None or i in set(allowed)]
    if not order:
        return []
    steps = _steps(analysis, ranking, order)
    if steps:
        return steps
    likely = probabilities(ranking)
    chosen = _complete(ranking.candidates, order[0])
    mains = 1
    for other in order[1:6]:
        if mains >= MAINS or likely[order[0]] >= SURE * likely[order].sum():
            break
        if likely[other] < LIKELY * likely[order[0]] or other in chosen:
            continue
        if any(same(ranking.candidates[other], ranking.candidates[c]) for c in chosen):
            continue
        chosen += [i for i in _complete(ranking.candidates, other) if i not in chosen]
        mains += 1
    return chosen


def same(one: Candidate, other: Candidate) -> bool:
    """Whether two sentences say the same, as reprints do."""
    a, b = set(pairs_of(one.folded)), set(pairs_of(other.folded))
    return bool(a and b) and len(a & b) >= SAME * min(len(a), len(b))


def _complete(candidates: Sequence[Candidate], index: int) -> list[int]:
    """A sentence with the one before where it points back, or after where it only announces."""
    chosen, candidate = [index], candidates[index]
    back = candidate.order > 0 and _DANGLING.match(candidate.folded)
    if back and _joined(candidates, index - 1, index):
        chosen.append(index - 1)
    if announces(candidate.folded) and _joined(candidates, index, index + 1):
        chosen.append(index + 1)
    return chosen


def announces(folded: str) -> bool:
    """Whether a sentence is only the heading of what follows: short, or the name of an item."""
    limit = _ITEM if step_of(folded) is not None else _FRAGMENT
    return len(folded) <= limit or folded.endswith((":", "：", "?"))


def _joined(candidates: Sequence[Candidate], first: int, second: int) -> bool:
    if not 0 <= first < second < len(candidates):
        return False
    return candidates[first].evidence == candidates[second].evidence


def step_of(folded: str) -> int | None:
    """Which item of a list a sentence opens (一是 → 1, 第三 → 3), None for none.

    首先 is 1; 其次, 再次 and 最后 are 2, 3 and 4.
    """
    match = STEPS.match(folded)
    if match is None:
        return None
    if match["first"]:
        named = {"首先": 1, "其次": 2, "再次": 3, "最后": 4}
        return named.get(match["first"]) or "一二三四五六七八九十".find(match["first"][1]) + 1
    sign = match["zh"] or match["digit"] or match["dot"]
    return int(sign) if sign.isdigit() else "一二三四五六七八九十".find(sign[0]) + 1


def _steps(analysis: Analysis, ranking: Ranking, order: Sequence[int]) -> list[int]:
    """All items of a list that runs over sentences (一是…二是…三是…), when a list is asked for.

    A run counts as much as the best of the sentence that announces it, the first sentence of
    its passage (a heading, often) and the mean of its items; it is taken where no single sentence
    beats it by `RUN_LEAD`.
    """
    if analysis.wanted is not Wanted.LIST:
        return []
    top, best, taken = order[0], -np.inf, list[int]()
    for index in sorted({ranking.candidates[i].evidence for i in order}):
        own = [i for i, c in enumerate(ranking.candidates) if c.evidence == index]
        run = _run(ranking.candidates, own)
        if len(run) < 2 or len(run) > LONGEST_LIST or len(run) != (analysis.count or len(run)):
            continue
        if analysis.count is None and top not in (*run, run[0] - 1):
            continue
        heads = [own[0], *([run[0] - 1] if run[0] > own[0] else [])]
        worth = max(max(ranking.scores[heads]), float(ranking.scores[run].mean()))
        if worth > best:
            best, taken = worth, run
    return taken if best >= ranking.scores[top] - RUN_LEAD else []


def _run(candidates: Sequence[Candidate], own: Sequence[int]) -> list[int]:
    """The sentences of a passage that open item 1, 2, 3 … in turn."""
    run: list[int] = []
    for i in own:
        if step_of(candidates[i].folded) == len(run) + 1:
            run.append(i)
    return run
