"""Two result files, question by question: `python -m eval compare A B`.

For each measure the mean difference B - A over the questions that both asked, a 95 per cent
confidence interval of it by the paired bootstrap (Efron and Tibshirani 1993; percentiles), and a
two-sided p-value by the paired permutation test, which flips the sign of each difference (Fisher
1935; Smucker, Allan and Carterette 2007 on retrieval measures).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.errors import BadSet
from eval.gold import read_bytes
from eval.run import FORMAT, Json

RESAMPLES = 10_000
LEVEL = 0.95
_SEED = 2007

LOWER_IS_BETTER = frozenset({"false_refusal"})


@dataclass(frozen=True, slots=True)
class Scored:
    """One question of a result file.

    Attributes:
        scores: by measure, None where it does not apply.
        facts: type, language and the like, where the file has them.
    """

    id: str
    scores: Mapping[str, float | None]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """A result file as it is compared. `sets` are the digests of what was asked."""

    name: str
    sets: frozenset[str]
    questions: Mapping[str, Scored]


def load_results(path: Path) -> Results:
    """Read a file that `run` or `retrieval` wrote.

    Raises:
        BadSet: it is not such a file, or is of another format.
    """
    try:
        value = json.loads(read_bytes(path))
        if not isinstance(value, dict) or value.get("kind") not in ("run", "retrieval"):
            raise BadSet(path, "it is no result file; write one with --out")
        if value["format"] != FORMAT:
            raise BadSet(
                path,
                f"its format is {value['format']}, not {FORMAT}; make it anew with this version",
            )
        return _run(path, value) if value["kind"] == "run" else _retrieval(path, value)
    except (ValueError, KeyError, TypeError) as error:
        raise BadSet(path, f"it is damaged ({type(error).__name__}: {error})") from None


def _run(path: Path, value: Json) -> Results:
    questions = {q["id"]: Scored(q["id"], q["scores"], q) for q in value["questions"]}
    return Results(path.name, frozenset({value["set"]["sha256"]}), questions)


def _retrieval(path: Path, value: Json) -> Results:
    questions: dict[str, Scored] = {}
    for row in value["rows"]:
        for one in row["outcomes"]:
            key = f"{row['name']} {one['id']}"
            questions[key] = Scored(key, one["scores"], {"type": row["name"]})
    return Results(path.name, frozenset(r["sha256"] for r in value["rows"]), questions)


def compare(first: Results, second: Results) -> Json:
    """Compare two results.

    Raises:
        BadSet: they share no question.
    """
    shared = [key for key in first.questions if key in second.questions]
    if not shared:
        raise BadSet(Path(second.name), f"it has no question in common with {first.name}")
    pairs = [(first.questions[key], second.questions[key]) for key in shared]
    groups: dict[str, Json] = {}
    for fact in ("type", "language"):
        members: dict[str, list[tuple[Scored, Scored]]] = {}
        for pair in pairs:
            key = pair[0].facts.get(fact)
            if key is not None:
                members.setdefault(str(key), []).append(pair)
        groups[fact] = {
            key: _differences(members[key], _main(members[key])) for key in sorted(members)
        }
    return {
        "kind": "comparison",
        "first": first.name,
        "second": second.name,
        "same_sets": first.sets == second.sets,
        "questions": len(shared),
        "only_in_first": len(first.questions) - len(shared),
        "only_in_second": len(second.questions) - len(shared),
        "resamples": RESAMPLES,
        "measures": _differences(pairs),
        "by": groups,
        "changed": _changed(pairs),
    }


def fallen(comparison: Json) -> list[str]:
    """What a regression gate fails for, in words; [] lets it pass.

    A measure has fallen when its whole confidence interval lies on the worse side of 0; a
    question that the second run did not ask counts as fallen too.
    """
    said = []
    if comparison["only_in_first"]:
        said.append(f"{comparison['only_in_first']} questions were not asked")
    for name, found in comparison["measures"].items():
        worse = found["low"] > 0 if name in LOWER_IS_BETTER else found["high"] < 0
        if worse:
            said.append(
                f"{name} {found['first']:.3f} → {found['second']:.3f} "
                f"(difference {found['low']:+.3f} to {found['high']:+.3f})"
            )
    return said


def _main(pairs: Sequence[tuple[Scored, Scored]]) -> tuple[str, ...]:
    """The one measure that a group is compared by."""
    return ("correct",) if any("correct" in a.scores for a, _ in pairs) else ("hit@1",)


def _differences(
    pairs: Sequence[tuple[Scored, Scored]], only: tuple[str, ...] | None = None
) -> dict[str, Json]:
    names = only or tuple(dict.fromkeys(name for a, _ in pairs for name in a.scores))
    found: dict[str, Json] = {}
    for name in names:
        values = [
            (before, after)
            for a, b in pairs
            if (before := a.scores.get(name)) is not None
            and (after := b.scores.get(name)) is not None
        ]
        if values:
            found[name] = paired([x for x, _ in values], [y for _, y in values])
    return found


def paired(before: Sequence[float], after: Sequence[float]) -> Json:
    """The mean of `after - before`, its confidence interval and its p-value.

    Args:
        before: one score a question.
        after: the same questions' scores, in the same order.

    Returns:
        n, first and second (means), difference, low and high (95 per cent), p (two-sided; 1 where
        nothing changed; exact where the sign flips are few enough to go through), better, worse
        (questions whose score rose and fell).
    """
    differences = np.asarray(after, float) - np.asarray(before, float)
    result: Json = {
        "n": len(differences),
        "first": float(np.mean(before)),
        "second": float(np.mean(after)),
        "difference": float(differences.mean()),
        "low": float(differences.mean()),
        "high": float(differences.mean()),
        "p": 1.0,
        "better": int((differences > 0).sum()),
        "worse": int((differences < 0).sum()),
    }
    if np.ptp(differences) > 0:
        result["low"], result["high"] = interval(differences)
    if differences.any():
        result["p"] = _p_value(differences)
    return result


def interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """The 95 per cent confidence interval of a mean, by the bootstrap; the same every time.

    Args:
        values: (n,), not all equal.
    """
    from scipy.stats import bootstrap

    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=500,  # bounds the memory: 500 resamples of all questions at a time
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _p_value(differences: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    from scipy.stats import permutation_test

    # A question that did not change does not change under a flip of its sign either.
    changed = differences[differences != 0]
    if len(changed) == 1:  # either sign is as extreme as the other
        return 1.0
    tested = permutation_test(
        (changed,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=500,
        rng=np.random.default_rng(_SEED),
    )
    return float(tested.pvalue)


def _changed(pairs: Sequence[tuple[Scored, Scored]]) -> list[Json]:
    """The questions whose main measure changed, those that fell first."""
    name = _main(pairs)[0]
    measured: Callable[[Scored], float | None] = lambda s: s.scores.get(name)  # noqa: E731
    found: list[Json] = []
    for a, b in pairs:
        before, after = measured(a), measured(b)
        if before is not None and after is not None and before != after:
            found.append(
                {
                    "id": a.id,
                    "question": a.facts.get("question"),
                    "type": a.facts.get("type"),
                    "measure": name,
                    "first": before,
                    "second": after,
                    "first_status": a.facts.get("status"),
                    "second_status": b.facts.get("status"),
                }
            )
    return sorted(found, key=lambda c: c["second"] - c["first"])
