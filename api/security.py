"""What every request passes through: an id, size limits, security headers."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import anyio
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import request_id

logger = logging.getLogger(__name__)

ErrorBody = Callable[[Request, str, str], dict[str, Any]]
"""Gives the shape of an error for a request: its code and what is told."""

Note = Callable[[Request, int, float], None]
"""Told of a request: its status (0 where the client had gone) and when it came, perf_counter()."""

UNEXPECTED = "Something went wrong inside Wenju; the server's log has the details."
"""What is said of an error that nobody foresaw: nothing of the inside."""

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
# Swagger's page starts itself with an inline script; it shows no article.
_DOCS_POLICY = (
    _PAGE_POLICY + "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_DIGITS = 15  # of a Content-Length that is worth reading
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SMALL_BODY = 256 * 1024  # a question with fifty earlier turns fits


class Guard:
    """ASGI middleware: request id, body limits, security headers, the last handler.

    Args:
        app: the application.
        max_upload: bytes of a body sent to /v1/articles; others are held to 256 KiB.
        error_body: the shape of an error.
        note: told of every request that has been answered.
        patience: seconds between two pieces of a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_upload: int,
        error_body: ErrorBody,
        note: Note,
        patience: float = 30.0,
    ) -> None:
        self.app = app
        self._patience = patience
        self._note = note
        self.max_upload = max_upload
        self._error_body = error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        given = request.headers.get("x-request-id", "")
        name = given if _ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(name)
        request.state.request_id = name
        status, started = 0, time.perf_counter()

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), scope["path"], name)
            await send(message)

        try:
            await self._within_limits(request, receive, dressed)
        except Exception:  # broad on purpose: nothing of the inside may reach a client
            logger.exception("unexpected error")
            if status:  # the answer is under way: only breaking off can tell that it failed
                raise
            await self._answer(request, 500, "internal", UNEXPECTED, dressed)
        finally:
            self._note(request, status, started)
            request_id.reset(token)

    async def _within_limits(self, request: Request, receive: Receive, send: Send) -> None:
        """Pass on a request whose body stays below its limit."""
        path = request.scope["path"]
        limit = self.max_upload if path == "/v1/articles" else _SMALL_BODY
        told = request.headers.get("content-length", "")
        too_large = f"The body is larger than {limit:,} bytes: send less."
        if told.isdecimal() and (len(told) > _DIGITS or int(told) > limit):
            await self._answer(request, 413, "too_large", too_large, send)
            return
        seen, whole = 0, False

        async def counted() -> Message:
            nonlocal seen, whole
            message = None
            with anyio.move_on_after(None if whole else self._patience):
                message = await receive()
            if message is None:
                why = "The body did not come; send it at once."
                raise HTTPException(408, why, {"Connection": "close"})  # the rest may come any time
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if seen > limit:  # the framework lets only this class through from here
                    raise HTTPException(413, too_large)
            return message

        await self.app(request.scope, counted, send)

    async def _answer(
        self, request: Request, status: int, code: str, message: str, send: Send
    ) -> None:
        response = JSONResponse(self._error_body(request, code, message), status)
        await response(request.scope, request.receive, send)


def _dress(headers: MutableHeaders, path: str, name: str) -> None:
    """The headers of every answer."""
    headers["X-Request-ID"] = name
    headers.update(_HEADERS)
    headers["Content-Security-Policy"] = _DOCS_POLICY if path == "/docs" else _PAGE_POLICY
    if path.startswith("/v1/"):
        headers["Cache-Control"] = "no-store"
    elif path.startswith("/static/"):
        # asked for anew by its ETag each time: modules of two versions never mix
        headers["Cache-Control"] = "no-cache"
