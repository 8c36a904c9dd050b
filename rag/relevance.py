"""Which sentence of the evidence answers: a few features, added up with fitted weights.

The features are the similarity of the sentence's own vector, the words and character pairs shared
with the question (rarer words count more, as in Spärck Jones, 1972), whether the sentence can hold
the kind of answer asked for, and how well its passage and its neighbours fit.
`eval/fit_sentences.py` finds the weights in `sentence_weights.json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from rag.fitness import fit
from rag.question import Analysis
from rag.sentences import split_sentences
from rag.types import Evidence, Span, Vectors

FEATURES = (
    "cosine", "centred", "pairs", "words", "pairs_near", "words_near", "before", "after",
    "fused", "dense", "lexical", "fit_person", "fit_time", "fit_place", "fit_number", "fit_list",
    "fit_reason", "fit_manner", "fit_definition", "fit_thing", "quoted", "asserted", "first",
    "short", "asks", "new",
)  # fmt: skip

_HAN = re.compile(r"[\u3400-\u9fff]")
_RUNS = re.compile(r"[\u3400-\u9fff]+|[a-z0-9.%+]+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer.

    Attributes:
        evidence: index of its passage in the evidence.
        order: its place in the passage, from 0.
        span: in `Article.text`.
        text: the sentence.
        folded: the sentence, folded.
    """

    evidence: int
    order: int
    span: Span
    text: str
    folded: str


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Candidates with their scores.

    Attributes:
        candidates: in the order of the evidence.
        scores: float64, (n,); higher is better; comparable within one question.
        features: float64, (n, len(FEATURES)).
        cosines: float64, (n,), of question and sentence.
        words: the question's words with their rarity among the candidates; adds up to 1.
    """

    candidates: tuple[Candidate, ...]
    scores: NDArray[np.float64]
    features: NDArray[np.float64]
    cosines: NDArray[np.float64]
    words: dict[str, float]

    def best(self) -> list[int]:
        """Indices, best first; ties in the order of the evidence."""
        return [int(i) for i in np.argsort(-self.scores, kind="stable")]


def candidates_of(
    evidence: Sequence[Evidence], fold: Callable[[str], str]
) -> tuple[Candidate, ...]:
    """Every sentence of the evidence, in its order."""
    found: list[tuple[int, int, Span, str]] = []
    for index, item in enumerate(evidence):
        text, offset = item.passage.text, item.passage.span.start
        for order, span in enumerate(split_sentences(text)):
            sentence = span.of(text)
            start = span.start + len(sentence) - len(sentence.lstrip())
            end = start + len(sentence.strip())
            if start < end:
                found.append((index, order, Span(offset + start, offset + end), text[start:end]))
    # Folding one long text is far cheaper than many short ones.
    joined = [f[3].replace("\n", " ") for f in found]
    folded = fold("\n".join(joined)).split("\n")
    if len(folded) != len(found):
        folded = [fold(text) for text in joined]
    return tuple(Candidate(*f, g) for f, g in zip(found, folded, strict=True))


def rank(
    analysis: Analysis,
    vector: NDArray[np.float32],
    tokens: Sequence[str],
    candidates: Sequence[Candidate],
    evidence: Sequence[Evidence],
    sentence_vectors: Vectors,
) -> Ranking:
    """Score candidates for a question.

    Args:
        analysis: the question taken apart.
        vector: the question's, float32, (dim,).
        tokens: the question's words, folded.
        candidates: at least one.
        evidence: what the candidates were cut from.
        sentence_vectors: sentences to unit rows.
    """
    rows = sentence_vectors([c.text for c in candidates])
    cosines = (rows @ vector).astype(np.float64)
    words = _word_weights(tokens, candidates)
    features = _features(analysis, cosines, _centred(rows, vector), words, candidates, evidence)
    own = evidence[candidates[0].evidence].article.language if candidates else analysis.language
    weights = _weights()["same" if own == analysis.language else "cross"]
    scores = features @ weights
    return Ranking(tuple(candidates), scores, features, cosines, words)


def _centred(rows: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosines once the candidates' mean is taken off: what sets a sentence apart from the rest."""
    apart = rows - rows.mean(axis=0)
    lengths = np.linalg.norm(apart, axis=1)
    result: NDArray[np.float64] = (apart @ vector / np.where(lengths > 1e-6, lengths, 1.0)).astype(
        np.float64
    )
    return result


