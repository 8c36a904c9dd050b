"""One evaluation from a set to its result: what `python -m eval run` does, step by step."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from eval.cases import Case
from eval.datasets import sample
from eval.journal import Journal, beside
from eval.judge import Judge, judged
from eval.result import report
from eval.run import Json, commit, evaluate, write
from eval.score import Matcher
from eval.server import Server
from eval.sources import Source
from eval.target import DEPTH, Archive, Target, metered, open_archive
from rag.config import Config, ModelServer
from rag.generate import ChatModel

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of what.

    Attributes:
        source: the set.
        config: of the archive; `home` is the folder of built archives where the set brings texts.
        http: the address of a server to ask instead.
        key: its key.
        limit: at most so many questions, the first ones.
        sample: at most so many of these, chosen at random and always the same ones.
        jobs: questions asked at once.
        out: the result file, which an earlier run's journal stands beside.
        fresh: ask everything again, whatever the journal holds.
        save: hold answers, citations and passages in the result.
        judge: a model that marks the answers.
    """

    source: Source
    config: Config
    http: str | None = None
    key: str | None = None
    limit: int | None = None
    sample: int | None = None
    jobs: int = 1
    out: Path | None = None
    fresh: bool = False
    save: bool = True
    judge: ModelServer | None = None

    @property
    def asked(self) -> tuple[Case, ...]:
        """The questions, in the set's order."""
        return sample(self.source.cases.cases[: self.limit], self.sample)


def run(plan: Plan, progress: Progress | None) -> Json:
    """Ask the questions and score the replies.

    Returns:
        The result file's content.

    Raises:
        WenjuError: the system cannot be asked.
    """
    with ExitStack() as opened:
        target = _target(plan, opened, progress)
        journal = _journal(plan, target)
        if journal:
            opened.callback(journal.close)
        outcomes = evaluate(
            plan.asked,
            target,
            Matcher(plan.source.cases.gold),
            (lambda done, total: progress("questions", done, total)) if progress else None,
            jobs=plan.jobs,
            journal=journal,
        )
        marks: Json | None = None
        if plan.judge:
            model = ChatModel(plan.judge)
            opened.callback(model.close)
            outcomes, marks = judged(
                outcomes,
                Judge(model, plan.judge.timeout),
                (lambda done, total: progress("marks", done, total)) if progress else None,
            )
        result = report(
            plan.source.cases,
            plan.asked,
            outcomes,
            target,
            settings=_settings(plan),
            save=plan.save,
            judge=marks,
        )
    return result


def keep(plan: Plan, result: Json) -> None:
    """Write the result file, where one is named; then the journal is needed no more."""
    if plan.out:
        write(plan.out, result)
        beside(plan.out).unlink(missing_ok=True)


def _target(plan: Plan, opened: ExitStack, progress: Progress | None) -> Target:
    if plan.http is not None:
        return Server(plan.http, plan.key)
    config = plan.config
    if plan.source.articles:
        from eval.retrieval import build

        built = build(replace(config, generator=None), plan.source.as_set(), True, progress)
        config = replace(config, home=built.config.home)
        built.close()
    meter = metered(config.generator)
    pipeline = open_archive(config, meter)
    opened.callback(pipeline.close)
    return Archive(pipeline, meter)


def _journal(plan: Plan, target: Target) -> Journal | None:
    """The journal beside the result file; without a result file nothing is kept."""
    if plan.out is None:
        return None
    path = beside(plan.out)
    if plan.fresh:
        path.unlink(missing_ok=True)
    journal = Journal(
        path,
        {
            "set": plan.source.cases.digest,
            "target": target.name,
            "fingerprint": target.fingerprint(),
            "commit": commit(),
            "depth": DEPTH,
        },
    )
    if journal.other:
        print("eval: an unfinished run of something else was given up", file=sys.stderr)
    elif journal.replies:
        print(f"eval: going on after {len(journal.replies)} questions", file=sys.stderr)
    return journal


def _settings(plan: Plan) -> Json:
    config = plan.config
    return {
        "limit": plan.limit,
        "sample": plan.sample,
        "jobs": plan.jobs,
        "model": config.model,
        "reranker": config.reranker,
        "dictionary": str(config.dictionary) if config.dictionary else None,
        "threads": config.threads,
        "language_model": config.generator.model if config.generator else None,
        "judge": plan.judge.model if plan.judge else None,
        "depth": DEPTH,
    }
