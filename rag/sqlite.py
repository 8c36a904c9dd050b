"""The corpus in one SQLite file: connections, transactions, the format and its checksums."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag import checksums
from rag.checksums import add_sums, damaged, register
from rag.errors import CorpusDamaged, HomeUnusable, NewerFormat

SCHEMA_VERSION = 4
_TABLES = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, content_hash TEXT NOT NULL,
    format TEXT NOT NULL, encoding TEXT NOT NULL, text TEXT NOT NULL, added_at TEXT NOT NULL,
    sum INTEGER);
CREATE TABLE articles (
    id TEXT PRIMARY KEY, title TEXT, authors TEXT NOT NULL, affiliations TEXT NOT NULL,
    published TEXT, source TEXT, page TEXT, section TEXT, language TEXT NOT NULL, url TEXT,
    text TEXT NOT NULL, blocks TEXT NOT NULL, paragraphs INTEGER NOT NULL, sum INTEGER);
CREATE INDEX articles_published ON articles(published);
CREATE TABLE document_articles (
    document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, article_id TEXT NOT NULL, sum INTEGER,
    PRIMARY KEY (document_id, ordinal)) WITHOUT ROWID;
CREATE INDEX document_articles_article ON document_articles(article_id);
CREATE TABLE deleted (
    article_id TEXT PRIMARY KEY, at TEXT NOT NULL, sum INTEGER) WITHOUT ROWID;
CREATE TABLE passages (
    id TEXT PRIMARY KEY, article_id TEXT NOT NULL REFERENCES articles(id) ON DELETE CASCADE,
    paragraph INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    sum INTEGER) WITHOUT ROWID;
CREATE INDEX passages_article ON passages(article_id);
"""
_BY_LANGUAGE = "CREATE INDEX IF NOT EXISTS articles_language ON articles(language, id)"
# All that filters ask about: of 68,698 articles it is 6 MB, their texts are 250.
_FILTERED = (
    "CREATE INDEX IF NOT EXISTS articles_filtered"
    " ON articles(published, language, source, section, authors, id)"
)


class SqliteFile:
    """A SQLite file with the corpus's tables. Threads may share one; each has its own connection.

    Raises:
        HomeUnusable: the folder cannot be written.
        CorpusDamaged: the file is not a corpus, or SQLite finds it broken.
    """

    filtered = "articles INDEXED BY articles_filtered"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._all: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._guard = threading.Lock()
        with self.reading() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                self._up_to_date()

    def _up_to_date(self) -> None:
        """Make the tables, or bring those of an older format to this one, in one transaction."""
        with self.transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise NewerFormat(self.path, version, SCHEMA_VERSION)
            if version == 0:
                for statement in _TABLES.split(";"):
                    db.execute(statement)
            if version == 1:
                add_sums(db)
            if version < 3:
                db.execute(_BY_LANGUAGE)
            if version < 4:
                db.execute(_FILTERED)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; SQLite's errors become ours."""
        passing: sqlite3.Connection | None = None
        try:
            db = getattr(self._local, "db", None)
            if db is not None and not db.in_transaction and self._local.file != _file(self.path):
                self._drop(db)  # a backup was put in its place
                db = None
            if db is None:
                db, lasting = connected(self.path)
                register(db)
                if lasting:
                    self._local.db, self._local.file = db, _file(self.path)
                    self._keep(db)
                else:
                    passing = db
            yield db
        except sqlite3.OperationalError as error:
            raise HomeUnusable(self.path.parent, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise CorpusDamaged(self.path, str(error)) from error
        finally:
            if passing is not None:
                passing.close()

    def _keep(self, db: sqlite3.Connection) -> None:
        """Hold this thread's connection, and close those of threads that have ended.

        A server's threads end when they had nothing to do for a while; each would leave its files
        open for ever.
        """
        with self._guard:
            for thread, held in self._all:
                if not thread.is_alive():
                    held.close()
            self._all = [held for held in self._all if held[0].is_alive()]
            self._all.append((threading.current_thread(), db))

    def _drop(self, db: sqlite3.Connection) -> None:
        with self._guard:
            self._all = [held for held in self._all if held[1] is not db]
        db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, or a part of the one that this thread is in: all of it or nothing."""
        with self.reading() as db:
            part = db.in_transaction
            if part:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a full disk may have ended it already
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close every thread's connection."""
        with self._guard:
            for _, db in self._all:
                db.close()
            self._all.clear()
        self._local = threading.local()

    def insertion(self, table: str, conflict: str = "") -> str:
        """The statement that holds a row of a table; takes the columns in order."""
        return f"{checksums.insert(table)} {conflict}"

    def count(self, table: str) -> int:
        """The rows of a table."""
        with self.reading() as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def check(self) -> list[str]:
        """What is not as it was written: pages, rows by their checksums, links; empty is good."""
        with self.reading():
            return damaged(self.path)


def connected(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection to a file of the home, made where it is missing.

    Where nothing can be written, since the disk is full or only to be read, SQLite cannot make the
    files beside it that its log needs; a file whose log is empty is then read as it is.

    Returns:
        The connection, and whether it may be kept: one that only reads is good for one look, since
        the next one may be able to write, and whoever writes would change the file under it.

    Raises:
        sqlite3.Error: it can be opened in neither way.
    """
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("SELECT 1 FROM sqlite_schema").fetchone()
        return db, os.access(path, os.W_OK)  # SQLite opens what it may not write without a word
    except sqlite3.OperationalError:
        db.close()
        log = path.with_name(f"{path.name}-wal")
        if not path.is_file() or (log.exists() and log.stat().st_size):
            raise
    still = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro&immutable=1",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    return still, False


def _file(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path now."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
