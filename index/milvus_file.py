"""The statistics of an index in Milvus as a file of the home, where the corpus is one too."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from index.errors import IndexDamaged, IndexUnwritable
from index.milvus_ledger import TABLES


class LedgerFile:
    """A SQLite file with the tables. Threads take turns; each statement takes well under 1 ms."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when it is first used."""
        self._path = path
        self._turn = threading.RLock()
        self._db: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection; SQLite's errors become ours.

        Raises:
            IndexUnwritable: it cannot be made or written.
            IndexDamaged: SQLite finds it broken.
        """
        with self._turn:
            try:
                if self._db is None:
                    self._db = _opened(self._path)
                yield self._db
            except sqlite3.OperationalError as error:
                raise IndexUnwritable(self._path, str(error)) from error
            except sqlite3.DatabaseError as error:
                raise IndexDamaged(self._path, str(error)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, or a part of the one that this thread is in: all of it or nothing."""
        with self.reading() as db:
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # a full disk may have ended it already
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._db is not None:
                self._db.close()
                self._db = None


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        for statement in TABLES:
            db.execute(statement.format(binary=""))
    except sqlite3.Error:
        db.close()
        raise
    return db
