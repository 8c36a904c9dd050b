"""Finds the weights of `rag/span_weights.json`: which span of a sentence is the answer.

    python -m eval.fit_spans SET.json ASKED.json+SEARCHED.json … [--questions N] [--write FILE]

Each set is in SQuAD's format; two with a plus ask the first one's questions of the second's
paragraphs. A question is asked of the sentences of its own paragraph that hold
an accepted answer; the weights maximise the probability, a softmax over the spans of the sentence,
of the spans that are one. Two thirds of the articles fit, the others check; what is written is
fitted on all.
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
from scipy.sparse import csr_matrix

from eval.datasets import SquadSet, sample
from eval.fit_sentences import load
from eval.text import best, cmrc_exact, cmrc_f1
from index.tokens import Tokenizer, fold
from rag.language import language_of
from rag.question import analyse
from rag.sentences import sentences
from rag.span_features import Asked, as_looked_at, candidates

L2 = 2.0
"""Strength of the quadratic penalty on the weights."""

LEAST = 0.02
"""A smaller weight is left out of the file."""


@dataclass(frozen=True, slots=True)
class Row:
    """The spans of one question's sentence.

    Attributes:
        group: rows of one paragraph are never on both sides of a check.
        language: of question and sentence, "en-zh".
        names: each span's features.
        texts: the spans.
        right: whether each is an accepted answer.
    """

    group: str
    language: str
    kind: str
    names: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...]
    answers: tuple[str, ...]
    right: NDArray[np.bool_]


def rows(source: SquadSet, count: int, tokenizer: Tokenizer) -> Iterator[Row]:
    """The sentences that hold an accepted answer, one a question."""
    asked = tuple(q for q in source.questions if q.answers and q.question.strip())
    for item in sample(asked, count):
        held = [s for s in sentences(item.paragraph) if any(a in s for a in item.answers)]
        if not held:
            continue
        text = as_looked_at(held[0], fold(held[0]))
        language, other = language_of(item.question), language_of(item.paragraph)
        analysis = analyse(item.question, fold, language)
        found = list(candidates(Asked.of(analysis, tokenizer.words, other), text, tokenizer.words))
        if not found:
            continue
        texts = tuple(span.of(held[0]) for span, _ in found)
        right = np.array([best(cmrc_exact, text, item.answers) > 0 for text in texts])
        names = tuple(tuple(own) for _, own in found)
        kind = analysis.wanted.value
        yield Row(item.paragraph, f"{language}-{other}", kind, names, texts, item.answers, right)


def fit(data: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Weights by kind of question ("any": of all) and feature, from the rows of one language."""
    kept = [row for row in data if row.right.any()]
    numbers: dict[tuple[str, str], int] = {}
    places: list[int] = []
    ends = [0]
    for row in kept:
        for names in row.names:
            for name in names:
                for kind in ("any", row.kind):
                    places.append(numbers.setdefault((kind, name), len(numbers)))
            ends.append(len(places))
    shape = (len(ends) - 1, len(numbers))
    matrix = csr_matrix((np.ones(len(places)), places, ends), shape=shape)
    right = np.concatenate([row.right for row in kept])
    sizes = [len(row.names) for row in kept]
    starts = np.cumsum([0, *sizes])[:-1]
    question = np.repeat(np.arange(len(kept)), sizes)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = matrix @ weights
        likely = np.exp(scores - np.maximum.reduceat(scores, starts)[question])
        total = np.add.reduceat(likely, starts)
        good = np.add.reduceat(likely * right, starts) + 1e-12
        value = float((np.log(total) - np.log(good)).sum() + L2 * weights @ weights / 2)
        pull = likely / total[question] - likely * right / good[question]
        return value, matrix.T @ pull + L2 * weights

    found = minimize(
        loss, np.zeros(len(numbers)), jac=True, method="L-BFGS-B", options={"maxiter": 200}
    )
    table: dict[str, dict[str, float]] = {}
    for (kind, name), place in sorted(numbers.items()):
        if abs(weight := float(found.x[place])) >= LEAST:
            table.setdefault(kind, {})[name] = round(weight, 3)
    return table


def checked(
    data: Sequence[Row], table: dict[str, dict[str, float]]
) -> list[tuple[float, bool, float]]:
    """For each row the best span's probability, whether it is right, and its F1."""
    results = []
    for row in data:
        shared, own = table["any"], table.get(row.kind, {})
        scores = np.array(
            [sum(shared.get(n, 0.0) + own.get(n, 0.0) for n in names) for names in row.names]
        )
        top = int(scores.argmax())
        likely = 1.0 / float(np.exp(scores - scores[top]).sum())
        f1 = best(cmrc_f1, row.texts[top], row.answers)
        results.append((likely, bool(row.right[top]), f1))
    return results


def report(title: str, results: Sequence[tuple[float, bool, float]]) -> None:
    """What is right at each probability from which on a span is given."""
    for least in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        given = [(right, f1) for likely, right, f1 in results if likely >= least]
        if given:
            right, f1 = np.mean(given, axis=0)
            share = len(given) / len(results)
            print(f"{title} from {least}: given {share:.2f}, exact {right:.3f}, F1 {f1:.3f}")


def main(arguments: Sequence[str]) -> None:
    """Fit and print; with --write, write the weights of these languages into the file."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--questions", type=int, default=1500, help="of each set")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    tokenizer = Tokenizer()
    data = [row for spec in options.sets for row in rows(load(spec), options.questions, tokenizer)]
    groups = sorted({row.group for row in data})
    held_out = set(groups[::3])
    table: dict[str, dict[str, dict[str, float]]] = {}
    for language in sorted({row.language for row in data}):
        own = [row for row in data if row.language == language]
        tried = fit([row for row in own if row.group not in held_out])
        check = [row for row in own if row.group in held_out]
        report(f"{language}, {len(check)} held out", checked(check, tried))
        for kind in sorted({row.kind for row in check}):
            report(f"  {language} {kind}", checked([r for r in check if r.kind == kind], tried))
        table[language] = fit(own)
    if options.write:
        if options.write.exists():  # languages that were not fitted now are kept
            table = json.loads(options.write.read_text(encoding="utf-8")) | table
        text = json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True)
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
