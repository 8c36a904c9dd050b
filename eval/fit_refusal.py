"""Finds the numbers of `rag/refusal_weights.json`: when to say that the archive does not tell.

    python -m eval.fit_refusal --home DIR --cases QUESTIONS.jsonl --archive HOME SET.json …

The cases are asked of their own archive; they weigh most, because they are what people ask. Each
SQuAD-format set is asked of all its paragraphs, its unanswerable questions too, and its
answerable ones once more with their own paragraph taken away: nothing in the archive answers
them then. A logistic regression over `rag.refusal.SIGNALS` is checked by ten-fold cross-validation
(the questions on one paragraph, and a question and its deprived twin, are in one fold) and
fitted on everything; the precision and recall that it prints are those of the check.
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

CASES, NEAR, FAR = 6.0, 0.5, 0.2
"""What one case weighs, one question of a set that has unanswerable ones, and one of another set
or without its own paragraph."""

L2 = 0.3
"""Of the weights of standardised signals."""

SPEAK_FOR = frozenset(("score", "margin", "mass", "sentence", "clause", "article"))
SPEAK_AGAINST = frozenset(
    (
        "lacking", "lacking_number", "no_count", "missing_number", "lost_number", "missing_name",
    )
)  # fmt: skip
"""Signals that may only raise the probability, and such as may only lower it. Fitted freely some
turned round, being like each other, and on the sample questions, which nothing is fitted on, the
area under the curve was .889 instead of .906."""

FOLDS = 10

THRESHOLD = 0.3
"""Refuse below this probability: on questions that it was not fitted on about as many refusals are
wrong as are missing, and hardly any answerable question of the sets is refused."""

TRIED = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Thresholds that are reported."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question as the refusal sees it.

    Attributes:
        group: rows of one group are never on both sides of a check.
        answerable: whether the evidence answers it.
        weight: of the row in the fit.
    """

    set: str
    group: str
    answerable: bool
    weight: float
    signals: tuple[float, ...]


def watch(
    question: Question, evidence: Sequence[Evidence], pipeline: Pipeline
) -> tuple[float, ...] | None:
    """The signals of a question's draft; None without evidence."""
    seen: list[tuple[float, ...]] = []

    def judge(
        analysis: Analysis, ranking: Ranking, given: Sequence[Evidence], chosen: Sequence[int]
    ) -> refusal.Verdict:
        verdict = refusal.judge(analysis, ranking, given, chosen)
        seen.append(tuple(verdict.signals[name] for name in refusal.SIGNALS))
        return verdict

    tools = Tools(
        lambda texts: pipeline.vectors.encode(pipeline.encoder(), texts),
        pipeline.tokenizer.query_tokens,
        lambda texts: pipeline.encoder().encode_queries(texts),
        fold,
        pipeline.tokenizer.words,
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
            yield Row("cases", case.id, case.type != "unanswerable", CASES, seen)


def rows_of_set(source: SquadSet, pipeline: Pipeline, count: int) -> Iterator[Row]:
    """A set's questions, and the answerable ones without their own paragraph."""
    own = NEAR if any(not q.answers for q in source.questions) else FAR
    for question, answers, paragraph, evidence in found(pipeline, source, count, answerable=False):
        seen = watch(question, evidence, pipeline)
        if seen is not None:
            yield Row(source.name, paragraph, bool(answers), own, seen)
        deprived = [e for e in evidence if e.passage.text not in paragraph]
        seen = watch(question, deprived, pipeline) if answers else None
        if seen is not None:
            yield Row(f"{source.name} deprived", paragraph, False, FAR, seen)


def matrix(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Signals and 1; float64 (n, len(SIGNALS) + 1)."""
    return np.array([[*r.signals, 1.0] for r in rows])


def fit(rows: Sequence[Row]) -> NDArray[np.float64]:
    """The weighted, penalised logistic regression's weights; the bias, last, is not penalised."""
    given, labels = matrix(rows), np.array([1.0 if r.answerable else -1.0 for r in rows])
    weights = np.array([r.weight for r in rows])
    mean, spread = given[:, :-1].mean(axis=0), given[:, :-1].std(axis=0) + 1e-9
    given[:, :-1] = (given[:, :-1] - mean) / spread
    penalty = np.array([*[L2] * (given.shape[1] - 1), 0.0])

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = labels * (given @ w)
        value = float((weights * np.logaddexp(0.0, -margin)).sum() + (penalty * w * w).sum() / 2)
        pull = -weights * labels / (1.0 + np.exp(np.clip(margin, -50, 50)))
        return value, given.T @ pull + penalty * w

    bounds = [
        (0.0 if name in SPEAK_FOR else None, 0.0 if name in SPEAK_AGAINST else None)
        for name in (*refusal.SIGNALS, "bias")
    ]
    start = np.zeros(given.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    plain = found[:-1] / spread
    result: NDArray[np.float64] = np.array([*plain, found[-1] - plain @ mean])
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
    """What is refused of each set at each threshold tried."""
    for name in sorted({r.set for r in rows}):
        places = [i for i, r in enumerate(rows) if r.set == name]
        able = np.array([rows[i].answerable for i in places])
        for threshold in TRIED:
            gone = probability[places] < threshold
            print(
                f"{name} below {threshold}: refused {(gone & ~able).sum()} of {(~able).sum()} "
                f"unanswerable, {(gone & able).sum()} of {able.sum()} answerable"
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
    names = (*refusal.SIGNALS, "bias")
    table = {name: round(float(w), 3) for name, w in zip(names, fit(rows), strict=True)}
    table["threshold"] = THRESHOLD
    print(json.dumps(table, indent=1))
    if options.write:
        options.write.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
