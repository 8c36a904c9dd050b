"""Finds the weights of `rag/sentence_weights.json`: which sentence of the evidence answers.

    python -m eval.fit_sentences --home DIR same=SET.json … cross=EN.json+ZH.json [--questions N]

Each set is in SQuAD's format. All its paragraphs become one archive (kept below DIR), its
answerable questions are searched there, and the weights maximise the probability, a softmax over
the sentences found, that a sentence of the right article holds an accepted answer. "cross" asks
the first set's questions of the second's paragraphs. Half the questions fit, the others check;
what is written is fitted on all.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from eval.datasets import SquadSet, crossed, load_squad, sample
from eval.retrieval import build
from index.tokens import fold
from rag.answer import DEPTH
from rag.config import Config
from rag.language import language_of
from rag.pipeline import Pipeline
from rag.question import analyse
from rag.relevance import FEATURES, candidates_of, rank
from rag.types import Evidence, Question

Row = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""A question's candidates: features (n, len(FEATURES)) and which of them hold an answer."""

L2 = 1.0
"""Strength of the quadratic penalty on the weights."""

AT_LEAST = {"counted": 1.5, "quoted": 1.0}
"""Features that such sets hardly have: a list of just the asked length, a quotation of the
question. Their weights are at least these, chosen by hand."""


def found(
    pipeline: Pipeline, source: SquadSet, count: int, *, answerable: bool = True
) -> Iterator[tuple[Question, tuple[str, ...], str, list[Evidence]]]:
    """Each question with its accepted answers, its own paragraph and the evidence found for it."""
    asked = tuple(q for q in source.questions if q.question.strip())
    if answerable:
        asked = tuple(q for q in asked if q.answers)
    for item in sample(asked, count):
        evidence = pipeline.search(item.question, top_k=DEPTH)
        vector = pipeline.encoder().encode_queries([item.question])[0]
        yield Question(item.question, vector), item.answers, item.paragraph, list(evidence)


def rows(pipeline: Pipeline, source: SquadSet, count: int) -> list[Row]:
    """The candidates of every question whose answer stands among them."""
    kept: list[Row] = []
    for question, answers, paragraph, evidence in found(pipeline, source, count):
        analysis = analyse(question.text, fold, language_of(question.text))
        candidates = candidates_of(evidence, fold)
        if not candidates:
            continue
        ranking = rank(
            analysis,
            question.vector,
            pipeline.tokenizer.query_tokens(analysis.core),
            candidates,
            evidence,
            lambda texts: pipeline.vectors.encode(pipeline.encoder(), texts),
        )
        wanted = ["".join(fold(a).split()) for a in answers]
        own = "".join(paragraph.split())
        right = np.array(
            [
                any(a in "".join(c.folded.split()) for a in wanted)
                and "".join(c.text.split()) in own
                for c in candidates
            ]
        )
        if right.any() and not right.all():
            kept.append((ranking.features, right))
    return kept


def fit(data: Sequence[Row]) -> NDArray[np.float64]:
    """The weights of the softmax over each question's candidates, float64 (len(FEATURES),)."""
    features = np.concatenate([f for f, _ in data])
    right = np.concatenate([r for _, r in data])
    sizes = [len(f) for f, _ in data]
    starts = np.cumsum([0, *sizes])[:-1]
    question = np.repeat(np.arange(len(data)), sizes)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = features @ weights
        likely = np.exp(scores - np.maximum.reduceat(scores, starts)[question])
        total, good = np.add.reduceat(likely, starts), np.add.reduceat(likely * right, starts)
        value = float((np.log(total) - np.log(good)).sum() + L2 * weights @ weights)
        pull = likely / total[question] - likely * right / good[question]
        return value, features.T @ pull + 2 * L2 * weights

    weights: NDArray[np.float64] = minimize(
        loss, np.zeros(len(FEATURES)), jac=True, method="L-BFGS-B"
    ).x
    for name, least in AT_LEAST.items():
        place = FEATURES.index(name)
        weights[place] = max(weights[place], least)
    return weights


def shares(data: Sequence[Row], weights: NDArray[np.float64]) -> tuple[float, float]:
    """How often the best sentence, and one of the best two, holds an answer."""
    orders = [(np.argsort(-(f @ weights), kind="stable"), r) for f, r in data]
    return (
        float(np.mean([r[o[0]] for o, r in orders])),
        float(np.mean([r[o[:2]].any() for o, r in orders])),
    )


def load(spec: str) -> SquadSet:
    """A set, or "ASKED.json+SEARCHED.json"."""
    paths = [load_squad(Path(part)) for part in spec.split("+")]
    return crossed(paths[0], paths[1]) if len(paths) == 2 else paths[0]


def main(arguments: Sequence[str]) -> None:
    """Fit and print; with --write, write the weights."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", metavar="KIND=SET")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the bundled model")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    data: dict[str, list[Row]] = {}
    for spec in options.sets:
        kind, _, files = spec.partition("=")
        source = load(files)
        pipeline = build(Config(home=options.home, cache=options.cache), source, titles=False)
        data.setdefault(kind, []).extend(rows(pipeline, source, options.questions))
        pipeline.close()
    table: dict[str, dict[str, float]] = {}
    for kind, held in data.items():
        checked = shares(held[1::2], fit(held[::2]))
        print(
            f"{kind}: {len(held)} questions; held out: best {checked[0]:.3f}, two {checked[1]:.3f}"
        )
        weights = fit(held)
        table[kind] = {n: round(float(w), 3) for n, w in zip(FEATURES, weights, strict=True)}
    print(json.dumps(table, indent=1))
    if options.write:
        options.write.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
