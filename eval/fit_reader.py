"""Finds the weights of `rag/reader_weights.npz`: which words of a sentence answer, if any do.

    python -m eval.fit_reader SET.json ASKED.json+SEARCHED.json … --cache FOLDER
        [--held-out TITLE …] [--epochs N] [--write FILE | --check]

Each set is in SQuAD's format; two with a plus ask the first one's questions of the second's
paragraphs. A question is shown the sentence that holds its answer, and to be told apart from it

- near: the sentence of its paragraph most like the question that holds no accepted answer,
- silent: the most like one of all other paragraphs of the set,
- unanswerable: where the set says that the paragraph does not answer, the most like one of it.

Likeness is the bundled encoder's. A fifth of the paragraphs is held out to check, of sets that
stand in two languages the articles named with --held-out; what is written is fitted on the others.
It takes 8 GB of memory. With --check nothing is fitted: the short answers to these questions, cut
out of the right sentence with the weights that are there, are marked, and those without a reader.

The weights that are there were fitted on CMRC 2018 (dev and trial), DRCD dev, SQuAD 2 dev in
Chinese, and XQuAD in Chinese, English and across, 7 epochs; held out of XQuAD are the articles that
are not in SQuAD 2 dev: Super_Bowl_50 Nikola_Tesla Teacher Martin_Luther Apollo_program
Newcastle_upon_Tyne Victoria_and_Albert_Museum American_Broadcasting_Company Genghis_Khan Doctor_Who
Kenya Chloroplast United_Methodist_Church.
"""

from __future__ import annotations

import hashlib
import random
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.datasets import SquadQuestion, SquadSet
from eval.fit_sentences import load
from eval.text import best, cmrc_exact, cmrc_f1
from index.encode import BundledEncoder, load_encoder
from index.tokens import Tokenizer, fold
from rag.language import language_of
from rag.question import analyse
from rag.reader import Input, Reader, as_input, joined
from rag.sentences import sentences
from rag.short_answer import short_answer

SEED = 2018
NEAR, SILENT = 0.5, 0.4
"""Shares of the questions that are shown such a sentence, too."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question and a sentence.

    Attributes:
        kind: "answer", "near", "silent" or "unanswerable".
        held_out: whether it only checks.
        answers: accepted answers that stand in the sentence; () but for kind "answer".
    """

    source: str
    held_out: bool
    question: str
    sentence: str
    kind: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """An example as the reader takes it; `right` are the tokens that begin and end answers."""

    example: Example
    given: Input
    right: tuple[tuple[int, int], ...]


class Score(NamedTuple):
    """Of a short answer: exact match and F1, 0 to 1, higher is better; whether it is sure."""

    exact: float
    f1: float
    sure: bool


def examples(
    source: SquadSet, encoder: BundledEncoder, titles: frozenset[str]
) -> Iterator[Example]:
    """Every question of a set with its sentences."""
    draw = random.Random(SEED)  # noqa: S311 no secret
    asked = list(_asked(source, titles))
    every = sorted({s for _, _, own in asked for s in own})
    place = {s: i for i, s in enumerate(every)}
    vectors = encoder.encode_passages(every)
    questions = encoder.encode_queries([item.question for item, _, _ in asked])
    for (item, held_out, own), vector in zip(asked, questions, strict=True):
        example = partial(Example, source.name, held_out, item.question)
        holds = [s for s in own if any(a in s for a in item.answers)]
        others = [s for s in own if s not in holds]
        likeness = vectors @ vector
        if holds:
            yield example(holds[0], "answer", _standing(item.answers, holds[0]))
            if others and draw.random() < NEAR:
                yield example(_nearest(others, likeness, place), "near")
            if draw.random() < SILENT:
                for i in np.argsort(-likeness):
                    if every[i] not in own and not any(a in every[i] for a in item.answers):
                        yield example(every[i], "silent")
                        break
        elif own and not item.answers:
            yield example(_nearest(own, likeness, place), "unanswerable")


def _asked(
    source: SquadSet, titles: frozenset[str]
) -> Iterator[tuple[SquadQuestion, bool, list[str]]]:
    """Questions, whether they are held out, and the sentences of their paragraphs."""
    title = {p: a.title for a in source.articles for p in a.paragraphs}
    shared = any(t in titles for t in title.values())
    for item in source.questions:
        if item.question.strip() and item.paragraph in title:
            held_out = title[item.paragraph] in titles if shared else _fifth(item.paragraph)
            yield item, held_out, list(sentences(item.paragraph))


