"""Retrieval over reading-comprehension sets: `python -m eval retrieval`.

Every paragraph of a set goes into an archive through the product's own pipeline; every question is
searched there, and its own paragraph should come first. A paragraph counts by its text, so that
two equal ones are one, and one that was cut into several passages counts at its first.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from eval.ablations import measured
from eval.datasets import SquadQuestion, SquadSet, case_of, crossed, mixed, sample
from eval.documents import document_of
from eval.errors import BadSet
from eval.metrics import means, percentile, rank_scores
from eval.result import summary
from eval.run import FORMAT, Json, Outcome, Tick, commit, evaluate
from eval.score import Matcher, Ranking
from eval.target import DEPTH, Archive
from index.encode import Encoder
from index.lock import WriterLock
from rag import __version__
from rag.config import Config
from rag.errors import BadQuestion
from rag.pipeline import Pipeline
from rag.stores import LOCK

_MORE = 2
"""Passages asked for a paragraph wanted: a long paragraph takes several places."""

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Task:
    """Questions to be searched for in the paragraphs of a set.

    Attributes:
        name: of the set, or "questions → paragraphs" where they are of two sets.
        set: the paragraphs and all questions; its name is the archive's.
        skipped: questions without an answer, and those beyond the sub-sample.
    """

    name: str
    set: SquadSet
    questions: tuple[SquadQuestion, ...]
    unanswerable: int
    left_out: int


def tasks_of(
    sets: Sequence[SquadSet], count: int | None, *, crossings: bool = False, mixtures: bool = False
) -> list[Task]:
    """Each set alone, then what is asked across sets that share question ids.

    Args:
        sets: what was read.
        count: at most so many answerable questions of each task; None for all.
        crossings: ask each set's questions of each other's paragraphs.
        mixtures: ask both sets' questions of an archive that holds half of either's paragraphs.

    Raises:
        BadSet: crossings or mixtures are asked for and no two sets share ids.
    """
    tasks = [_task(one.name, one.name, one, count) for one in sets]
    for asked, searched in itertools.permutations(sets, 2) if crossings else ():
        both = crossed(asked, searched)
        if both.questions:
            name = f"{asked.name} → {searched.name}"
            tasks.append(_task(name, searched.name, both, count))
    for first, second in itertools.combinations(sets, 2) if mixtures else ():
        archive = f"{first.name}+{second.name}"
        tasks += [_task(one.name, archive, one, count) for one in mixed(first, second)]
    if (crossings or mixtures) and len(tasks) == len(sets):
        raise BadSet(Path(sets[0].name), "no other set given shares its question ids")
    return tasks


def _task(name: str, archive: str, source: SquadSet, count: int | None) -> Task:
    answerable = tuple(q for q in source.questions if q.answers)
    chosen = sample(answerable, count)
    unanswerable = len(source.questions) - len(answerable)
    left_out = len(answerable) - len(chosen)
    return Task(name, replace(source, name=archive), chosen, unanswerable, left_out)


def run_tasks(
    tasks: Sequence[Task],
    config: Config,
    *,
    titles: bool,
    answers: bool,
    ablations: bool = False,
    progress: Progress | None,
) -> list[Json]:
    """Build each set's archive and run its tasks: a row of the table for each, in order.

    Args:
        tasks: what to search for.
        config: `home` is the folder of the sets' archives.
        titles: see `build`.
        answers: see `run_task`.
        ablations: also rank the questions with one thing changed at a time.
        progress: called as the work goes on.
    """
    rows: list[Json] = []
    built: dict[tuple[str, str], Pipeline] = {}
    encoder: Encoder | None = None
    with ExitStack() as opened:
        for task in tasks:
            key = (task.set.name, task.set.digest)
            pipeline = built.get(key)
            if pipeline is None:
                pipeline = build(config, task.set, titles, progress, encoder)
                opened.callback(pipeline.close)
                built[key] = pipeline
                encoder = pipeline.encoder()
            tick = partial(progress, task.name) if progress else None
            row = run_task(task, pipeline, answers=answers, tick=tick)
            if ablations:
                asked = [q.question for q in task.questions]
                row["ablations"] = measured(pipeline, asked, partial(_measures, task, tick=tick))
            rows.append(row)
    return rows


def build(
    config: Config,
    source: SquadSet,
    titles: bool,
    progress: Progress | None = None,
    encoder: Encoder | None = None,
) -> Pipeline:
    """The archive of a set's paragraphs, in a folder of its own below `config.home`.

    Its vectors are kept, so that nothing is encoded twice; its passages and its words are cut anew
    each time, so that the code of today is what is measured.

    Args:
        config: `home` is the folder of all such archives.
        source: the set.
        titles: give each article its title, as the product does; without, a paragraph must be
            found by its own words, as in the published tables.
        progress: called as the work goes on.
        encoder: in place of the configured one.
    """
    stamp = f"{source.name}-{source.digest[:8]}{'-titled' if titles else ''}"
    pipeline = Pipeline(replace(config, home=config.home / stamp), encoder)
    with WriterLock(pipeline.config.home / LOCK):
        for number, entry in enumerate(source.articles):
            document, article = document_of(
                f"{source.name}#{number}",
                entry.paragraphs,
                title=(entry.title or None) if titles else None,
            )
            if pipeline.corpus.unchanged(document.uri, document.content_hash) is None:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                pipeline.corpus.put(document, [article], now=now)
            if progress:
                progress(f"read {source.name}", number + 1, len(source.articles))
    pipeline.rebuild(
        (lambda step, done, total: progress(f"{step} {source.name}", done, total))
        if progress
        else None
    )
    return pipeline


def search(
    pipeline: Pipeline, questions: Sequence[SquadQuestion], tick: Tick | None
) -> tuple[dict[str, Ranking], list[float], int]:
    """Search every question.

    Returns:
        The rankings by question id, each search's milliseconds, and how many questions were
        refused as no question (empty, too long); these found nothing.
    """
    rankings: dict[str, Ranking] = {}
    times: list[float] = []
    failed = 0
    for number, question in enumerate(questions, start=1):
        started = time.perf_counter()
        try:
            evidence = pipeline.search(question.question, top_k=_MORE * DEPTH)
            times.append((time.perf_counter() - started) * 1000)
        except BadQuestion:
            evidence = ()
            failed += 1
        found = (
            e.article.paragraphs[e.passage.paragraph].span.of(e.article.text) for e in evidence
        )
        names = tuple(dict.fromkeys(_name(text) for text in found))[:DEPTH]
        rankings[question.id] = Ranking(frozenset({_name(question.paragraph)}), names)
        if tick:
            tick(number, len(questions))
    return rankings, times, failed


def _measures(task: Task, pipeline: Pipeline, *, tick: Tick | None) -> Json:
    """The means over a task's questions."""
    rankings, _, _ = search(pipeline, task.questions, tick)
    return means(rank_scores(rankings).values())


