"""A question set is asked and scored: `python -m eval run`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eval.cases import Case
from eval.journal import Journal
from eval.metrics import rank_scores
from eval.score import Matcher, Ranking, Scores, answer_scores, rank
from eval.target import QuestionFailed, Reply, Target
from rag.errors import WenjuError
from rag.types import Turn

FORMAT = 1
"""Of the result file; raised whenever a measure is computed in another way."""

Json = dict[str, Any]
Tick = Callable[[int, int], None]
"""Called with how many questions are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question.

    Attributes:
        reply: None when the system failed.
        error: why it failed, or "".
        places: ranks, from 1, of the gold paragraphs found.
        gold: how many gold paragraphs there are; 0 for a question without.
    """

    case: Case
    reply: Reply | None
    scores: Scores
    error: str = ""
    places: Sequence[int] = field(default=())
    gold: int = 0

    @property
    def refused(self) -> bool:
        """Whether the system said that the archive does not tell."""
        return self.reply is not None and self.reply.refused


def evaluate(
    cases: Sequence[Case],
    target: Target,
    matcher: Matcher,
    tick: Tick | None = None,
    *,
    jobs: int = 1,
    journal: Journal | None = None,
) -> list[Outcome]:
    """Ask every question and score the replies.

    A question that fails scores 0 in all that applies to it.

    Args:
        cases: the questions; the outcomes come in their order whatever comes in first.
        target: what is asked.
        matcher: tells which gold article a cited one is.
        tick: called as questions are done.
        jobs: questions asked at once; their times then include waiting for one another.
        journal: holds the replies as they come; what it holds already is not asked again.

    Raises:
        WenjuError: the system cannot answer any question (a damaged index, another model …).
    """
    replies: dict[str, tuple[Reply | None, str]] = {}
    asked = _asked(cases, target, jobs, journal)
    for number, (case, reply, error) in enumerate(asked, start=1):
        replies[case.id] = reply, error
        if tick:
            tick(number, len(cases))
    rankings: dict[str, Ranking] = {}
    for case in cases:
        reply = replies[case.id][0]
        ranking = rank(case, reply.passages if reply else ())
        if ranking is not None:
            rankings[case.id] = ranking
    ranked = rank_scores(rankings)
    return [
        Outcome(
            case,
            reply,
            {**answer_scores(case, reply, matcher), **ranked.get(case.id, {})},
            error,
            rankings[case.id].places() if case.id in rankings else (),
            len(rankings[case.id].gold) if case.id in rankings else 0,
        )
        for case, (reply, error) in ((c, replies[c.id]) for c in cases)
    ]


def _asked(
    cases: Sequence[Case], target: Target, jobs: int, journal: Journal | None
) -> Iterator[tuple[Case, Reply | None, str]]:
    """Each question and what came of it, in the order in which they are done."""
    held = journal.replies if journal else {}
    open_: list[Case] = []
    for case in cases:
        if case.id in held:
            yield case, held[case.id], ""
        else:
            open_.append(case)

    def ask(case: Case) -> tuple[Case, Reply | None, str]:
        reply, error = _ask(target, case)
        if journal and reply is not None:
            journal.put(case.id, reply)
        return case, reply, error

    if jobs == 1:
        yield from map(ask, open_)
        return
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(ask, case) for case in open_]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _conversation(target: Target, history: Sequence[Turn]) -> list[Turn]:
    """The turns before a question, each with the articles that the system cited for it.

    A set seldom knows the system's own article ids; they come of asking the earlier questions too.
    """
    turns: list[Turn] = []
    for turn in history:
        if not turn.article_ids:
            cited = target.ask(turn.question, turns).citations
            turn = replace(turn, article_ids=tuple(dict.fromkeys(c.article_id for c in cited)))
        turns.append(turn)
    return turns


def _ask(target: Target, case: Case) -> tuple[Reply | None, str]:
    try:
        if case.searched:
            return target.search(case.question), ""
        return target.ask(case.question, _conversation(target, case.history)), ""
    except WenjuError:
        raise
    except QuestionFailed as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 what breaks on one question is a finding: it scores 0
        return None, f"{type(error).__name__}: {error}"


def commit() -> str | None:
    """The commit that this code is of, with "-dirty" when it was changed since; None if unknown."""
    git = shutil.which("git")
    folder = Path(__file__).resolve().parent.parent
    if git is None or not (folder / ".git").exists():
        return None
    done = subprocess.run(  # noqa: S603 git itself, with fixed arguments
        [git, "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout.strip() or None


def _dumped(report: Mapping[str, object]) -> str:
    """JSON with each question on a line of its own, so that a difference shows which changed."""
    questions = report.get("questions")
    if not isinstance(questions, list) or not questions or len(report) == 1:
        return json.dumps(report, ensure_ascii=False, indent=1) + "\n"
    rest = {k: v for k, v in report.items() if k != "questions"}
    head = json.dumps(rest, ensure_ascii=False, indent=1).removesuffix("\n}")
    lines = ",\n".join("  " + json.dumps(q, ensure_ascii=False) for q in questions)
    return f'{head},\n "questions": [\n{lines}\n ]\n}}\n'


def write(path: Path, report: Mapping[str, object]) -> None:
    """Write a result file whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(_dumped(report), encoding="utf-8")
    beside.replace(path)
