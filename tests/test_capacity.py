"""How costs are fitted over sizes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from eval.capacity import law, main, report

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


def test_a_report_holds_what_was_measured_and_says_what_was_not(tmp_path: Path) -> None:
    results = [result(n, 5 + n * 2e-5) for n in SIZES]
    found = report(results[::-1])
    row = found["figures"]["search alone, ms p50"]
    assert row["measured"] == {n: 5 + n * 2e-5 for n in SIZES}
    assert row["law"]["fixed"] == pytest.approx(5)
    assert row["law"]["each"] == pytest.approx(2e-5)
    assert found["figures"]["open, s"]["measured"] == dict.fromkeys(SIZES)
    assert "law" not in found["figures"]["open, s"]
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
