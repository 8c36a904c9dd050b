"""Comparisons by hand, and the statistics against brute force."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from eval.__main__ import app
from eval.cases import load_cases
from eval.compare import compare, fallen, load_results, paired
from eval.errors import BadSet
from eval.run import FORMAT


def test_paired_by_hand():
    found = paired([0, 0, 1, 1], [1, 1, 1, 0])
    assert (found["n"], found["first"], found["second"]) == (4, 0.5, 0.75)
    assert (found["difference"], found["better"], found["worse"]) == (0.25, 2, 1)
    assert found["low"] < 0.25 < found["high"]


def test_nothing_changed():
    found = paired([0.2, 0.7], [0.2, 0.7])
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0.0, 0.0, 0.0, 1.0)


def test_the_same_change_everywhere_has_no_width():
    found = paired([0.0] * 5, [1.0] * 5)
    assert (found["low"], found["high"]) == (1.0, 1.0)
    assert found["p"] == pytest.approx(2 / 2**5)
    assert paired([0.0, 1.0], [1.0, 1.0])["p"] == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_p_is_the_share_of_sign_flips_as_extreme(seed):
    rng = np.random.default_rng(seed)
    before, after = rng.random(8), rng.random(8)
    differences = after - before
    extreme = [
        abs(np.mean(differences * signs)) >= abs(differences.mean()) - 1e-12
        for signs in itertools.product((1, -1), repeat=8)
    ]
    assert paired(before, after)["p"] == pytest.approx(np.mean(extreme))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(20):
        after = rng.normal(0.3, 1.0, 60)
        found = paired(np.zeros(60), after)
        inside += found["low"] <= 0.3 <= found["high"]
    assert 16 <= inside <= 20


def test_equal_runs_give_equal_statistics():
    rng = np.random.default_rng(4)
    before, after = rng.random(300), rng.random(300)
    assert paired(before, after) == paired(before, after)


def result(tmp_path, name, rows, digest="d", **changes):
    value = {
        "kind": "run",
        "format": FORMAT,
        "set": {"name": "s", "sha256": digest},
        "questions": [
            {
                "id": key,
                "question": f"问{key}",
                "type": kind,
                "language": "zh",
                "status": "answered",
            }
            | {"scores": scores}
            for key, kind, scores in rows
        ],
    }
    path = tmp_path / name
    path.write_text(json.dumps(value | changes), encoding="utf-8")
    return path


def test_a_comparison_by_hand(tmp_path):
    first = result(
        tmp_path,
        "a.json",
        [
            ("1", "list", {"correct": 0.0, "items": 0.5}),
            ("2", "list", {"correct": 1.0, "items": None}),
            ("3", "factoid", {"correct": 1.0}),
            ("gone", "factoid", {"correct": 1.0}),
        ],
    )
    second = result(
        tmp_path,
        "b.json",
        [
            ("1", "list", {"correct": 1.0, "items": 1.0}),
            ("2", "list", {"correct": 1.0, "items": 1.0}),
            ("3", "factoid", {"correct": 0.0}),
        ],
        digest="other",
    )
    found = compare(load_results(first), load_results(second))
    assert (found["questions"], found["only_in_first"], found["only_in_second"]) == (3, 1, 0)
    assert not found["same_sets"]
    assert found["measures"]["correct"]["difference"] == 0.0
    assert found["measures"]["items"]["n"] == 1
    assert found["by"]["type"]["list"]["correct"]["difference"] == 0.5
    assert [(c["id"], c["first"], c["second"]) for c in found["changed"]] == [
        ("3", 1.0, 0.0),
        ("1", 0.0, 1.0),
    ]


def test_files_that_cannot_be_compared(tmp_path):
    good = load_results(result(tmp_path, "a.json", [("1", "list", {"correct": 1.0})]))
    other = load_results(result(tmp_path, "b.json", [("2", "list", {"correct": 1.0})]))
    with pytest.raises(BadSet, match="no question in common"):
        compare(good, other)
    with pytest.raises(BadSet, match=r"its format is 0"):
        load_results(result(tmp_path, "c.json", [], format=0))
    with pytest.raises(BadSet, match="it is damaged"):
        load_results(result(tmp_path, "d.json", [], questions=[{}]))
    with pytest.raises(BadSet, match="it is no result file"):
        load_results(result(tmp_path, "e.json", [], kind="x"))


def scores(values, **more):
    return [(str(i), "list", {"correct": v, **more}) for i, v in enumerate(values)]


def test_a_fall_beyond_its_interval_is_told(tmp_path):
    def made(right, asked=30, refused=0.0):
        values = [1.0] * right + [0.0] * (asked - right)
        rows = scores(values, false_refusal=refused)
        return load_results(result(tmp_path, "r.json", rows))

    good = made(30)
    assert fallen(compare(good, good)) == []
    assert fallen(compare(good, made(29))) == []  # one of 30 may be chance
    assert fallen(compare(made(20), good)) == []  # a rise is no fall
    (line,) = fallen(compare(good, made(20)))
    assert line.startswith("correct 1.000 → 0.667 (difference -0.500 to -0.167")
    shy = made(30, refused=1.0)
    (line,) = fallen(compare(good, shy))
    assert line == "false_refusal 0.000 → 1.000 (difference +1.000 to +1.000)"
    assert fallen(compare(shy, good)) == []
    assert fallen(compare(good, made(29, asked=29))) == ["1 questions were not asked"]


def test_the_gate_of_the_command_line(tmp_path, capsys):
    good = result(tmp_path, "a.json", scores([1.0] * 30))
    bad = result(tmp_path, "b.json", scores([0.0] * 30))
    assert not app(["compare", str(good), str(bad)], standalone_mode=False)
    assert app(["compare", str(good), str(bad), "--gate"], standalone_mode=False) == 1
    assert "eval: fallen: correct 1.000 → 0.000" in capsys.readouterr().err
    assert not app(["compare", str(bad), str(good), "--gate"], standalone_mode=False)


def test_the_kept_scores_are_of_the_sample_questions():
    """`make eval` compares with them."""
    root = Path(__file__).resolve().parents[1]
    kept = load_results(root / "eval" / "results" / "samples.json")
    asked = {case.id for case in load_cases(root / "eval/data/sample-questions.jsonl").cases}
    assert kept.questions.keys() == asked
