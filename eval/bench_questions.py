"""Questions for the benchmark: those of given sets, and first clauses of an archive's sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from eval.cases import load_cases
from eval.datasets import SquadSet, load_squad
from rag.corpus import Corpus
from rag.sentences import sentences
from rag.types import Article

_SHORTEST, _LONGEST = 6, 40  # code points of a clause that a question is made of
_CLAUSE = re.compile(r"[，；：]|[,;:](?=\s)")
_TRIES = 20  # articles looked at for each question wanted


def read_sets(paths: Sequence[Path]) -> tuple[tuple[SquadSet, ...], tuple[str, ...]]:
    """Question sets, JSON lines (.jsonl) or in SQuAD's format.

    Returns:
        Those in SQuAD's format, and the questions of all of them, each once.

    Raises:
        BadSet: a file cannot be read or something in it is wrong.
    """
    sets: list[SquadSet] = []
    texts: list[str] = []
    for path in paths:
        if path.suffix == ".jsonl":
            texts += [case.question for case in load_cases(path).cases]
        else:
            sets.append(load_squad(path))
            texts += [question.question for question in sets[-1].questions]
    return tuple(sets), tuple(dict.fromkeys(text for text in texts if text.strip()))


def question_of(article: Article, draw: random.Random) -> str | None:
    """A question that one of an article's sentences answers; None where none is fit for it."""
    paragraphs = [block.span.of(article.text) for block in article.paragraphs]
    found = [s for p in paragraphs for s in sentences(p) if len(s) >= 2 * _SHORTEST]
    for sentence in draw.sample(found, min(len(found), 5)):
        clause = _CLAUSE.split(sentence, maxsplit=1)[0].rstrip("。！？.!? ")[:_LONGEST].strip()
        if len(clause) >= _SHORTEST:
            asked = "，情况如何？" if article.language == "zh" else ": what is known of it?"
            return clause + asked
    return None


class Deck:
    """Questions, dealt one after another so that no two measurements ask the same.

    Attributes:
        given: how many are of the given sets.
        made: how many were made from the archive.
        again: how many were dealt a second time, because there were too few.
    """

    def __init__(self, corpus: Corpus, given: Sequence[str], count: int, seed: int) -> None:
        """Draw them; the same ones every time.

        Args:
            corpus: the archive's articles.
            given: questions of people, of which up to half of the deck is taken.
            count: how many to draw; there are fewer where the archive is too small for that.
            seed: another one draws others.
        """
        draw = random.Random(seed)  # noqa: S311 no secret
        some = draw.sample(list(given), min(len(given), count // 2))
        made = list(islice(_made(corpus, draw, (count - len(some)) * _TRIES), count - len(some)))
        texts = list(dict.fromkeys([*some, *made]))
        draw.shuffle(texts)
        self.given, self.made, self.again = len(some), len(texts) - len(some), 0
        self._left = len(texts)
        self._texts = cycle(texts)

    def deal(self, count: int) -> list[str]:
        """The next so many questions; none where there is none at all."""
        self.again += max(count - self._left, 0)
        self._left = max(self._left - count, 0)
        return list(islice(self._texts, count))


def _made(corpus: Corpus, draw: random.Random, tries: int) -> Iterator[str]:
    """Questions from articles drawn at random, each once; an article may come twice."""
    ids = sorted(corpus.ids())
    seen: set[str] = set()
    for start in range(0, tries if ids else 0, 100):
        some = draw.choices(ids, k=min(100, tries - start))
        articles = corpus.get_many(sorted(set(some)))
        for key in some:
            question = question_of(articles[key], draw)
            if question is not None and question not in seen:
                seen.add(question)
                yield question
