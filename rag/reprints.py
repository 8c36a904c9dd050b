"""The same text in several papers: found when an article is added, folded when it is found.

Each article gets a MinHash signature of its body (Broder, 1997, On the Resemblance and
Containment of Documents; the library datasketch). Bands of the signature are the keys by which
near-identical articles are looked up; those whose estimated resemblance reaches RESEMBLANCE form
a family with the article that came first. All of it stands in one SQLite file beside the index; it
is a cache, and `sync` mends whatever it lacks.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.tokens import fold
from rag.corpus import Corpus
from rag.errors import HomeUnusable
from rag.sqlite import connected
from rag.types import Article, Evidence, Reprint

RESEMBLANCE = 0.7
"""Share of common shingles: an edited headline or a sentence cut out stays above it. Different
reports on one event were not labelled, so how many of them it folds is not known."""

SHINGLE = 5
"""Characters of a shingle: about three words, which different texts seldom share."""

SHORTEST = 60
"""Letters and digits; below that a notice's set phrases alone make texts alike."""

_PERMUTATIONS, _BANDS = 128, 32  # bands of 4: a pair alike by .7 meets in one at .9998
_BATCH = 500
_NOT_TEXT = re.compile(r"[\W_]+")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS articles (
    id TEXT PRIMARY KEY, family TEXT NOT NULL, signature BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS articles_family ON articles(family);
CREATE INDEX IF NOT EXISTS articles_known ON articles(id, family);
CREATE TABLE IF NOT EXISTS bands (
    band BLOB NOT NULL, article_id TEXT NOT NULL, PRIMARY KEY (band, article_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bands_article ON bands(article_id);
"""


logger = logging.getLogger(__name__)


class _Damaged(Exception):
    """The file is no sound database."""


class Reprints:
    """Which articles have near-identical texts. Threads may share one."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when first written to."""
        self._path = path
        self._threads = threading.local()

    def sync(self, corpus: Corpus, only: Collection[str] | None = None) -> int:
        """Hold just the corpus's articles; the caller has the writer lock.

        A file that is damaged or empty is made anew.

        Args:
            corpus: the articles.
            only: ids; all others are held as the corpus has them, and need not be compared.

        Returns:
            How many articles were added.

        Raises:
            HomeUnusable: the file cannot be read or written.
        """
        try:
            return self._synced(corpus, only)
        except _Damaged as error:
            logger.warning("reprints_damaged", extra={"reason": str(error)})
            self.forget()
            return self._synced(corpus)

    def forget(self) -> None:
        """Remove the file: the next `sync` makes it anew. The caller has the writer lock."""
        db: sqlite3.Connection | None = getattr(self._threads, "db", None)
        if db is not None:  # else this thread would go on writing to the file that is gone
            db.close()
            self._threads.db = None
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def check(self, corpus: Corpus) -> list[str]:
        """What is not as it was written; empty is good.

        Signatures are compared with the keys made of them, families and ids with the articles.
        """
        if not self._path.exists():
            return []
        wanted, held = corpus.ids(), set()
        families: set[str] = set()
        wrong = 0
        try:
            with self._opened() as db:
                sound = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
                bands: dict[str, set[bytes]] = {}
                for band, key in db.execute("SELECT band, article_id FROM bands"):
                    bands.setdefault(key, set()).add(band)
                for key, family, kept in db.execute("SELECT id, family, signature FROM articles"):
                    held.add(key)
                    families.add(family)
                    mine = None if kept is None else np.frombuffer(kept, np.uint64)
                    keys = set() if mine is None else set(band_keys(mine))
                    wrong += keys != bands.pop(key, set())
        except (_Damaged, HomeUnusable, ValueError, TypeError) as error:
            return [f"reprints.sqlite cannot be read ({error})"]
        found = [] if sound == ["ok"] else sound
        if wrong or bands:
            found.append(f"reprints.sqlite: {wrong + len(bands)} signatures changed since written")
        if unknown := len((held | families) - wanted):
            found.append(f"reprints.sqlite: {unknown} articles that the corpus does not hold")
        return found

    def _synced(self, corpus: Corpus, only: Collection[str] | None = None) -> int:
        with self._opened() as db:
            if only is None or db.execute("SELECT 1 FROM articles LIMIT 1").fetchone() is None:
                wanted = corpus.ids()
                held = {row[0] for row in db.execute("SELECT id FROM articles")}
            else:
                wanted = corpus.existing(only)
                known = "SELECT 1 FROM articles WHERE id = ?"
                held = {key for key in only if db.execute(known, [key]).fetchone()}
            for gone in held - wanted:
                _remove(db, gone)
            db.commit()
            new = sorted(wanted - held)
            for start in range(0, len(new), _BATCH):
                for article in corpus.get_many(new[start : start + _BATCH]).values():
                    _add(db, article)
                db.commit()
        return len(new)

    def families(self, ids: Sequence[str]) -> dict[str, str]:
        """The family of each of these articles that has a near-identical one; others are left out.

        Args:
            ids: at most some hundreds.
        """
        if not self._path.exists() or not ids:
            return {}
        try:
            return self._families(ids)
        except _Damaged as error:  # a reader only shows more; the next writer makes it anew
            logger.warning("reprints_damaged", extra={"reason": str(error)})
            return {}

    def _families(self, ids: Sequence[str]) -> dict[str, str]:
        marks = ",".join("?" * len(ids))
        with self._opened() as db:
            rows = db.execute(
                # By that index no signature is read: .2 ms instead of 1.
                "SELECT id, family FROM articles a INDEXED BY articles_known"  # noqa: S608
                f" WHERE id IN ({marks}) AND EXISTS"
                " (SELECT 1 FROM articles b WHERE b.family = a.family AND b.id <> a.id)",
                list(ids),
            )
            return dict(rows.fetchall())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection. It stays open, as opening it took most of a look-up.

        What fails leaves nothing half written: the connection goes, and what it had not committed.
        """
        db: sqlite3.Connection | None = getattr(self._threads, "db", None)
        self._threads.db = db
        try:
            if db is None:
                db, lasting = connected(self._path)
                if lasting:
                    db.isolation_level = "DEFERRED"  # `commit` ends what belongs together
                    db.executescript(_SCHEMA)
                    self._threads.db = db
            yield db
            if self._threads.db is not db:
                db.close()
        except BaseException as error:
            self._threads.db = None
            if db is not None:
                db.close()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.OperationalError
            ):
                raise _Damaged(str(error)) from error
            if isinstance(error, sqlite3.Error):
                raise HomeUnusable(self._path.parent, str(error)) from error
            raise


def signature(article: Article) -> NDArray[np.uint64] | None:
    """The MinHash of the body's shingles, uint64, (128,); None where the body is too short."""
    words = " ".join(block.span.of(article.text) for block in article.paragraphs)
    text = _NOT_TEXT.sub("", fold(words))
    if len(text) < SHORTEST:
        return None
    from datasketch import MinHash  # brings half of scipy, .8 s, which no question needs

    minhash = MinHash(num_perm=_PERMUTATIONS, hashfunc=zlib.crc32)
    shingles = {text[i : i + SHINGLE].encode() for i in range(len(text) - SHINGLE + 1)}
    minhash.update_batch(sorted(shingles))
    values: NDArray[np.uint64] = minhash.hashvalues.astype(np.uint64)
    return values


def _add(db: sqlite3.Connection, article: Article) -> None:
    mine = signature(article)
    if mine is None:
        db.execute("INSERT INTO articles VALUES (?,?,NULL)", (article.id, article.id))
        return
    keys = band_keys(mine)
    marks = ",".join("?" * len(keys))
    near = db.execute(
        "SELECT id, family, signature FROM articles WHERE id IN"  # noqa: S608  only marks
        f" (SELECT article_id FROM bands WHERE band IN ({marks})) ORDER BY id",
        keys,
    )
    family = family_of(article.id, mine, near)
    db.execute("INSERT INTO articles VALUES (?,?,?)", (article.id, family, mine.tobytes()))
    db.executemany("INSERT OR IGNORE INTO bands VALUES (?,?)", [(k, article.id) for k in keys])


def _remove(db: sqlite3.Connection, gone: str) -> None:
    """Take an article out; a family that had its name has that of the first one left."""
    db.execute("DELETE FROM articles WHERE id = ?", [gone])
    db.execute("DELETE FROM bands WHERE article_id = ?", [gone])
    db.execute(
        "UPDATE articles SET family = (SELECT min(id) FROM articles WHERE family = ?1)"
        " WHERE family = ?1",
        [gone],
    )


def family_of(
    article_id: str, mine: NDArray[np.uint64], near: Iterable[tuple[str, str, bytes]]
) -> str:
    """The family that an article with this signature belongs to; its own id where it is new.

    Args:
        article_id: the article's.
        mine: its signature.
        near: the id, the family and the signature of others that may be alike, by id.
    """
    family, best = article_id, RESEMBLANCE
    for _, other, held in near:
        alike = float(np.mean(np.frombuffer(held, np.uint64) == mine))
        if alike >= best:
            family, best = other, alike
    return family


def band_keys(signature: NDArray[np.uint64]) -> list[bytes]:
    """The keys of a signature's bands.

    Raises:
        ValueError: it is no signature.
    """
    bands = [bytes([n]) + band.tobytes() for n, band in enumerate(np.split(signature, _BANDS))]
    return [zlib.crc32(band).to_bytes(4, "big") + band[:1] for band in bands]


def folded(evidence: Sequence[Evidence], families: Mapping[str, str], top_k: int) -> list[Evidence]:
    """The same paragraph of near-identical articles as one piece of evidence.

    The best-ranked one stays and lists the others' articles as its reprints; two different
    paragraphs of the same family both stay.

    Args:
        evidence: best first.
        families: by article id, as `Reprints.families` gives them.
        top_k: at most so many are kept; beyond them reprints are still gathered.
    """
    kept: list[Evidence] = []
    for item in evidence:
        family = families.get(item.article.id)
        for place, other in enumerate(kept if family else ()):
            if (
                families.get(other.article.id) == family
                and other.article.id != item.article.id
                and _alike(other.passage.text, item.passage.text)
            ):
                reprint = Reprint(item.article.id, item.article.source)
                if reprint not in other.reprints:
                    kept[place] = replace(other, reprints=(*other.reprints, reprint))
                break
        else:
            kept.append(item)
    return [replace(item, rank=rank) for rank, item in enumerate(kept[:top_k], 1)]


def _alike(one: str, other: str) -> bool:
    """Whether two passages share RESEMBLANCE of their shingles."""
    first, second = (_NOT_TEXT.sub("", fold(text)) for text in (one, other))
    if first == second:
        return True
    a = {first[i : i + SHINGLE] for i in range(len(first) - SHINGLE + 1)}
    b = {second[i : i + SHINGLE] for i in range(len(second) - SHINGLE + 1)}
    return len(a & b) >= RESEMBLANCE * len(a | b) and bool(a)
