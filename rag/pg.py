"""An archive in PostgreSQL: the corpus's tables beside the index's, in one database.

Articles, passages, vectors and keywords change in one transaction, and a deleted article takes all
of them with it; so many processes on many machines share one truth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from index.pg import Postgres
from index.pg_schema import PARTITIONS
from index.pg_store import PgStore
from index.pg_vectors import PgVectors
from index.tokens import Tokenizer
from rag.checksums import TABLES
from rag.corpus import Corpus
from rag.pg_reprints import PgReprints
from rag.pg_scope import PgScopes
from rag.seams import Cursor
from rag.stores import Stores

if TYPE_CHECKING:
    from psycopg import Connection

_PARTS = "\n".join(
    f"CREATE TABLE wenju.passages_{n} PARTITION OF wenju.passages"
    f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {n});"
    for n in range(PARTITIONS)
)

COUNTED = 200_000
"""Rows up to which a table is counted whenever its size is asked for."""

STEPS = [
    f"""
CREATE TABLE wenju.documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, uri text COLLATE "C" NOT NULL UNIQUE,
    content_hash text NOT NULL, format text NOT NULL, encoding text NOT NULL, text text NOT NULL,
    added_at text NOT NULL);
CREATE TABLE wenju.articles (
    id text COLLATE "C" PRIMARY KEY, title text COLLATE "C", authors text COLLATE "C" NOT NULL,
    affiliations text NOT NULL, published text COLLATE "C", source text COLLATE "C", page text,
    section text COLLATE "C", language text COLLATE "C" NOT NULL, url text, text text NOT NULL,
    blocks text NOT NULL, paragraphs int NOT NULL);
CREATE INDEX articles_published ON wenju.articles (published);
CREATE INDEX articles_source ON wenju.articles (source);
CREATE INDEX articles_language ON wenju.articles (language);
CREATE TABLE wenju.document_articles (
    document_id bigint NOT NULL REFERENCES wenju.documents (id) ON DELETE CASCADE,
    ordinal int NOT NULL, article_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (document_id, ordinal));
CREATE INDEX document_articles_article ON wenju.document_articles (article_id);
CREATE TABLE wenju.deleted (article_id text COLLATE "C" PRIMARY KEY, at text NOT NULL);
CREATE TABLE wenju.passages (
    id text COLLATE "C" NOT NULL,
    article_id text COLLATE "C" NOT NULL REFERENCES wenju.articles (id) ON DELETE CASCADE,
    paragraph int NOT NULL, start int NOT NULL, "end" int NOT NULL,
    PRIMARY KEY (article_id, id)) PARTITION BY HASH (article_id);
{_PARTS}
CREATE INDEX passages_id ON wenju.passages (id);
ALTER TABLE wenju.entries ADD CONSTRAINT entries_article
    FOREIGN KEY (grp) REFERENCES wenju.articles (id) ON DELETE CASCADE;

CREATE TABLE wenju.pending (
    id text COLLATE "C" PRIMARY KEY REFERENCES wenju.articles (id) ON DELETE CASCADE);
COMMENT ON TABLE wenju.pending IS 'articles of which the index holds nothing yet';
CREATE TABLE wenju.unsigned (
    id text COLLATE "C" PRIMARY KEY REFERENCES wenju.articles (id) ON DELETE CASCADE);
COMMENT ON TABLE wenju.unsigned IS 'articles that were not compared with others yet';
CREATE FUNCTION wenju.articles_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO wenju.pending SELECT id FROM changed;
    INSERT INTO wenju.unsigned SELECT id FROM changed;
    RETURN NULL;
END $$;
CREATE TRIGGER articles_added AFTER INSERT ON wenju.articles REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION wenju.articles_added();
CREATE FUNCTION wenju.articles_indexed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        DELETE FROM wenju.pending WHERE id IN (SELECT grp FROM changed);
    ELSE
        INSERT INTO wenju.pending SELECT DISTINCT a.id FROM changed JOIN wenju.articles a
            ON a.id = changed.grp ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_indexed AFTER INSERT ON wenju.entries REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION wenju.articles_indexed();
CREATE TRIGGER entries_unindexed AFTER DELETE ON wenju.entries REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION wenju.articles_indexed();

CREATE TABLE wenju.reprints (
    id text COLLATE "C" PRIMARY KEY REFERENCES wenju.articles (id) ON DELETE CASCADE,
    family text COLLATE "C" NOT NULL, signature bytea);
