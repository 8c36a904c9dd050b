"""Sends away at once what cannot be answered in time, before its body is read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import is_question, is_write
from api.admission import Gate, Overloaded
from api.security import ErrorBody

_ARTICLES = "/v1/articles"


class Shed:
    """ASGI middleware before everything that a refused request need not pay for.

    It only looks at the queues: a place in one is taken when the body has been read, so that who
    sends slowly keeps nobody out. Requests that only look something up have no turns; so many at a
    time may be under way.

    Args:
        app: the application.
        questions: the queue of questions.
        writes: the queue of what changes the archive.
        reads: bounds how many other requests are under way.
        error_body: the shape of an error.
    """

    def __init__(
        self, app: ASGIApp, questions: Gate, writes: Gate, reads: Gate, error_body: ErrorBody
    ) -> None:
        self.app = app
        self._questions, self._writes, self._reads = questions, writes, reads
        self._error_body = error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer that it comes too many."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        try:
            if is_question(method, path):
                self._questions.check()
            elif is_write(method, path) and path.startswith(_ARTICLES):
                self._writes.check()
            else:
                async with self._reads.place():
                    await self.app(scope, receive, send)
                return
        except Overloaded as error:
            body = self._error_body(Request(scope), "overloaded", str(error))
            headers = {"Retry-After": str(error.seconds)}
            await JSONResponse(body, 503, headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)
