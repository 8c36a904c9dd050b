"""Many mixed requests to one server: ask, search, add, delete and what makes no sense.

At the end the same questions are asked of this server and of a fresh process on the same archive:
the answers must be equal.
"""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.errors import BenchFailed
from eval.torture_archive import name_of, question_of, text_of
from eval.torture_load import Served, served
from rag.config import Config

Json = dict[str, Any]

_CLIENTS = 4
_SAMPLED = 100  # requests between two looks at the memory
_SHOWN = 40  # of these that are kept in the result
_MOST_GROWTH = 0.2
"""Megabytes each 1,000 requests that memory may grow by in the second half; 1 to 2 was a leak. The
archive itself grows too, by some ten documents each 1,000 requests."""
_REFUSED = "503 refused"
_MALFORMED: tuple[tuple[str, str, bytes], ...] = (
    ("POST", "/v1/ask", b"{"),
    ("POST", "/v1/ask", b"\xff\xfe\x00"),
    ("POST", "/v1/ask", b'{"question": ""}'),
    ("POST", "/v1/ask", b'{"question": 7}'),
    ("POST", "/v1/search", b'{"question": "a", "top_k": 1000}'),
    ("POST", "/v1/search", b'{"question": "' + b"x" * 9000 + b'"}'),
    ("POST", "/v1/search", b'{"question": "\\ud800"}'),
    ("POST", "/v1/articles", b'{"name": "x.txt"}'),
    ("POST", "/v1/articles", b'{"name": "x.txt", "text": "\\u0000"}'),
    ("DELETE", "/v1/articles/..%2f..%2fetc", b""),
    ("GET", "/v1/articles?limit=-1", b""),
    ("GET", "/v1/nothing", b""),
    ("PATCH", "/v1/ask", b""),
)


def soak(
    folder: Path,
    cache: Path,
    articles: Path | None,
    questions: Sequence[str],
    requests: int,
    seed: int = 1,
    command: Sequence[str] = (),
    seconds: float = math.inf,
) -> Json:
    """Send so many requests and look whether anything leaks, breaks or is forgotten.

    Args:
        folder: an empty folder.
        cache: with the bundled model.
        articles: a folder of articles, sent before all else; None: what is in folder/home.
        questions: asked in any order.
        requests: in all.
        seed: of what is sent.
        command: another server than `wenju serve`.
        seconds: after which no more are sent.

    Returns:
        `requests`; `statuses` ("503 refused": sent away because too many came); `memory`: see
        `_level`; `compared`: answers that were asked again of a fresh process; `problems`.
    """
    config = Config(home=folder / "home", cache=cache)
    config.home.mkdir(exist_ok=True)
    statuses: Counter[str] = Counter()
    found: list[str] = []
    memory: list[tuple[int, int]] = []
    started = time.perf_counter()
    until = time.monotonic() + seconds
    with served(config, folder / "server.log", command) as server:
        if articles is not None:
            _send_all(server, articles)
        clients = _Clients(server, questions, requests, seed, statuses, memory, until)
        clients.run()
        found += clients.problems
        asked = [*questions[:20], *map(question_of, sorted(clients.held)[:10])]
        before = [_answer(server, question) for question in asked]
        memory.append((sum(statuses.values()), server.memory()))
    with served(config, folder / "fresh.log", command) as server:
        after = [_answer(server, question) for question in asked]
        missing = [n for n in sorted(clients.held) if not _holds(server, n)]
        back = [n for n in sorted(clients.gone)[-20:] if _holds(server, n)]
    found += [
        f"another answer: {q}" for q, a, b in zip(asked, before, after, strict=True) if a != b
    ]
    found += [f"lost: {n}" for n in missing] + [f"came back: {n}" for n in back]
    broken = [s for s in statuses if s.split()[1].startswith("5") and not s.endswith("refused")]
    found += [f"status {s}: {statuses[s]}" for s in broken]
    level = _level(memory)
    if level["end"] > 1.15 * level["start"]:
        found.append(f"memory grew from {level['start']} to {level['end']} MB")
    if level["second_half_mb_each_1000"] > _MOST_GROWTH:
        found.append(f"memory grew by {level['second_half_mb_each_1000']} MB each 1,000 requests")
    return {
        "requests": sum(statuses.values()),
        "statuses": dict(sorted(statuses.items())),
        "memory": level,
        "documents": len(clients.held),
        "compared": len(asked),
        "seconds_sending": round(time.perf_counter() - started, 1),
        "problems": found,
    }


