"""What adding does to those who ask: the figures by hand, and a short form of the measurement."""

import sys
from pathlib import Path

import pytest

from eval.torture_adding import Adding, Asked, Window, adding, judged, p95


def test_the_slowest_in_twenty() -> None:
    assert p95([float(n) for n in range(1, 21)]) == 19
    assert p95([float(n) for n in range(1, 22)]) == 20
    assert p95([7.0]) == 7


def window(number: int, seconds: float, *, adds: bool) -> tuple[Window, list[Asked]]:
    """Twenty answers of so many seconds each, in a window of ten."""
    begin = 100.0 * number
    asked = [Asked(begin + place / 2, seconds, 200) for place in range(20)]
    return Window(adds, begin, begin + 10), asked


def test_windows_are_compared_two_and_two() -> None:
    times = [(0.1, False), (0.15, True), (0.4, True), (0.2, False), (0.1, False), (0.3, True)]
    windows, asked = [], []
    for number, (seconds, adds) in enumerate(times):
        one, its = window(number, seconds, adds=adds)
        windows.append(one)
        asked += its
    between = [Asked(99.0, 50.0, 200), Asked(5.0, 9.0, 503)]
    found = judged(windows, [*asked, *between], 60)
    assert found["p95_ratio"] == 2.0  # of 1.5, 2 and 3
    assert found["interval"] == [1.5, 3.0]
    assert found["ratios"] == [1.5, 2.0, 3.0]
    assert (found["windows"], found["articles"], found["refused"]) == (3, 60, 1)
    assert found["alone"] == {"answers": 60, "med": 100, "p(95)": 200, "max": 200}
    assert found["pooled_p95_ratio"] == 2.0
    assert found["problems"] == ["adding articles made answers 2.00 times as slow"]
    quick = [Asked(a.due, a.seconds if a.due < 100 else 0.1, a.status) for a in asked]
    assert judged(windows, quick, 60)["problems"] == []
    unsure = [Asked(a.due, a.seconds if a.due >= 400 else 0.1, a.status) for a in asked]
    told = judged(windows, unsure, 60)
    assert told["p95_ratio"] == 1.0
    assert told["problems"] == ["the windows differ too much to tell: 3.00 times is possible"]
    lost = judged(windows, [*quick, Asked(0.5, 1.0, 0)], 60)
    assert lost["problems"] == ["1 questions were not answered"]
    assert judged(windows, asked[:50], 60)["windows"] == 1  # too few answers in the others
    assert "no window was whole" in judged([], [], 0)["problems"]


@pytest.mark.slow
def test_articles_are_added_beside_questions(tmp_path: Path, cache: Path) -> None:
    server = [sys.executable, str(Path(__file__).parent / "serve_fake.py")]
    setup = Adding(articles=6, at_once=2, uploads=1, warming=1.0, first=1.0)
    (tmp_path / "home").mkdir()
    found = adding(tmp_path, cache, Path("none"), ["大桥工程完成了什么？"], setup,
                   [*server, str(tmp_path / "home"), str(cache)])  # fmt: skip
    assert found["articles"] == 6
    assert found["capacity"] > 0
    assert [p for p in found["problems"] if "not answered" in p] == []
