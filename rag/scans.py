"""Scans in the home: pictures of their pages, and where each line of their text is printed.

One SQLite file. A page's picture is held once, under the SHA-256 of its bytes, for as long as a
document that shows it has an article in the archive. Losing the file harms no article: its
citations say no more where they are printed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from itertools import groupby
from pathlib import Path

from rag.cite import source_spans
from rag.corpus import Corpus
from rag.errors import ScansDamaged
from rag.types import Article, Citation, Document, Picture, Place, ScanLine, Scanned, Span

logger = logging.getLogger(__name__)

FILE = "scans.sqlite"
"""Its name in the home; made when the first scan is read."""

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE pictures (
    hash TEXT PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE pages (
    uri TEXT NOT NULL, content_hash TEXT NOT NULL, page INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, text TEXT NOT NULL, lines TEXT NOT NULL, picture TEXT,
    PRIMARY KEY (uri, start)) WITHOUT ROWID;
CREATE INDEX pages_picture ON pages(picture);
"""
_UNSHOWN = (
    "DELETE FROM pictures WHERE hash NOT IN (SELECT picture FROM pages WHERE picture IS NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Printed:
    """The lines of a scan that a span of an article was read from.

    Attributes:
        places: of the lines, in the order of the text; never none.
        pictures: the hash of the picture of each page that has one, by the page's number.
    """

    places: tuple[Place, ...]
    pictures: dict[int, str]


class Scans:
    """The scans of one home. Threads and processes may share it: each call connects anew.

    Args:
        home: its folder.
        corpus: its articles.
    """

    def __init__(self, home: Path, corpus: Corpus) -> None:
        self.path, self._corpus = home / FILE, corpus

    def put(self, document: Document) -> None:
        """Hold a document's lines and pictures, in place of those that its file had before.

        Called before the corpus holds the document: a process killed in between leaves what `tidy`
        takes out. For a document that is no scan nothing is written.

        Raises:
            ScansDamaged: the file cannot be written, or is damaged.
        """
        if not document.lines and not self.path.exists():
            return
        shown = {p.page: (_hash(p.data), p) for p in document.pictures}
        with self._connection() as db:
            if not document.lines and not _held(db, document.uri):
                return
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM pages WHERE uri = ?", (document.uri,))
            for key, picture in shown.values():
                db.execute(
                    "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?)",
                    (key, picture.width, picture.height, picture.data),
                )
            for page, found in groupby(document.lines, key=lambda line: line.place.page):
                digest = shown[page][0] if page in shown else None
                db.execute(
                    "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (document.uri, document.content_hash, page, *_row(document, list(found)),
                     digest),
                )  # fmt: skip
            db.execute(_UNSHOWN)
            db.execute("COMMIT")

    def tidy(self, uris: Iterable[str] | None = None) -> int:
        """Drop what is of documents that have no article in the archive; how many documents.

        Args:
            uris: only these documents are looked at; None: all.

        Raises:
            ScansDamaged: the file cannot be written, or is damaged.
        """
        if not self.path.exists():
            return 0
        with self._connection() as db:
            sql = "SELECT DISTINCT uri, content_hash FROM pages"
            if uris is None:
                held = db.execute(sql).fetchall()
            else:
                held = [r for uri in uris for r in db.execute(f"{sql} WHERE uri = ?", (uri,))]
            gone = [uri for uri, digest in held if not self._corpus.unchanged(uri, digest)]
            if gone:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("DELETE FROM pages WHERE uri = ?", [(uri,) for uri in gone])
                db.execute(_UNSHOWN)
                db.execute("COMMIT")
                db.execute("PRAGMA incremental_vacuum")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(gone)

    def marked(self, citations: Sequence[Citation]) -> tuple[Citation, ...]:
        """The citations, those read from a scan with how sure OCR was of their lines.

        Where the file is damaged they are left as they are, and the log says so.
        """
        if not self.path.exists():
            return tuple(citations)
        found = []
        for citation in citations:
            try:
                printed = self.printed(citation.article, citation.span)
            except ScansDamaged:
                logger.exception("scans cannot be read")
                return tuple(citations)
            least = min(place.sure for place in printed.places) if printed else None
            scan = None if least is None else Scanned(least)
            found.append(replace(citation, scan=scan))
        return tuple(found)

    def holds(self, article: Article) -> bool:
        """Whether an article, or a part of it, was read from a scan; damage is logged: no."""
        try:
            return self.printed(article, Span(0, len(article.text))) is not None
        except ScansDamaged:
            logger.exception("scans cannot be read")
            return False

    def printed(self, article: Article, span: Span) -> Printed | None:
        """Where a span of an article is printed; None where it was not read from a scan.

        Raises:
            ScansDamaged: the file is damaged.
        """
        if not self.path.exists():
            return None
        wanted = source_spans(article, span)
        with self._connection() as db:
            for uri in self._corpus.uris(article.id):
                printed = _printed(db, uri, article.text[span.start : span.end], wanted)
                if printed:
                    return printed
        return None

    def picture(self, digest: str) -> Picture | None:
        """A page's picture by its hash; None where it is gone. Its `page` is 0.

        Raises:
            ScansDamaged: the file is damaged, or the picture is not the one that was written.
        """
        with self._connection() as db:
            sql = "SELECT width, height, data FROM pictures WHERE hash = ?"
            row = db.execute(sql, (digest,)).fetchone()
        if row is None:
            return None
        if _hash(row[2]) != digest:
            raise ScansDamaged(self.path, f"picture {digest[:8]} changed since it was written")
        return Picture(0, *row)

    def forget(self) -> Path:
        """Put the file aside, while nobody writes to it; where it is now."""
        aside = self.path.with_name(f"{FILE}.damaged-{time.time_ns()}")
        self.path.rename(aside)
        for ending in ("-wal", "-shm"):
            self.path.with_name(FILE + ending).unlink(missing_ok=True)
        return aside

    def check(self) -> list[str]:
        """What is not as it was written; empty is good."""
        if not self.path.exists():
            return []
        try:
            with self._connection() as db:
                said = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
                rows = db.execute("SELECT hash, data FROM pictures")
                wrong = sum(_hash(data) != digest for digest, data in rows)
        except ScansDamaged as error:
            return [str(error)]
        found = [] if said == ["ok"] else [f"{FILE}: {line}" for line in said]
        return found + ([f"{FILE}: {wrong} pictures changed since written"] if wrong else [])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection; SQLite's errors become ours, and an open transaction is rolled back."""
        try:
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                    _prepare(db)
                db.execute("PRAGMA synchronous=FULL")
                db.execute("PRAGMA secure_delete=ON")  # a picture that is deleted is overwritten
                yield db
        except sqlite3.DatabaseError as error:
            raise ScansDamaged(self.path, str(error)) from error


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are not there; two processes may come at once."""
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN IMMEDIATE")
    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    db.execute("COMMIT")


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _held(db: sqlite3.Connection, uri: str) -> bool:
    return db.execute("SELECT 1 FROM pages WHERE uri = ? LIMIT 1", (uri,)).fetchone() is not None


def _row(document: Document, lines: Sequence[ScanLine]) -> tuple[int, int, str, str]:
    """Start, end and text of the run of a page's lines, and these lines."""
    start, end = lines[0].span.start, lines[-1].span.end
    rows = [[line.span.start, line.span.end, *astuple(line.place)[1:]] for line in lines]
    return start, end, document.text[start:end], json.dumps(rows, separators=(",", ":"))


def _printed(
    db: sqlite3.Connection, uri: str, quote: str, wanted: Sequence[Span]
) -> Printed | None:
    """The lines of one document on which some spans of its text stand.

    None where that document has other characters there: the article was first read from another
    file, and its places are of that one.
    """
    places: list[Place] = []
    pictures: dict[int, str] = {}
    for span in wanted:
        sql = (
            "SELECT page, start, text, lines, picture FROM pages"
            ' WHERE uri = ? AND start < ? AND "end" > ? ORDER BY start'
        )
        for page, start, text, lines, picture in db.execute(sql, (uri, span.end, span.start)):
            if text[max(0, span.start - start) : span.end - start] not in quote:
                return None
            if picture is not None:
                pictures[page] = picture
            places += [
                Place(page, *rest)
                for first, last, *rest in json.loads(lines)
                if first < span.end and last > span.start
            ]
    return Printed(tuple(dict.fromkeys(places)), pictures) if places else None
