"""As many steps at one time as there are processors.

More only take the interpreter from each other: with 8 clients on two processors 26 searches a
second became 45 when the others waited.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from threadpoolctl import threadpool_limits

_T = TypeVar("_T")

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter from others. A search lets go of it some hundred times
to compute, and waits so long to get it back where another is at work: with Python's 5 ms two
clients together got no more searches done than one, with this 1.6 times as many."""


def share() -> None:
    """Set this process up for many small steps at a time, for as long as it runs.

    A thread gives way soon, and numpy's products are worked out by the thread that asks for them:
    they are small, and a second thread must be waited for. Where another process computed beside
    it, the reader's two layers took 156 ms so, and 1.4 ms with this.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    threadpool_limits(1, user_api="blas")


class Processors:
    """A turn is had by `with processors:`. Threads share one."""

    def __init__(self) -> None:
        """Count the processors that this process may use."""
        count = len(os.sched_getaffinity(0))
        self._free = threading.BoundedSemaphore(count)
        self._asked = 0
        self._last = -math.inf
        self._quiet = threading.Condition()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="beside")

    def __enter__(self) -> None:
        """Wait for a turn."""
        self._count(1)
        self._free.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next one have it."""
        self._free.release()
        self._count(-1)

    def _count(self, more: int) -> None:
        with self._quiet:
            self._asked += more
            self._last = time.monotonic()
            if not self._asked:
                self._quiet.notify_all()

    def give_way(self, seconds: float) -> None:
        """Wait until nobody has a turn or waits for one, but no longer than so many seconds."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._asked, seconds)

    def busy(self, seconds: float) -> bool:
        """Whether somebody had a turn, or waited for one, in the last so many seconds."""
        with self._quiet:
            return self._asked > 0 or time.monotonic() - self._last < seconds

    def beside(self, work: Callable[[], _T]) -> Callable[[], _T]:
        """Do something at the same time, where a processor has nothing else to do.

        The caller must not hold a turn when it asks for the result.

        Args:
            work: begun at once if a turn is free, else when its result is asked for.

        Returns:
            Waits for the result; raises what the work raised.
        """
        if self._free.acquire(blocking=False):
            self._count(1)
            return self._pool.submit(self._done, work).result
        return lambda: self._later(work)

    def _done(self, work: Callable[[], _T]) -> _T:
        """The result of work whose turn has been taken."""
        try:
            return work()
        finally:
            self._free.release()
            self._count(-1)

    def _later(self, work: Callable[[], _T]) -> _T:
        with self:
            return work()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
