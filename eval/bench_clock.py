"""Clocks and memory. It imports next to nothing, so that a process that is measured may use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Timing:
    """What something took, filled in when it is done.

    Attributes:
        wall: seconds that went by.
        cpu: processor seconds of all of this process's threads.
    """

    wall: float = 0.0
    cpu: float = 0.0

    def json(self) -> dict[str, float]:
        """Both, in seconds."""
        return {"wall_s": round(self.wall, 4), "cpu_s": round(self.cpu, 4)}


@contextmanager
def timed() -> Iterator[Timing]:
    """Time what is done inside."""
    timing = Timing()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield timing
    finally:
        timing.wall = time.perf_counter() - wall
        timing.cpu = time.process_time() - cpu


def memory() -> dict[str, int]:
    """This process's resident memory in bytes: "anon" is its own, "file" is mapped from files.

    Raises:
        OSError: the system has no /proc/self/smaps_rollup (it is not Linux).
    """
    pages: dict[str, int] = {}
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, amount = line.split(":")
        pages[name] = int(amount.split()[0]) * 1024
    return {"anon": pages["Anonymous"], "file": pages["Rss"] - pages["Anonymous"]}


@contextmanager
def peak() -> Iterator[list[int]]:
    """The most resident memory that this process has while something is done.

    Yields:
        A list that holds the bytes, files mapped included, when it is done.

    Raises:
        OSError: the system is not Linux.
    """
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak before
    found: list[int] = []
    yield found
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            found.append(int(line.split()[1]) * 1024)