def _name(paragraph: str) -> str:
    """A paragraph's identity."""
    return hashlib.sha256(paragraph.encode()).hexdigest()


def run_task(task: Task, pipeline: Pipeline, *, answers: bool, tick: Tick | None) -> Json:
    """One row of the table, with every question's scores.

    Args:
        task: what to search for.
        pipeline: the archive of its paragraphs.
        answers: also ask all questions of the set, the unanswerable too, and score the answers.
        tick: called as questions are done.
    """
    rankings, times, failed = search(pipeline, task.questions, tick)
    scores = rank_scores(rankings)
    snapshot = pipeline.snapshot()
    row: Json = {
        "name": task.name,
        "sha256": task.set.digest,
        "paragraphs": sum(len(a.paragraphs) for a in task.set.articles),
        "passages": snapshot.size,
        "model": snapshot.model,
        "questions": len(task.questions),
        "failed": failed,
        "unanswerable": task.unanswerable,
        "left_out": task.left_out,
        "measures": means(scores.values()),
        "ms": {"p50": percentile(times, 0.5), "p95": percentile(times, 0.95), "n": len(times)},
    }
    outcomes = list(_ask(task, pipeline, tick)) if answers else []
    if outcomes:
        row["answers"] = summary(outcomes)
    asked = {o.case.id: o for o in outcomes}
    row["outcomes"] = [
        {
            "id": key,
            "scores": {
                k: v if v is None else round(v, 6)
                for k, v in (
                    (asked[key].scores if key in asked else {}) | scores.get(key, {})
                ).items()
            },
        }
        for key in dict.fromkeys([*scores, *asked])
    ]
    return row


def _ask(task: Task, pipeline: Pipeline, tick: Tick | None) -> Iterator[Outcome]:
    """The answers to the task's questions and to as large a share of the unanswerable ones."""
    without = tuple(q for q in task.set.questions if not q.answers)
    share = len(task.questions) / max(len(task.questions) + task.left_out, 1)
    chosen = (*task.questions, *sample(without, round(share * len(without))))
    cases = [case_of(q, _name(q.paragraph)) for q in chosen]
    yield from evaluate(cases, Archive(pipeline), Matcher({}), tick)


def report(rows: Sequence[Json], settings: dict[str, Any], *, brief: bool = False) -> Json:
    """The result file of `python -m eval retrieval`.

    Args:
        rows: of the table.
        settings: what the run was told.
        brief: leave out each question's scores; such a file cannot be compared with another.
    """
    if brief:
        rows = [{k: v for k, v in row.items() if k != "outcomes"} for row in rows]
    return {
        "kind": "retrieval",
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wenju": __version__,
        "commit": commit(),
        "settings": settings,
        "rows": list(rows),
    }
