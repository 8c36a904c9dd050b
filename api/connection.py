"""A client's connection: kept open between requests, and closed on who never sends a whole one."""

from __future__ import annotations

import asyncio
import select

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

KEEP_SECONDS = 75
"""How long an idle connection is kept: longer than clients and proxies keep theirs by default, so
that it is they who close it, who know whether they are about to use it."""

HEAD_SECONDS = 20.0
"""How long a request's line and headers may take to come."""

_LOOK_AGAIN = 1.0  # seconds


class Connection(H11Protocol):
    """uvicorn's, with both of its timers in order.

    When the event loop is busy, the timer that closes an idle connection runs after requests have
    come that were not read yet: closing then loses them without an answer (64 of 107 in a trial
    with turns of the loop of 0.15 s). And a connection whose request never becomes whole had no
    timer at all.

    Attributes:
        head_seconds: how long a request's line and headers may take to come.
    """

    head_seconds = HEAD_SECONDS
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """A client has connected."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head is None and self.timeout_keep_alive_task is None:
            self._await_head()

    def timeout_keep_alive_handler(self) -> None:
        """The connection was idle for long: close it, unless a request has come meanwhile."""
        if self._unread():
            self.timeout_keep_alive_task = self.loop.call_later(
                _LOOK_AGAIN, self.timeout_keep_alive_handler
            )
            return
        super().timeout_keep_alive_handler()

    def _unread(self) -> bool:
        """Whether bytes wait in the socket that the loop has not come to."""
        sock = self.transport.get_extra_info("socket")
        if self.transport.is_closing() or sock is None or sock.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _too_slow(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            self.transport.close()
