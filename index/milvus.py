"""A Milvus server: the connection, the address, and its errors as ours.

Needs the extra `milvus` (pymilvus 3). What is read is read with the consistency level "Strong": a
search sees everything that was written before it, so that what was deleted is found by nobody.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from index.errors import EngineLost, EngineUnusable

if TYPE_CHECKING:
    from pymilvus import MilvusClient

PREFIX = "milvus:"
"""What an address begins with that names this engine: milvus:http://HOST:PORT/DATABASE."""

PATIENCE, LONG_PATIENCE = 5.0, 120.0
"""Seconds to wait for an answer before a question is refused; and for what changes the index."""

MOST = 16_384
"""Rows that one call may give: Milvus' limit."""

_NOT_LOADED = 101
# A server may end a connection that asks more often than every five minutes whether it is alive;
# each call has its own limit of time, so nothing waits for that.
_CHANNEL = {"grpc.keepalive_time_ms": 600_000, "grpc.keepalive_permit_without_calls": 0}
_PAGE = 1_000


class Milvus:
    """One database of a server. Threads may share it; nothing is connected to before it is used.

    Attributes:
        place: where it is, for a person to read; without the token.
    """

    def __init__(self, address: str, token: str = "") -> None:
        """Remember the address.

        Args:
            address: see PREFIX; without a database the server's default one.
            token: "user:password" or an API key; "" where the server asks for none.

        Raises:
            EngineUnusable: the address cannot be read.
        """
        self._uri, self._database = read(address)
        self._token = token
        self.place = f"Milvus {urlsplit(self._uri).netloc}/{self._database or 'default'}"
        self._guard = threading.Lock()
        self._client: MilvusClient | None = None

    def call(
        self,
        name: str,
        collection: str,
        act: Callable[[MilvusClient, float], Any],
        patience: float = PATIENCE,
    ) -> Any:  # noqa: ANN401 what the call gives
        """Ask the server something.

        Args:
            name: of what is done, for the error.
            collection: is loaded where it is not any more, as after a server's restart; "": none.
            act: takes the client and the seconds that it may wait.
            patience: these seconds.

        Raises:
            EngineLost: the server does not answer, or something is wrong there.
            EngineUnusable: pymilvus is not installed, or the token is refused.
        """
        with self._mapped("connect"):
            client = self._connected()
        from pymilvus.exceptions import MilvusException

        with self._mapped(name):
            try:
                return act(client, patience)
            except MilvusException as error:
                if not collection or error.code != _NOT_LOADED:
                    raise
                client.load_collection(collection, timeout=LONG_PATIENCE)
                return act(client, patience)

    @contextmanager
    def _mapped(self, name: str) -> Iterator[None]:
        """The errors of a server that cannot be reached, or does not want us, become ours."""
        # pymilvus would put what a file .env of the working folder says into the environment.
        os.environ.setdefault("PYTHON_DOTENV_DISABLED", "1")
        try:
            import grpc
            from pymilvus import MilvusException
        except ImportError as error:
            raise EngineUnusable(
                self.place, "pymilvus is not installed: pip install 'wenju[milvus]'"
            ) from error
        try:
            yield
        except (MilvusException, grpc.FutureTimeoutError) as error:
            raise EngineLost(self.place, f"{name}: {self._told(error)}") from error
        except grpc.RpcError as error:
            refused = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            what = f"{name}: {self._told(error)}"
            if error.code() in refused:
                raise EngineUnusable(self.place, f"{what}; see WENJU_INDEX_TOKEN") from error
            raise EngineLost(self.place, what) from error

    def rows(
        self, collection: str, wanted: str, fields: Sequence[str], page: int = _PAGE
    ) -> Iterator[dict[str, Any]]:
        """All rows that fulfil a condition, however many.

        Args:
            collection: its name.
            wanted: Milvus' condition; "" for all.
            fields: to be given of each.
            page: rows asked for at one time.

        Raises:
            EngineLost: the server does not answer.
        """
        pages = self.call(
            "query",
            collection,
            lambda client, patience: client.query_iterator(
                collection, batch_size=page, filter=wanted, output_fields=list(fields),
                consistency_level="Strong", timeout=patience,
            ),
            LONG_PATIENCE,
        )  # fmt: skip
        try:
            while some := self.call("query", "", lambda *_: pages.next(), LONG_PATIENCE):
                yield from some
        finally:
            pages.close()

    def close(self) -> None:
        """Close the connection."""
        with self._guard:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> MilvusClient:
        """The client; one that could not connect is not kept."""
        with self._guard:
            if self._client is not None:
                return self._client
            from pymilvus import MilvusClient

            # It prints each error, with its traceback; a person is told by ours.
            logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
            self._client = MilvusClient(
                self._uri, token=self._token, db_name=self._database, timeout=PATIENCE,
                grpc_options=_CHANNEL,
            )  # fmt: skip
            return self._client

    def _told(self, error: Exception) -> str:
        """What the server said, without the token."""
        details = getattr(error, "details", None)
        said = details() if callable(details) else getattr(error, "message", "")
        text = " ".join(str(said or error).split())
        return (text.replace(self._token, "***") if self._token else text)[:200]


def read(address: str) -> tuple[str, str]:
    """The server's own address and the database that an address of ours names.

    Raises:
        EngineUnusable: it cannot be read, or holds a password.
    """
    parts = urlsplit(address.removeprefix(PREFIX))
    database = parts.path.strip("/")
    if not address.startswith(PREFIX) or parts.scheme not in ("http", "https"):
        raise EngineUnusable("WENJU_INDEX", "an address is milvus:http://HOST:PORT/DATABASE")
    if not parts.hostname or "/" in database or parts.query or parts.fragment:
        raise EngineUnusable("WENJU_INDEX", "an address is milvus:http://HOST:PORT/DATABASE")
    if "@" in parts.netloc:
        raise EngineUnusable("WENJU_INDEX", "the token goes into WENJU_INDEX_TOKEN")
    return f"{parts.scheme}://{parts.netloc}", database
