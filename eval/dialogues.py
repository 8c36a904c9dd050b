"""Follow-up questions in conversation: `python -m eval.dialogues`.

Each follow-up of `eval/data/dialogues.jsonl` is rewritten from the turns before it and held against
what must, and what must not, stand in it. With an archive of the sample articles it is also
searched for and asked, beside the question as it was asked and a person's own rewriting.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

from eval.errors import BadSet
from index.tokens import fold
from rag import converse
from rag.config import Config
from rag.pipeline import Pipeline
from rag.types import Article, Turn

DATA = Path(__file__).parent / "data" / "dialogues.jsonl"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One follow-up and the turns before it.

    Attributes:
        id: of the dialogue and the turn ("d03.2", the first turn is 1).
        split: "tune" or "held_out".
        kind: "substitution", "attribute", "pronoun", "demonstrative", "ellipsis", "article",
            "more" or "new_topic".
        history: earlier turns; `article_ids` are labels of gold articles.
        reference: the question as a person would make it stand alone.
        must: of each group one text must stand in the rewriting.
        must_not: none of these may.
        accept: an answer holds one of these; empty where the archive has none.
        articles: labels of the articles that hold the answer.
    """

    id: str
    split: str
    language: str
    kind: str
    question: str
    history: tuple[Turn, ...]
    reference: str
    must: tuple[tuple[str, ...], ...]
    must_not: tuple[str, ...]
    accept: tuple[str, ...]
    articles: tuple[str, ...]


def read(path: Path = DATA) -> list[FollowUp]:
    """The follow-ups of a file of dialogues, in order.

    Raises:
        BadSet: a line is not a dialogue.
    """
    found: list[FollowUp] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found += _follow_ups(json.loads(line))
        except (KeyError, TypeError, ValueError) as error:
            raise BadSet(path, f"line {number} is not a dialogue ({error})") from error
    return found


def _follow_ups(dialogue: dict[str, Any]) -> Iterator[FollowUp]:
    turns = dialogue["turns"]
    history = tuple(Turn(t["question"], t["answer"], tuple(t["articles"])) for t in turns)
    for number, turn in enumerate(turns[1:], start=1):
        yield FollowUp(
            id=f"{dialogue['id']}.{number + 1}",
            split=dialogue["split"],
            language=dialogue["language"],
            kind=turn["kind"],
            question=turn["question"],
            history=history[:number],
            reference=turn["standalone"],
            must=tuple(tuple(group) for group in turn["must"]),
            must_not=tuple(turn["must_not"]),
            accept=tuple(turn["accept"]),
            articles=tuple(turn["articles"]),
        )


def right(case: FollowUp, rewritten: str) -> bool:
    """Whether a rewriting says what it must and nothing that it must not.

    A new topic has to stay as it was asked, but for an opening word.
    """
    text = _plain(rewritten)
    asked = _plain(case.question).removeprefix("那").removeprefix("and ")
    if case.kind == "new_topic" and asked not in text:
        return False
    return all(any(_plain(t) in text for t in group) for group in case.must) and not any(
        _plain(t) in f" {text} " for t in case.must_not
    )


def _plain(text: str) -> str:
    return re.sub(r"[？?。]", "", fold(text))


def score_rules(
    cases: Sequence[FollowUp], articles: Mapping[str, Article]
) -> list[tuple[FollowUp, str, bool]]:
    """Each follow-up, what the rules make of it after the gold turns, and whether that is right."""
    rewritten = [(c, converse.standalone(c.question, c.history, articles.get)) for c in cases]
    return [(case, text, right(case, text)) for case, text in rewritten]


def sample_articles(pipeline: Pipeline, folder: Path) -> dict[str, Article]:
    """The sample articles, added to an archive, by label: the file's stem, "stem:n" on a page."""
    found: dict[str, Article] = {}
    for report in pipeline.add([folder]):
        stem = Path(report.uri).stem
        for number, key in enumerate(report.articles, start=1):
            label = stem if len(report.articles) == 1 else f"{stem}:{number}"
            found[label] = pipeline.corpus.get(key)
    return found