def _word_weights(tokens: Sequence[str], candidates: Sequence[Candidate]) -> dict[str, float]:
    """Each word of the question with its rarity among the candidates; adds up to 1."""
    rarity: dict[str, float] = {}
    for token in dict.fromkeys(tokens):
        held = sum(token in c.folded for c in candidates)
        rarity[token] = math.log((len(candidates) + 1.0) / (held + 0.5)) * min(len(token), 4) ** 0.5
    total = sum(rarity.values())
    return {t: max(r, 0.0) / total for t, r in rarity.items()} if total > 0 else {}


def pairs_of(text: str) -> list[str]:
    """Neighbouring character pairs of Chinese runs, Latin words whole; once each, in order."""
    found: list[str] = []
    for run in _RUNS.findall(text):
        if _HAN.match(run):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        else:
            found.append(run)
    return list(dict.fromkeys(found))


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)


def _features(
    analysis: Analysis,
    cosines: NDArray[np.float64],
    centred: NDArray[np.float64],
    words: dict[str, float],
    candidates: Sequence[Candidate],
    evidence: Sequence[Evidence],
) -> NDArray[np.float64]:
    pairs = pairs_of(analysis.core)
    spread, apart = _standard(cosines), _standard(centred)
    top = {
        name: max((e.signals.get(name, 0.0) for e in evidence), default=0.0) or 1.0
        for name in ("lexical", "dense")
    }
    dense = _standard(np.array([e.signals.get("dense", 0.0) for e in evidence], dtype=np.float64))
    table = np.zeros((len(candidates), len(FEATURES)))
    column = {name: i for i, name in enumerate(FEATURES)}
    for i, candidate in enumerate(candidates):
        item = evidence[candidate.evidence]
        before = candidates[i - 1].folded if _neighbours(candidates, i - 1, i) else ""
        after = candidates[i + 1].folded if _neighbours(candidates, i, i + 1) else ""
        title = item.article.title or ""
        near = f"{before}\n{candidate.folded}\n{title}"
        row = table[i]
        row[column["cosine"]], row[column["centred"]] = spread[i], apart[i]
        row[column["pairs"]] = _share(pairs, candidate.folded)
        row[column["words"]] = sum(w for t, w in words.items() if t in candidate.folded)
        row[column["pairs_near"]] = _share(pairs, near)
        row[column["words_near"]] = sum(w for t, w in words.items() if t in near)
        row[column["before"]] = spread[i - 1] if before else 0.0
        row[column["after"]] = spread[i + 1] if after else 0.0
        row[column["fused"]] = item.score
        row[column["dense"]] = dense[candidate.evidence]
        row[column["lexical"]] = item.signals.get("lexical", 0.0) / top["lexical"]
        kind = analysis.wanted
        row[column[f"fit_{kind.value}"]] = fit(analysis, candidate.folded)
        row[column["quoted"]] = sum(q in candidate.folded for q in analysis.quoted)
        row[column["asserted"]] = sum(_holds(v, candidate.folded) for v, _ in analysis.asserted)
        row[column["first"]] = candidate.order == 0
        row[column["short"]] = len(candidate.folded) < 16
        row[column["asks"]] = candidate.folded.endswith(("?", "？"))
        own = pairs_of(candidate.folded)
        row[column["new"]] = math.log1p(sum(p not in analysis.folded for p in own))
    return table


def _neighbours(candidates: Sequence[Candidate], i: int, j: int) -> bool:
    return 0 <= i and j < len(candidates) and candidates[i].evidence == candidates[j].evidence


def _share(pairs: Sequence[str], text: str) -> float:
    return sum(p in text for p in pairs) / len(pairs) if pairs else 0.0


def _holds(value: float, folded: str) -> bool:
    return f"{value:g}" in folded


@lru_cache(maxsize=1)
def _weights() -> dict[str, NDArray[np.float64]]:
    text = resources.files("rag").joinpath("sentence_weights.json").read_text(encoding="utf-8")
    table = json.loads(text)
    return {
        name: np.array([table[name][feature] for feature in FEATURES]) for name in ("same", "cross")
    }
