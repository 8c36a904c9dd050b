"""Documents and articles in one database: the truth that every index is made from.

Adding is idempotent by the file's content hash. Two files that hold the same article share it, so
that removing one of them keeps it. A deleted article stays deleted when its file is added again,
until somebody asks for it to be restored.

The SQL is such that SQLite and PostgreSQL read it alike; `rag.seams.Database` says what else is
asked of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.errors import NotFound
from rag.pagination import PAGED, page_at
from rag.rows import COLUMNS, article_of_row, conditions, marks, row_of_article
from rag.seams import Connection, Database
from rag.sqlite import SqliteFile
from rag.types import Article, Document, Filters, Passage, Span

# A file, its records and its members: "$" stands behind "#", "0" behind "/".
_OF_FILE = "(uri = ? OR (uri > ? AND uri < ?) OR (uri > ? AND uri < ?))"
_SQL_VARIABLES = 500  # values in one IN (…): far under SQLite's limit of 32,766


@dataclass(frozen=True, slots=True)
class Passing:
    """Articles that filters let through.

    Attributes:
        count: how many.
        ids: theirs; or, where they are more than half of all, those of all others.
        all_but: whether `ids` are the others'.
        passages: how many they have.
        earliest: their first date, ISO 8601, None where none is dated.
        latest: their last.
    """

    count: int
    ids: frozenset[str]
    all_but: bool
    passages: int
    earliest: str | None
    latest: str | None


@dataclass(frozen=True, slots=True)
class Put:
    """What `Corpus.put` did.

    Attributes:
        outcome: "added", "replaced" or "unchanged".
        articles: ids of the file's articles that are in the archive now.
        kept_out: how many of them were left out because they had been deleted.
        before: ids of those that it had before; such as no file holds now are gone.
    """

    outcome: str
    articles: tuple[str, ...]
    kept_out: int = 0
    before: tuple[str, ...] = ()


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for i in range(0, len(values), _SQL_VARIABLES):
        yield values[i : i + _SQL_VARIABLES]


def _file_range(file: str) -> tuple[str, ...]:
    return file, f"{file}#", f"{file}$", f"{file}!/", f"{file}!0"


class Corpus:
    """The archive's articles. Threads may share one; each gets its own connection.

    Args:
        where: a SQLite file, made where it is missing; or another database.

    Raises:
        HomeUnusable: the folder cannot be written.
        CorpusDamaged: the file is not a corpus, or SQLite finds it broken.
    """

    def __init__(self, where: Path | Database) -> None:
        self._db: Database = SqliteFile(where) if isinstance(where, Path) else where

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread writes inside is one transaction: all of it or nothing."""
        with self._db.transaction():
            yield

    def close(self) -> None:
        """Close every thread's connection."""
        self._db.close()

    def check(self) -> list[str]:
        """What is not as it was written: pages, rows by their checksums, links; empty is good."""
        return self._db.check()

    # Writing

    def unchanged(self, uri: str, content_hash: str) -> tuple[str, ...] | None:
        """Ids of the articles of a file that is held already as it is; None when it is not."""
        with self._db.reading() as db:
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
        with self._db.transaction() as db:
            old = db.execute("SELECT id FROM documents WHERE uri = ?", (document.uri,)).fetchone()
            before = self._articles_of(db, old[0]) if old else ()
            if old:
                db.execute("DELETE FROM documents WHERE id = ?", old)
            wanted = [a.id for a in articles]
            if restore:
                db.executemany("DELETE FROM deleted WHERE article_id = ?", [(i,) for i in wanted])
            kept_out = self._deleted_among(db, wanted)
            (number,) = db.execute(
                self._db.insertion("documents", "RETURNING id"),
                (
                    document.uri,
                    document.content_hash,
                    document.format,
                    document.encoding,
                    document.text,
                    now,
                ),
            ).fetchall()[0]
            link = self._db.insertion("document_articles")
            keep = self._db.insertion("articles", "ON CONFLICT (id) DO NOTHING")
            for ordinal, article in enumerate(articles):
                db.execute(link, (number, ordinal, article.id))
                if article.id not in kept_out:
                    db.execute(keep, row_of_article(article))
            self._drop_orphans(db, before)
            held = tuple(dict.fromkeys(i for i in wanted if i not in kept_out))
            same = bool(old) and set(before) == set(held)
            outcome = "unchanged" if same else "replaced" if old else "added"
            return Put(outcome, held, len(kept_out), before)

    @staticmethod
    def _articles_of(db: Connection, document_id: int) -> tuple[str, ...]:
        rows = db.execute(
            "SELECT article_id FROM document_articles JOIN articles ON articles.id = article_id"
            " WHERE document_id = ? ORDER BY ordinal",
            (document_id,),
        )
        return tuple(dict.fromkeys(r[0] for r in rows))

    @staticmethod
    def _deleted_among(db: Connection, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for part in _chunks(ids):
            sql = f"SELECT article_id FROM deleted WHERE article_id IN ({marks(part)})"
            found.update(r[0] for r in db.execute(sql, part))
        return found

    @staticmethod
    def _drop_orphans(db: Connection, ids: Iterable[str]) -> None:
        """Drop those articles that no file holds any more."""
        db.executemany(
            "DELETE FROM articles WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM document_articles WHERE article_id = articles.id)",
            [(i,) for i in ids],
        )

    def delete(self, article_id: str, *, now: str) -> None:
        """Take an article out for good; adding its file again does not bring it back.

        Raises:
            NotFound: there is no such article.
        """
        with self._db.transaction() as db:
            if not db.execute("DELETE FROM articles WHERE id = ?", (article_id,)).rowcount:
                raise NotFound(article_id)
            db.execute("DELETE FROM deleted WHERE article_id = ?", (article_id,))
            db.execute(self._db.insertion("deleted"), (article_id, now))

    def forget(self, uris: Iterable[str]) -> None:
        """Drop documents, and the articles that no other holds; added again, they come back."""
        with self._db.transaction() as db:
            for uri in uris:
                row = db.execute("SELECT id FROM documents WHERE uri = ?", (uri,)).fetchone()
                if row:
                    before = self._articles_of(db, row[0])
                    db.execute("DELETE FROM documents WHERE id = ?", row)
                    self._drop_orphans(db, before)

    def put_passages(self, passages: Sequence[Passage]) -> None:
        """Hold the passages of articles, in place of those that they had before."""
        with self._db.transaction() as db:
            articles = {(p.article_id,) for p in passages}
            db.executemany("DELETE FROM passages WHERE article_id = ?", articles)
            db.executemany(
                self._db.insertion("passages"),
                [(p.id, p.article_id, p.paragraph, p.span.start, p.span.end) for p in passages],
            )

    # Reading

    def ids(self) -> set[str]:
        """Ids of all articles."""
        with self._db.reading() as db:
            return {r[0] for r in db.execute("SELECT id FROM articles")}

    def existing(self, ids: Iterable[str]) -> set[str]:
        """Those of the articles that exist."""
        found: set[str] = set()
        with self._db.reading() as db:
            for part in _chunks(list(ids)):
                sql = f"SELECT id FROM articles WHERE id IN ({marks(part)})"
                found.update(r[0] for r in db.execute(sql, part))
        return found

    def languages(self) -> dict[str, frozenset[str] | None]:
        """The ids of the articles of each language; a language without any is left out.

        The ids of the commonest are not listed (None): all that are of no other.
        """
        count = "SELECT language, COUNT(*) FROM articles GROUP BY language ORDER BY language"
        listed = "SELECT id FROM articles WHERE language = ?"
        with self._db.reading() as db:
            counts = dict(db.execute(count).fetchall())
            main = max(counts, key=lambda k: counts[k], default="")
            others = {
                k: frozenset(i for (i,) in db.execute(listed, [k])) for k in counts if k != main
            }
        return {k: others.get(k) for k in counts}

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
        with self._db.reading() as db:
            for part in _chunks(list(dict.fromkeys(ids))):
                sql = f"SELECT {COLUMNS} FROM articles WHERE id IN ({marks(part)})"
                for row in db.execute(sql, part):
                    found[row[0]] = article_of_row(row)
        return found

    def passages(self, ids: Sequence[str]) -> dict[str, Passage]:
        """Those of the passages whose article still exists, by id."""
        found: dict[str, Passage] = {}
        with self._db.reading() as db:
            for part in _chunks(list(dict.fromkeys(ids))):
                sql = (
                    'SELECT p.id, article_id, paragraph, start, "end",'
                    ' substr(text, start + 1, "end" - start)'
                    " FROM passages p JOIN articles a ON a.id = article_id"
                    f" WHERE p.id IN ({marks(part)})"
                )
                for key, article, paragraph, start, end, text in db.execute(sql, part):
                    found[key] = Passage(key, article, paragraph, Span(start, end), text)
        return found

    def passages_and_articles(
        self, ids: Sequence[str]
    ) -> tuple[dict[str, Passage], dict[str, Article]]:
        """Those of the passages whose article still exists, and these articles, by their ids."""
        rows: list[tuple[str, str, int, int, int]] = []
        with self._db.reading() as db:
            for part in _chunks(list(dict.fromkeys(ids))):
                sql = (
                    'SELECT id, article_id, paragraph, start, "end" FROM passages'
                    f" WHERE id IN ({marks(part)})"
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
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT id FROM passages WHERE article_id = ? ORDER BY start", (article_id,)
            ).fetchall()
        found = self.passages([r[0] for r in rows])
        return [found[r[0]] for r in rows if r[0] in found]

    def count_passages(self, article_ids: Iterable[str]) -> int:
        """How many passages these articles have."""
        count = 0
        with self._db.reading() as db:
            for part in _chunks(list(article_ids)):
                sql = f"SELECT count(*) FROM passages WHERE article_id IN ({marks(part)})"
                count += db.execute(sql, part).fetchone()[0]
        return count

    def passing(self, filters: Filters) -> Passing:
        """What some filters let through."""
        where, values = conditions(filters)
        table = "articles" if filters.article_ids else self._db.filtered  # ids are found one by one
        ends = "count(*), min(published), max(published)"
        with self._db.reading() as db:
            row = db.execute(f"SELECT {ends} FROM {table} WHERE {where}", values).fetchone()
            count, earliest, latest = row
            all_but = 2 * count > self._db.count("articles")
            listed = f"{table} WHERE ({where}) IS NOT TRUE" if all_but else f"{table} WHERE {where}"
            ids = frozenset(r[0] for r in db.execute(f"SELECT id FROM {listed}", values))
            of = f"SELECT count(*) FROM passages WHERE article_id IN (SELECT id FROM {listed})"
            passages = db.execute(of, values).fetchone()[0]
            if all_but:
                passages = self._db.count("passages") - passages
        return Passing(count, ids, all_but, passages, earliest, latest)

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
        where, values = conditions(filters or Filters())
        for word in query.split():
            # instr, not LIKE: a % in a title is a character like any other
            where += (
                " AND instr(lower(coalesce(title, '') || '\n' || authors || '\n'"
                " || coalesce(source, '')), lower(?)) > 0"
            )
            values.append(word)
        with self._db.reading() as db:
            total = db.execute(f"SELECT count(*) FROM articles WHERE {where}", values).fetchone()[0]
            rows = db.execute(
                f"SELECT {COLUMNS} FROM articles WHERE {where}"
                " ORDER BY published IS NULL, published DESC, title, id LIMIT ? OFFSET ?",
                [*values, limit, offset],
            ).fetchall()
        return [article_of_row(r) for r in rows], total

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
        with self._db.reading() as db:
            return {
                name: db.execute(
                    f"SELECT v, count(*) FROM ({query}) AS found WHERE v IS NOT NULL AND v <> ''"
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
        with self._db.reading() as db:
            row = db.execute(
                "SELECT format, substr(text, 1, ?) FROM documents JOIN document_articles"
                " ON document_id = documents.id WHERE article_id = ? ORDER BY documents.id LIMIT 1",
                (place, article_id),
            ).fetchone()
        return page_at(row[1], place) if row and row[0] in PAGED else None

    def uris(self, article_id: str) -> list[str]:
        """The files that hold an article."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT uri FROM documents JOIN document_articles ON document_id = documents.id"
                " WHERE article_id = ? ORDER BY uri",
                (article_id,),
            )
            return [r[0] for r in rows]

    def holds(self, file: str, content_hash: str) -> bool:
        """Whether a file, or a part of it, is held with this content hash."""
        with self._db.reading() as db:
            sql = f"SELECT 1 FROM documents WHERE {_OF_FILE} AND content_hash = ? LIMIT 1"
            return db.execute(sql, (*_file_range(file), content_hash)).fetchone() is not None

    def held(self, uri: str) -> tuple[str, ...]:
        """Ids of the articles of one document; none where it is not held."""
        with self._db.reading() as db:
            row = db.execute("SELECT id FROM documents WHERE uri = ?", (uri,)).fetchone()
            return () if row is None else self._articles_of(db, row[0])

    def parts_of(self, file: str) -> list[str]:
        """The documents of a file: itself, its records ("#3") and its members ("!/a.txt")."""
        with self._db.reading() as db:
            sql = f"SELECT uri FROM documents WHERE {_OF_FILE} ORDER BY uri"
            return [r[0] for r in db.execute(sql, _file_range(file))]

    def articles_in(self, file: str) -> list[str]:
        """The articles of a file and of its parts, in order."""
        with self._db.reading() as db:
            sql = (
                "SELECT article_id FROM documents d JOIN document_articles ON document_id = d.id"
                f" JOIN articles ON articles.id = article_id WHERE {_OF_FILE}"
                " ORDER BY d.id, ordinal"
            )
            return list(dict.fromkeys(r[0] for r in db.execute(sql, _file_range(file))))

    def passages_in(self, file: str) -> int:
        """How many passages the articles of a file and of its parts have."""
        with self._db.reading() as db:
            sql = (
                "SELECT count(*) FROM passages WHERE article_id IN (SELECT article_id FROM"
                f" documents d JOIN document_articles ON document_id = d.id WHERE {_OF_FILE})"
            )
            return int(db.execute(sql, _file_range(file)).fetchone()[0])

    def below(self, folder: str) -> Iterator[str]:
        """The documents of the files below a folder, in order."""
        with self._db.reading() as db:
            sql = "SELECT uri FROM documents WHERE uri > ? AND uri < ? ORDER BY uri LIMIT 1000"
            last = folder.rstrip("/") + "/"
            end = last[:-1] + "0"  # the character behind "/"
            while rows := db.execute(sql, (last, end)).fetchall():
                yield from (r[0] for r in rows)
                last = rows[-1][0]

    def dates(self) -> tuple[str | None, str | None]:
        """Earliest and latest date of the articles."""
        ends = (f"(SELECT {end}(published) FROM articles)" for end in ("min", "max"))
        with self._db.reading() as db:
            row = db.execute(f"SELECT {', '.join(ends)}").fetchone()  # each from the index
            return row[0], row[1]

    def stats(self) -> dict[str, int]:
        """Counts of documents, articles, passages and deleted articles."""
        names = ("documents", "articles", "passages", "deleted")
        return {name: self._db.count(name) for name in names}
