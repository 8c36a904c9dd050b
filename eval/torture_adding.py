"""What adding does to those who ask meanwhile: windows with and without it, in turn, in one run.

Whatever else the machine does falls on both kinds of window alike, and so does that the archive
grows; a measurement before and one after would not be the same machine. Questions come at a fixed
rate (open loop), and an answer's time counts from when its question was due.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.errors import BenchFailed
from eval.torture_archive import text_of
from eval.torture_load import Served, served
from rag.config import Config
from rag.pipeline import Pipeline

Json = dict[str, Any]

MOST_TIMES = 2.0
"""What adding may do to the time that 19 of 20 answers take."""

_WAITING = 64  # requests under way at one time; a server sends away what is more than its queue
_PARAGRAPHS = 2  # of an article that is added
_SETTLING = 1.0  # seconds between two windows: segments are merged after the answer
_FEWEST = 20  # answers of a window whose slowest in twenty can be told
_DRAWN = 2000  # samples of the windows, for the interval


@dataclass(frozen=True, slots=True)
class Adding:
    """How much is added, and how much is asked meanwhile.

    Attributes:
        articles: in all; none of their texts was ever encoded.
        at_once: articles of an upload, which becomes searchable together.
        uploads: in a window.
        share: of the questions that the server can answer, those that are asked.
        warming: seconds in which that is found out.
        first: seconds of the first window, whose length nothing tells yet.
        minutes: after which no window is begun.
    """

    articles: int = 1000
    at_once: int = 20
    uploads: int = 2
    share: float = 0.3
    warming: float = 15.0
    first: float = 6.0
    minutes: float = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: when it was due, and how long its answer took, in seconds."""

    due: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which articles were added, or none."""

    adding: bool
    begin: float
    end: float


def adding(
    folder: Path,
    cache: Path,
    articles: Path,
    questions: Sequence[str],
    setup: Adding,
    command: Sequence[str] = (),
    seed: int = 1,
) -> Json:
    """Ask, in turn with and without articles being added.

    Args:
        folder: an empty folder.
        cache: with the bundled model.
        articles: a folder of articles to answer from at first.
        questions: asked again and again, each time with another number behind.
        setup: how much.
        command: another server than `wenju serve`; its archive is filled over HTTP.
        seed: of the samples that the interval is drawn from.

    Returns:
        See `judged`; and `capacity`: answers a second; `offered_a_second`.

    Raises:
        BenchFailed: the server does not start, or refuses what is added.
    """
    config = Config(home=folder / "home", cache=cache)
    if not command:
        pipeline = Pipeline(config)
        pipeline.add([articles])
        pipeline.close()
    with served(config, folder / "server.log", command) as server:
        capacity = _capacity(server, questions, setup.warming)
        rate = max(0.5, setup.share * capacity)
        windows: list[Window] = []
        with _Asking(server, questions, rate) as asking:
            added = _windows(server, setup, windows)
        found = judged(windows, asking.done, added, seed)
    return {"capacity": round(capacity, 1), "offered_a_second": round(rate, 1), **found}


def judged(windows: Sequence[Window], asked: Sequence[Asked], articles: int, seed: int = 1) -> Json:
    """What came of it.

    Args:
        windows: in turn with and without adding, two and two.
        asked: all that was asked, in windows and between.
        articles: how many were added.
        seed: of the samples.

    Returns:
        `articles`; `windows`: pairs of them; `alone`, `beside`: answers and milliseconds without
        and while adding; `p95_ratio`: the median over the pairs of how many times as long 19 of 20
        answers took, `interval`: of that, 95 %, by drawing pairs with replacement (Efron, 1979),
        `ratios`: of each pair; `pooled_p95_ratio`: of all answers together; `without_answer`;
        `problems`, which the interval's end is too where it says that it may be one.
    """
    took: dict[bool, list[float]] = {True: [], False: []}
    ratios: list[float] = []
    failed = sum(one.status not in (200, 503) for one in asked)
    for pair in zip(windows[::2], windows[1::2], strict=False):
        times = {w.adding: [a.seconds for a in asked if _in(a, w)] for w in pair}
        for kind, seconds in times.items():
            took[kind] += seconds
        if min(map(len, times.values())) >= _FEWEST:
            ratios.append(p95(times[True]) / p95(times[False]))
    problems = [f"{failed} questions were not answered"] if failed else []
    if not ratios:
        return {"articles": articles, "windows": 0, "problems": [*problems, "no window was whole"]}
    chance = random.Random(seed)  # noqa: S311 no secret
    drawn = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(_DRAWN))
    median = statistics.median(ratios)
    interval = [drawn[int(share * (_DRAWN - 1))] for share in (0.025, 0.975)]
    if median >= MOST_TIMES:
        problems.append(f"adding articles made answers {median:.2f} times as slow")
    elif interval[1] >= MOST_TIMES:
        problems.append(f"the windows differ too much to tell: {interval[1]:.2f} times is possible")
    return {
        "articles": articles,
        "windows": len(ratios),
        "alone": _shown(took[False]),
        "beside": _shown(took[True]),
        "p95_ratio": round(median, 2),
        "interval": [round(bound, 2) for bound in interval],
        "ratios": [round(ratio, 2) for ratio in ratios],
        "pooled_p95_ratio": round(p95(took[True]) / p95(took[False]), 2),
        "refused": sum(one.status == 503 for one in asked),
        "without_answer": failed,
        "problems": problems,
    }


def p95(values: Sequence[float]) -> float:
    """The smallest value that at least 95 of 100 do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _in(asked: Asked, window: Window) -> bool:
    return asked.status == 200 and window.begin <= asked.due < window.end


