"""What the evaluation prints for people: tables, the questions that went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from eval.run import Json

if TYPE_CHECKING:
    from rich.table import Table

LABELS = {
    "hit@1": "gold paragraph at rank 1",
    "hit@5": "gold paragraph within 5",
    "hit@10": "gold paragraph within 10",
    "recall@1": "recall@1 of gold paragraphs",
    "recall@5": "recall@5",
    "recall@10": "recall@10",
    "mrr@10": "MRR@10",
    "map@10": "MAP@10",
    "ndcg@10": "nDCG@10",
    "correct": "right: answer contained, or rightly refused",
    "contained": "answer contains an accepted answer",
    "items": "items of asked lists",
    "judged": "right by the model as judge",
    "in_quotes": "accepted answer in the cited quotes",
    "article": "a cited article is a gold one",
    "articles_all": "all gold articles cited",
    "article_precision": "citations of gold articles",
    "evidence_cited": "a cited quote holds the evidence",
    "cite_precision": "citation precision (gold paragraphs)",
    "cite_recall": "citation recall (gold paragraphs)",
    "author": "right author",
    "affiliation": "right affiliation",
    "title": "right title",
    "short_exact": "short answer: exact match",
    "short_f1": "short answer: F1",
    "rouge_l": "ROUGE-L of the answer",
    "refused": "refused among the unanswerable",
    "false_refusal": "refused among the answerable (less is better)",
}
_GROUP_MEASURES = ("hit@1", "hit@5", "correct", "contained", "article", "cite_precision", "refused")
_ROW_MEASURES = ("recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10")


def show_run(report: Json) -> None:
    """The tables of `run`."""
    everything = report["summary"]["all"]
    given = report["set"]
    _print(
        f"{given['name']}: {everything['questions']} of {given['questions']} questions, "
        f"{everything['failed']} failed; model {report['model']}, generation "
        f"{report['generation']}, commit {report['commit']}"
    )
    _print(_measures_table(everything))
    for name, groups in report["summary"]["by"].items():
        _print(_groups_table(name, groups))
    _show_latency(everything["ms"])
    _show_more(report)
    lost = report["evidence_not_in_archive"]
    if lost:
        questions = len({x["question"] for x in lost})
        _print(f"Not whole in any archived article: evidence of {questions} questions")
        for one in lost:
            _print(f"  {one['question']} {one['paragraph']} {one['quote']}")
    for notice in report["notices"]:
        _print(notice)
    if report["ignored_fields"]:
        _print(f"Fields of the set that were not used: {', '.join(report['ignored_fields'])}")
    _show_wrong(report["questions"])


def _show_more(report: Json) -> None:
    """Risk and coverage, tokens, and how far a judge agrees with the strings."""
    risk = report["risk_coverage"]
    if risk:
        _print(
            f"Risk and coverage: answers {risk['coverage']:.3f} of the questions, "
            f"{risk['risk']:.3f} of these wrongly; area under the curve {risk['area']:.3f} "
            "(less is better)"
        )
    tokens = report["summary"]["all"]["tokens"]
    if tokens:
        _print(
            f"Tokens (estimated): {tokens['prompt']} sent, {tokens['reply']} written in "
            f"{tokens['calls']} calls, {tokens['a_question']} a question; "
            f"{report['summary']['all']['worded']} answers are in the model's words"
        )
    judge = report["judge"]
    if judge:
        _print(
            f"Judge {judge['model']}: {judge['marked']} answers marked, {judge['unclear']} "
            f"unclear; agrees with the strings on {_number(judge['agreement'])}, kappa "
            f"{_number(judge['kappa'])}; its prompt:"
        )
        for prompt in judge["prompt"].values():
            _print(prompt)


def _measures_table(measured: Json) -> Table:
    table = _table("measure", "value", "n")
    for name, label in LABELS.items():
        if name in measured["measures"]:
            found = measured["measures"][name]
            table.add_row(label, _number(found["mean"]), str(found["n"]))
    refusal = measured["refusal"]
    for name in (n for n in ("precision", "recall", "f1") if refusal[n] is not None):
        table.add_row(f"refusal {name}", _number(refusal[name]), "")
    return table


def _groups_table(name: str, groups: Mapping[str, Json]) -> Table:
    table = _table(name, "questions", *_GROUP_MEASURES)
    for key, measured in groups.items():
        found = measured["measures"]
        cells = (_number(found.get(m, {}).get("mean")) for m in _GROUP_MEASURES)
        table.add_row(key, str(measured["questions"]), *cells)
    return table


def _show_wrong(questions: Sequence[Json]) -> None:
    wrong = [q for q in questions if q["scores"].get("correct") == 0.0]
    if not wrong:
        return
    _print(f"Not right ({len(wrong)}):")
    for q in wrong:
        place = q["scores"].get("mrr@10")
        found = (
            "" if place is None else f" gold at {round(1 / place)}" if place else " gold not found"
        )
        _print(f"  {q['id']} {q['type']} {q['status']}{found}: {q.get('error') or q['question']}")


def show_retrieval(report: Json) -> None:
    """The tables of `retrieval`."""
    table = _table("set", "paragraphs", "questions", *_ROW_MEASURES, "p50 ms", "p95 ms")
    for row in report["rows"]:
        cells = (_number(row["measures"][m]["mean"]) for m in _ROW_MEASURES)
        times = (_number(row["ms"][p], 0) for p in ("p50", "p95"))
        table.add_row(row["name"], str(row["paragraphs"]), str(row["questions"]), *cells, *times)
        for other in row.get("ablations", ()):
            cells = (_number(other["measures"][m]["mean"]) for m in _ROW_MEASURES)
            table.add_row(f"  {other['changed']}", "", "", *cells)
    _print(table)
    for row in report["rows"]:
        if row["failed"]:
            _print(f"{row['name']}: {row['failed']} questions failed and score 0")
        if row["unanswerable"] or row["left_out"]:
            _print(
                f"{row['name']}: not searched were {row['unanswerable']} unanswerable questions "
                f"and {row['left_out']} beyond the sample"
            )
        if "answers" in row:
            _print(f"{row['name']}, answers:")
            _print(_measures_table(row["answers"]["all"]))
            _show_latency(row["answers"]["all"]["ms"])


def show_comparison(comparison: Json) -> None:
    """The tables of `compare`."""
    _print(
        f"{comparison['first']} → {comparison['second']}: {comparison['questions']} questions in "
        f"both; only in the first {comparison['only_in_first']}, only in the second "
        f"{comparison['only_in_second']}"
    )
    if not comparison["same_sets"]:
        _print("The question sets are not the same file; questions are matched by id.")
    _print(_differences_table("measure", comparison["measures"]))
    for name, groups in comparison["by"].items():
        if groups:
            rows = {key: value for key, found in groups.items() for value in found.values()}
            _print(_differences_table(name, rows))
    if comparison["changed"]:
        _print(f"Changed ({len(comparison['changed'])}), the fallen first:")
    for one in comparison["changed"]:
        _print(
            f"  {one['id']} {one['measure']} {one['first']:g} → {one['second']:g} "
            f"({one['first_status']} → {one['second_status']}): {one['question'] or ''}"
        )


def _differences_table(name: str, rows: Mapping[str, Json]) -> Table:
    table = _table(
        name, "n", "first", "second", "difference", "95% interval", "p", "better", "worse"
    )
    for key, d in rows.items():
        table.add_row(
            key,
            str(d["n"]),
            _number(d["first"]),
            _number(d["second"]),
            f"{d['difference']:+.3f}",
            f"{d['low']:+.3f} to {d['high']:+.3f}",
            _number(d["p"]),
            str(d["better"]),
            str(d["worse"]),
        )
    return table


def _show_latency(ms: Mapping[str, float | None]) -> None:
    _print(f"Latency: p50 {_number(ms['p50'], 0)} ms, p95 {_number(ms['p95'], 0)} ms")


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are figures."""
    table = _table(*columns)
    for row in rows:
        table.add_row(*row)
    _print(table)


def _table(first: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _print(what: str | Table) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 140  # a pipe has no width of its own
    Console(width=width, markup=False, highlight=False, soft_wrap=isinstance(what, str)).print(what)
