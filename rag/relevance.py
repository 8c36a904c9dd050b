"""Which sentence of the evidence answers: a few features, added up with fitted weights.

The features are the similarity of the sentence's own vector, the words and character pairs shared
with the question (rarer words count more, as in Spärck Jones, 1972), whether the sentence can hold
the kind of answer asked for, and how well its passage and its neighbours fit.
`eval/fit_sentences.py` finds the weights in `sentence_weights.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from rag.bilingual import to_chinese, to_english
from rag.fitness import fit, series
from rag.overlap import Overlap, pairs_of
from rag.question import Analysis
from rag.sentences import split_sentences
from rag.types import Evidence, Span, Vectors

FEATURES = (
    "cosine", "pairs", "chars", "words", "pairs_near", "chars_near", "words_near",
    "before", "after", "fused", "counted", "fit_person", "fit_time", "fit_place",
    "fit_number", "fit_list", "fit_reason", "fit_manner", "fit_definition", "fit_thing", "quoted",
    "asserted", "first", "short", "asks", "new",
)  # fmt: skip

SHORT = 16
"""A sentence with fewer characters is mostly a heading."""

_HAN = re.compile(r"[\u3400-\u9fff]")


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
        words: the question's words and the candidates that hold them.
    """

    candidates: tuple[Candidate, ...]
    scores: NDArray[np.float64]
    features: NDArray[np.float64]
    cosines: NDArray[np.float64]
    words: Overlap

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
    cosines = (sentence_vectors([c.text for c in candidates]) @ vector).astype(np.float64)
    foreign = np.array(
        [evidence[c.evidence].article.language != analysis.language for c in candidates]
    )
    texts = [c.folded for c in candidates]
    overlap = {
        "words": _words(analysis, tokens, texts, foreign),
        "pairs": Overlap.of([(p, (p,)) for p in pairs_of(analysis.core)], texts),
        "chars": Overlap.of([(c, (c,)) for c in _HAN.findall(analysis.core)], texts),
    }
    features = np.zeros((len(candidates), len(FEATURES)))
    for name, values in _columns(analysis, cosines, overlap, foreign, candidates, evidence):
        features[:, FEATURES.index(name)] = values
    weights = _weights()
    scores = np.where(foreign, features @ weights["cross"], features @ weights["same"])
    return Ranking(tuple(candidates), scores, features, cosines, overlap["words"])


def _words(
    analysis: Analysis,
    tokens: Sequence[str],
    texts: Sequence[str],
    foreign: NDArray[np.bool_],
) -> Overlap:
    """The question's words in each candidate, translated where it is in the other language."""
    plain = Overlap.of([(t, (t,)) for t in tokens], texts)
    if not foreign.any():
        return plain
    english = analysis.language == "en"
    translated = to_chinese(analysis.core) if english else to_english(tokens)
    # Names and numbers are the same in both.
    terms = [(word, (*found, word)) for word, found in translated]
    if english:  # Chinese words that an English question quotes
        terms += [(t, (t,)) for t in tokens if _HAN.search(t)]
    return plain.merged(Overlap.of(terms, texts), foreign)


def _standard(values: NDArray[np.float64], foreign: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean 0 and spread 1 among the candidates of each language.

    Vectors of one language lie nearer to each other, whatever they say.
    """
    result = np.zeros_like(values)
    for group in (foreign, ~foreign):
        own = values[group]
        if own.size and own.std() > 1e-9:
            result[group] = (own - own.mean()) / own.std()
    return result


def _columns(
    analysis: Analysis,
    cosines: NDArray[np.float64],
    overlap: Mapping[str, Overlap],
    foreign: NDArray[np.bool_],
    candidates: Sequence[Candidate],
    evidence: Sequence[Evidence],
) -> Iterator[tuple[str, Sequence[float] | NDArray[np.float64]]]:
    """The features, by name, one value a candidate."""
    items = [evidence[c.evidence] for c in candidates]
    titles = [(e.article.title or "").lower() for e in items]
    cosine = _standard(cosines, foreign)
    yield "cosine", cosine
    joined = [_neighbours(candidates, i, i + 1) for i in range(len(candidates) - 1)]
    for name, terms in overlap.items():
        yield name, terms.share()
        yield f"{name}_near", terms.near(joined, titles)
    places = range(len(candidates))
    yield "before", [cosine[i - 1] if _neighbours(candidates, i - 1, i) else 0.0 for i in places]
    yield "after", [cosine[i + 1] if _neighbours(candidates, i, i + 1) else 0.0 for i in places]
    # The passages' own cosines are no feature: within one article they say little about sentences,
    # and `fused` holds them already.
    yield "fused", [e.score for e in items]
    count = analysis.count or 0
    yield "counted", [float(count > 1 and count in series(c.folded)) for c in candidates]
    yield f"fit_{analysis.wanted.value}", [fit(analysis, c.folded) for c in candidates]
    quoted = [q for q in analysis.quoted if len(q) > 1]
    yield "quoted", [float(any(q in c.folded for q in quoted)) for c in candidates]
    stated = [f"{value:g}" for value, _ in analysis.asserted]
    yield "asserted", [float(sum(v in c.folded for v in stated)) for c in candidates]
    yield "first", [float(c.order == 0) for c in candidates]
    yield "short", [float(len(c.folded) < SHORT) for c in candidates]
    yield "asks", [float(c.folded.endswith(("?", "？"))) for c in candidates]
    asked = analysis.folded
    new = [sum(p not in asked for p in pairs_of(c.folded)) for c in candidates]
    yield "new", np.log1p(new)


def _neighbours(candidates: Sequence[Candidate], i: int, j: int) -> bool:
    return i >= 0 and j < len(candidates) and candidates[i].evidence == candidates[j].evidence


@lru_cache(maxsize=1)
def _weights() -> dict[str, NDArray[np.float64]]:
    text = resources.files("rag").joinpath("sentence_weights.json").read_text(encoding="utf-8")
    table = json.loads(text)
    return {
        name: np.array([table[name][feature] for feature in FEATURES]) for name in ("same", "cross")
    }
