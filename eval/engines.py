"""The embedded engine and one on a server beside each other: the same answers, and what each costs.

Whatever differs is counted and named. An archive is brought into the database with the vectors that
it has, so that both search the very same ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import retrieval
from eval.cases import load_cases
from eval.datasets import load_squad
from eval.engines_archive import Other, archive_in_both
from eval.metrics import means, percentile, rank_scores
from eval.run import FORMAT, Json, commit
from index.encode import Encoder
from index.vectors import VectorCache
from rag import __version__
from rag.config import Config
from rag.pipeline import Pipeline

Said = Callable[[str], None]
"""Told what is going on."""

EMBEDDED = "embedded"
_NEAR = 1e-5  # scores that differ by less are equal: the engines add up in another order


@dataclass(frozen=True, slots=True)
class Kept:
    """An encoder that looks into a file of vectors first, so that both engines have the same."""

    encoder: Encoder
    cache: VectorCache

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 whatever the encoder has
        return getattr(self.encoder, name)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As the encoder."""
        return self.cache.encode(self.encoder, texts, progress)


def report(
    config: Config,
    other: Other,
    *,
    questions: Path | None,
    articles: Sequence[Path],
    sets: Sequence[Path],
    archive: Path | None,
    count: int | None,
    said: Said,
    keep: Callable[[Json], None],
) -> Json:
    """The result file of `python -m eval engines`.

    Args:
        config: `home` is a folder for the embedded archives.
        other: the engine on a server.
        questions: to be asked of both, of `articles`.
        articles: files to add to both.
        sets: question sets in SQuAD's format, each an archive.
        archive: home of an embedded archive that is brought into the server whole.
        count: at most so many questions of each set, and of the archive.
        said: told what is going on.
        keep: gets what has been found so far, after each part.
    """
    found: Json = {
        "kind": "engines",
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wenju": __version__,
        "commit": commit(),
        "server": other.name,
    }
    plain = Pipeline(config)
    with closing(plain):
        encoder: Any = Kept(plain.encoder(), VectorCache(config.home / "vectors.sqlite"))
        if questions is not None:
            said(f"asking {questions.name} of both")
            found["answers"] = _answers(config, encoder, other, questions, articles)
            keep(found)
        found["sets"] = []
        for path in sets:
            said(f"searching the paragraphs of {path.name} in both")
            found["sets"].append(_set(config, encoder, other, path, count))
            keep(found)
        if archive is not None:
            said(f"bringing {archive} into {other.name}")
            asked = [q.question for path in sets for q in load_squad(path).questions if q.answers]
            with _both(config, encoder, other, "archive", archive) as two:
                found["archive"] = archive_in_both(*two, other, encoder, asked[:count], said)
    return found


def _answers(
    config: Config,
    encoder: Encoder,
    other: Other,
    questions: Path,
    articles: Sequence[Path],
) -> Json:
    """Each question asked of both: how many answers are the same to the letter."""
    asked = [case.question for case in load_cases(questions).cases if not case.history]
    same = Counter[str]()
    differences: list[Json] = []
    with _both(config, encoder, other, "answers") as pipelines:
        for pipeline in pipelines:
            pipeline.add(articles)
        for question in asked:
            one, two = (pipeline.ask(question) for pipeline in pipelines)
            first, second = ([(e.passage.id, e.score) for e in a.evidence] for a in (one, two))
            same["answer"] += (one.text, one.status) == (two.text, two.status)
            same["passages"] += [key for key, _ in first] == [key for key, _ in second]
            if (one.text, one.status) != (two.text, two.status) or dict(first).keys() != dict(
                second
            ).keys():
                differences.append(
                    {"question": question, EMBEDDED: one.text, other.name: two.text,
                     "why": _why(first, second)}
                )  # fmt: skip
        passages = pipelines[0].snapshot().size
    return {
        "set": questions.name,
        "questions": len(asked),
        "passages": passages,
        "same_answer": same["answer"],
        "same_passages_in_order": same["passages"],
        "differences": differences,
    }


def _why(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> str:
    """What parts two ranked lists."""
    if [key for key, _ in first] == [key for key, _ in second]:
        return "the same passages"
    scores = zip(sorted(s for _, s in first), sorted(s for _, s in second), strict=False)
    if len(first) == len(second) and all(abs(a - b) < _NEAR for a, b in scores):
        return "equal scores, in another order"
    return "other passages"


def _set(
    config: Config,
    encoder: Encoder,
    other: Other,
    path: Path,
    count: int | None,
) -> Json:
    """The recall of both on the questions of a set, and how alike their lists are."""
    source = load_squad(path)
    (task,) = retrieval.tasks_of([source], count)
    row: Json = {"set": path.name, "questions": len(task.questions)}
    lists = []
    where = other.made(path.stem.replace(".", "_").lower())
    for name in (EMBEDDED, other.name):
        own = replace(config, home=config.home / name)
        if name == other.name:
            own = replace(own, **where)
        with closing(retrieval.build(own, source, titles=False, encoder=encoder)) as pipeline:
            pipeline.tidy()
            rankings, times, _ = retrieval.search(pipeline, task.questions, None)
            scores = means(rank_scores(rankings).values())
            row[name] = {
                "passages": pipeline.snapshot().size,
                "vectors_by": pipeline.snapshot().stats().get("vectors_by", EMBEDDED),
                "measures": {k: scores[k] for k in ("recall@1", "recall@5", "recall@10")},
                "search_ms": {"p50": percentile(times, 0.5), "p95": percentile(times, 0.95)},
            }
            lists.append(rankings)
    row["same_list"] = sum(lists[0][key].found == lists[1][key].found for key in lists[0])
    return row


@contextmanager
def _both(
    config: Config, encoder: Encoder, other: Other, name: str, home: Path | None = None
) -> Iterator[tuple[Pipeline, Pipeline]]:
    """The two engines' archives of a name; the embedded one may stand elsewhere already."""
    first = replace(config, home=home or config.home / EMBEDDED / name)
    second = replace(config, home=config.home / other.name / name, **other.made(name))
    with closing(Pipeline(first, encoder)) as one, closing(Pipeline(second, encoder)) as two:
        yield one, two


def show(found: Json) -> None:
    """The figures for a person: of each engine on a server that was asked."""
    for name, report_ in found.items():
        if isinstance(report_, dict):
            _show(str(report_.get("server", name)), report_)


def _show(other: str, found: Json) -> None:
    if answers := found.get("answers"):
        print(
            f"{answers['set']}: {answers['same_answer']} of {answers['questions']} answers of"
            f" {other} the same to the letter,"
            f" {answers['same_passages_in_order']} with the same passages in order"
        )
        for one in answers["differences"]:
            print(f"  {one['question']}: {one['why']}")
    for row in found["sets"]:
        for name in (EMBEDDED, other):
            told = ", ".join(f"{k} {v['mean']:.4f}" for k, v in row[name]["measures"].items())
            times = row[name]["search_ms"]
            print(f"{row['set']} {name}: {told}; {times['p50']:.1f} / {times['p95']:.1f} ms")
        print(f"  {row['same_list']} of {row['questions']} lists of ten the same")
    for part in ("archive", "failover"):
        for key, value in found.get(part, {}).items():
            print(f"{other}: {part} {key}: {value}")
