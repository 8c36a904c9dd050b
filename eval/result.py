"""The result file of `python -m eval run`: settings, measures, and every question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from eval import risk
from eval.cases import Case, CaseSet
from eval.metrics import means, percentile, refusal
from eval.run import FORMAT, Json, Outcome, commit
from eval.score import unit
from eval.target import Target
from eval.text import squeeze
from rag import __version__


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
        "tokens": _tokens(outcomes),
        "worded": sum(
            o.reply is not None and bool(o.reply.receipt.get("written_by")) for o in outcomes
        ),
    }


def _tokens(outcomes: Sequence[Outcome]) -> Json | None:
    """What a language model was sent and said, in sum and a question; None without one."""
    spent = [o.reply.tokens for o in outcomes if o.reply is not None and o.reply.tokens is not None]
    if not spent:
        return None
    prompt, reply = sum(t.prompt for t in spent), sum(t.reply for t in spent)
    return {
        "prompt": prompt,
        "reply": reply,
        "calls": sum(t.calls for t in spent),
        "a_question": round((prompt + reply) / len(spent), 1),
    }


def risk_coverage(outcomes: Sequence[Outcome]) -> Json | None:
    """The risk–coverage curve over the questions whose answers can be told right or wrong.

    Returns:
        questions; area, see `risk.area`; coverage and risk of all that the system answers. None
        where it gives no confidence. The curve itself follows from each question's confidence.
    """
    judged = [o for o in outcomes if not o.case.searched]
    confidences = [o.reply.confidence if o.reply else None for o in judged]
    points = risk.curve(confidences, [o.scores["correct"] == 1.0 for o in judged])
    if not points:
        return None
    return {
        "questions": len(judged),
        "area": risk.area(points),
        "coverage": points[-1].coverage,
        "risk": points[-1].risk,
    }


def lost_evidence(cases: Sequence[Case], target: Target) -> list[Json] | None:
    """Gold quotes that stand in no archived article: no search can find them.

    Returns:
        Question, article and quote of each; None where the archive is not read through.
    """
    texts = target.texts()
    if texts is None:
        return None
    whole = "\n".join(squeeze(t) for t in texts)  # a squeezed quote has no line end in it
    return [
        {"question": case.id, "paragraph": unit(proof), "quote": proof.quote}
        for case in cases
        for proof in case.evidence
        if squeeze(proof.quote) not in whole
    ]


def report(
    cases: CaseSet,
    asked: Sequence[Case],
    outcomes: Sequence[Outcome],
    target: Target,
    *,
    settings: Mapping[str, object],
    save: bool,
    judge: Json | None = None,
) -> Json:
    """The result file.

    Args:
        cases: the whole set.
        asked: those of its questions that were asked.
        outcomes: what became of them.
        target: what was asked.
        settings: what was chosen on the command line.
        save: also hold the answers, their citations and the passages.
        judge: what a model as judge said, see `eval.judge`.
    """
    receipts = [o.reply.receipt for o in outcomes if o.reply is not None and o.reply.receipt]
    fingerprint = target.fingerprint()
    seen = receipts[-1] if receipts else {}
    return {
        "kind": "run",
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wenju": __version__,
        "commit": commit(),
        "target": target.name,
        "fingerprint": fingerprint,
        "model": seen.get("model", fingerprint.get("model")),
        "generation": seen.get("generation", fingerprint.get("generation")),
        "set": {"name": cases.name, "sha256": cases.digest, "questions": len(cases.cases)},
        "gold_articles": len(cases.gold),
        "ignored_fields": list(cases.ignored),
        "settings": dict(settings),
        "notices": [*cases.notices, *target.notices()],
        "evidence_not_in_archive": lost_evidence(asked, target),
        "summary": summary(outcomes),
        "risk_coverage": risk_coverage(outcomes),
        "judge": judge,
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
        "places": list(outcome.places),
        "gold": outcome.gold,
    }
    if outcome.error:
        value["error"] = outcome.error
    if reply and reply.confidence is not None:
        value["confidence"] = round(reply.confidence, 6)
    if reply and reply.tokens is not None:
        value["tokens"] = asdict(reply.tokens)
    if save:
        value |= _saved(outcome)
    return value


def _saved(outcome: Outcome) -> Json:
    """What a person needs to see why a question went as it did."""
    case, reply = outcome.case, outcome.reply
    value: Json = {
        "accepted": [*case.answers, *(" / ".join(words) for words in case.items)],
        "evidence": [{"paragraph": unit(e), "quote": e.quote} for e in case.evidence],
    }
    if case.history:
        value["history"] = [{"question": t.question, "answer": t.answer} for t in case.history]
    if reply is None:
        return value
    return value | {
        "answer": reply.text,
        "short_answer": reply.short_answer,
        "citations": [
            {
                "article": c.title,
                "authors": list(c.authors),
                "head": c.paragraph is None,
                "support": c.support,
                "quote": c.quote,
            }
            for c in reply.citations
        ],
        "passages": list(reply.passages),
    }
