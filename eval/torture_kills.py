"""Kills and faults: what an archive is worth after its writer died, or the disk failed it.

    kills    kill -9 at random moments of add, delete, merge and rebuild
    faults   every write, sync and rename of each of these fails in turn, with an error or by ending
             the process

What was acknowledged went through a pipe before; what the archive holds is read by another process.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eval.errors import BenchFailed
from eval.torture_archive import KINDS, Expected, change, disagreement, numbers, opened, problems

Json = dict[str, Any]

_LONG = 1.2
"""Kills fall within so many times what a change takes as a rule, so that some come just after."""


class Workers:
    """The process that forks workers (`eval.torture_child`), and its worker at work.

    Args:
        folder: for an archive of its own.
        cache: of what all archives share.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603 this very program
            [sys.executable, "-m", "eval.torture_child", str(folder), str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self.pid = 0
        self._alive = False

    def start(self, **given: Any) -> None:  # noqa: ANN401 any JSON
        """Have a worker do something; see `eval.torture_child`."""
        assert self._process.stdin is not None  # noqa: S101 it is a pipe
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        self.pid = int(self.said()["pid"])
        self._alive = True

    def said(self) -> Json:
        """The next thing that is said.

        Raises:
            BenchFailed: the process has ended.
        """
        assert self._process.stdout is not None  # noqa: S101 it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise BenchFailed(f"The torture process ended with status {self._process.wait()}.")
        facts: Json = json.loads(line)
        return facts

    def rest(self) -> Iterator[Json]:
        """All that is said until the worker is dead, and that it is."""
        while True:
            facts = self.said()
            self._alive = "dead" not in facts
            yield facts
            if not self._alive:
                return

    def close(self) -> None:
        """End it, and the worker if there is one."""
        if self._alive:
            os.kill(self.pid, signal.SIGKILL)
        self._process.communicate(timeout=60)


@contextmanager
def workers(folder: Path, cache: Path) -> Iterator[Workers]:
    """`Workers` that are ended afterwards."""
    made = Workers(folder, cache)
    try:
        yield made
    finally:
        made.close()


def kills(count: int, folder: Path, cache: Path, seed: int = 1) -> Json:
    """Kill a writer so many times, each time somewhere else, and look at what is left.

    After each kill the archive is opened and read as it is; then one more document is added, as the
    next writer would, and corpus and index must agree again without any repair.

    Args:
        count: kills.
        folder: an empty folder.
        cache: of what all archives share.
        seed: of where the kills fall.

    Returns:
        `kills`, `in`: in which change they fell, `acknowledged`: how many changes were,
        `cut_off_done`: changes that were cut off and are there, `problems`: each one found.
    """
    chance = random.Random(seed)  # noqa: S311 where to kill is no secret
    home = folder / "home"
    typical = dict.fromkeys(KINDS, 0.3)
    held: set[int] = set(range(1, 9))
    gone: set[int] = set()
    _filled(home, cache, sorted(held))
    fell: Counter[str] = Counter()
    found: list[str] = []
    acknowledged = cut_off_done = 0
    with workers(folder / "own", cache) as worker:
        for number in range(count):
            first = KINDS[number % len(KINDS)]
            worker.start(home=str(home), seed=number, first=first)
            if "ready" not in (said := worker.said()):
                raise BenchFailed(f"The writer did not begin: {said}.")
            time.sleep(chance.uniform(0, _LONG * typical[first]))
            os.kill(worker.pid, signal.SIGKILL)
            under_way: Json = {}
            for said in worker.rest():
                if "begin" in said:
                    under_way = said
                elif "done" in said:
                    acknowledged += 1
                    typical[said["done"]] += 0.2 * (said["seconds"] - typical[said["done"]])
                    _count(said["done"], said["number"], held, gone)
                    under_way = {}
            fell[under_way.get("begin", "none")] += 1
            cut_off = under_way.get("number") or None
            asked = chance.sample(sorted(held - {cut_off}), 2)
            expected = Expected(frozenset(held), frozenset(gone), cut_off)
            found += [f"kill {number}: {p}" for p in problems(home, cache, expected, asked)]
            extra = 10_000_000 + number
            with opened(home, cache) as pipeline:
                change(pipeline, "add", extra)
                found += [f"kill {number}: {p}" for p in disagreement(pipeline)]
                now = set(numbers(pipeline))
            cut_off_done += bool(cut_off) and (cut_off in now) == (under_way["begin"] == "add")
            held, gone = now, (gone | held) - now
    return {
        "kills": count,
        "in": dict(sorted(fell.items())),
        "acknowledged": acknowledged,
        "cut_off_done": cut_off_done,
        "documents": len(held),
        "problems": found,
    }


def _count(kind: str, number: int, held: set[int], gone: set[int]) -> None:
    if kind == "add":
        held.add(number)
    elif kind == "delete":
        held.discard(number)
        gone.add(number)


def _filled(home: Path, cache: Path, documents: Sequence[int]) -> None:
    """An archive of some documents, a segment each."""
    with opened(home, cache) as pipeline:
        for number in documents:
            change(pipeline, "add", number)


def faults(folder: Path, cache: Path, every: int = 1, hows: Sequence[str] = ()) -> Json:
    """Let each call of each change fail in turn.

    Args:
        folder: an empty folder.
        cache: of what all archives share.
        every: only each so-maniest call, from a place that differs by kind and way.
        hows: of "exit", "ENOSPC" and "EIO"; empty for all.

    Returns:
        `calls`: how many each change makes; `tried`; `died`, `refused` and `done`: what came of
        them; `problems`: each one found.
    """
    spare = folder / "spare"
    held = set(range(1, 9))
    _filled(spare, cache, sorted(held))
    with opened(spare, cache) as pipeline:
        change(pipeline, "delete", 8)
    held.discard(8)
    calls: dict[str, int] = {}
    came: Counter[str] = Counter()
    found: list[str] = []
    with workers(folder / "own", cache) as worker:
        for kind in KINDS:
            number = {"add": 99, "delete": 3}.get(kind, 0)
            made = _one(worker, _copied(spare, folder), kind, number, 0, "exit")
            calls[kind] = len(made["calls"])
            for turn, how in enumerate(hows or ("exit", "ENOSPC", "EIO")):
                start = 1 + (7 * turn + 3 * KINDS.index(kind)) % every
                for at in range(start, calls[kind] + 1, every):
                    home = _copied(spare, folder)
                    said = _one(worker, home, kind, number, at, how)
                    came[said["came"]] += 1
                    where = f"{kind}, call {at} ({made['calls'][at - 1]}), {how}"
                    found += [f"{where}: {p}" for p in _judged(said, home, cache, kind, held)]
    return {"calls": calls, "tried": sum(came.values()), **dict(came), "problems": found}


def _copied(spare: Path, folder: Path) -> Path:
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(spare, home)
    return home


def _one(worker: Workers, home: Path, kind: str, number: int, at: int, how: str) -> Json:
    """What a worker says of one change, with `came`: "died", "refused" or "done"."""
    worker.start(home=str(home), kind=kind, number=number, at=at, how=how)
    said: Json = {}
    for facts in worker.rest():
        said |= facts
    said["came"] = "died" if said["dead"] else "refused" if "failed" in said else "done"
    return said | {"number": number}


def _judged(said: Json, home: Path, cache: Path, kind: str, held: set[int]) -> list[str]:
    """What is wrong after one fault."""
    found = []
    if said["came"] == "died" and said["dead"] != 9:
        found.append(f"the process ended with {said['dead']}")
    number = said["number"] or None
    expected = set(held)
    open_ = number
    if said["came"] != "died":  # then the change was made again, and nothing failed
        if said["again"] != "done":
            found.append(f"does not work again: {said['again']}")
        else:
            open_ = None
            _count(kind, said["number"], expected, set())
    sure = sorted(expected - {number})
    found += problems(home, cache, Expected(frozenset(expected), open=open_), sure[:1])
    with opened(home, cache) as pipeline:
        change(pipeline, "add", 500)
        found += disagreement(pipeline)
        if open_ is None and kind == "delete" and number in numbers(pipeline):
            found.append("came back")
    if left := [p.name for p in (home / "index").glob(".tmp-*")]:
        found.append(f"left over: {left}")
    return found
