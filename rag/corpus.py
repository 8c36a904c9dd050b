"""Documents and articles in one SQLite file: the truth that every index is made from.

Adding is idempotent by the file's content hash. Two files that hold the same article share it, so
that removing one of them keeps it. A deleted article stays deleted when its file is added again,
until somebody asks for it to be restored.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.checksums import add_sums, damaged, insert, register
from rag.errors import CorpusDamaged, HomeUnusable, NewerFormat, NotFound
from rag.readers.extract import PAGED, page_at
from rag.types import (
    Article,
    Block,
    BlockKind,
    Document,
    Filters,
    Joint,
    Part,
    Passage,
    Span,
)

SCHEMA_VERSION = 2
_SCHEMA = """
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
_COLUMNS = "id, title, authors, affiliations, published, source, page, section, language, url, text"
# A file, its records and its members: "$" stands behind "#", "0" behind "/".
_OF_FILE = "(uri = ? OR (uri > ? AND uri < ?) OR (uri > ? AND uri < ?))"
_SQL_VARIABLES = 500  # values in one IN (…): far under SQLite's limit of 32,766


@dataclass(frozen=True, slots=True)
class Put:
    """What `Corpus.put` did.

    Attributes:
        outcome: "added", "replaced" or "unchanged".
        articles: ids of the file's articles that are in the archive now.
        kept_out: how many of them were left out because they had been deleted.
    """

    outcome: str
    articles: tuple[str, ...]
    kept_out: int = 0


