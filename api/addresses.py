"""What addresses in settings must look like. An error says what is wrong, never what was given."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from index import milvus
from rag.errors import EngineUnusable

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
"""The names by which a program on the same machine asks."""


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server bound to this address."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def model_server(value: str) -> str:
    """The address of a language model's server.

    Raises:
        ValueError: it is none, or holds a password.
    """
    if not value.startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    if "@" in urlsplit(value).netloc:
        raise ValueError("the key goes into WENJU_LLM_API_KEY, not into the address")
    return value


def database(value: str) -> str:
    """The address of a PostgreSQL database; "" for none.

    Raises:
        ValueError: it is of another kind.
    """
    if value and not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("an address begins with postgresql://")
    return value


def index(value: str) -> str:
    """The address of a Milvus database; "" for none.

    Raises:
        ValueError: it cannot be read, or holds a password.
    """
    try:
        if value:
            milvus.read(value)
    except EngineUnusable as error:
        raise ValueError(error.reason) from None
    return value


def origin(value: str) -> str:
    """A web page's origin.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("http", "https"):
        raise ValueError(f"{value!r} is no origin, as https://desk.example.org is")
    return value