def score_product(
    case: FollowUp, question: str, pipeline: Pipeline, articles: Mapping[str, Article]
) -> tuple[bool, bool]:
    """Whether the right article comes first, and whether the answer holds an accepted one."""
    first = pipeline.search(question, top_k=1)
    gold = {articles[label].id for label in case.articles}
    answer = fold(pipeline.ask(question).text)
    return bool(first) and first[0].article.id in gold, any(fold(a) in answer for a in case.accept)


def main(
    data: Annotated[Path, typer.Argument(help="Dialogues, JSON lines.")] = DATA,
    home: Annotated[
        Path | None, typer.Option(help="An empty folder: also search and ask there.")
    ] = None,
    samples: Annotated[Path, typer.Option(help="The sample articles.")] = Path("articles"),
    cache: Annotated[
        Path | None, typer.Option(envvar="WENJU_CACHE", help="Folder of the bundled model.")
    ] = None,
    split: Annotated[str, typer.Option(help="tune, held_out, or both.")] = "both",
    show: Annotated[bool, typer.Option(help="Print every rewriting that is wrong.")] = False,
) -> None:
    """Measure the rewriting of follow-up questions."""
    cases = [c for c in read(data) if split in ("both", c.split)]
    if home is None:
        _print_rules(score_rules(cases, read_articles(samples)), show)
        return
    cache = cache or Path(platformdirs.user_cache_dir("wenju"))
    pipeline = Pipeline(Config(home=home, cache=cache))
    try:
        articles = sample_articles(pipeline, samples)
        _print_rules(score_rules(cases, articles), show)
        _print_product(cases, pipeline, articles)
    finally:
        pipeline.close()


def read_articles(folder: Path) -> dict[str, Article]:
    """The sample articles by label, without an archive."""
    from rag import pages, readers

    found: dict[str, Article] = {}
    for path in readers.find_files([folder])[0]:
        read_ = pages.articles(readers.read_path(path))
        for number, article in enumerate(read_, start=1):
            found[path.stem if len(read_) == 1 else f"{path.stem}:{number}"] = article
    return found


def _print_rules(rows: Sequence[tuple[FollowUp, str, bool]], show: bool) -> None:
    groups: dict[str, list[bool]] = defaultdict(list)
    for case, _, good in rows:
        for group in (f"split {case.split}", f"language {case.language}", f"kind {case.kind}"):
            groups[group].append(good)
    groups["all"] = [good for *_, good in rows]
    for name, values in groups.items():
        print(f"{name:26}{sum(values) / len(values):6.3f}  ({sum(values)} of {len(values)})")
    for case, text, good in rows if show else ():
        if not good:
            print(f"{case.id} {case.kind}: {case.question} -> {text} (should be {case.reference})")


def _print_product(
    cases: Sequence[FollowUp], pipeline: Pipeline, articles: Mapping[str, Article]
) -> None:
    answerable = [c for c in cases if c.accept]
    ways: dict[str, Callable[[FollowUp], str]] = {
        "as asked": lambda c: c.question,
        "last question before it": lambda c: f"{c.history[-1].question} {c.question}",
        "rules": lambda c: converse.standalone(c.question, c.history, articles.get),
        "a person's": lambda c: c.reference,
    }
    print(f"{'over ' + str(len(answerable)) + ' answerable':26}{'article':>8}{'answer':>8}")
    for name, way in ways.items():
        scores = [score_product(c, way(c), pipeline, articles) for c in answerable]
        found, answered = (sum(s[i] for s in scores) / len(scores) for i in (0, 1))
        print(f"{name:26}{found:8.3f}{answered:8.3f}")


if __name__ == "__main__":
    typer.run(main)
