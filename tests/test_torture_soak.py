"""A short form of the soak of `make torture`, and what the load's figures are judged by."""

from pathlib import Path

import platformdirs
import pytest

from eval.torture_archive import question_of, text_of
from eval.torture_load import Load, _problems
from eval.torture_soak import soak


@pytest.mark.model
def test_mixed_requests_break_and_forget_nothing(tmp_path: Path) -> None:
    articles = tmp_path / "articles"
    articles.mkdir()
    for number in (1_000_001, 1_000_002):
        (articles / f"d{number}.txt").write_text(text_of(number), encoding="utf-8")
    asked = [question_of(1_000_001), "大桥工程本月完成了什么？", "What is new?"]
    cache = Path(platformdirs.user_cache_dir("wenju"))
    found = soak(tmp_path, cache, articles, asked, 120, seed=2)
    assert [p for p in found["problems"] if "memory" not in p] == []  # it still warms up
    assert found["requests"] == 120
    kinds = {name.split()[0] for name in found["statuses"]}
    assert kinds == {"ask", "search", "add", "delete", "malformed"}
    assert found["compared"] >= 3


def part(**facts: int) -> dict[str, int]:
    return {"failed": 0, "without_answer": 0, "not_sent": 0} | facts


def test_requests_without_an_answer_and_growing_memory_are_problems() -> None:
    good = {name: part() for name in ("before", "twice", "five_times", "after")}
    good |= {"errors_logged": 0, "memory": {"twice": 100, "five_times": 109}}
    assert _problems(good, Load()) == []
    bad = good | {"twice": part(without_answer=2, failed=1), "errors_logged": 3}
    bad |= {"memory": {"twice": 100, "five_times": 150}}
    assert _problems(bad, Load()) == [
        "twice: 1 failed",
        "twice: 2 without_answer",
        "3 errors in the log",
        "memory grew by 1.50 from twice to five times",
    ]