CREATE INDEX reprints_family ON wenju.reprints (family);
CREATE TABLE wenju.bands (
    band bytea NOT NULL,
    article_id text COLLATE "C" NOT NULL REFERENCES wenju.reprints (id) ON DELETE CASCADE,
    PRIMARY KEY (band, article_id));
CREATE INDEX bands_article ON wenju.bands (article_id);

-- What SQLite calls so.
CREATE FUNCTION wenju.instr(text text, part text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT strpos($1, $2)';
CREATE FUNCTION wenju.json_each(list text) RETURNS TABLE (value text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT jsonb_array_elements_text($1::jsonb)';
"""
]
"""Each step brings the tables from one version to the next; they stand beside the index's."""


def stores(url: str, reads: str | None, tokenizer: Tokenizer) -> Stores:
    """An archive in a database; nothing is connected to yet.

    Args:
        url: see `index.pg.Postgres`.
        reads: the same.
        tokenizer: cuts texts and questions into words.

    Raises:
        EngineUnusable: psycopg is not installed, or the address cannot be read.
    """
    return stores_in(Postgres(url, reads), tokenizer)


def stores_in(server: Postgres, tokenizer: Tokenizer) -> Stores:
    """As `stores`, for a database that more is to be kept in."""
    index = PgStore(server, tokenizer)
    server.needs("corpus", STEPS)
    corpus = Corpus(Tables(server))

    def behind(only: Collection[str] | None = None) -> tuple[frozenset[str], list[str]]:
        with server.reading() as db:
            rows = db.execute("SELECT id FROM pending ORDER BY id").fetchall()
        return frozenset(), [row[0] for row in rows]

    return Stores(
        corpus=corpus,
        index=index,
        vectors=PgVectors(server),
        reprints=PgReprints(server),
        scopes=PgScopes(server),
        writing=server.writing,
        changing=lambda: nullcontext(False),
        behind=behind,
        joined=corpus.together,
        close=server.close,
    )


class Tables:
    """The corpus's tables, for `rag.corpus.Corpus`."""

    filtered = "articles"

    def __init__(self, server: Postgres) -> None:
        self._server = server

    @contextmanager
    def reading(self) -> Iterator[_Questions]:
        """A connection to read with."""
        with self._server.reading() as db:
            yield _Questions(db)

    @contextmanager
    def transaction(self) -> Iterator[_Questions]:
        """One transaction, or a part of the one that this thread is in."""
        with self._server.transaction() as db:
            yield _Questions(db)

    def insertion(self, table: str, conflict: str = "") -> str:
        """The statement that holds a row of a table; takes the columns in order."""
        columns = TABLES[table]
        names = ", ".join(f'"{c}"' for c in columns)
        marks = ", ".join("?" * len(columns))
        return f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}"

    def count(self, table: str) -> int:
        """The rows of a table; of a large one about how many, as the planner knows it."""
        with self._server.reading() as db:
            row = db.execute(
                "SELECT coalesce(sum(reltuples), 0)::bigint FROM pg_class WHERE relkind = 'r' AND"
                " (oid = %s::regclass OR oid IN"
                " (SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass))",
                [table, table],
            ).fetchone()
            if row is None or row[0] < COUNTED:
                row = db.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        return int(row[0]) if row else 0

    def check(self) -> list[str]:
        """Passages of the corpus that the index lacks, and the other way; empty is good."""
        with self._server.reading() as db:
            row = db.execute(
                "SELECT count(*) FILTER (WHERE e.id IS NULL), count(*) FILTER (WHERE p.id IS NULL)"
                " FROM passages p FULL JOIN entries e ON e.grp = p.article_id AND e.id = p.id"
                " WHERE coalesce(p.article_id, e.grp) NOT IN (SELECT id FROM pending)"
            ).fetchone()
        lacking, more = row or (0, 0)
        if lacking or more:
            return [f"{lacking} passages are not in the index, {more} in it are no passages"]
        return []

    def close(self) -> None:
        """Close all connections."""
        self._server.close()


class _Questions:
    """A connection that takes "?" for each value of a statement, as SQLite does."""

    def __init__(self, db: Connection[tuple[Any, ...]]) -> None:
        self._db = db

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run a statement."""
        return self._db.execute(_marked(sql), _kept(values))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run a statement once for each row of values."""
        with self._db.cursor() as cursor:
            cursor.executemany(_marked(sql), [_kept(values) for values in rows])


@lru_cache(maxsize=1_000)
def _marked(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode()


def _kept(values: Sequence[Any]) -> list[Any]:
    """Values as the server takes them: it keeps no NUL, whose place U+FFFD takes."""
    return [v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in values]
