"""A PostgreSQL server: connections, transactions, one writer at a time, and the schema's versions.

A thread has one connection at a time: what it does inside `transaction` or `writing` goes through
the one that these hold, so that the right to write ends with the connection that writes. Other
reads take any connection of the pool, to the replicas where an address for reads is given.

Needs the extra `postgres` (psycopg 3 with its pool), and pgvector 0.8 on the server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ArchiveBusy, EngineLost, EngineUnusable
from index.pg_pool import SCHEMA, opened, place_of, why

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

_WRITER, _CHANGE = 0x57454E01, 0x57454E02  # advisory locks: who writes; one change at a time
_POLL = 0.05  # seconds


class Postgres:
    """One database. Threads may share it; nothing is connected to before it is used."""

    def __init__(self, url: str, reads: str | None = None) -> None:
        """Remember the addresses.

        Args:
            url: libpq's address of the primary, or of several servers with
                target_session_attrs=read-write: then a promoted one is found by itself.
            reads: address of what answers questions (replicas, with target_session_attrs and
                load_balance_hosts as libpq knows them); None: the primary.

        Raises:
            EngineUnusable: psycopg is not installed, or the address cannot be read.
        """
        self.place = place_of(url)
        self._urls = (url, reads or url)
        self._pools: dict[str, ConnectionPool[Connection[tuple[Any, ...]]]] = {}
        self._guard = threading.RLock()
        self._local = threading.local()
        self._steps: list[tuple[str, Sequence[str]]] = []
        self._ready = False

    def needs(self, part: str, steps: Sequence[str]) -> None:
        """Name a part of the schema; it is brought up to date when the database is first used.

        Args:
            part: its name.
            steps: step n brings it from version n to n + 1; never changed, only added to.
        """
        self._steps.append((part, steps))

    @contextmanager
    def reading(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """A connection that reads; in a transaction of this thread, that one's.

        Raises:
            EngineLost: no server answers, or it was lost meanwhile.
        """
        with self._mapped():
            held = getattr(self._local, "db", None)
            if held is not None:
                yield held
                return
            self._up_to_date()
            with self._pool(self._urls[1]).connection() as db:
                yield db

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[Connection[tuple[Any, ...]]]:
        """One transaction, or a part of the one that this thread is in: all of it or nothing.

        Args:
            alone: wait until no other one that changes the archive is under way, so that the
                statistics of the keywords are counted one change after the other.

        Raises:
            EngineLost: no server answers, or it was lost; whether what was to be committed was is
                not known only where it was lost during the commit itself.
        """
        with self._mapped():
            held = getattr(self._local, "db", None)
            if held is not None and getattr(self._local, "inside", False):
                yield held
                return
            self._up_to_date()
            with self._primary() as db:
                self._local.inside = True
                try:
                    with db.transaction():
                        if alone:
                            db.execute("SELECT pg_advisory_xact_lock(%s)", [_CHANGE])
                        yield db
                finally:
                    self._local.inside = False

    @contextmanager
    def writing(self, wait: float) -> Iterator[None]:
        """Be the only one, on any machine, who writes to this database.

        Args:
            wait: seconds to wait for it.

        Raises:
            ArchiveBusy: somebody else writes.
            EngineLost: no server answers.
        """
        with self._mapped():
            self._up_to_date()
            with self._primary() as db:
                until = time.monotonic() + wait
                while not _one(db, "SELECT pg_try_advisory_lock(%s)", [_WRITER]):
                    if time.monotonic() >= until:
                        raise ArchiveBusy(Path(self.place), _holder(db))
                    time.sleep(_POLL)
                try:
                    yield
                finally:
                    if not db.closed:
                        db.execute("SELECT pg_advisory_unlock(%s)", [_WRITER])

    @contextmanager
    def _primary(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """This thread's connection to the primary, held until the end of the block."""
        held = getattr(self._local, "db", None)
        if held is not None:
            yield held
            return
        with self._pool(self._urls[0]).connection() as db:
            self._local.db = db
            try:
                yield db
            finally:
                self._local.db = None

    def close(self) -> None:
        """Close all connections."""
        with self._guard:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, url: str) -> ConnectionPool[Connection[tuple[Any, ...]]]:
        with self._guard:
            if url not in self._pools:
                self._pools[url] = opened(url)
            return self._pools[url]

    def _up_to_date(self) -> None:
        """Make the tables, or bring older ones to these versions, once a process."""
        if self._ready:
            return
        from psycopg import errors

        with self._guard:
            with self._pool(self._urls[1]).connection() as db:  # a replica may be all there is
                current = self._current(db)
            if not current:
                with self._pool(self._urls[0]).connection() as db:
                    try:
                        self._migrate(db)
                    except (errors.InsufficientPrivilege, errors.FeatureNotSupported,
                            errors.UndefinedFile) as error:  # fmt: skip
                        reason = str(error).splitlines()[0]
                        raise EngineUnusable(self.place, reason) from error
            self._ready = True

    def _current(self, db: Connection[tuple[Any, ...]]) -> bool:
        """Whether each part has its newest version, by reading alone."""
        if not _one(db, "SELECT to_regclass(%s) IS NOT NULL", [f"{SCHEMA}.versions"]):
            return False
        held = dict(db.execute("SELECT part, version FROM versions").fetchall())
        for part, steps in self._steps:
            if held.get(part, 0) > len(steps):
                raise EngineUnusable(
                    self.place,
                    f"its {part} has version {held[part]}, which a newer Wenju made; this one "
                    f"knows versions up to {len(steps)}: install the newer one again",
                )
        return all(held.get(part, 0) == len(steps) for part, steps in self._steps)

    def _migrate(self, db: Connection[tuple[Any, ...]]) -> None:
        """All steps in one transaction: after a failure everything is as it was."""
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", [_CHANGE])
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
            db.execute(
                "CREATE TABLE IF NOT EXISTS versions (part text PRIMARY KEY, version int NOT NULL)"
            )
            held = dict(db.execute("SELECT part, version FROM versions").fetchall())
            for part, steps in self._steps:
                for step in steps[held.get(part, 0) :]:
                    db.execute(step.encode())
                db.execute(
                    "INSERT INTO versions VALUES (%s, %s)"
                    " ON CONFLICT (part) DO UPDATE SET version = excluded.version",
                    [part, len(steps)],
                )

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """The errors of a server that cannot be reached become ours."""
        import psycopg
        from psycopg import errors
        from psycopg_pool import PoolTimeout

        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError,
                errors.ReadOnlySqlTransaction) as error:  # fmt: skip
            reason = why(self._urls) if isinstance(error, PoolTimeout) else str(error)
            raise EngineLost(self.place, " ".join(reason.split())[:200] or "lost") from error


def _one(db: Connection[tuple[Any, ...]], sql: str, values: Sequence[object]) -> Any:  # noqa: ANN401 a column's type
    """The one value that a statement gives."""
    row = db.execute(sql.encode(), values).fetchone()
    return row[0] if row else None


def _holder(db: Connection[tuple[Any, ...]]) -> str:
    """Who holds the right to write, as it named itself."""
    return str(
        _one(
            db,
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND objid = %s AND granted AND pg_locks.database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_WRITER],
        )
        or ""
    )
