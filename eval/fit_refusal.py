"""Finds the numbers of `rag/refusal_weights.json`: when to say that the archive does not tell.

    python -m eval.fit_refusal --home DIR --cases QUESTIONS.jsonl --archive HOME SET.json …

The cases are asked of their own archive; they weigh most, because they are what people ask. Each
SQuAD-format set is asked of all its paragraphs, its unanswerable questions too, and its
answerable ones once more with their own paragraph taken away: nothing in the archive answers
them then. A logistic regression over `rag.refusal.SIGNALS` and whether question and evidence are of
two languages is checked by ten-fold cross-validation (a question and its deprived twin in
one fold) and fitted on everything.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from eval.cases import load_cases
from eval.datasets import SquadSet
from eval.fit_sentences import found, load
from eval.retrieval import build
from index.tokens import fold
from rag import refusal
from rag.answer import Tools, draft
from rag.config import Config
from rag.language import language_of
from rag.pipeline import Pipeline
from rag.question import Analysis
from rag.relevance import Ranking
from rag.types import Evidence, Question

CASES, SETS = 6.0, 0.3
"""What one case and one question of a set weigh."""

L2 = 0.1
FOLDS = 10
FIGURE_THRESHOLD = 0.6
"""Where a number is asked for in the articles' own language. On the cases and the sample questions
it refuses 25 of 35 unanswerable ones in place of 19, and 4 of 26 answerable ones in place of 1;
across languages it costs more than it brings."""

THRESHOLD = 0.35
"""Refuse below this probability: where cross-validation on the cases gives precision and recall
of .85 and more, and no more than a few of the sets' answerable questions are lost."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question as the refusal sees it.

    Attributes:
        group: rows of one group are never on both sides of a check.
        answerable: whether the evidence answers it.
        cross: whether question and evidence are of two languages.
    """

    set: str
    group: str
    answerable: bool
    cross: bool
    signals: tuple[float, ...]


def watch(
    question: Question, evidence: Sequence[Evidence], pipeline: Pipeline
) -> tuple[tuple[float, ...], bool] | None:
    """The signals of a question's draft, and whether two languages meet; None without evidence."""
    seen: list[tuple[tuple[float, ...], bool]] = []

    def judge(
        analysis: Analysis, ranking: Ranking, given: Sequence[Evidence], chosen: Sequence[int]
    ) -> refusal.Verdict:
        verdict = refusal.judge(analysis, ranking, given, chosen)
        article = given[ranking.candidates[chosen[0]].evidence].article
        signals = tuple(verdict.signals[name] for name in refusal.SIGNALS)
        seen.append((signals, article.language != analysis.language))
        return verdict

    tools = Tools(
        lambda texts: pipeline.vectors.encode(pipeline.encoder(), texts),
        pipeline.tokenizer.query_tokens,
        lambda texts: pipeline.encoder().encode_queries(texts),
        fold,
    )
    draft(question, evidence, tools, language=language_of(question.text), judge=judge)
    return seen[-1] if seen else None


def rows_of_cases(path: Path, pipeline: Pipeline) -> Iterator[Row]:
    """The cases, asked of their archive."""
    for case in load_cases(path).cases:
        vector = pipeline.encoder().encode_queries([case.question])[0]
        evidence = pipeline.search(case.question, top_k=20)
        seen = watch(Question(case.question, vector), evidence, pipeline)
        if seen is not None:
            yield Row("cases", case.id, case.type != "unanswerable", seen[1], seen[0])


def rows_of_set(source: SquadSet, pipeline: Pipeline, count: int) -> Iterator[Row]:
    """A set's questions, and the answerable ones without their own paragraph."""
    for question, answers, paragraph, evidence in found(pipeline, source, count, answerable=False):
        seen = watch(question, evidence, pipeline)
        if seen is not None:
            yield Row(source.name, question.text, bool(answers), seen[1], seen[0])
        deprived = [e for e in evidence if e.passage.text not in paragraph]
        seen = watch(question, deprived, pipeline) if answers else None
        if seen is not None:
            yield Row(f"{source.name} deprived", question.text, False, seen[1], seen[0])


def matrix(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Signals, whether two languages meet, and 1; float64 (n, len(SIGNALS) + 2)."""
    return np.array([[*r.signals, float(r.cross), 1.0] for r in rows])


def fit(rows: Sequence[Row]) -> NDArray[np.float64]:
    """The weighted, penalised logistic regression's weights; the bias, last, is not penalised."""
    given, labels = matrix(rows), np.array([1.0 if r.answerable else -1.0 for r in rows])
    weights = np.array([CASES if r.set == "cases" else SETS for r in rows])
    penalty = np.array([*[L2] * (given.shape[1] - 1), 0.0])

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = labels * (given @ w)
        value = float((weights * np.logaddexp(0.0, -margin)).sum() + (penalty * w * w).sum() / 2)
        pull = -weights * labels / (1.0 + np.exp(np.clip(margin, -50, 50)))
        return value, given.T @ pull + penalty * w

    result: NDArray[np.float64] = minimize(
        loss, np.zeros(given.shape[1]), jac=True, method="L-BFGS-B"
    ).x
    return result


def checked(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Each row's probability under weights fitted without its fold."""
    groups = sorted({r.group for r in rows})
    fold_of = dict(
        zip(groups, np.random.default_rng(1).integers(0, FOLDS, len(groups)), strict=True)
    )
    places = np.array([fold_of[r.group] for r in rows])
    result = np.zeros(len(rows))
    for number in range(FOLDS):
        weights = fit([r for r, p in zip(rows, places, strict=True) if p != number])
        result[places == number] = matrix(rows)[places == number] @ weights
    probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-result))
    return probability


def report(rows: Sequence[Row], probability: NDArray[np.float64]) -> None:
    """Refusal precision and recall of each set at the threshold."""
    for name in sorted({r.set for r in rows}):
        own = [
            (r.answerable, p < THRESHOLD)
            for r, p in zip(rows, probability, strict=True)
            if r.set == name
        ]
        refused = [answerable for answerable, gone in own if gone]
        none = sum(not answerable for answerable, _ in own)
        right = sum(not answerable for answerable in refused)
        print(
            f"{name}: refused {right} of {none} unanswerable, "
            f"{len(refused) - right} of {len(own) - none} answerable"
        )


def main(arguments: Sequence[str]) -> None:
    """Fit and print; with --write, write the numbers."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        "sets", nargs="+", metavar="SET", help="SET.json or ASKED.json+SEARCHED.json"
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the bundled model")
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True, help="home of the cases' archive")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    pipeline = Pipeline(Config(home=options.archive, cache=options.cache))
    rows = list(rows_of_cases(options.cases, pipeline))
    pipeline.close()
    for spec in options.sets:
        source = load(spec)
        pipeline = build(Config(home=options.home, cache=options.cache), source, titles=False)
        rows += rows_of_set(source, pipeline, options.questions)
        pipeline.close()
    report(rows, checked(rows))
    weights = [round(float(w), 2) for w in fit(rows)]
    *signals, cross, bias = weights
    named = dict(zip(refusal.SIGNALS, signals, strict=True))
    table = {
        "same": {
            "bias": bias,
            **named,
            "threshold": THRESHOLD,
            "figure_threshold": FIGURE_THRESHOLD,
        },
        "cross": {
            "bias": round(bias + cross, 2),
            **named,
            "threshold": THRESHOLD,
            "figure_threshold": THRESHOLD,
        },
    }
    print(json.dumps(table, indent=1))
    if options.write:
        options.write.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