def _level(samples: Sequence[tuple[int, int]]) -> Json:
    """What a server's memory did after it had warmed up.

    Args:
        samples: requests sent so far, rising, and resident megabytes.

    Returns:
        `start`, `end`: megabytes after a tenth of the requests and at the end; `mb_each_1000`: how
        many more each 1,000 requests took between (least squares), `second_half_mb_each_1000`: in
        the second half of all; `curve`: requests and megabytes, at some places from first to last.
    """
    last = samples[-1][0]
    warm = [sample for sample in samples if sample[0] >= last / 10]
    step = max(1, len(samples) // _SHOWN)
    return {
        "start": warm[0][1],
        "end": warm[-1][1],
        "mb_each_1000": _slope(warm),
        "second_half_mb_each_1000": _slope([s for s in samples if s[0] >= last / 2]),
        "curve": [*samples[:-1:step], samples[-1]],
    }


def _slope(samples: Sequence[tuple[int, int]]) -> float:
    """Megabytes each 1,000 requests, by least squares; 0 of a single sample."""
    if len(samples) < 2:
        return 0.0
    return round(1000 * statistics.linear_regression(*zip(*samples, strict=True)).slope, 3)


class _Clients:
    """Some clients that take requests from one list."""

    def __init__(
        self,
        server: Served,
        questions: Sequence[str],
        requests: int,
        seed: int,
        statuses: Counter[str],
        memory: list[tuple[int, int]],
        until: float,
    ) -> None:
        self._until = until
        self._server, self._questions, self._requests = server, questions, requests
        self._chance = random.Random(seed)  # noqa: S311 no secret
        self._statuses, self._memory = statuses, memory
        self._guard = threading.Lock()
        self._plan = self._planned()
        self._articles: dict[int, str] = {}
        self.held: set[int] = set()
        self.gone: set[int] = set()
        self.problems: list[str] = []

    def run(self) -> None:
        """Send all."""
        threads = [threading.Thread(target=self._client) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _planned(self) -> Iterator[tuple[str, int]]:
        kinds = ["ask"] * 35 + ["search"] * 50 + ["malformed"] * 10 + ["add"] * 3 + ["delete"] * 2
        for number in range(self._requests):
            if time.monotonic() > self._until:
                return
            if number % _SAMPLED == 0:
                self._memory.append((number, self._server.memory()))
            yield self._chance.choice(kinds), number

    def _client(self) -> None:
        import httpx2

        with httpx2.Client(base_url=self._server.address, timeout=120) as client:
            while True:
                with self._guard:
                    kind, number = next(self._plan, ("", 0))
                    pick = self._chance.random()
                    deleted = None
                    if kind == "delete" and self._articles:
                        deleted = self._articles.popitem()
                if not kind:
                    return
                try:
                    status = self._send(client, kind, number, pick, deleted)
                except httpx2.TransportError as error:
                    status = "0"
                    self.problems.append(f"no answer to {kind} {number}: {error}")
                with self._guard:
                    self._statuses[f"{kind} {status}"] += 1
                if status == _REFUSED:
                    time.sleep(0.5)

    def _send(
        self,
        client: Any,  # noqa: ANN401 imported late
        kind: str,
        number: int,
        pick: float,
        deleted: tuple[int, str] | None,
    ) -> str:
        if kind == "malformed":
            method, path, body = _MALFORMED[int(pick * len(_MALFORMED))]
            return _status(client.request(method, path, content=body))
        if kind == "add":
            article = {"name": name_of(number), "text": text_of(number, 2)}
            reply = client.post("/v1/articles", json=article)
            if reply.status_code == 200 and reply.json()["files"][0]["outcome"] == "added":
                with self._guard:
                    self.held.add(number)
                    self._articles[number] = reply.json()["files"][0]["articles"][0]
            return _status(reply)
        if kind == "delete":
            if deleted is None:
                return _status(client.delete("/v1/articles/0123456789abcdef"))
            reply = client.delete(f"/v1/articles/{deleted[1]}")
            with self._guard:
                if reply.status_code == 200:
                    self.held.discard(deleted[0])
                    self.gone.add(deleted[0])
                else:
                    self._articles[deleted[0]] = deleted[1]
            return _status(reply)
        question = self._questions[int(pick * len(self._questions))]
        asked = {"question": f"{question} {number}" if number % 2 else question}
        return _status(client.post(f"/v1/{kind}", json=asked))


def _status(reply: Any) -> str:  # noqa: ANN401 a library's that is imported late
    """The status; a refusal that says when to come again is told from other errors."""
    told = reply.status_code == 503 and int(reply.headers.get("retry-after", 0)) >= 1
    return _REFUSED if told else str(reply.status_code)


def _send_all(server: Served, articles: Path) -> None:
    """Upload a folder's articles.

    Raises:
        BenchFailed: one of them was refused.
    """
    import httpx2

    with httpx2.Client(base_url=server.address, timeout=600) as client:
        for path in sorted(articles.glob("*.*")):
            reply = client.post("/v1/articles", files={"files": (path.name, path.read_bytes())})
            if reply.status_code != httpx2.codes.OK:
                raise BenchFailed(f"{path.name} was refused: {reply.text[:300]}")


def _answer(server: Served, question: str) -> Json:
    """What is said and shown, without what differs from one request to the next."""
    import httpx2

    whole: Json = httpx2.post(
        f"{server.address}/v1/ask", json={"question": question}, timeout=120
    ).json()
    kept = ("status", "answer", "short_answer", "citations", "passages", "coverage", "receipt")
    return {key: whole.get(key) for key in kept}


def _holds(server: Served, number: int) -> bool:
    """Whether a document is found by its own words."""
    import httpx2

    reply = httpx2.post(
        f"{server.address}/v1/search",
        json={"question": question_of(number), "top_k": 5},
        timeout=120,
    ).json()
    return any(f"k{number}x1" in passage["text"] for passage in reply["passages"])
