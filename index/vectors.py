"""Vectors by the hash of their text, so that no text is encoded twice under one model.

One SQLite file beside the index. It is a cache: what is missing or damaged in it is encoded again.
Each batch is committed, and on the disk, before the next begins; an interrupted run therefore
continues where it was. The write-ahead log lets readers read while one process writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.errors import WenjuError

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS model (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS vector (
    model INTEGER NOT NULL REFERENCES model (id),
    text BLOB NOT NULL,
    row BLOB NOT NULL,
    check_sum INTEGER NOT NULL,
    UNIQUE (model, text)
);
"""
_WAIT_SECONDS = 60.0  # for another process's batch to be written
_AT_ONCE = 500  # texts looked up by one statement


def encode_once(
    encoder: Encoder,
    texts: Sequence[str],
    look_up: Callable[[Sequence[bytes]], Mapping[bytes, NDArray[np.float32]]],
    store: Callable[[Sequence[bytes], NDArray[np.float32]], None],
    progress: Callable[[int], None] | None,
    batch: int,
) -> NDArray[np.float32]:
    """The passages' vectors, looked up or newly encoded, each distinct text at most once.

    Args:
        encoder: encodes what is not kept.
        texts: may repeat.
        look_up: of some `text_key`s those that are kept, (dim,) each.
        store: keeps new vectors, (n, dim), by their keys, before more are encoded.
        progress: gets the number of texts just done; together it is told `len(texts)`.
        batch: texts encoded between two calls of `store`, 1 or more.

    Returns:
        float32, (n, dim), in the order of `texts`.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; at least 1 is needed")
    rows = np.empty((len(texts), encoder.dim), dtype=np.float32)
    places: dict[bytes, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(text_key(text), []).append(place)

    def keep(keys: Iterable[bytes], vectors: Iterable[NDArray[np.float32]]) -> None:
        done = 0
        for key, vector in zip(keys, vectors, strict=True):
            rows[places[key]] = vector
            done += len(places[key])
        if progress is not None and done:
            progress(done)

    found = look_up(list(places))
    keep(found.keys(), found.values())
    # By length, because encoders that pad work best on texts of about the same length; then by key,
    # so that two writers of the same texts take them in one order.
    missing = sorted(places.keys() - found.keys(), key=lambda k: (len(texts[places[k][0]]), k))
    for start in range(0, len(missing), batch):
        keys = missing[start : start + batch]
        new = encoder.encode_passages([texts[places[key][0]] for key in keys])
        store(keys, new)
        keep(keys, new)
    return rows


class VectorCache:
    """Encodes texts, each once.

    It may be used by several threads and processes: each call opens its own connection, and
    SQLite lets one of them write at a time.
    """

    def __init__(self, path: Path) -> None:
        """Names the file; it and its folder are made when first written to."""
        self._path = path

    def encode(
        self,
        encoder: Encoder,
        texts: Sequence[str],
        progress: Callable[[int], None] | None = None,
        batch: int = 256,
    ) -> NDArray[np.float32]:
        """The passages' vectors, from the file or newly encoded.

        Args:
            encoder: encodes what the file lacks under its fingerprint.
            texts: may repeat; each distinct one is encoded at most once.
            progress: gets the number of texts just done; those found in the file count too, and
                together it is told `len(texts)`.
            batch: texts encoded between two writes, 1 or more; an interruption loses at most these.

        Returns:
            float32, (n, dim), rows of length 1, in the order of `texts`.

        Raises:
            WenjuError: the file cannot be read or written (disk full, no permission).
        """
        with self._opened() as database:
            model = _model_id(database, encoder.fingerprint)
            return encode_once(
                encoder,
                texts,
                lambda keys: _look_up(database, model, keys, encoder.dim),
                lambda keys, rows: _store(database, model, keys, rows),
                progress,
                batch,
            )

    def holds(self, fingerprint: str, texts: Sequence[str]) -> list[bool]:
        """Whether the vector of each text is kept under a model, sound or not."""
        if not self._path.exists():
            return [False] * len(texts)
        keys = [text_key(text) for text in texts]
        found: set[bytes] = set()
        with self._opened() as database:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                query = (
                    "SELECT text FROM vector JOIN model ON model.id = vector.model"  # noqa: S608
                    f" WHERE fingerprint = ? AND text IN ({marks})"  # only marks
                )
                found.update(key for (key,) in database.execute(query, [fingerprint, *some]))
        return [key in found for key in keys]

    def size(self) -> dict[str, int]:
        """How many vectors are kept, by model fingerprint."""
        if not self._path.exists():
            return {}
        with self._opened() as database:
            found = database.execute(
                "SELECT fingerprint, COUNT(vector.text) FROM model"
                " LEFT JOIN vector ON vector.model = model.id GROUP BY model.id"
            )
            return {str(name): int(count) for name, count in found if count}

    def check(self) -> list[str]:
        """What is not as it was written; empty is good. Nothing is changed."""
        if not self._path.exists():
            return []
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS)) as database:
                found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(20)")]
                wrong = len(_unsound(database))
        except sqlite3.DatabaseError as error:
            return [f"{self._path.name} cannot be read ({error})"]
        told = [] if found == ["ok"] else [f"{self._path.name}: {line}" for line in found]
        return told + ([f"{self._path.name}: {wrong} vectors changed since written"] * bool(wrong))

    def mend(self) -> None:
        """Forget the vectors that are damaged, or all where the file is; the next use makes them.

        Raises:
            WenjuError: the file cannot be written.
        """
        problems = self.check()
        if not problems:
            return
        if any("changed since" not in problem for problem in problems):
            self._set_aside(sqlite3.DatabaseError("; ".join(problems)))
            return
        with self._opened() as database, database:
            database.executemany("DELETE FROM vector WHERE rowid = ?", _unsound(database))

    def forget(self, texts: Iterable[str]) -> int:
        """Removes the vectors of these texts, under every model.

        Returns:
            how many were removed.
        """
        if not self._path.exists():
            return 0
        with self._opened() as database, database:
            return sum(
                database.execute("DELETE FROM vector WHERE text = ?", [text_key(text)]).rowcount
                for text in texts
            )

    def purge(self, fingerprint: str, texts: Iterable[str]) -> int:
        """Removes everything but the vectors of `texts` under one model, and shrinks the file.

        Returns:
            how many were removed.
        """
        if not self._path.exists():
            return 0
        with self._opened() as database:
            with database:
                database.execute("CREATE TEMP TABLE keep (text BLOB PRIMARY KEY)")
                database.executemany(
                    "INSERT OR IGNORE INTO keep VALUES (?)", ([text_key(text)] for text in texts)
                )
                removed = database.execute(
                    "DELETE FROM vector WHERE text NOT IN (SELECT text FROM keep)"
                    " OR model NOT IN (SELECT id FROM model WHERE fingerprint = ?)",
                    [fingerprint],
                ).rowcount
                database.execute("DELETE FROM model WHERE fingerprint != ?", [fingerprint])
            database.execute("VACUUM")
        return removed

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection. A damaged file is set aside, so that the next call begins a new one."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(self._connect()) as database:
                yield database
        except (sqlite3.Error, OSError) as error:
            if _is_damage(error):
                self._set_aside(error)
            raise WenjuError(
                f"The vectors in {self._path} cannot be read or written ({error}); make sure that "
                "the folder can be written and the disk has room, and try again: "
                "what was computed is kept, and what is damaged is computed again."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        try:
            return _open(self._path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside(error)
            return _open(self._path)

    def _set_aside(self, error: Exception) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            self._path.rename(aside)
        for ending in ("-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        logger.warning("vectors_damaged", extra={"moved_to": str(aside), "why": str(error)})


def _unsound(database: sqlite3.Connection) -> list[tuple[int]]:
    """The numbers of the rows whose vector is not what was written."""
    rows = database.execute("SELECT rowid, row, check_sum FROM vector")
    return [(number,) for number, row, check_sum in rows if not _is_sound(row, check_sum)]


def _is_sound(row: object, check_sum: object) -> bool:
    """Whether a vector is what was written; damage may have made a number of it."""
    return isinstance(row, bytes) and zlib.crc32(row) == check_sum


def _is_damage(error: Exception) -> bool:
    """Whether the file is not a sound database, rather than busy, full or not permitted."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT_SECONDS)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")  # a committed batch survives a power cut
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def text_key(text: str) -> bytes:
    """What a text is known by: 20 bytes, equal for equal texts on every machine."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()


def _model_id(database: sqlite3.Connection, fingerprint: str) -> int:
    """The number of a model in the file; it is written only where it is new, as readers wait."""
    for _ in range(2):
        for (number,) in database.execute(
            "SELECT id FROM model WHERE fingerprint = ?", [fingerprint]
        ):
            return int(number)
        with database:
            database.execute("INSERT OR IGNORE INTO model (fingerprint) VALUES (?)", [fingerprint])
    raise sqlite3.DatabaseError(f"the model {fingerprint} was written and is not there")


def _look_up(
    database: sqlite3.Connection, model: int, keys: Sequence[bytes], dim: int
) -> dict[bytes, NDArray[np.float32]]:
    """The rows that are there and sound; a damaged one counts as missing and is logged."""
    found: dict[bytes, NDArray[np.float32]] = {}
    damaged = 0
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        query = f"SELECT text, row, check_sum FROM vector WHERE model = ? AND text IN ({marks})"  # noqa: S608  only marks
        for key, row, check_sum in database.execute(query, [model, *some]):
            if _is_sound(row, check_sum) and len(row) == 4 * dim:
                found[key] = np.frombuffer(row, dtype="<f4")
            else:
                damaged += 1
    if damaged:
        logger.warning("vectors_damaged", extra={"vectors": damaged})
    return found


def _store(
    database: sqlite3.Connection,
    model: int,
    keys: Sequence[bytes],
    rows: NDArray[np.float32],
) -> None:
    blobs = (row.astype("<f4").tobytes() for row in rows)
    with database:
        database.executemany(
            "INSERT OR REPLACE INTO vector (model, text, row, check_sum) VALUES (?, ?, ?, ?)",
            ((model, key, blob, zlib.crc32(blob)) for key, blob in zip(keys, blobs, strict=True)),
        )
