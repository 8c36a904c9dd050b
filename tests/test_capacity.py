"""How costs are fitted over sizes, and what waiting for the slowest shard costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from eval.capacity import law, main, report, slowest

SIZES = (20_000, 200_000, 1_000_000)


def result(passages: int, ms: float, recall: float = 0.99) -> dict[str, object]:
    times = list(np.linspace(ms, 2 * ms, 50))
    return {
        "made": "2026", "commit": "c", "machine": {},
        "settings": {"passages": passages},
        "parts": {
            "search": {"alone": {"p50": ms, "p95": 2 * ms}, "ask": {"p50": 2 * ms}, "times": times},
            "dense": {"wenju": {"p50": ms / 2}, "recall@10": recall},
        },
    }  # fmt: skip


@given(fixed=st.floats(0.1, 100), each=st.floats(1e-6, 1e-3))
def test_a_line_is_found_again(fixed: float, each: float) -> None:
    found = law(SIZES, [fixed + each * n for n in SIZES])
    assert found == pytest.approx((fixed, each), rel=1e-6)


def test_nothing_costs_less_than_nothing() -> None:
    fixed, each = law((1, 10, 100), (0.9, 9.9, 101.0))
    assert fixed == 0.0
    assert 0.9 < each < 1.1
    fixed, each = law((1, 10, 100), (11.0, 10.0, 9.0))
    assert 9 < fixed < 11
    assert each == 0.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1, 100), min_size=1, max_size=30), st.integers(1, 5))
def test_the_slowest_of_more_is_no_faster(times: list[float], shards: int) -> None:
    few, more = slowest(np.array(times), shards), slowest(np.array(times), 4 * shards)
    assert min(times) <= few["p50"] + 1e-3
    assert few["p50"] <= few["p95"] <= few["p99"] <= max(times) + 1e-3
    assert more["p50"] >= few["p50"] * 0.99


def test_one_shard_is_as_fast_as_it_was_measured() -> None:
    times = np.arange(1.0, 101.0)
    assert slowest(times, 1)["p50"] == pytest.approx(50.5, abs=2)
    assert slowest(times, 100)["p50"] > 98


def test_a_report_holds_what_was_measured_and_says_what_was_not(tmp_path: Path) -> None:
    results = [result(n, 5 + n * 2e-5) for n in SIZES]
    found = report(results[::-1])
    row = found["figures"]["search alone, ms p50"]
    assert row["measured"] == {n: 5 + n * 2e-5 for n in SIZES}
    assert row["law"]["fixed"] == pytest.approx(5)
    assert row["law"]["each"] == pytest.approx(2e-5)
    assert found["figures"]["open, s"]["measured"] == dict.fromkeys(SIZES)
    assert "law" not in found["figures"]["open, s"]
    assert found["slowest_of"][1]["p50"] < found["slowest_of"][128]["p50"]
    paths = []
    for n, one in enumerate(results):
        paths.append(tmp_path / f"{n}.json")
        paths[-1].write_text(json.dumps(one), encoding="utf-8")
    import typer

    app = typer.Typer()
    app.command()(main)
    shown = CliRunner().invoke(app, [*map(str, paths), "--out", str(tmp_path / "out.json")])
    assert shown.exit_code == 0, shown.output
    assert "extrapolated" in shown.output
    assert json.loads((tmp_path / "out.json").read_text())["sizes"] == list(SIZES)
