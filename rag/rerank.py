"""Evidence in a better order: a second stage that reads question and passage together.

Off unless a cross-encoder is configured. It is slower than the first stage by orders of magnitude,
so it reads only the best of what that found. This is also the seam for a reranker of our own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelUnavailable
from rag.types import Evidence

logger = logging.getLogger(__name__)

DEPTH = 30
"""Pieces of evidence that are read again; those behind keep their order, behind them."""


class Reranker(Protocol):
    """Says how well passages answer a question.

    Attributes:
        name: for people.
    """

    name: str

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """One score a text, float32, (n,), any range, higher is better."""
        ...


class CrossEncoderReranker:
    """A sentence-transformers CrossEncoder with one output."""

    def __init__(self, name: str) -> None:
        """Load it.

        Args:
            name: hub id or folder.

        Raises:
            ModelUnavailable: it cannot be loaded, or does not give one score a pair.
        """
        from safetensors import SafetensorError
        from sentence_transformers import CrossEncoder

        try:
            self._model = CrossEncoder(name, device="cpu")
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelUnavailable(
                f"The reranker {name} cannot be loaded ({error}); "
                "set WENJU_RERANKER to a hub id or folder of a CrossEncoder, or leave it out."
            ) from error
        if self._model.num_labels != 1:
            raise ModelUnavailable(
                f"The reranker {name} gives {self._model.num_labels} scores a pair; "
                "set WENJU_RERANKER to a CrossEncoder that gives one."
            )
        self.name = name

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """One score a text, float32, (n,), higher is better."""
        pairs = [(question, text) for text in texts]
        found = self._model.predict(pairs, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, np.float32).reshape(len(pairs))


def rerank(question: str, evidence: Sequence[Evidence], reranker: Reranker) -> list[Evidence]:
    """The evidence in the reranker's order.

    Args:
        question: as it was searched for.
        evidence: best first.
        reranker: reads the first DEPTH of it.

    Returns:
        As many pieces, best first, ranks from 1. The reranker's own score is the signal "rerank";
        `Evidence.score` keeps its range and its order: the scores are given out anew, so that the
        best piece has the highest.
    """
    head, tail = list(evidence[:DEPTH]), list(evidence[DEPTH:])
    if not head:
        return []
    texts = [f"{e.article.title}\n{e.passage.text}" if e.article.title else e.passage.text
             for e in head]  # fmt: skip
    scores = reranker.scores(question, texts)
    if not np.isfinite(scores).all():
        logger.warning("rerank_not_finite", extra={"reranker": reranker.name})
        return list(evidence)
    order = np.argsort(-scores, kind="stable")
    fused = sorted((e.score for e in head), reverse=True)
    moved = [
        replace(
            head[i],
            rank=rank,
            score=fused[rank - 1],
            signals=dict(head[i].signals) | {"rerank": float(scores[i])},
        )
        for rank, i in enumerate(order, 1)
    ]
    return moved + [replace(e, rank=rank) for rank, e in enumerate(tail, len(moved) + 1)]