def _shown(seconds: Sequence[float]) -> Json:
    """How many answers, and their times in milliseconds."""
    return {
        "answers": len(seconds),
        "med": round(1000 * statistics.median(seconds)),
        "p(95)": round(1000 * p95(seconds)),
        "max": round(1000 * max(seconds)),
    }


def _windows(server: Served, setup: Adding, windows: list[Window]) -> int:
    """Go through the windows; which of a pair comes first changes from pair to pair.

    Returns:
        How many articles were added.
    """
    until = time.monotonic() + 60 * setup.minutes
    added, length = 0, setup.first
    while added < setup.articles and time.monotonic() < until:
        first = len(windows) // 2 % 2 == 1
        for now in (first, not first):
            begin = time.monotonic()
            if now:
                for _ in range(setup.uploads):
                    size = min(setup.at_once, setup.articles - added)
                    added += _upload(server, added + 1, size) if size else 0
                length = time.monotonic() - begin
            else:
                time.sleep(length)
            windows.append(Window(now, begin, time.monotonic()))
            time.sleep(_SETTLING)
    return added


def _upload(server: Served, first: int, size: int) -> int:
    """Add some articles, a record each of one file.

    Raises:
        BenchFailed: they were refused.
    """
    import httpx2

    records = []
    for number in range(first, first + size):
        title, _, text = text_of(number, _PARAGRAPHS).partition("\n\n")
        records.append(json.dumps({"title": title, "text": text}, ensure_ascii=False))
    body = {"files": (f"issue-{first}.jsonl", "\n".join(records).encode())}
    reply = httpx2.post(f"{server.address}/v1/articles", files=body, timeout=600)
    if reply.status_code != httpx2.codes.OK or not reply.json()["files"][0]["articles"]:
        raise BenchFailed(f"Articles were refused: {reply.text[:300]}")
    return len(reply.json()["files"][0]["articles"])


def _body(questions: Sequence[str], number: int) -> tuple[str, Json]:
    """The number makes each question another one, so that no vector of it is kept."""
    question = f"{questions[number % len(questions)]} {number}"
    return ("/v1/search" if number % 3 else "/v1/ask"), {"question": question}


def _capacity(server: Served, questions: Sequence[str], seconds: float) -> float:
    """Answers a second that four clients get who wait for each; the first third warms up."""
    import httpx2

    begin = time.monotonic()
    counted: list[float] = []

    def client(place: int) -> None:
        with httpx2.Client(base_url=server.address, timeout=60) as http:
            number = 1_000_000 * (place + 1)
            while (now := time.monotonic()) < begin + seconds:
                path, body = _body(questions, number)
                if http.post(path, json=body).status_code == httpx2.codes.OK:
                    counted.append(now)
                number += 1

    threads = [threading.Thread(target=client, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(at > begin + seconds / 3 for at in counted) / (seconds * 2 / 3)


class _Asking:
    """Asks at a fixed rate for the length of a `with`, whatever becomes of it.

    Attributes:
        done: what was asked; to be looked at afterwards.
    """

    def __init__(self, server: Served, questions: Sequence[str], rate: float) -> None:
        self._server, self._questions, self._rate = server, questions, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask_all)
        self.done: list[Asked] = []

    def __enter__(self) -> _Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask_all(self) -> None:
        import httpx2

        with (
            httpx2.Client(base_url=self._server.address, timeout=60) as http,
            ThreadPoolExecutor(_WAITING) as pool,
        ):
            begin, number = time.monotonic(), 0
            while not self._stop.wait(max(0.0, begin + number / self._rate - time.monotonic())):
                pool.submit(self._ask, http, number, begin + number / self._rate)
                number += 1

    def _ask(self, http: Any, number: int, due: float) -> None:  # noqa: ANN401 imported late
        import httpx2

        path, body = _body(self._questions, number)
        try:
            status = http.post(path, json=body).status_code
        except httpx2.TransportError:
            status = 0
        self.done.append(Asked(due, time.monotonic() - due, status))
