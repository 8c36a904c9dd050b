"""A served archive that loses its engine in the middle of a question, and gets it back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from eval.torture_archive import question_of

ASKED = {"question": question_of(1), "top_k": 1}
"""Document 1 answers it."""


def error(reply: Any) -> tuple[int, str]:
    """Its status and the code of its error."""
    return reply.status_code, reply.json()["error"]["code"]


def found(client: httpx2.Client) -> bool:
    passages = client.post("/v1/search", json=ASKED).json()["passages"]
    return "k1x1" in passages[0]["text"]


def until_ready(client: httpx2.Client, status: int) -> None:
    """Wait until /readyz answers so."""
    end = time.monotonic() + 60
    while client.get("/readyz").status_code != status:
        assert time.monotonic() < end, f"/readyz is not {status}"
        time.sleep(0.05)


@contextmanager
def lost(
    client: httpx2.Client, lose: Callable[[], None], back: Callable[[], None]
) -> Iterator[None]:
    """The block runs while the engine is away.

    Args:
        client: of a server with FAKE_SLOW=1 over an archive with document 1.
        lose: ends the engine; a question is under way.
        back: starts it again.
    """
    assert found(client)
    assert client.get("/readyz").json()["status"] == "ready"
    in_the_middle: list[Any] = []

    def ask() -> None:
        slow = {"question": "慢" + question_of(1)}
        in_the_middle.append(client.post("/v1/ask", json=slow))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.4)  # its encoding takes a second
    lose()
    thread.join()
    assert error(in_the_middle[0]) == (503, "engine_lost")
    until_ready(client, 503)
    yield
    back()
    until_ready(client, 200)
    assert found(client)
