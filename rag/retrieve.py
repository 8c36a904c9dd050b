"""A question becomes ranked evidence: dense and lexical hits, fused.

Three signals are fused. Each is scaled to 0..1 over the candidates and they are added up with
fixed weights, which on XQuAD, CMRC and DRCD ranks better than reciprocal rank fusion:

- "dense": the cosine of the question's and the passage's vector;
- "sentence": the best cosine of the question and one sentence of the passage, because a short
  answer in a long paragraph hardly moves the paragraph's own vector;
- "lexical": BM25 over jieba's words.
"""

from __future__ import annotations

from collections.abc import Mapping

from index.snapshot import Snapshot
from rag.corpus import Corpus
from rag.sentences import sentences
from rag.types import Evidence, Filters, Passage, Question, Vectors

CANDIDATES = 50
"""Hits taken from each index: the right passage is nearly always among so many."""

WEIGHTS = {"dense": 1.0, "sentence": 1.0, "lexical": 1.5}
"""Words are the sharpest evidence within one language: they weigh more than either vector."""


def retrieve(
    question: Question,
    snapshot: Snapshot,
    corpus: Corpus,
    sentence_vectors: Vectors,
    *,
    top_k: int,
    filters: Filters | None = None,
) -> list[Evidence]:
    """The passages that fit a question best, best first.

    Args:
        question: text and vector.
        snapshot: the index to search.
        corpus: where the passages stand.
        sentence_vectors: gives the vectors of sentences.
        top_k: at most so many.
        filters: which articles may answer; None for all.

    Returns:
        At most `top_k` pieces of evidence; `Evidence.score` is 0 to 1, higher is better.
    """
    groups = corpus.select(filters) if filters else None
    lexical = {h.id: h.score for h in snapshot.lexical(question.text, CANDIDATES, groups)}
    found = [h.id for h in snapshot.dense(question.vector, CANDIDATES, groups)]
    # A hit whose article was deleted a moment ago is in the index still, but no longer here.
    passages = corpus.passages([*found, *lexical])
    if not passages:
        return []
    ids = list(passages)
    cosines = snapshot.vectors(ids) @ question.vector
    dense = {key: float(c) for key, c in zip(ids, cosines, strict=True)}
    sentence = _best_sentences(question, passages, sentence_vectors)
    lexical = {key: score for key, score in lexical.items() if key in passages}
    fused = fuse({"dense": dense, "sentence": sentence, "lexical": lexical}, WEIGHTS)
    best = sorted(fused, key=lambda key: (-fused[key], key))[:top_k]
    articles = corpus.get_many([passages[key].article_id for key in best])
    evidence: list[Evidence] = []
    for key in best:
        article = articles.get(passages[key].article_id)
        if article is None:  # deleted between the two reads
            continue
        signals = {"dense": dense[key], "sentence": sentence[key]}
        if key in lexical:
            signals["lexical"] = lexical[key]
        evidence.append(Evidence(passages[key], article, len(evidence) + 1, fused[key], signals))
    return evidence


def _best_sentences(
    question: Question, passages: Mapping[str, Passage], sentence_vectors: Vectors
) -> dict[str, float]:
    """The best cosine of the question and one sentence, for each passage."""
    owners: list[str] = []
    texts: list[str] = []
    for key, passage in passages.items():
        for sentence in sentences(passage.text) or [passage.text]:
            owners.append(key)
            texts.append(sentence)
    best: dict[str, float] = {}
    for key, cosine in zip(owners, sentence_vectors(texts) @ question.vector, strict=True):
        best[key] = max(best.get(key, -1.0), float(cosine))
    return best


def fuse(
    signals: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]
) -> dict[str, float]:
    """Scale each signal to 0..1 over its own candidates and add them up by weight.

    Args:
        signals: by name, a score for each id, higher is better; an id that a signal did not
            find counts as that signal's worst.
        weights: by name, 0 and up.

    Returns:
        The fused score by id: 0 to 1, higher is better.
    """
    total = sum(weights[name] for name, scores in signals.items() if scores) or 1.0
    fused: dict[str, float] = {}
    for name, scores in signals.items():
        if not scores:
            continue
        low, high = min(scores.values()), max(scores.values())
        if name == "lexical":
            low = 0.0  # BM25 has a true zero: no word in common
        width = high - low
        for key, score in scores.items():
            scaled = (score - low) / width if width > 0 else 1.0
            fused[key] = fused.get(key, 0.0) + weights[name] * scaled / total
    return fused
