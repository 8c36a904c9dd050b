"""Kill a PostgreSQL primary while articles are added, promote its replica: what was lost?

An article counts as acknowledged when `Pipeline.add_upload` has returned. What is measured is the
whole way of an article, with an encoder that costs nothing.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from eval.hashed import Hashed
from eval.metrics import percentile
from eval.pg_server import PgServer, replicated
from eval.run import Json
from eval.torture_archive import name_of, numbers, text_of
from rag.config import Config
from rag.errors import ArchiveBusy, EngineLost
from rag.pipeline import Pipeline

_PATIENCE = 120.0  # seconds until writing that does not go on has failed


@dataclass(slots=True)
class _Writer:
    """Adds one document after the other until it is told to end."""

    pipeline: Pipeline
    done: list[tuple[int, float, float]] = field(default_factory=list)  # number, end, seconds
    refused: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            began = time.perf_counter()
            try:
                self.pipeline.add_upload(name_of(number), text_of(number).encode())
            except (EngineLost, ArchiveBusy):
                self.refused += 1
                continue
            now = time.perf_counter()
            self.done.append((number, now, now - began))

    def until(self, count: int) -> None:
        """Wait until so many are done.

        Raises:
            TimeoutError: they were not.
        """
        end = time.monotonic() + _PATIENCE
        while len(self.done) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self.done)} of {count} articles were added")
            time.sleep(0.005)


def failovers(rounds: int, home: Path, cache: Path, before: int = 40, after: int = 10) -> Json:
    """The primary is killed so many times, each time a new one.

    Args:
        rounds: how often.
        home: a folder for the pipelines' homes.
        cache: see `Config.cache`.
        before: articles added before the kill.
        after: articles added after it.

    Returns:
        What was acknowledged and what of it was lost, over all rounds; seconds from the kill to the
        promotion's end and to the next acknowledged article; seconds an article takes with a
        synchronous replica.
    """
    rows = [_round(home / f"failover-{n}", cache, before, after) for n in range(rounds)]
    taken = [seconds for row in rows for seconds in row["seconds"]]
    return {
        "rounds": rounds,
        "acknowledged": sum(row["acknowledged"] for row in rows),
        "refused": sum(row["refused"] for row in rows),
        "lost": sum(row["lost"] for row in rows),
        "problems": [problem for row in rows for problem in row["problems"]],
        "promoted_seconds": [row["promoted"] for row in rows],
        "writable_seconds": [row["writable"] for row in rows],
        "add_ms": {
            "p50": round(1000 * (percentile(taken, 0.5) or 0), 1),
            "p95": round(1000 * (percentile(taken, 0.95) or 0), 1),
        },
    }


def _round(home: Path, cache: Path, before: int, after: int) -> Json:
    with replicated("archive") as (primary, replica):
        url = _address(primary, replica, "read-write")
        reads = _address(primary, replica, "prefer-standby")
        config = Config(home=home, cache=cache, threads=1, store=url, store_reads=reads)
        with closing(Pipeline(config, Hashed())) as pipeline:
            writer = _Writer(pipeline)
            thread = threading.Thread(target=writer.run)
            thread.start()
            try:
                writer.until(before)
                killed = time.perf_counter()
                primary.kill()
                replica.promote()
                promoted = time.perf_counter()
                writer.until(sum(end <= promoted for _, end, _ in writer.done) + after)
            finally:
                writer.ended.set()
                thread.join()
            pipeline.archive.catch_up()
            held = set(numbers(pipeline))
            problems = pipeline.store.verify() + pipeline.corpus.check()
            if pipeline.stores.behind()[1]:
                problems.append("articles are not in the index")
        first = min(end for _, end, _ in writer.done if end > promoted)
        return {
            "acknowledged": len(writer.done),
            "refused": writer.refused,
            "lost": len({number for number, _, _ in writer.done} - held),
            "problems": problems,
            "promoted": round(promoted - killed, 3),
            "writable": round(first - killed, 3),
            "seconds": [seconds for _, end, seconds in writer.done if end < killed],
        }


def _address(primary: PgServer, replica: PgServer, kind: str) -> str:
    ports = f"127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
    return f"postgresql://wenju@{ports}/archive?target_session_attrs={kind}"
