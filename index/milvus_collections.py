"""The collections of an index in Milvus, a generation each, and the alias that names the newest."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from index.errors import EngineLost
from index.milvus import LONG_PATIENCE, Milvus
from index.milvus_schema import columns

if TYPE_CHECKING:
    from pymilvus import MilvusClient

logger = logging.getLogger(__name__)

ALIAS = "wenju"
"""The name in Milvus of the generation that is searched."""


class Collections:
    """Makes, names and drops collections.

    Every call raises EngineLost where the server does not answer, and EngineUnusable where its
    client is not installed.
    """

    def __init__(self, server: Milvus, several: Mapping[str, bool]) -> None:
        """Name the server.

        Args:
            server: where they are.
            several: what is known of each row's group by name, and whether of several values.
        """
        self._server, self._several = server, several

    def connect(self) -> None:
        """Make sure that the server answers."""
        self._call("connect", lambda client, wait: client.list_collections(timeout=wait))

    def made(self, dim: int) -> str:
        """A new collection for vectors of a width, empty, indexed and loaded; its name."""
        self.connect()
        from pymilvus import MilvusClient

        name = f"{ALIAS}_{secrets.token_hex(6)}"
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        for column in columns(dim, self._several):
            schema.add_field(**column)
        indexes = MilvusClient.prepare_index_params()
        graph = {"M": 16, "efConstruction": 128}
        indexes.add_index("vector", index_type="HNSW", metric_type="IP", params=graph)
        indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        for field in ("grp", *(fact for fact, several in self._several.items() if not several)):
            indexes.add_index(field, index_type="INVERTED")

        def create(client: MilvusClient, wait: float) -> None:
            client.create_collection(name, schema=schema, consistency_level="Strong", timeout=wait)

        self._call("create", create)
        self._call("index", partial(_index, name, indexes))
        self._index_arrays(name)
        self._call("load", lambda client, wait: client.load_collection(name, timeout=wait))
        return name

    def _index_arrays(self, collection: str) -> None:
        """Index the arrays, where the server can: without, conditions on them read every row."""
        from pymilvus import MilvusClient

        for field in ("tokens", *(fact for fact, several in self._several.items() if several)):
            index = MilvusClient.prepare_index_params()
            index.add_index(field, index_type="INVERTED")
            try:
                self._call("index", partial(_index, collection, index))
            except EngineLost as error:
                logger.info("array_not_indexed", extra={"field": field, "reason": error.reason})

    def named(self, collection: str) -> None:
        """Let the alias name a collection; "" changes nothing."""
        if not collection:
            return
        there = bool(self.searched())

        def name(client: MilvusClient, wait: float) -> None:
            act = client.alter_alias if there else client.create_alias
            act(collection, ALIAS, timeout=wait)

        self._call("name", name)

    def searched(self) -> str:
        """The collection that the alias names; "" where there is no alias."""

        def look(client: MilvusClient, wait: float) -> str:
            held = client.list_aliases(timeout=wait)
            if ALIAS not in (held["aliases"] if isinstance(held, dict) else held):
                return ""
            return str(client.describe_alias(ALIAS, timeout=wait)["collection_name"])

        return str(self._call("alias", look))

    def drop(self, collection: str) -> None:
        """Drop a collection."""
        self._call("drop", lambda client, wait: client.drop_collection(collection, timeout=wait))

    def abandon(self, collection: str) -> None:
        """Drop one that was begun; where that fails it stays behind, and the log says so."""
        if collection:
            try:
                self.drop(collection)
            except EngineLost:
                logger.warning("collection_left_behind", extra={"collection": collection})

    def _call(self, name: str, act: Any) -> Any:  # noqa: ANN401 as `Milvus.call`
        return self._server.call(name, "", act, LONG_PATIENCE)


def _index(collection: str, indexes: Any, client: MilvusClient, wait: float) -> None:  # noqa: ANN401 pymilvus' own
    """Index fields; nobody waits for it, as the collection is empty."""
    client.create_index(collection, indexes, timeout=wait, sync=False)
