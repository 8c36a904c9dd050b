"""A question at work: on threads, behind the bounded queue, and stopped when nobody waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator

import anyio
import anyio.to_thread
from starlette.requests import Request

from api.admission import Gate, Gone
from rag.pipeline import Event
from rag.types import Answer

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


async def answer_of(start: Start, gate: Gate, request: Request) -> Answer | None:
    """The answer to a question, or None where the client went away before it came.

    Raises:
        Overloaded: the queue is full, or the turn did not come in time.
        ClientGone: the client went away before it.
    """
    events = events_of(start, gate, request.is_disconnected)
    try:
        async for event in events:
            if event.answer is not None:
                return event.answer
            if await request.is_disconnected():
                return None
    finally:
        await events.aclose()
    return None
