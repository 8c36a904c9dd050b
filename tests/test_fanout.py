"""Waiting for the slowest of several shards, against what can be worked out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from eval.fanout import HEDGE, WAYS, main, quantile, report, slowest

MANY = np.random.default_rng(7).lognormal(3.5, 0.3, 2_000)


def exactly(share: float, shards: int, way: str) -> float:
    """The quantile of the slowest of independent shards: the share^(1/n)-quantile of one.

    A replica answers by t with the chance F(t). Of two asked at once one does by 1 - (1 - F(t))²,
    of hedged ones by F(t) up to the delay d, then by 1 - (1 - F(t))(1 - F(t - d)).
    """
    times = np.sort(MANY)
    delay = quantile(times, HEDGE)

    def chance(t: np.ndarray) -> np.ndarray:
        return np.searchsorted(times, t, side="right") / len(times)

    grid = np.unique(np.concatenate([times, times + delay]))
    left = 1 - chance(grid)
    if way == "twice":
        left = left**2
    if way == "hedged":
        left = np.where(grid > delay, left * (1 - chance(grid - delay)), left)
    return float(grid[np.searchsorted(1 - left, share ** (1 / shards) - 1e-12)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shards", [1, 4, 32])
def test_quantiles_are_those_of_the_closed_form(shards: int, way: str) -> None:
    found = slowest(MANY, shards, way)
    for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        around = [exactly(share + off, shards, way) for off in (-0.004, 0.004)]
        assert around[0] * 0.999 <= found[name] <= around[1] * 1.001
    expected = {"one": 1.0, "twice": 2.0, "hedged": 2.0 - HEDGE}
    assert found["requests"] == pytest.approx(expected[way], abs=0.01)


def test_a_second_replica_helps_the_slowest_most() -> None:
    paused = np.where(np.arange(len(MANY)) % 100 == 0, 10 * MANY, MANY)
    one, hedged, twice = (slowest(paused, 32, way) for way in WAYS)
    assert twice["p99"] < hedged["p99"] < one["p99"] / 2
    assert one["p95"] / one["p50"] > hedged["p95"] / hedged["p50"]
    assert hedged["requests"] < 1.1


def test_what_the_times_do_not_tell_is_marked() -> None:
    assert slowest(MANY, 1)["untold"] == []
    assert slowest(MANY, 1024)["untold"] == ["p95", "p99"]
    assert slowest(MANY[:100], 256)["untold"] == ["p50", "p95", "p99"]
    assert slowest(MANY[:100], 128)["p99"] == pytest.approx(MANY[:100].max(), abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1, 100), min_size=1, max_size=30), st.integers(1, 5))
def test_the_slowest_of_more_is_no_faster(times: list[float], shards: int) -> None:
    few, more = slowest(np.array(times), shards), slowest(np.array(times), 4 * shards)
    assert min(times) - 1e-3 <= few["p50"] <= few["p95"] <= few["p99"] <= max(times) + 1e-3
    assert more["p50"] >= few["p50"] * 0.99


def test_one_shard_is_as_fast_as_it_was_measured() -> None:
    times = np.arange(1.0, 101.0)
    assert slowest(times, 1)["p50"] == pytest.approx(50, abs=2)
    assert slowest(times, 100)["p50"] > 98


def test_a_report_keeps_the_distribution(tmp_path: Path) -> None:
    result = {
        "made": "2026", "commit": "c", "machine": {"cores": 2}, "settings": {"passages": 1_000_000},
        "parts": {"search": {"times": MANY[:300].tolist()}},
    }  # fmt: skip
    found = report(result)
    assert found["measured"] == 300
    assert len(found["quantiles_ms"]) == 1001
    assert found["quantiles_ms"][500] == pytest.approx(quantile(MANY[:300], 0.5), abs=1e-3)
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(result), encoding="utf-8")
    import typer

    app = typer.Typer()
    app.command()(main)
    shown = CliRunner().invoke(app, [str(path), "--out", str(tmp_path / "out.json")])
    assert shown.exit_code == 0, shown.output
    assert "300 searches of 1,000,000 passages" in shown.output
    assert "+" in shown.output
    held = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert set(held["slowest_of"]) == set(WAYS)
