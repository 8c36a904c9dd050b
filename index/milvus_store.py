"""The index in Milvus: one collection a generation, its statistics in a database beside it.

Milvus has no transactions. A commit says in the ledger what it is about to touch, counts what goes
no more, changes the rows, and counts what came; where it is broken off, the next one takes the
touched groups out, and whoever compares corpus and index puts them in again. A rebuild fills a
collection that nobody searches, and one transaction of the ledger puts it, with its statistics, in
the place of the other; the alias ALIAS says the same to other programs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from index.changes import checked
from index.errors import ModelMismatch, TokenizerMismatch
from index.lexical import counted
from index.milvus import LONG_PATIENCE, Milvus
from index.milvus_collections import ALIAS, Collections
from index.milvus_ledger import Counted, Ledger, State
from index.milvus_schema import Fact, listed, rows_of
from index.milvus_snapshot import MilvusSnapshot
from index.tokens import Tokenizer
from index.types import Batch

if TYPE_CHECKING:
    from pymilvus import MilvusClient

GRACE = 600.0
"""Seconds that a replaced generation stays for questions that are being answered from it."""

_AT_ONCE = 500  # rows written by one call: a few MB
_MANY = 10_000  # rows looked up by one condition
_NONE = Counted({}, {}, 0.0)

_Value = TypeVar("_Value")

Facts = Callable[[Collection[str]], Mapping[str, Mapping[str, Fact]]]
"""What is known of some groups, by group and name."""


class MilvusStore:
    """An index in a database of Milvus. Safe to share between threads; one commit at a time."""

    def __init__(
        self,
        server: Milvus,
        ledger: Ledger,
        tokenizer: Tokenizer,
        facts: Facts,
        several: Mapping[str, bool],
        grace: float = GRACE,
    ) -> None:
        """Name the database; nothing is asked of it yet.

        Args:
            server: where it is.
            ledger: the statistics.
            tokenizer: cuts what is added and what is asked.
            facts: gives what rows can be filtered by.
            several: the names of these, and whether a group may have several values.
            grace: see GRACE.
        """
        self._server, self._ledger, self._tokenizer = server, ledger, tokenizer
        self._facts, self._several, self._grace = facts, several, grace
        self._collections = Collections(server, several)

    def open(self) -> MilvusSnapshot:
        """The index as it is.

        Raises:
            EngineLost: a server does not answer; Milvus is asked only where there is no index yet.
        """
        state = self._ledger.state()
        if not state.collection:
            self._collections.connect()
        return MilvusSnapshot(self._server, self._ledger, self._tokenizer, state)

    def commit(
        self, add: Batch | None = None, *, remove_groups: Collection[str] = (), model: str
    ) -> MilvusSnapshot:
        """Take some groups out and put some rows in.

        Args:
            add: new rows, if any; a group that is also removed ends with these rows alone.
            remove_groups: groups to delete; unknown ones are passed over.
            model: the fingerprint of the encoder that made the vectors.

        Raises:
            ModelMismatch: the index holds another model's vectors.
            TokenizerMismatch: the index holds another tokeniser's tokens.
            EngineLost: a server does not answer; the groups are neither searched nor counted until
                they are written again.
            ValueError: ids that occur twice or are live already, or vectors of another shape.
        """
        state = self._ledger.state()
        if state.generation and state.model != model:
            raise ModelMismatch(state.model, model)
        if state.generation and state.tokenizer != self._tokenizer.fingerprint:
            raise TokenizerMismatch(state.tokenizer, self._tokenizer.fingerprint)
        rows = add if add is not None and add.entries else None
        dim = checked(rows, state.dim) if rows else state.dim
        self._cleared(state)
        collection = state.collection
        if rows and not collection:
            collection = self._collections.made(dim)
            self._collections.named(collection)
        old = self._rows_of(collection, self._ledger.held(sorted(remove_groups)))
        if rows:
            self._refuse_live(collection, rows, {row["id"] for row in old})
        gone = _counted(old)
        written = {entry.group for entry in rows.entries} if rows else set()
        self._ledger.begin(gone, {*gone.held, *written})
        put = {entry.id for entry in rows.entries} if rows else set()
        self._deleted(collection, [row["id"] for row in old if row["id"] not in put])
        new = self._put(collection, rows, self._ledger.state()) if rows else _NONE
        self._ledger.finish(new, model, self._tokenizer.fingerprint, dim, collection)
        return self.open()

    def rebuild(self, batches: Iterable[Batch], *, model: str) -> MilvusSnapshot:
        """Put these rows in the place of all others; until it is done the old ones are searched.

        Args:
            batches: all rows.
            model: the fingerprint of the encoder that made the vectors.

        Raises:
            EngineLost: a server does not answer; what was there stays.
            ValueError: as for `commit`.
        """
        dim, collection = 0, ""
        df, held, total = Counter[int](), Counter[str](), 0.0
        try:
            for batch in batches:
                dim = checked(batch, dim)
                if not batch.entries:
                    continue
                collection = collection or self._collections.made(dim)
                counting = State(0, "", "", dim, held.total(), total, collection)
                new = self._put(collection, batch, counting)
                df.update(new.df)
                held.update(new.held)
                total += new.total
            state = State(0, model, self._tokenizer.fingerprint, dim, 0, 0.0, collection)
            self._ledger.replace(
                Counted(df, held, total),
                state,
                time.time(),
                lambda: self._collections.named(collection),
            )
        except BaseException:
            self._collections.abandon(collection)
            raise
        return self.open()

    def merge(self, locked: Callable[[], AbstractContextManager[object]]) -> bool:
        """Drop generations that nobody searches any more; Milvus indexes and merges by itself.

        Args:
            locked: takes the right to write, waiting for it if need be.

        Returns:
            Whether anything was done.

        Raises:
            EngineLost: a server does not answer.
        """
        before = time.time() - self._grace
        if not self._ledger.leftover(before):
            return False
        with locked():
            for collection in self._ledger.leftover(before):
                self._collections.drop(collection)
                self._ledger.dropped(collection)
        return True

    def verify(self) -> list[str]:
        """Count anew in Milvus what the ledger has counted, and look whom the alias names.

        Returns:
            One sentence a problem; empty when all is well.
        """
        state, dfs, held = self._ledger.counted()
        if not state.collection:
            return []
        named = self._collections.searched()
        problems = []
        if named != state.collection:
            problems.append(f"the alias {ALIAS} names {named or 'nothing'}")
        fields = ["grp", "tokens", "length"]
        there = _counted(self._server.rows(state.collection, 'id >= ""', fields))
        if state.live != there.rows or abs(state.total - there.total) > 0.5 or held != there.held:
            problems.append(
                f"{there.rows} rows of {there.total:.0f} tokens are held, {state.live} are counted"
            )
        wrong = sum(dfs.get(key, 0) != there.df.get(key, 0) for key in {*dfs, *there.df})
        if wrong:
            problems.append(f"{wrong} words are counted wrongly")
        if self._ledger.touched():
            problems.append("a change was broken off; `wenju add` or a server finishes it")
        return problems

    def _call(self, name: str, collection: str, act: Callable[[Any, float], Any]) -> Any:  # noqa: ANN401 see `Milvus.call`
        return self._server.call(name, collection, act, LONG_PATIENCE)

    def _cleared(self, state: State) -> None:
        """Take out what a change left that was broken off; its groups are not counted."""
        touched = sorted(self._ledger.touched())
        if touched and state.collection:
            for start in range(0, len(touched), _AT_ONCE):
                wanted = f"grp in {listed(touched[start : start + _AT_ONCE])}"
                ids = [row["id"] for row in self._server.rows(state.collection, wanted, ["id"])]
                self._deleted(state.collection, ids)

    def _rows_of(self, collection: str, held: Mapping[str, int]) -> list[dict[str, Any]]:
        """The rows of some groups: their ids, groups, tokens and lengths."""
        found: list[dict[str, Any]] = []
        some: list[str] = []
        count = 0
        for place, (group, rows) in enumerate(held.items(), 1):
            some.append(group)
            count += rows
            if count >= _MANY or len(some) >= _AT_ONCE or place == len(held):
                fields = ["id", "grp", "tokens", "length"]
                found += self._server.rows(collection, f"grp in {listed(some)}", fields)
                some, count = [], 0
        return found

    def _refuse_live(self, collection: str, batch: Batch, going: Collection[str]) -> None:
        """Make sure that no row to add is there already.

        Raises:
            ValueError: one is.
        """
        ids = [entry.id for entry in batch.entries if entry.id not in going]

        def there(some: list[str], client: MilvusClient, wait: float) -> Any:  # noqa: ANN401 rows
            return client.query(collection, ids=some, output_fields=["id"],
                                consistency_level="Strong", timeout=wait)  # fmt: skip

        for row in chain.from_iterable(self._in_pieces("query", collection, ids, there)):
            raise ValueError(f"the id {row['id']} is in the index already")

    def _put(self, collection: str, batch: Batch, state: State) -> Counted:
        """Write rows; what they add to the statistics."""
        found = [counted(entry, self._tokenizer) for entry in batch.entries]
        numbers = self._ledger.numbered(token for counts in found for token in counts)
        total = sum(sum(counts.values()) for counts in found)
        mean = (state.total + total) / (state.live + len(found))
        facts = self._facts({entry.group for entry in batch.entries})
        rows = rows_of(batch, found, numbers, mean, facts, self._several)

        def put(some: list[Any], client: MilvusClient, wait: float) -> None:
            client.upsert(collection, data=some, timeout=wait)

        self._in_pieces("upsert", collection, rows, put)
        return _counted(rows)

    def _deleted(self, collection: str, ids: Sequence[str]) -> None:
        def delete(some: list[str], client: MilvusClient, wait: float) -> None:
            client.delete(collection, ids=some, timeout=wait)

        self._in_pieces("delete", collection, ids, delete)

    def _in_pieces(
        self,
        name: str,
        collection: str,
        values: Sequence[_Value],
        act: Callable[[list[_Value], MilvusClient, float], Any],
    ) -> list[Any]:
        """Call the server for some values at a time; what each call gave."""
        return [
            self._call(name, collection, partial(act, list(values[start : start + _AT_ONCE])))
            for start in range(0, len(values), _AT_ONCE)
        ]


def _counted(rows: Iterable[Mapping[str, Any]]) -> Counted:
    """What some rows are in the statistics."""
    df, held, total = Counter[int](), Counter[str](), 0.0
    for row in rows:
        df.update(row["tokens"])
        held[row["grp"]] += 1
        total += row["length"]
    return Counted(df, held, total)
