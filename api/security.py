"""What every request passes through: an id, size limits, security headers, a bounded queue."""

from __future__ import annotations

import logging
import random
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.errors import WenjuError

logger = logging.getLogger(__name__)
request_id: ContextVar[str] = ContextVar("request_id", default="")

T = TypeVar("T")

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
# Swagger's page starts itself with an inline script; it shows no article.
_DOCS_POLICY = (
    _PAGE_POLICY + "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SMALL_BODY = 256 * 1024  # a question with fifty earlier turns fits


class Overloaded(WenjuError):
    """More questions are waiting than may.

    Attributes:
        seconds: when to try again, with jitter so that refused callers do not return together.
    """

    retryable = True

    def __init__(self) -> None:
        self.seconds = random.randint(1, 4)  # noqa: S311 jitter, not a secret
        super().__init__(f"Too many questions are waiting; try again in {self.seconds} seconds.")


class Gate:
    """A bounded number of jobs at work on threads, and a bounded queue before them.

    Args:
        at_work: jobs that run at one time.
        waiting: jobs that may wait; one more is refused at once.
    """

    def __init__(self, at_work: int, waiting: int) -> None:
        self._limit = at_work
        self._most = at_work + waiting
        self._inside = 0
        self._limiter: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[anyio.CapacityLimiter]:
        """Hold a place in the queue; run threads under the limiter that it gives.

        Raises:
            Overloaded: the queue is full.
        """
        if self._inside >= self._most:
            raise Overloaded
        if self._limiter is None:  # must be made inside the event loop
            self._limiter = anyio.CapacityLimiter(self._limit)
        self._inside += 1
        try:
            yield self._limiter
        finally:
            self._inside -= 1

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job on a thread when its turn comes.

        Raises:
            Overloaded: the queue is full.
        """
        async with self.place() as limiter:
            return await anyio.to_thread.run_sync(job, limiter=limiter)


class Guard:
    """ASGI middleware: request id, access log, body limits and security headers.

    Args:
        app: the application.
        max_upload: bytes of a body sent to /v1/articles; others are held to 256 KiB.
    """

    def __init__(self, app: ASGIApp, max_upload: int) -> None:
        self.app = app
        self.max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        name = given if _ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(name)
        scope.setdefault("state", {})["request_id"] = name
        path = scope["path"]
        limit = self.max_upload if path == "/v1/articles" else _SMALL_BODY
        seen, status, started = 0, 0, time.perf_counter()

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:  # the framework lets only this class through from here
                    raise HTTPException(413, f"The body is larger than {limit:,} bytes: send less.")
            return message

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-ID"] = name
                out["X-Content-Type-Options"] = "nosniff"
                out["Referrer-Policy"] = "no-referrer"
                out["Content-Security-Policy"] = (
                    _DOCS_POLICY if path in ("/docs", "/redoc") else _PAGE_POLICY
                )
                if path.startswith("/v1/"):
                    out["Cache-Control"] = "no-store"
                elif path.startswith("/static/"):
                    # asked for anew by its ETag each time: modules of two versions never mix
                    out["Cache-Control"] = "no-cache"
            await send(message)

        try:
            await self.app(scope, counted, dressed)
        finally:
            facts = {
                "request_id": name,
                "method": scope["method"],
                "path": path,
                "status": status,
                "seconds": round(time.perf_counter() - started, 4),
            }
            logger.info("request", extra=facts)
            request_id.reset(token)
