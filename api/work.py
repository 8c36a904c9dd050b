"""A question at work: on threads, behind the bounded queue, and stopped when nobody waits."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from api.admission import Gate, Gone
from rag.pipeline import Event
from rag.types import Answer

T = TypeVar("T")

Start = Callable[[], Generator[Event, None, None]]


async def events_of(
    start: Start, gate: Gate, gone: Gone | None = None
) -> AsyncGenerator[Event, None]:
    """The events of a question, each waited for on a thread.

    Leaving it, as a client that goes away does, closes the question's own generator, and with it
    a language model's stream.

    Args:
        start: gives the pipeline's events; called when a place in the queue is held.
        gate: the queue.
        gone: whether nobody waits any more; then nothing is begun.

    Raises:
        Overloaded: the queue is full, or the turn did not come in time; at the first event.
        ClientGone: nobody waits; at the first event.
    """
    async with gate.place(gone) as place:
        events = start()
        try:
            while True:
                event = await place.run(lambda: next(events, None))
                if event is None:
                    return
                yield event
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(events.close)


async def turn_of(job: Callable[[threading.Event], T], gate: Gate, request: Request) -> T | None:
    """Run something in one turn on one thread, or not at all where the client goes away before.

    Args:
        job: its argument is set when the client goes away while it runs; it may then end early.
        gate: the queue, whose place is given up at once when the client goes away.
        request: whose client is watched; its body has been read.

    Returns:
        What the job gave; None where the client went away before it began.

    Raises:
        Overloaded: the queue is full, or the turn would not come, or did not come, in time.
    """
    stop = threading.Event()
    failure: Exception | None = None
    found: T | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            stop.set()
            tasks.cancel_scope.cancel()  # it ends the waiting; a thread at work is waited for

        tasks.start_soon(watch)
        try:
            found = await gate.run(lambda: job(stop))
        except Exception as error:  # noqa: BLE001 raised below, and not as one of a group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return found


async def answer_of(
    start: Start, gate: Gate, request: Request, shown: Callable[[Answer], T]
) -> T | None:
    """The answer to a question as it is sent, or None where the client went away before it came.

    All of it is one turn: handed to and fro between its steps it would wait at each for the event
    loop, which has the least time when there is most to do.

    Args:
        start: gives the pipeline's events.
        gate: the queue.
        request: whose client may go away; its body has been read.
        shown: makes of the answer what is sent, on the thread too.

    Raises:
        Overloaded: the queue is full, or the turn would not come, or did not come, in time.
    """

    def work(stop: threading.Event) -> T | None:
        events = start()
        try:
            for event in events:
                if event.answer is not None:
                    return shown(event.answer)
                if stop.is_set():
                    return None
        finally:
            events.close()
        return None

    return await turn_of(work, gate, request)