def _standing(answers: Sequence[str], sentence: str) -> tuple[str, ...]:
    return tuple(answer for answer in answers if answer in sentence)


def marked(source: SquadSet, reader: Reader | None, titles: frozenset[str]) -> list[Score]:
    """What `short_answer` cuts out of the right sentence, of the questions that are held out."""
    tokenizer = Tokenizer()
    found = []
    for item, held_out, own in _asked(source, titles):
        holds = next((s for s in own if any(a in s for a in item.answers)), None)
        if not held_out or holds is None:
            continue
        analysis = analyse(item.question, fold, language_of(item.question))
        read = reader.asked(item.question) if reader else None
        short = short_answer(analysis, [holds], fold, tokenizer.words, read)
        text, answers = short.text if short else "", _standing(item.answers, holds)
        score = best(cmrc_exact, text, answers), best(cmrc_f1, text, answers)
        found.append(Score(*score, short is not None and short.sure))
    return found


def show(title: str, scores: Sequence[Score]) -> None:
    """The share that is just right and the F1, of all and of those said to be sure."""
    exact, f1, sure = np.mean(scores, axis=0)
    right = np.mean([score.exact for score in scores if score.sure] or [0.0])
    print(
        f"  {title}: {len(scores)} exact {exact:.3f}, F1 {f1:.3f}; "
        f"sure of {sure:.3f}, exact {right:.3f}",
        flush=True,
    )


def _nearest(among: Sequence[str], likeness: NDArray[np.float32], place: Mapping[str, int]) -> str:
    return max(among, key=lambda sentence: likeness[place[sentence]])


def _fifth(paragraph: str) -> bool:
    return hashlib.sha256(paragraph.encode()).digest()[0] % 5 == 0


def row(example: Example, encoder: BundledEncoder) -> Row:
    """An example's states, kept at half precision, and where its answers stand."""
    text, begins = joined(example.question, example.sentence)
    given = as_input(encoder.tokens(text), begins)
    spans, within = given.spans, given.within
    right = set()
    for answer in example.answers:
        start = example.sentence.find(answer)
        end = start + len(answer)
        first = np.flatnonzero(within & (spans[:, 0] <= start) & (start < spans[:, 1]))
        last = np.flatnonzero(within & (spans[:, 0] < end) & (end <= spans[:, 1]))
        if len(first) and len(last):
            right.add((int(first[0]), int(last[-1])))
    half = Input(given.states.astype(np.float16), given.place, given.match, spans)
    return Row(example, half, tuple(sorted(right)))


def main(arguments: Sequence[str]) -> None:
    """Fit and print; with --write, write the weights."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the bundled model")
    parser.add_argument("--held-out", nargs="*", default=[], metavar="TITLE")
    parser.add_argument("--check", action="store_true", help="fit nothing")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    from eval.reader_net import fit, report  # imports torch

    encoder = load_encoder(cache_dir=options.cache)
    if not isinstance(encoder, BundledEncoder):
        raise TypeError("the reader is fitted to the bundled encoder")
    titles = frozenset(options.held_out)
    if options.check:
        every: dict[str, list[Score]] = {"with": [], "without": []}
        for spec in options.sets:
            print("+".join(Path(part).stem for part in spec.split("+")))
            for name, reader in (("with", Reader(encoder)), ("without", None)):
                scores = marked(load(spec), reader, titles)
                every[name] += scores
                show(f"{name} the reader", scores)
        for name, scores in every.items():
            show(f"all, {name} the reader", scores)
        return
    rows: list[Row] = []
    for spec in options.sets:
        shown = list(examples(load(spec), encoder, titles))
        with ThreadPoolExecutor(2) as pool:
            rows += pool.map(lambda example: row(example, encoder), shown)
        kinds = {k: sum(e.kind == k for e in shown) for k in sorted({e.kind for e in shown})}
        print(f"{shown[0].source}: {kinds}", flush=True)
    kept = [r for r in rows if not r.example.held_out and (r.right or r.example.kind != "answer")]
    check = [r for r in rows if r.example.held_out]
    print(f"{len(kept)} to fit, {len(check)} held out", flush=True)
    net = fit(kept, options.epochs)
    report(net, check)
    if options.write:
        held = {name: value.numpy().astype(np.float16) for name, value in net.state_dict().items()}
        np.savez_compressed(options.write, **held)


if __name__ == "__main__":
    main(sys.argv[1:])
