"""The process that is killed: `python -m eval.torture_child HOME CACHE`, started by the tests.

It loads the dictionaries once and then forks a worker for each line of standard input, so that two
hundred kills need not load them two hundred times. A line is JSON:

    {"home": PATH, "seed": N, "first": KIND}   change the archive until killed
    {"home": PATH, "kind": KIND, "number": N, "at": K, "how": "exit" | "ENOSPC" | "EIO"}
                                               one change whose K-th system call fails

What it says, a JSON object a line: {"pid"} of the worker; {"ready"} when the archive is open;
{"begin", "number"}; {"done", "number", "seconds"}, the acknowledgement; {"failed"}; {"calls"} that
the change made; {"again"}: what came of the same change when nothing failed any more; {"dead"}: the
worker's exit status, negative for a signal.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from eval.torture_archive import KINDS, change, numbers, opened
from eval.torture_calls import failing
from rag.errors import WenjuError


def _say(**facts: Any) -> None:  # noqa: ANN401 any JSON
    os.write(1, json.dumps(facts).encode() + b"\n")  # at once and whole: below PIPE_BUF


def _until_killed(home: Path, cache: Path, seed: int, first: str) -> None:
    """Change after change, of each kind in turn, each acknowledged when it is done."""
    chance = random.Random(seed)  # noqa: S311 no secret
    with opened(home, cache) as pipeline:
        held = sorted(numbers(pipeline))
        fresh = max(held, default=0) + 1000 * (seed + 1)
        place = KINDS.index(first)
        _say(ready=True)
        while True:
            kind = KINDS[place % len(KINDS)]
            place += 1
            number = 0
            if kind == "add":
                fresh += 1
                number = fresh
                held.append(number)
            elif kind == "delete":
                number = held.pop(chance.randrange(len(held)))
            _say(begin=kind, number=number)
            started = time.perf_counter()
            change(pipeline, kind, number)
            _say(done=kind, number=number, seconds=time.perf_counter() - started)


def _failing(home: Path, cache: Path, kind: str, number: int, at: int, how: str) -> None:
    """One change, one of whose calls fails; then the same once more."""
    with opened(home, cache) as pipeline:
        pipeline.snapshot()
        said: dict[str, Any] = {"done": kind, "number": number, "seconds": 0}
        with failing(at, how) as made:
            try:
                change(pipeline, kind, number)
            except WenjuError as error:
                said = {"failed": str(error), "kind": type(error).__name__}
        _say(**said)
        _say(calls=made)
        try:
            if not (kind == "delete" and number not in numbers(pipeline)):
                change(pipeline, kind, number)
            _say(again="done")
        except WenjuError as error:
            _say(again=str(error))


def _work(given: dict[str, Any], cache: Path) -> None:
    home = Path(given["home"])
    if "first" in given:
        _until_killed(home, cache, given["seed"], given["first"])
    else:
        _failing(home, cache, given["kind"], given["number"], given["at"], given["how"])


def main(home: Path, cache: Path) -> None:
    """Warm up on an archive of its own, then fork a worker a line until the input ends."""
    with opened(home, cache) as pipeline:
        change(pipeline, "add", 1)
    for line in sys.stdin:
        given = json.loads(line)
        pid = os.fork()
        if not pid:
            status = 1
            _say(pid=os.getpid())  # said here, so that it comes first
            try:
                _work(given, cache)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        _say(dead=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