def _dump_blocks(blocks: Sequence[Block]) -> str:
    return json.dumps(
        [
            [
                b.kind.value,
                b.span.start,
                b.span.end,
                [[p.start, p.source.start, p.source.end] for p in b.parts],
                [
                    [j.at, j.confidence, j.dropped, j.reasons]
                    + ([j.dropped_at.start, j.dropped_at.end] if j.dropped_at else [])
                    for j in b.joints
                ],
            ]
            for b in blocks
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _load_blocks(text: str) -> tuple[Block, ...]:
    return tuple(
        Block(
            BlockKind(kind),
            Span(start, end),
            tuple(Part(at, Span(a, b)) for at, a, b in parts),
            tuple(
                Joint(at, confidence, dropped, tuple(reasons), Span(*where) if where else None)
                for at, confidence, dropped, reasons, *where in joints
            ),
        )
        for kind, start, end, parts, joints in json.loads(text)
    )


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for i in range(0, len(values), _SQL_VARIABLES):
        yield values[i : i + _SQL_VARIABLES]


def _file_range(file: str) -> tuple[str, ...]:
    return file, f"{file}#", f"{file}$", f"{file}!/", f"{file}!0"


def _file(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path now."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


class Corpus:
    """The archive's articles. Threads may share one; each gets its own connection.

    Raises:
        HomeUnusable: the folder cannot be written.
        CorpusDamaged: the file is not a corpus, or SQLite finds it broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        with self._connection() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                self._up_to_date()

    def _up_to_date(self) -> None:
        """Make the tables, or bring those of an older format to this one, in one transaction."""
        with self.transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise NewerFormat(self.path, version, SCHEMA_VERSION)
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
            elif version == 1:
                add_sums(db)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; SQLite's errors become ours."""
        try:
            db = getattr(self._local, "db", None)
            if db is not None and not db.in_transaction and self._local.file != _file(self.path):
                self._drop(db)  # a backup was put in its place
                db = None
            if db is None:
                db = sqlite3.connect(
                    self.path, timeout=30, isolation_level=None, check_same_thread=False
                )
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                db.execute("PRAGMA foreign_keys=ON")
                register(db)
                self._local.db, self._local.file = db, _file(self.path)
                with self._guard:
                    self._all.append(db)
            yield db
        except sqlite3.OperationalError as error:
            raise HomeUnusable(self.path.parent, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise CorpusDamaged(self.path, str(error)) from error

    def _drop(self, db: sqlite3.Connection) -> None:
        with self._guard:
            self._all.remove(db)
        db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, or a part of `together`'s: all of it or nothing."""
        with self._connection() as db:
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

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread writes inside is one transaction: all of it or nothing."""
        with self.transaction():
            yield

    def close(self) -> None:
        """Close every thread's connection."""
        with self._guard:
            for db in self._all:
                db.close()
            self._all.clear()
        self._local = threading.local()

    # Writing

    def unchanged(self, uri: str, content_hash: str) -> tuple[str, ...] | None:
        """Ids of the articles of a file that is held already as it is; None when it is not."""
        with self._connection() as db:
            row = db.execute(
                "SELECT id FROM documents WHERE uri = ? AND content_hash = ?", (uri, content_hash)
            ).fetchone()
            return None if row is None else self._articles_of(db, row[0])

    def put(
        self, document: Document, articles: Sequence[Article], *, now: str, restore: bool = False
    ) -> Put:
        """Hold a file's articles, in place of those that it had before.

        Args:
            document: the file.
            articles: what was read from it.
            now: ISO 8601 time.
            restore: bring back articles that had been deleted.
        """
        with self.transaction() as db:
            old = db.execute("SELECT id FROM documents WHERE uri = ?", (document.uri,)).fetchone()
            before = set(self._articles_of(db, old[0])) if old else set()
            if old:
                db.execute("DELETE FROM documents WHERE id = ?", old)
            wanted = [a.id for a in articles]
            if restore:
                db.executemany("DELETE FROM deleted WHERE article_id = ?", [(i,) for i in wanted])
            kept_out = self._deleted_among(db, wanted)
            cursor = db.execute(
                insert("documents"),
                (
                    document.uri,
                    document.content_hash,
                    document.format,
                    document.encoding,
                    document.text,
                    now,
                ),
            )
            for ordinal, article in enumerate(articles):
                db.execute(
                    insert("document_articles"),
                    (cursor.lastrowid, ordinal, article.id),
                )
                if article.id not in kept_out:
                    self._insert_article(db, article)
            self._drop_orphans(db, before)
            held = tuple(dict.fromkeys(i for i in wanted if i not in kept_out))
            same = bool(old) and before == set(held)
            outcome = "unchanged" if same else "replaced" if old else "added"
            return Put(outcome, held, len(kept_out))

    @staticmethod
    def _insert_article(db: sqlite3.Connection, a: Article) -> None:
        dump = json.dumps
        db.execute(
            insert("articles", or_="OR IGNORE"),
            (
                a.id,
                a.title,
                dump(a.authors, ensure_ascii=False),
                dump(a.affiliations, ensure_ascii=False),
                a.published,
                a.source,
                a.page,
                a.section,
                a.language,
                a.url,
                a.text,
                _dump_blocks(a.blocks),
                len(a.paragraphs),
            ),
        )

    @staticmethod
    def _articles_of(db: sqlite3.Connection, document_id: int) -> tuple[str, ...]:
        rows = db.execute(
            "SELECT article_id FROM document_articles JOIN articles ON articles.id = article_id"
            " WHERE document_id = ? ORDER BY ordinal",
            (document_id,),
        )
        return tuple(dict.fromkeys(r[0] for r in rows))

    @staticmethod
    def _deleted_among(db: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for part in _chunks(ids):
            sql = f"SELECT article_id FROM deleted WHERE article_id IN ({_marks(part)})"
            found.update(r[0] for r in db.execute(sql, part))
        return found

    @staticmethod
    def _drop_orphans(db: sqlite3.Connection, ids: Iterable[str]) -> None:
        """Drop those articles that no file holds any more."""
        db.executemany(
            "DELETE FROM articles WHERE id = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM document_articles WHERE article_id = ?1)",
            [(i,) for i in ids],
        )

    def delete(self, article_id: str, *, now: str) -> None:
        """Take an article out for good; adding its file again does not bring it back.

        Raises:
            NotFound: there is no such article.
        """
        with self.transaction() as db:
            if not db.execute("DELETE FROM articles WHERE id = ?", (article_id,)).rowcount:
                raise NotFound(article_id)
            db.execute(insert("deleted", or_="OR REPLACE"), (article_id, now))

    def forget(self, uris: Iterable[str]) -> None:
        """Drop documents, and the articles that no other holds; added again, they come back."""
        with self.transaction() as db:
            for uri in uris:
                row = db.execute("SELECT id FROM documents WHERE uri = ?", (uri,)).fetchone()
                if row:
                    before = self._articles_of(db, row[0])
                    db.execute("DELETE FROM documents WHERE id = ?", row)
                    self._drop_orphans(db, before)

    def put_passages(self, passages: Sequence[Passage]) -> None:
        """Hold the passages of articles, in place of those that they had before."""
        with self.transaction() as db:
            articles = {(p.article_id,) for p in passages}
            db.executemany("DELETE FROM passages WHERE article_id = ?", articles)
            db.executemany(
                insert("passages"),
                [(p.id, p.article_id, p.paragraph, p.span.start, p.span.end) for p in passages],
            )

    # Reading

    def ids(self) -> set[str]:
        """Ids of all articles."""
        with self._connection() as db:
            return {r[0] for r in db.execute("SELECT id FROM articles")}

    def languages(self) -> dict[str, frozenset[str]]:
        """The ids of the articles of each language; a language without any is left out."""
        found: dict[str, set[str]] = {}
        with self._connection() as db:
            for key, language in db.execute("SELECT id, language FROM articles"):
                found.setdefault(language, set()).add(key)
        return {language: frozenset(ids) for language, ids in sorted(found.items())}

    def get(self, article_id: str) -> Article:
        """One article.

        Raises:
            NotFound: there is no such article.
        """
        found = self.get_many([article_id])
        if article_id not in found:
            raise NotFound(article_id)
        return found[article_id]

    def get_many(self, ids: Sequence[str]) -> dict[str, Article]:
        """Those of the articles that exist, by id."""
        found: dict[str, Article] = {}
        with self._connection() as db:
            for part in _chunks(list(dict.fromkeys(ids))):
                sql = f"SELECT {_COLUMNS}, blocks FROM articles WHERE id IN ({_marks(part)})"
                for row in db.execute(sql, part):
                    found[row[0]] = self._article(row)
        return found

    @staticmethod
    def _article(row: Sequence[str]) -> Article:
        return Article(
            id=row[0],
            title=row[1],
            authors=tuple(json.loads(row[2])),
            affiliations=tuple(json.loads(row[3])),
            published=row[4],
            source=row[5],
            page=row[6],
            section=row[7],
            language=row[8],
            url=row[9],
            text=row[10],
            blocks=_load_blocks(row[11]),
        )

    def passages(self, ids: Sequence[str]) -> dict[str, Passage]:
        """Those of the passages whose article still exists, by id."""
        found: dict[str, Passage] = {}
        with self._connection() as db:
            for part in _chunks(list(dict.fromkeys(ids))):
                sql = (
                    'SELECT p.id, article_id, paragraph, start, "end",'
                    ' substr(text, start + 1, "end" - start)'
                    " FROM passages p JOIN articles a ON a.id = article_id"
                    f" WHERE p.id IN ({_marks(part)})"
                )
                for key, article, paragraph, start, end, text in db.execute(sql, part):
                    found[key] = Passage(key, article, paragraph, Span(start, end), text)
        return found

    def passages_and_articles(
        self, ids: Sequence[str]
    ) -> tuple[dict[str, Passage], dict[str, Article]]:
        """Those of the passages whose article still exists, and these articles, by their ids."""
        rows: list[tuple[str, str, int, int, int]] = []
        with self._connection() as db:
            for part in _chunks(list(dict.fromkeys(ids))):
                sql = (
                    'SELECT id, article_id, paragraph, start, "end" FROM passages'
                    f" WHERE id IN ({_marks(part)})"
                )
                rows += db.execute(sql, part)
        articles = self.get_many([row[1] for row in rows])
        passages: dict[str, Passage] = {}
        for key, article, paragraph, start, end in rows:
            if article in articles:
                text = articles[article].text[start:end]
                passages[key] = Passage(key, article, paragraph, Span(start, end), text)
        return passages, articles

    def passages_of(self, article_id: str) -> list[Passage]:
        """An article's passages in order."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT id FROM passages WHERE article_id = ? ORDER BY start", (article_id,)
            ).fetchall()
        found = self.passages([r[0] for r in rows])
        return [found[r[0]] for r in rows if r[0] in found]

    def count_passages(self, article_ids: Iterable[str]) -> int:
        """How many passages these articles have."""
        count = 0
        with self._connection() as db:
            for part in _chunks(list(article_ids)):
                sql = f"SELECT count(*) FROM passages WHERE article_id IN ({_marks(part)})"
                count += db.execute(sql, part).fetchone()[0]
        return count

    def select(self, filters: Filters) -> set[str] | None:
        """Ids of the articles that pass; None when nothing is restricted."""
        if filters == Filters():
            return None
        where, values = _conditions(filters)
        with self._connection() as db:
            rows = db.execute(f"SELECT id FROM articles WHERE {where}", values)
            return {r[0] for r in rows}

    def listing(
        self, *, limit: int = 50, offset: int = 0, query: str = "", filters: Filters | None = None
    ) -> tuple[list[Article], int]:
        """Articles by date, newest first, then by title; and how many there are in all.

        Args:
            limit: at most so many.
            offset: skip so many.
            query: words that must stand in the title, an author or the source.
            filters: which articles to list.
        """
        where, values = _conditions(filters or Filters())
        for word in query.split():
            # instr, not LIKE: a % in a title is a character like any other
            where += (
                " AND instr(lower(coalesce(title, '') || char(10) || authors || char(10)"
                " || coalesce(source, '')), lower(?))"
            )
            values.append(word)
        with self._connection() as db:
            total = db.execute(f"SELECT count(*) FROM articles WHERE {where}", values).fetchone()[0]
            rows = db.execute(
                f"SELECT {_COLUMNS}, blocks FROM articles WHERE {where}"
                " ORDER BY published IS NULL, published DESC, title, id LIMIT ? OFFSET ?",
                [*values, limit, offset],
            ).fetchall()
        return [self._article(r) for r in rows], total

    def facets(self, limit: int = 200) -> dict[str, list[tuple[str, int]]]:
        """What articles can be chosen by: each value with the number of articles that have it.

        Args:
            limit: of each field at most so many values, the most frequent first.

        Returns:
            "authors", "sources", "sections" and "languages", the fields of `Filters`.
        """
        columns = {"sources": "source", "sections": "section", "languages": "language"}
        queries = {"authors": "SELECT value AS v FROM articles, json_each(articles.authors)"}
        queries |= {name: f"SELECT {column} AS v FROM articles" for name, column in columns.items()}
        with self._connection() as db:
            return {
                name: db.execute(
                    f"SELECT v, count(*) FROM ({query}) WHERE v IS NOT NULL AND v <> ''"
                    " GROUP BY v ORDER BY 2 DESC, v LIMIT ?",
                    (limit,),
                ).fetchall()
                for name, query in queries.items()
            }

    def source_page(self, article_id: str, place: int) -> int | None:
        """The page of the PDF or scan, from 1, on which a place of an article's source stands.

        Args:
            article_id: an article.
            place: in the text of the file that it was read from, in code points.

        Returns:
            None where the first file that holds the article has no pages.
        """
        with self._connection() as db:
            row = db.execute(
                "SELECT format, substr(text, 1, ?) FROM documents JOIN document_articles"
                " ON document_id = documents.id WHERE article_id = ? ORDER BY documents.id LIMIT 1",
                (place, article_id),
            ).fetchone()
        return page_at(row[1], place) if row and row[0] in PAGED else None

    def uris(self, article_id: str) -> list[str]:
        """The files that hold an article."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT uri FROM documents JOIN document_articles ON document_id = documents.id"
                " WHERE article_id = ? ORDER BY uri",
                (article_id,),
            )
            return [r[0] for r in rows]

    def holds(self, file: str, content_hash: str) -> bool:
        """Whether a file, or a part of it, is held with this content hash."""
        with self._connection() as db:
            sql = f"SELECT 1 FROM documents WHERE {_OF_FILE} AND content_hash = ? LIMIT 1"
            return db.execute(sql, (*_file_range(file), content_hash)).fetchone() is not None

    def held(self, uri: str) -> tuple[str, ...]:
        """Ids of the articles of one document; none where it is not held."""
        with self._connection() as db:
            row = db.execute("SELECT id FROM documents WHERE uri = ?", (uri,)).fetchone()
            return () if row is None else self._articles_of(db, row[0])

    def parts_of(self, file: str) -> list[str]:
        """The documents of a file: itself, its records ("#3") and its members ("!/a.txt")."""
        with self._connection() as db:
            sql = f"SELECT uri FROM documents WHERE {_OF_FILE} ORDER BY uri"
            return [r[0] for r in db.execute(sql, _file_range(file))]

    def articles_in(self, file: str) -> list[str]:
        """The articles of a file and of its parts, in order."""
        with self._connection() as db:
            sql = (
                "SELECT article_id FROM documents d JOIN document_articles ON document_id = d.id"
                f" JOIN articles ON articles.id = article_id WHERE {_OF_FILE}"
                " ORDER BY d.id, ordinal"
            )
            return list(dict.fromkeys(r[0] for r in db.execute(sql, _file_range(file))))

    def passages_in(self, file: str) -> int:
        """How many passages the articles of a file and of its parts have."""
        with self._connection() as db:
            sql = (
                "SELECT count(*) FROM passages WHERE article_id IN (SELECT article_id FROM"
                f" documents d JOIN document_articles ON document_id = d.id WHERE {_OF_FILE})"
            )
            return int(db.execute(sql, _file_range(file)).fetchone()[0])

    def below(self, folder: str) -> Iterator[str]:
        """The documents of the files below a folder, in order."""
        with self._connection() as db:
            sql = "SELECT uri FROM documents WHERE uri > ? AND uri < ? ORDER BY uri LIMIT 1000"
            last = folder.rstrip("/") + "/"
            end = last[:-1] + "0"  # the character behind "/"
            while rows := db.execute(sql, (last, end)).fetchall():
                yield from (r[0] for r in rows)
                last = rows[-1][0]

    def dates(self, ids: Container[str] | None = None) -> tuple[str | None, str | None]:
        """Earliest and latest date of the articles (of those in `ids`)."""
        with self._connection() as db:
            if ids is None:
                row = db.execute("SELECT min(published), max(published) FROM articles").fetchone()
                return row[0], row[1]
            rows = db.execute("SELECT id, published FROM articles WHERE published IS NOT NULL")
            found = sorted(r[1] for r in rows if r[0] in ids)
        return (found[0], found[-1]) if found else (None, None)

    def stats(self) -> dict[str, int]:
        """Counts of documents, articles, passages and deleted articles."""
        with self._connection() as db:
            return {
                name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                for name in ("documents", "articles", "passages", "deleted")
            }

    def check(self) -> list[str]:
        """What is not as it was written: pages, rows by their checksums, links; empty is good."""
        with self._connection():
            return damaged(self.path)


def _conditions(filters: Filters) -> tuple[str, list[object]]:
    where = ["1"]
    values: list[object] = []
    for column, wanted in (
        ("source", filters.sources),
        ("section", filters.sections),
        ("language", filters.languages),
        ("id", filters.article_ids),
    ):
        if wanted:
            where.append(f"{column} IN ({_marks(wanted)})")
            values += wanted
    if filters.authors:
        where.append(
            "EXISTS (SELECT 1 FROM json_each(articles.authors)"
            f" WHERE value IN ({_marks(filters.authors)}))"
        )
        values += filters.authors
    if filters.date_from:
        where.append("published >= ?")
        values.append(filters.date_from)
    if filters.date_to:
        # "2024" and "2024-05" are as precise as it is known: they pass a later day of that time,
        # and as the last date they let all of that time pass: "~" sorts behind every character.
        where.append("published <= ?")
        values.append(filters.date_to + "~")
    if filters.as_of:
        # Only what had surely been published: of "2024-05" that can be said from 31 May on.
        where.append("published || substr('-12-31', 1 + length(published) - 4) <= ?")
        values.append(_last_day(filters.as_of))
    return " AND ".join(where), values


def _last_day(date: str) -> str:
    """The last day that a date may mean, with 31 days a month: "2024-05-31" for "2024-05"."""
    return date + "-12-31"[len(date) - 4 :]
