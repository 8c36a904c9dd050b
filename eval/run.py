"""A question set is asked and scored: `python -m eval run`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.cases import Case, CaseSet
from eval.metrics import means, percentile, rank_scores, refusal
from eval.score import Matcher, Ranking, Scores, answer_scores, rank, unit
from eval.target import QuestionFailed, Reply, Target
from eval.text import squeeze
from rag import __version__
from rag.errors import WenjuError

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
    """

    case: Case
    reply: Reply | None
    scores: Scores
    error: str = ""

    @property
    def refused(self) -> bool:
        """Whether the system said that the archive does not tell."""
        return self.reply is not None and self.reply.refused


def evaluate(
    cases: Sequence[Case], target: Target, matcher: Matcher, tick: Tick | None = None
) -> list[Outcome]:
    """Ask every question in order and score the replies.

    A question that fails scores 0 in all that applies to it.

    Raises:
        WenjuError: the system cannot answer any question (a damaged index, another model …).
    """
    asked: list[tuple[Case, Reply | None, str]] = []
    rankings: dict[str, Ranking] = {}
    for number, case in enumerate(cases, start=1):
        reply, error = _ask(target, case)
        asked.append((case, reply, error))
        ranking = rank(case, reply.passages if reply else ())
        if ranking is not None:
            rankings[case.id] = ranking
        if tick:
            tick(number, len(cases))
    ranked = rank_scores(rankings)
    return [
        Outcome(
            case, reply, {**answer_scores(case, reply, matcher), **ranked.get(case.id, {})}, error
        )
        for case, reply, error in asked
    ]


def _ask(target: Target, case: Case) -> tuple[Reply | None, str]:
    try:
        return target.ask(case.question), ""
    except WenjuError:
        raise
    except QuestionFailed as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 what breaks on one question is a finding: it scores 0
        return None, f"{type(error).__name__}: {error}"


def summary(outcomes: Sequence[Outcome]) -> Json:
    """Every measure over all questions, and by type, language and joint."""
    groups: dict[str, Callable[[Case], str | None]] = {
        "type": lambda c: c.type,
        "language": lambda c: c.language,
        "joint": lambda c: (
            ("at a joint" if c.joint else "not at a joint") if c.answerable else None
        ),
    }
    parts: Json = {}
    for name, group in groups.items():
        members: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            key = group(outcome.case)
            if key is not None:
                members.setdefault(key, []).append(outcome)
        parts[name] = {key: _measured(members[key]) for key in sorted(members)}
    return {"all": _measured(outcomes), "by": parts}


def _measured(outcomes: Sequence[Outcome]) -> Json:
    times = [o.reply.ms for o in outcomes if o.reply is not None]
    answered = [o for o in outcomes if o.case.answerable and o.reply and not o.reply.refused]
    return {
        "questions": len(outcomes),
        "failed": sum(o.reply is None for o in outcomes),
        "answered": len(answered),
        "measures": means(o.scores for o in outcomes),
        "refusal": refusal([o.case.answerable for o in outcomes], [o.refused for o in outcomes]),
        "ms": {"p50": percentile(times, 0.5), "p95": percentile(times, 0.95), "n": len(times)},
    }


def lost_evidence(cases: Sequence[Case], target: Target) -> list[Json] | None:
    """Gold quotes that stand in no archived article: no search can find them.

    Returns:
        Question, article and quote of each; None where the archive is not read through.
    """
    texts = target.texts()
    if texts is None:
        return None
    squeezed = [squeeze(t) for t in texts]
    return [
        {"question": case.id, "paragraph": unit(proof), "quote": proof.quote}
        for case in cases
        for proof in case.evidence
        if not any(squeeze(proof.quote) in text for text in squeezed)
    ]


def report(
    cases: CaseSet,
    asked: Sequence[Case],
    outcomes: Sequence[Outcome],
    target: Target,
    *,
    settings: Mapping[str, object],
    save: bool,
) -> Json:
    """The result file.

    Args:
        cases: the whole set.
        asked: those of its questions that were asked.
        outcomes: what became of them.
        target: what was asked.
        settings: what was chosen on the command line.
        save: also hold the answers, their citations and the passages.
    """
    receipts = [o.reply.receipt for o in outcomes if o.reply is not None and o.reply.receipt]
    return {
        "kind": "run",
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wenju": __version__,
        "commit": commit(),
        "target": target.name,
        "model": receipts[-1].get("model") if receipts else None,
        "generation": receipts[-1].get("generation") if receipts else None,
        "set": {"name": cases.name, "sha256": cases.digest, "questions": len(cases.cases)},
        "gold_articles": len(cases.gold),
        "ignored_fields": list(cases.ignored),
        "settings": dict(settings),
        "notices": target.notices(),
        "evidence_not_in_archive": lost_evidence(asked, target),
        "summary": summary(outcomes),
        "questions": [_question_json(o, save) for o in outcomes],
    }


def _question_json(outcome: Outcome, save: bool) -> Json:
    case, reply = outcome.case, outcome.reply
    value: Json = {
        "id": case.id,
        "question": case.question,
        "type": case.type,
        "language": case.language,
        "joint": case.joint,
        "answerable": case.answerable,
        "status": reply.status if reply else "failed",
        "ms": round(reply.ms, 2) if reply else None,
        "scores": {k: v if v is None else round(v, 6) for k, v in outcome.scores.items()},
    }
    if outcome.error:
        value["error"] = outcome.error
    if save and reply:
        value["accepted"] = [*case.answers, *(" / ".join(words) for words in case.items)]
        value["evidence"] = [{"paragraph": unit(e), "quote": e.quote} for e in case.evidence]
        value["answer"] = reply.text
        value["short_answer"] = reply.short_answer
        value["citations"] = [
            {
                "article": c.title,
                "authors": list(c.authors),
                "head": c.paragraph is None,
                "support": c.support,
                "quote": c.quote,
            }
            for c in reply.citations
        ]
        value["passages"] = list(reply.passages)
    return value


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


def write(path: Path, report: Mapping[str, object]) -> None:
    """Write a result file whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    text = json.dumps(report, ensure_ascii=False, indent=1)
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)
