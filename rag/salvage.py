"""What can be saved of a corpus that is damaged: the rows that are as they were written.

The sound rows go into a new file, which takes the place of the old one; that is kept beside it. A
file of which something is lost is forgotten, so that adding it again reads it anew.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.lock import WriterLock
from rag import unfinished
from rag.archive import PATIENCE
from rag.checksums import TABLES, Value, damaged, insert, judged, raw_connection
from rag.errors import CorpusDamaged, HomeUnusable, NewerFormat
from rag.sqlite import SqliteFile
from rag.stores import CHANGING, FILE, LOCK

Row = tuple[Value, ...]

_LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class Saved:
    """What `salvage` did.

    Attributes:
        aside: where the damaged file is now.
        articles: how many were saved.
        lost: ids of articles of which it is known that they were there.
        files: names of the files to be added again, as far as they are known.
        unnamed: files to be added again whose names cannot be read.
        unread: tables that could not be read to their end: what else they held is not known.
    """

    aside: Path
    articles: int
    lost: tuple[str, ...]
    files: tuple[str, ...]
    unnamed: int
    unread: tuple[str, ...]


def mend(home: Path) -> Saved | None:
    """Save what can be saved of a home's corpus, where that is damaged.

    Servers that have it open go on reading the old file: they are to be started again.

    Returns:
        What was done; None where nothing had to be.

    Raises:
        ArchiveBusy: another process is writing to this home.
        CorpusDamaged: nothing of it can be read.
        HomeUnusable: the folder cannot be written.
    """
    path = home / FILE
    with WriterLock(home / LOCK, PATIENCE):
        try:
            if not needed(path):
                return None
            (home / unfinished.FILE).unlink(missing_ok=True)  # what it counts on may be lost
            (home / CHANGING).touch()  # the index has more than is saved
            return salvage(path)
        except OSError as error:
            raise HomeUnusable(home, error.strerror or str(error)) from error


def needed(path: Path) -> bool:
    """Whether a corpus is damaged; one that is not there is not.

    Raises:
        HomeUnusable: the file cannot be opened.
        NewerFormat: a newer Wenju wrote it.
    """
    if not path.exists():
        return False
    try:
        SqliteFile(path).close()  # brings an older format up to date
        return bool(damaged(path))
    except NewerFormat:
        raise
    except (CorpusDamaged, sqlite3.DatabaseError):
        return True


def salvage(path: Path) -> Saved:
    """Put the sound rows of a damaged corpus in its place; the caller has the writer lock.

    Args:
        path: of the corpus; nobody else may have it open.

    Raises:
        CorpusDamaged: nothing of it can be read.
    """
    try:
        with closing(raw_connection(path)) as db:
            unread: set[str] = set()
            held = {table: _sound(db, table, unread) for table in TABLES if table != "passages"}
            ids = dict(_pairs(db))
    except sqlite3.DatabaseError as error:
        raise CorpusDamaged(path, str(error)) from error
    articles = {row[0]: row for row in held["articles"]}
    if not articles:
        raise CorpusDamaged(path, "no article in it can be read")
    deleted = {row[0] for row in held["deleted"]}
    links: dict[Value, list[Row]] = {}
    for row in held["document_articles"]:
        links.setdefault(row[0], []).append(row)
    lost = {
        row[2]
        for own in links.values()
        for row in own
        if row[2] not in articles and row[2] not in deleted
    }
    whole = {
        number: row
        for row in held["documents"]
        if (number := ids.get(row[0])) is not None
        and number in links
        and not any(link[2] in lost for link in links[number])
    }
    again = [name for name, number in ids.items() if number not in whole]
    _write(path, articles, whole, links, held["deleted"])
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    _beside(path).rename(path)
    unnamed = len(set(links) - set(ids.values()))
    again_names, tables = _names(set(again)), tuple(sorted(unread))
    return Saved(aside, len(articles), _names(lost), again_names, unnamed, tables)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.mending")


def _write(
    path: Path,
    articles: dict[Value, Row],
    documents: dict[int, Row],
    links: dict[Value, list[Row]],
    deleted: list[Row],
) -> None:
    """The new file, closed and so without a log beside it."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(_beside(path).name + ending).unlink(missing_ok=True)
    made = SqliteFile(_beside(path))
    try:
        with made.transaction() as db:
            for row in articles.values():
                db.execute(insert("articles"), _decoded(row))
            for number, row in documents.items():
                done = db.execute(insert("documents"), _decoded(row))
                for link in links[number]:
                    db.execute(insert("document_articles"), (done.lastrowid, *_decoded(link)[1:]))
            for row in deleted:
                db.execute(insert("deleted"), _decoded(row))
    finally:
        made.close()


def _sound(db: sqlite3.Connection, table: str, unread: set[str]) -> list[Row]:
    """The rows of a table that can be reached and are as they were written."""
    found: dict[Row, None] = {}
    for row in _reachable(db, table, unread):
        values, right = judged(row)
        if right and _is_text(values):
            found[values] = None
    return list(found)


def _reachable(db: sqlite3.Connection, table: str, unread: set[str]) -> Iterator[Row]:
    """The rows from the front up to a page that cannot be read, and from the back down to it.

    A table that has such a page is added to `unread`.
    """
    names = ", ".join(f'"{c}"' for c in TABLES[table])
    key = "rowid" if table in ("documents", "articles") else f'"{TABLES[table][0]}"'
    for order in ("ASC", "DESC"):
        try:
            yield from db.execute(f"SELECT {names}, sum FROM {table} ORDER BY {key} {order}")
            return
        except sqlite3.DatabaseError:
            unread.add(table)
    if key == "rowid":
        yield from _one_by_one(db, table, names)


def _one_by_one(db: sqlite3.Connection, table: str, names: str) -> Iterator[Row]:
    """Rows by their numbers: past a page that cannot be read too."""
    number, failures = 0, 0
    while number < _LARGEST and failures < 10_000:
        number += 1
        try:
            row = db.execute(f"SELECT {names}, sum FROM {table} WHERE rowid = ?", (number,))
            found = row.fetchone()
        except sqlite3.DatabaseError:
            failures += 1
            continue
        if found is None:
            failures += 1
        else:
            failures = 0
            yield found


def _pairs(db: sqlite3.Connection) -> Iterator[tuple[Value, int]]:
    """The files' names and numbers, which an index of the table holds once more."""
    try:
        yield from _bytes(db.execute("SELECT uri, id FROM documents ORDER BY uri"))
    except sqlite3.DatabaseError:
        for order in ("ASC", "DESC"):
            try:
                rows = db.execute(f"SELECT uri, id FROM documents ORDER BY id {order}")
                yield from _bytes(rows)
            except sqlite3.DatabaseError:  # counted as `unnamed`
                continue


def _bytes(rows: Iterable[tuple[object, object]]) -> Iterator[tuple[Value, int]]:
    """The rows whose types are what they should be; the others are counted as `unnamed`."""
    for name, number in rows:
        if isinstance(name, bytearray) and isinstance(number, int):
            yield bytes(name), number


def _is_text(values: Row) -> bool:
    return all(not isinstance(v, bytes) or _decodes(v) for v in values)


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(row: Row) -> list[Value]:
    return [v.decode() if isinstance(v, bytes) else v for v in row]


def _names(values: set[Value]) -> tuple[str, ...]:
    return tuple(
        sorted(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)
    )
