"""Who may work, who waits and who is sent away: a bounded queue with a deadline.

More work than can be done is refused at once, so that what is accepted is done in time (Beyer et
al., Site Reliability Engineering, 2016, chapter 21). How long a job would wait is what is ahead of
it times the time that jobs took of late, shared by those that run side by side (Little, A Proof
for the Queuing Formula, 1961). A streamed question takes several turns, one an event; the oldest
question goes first, so that one that has begun is finished before new ones begin.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from rag.errors import WenjuError

T = TypeVar("T")

Gone = Callable[[], Awaitable[bool]]
"""Whether nobody waits for an answer any more."""


_LATEST = 0.05
"""Weight of the newest job in the mean of what jobs take: it follows some twenty jobs."""

_AT_FIRST = 0.1
"""Seconds that a job is taken to take as long as none has been seen."""

_MOST_TIMES = 5
"""A job that took longer than so many times the mean counts as that much: a single one that had to
wait for the disk, or loaded a dictionary, must not have the next ones refused."""

_SURE = 0.7
"""Part of the deadline that the wait may be by that mean: some jobs take longer than it says, and
who has waited for the whole deadline would rather have been sent away at once."""


class Overloaded(WenjuError):
    """More questions are waiting than can be answered in time.

    Args:
        what: why.
        wait: seconds until those ahead are done, as far as can be told.

    Attributes:
        seconds: when to try again, with jitter so that refused callers do not return together.
    """

    retryable = True

    def __init__(self, what: str = "Too many questions are waiting", wait: float = 0) -> None:
        self.seconds = math.ceil(wait) + random.randint(1, 3)  # noqa: S311 jitter, not a secret
        super().__init__(f"{what}; try again in {self.seconds} seconds.")


class TooLate(Overloaded):
    """A question's turn did not come in time."""

    def __init__(self, waited: float) -> None:
        super().__init__(f"The question waited {waited:g} seconds for its turn")


class ClientGone(WenjuError):
    """Nobody waits for the answer any more; nothing was done for it."""

    def __init__(self) -> None:
        super().__init__("The client went away before its turn came.")


class Gate:
    """A bounded number of jobs at work on threads, and a bounded queue before them.

    Belongs to one event loop.

    Args:
        at_work: jobs that run at one time.
        waiting: jobs that may wait; one more is refused at once.
        deadline: seconds that a job may wait for its first turn: it is refused at once if it would
            wait longer, and at this time if it has; None: any time.
    """

    def __init__(self, at_work: int, waiting: int, deadline: float | None = None) -> None:
        self._free = at_work
        self._at_work = at_work
        self._most = at_work + waiting
        self._deadline = deadline
        self._inside = 0
        self._came = 0
        self._took = _AT_FIRST
        self._queue: list[tuple[int, anyio.Event]] = []
        self._threads: anyio.CapacityLimiter | None = None

    @property
    def inside(self) -> int:
        """Jobs at work and waiting."""
        return self._inside

    @property
    def wait(self) -> float:
        """Seconds that one more job would wait for its turn, as far as can be told.

        Those at work are taken to be half done.
        """
        if self._free:
            return 0.0
        return max(0.0, self._inside - self._at_work / 2) * self._took / self._at_work

    def check(self) -> None:
        """Make sure that one more job would have its turn in time; where a turn is free it has.

        Raises:
            Overloaded: it would not.
        """
        wait = self.wait
        if self._inside >= self._most:
            raise Overloaded(wait=wait)
        if self._deadline is not None and wait > _SURE * self._deadline:
            raise Overloaded(wait=wait)

    def note(self, seconds: float) -> None:
        """Learn what a job took.

        Args:
            seconds: of all its turns.
        """
        self._took += (min(seconds, _MOST_TIMES * self._took) - self._took) * _LATEST

    @asynccontextmanager
    async def place(self, gone: Gone | None = None) -> AsyncIterator[Place]:
        """Hold a place in the queue, in the order of coming.

        Args:
            gone: asked once, when the first turn has come.

        Raises:
            Overloaded: the queue is full, or its turn would not come in time.
        """
        self.check()
        self._inside += 1
        self._came += 1
        place = Place(self, self._came, gone)
        try:
            yield place
        finally:
            self._inside -= 1
            if place.begun:
                self.note(place.seconds)

    async def run(self, job: Callable[[], T], gone: Gone | None = None) -> T:
        """Run a job on a thread when its turn comes.

        Raises:
            Overloaded: the queue is full, or its turn would not come, or did not come, in time.
            ClientGone: nobody waits for it any more.
        """
        async with self.place(gone) as place:
            return await place.run(job)

    async def enter(self, number: int, *, begun: bool) -> None:
        """Wait for a turn, which `leave` gives back.

        Args:
            number: how many came before.
            begun: it has had turns before, and so no deadline.

        Raises:
            TooLate: it did not come in time.
        """
        if self._free:
            self._free -= 1
            return
        turn = anyio.Event()
        heapq.heappush(self._queue, (number, turn))
        try:
            with anyio.move_on_after(None if begun else self._deadline):
                await turn.wait()
            if not turn.is_set():
                raise TooLate(self._deadline or 0)
        except BaseException:
            if turn.is_set():  # it came as the job was given up
                self.leave()
            else:
                self._queue = [waiting for waiting in self._queue if waiting[1] is not turn]
                heapq.heapify(self._queue)
            raise

    def leave(self) -> None:
        """Give a turn back: to the job that waits longest."""
        if self._queue:
            heapq.heappop(self._queue)[1].set()
        else:
            self._free += 1

    def threads(self) -> anyio.CapacityLimiter:
        """As many threads as there are turns; others' work does not take them."""
        if self._threads is None:  # must be made inside the event loop
            self._threads = anyio.CapacityLimiter(self._at_work)
        return self._threads


class Place:
    """A job's place in a queue: it may run several times, one after the other.

    Attributes:
        begun: whether it has had a turn.
        seconds: that its turns took.
    """

    def __init__(self, gate: Gate, number: int, gone: Gone | None) -> None:
        self._gate, self._number, self._gone = gate, number, gone
        self.begun = False
        self.seconds = 0.0

    async def run(self, job: Callable[[], T]) -> T:
        """Run something on a thread when the turn comes.

        Raises:
            TooLate: it did not come in time.
            ClientGone: nobody waits for it any more; nothing was run.
        """
        await self._gate.enter(self._number, begun=self.begun)
        try:
            if not self.begun and self._gone is not None and await self._gone():
                raise ClientGone
            self.begun = True
            started = time.monotonic()
            try:
                return await anyio.to_thread.run_sync(job, limiter=self._gate.threads())
            finally:
                self.seconds += time.monotonic() - started
        finally:
            self._gate.leave()
