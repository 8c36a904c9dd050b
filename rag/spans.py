"""The span of a sentence that answers, cut out by what stands in it and around it.

Every run of words within a clause is a candidate. It is described by yes-or-no features: what it is
made of, what stands right before and after it (also set beside what stands around the question's
own question word), and how much of it the question says already. Their weights, for each language
and kind of question, are those of a softmax over the spans of a sentence; `eval/fit_spans.py` finds
them. Where the sentence is in the other language, the question's words are looked up in the
dictionary first. A weight that holds for all kinds of questions is shared between them (Daumé,
2007, Frustratingly Easy Domain Adaptation).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from rag.question import Analysis
from rag.reader import Reading
from rag.span_features import HAN, Asked, Words, as_looked_at, candidates
from rag.types import Span

FEATURES = 0.5
"""What the features count beside the reader's log-probability."""


@dataclass(frozen=True, slots=True)
class Found:
    """A span and how likely it is the one asked for, 0 to 1, among those of its sentence."""

    span: Span
    probability: float


def best_span(
    analysis: Analysis,
    sentence: str,
    folded: str,
    words: Words,
    reading: Reading | None = None,
    holding: Sequence[Span] | None = None,
) -> Found | None:
    """The span of a sentence that answers best.

    Args:
        analysis: the question.
        sentence: as printed.
        folded: the sentence, folded.
        words: cuts into words.
        reading: what the reader makes of the sentence; None for the features alone.
        holding: only spans that hold one of these whole; None for all.

    Returns:
        None where there is no span.
    """
    language = "zh" if HAN.search(folded) else "en"
    table = _weights()[f"{analysis.language}-{language}"]
    text = as_looked_at(sentence, folded)
    asked = Asked.of(analysis, words, language)
    found = list(candidates(asked, text, words))
    if holding is not None:
        found = [
            (span, names)
            for span, names in found
            if any(span.start <= held.start and held.end <= span.end for held in holding)
        ]
    if not found:
        return None
    shared, own = table["any"], table.get(analysis.wanted.value, {})
    scores = [sum(shared.get(n, 0.0) + own.get(n, 0.0) for n in names) for _, names in found]
    if reading is not None:
        read = reading.scores([span for span, _ in found]).tolist()
        scores = [own + FEATURES * score for own, score in zip(read, scores, strict=True)]
    top = max(scores)
    total = sum(math.exp(score - top) for score in scores)
    return Found(found[scores.index(top)][0], 1.0 / total)


@lru_cache(maxsize=1)
def _weights() -> dict[str, dict[str, dict[str, float]]]:
    text = resources.files("rag").joinpath("span_weights.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, dict[str, float]]] = json.loads(text)
    return table
