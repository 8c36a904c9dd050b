"""Who may do what: the Host and Origin of a request, its API key and scope, its rate.

Everything is refused that is not allowed here, before a byte of the body is read. A new route needs
a key with the scope "read", or "write" where it changes something, unless a line below says
otherwise.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from api.addresses import LOOPBACK, is_loopback
from api.keys import Key, KeyStore, Scope
from api.rates import Rates
from api.security import ErrorBody
from api.settings import Settings
from rag.errors import BadInput, WenjuError

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/@\s]+))(?::\d{1,5})?")
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_PAGE = frozenset(("/", "/healthz", "/readyz"))
_PAGE_PARTS = ("/static/", "/articles/")
_PROBES = frozenset(("/healthz", "/readyz"))
# They only read the archive: the question is too long for an address.
_FEEDBACK = "/v1/feedback"
_QUESTIONS = frozenset(("/v1/ask", "/v1/search", "/v1/chat/completions", _FEEDBACK))
# To read them: figures of the operation, and what readers asked and thought.
_OPERATION = frozenset(("/metrics", _FEEDBACK))
_SCHEME = "bearer "


REFUSALS = {
    "bad_host": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "cross_origin": 403,
    "rate_limited": 429,
    "keys_damaged": 503,
}
"""The code of each refusal, and its HTTP status."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further."""

    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


def needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs where keys are asked for; None: open to all.

    The page itself is open (it asks its reader for a key), and so is whether the server is alive.
    """
    if method in _SAFE and path in _OPERATION:
        return Scope.ADMIN
    if method in _SAFE:
        return None if path in _PAGE or path.startswith(_PAGE_PARTS) else Scope.READ
    if method == "POST" and path in _QUESTIONS:
        return Scope.READ
    if method == "DELETE" and path.startswith(_FEEDBACK + "/"):
        return Scope.READ
    return Scope.WRITE


def is_write(method: str, path: str) -> bool:
    """Whether a request could change something: verdicts too, but no question."""
    return method not in _SAFE and not is_question(method, path)


def is_question(method: str, path: str) -> bool:
    """Whether a request asks the archive something, which takes a processor's time."""
    return method == "POST" and path in _QUESTIONS - {_FEEDBACK}


def check(settings: Settings) -> None:
    """Make sure that nobody is let in unasked, before a server is bound.

    Raises:
        BadInput: keys are asked for and there is none that is valid.
        KeysDamaged: the keys cannot be read.
    """
    if settings.keys_asked and not KeyStore(settings.home).usable():
        why = (
            "WENJU_REQUIRE_KEYS is set"
            if settings.require_keys
            else f"{settings.host} can be reached from other machines"
        )
        raise BadInput(
            f"{why}, and the archive has no valid API key: make one with `wenju keys create NAME "
            f"--home {settings.home}`, or serve on 127.0.0.1."
        )


class Access:
    """ASGI middleware that lets through what is allowed.

    Args:
        app: the application.
        settings: who may ask, and how often.
        keys: the archive's keys.
        error_body: the shape of an error.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, keys: KeyStore, error_body: ErrorBody
    ) -> None:
        self.app = app
        self._keys = keys if settings.keys_asked else None
        self._error_body = error_body
        self._rates = Rates(settings.rate_key, settings.rate_of_address)
        self._origins = frozenset(settings.cors_origins)
        named = frozenset(name.lower() for name in settings.allowed_hosts)
        local = is_loopback(settings.host)
        self._hosts = named | LOOPBACK | {settings.host} if local or named else None

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            refusal = self._refusal(request)
        except WenjuError as error:
            refusal = Refusal("keys_damaged", str(error))
        if refusal is None:
            await self.app(scope, receive, send)
            return
        body = self._error_body(request, refusal.code, refusal.message)
        await JSONResponse(body, REFUSALS[refusal.code], refusal.headers)(scope, receive, send)

    def _refusal(self, request: Request) -> Refusal | None:
        headers, method, path = request.headers, request.method, request.scope["path"]
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            return Refusal(
                "bad_host",
                "This server does not answer to that name; see WENJU_ALLOWED_HOSTS.",
            )
        if method not in _SAFE and self._foreign(headers):
            return Refusal(
                "cross_origin", "Pages of other sites may not do this; see WENJU_CORS_ORIGINS."
            )
        if path in _PROBES:
            self._found(request)
            return None
        key = self._found(request)
        kind, who = ("key", key.id) if key else ("address", _address(request))
        seconds = self._rates.wait(kind, who)
        if seconds is not None:
            return Refusal(
                "rate_limited",
                f"Too many requests; try again in {seconds} seconds.",
                {"Retry-After": str(seconds)},
            )
        return self._unauthorized(needed(method, path), key)

    def _found(self, request: Request) -> Key | None:
        """The request's valid key; `request.state` then says who asks.

        `trusted` is whether what is not for everybody may be shown.
        """
        given = request.headers.get("authorization", "")
        key = None
        if self._keys is not None and given[: len(_SCHEME)].lower() == _SCHEME:
            key = self._keys.find(given[len(_SCHEME) :].strip())
        request.state.key = key.id if key else None
        request.state.trusted = self._keys is None or key is not None
        return key

    def _unauthorized(self, scope: Scope | None, key: Key | None) -> Refusal | None:
        if self._keys is None or scope is None:
            return None
        if key is None:
            return Refusal(
                "unauthorized",
                "An API key is needed: send it as `Authorization: Bearer KEY`.",
                {"WWW-Authenticate": 'Bearer realm="wenju"'},
            )
        if scope not in key.scopes:
            return Refusal("forbidden", f'This needs a key with the scope "{scope}".')
        return None

    def _foreign(self, headers: Headers) -> bool:
        """Whether a page of another site asks, as a browser tells it.

        Without keys a form on any web page could else write into the archive of whoever reads it.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") == "cross-site"
        return origin not in self._origins and _host_of(origin) != headers.get("host")


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, as a Host header has them; None where it is none ("null")."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _name(host: str) -> str:
    """A Host header without its port, in lower case; "" where it is none."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""


def _address(request: Request) -> str:
    """The client's address; an IPv6 client's network, since each has 2^64 addresses of its own."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
