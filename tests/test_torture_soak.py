"""A short form of the soak of `make torture`, and what the load's figures are judged by."""

import sys
from pathlib import Path

from eval.torture_archive import change, opened, question_of
from eval.torture_load import Load, _problems
from eval.torture_soak import _level, soak


def test_mixed_requests_break_and_forget_nothing(tmp_path: Path, cache: Path) -> None:
    with opened(tmp_path / "home", cache) as pipeline:
        for number in (1_000_001, 1_000_002):
            change(pipeline, "add", number)
    asked = [question_of(1_000_001), "大桥工程本月完成了什么？", "What is new?"]
    server = Path(__file__).parent / "serve_fake.py"
    command = [sys.executable, str(server), str(tmp_path / "home"), str(cache)]
    found = soak(tmp_path, cache, None, asked, 120, seed=2, command=command)
    assert [p for p in found["problems"] if "memory" not in p] == []  # it still warms up
    assert found["requests"] == 120
    kinds = {name.split()[0] for name in found["statuses"]}
    assert kinds == {"ask", "search", "add", "delete", "malformed"}
    assert found["compared"] >= 3


def part(**facts: int) -> dict[str, object]:
    took = {"p(95)": facts.pop("took", 2900)}
    return {"failed": 0, "without_answer": 0, "not_sent": 0, "accepted_ms": took} | facts


def test_requests_without_an_answer_and_growing_memory_are_problems() -> None:
    good = {name: part() for name in ("before", "twice", "five_times", "after")}
    good |= {"errors_logged": 0, "memory": {"twice": 100, "five_times": 109}}
    assert _problems(good, Load()) == []
    bad = good | {"twice": part(without_answer=2, failed=1, took=3100), "errors_logged": 3}
    bad |= {"memory": {"twice": 100, "five_times": 150}}
    assert _problems(bad, Load()) == [
        "twice: 1 failed",
        "twice: 2 without_answer",
        "twice: of those accepted one in twenty took 3100 ms or more",
        "3 errors in the log",
        "memory grew by 1.50 from twice to five times",
    ]


def test_memory_is_judged_after_it_has_warmed_up() -> None:
    samples = [(0, 100), (50, 300), (100, 400), (500, 402), (1000, 405)]
    level = _level(samples)
    assert (level["start"], level["end"]) == (400, 405)
    assert abs(level["mb_each_1000"] - 5.5) < 0.1
    assert level["second_half_mb_each_1000"] == 6.0
    assert level["curve"] == samples
    short = _level([(0, 1), (9, 7)])
    assert (short["start"], short["end"], short["mb_each_1000"]) == (7, 7, 0.0)
    many = _level([(n, 5) for n in range(1000)])
    assert (many["curve"][0], many["curve"][-1]) == ((0, 5), (999, 5))
    assert len(many["curve"]) <= 42
