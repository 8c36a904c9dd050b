"""A result file as one HTML page: figures, plots, and every failure with its evidence beside it.

The page needs nothing else: styles, plots and the script of its filter stand in it. Whatever
articles, questions and models say is escaped by the template.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval import risk
from eval.compare import interval
from eval.errors import BadSet
from eval.gold import read_bytes
from eval.plots import SHARE, Axis, bars, line, ticks
from eval.run import FORMAT, Json
from eval.show import LABELS
from eval.target import DEPTH
from eval.text import holds

_SLOW = 2.0  # the plot of times ends at so many times the 95th percentile
_KEY = ("correct", "contained", "hit@1", "hit@5", "article", "cite_precision", "refused")
"""The figures that stand above the rest, in the order of `eval.show.LABELS`."""


def read(path: Path) -> Json:
    """A result file of `python -m eval run`.

    Raises:
        BadSet: it is not one, or of another format.
    """
    try:
        value: Json = json.loads(read_bytes(path))
        if value["kind"] != "run":
            raise BadSet(path, "only results of `python -m eval run` make a report")
        if value["format"] != FORMAT or "risk_coverage" not in value:
            raise BadSet(path, "it is of another version; make it anew with this one")
    except (ValueError, KeyError, TypeError) as error:
        raise BadSet(path, f"it is no result file ({type(error).__name__}: {error})") from None
    return value


def html(result: Json) -> str:
    """The page.

    Args:
        result: the content of a result file; without what `--save` holds, the failures show
            questions and statuses alone.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eval", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    failures = [_failure(q) for q in result["questions"] if _failed(q)]
    return environment.get_template("report.html").render(
        result=result,
        everything=result["summary"]["all"],
        key=[m for m in _measures(result) if m["name"] in _KEY],
        measures=_measures(result),
        plots=_plots(result),
        failures=failures,
        types=sorted({f["type"] for f in failures}),
        languages=sorted({f["language"] for f in failures}),
        saved=any("accepted" in q for q in result["questions"]),
    )


def _measures(result: Json) -> list[Json]:
    """Every measure's mean, its 95 per cent confidence interval by bootstrap, and its questions."""
    rows: list[Json] = []
    for name, label in LABELS.items():
        found = result["summary"]["all"]["measures"].get(name)
        if found is None:
            continue
        scores = [q["scores"].get(name) for q in result["questions"]]
        values = np.asarray([s for s in scores if s is not None], float)
        low, high = interval(values) if np.ptp(values) > 0 else (found["mean"], found["mean"])
        rows.append({"name": name, "label": label, **found, "low": low, "high": high})
    return rows


def _plots(result: Json) -> list[Json]:
    """Title, a sentence on how to read it, and the SVG; what has no data is left out."""
    found = [
        _risk(result["questions"]),
        _recall(result["questions"]),
        *(_groups(result, name) for name in ("type", "language")),
        _latency(result),
    ]
    return [plot for plot in found if plot]


def _risk(questions: Sequence[Json]) -> Json | None:
    judged = [q for q in questions if "correct" in q["scores"]]
    curve = risk.curve(
        [q.get("confidence") for q in judged], [q["scores"]["correct"] == 1.0 for q in judged]
    )
    if not curve:
        return None
    points = [(p.coverage, p.risk) for p in curve]
    svg = line(
        "Risk against coverage",
        points,
        Axis("coverage: questions answered, the surest first", 1.0, SHARE),
        Axis("risk: wrong among these", 1.0, SHARE),
    )
    said = (
        f"Area {risk.area(curve):.3f}, less is better; at its right end the system answers "
        f"{points[-1][0]:.3f} of the questions and is wrong in {points[-1][1]:.3f} of them."
    )
    return {"title": "Risk and coverage", "said": said, "svg": svg}


def _recall(questions: Sequence[Json]) -> Json | None:
    ranked = [q for q in questions if q["gold"]]
    if not ranked:
        return None
    points = [
        (float(k), sum(sum(p <= k for p in q["places"]) / q["gold"] for q in ranked) / len(ranked))
        for k in range(1, DEPTH + 1)
    ]
    svg = line(
        "Recall of gold paragraphs by rank",
        points,
        Axis("k: passages looked at", DEPTH, range(0, DEPTH + 1, 2), 0),
        Axis("recall@k", 1.0, SHARE),
        dots=True,
    )
    said = f"Share of the gold paragraphs within the first k passages, {len(ranked)} questions."
    return {"title": "Recall by k", "said": said, "svg": svg}


def _groups(result: Json, name: str) -> Json | None:
    groups = result["summary"]["by"][name]
    rows = [
        (key, measured["measures"][measure]["mean"], measured["measures"][measure]["n"])
        for key, measured in groups.items()
        if (measure := "correct" if "correct" in measured["measures"] else "hit@1")
        in measured["measures"]
    ]
    if not rows:
        return None
    said = "Right: an accepted answer is contained, or an unanswerable question is refused."
    if not any("correct" in m["measures"] for m in groups.values()):
        said = "A gold paragraph comes first."
    return {"title": f"By {name}", "said": said, "svg": bars(f"Right by {name}", rows)}


def _latency(result: Json) -> Json | None:
    times = sorted(q["ms"] for q in result["questions"] if q["ms"] is not None)
    if not times:
        return None
    marked = result["summary"]["all"]["ms"]
    end = max(min(times[-1], _SLOW * marked["p95"]), 1.0)
    written = ticks(end)
    steps = ((t, (i + 1) / len(times)) for i, t in enumerate(times))
    points = [(0.0, 0.0), *((t, share) for t, share in steps if t <= written[-1])]
    svg = line(
        "Latency",
        points,
        Axis("milliseconds", written[-1], written, 0),
        Axis("share of questions done by then", 1.0, SHARE),
        marks=[(marked["p50"], "p50"), (marked["p95"], "p95")],
    )
    said = f"p50 {marked['p50']:,.0f} ms, p95 {marked['p95']:,.0f} ms, slowest {times[-1]:,.0f} ms."
    return {"title": "Latency", "said": said, "svg": svg}


def _failed(question: Json) -> bool:
    scores = question["scores"]
    if "correct" in scores:
        return bool(scores["correct"] != 1.0)
    return bool(scores.get("hit@10") == 0.0)


def _failure(question: Json) -> Json:
    """A question that went wrong, in the words of the template."""
    gold = [e["quote"] for e in question.get("evidence", [])]
    passages = [
        {"rank": rank, "text": text, "gold": any(holds(text, quote) for quote in gold)}
        for rank, text in enumerate(question.get("passages", []), start=1)
    ]
    return {**question, "why": _why(question), "shown": passages}


def _why(question: Json) -> str:
    """What went wrong, as far as the scores tell."""
    scores: dict[str, Any] = question["scores"]
    if question["status"] == "failed":
        return f"failed: {question.get('error', '')}"
    if not question["answerable"]:
        return "answered, though the archive does not tell"
    found = question["places"]
    where = f"gold paragraph at rank {found[0]}" if found else "gold paragraph not found"
    if question["status"] == "no_evidence":
        return f"refused; {where}" if question["gold"] else "refused"
    if scores.get("in_quotes") == 1.0:
        return "an accepted answer stands in the quotes, not in the answer"
    return f"no accepted answer in the answer; {where}" if question["gold"] else "not contained"
