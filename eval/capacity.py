"""How costs grow, from the results of `python -m eval bench` at several sizes.

    python -m eval.capacity RESULT.json RESULT.json … [--out FILE]

A line, cost = a + b * passages, is fitted to each figure by least squares of the relative errors,
so that small sizes count as much as large. What is told for more passages than were measured is an
extrapolation, and marked so. What a search over several machines takes is in `eval.fanout`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from eval.run import FORMAT, Json, commit, write
from eval.show import print_table

FIGURES: Mapping[str, tuple[str, ...]] = {
    "search alone, ms p50": ("search", "alone", "p50"),
    "search alone, ms p95": ("search", "alone", "p95"),
    "answer, ms p50": ("search", "ask", "p50"),
    "vector search, ms p50": ("dense", "wenju", "p50"),
    "open, s": ("open", "steps", "open", "wall_s"),
    "start to first answer, s": ("open", "total", "wall_s"),
    "own memory after searches, bytes": ("memory", "memory", "searches", "anon"),
    "mapped memory after searches, bytes": ("memory", "memory", "searches", "file"),
    "delete an article, ms p50": ("delete", "ms", "p50"),
    "recall@10": ("dense", "recall@10"),
}
"""Where each figure stands in a result's parts."""

_AHEAD = (10_000_000, 100_000_000)


def law(passages: Sequence[int], costs: Sequence[float]) -> tuple[float, float]:
    """The line through some costs, by least squares of the relative errors.

    Args:
        passages: sizes, at least two distinct ones.
        costs: above 0, one a size.

    Returns:
        What is spent whatever the size, and what a passage adds, both at least 0.
    """
    sizes, values = np.array(passages, float), np.array(costs, float)
    columns = np.stack([np.ones_like(sizes), sizes], axis=1) / values[:, None]
    (fixed, each), *_ = np.linalg.lstsq(columns, np.ones_like(values))
    if each < 0:  # chance was larger than any growth
        fixed, each = float((1 / values).sum() / (1 / values**2).sum()), 0.0
    if fixed < 0:
        ratios = sizes / values
        fixed, each = 0.0, float(ratios.sum() / (ratios**2).sum())
    return float(fixed), float(each)


def figure(result: Json, place: Sequence[str]) -> float | None:
    """A figure of a result; None where that part was not measured."""
    found = result["parts"]
    for key in place:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return None if found is None else float(found)


def report(results: Sequence[Json]) -> Json:
    """What was measured at each size, and the laws."""
    ordered = sorted(results, key=lambda r: r["settings"]["passages"])
    sizes = [int(r["settings"]["passages"]) for r in ordered]
    rows: Json = {}
    for name, place in FIGURES.items():
        held = [(size, figure(r, place)) for size, r in zip(sizes, ordered, strict=True)]
        known = [(size, value) for size, value in held if value is not None]
        rows[name] = {"measured": dict(held)}
        if len({size for size, _ in known}) > 1 and all(value > 0 for _, value in known):
            fixed, each = law([s for s, _ in known], [v for _, v in known])
            rows[name]["law"] = {"fixed": fixed, "each": each}
    return {
        "kind": "capacity",
        "format": FORMAT,
        "commit": commit(),
        "sizes": sizes,
        "of": [{k: r[k] for k in ("made", "commit", "machine")} for r in ordered],
        "figures": rows,
    }


def main(
    results: Annotated[list[Path], typer.Argument(help="Results of `python -m eval bench`.")],
    out: Annotated[Path | None, typer.Option(help="Write the figures here, as JSON.")] = None,
) -> None:
    """Fit how costs grow with an archive."""
    found = report([json.loads(path.read_text(encoding="utf-8")) for path in results])
    if out is not None:
        write(out, found)
    sizes = found["sizes"]
    ahead = [n for n in _AHEAD if n > max(sizes)]
    heads = ("figure", *(f"{n:,}" for n in sizes), *(f"{n:,} (extrapolated)" for n in ahead))
    rows = []
    for name, row in found["figures"].items():
        grown = row["law"] if row.get("law", {}).get("each") else None  # else nothing grew
        told = ["-" if v is None else f"{v:,.4g}" for v in row["measured"].values()]
        further = [f"{grown['fixed'] + grown['each'] * n:,.3g}" if grown else "-" for n in ahead]
        rows.append((name, *told, *(further if name != "recall@10" else ["-"] * len(ahead))))
    print_table(heads, rows)


if __name__ == "__main__":
    typer.run(main)
