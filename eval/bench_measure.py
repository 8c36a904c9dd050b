"""What every part of the benchmark measures with: percentiles, memory, the machine, progress."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from eval.bench_clock import Timing, memory
from eval.metrics import percentile
from eval.run import Json

_EVERY = 10.0  # seconds between two lines about the same work
_LIBRARIES = ("numpy", "faiss-cpu", "onnxruntime", "torch", "sentence-transformers", "rank-bm25",
              "jieba")  # fmt: skip


def spread(timings: Sequence[Timing]) -> Json:
    """Milliseconds: mean, percentiles by nearest rank, and the mean of the processor's time.

    Args:
        timings: at least one.
    """
    wall = [1e3 * t.wall for t in timings]
    row: Json = {"n": len(wall), "mean": round(sum(wall) / len(wall), 3)}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        row[name] = round(percentile(wall, share) or 0.0, 3)
    row["cpu"] = round(1e3 * sum(t.cpu for t in timings) / len(timings), 3)
    return row


def own_memory() -> int:
    """Bytes that this process alone holds, after all that is free went back to the system."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others free by themselves
        if trim is not None:
            trim(0)
    return memory()["anon"]


def machine() -> Json:
    """What the figures were measured on."""
    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": name,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages * size / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 1),
        "versions": {library: _version(library) for library in _LIBRARIES},
    }


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


class Lines:
    """Progress as plain lines on standard error, at most one in ten seconds a step."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def say(self, text: str) -> None:
        """One line."""
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def step(self, name: str, done: int, total: int) -> None:
        """How far a step is; said now and then, and once when it is done."""
        now = time.monotonic()
        if name not in self._last and done < total:
            self._last[name] = now
            return
        if done < total and now - self._last[name] < _EVERY:
            return
        self._last[name] = now
        if done >= total:
            del self._last[name]
        self.say(f"{name} {done:,} of {total:,}")

    def within(self, part: str) -> Callable[[str, int, int], None]:
        """The same, with a part's name before each step."""
        return lambda name, done, total: self.step(f"{part}: {name}", done, total)
