"""A checksum in every row of the corpus, because SQLite has none: a bit that flips is found.

Each table's last column is `sum`, the first 6 bytes of the BLAKE3 hash over the row's other columns
as they are stored, so that it can be compared without decoding what may be no text any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from blake3 import blake3

Value = str | bytes | bytearray | int | None

TABLES: dict[str, tuple[str, ...]] = {
    "documents": ("uri", "content_hash", "format", "encoding", "text", "added_at"),
    "articles": ("id", "title", "authors", "affiliations", "published", "source", "page",
                 "section", "language", "url", "text", "blocks", "paragraphs"),
    "document_articles": ("document_id", "ordinal", "article_id"),
    "deleted": ("article_id", "at"),
    "passages": ("id", "article_id", "paragraph", "start", "end"),
}  # fmt: skip
"""The columns that a row's sum is taken over; the first one says which row it is."""


def row_sum(*values: Value) -> int:
    """The sum of a row, below 2**48.

    Args:
        values: its columns in order; a text may be given as a bytearray of its UTF-8.
    """
    digest = blake3()
    for value in values:
        if value is None:
            digest.update(b"\xff;")
            continue
        if isinstance(value, bytes):  # no column holds any: the text's type has flipped
            digest.update(b"\xfe;")
        text = isinstance(value, bytes | bytearray)
        raw = bytes(value) if text else str(value).encode("utf-8", "surrogatepass")  # type: ignore[arg-type]
        digest.update(b"%d;" % len(raw) + raw)
    return int.from_bytes(digest.digest(6), "big")


def insert(table: str) -> str:
    """The statement that holds a row of a table with its sum; takes the columns in order."""
    columns = TABLES[table]
    names = ", ".join(f'"{c}"' for c in columns)
    marks = ", ".join(f"?{n}" for n in range(1, len(columns) + 1))
    return f"INSERT INTO {table}({names}, sum) VALUES ({marks}, row_sum({marks}))"


def register(db: sqlite3.Connection) -> None:
    """Make `row_sum` known to a connection's SQL."""
    db.create_function("row_sum", -1, row_sum, deterministic=True)


def add_sums(db: sqlite3.Connection) -> None:
    """Give the tables of format 1 their sums; in the caller's transaction."""
    for table, columns in TABLES.items():
        names = ", ".join(f'"{c}"' for c in columns)
        db.execute(f"ALTER TABLE {table} ADD COLUMN sum INTEGER")
        db.execute(f"UPDATE {table} SET sum = row_sum({names})")


def raw_connection(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and gives texts as they are stored, in a bytearray."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    db.text_factory = bytearray
    return db


def rows(db: sqlite3.Connection, table: str) -> Iterator[tuple[tuple[Value, ...], bool]]:
    """The rows of a table through a raw connection, each with whether its sum is right.

    Raises:
        sqlite3.DatabaseError: a page of the table cannot be read.
    """
    names = ", ".join(f'"{c}"' for c in TABLES[table])
    for row in db.execute(f"SELECT {names}, sum FROM {table}"):
        yield judged(row)


def judged(row: Sequence[Value]) -> tuple[tuple[Value, ...], bool]:
    """A row of a raw connection without its sum, texts as bytes; and whether its sum is right."""
    *values, held = row
    right = held == row_sum(*values)
    return tuple(bytes(v) if isinstance(v, bytearray) else v for v in values), right


def damaged(path: Path) -> list[str]:
    """What is not as it was written, by table and row; empty is good.

    Raises:
        sqlite3.DatabaseError: the file is no database any more.
    """
    with closing(raw_connection(path)) as db:
        found = [_text(row[0]) for row in db.execute("PRAGMA integrity_check(20)")]
        found = [] if found == ["ok"] else found
        for table in TABLES:
            try:
                wrong = [values[0] for values, right in rows(db, table) if not right]
            except sqlite3.DatabaseError as error:
                found.append(f"{table} cannot be read to its end ({error})")
                continue
            found += _named(table, wrong)
        found += _lost_links(db)
    return found


def _lost_links(db: sqlite3.Connection) -> list[str]:
    """Rows that lead nowhere."""
    try:
        broken = db.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"the tables' links cannot be followed ({error})"]
    return [f"{len(broken)} rows lead to rows that are not there"] if broken else []


def _named(table: str, keys: Sequence[Value]) -> list[str]:
    shown = ", ".join(_text(key) for key in keys[:5])
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return [f"{table}: {shown}{more} changed since written"] if keys else []


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
