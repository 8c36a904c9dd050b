"""The index in PostgreSQL: rows in, rows out, each commit one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from index.changes import checked
from index.errors import ModelMismatch, TokenizerMismatch
from index.lexical import K1, B, Counts, counted
from index.parts import Parts
from index.pg import Postgres
from index.pg_schema import SPARSE_DIM, STEPS
from index.pg_snapshot import EXACTLY, PgSnapshot
from index.tokens import Tokenizer
from index.types import Batch

_MOST_WEIGHTS = 16_000  # pgvector's limit of a sparse vector
_STATE = "SELECT generation, model, tokenizer, dim, live, total, ann FROM state"


class PgStore:
    """An index in a database. Safe to share between threads; one commit at a time."""

    def __init__(self, server: Postgres, tokenizer: Tokenizer, exactly: int = EXACTLY) -> None:
        """Name the database; nothing is asked of it yet.

        Args:
            server: the tables are made in it when it is first used.
            tokenizer: cuts what is added and what is asked.
            exactly: so many vectors are compared one by one; more have an index.
        """
        self._server = server
        self._tokenizer = tokenizer
        self._exactly = exactly
        server.needs("index", STEPS)

    def open(self) -> PgSnapshot:
        """The index as it is.

        Raises:
            EngineLost: the server does not answer.
        """
        with self._server.reading() as db:
            (state,) = db.execute(_STATE).fetchall()
        return PgSnapshot(self._server, self._tokenizer, state, self._exactly)

    def commit(
        self, add: Batch | None = None, *, remove_groups: Collection[str] = (), model: str
    ) -> PgSnapshot:
        """Take some groups out and put some rows in, in one transaction.

        Args:
            add: new rows, if any; a group that is also removed ends with these rows alone.
            remove_groups: groups to delete; unknown ones are passed over.
            model: the fingerprint of the encoder that made the vectors.

        Raises:
            ModelMismatch: the index holds another model's vectors.
            TokenizerMismatch: the index holds another tokeniser's tokens.
            EngineLost: the server does not answer, or is read-only.
            ValueError: ids that occur twice or are live already, or vectors of another shape.
        """
        rows = add if add is not None and add.entries else None
        found = [counted(entry, self._tokenizer) for entry in rows.entries] if rows else []
        with self._server.transaction() as db:
            (state,) = db.execute(_STATE).fetchall()
            generation, held, tokenizer, dim = state[:4]
            if generation and held != model:
                raise ModelMismatch(held, model)
            if generation and tokenizer != self._tokenizer.fingerprint:
                raise TokenizerMismatch(tokenizer, self._tokenizer.fingerprint)
            if remove_groups:
                db.execute("DELETE FROM entries WHERE grp = ANY(%s)", [list(remove_groups)])
            if rows:
                dim = checked(rows, dim)
                self._insert(db, rows, found)
            db.execute(
                "UPDATE state SET generation = generation + 1,"
                " model = %s, tokenizer = %s, dim = %s",
                [model, self._tokenizer.fingerprint, dim],
            )
        return self.open()

    def rebuild(self, batches: Iterable[Batch], *, model: str) -> PgSnapshot:
        """Put these rows in the place of all others; until it is done the old ones are searched.

        Args:
            batches: all rows.
            model: the fingerprint of the encoder that made the vectors.

        Raises:
            EngineLost: the server does not answer; what was there stays.
            ValueError: as for `commit`.
        """
        with self._server.transaction() as db:
            db.execute("DELETE FROM entries")
            # The index of vectors is for one width of them; `merge` makes the new one.
            db.execute("DROP INDEX IF EXISTS entries_near")
            db.execute("UPDATE state SET ann = false, dim = 0, generation = generation + 1")
            dim = 0
            for batch in batches:
                dim = checked(batch, dim)
                self._insert(
                    db, batch, [counted(entry, self._tokenizer) for entry in batch.entries]
                )
            db.execute(
                "UPDATE state SET model = %s, tokenizer = %s, dim = %s",
                [model, self._tokenizer.fingerprint, dim],
            )
        return self.open()

    def merge(self, locked: Callable[[], AbstractContextManager[object]]) -> bool:
        """Index the vectors once there are many, and tell the planner when there are twice as many.

        Questions are answered meanwhile.

        Args:
            locked: takes the right to write, waiting for it if need be.

        Returns:
            Whether anything was done.

        Raises:
            EngineLost: the server does not answer.
        """
        with self._server.reading() as db:
            (live, ann, analyzed, dim) = db.execute(
                "SELECT live, ann, analyzed, dim FROM state"
            ).fetchall()[0]
        index = not ann and live > self._exactly
        if not index and live < 2 * analyzed + 100:
            return False
        with locked(), self._server.transaction() as db:
            if index:
                db.execute("SET LOCAL maintenance_work_mem = '512MB'")
                db.execute(
                    "CREATE INDEX IF NOT EXISTS entries_near ON entries USING hnsw"
                    f" ((near::halfvec({dim})) halfvec_ip_ops)"
                    " WITH (m = 16, ef_construction = 128)".encode()
                )
            db.execute("ANALYZE entries, terms")
            db.execute("UPDATE state SET analyzed = live, ann = ann OR %s", [index])
        return True

    def verify(self) -> list[str]:
        """Count anew what the triggers have counted.

        Returns:
            One sentence a problem; empty when all is well.
        """
        with self._server.reading() as db, db.transaction():
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            (live, total) = db.execute("SELECT live, total FROM state").fetchall()[0]
            (rows, length) = db.execute(
                "SELECT count(*), coalesce(sum(length), 0) FROM entries"
            ).fetchall()[0]
            (wrong,) = db.execute(
                "SELECT count(*) FROM terms FULL JOIN (SELECT unnest(tids) AS id, count(*) AS n"
                " FROM entries GROUP BY 1) AS held USING (id)"
                " WHERE coalesce(df, 0) <> coalesce(n, 0)"
            ).fetchall()[0]
        problems = []
        if live != rows or abs(total - length) > 0.5:
            problems.append(f"{rows} rows of {length:.0f} tokens are held, {live} are counted")
        if wrong:
            problems.append(f"{wrong} words are counted wrongly")
        return problems

    def _insert(self, db: Any, batch: Batch, found: Sequence[Counts]) -> None:  # noqa: ANN401 psycopg's connection
        """Put rows in.

        Raises:
            ValueError: one is there already.
        """
        ids = [entry.id for entry in batch.entries]
        there = db.execute("SELECT id FROM entries WHERE id = ANY(%s) LIMIT 1", [ids]).fetchone()
        if there:
            raise ValueError(f"the id {there[0]} is in the index already")
        numbers = _numbers(db, {token for counts in found for token in counts})
        live, total = db.execute("SELECT live, total FROM state").fetchall()[0]
        lengths = [sum(counts.values()) for counts in found]
        mean = (total + sum(lengths)) / (live + len(lengths)) or 1.0
        with db.cursor().copy("COPY entries FROM STDIN") as copy:
            for row in _rows(batch, found, lengths, numbers, mean):
                copy.write_row(row)


def _numbers(db: Any, tokens: set[str]) -> dict[str, int]:  # noqa: ANN401 psycopg's connection
    """The number of each token; new ones get theirs."""
    wanted = sorted(tokens)
    known = "SELECT token, id FROM terms WHERE token = ANY(%s)"
    found = dict(db.execute(known, [wanted]).fetchall())
    new = [token for token in wanted if token not in found]
    if new:
        # Not ON CONFLICT: each conflict would use up a number.
        made = "INSERT INTO terms (token) SELECT unnest(%s::text[]) RETURNING token, id"
        found |= dict(db.execute(made, [new]).fetchall())
    return found


def _rows(
    batch: Batch,
    found: Sequence[Counts],
    lengths: Sequence[float],
    numbers: dict[str, int],
    mean: float,
) -> Iterator[tuple[object, ...]]:
    """The columns of `entries`."""
    parts = batch.parts or Parts.none(len(batch.entries), batch.vectors.shape[1])
    starts = np.concatenate([[0], parts.ends[:-1]]) if len(parts) else parts.ends
    for place, (entry, counts) in enumerate(zip(batch.entries, found, strict=True)):
        tokens = sorted((numbers[token], tf) for token, tf in counts.items())
        norm = K1 * (1 - B) + K1 * B * lengths[place] / mean
        weights = {token: tf / (tf + norm) for token, tf in tokens}
        if len(weights) > _MOST_WEIGHTS:
            heaviest = sorted(weights, key=lambda token: -weights[token])[:_MOST_WEIGHTS]
            weights = {token: weights[token] for token in sorted(heaviest)}
        sparse = ",".join(f"{token}:{weight:.6g}" for token, weight in weights.items())
        vector = batch.vectors[place]
        codes = parts.codes[starts[place] : parts.ends[place]]
        yield (
            entry.id,
            entry.group,
            lengths[place],
            [token for token, _ in tokens],
            [tf for _, tf in tokens],
            f"{{{sparse}}}/{SPARSE_DIM}",
            "[" + ",".join(f"{value:.6g}" for value in vector.tolist()) + "]",
            vector.astype("<f4").tobytes() + codes.tobytes(),
        )
