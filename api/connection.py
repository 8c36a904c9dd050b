"""A client's connection: kept open between requests, and closed on who never sends a whole one."""

from __future__ import annotations

import asyncio
import json
import select
import uuid
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

KEEP_SECONDS = 75
"""How long an idle connection is kept: longer than clients and proxies keep theirs by default, so
that it is they who close it, who know whether they are about to use it."""

HEAD_SECONDS = 20.0
"""How long a request's line and headers may take to come."""

_LOOK_AGAIN = 1.0  # seconds


class Connection(H11Protocol):
    """uvicorn's, with both timers in order, and its own errors in the shape of all others.

    When the event loop is busy, the timer that closes an idle connection runs after requests have
    come that were not read yet: closing then loses them without an answer (64 of 107 in a trial
    with turns of the loop of 0.15 s). And a connection whose request never becomes whole had no
    timer at all.

    Attributes:
        head_seconds: how long a request's line and headers may take to come.
    """

    head_seconds = HEAD_SECONDS
    _head: asyncio.TimerHandle | None = None
    _begun = False  # a request's head has come in part

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
        self._begun = self.conn.their_state is h11.IDLE
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
        if self.transport.is_closing():
            return
        if self._begun:
            self._refuse(408, "too_slow", "The request did not come; send it at once.")
        else:  # a browser may have connected ahead, and take this for its next request's answer
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(400, "bad_request", msg)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer what never got as far as the application, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else another answer is under way
            name = uuid.uuid4().hex
            facts = {"code": code, "message": message, "request_id": name}
            body = json.dumps({"error": facts}).encode()
            headers = {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
                "X-Content-Type-Options": "nosniff",
                "X-Request-ID": name,
            }
            phrase = HTTPStatus(status).phrase.encode()
            head = h11.Response(status_code=status, headers=list(headers.items()), reason=phrase)
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
