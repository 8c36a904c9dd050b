"""The same text in several papers, kept in PostgreSQL; `rag.reprints` says how it is found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from index.pg import Postgres
from rag.corpus import Corpus
from rag.reprints import band_keys, family_of, signature
from rag.types import Article

_BATCH = 500


class PgReprints:
    """Which articles have near-identical texts. Threads may share one."""

    def __init__(self, server: Postgres) -> None:
        """Name the database, whose tables `rag.pg` makes."""
        self._server = server

    def sync(self, corpus: Corpus, only: Collection[str] | None = None) -> int:
        """Look at the articles that are new; those deleted are gone already.

        Args:
            corpus: the articles.
            only: it is known which are new.

        Returns:
            How many articles were added.

        Raises:
            EngineLost: the server does not answer.
        """
        count = 0
        while True:
            with self._server.transaction() as db:
                new = [
                    row[0]
                    for row in db.execute(
                        "DELETE FROM unsigned WHERE id IN"
                        " (SELECT id FROM unsigned ORDER BY id LIMIT %s) RETURNING id",
                        [_BATCH],
                    )
                ]
                new.sort()
                for article in corpus.get_many(new).values():
                    _add(db, article)
            count += len(new)
            if len(new) < _BATCH:
                return count

    def families(self, ids: Sequence[str]) -> dict[str, str]:
        """The family of each of these articles that has a near-identical one; others are left out.

        Raises:
            EngineLost: the server does not answer.
        """
        if not ids:
            return {}
        with self._server.reading() as db:
            rows = db.execute(
                "SELECT id, family FROM reprints a WHERE id = ANY(%s) AND EXISTS"
                " (SELECT 1 FROM reprints b WHERE b.family = a.family AND b.id <> a.id)",
                [list(ids)],
            )
            return dict(rows.fetchall())

    def check(self, corpus: Corpus) -> list[str]:
        """Signatures compared with the keys made of them; empty is good."""
        wrong = 0
        with self._server.reading() as db, db.transaction():
            bands: dict[str, set[bytes]] = {}
            for band, key in db.execute("SELECT band, article_id FROM bands"):
                bands.setdefault(key, set()).add(bytes(band))
            for key, kept in db.execute("SELECT id, signature FROM reprints"):
                mine = set() if kept is None else set(band_keys(np.frombuffer(kept, np.uint64)))
                wrong += mine != bands.pop(key, set())
        return [f"{wrong} signatures of reprints changed since written"] if wrong else []

    def forget(self) -> None:
        """The next `sync` makes it anew."""
        with self._server.transaction() as db:
            db.execute("DELETE FROM reprints")
            db.execute("INSERT INTO unsigned SELECT id FROM articles ON CONFLICT DO NOTHING")


def _add(db: Any, article: Article) -> None:  # noqa: ANN401 psycopg's connection
    mine = signature(article)
    keys = [] if mine is None else band_keys(mine)
    near = db.execute(
        "SELECT id, family, signature FROM reprints WHERE id IN"
        " (SELECT article_id FROM bands WHERE band = ANY(%s)) ORDER BY id",
        [keys],
    ).fetchall()
    family = article.id if mine is None else family_of(article.id, mine, near)
    kept = None if mine is None else mine.tobytes()
    db.execute("INSERT INTO reprints VALUES (%s, %s, %s)", [article.id, family, kept])
    db.execute(
        "INSERT INTO bands SELECT unnest(%s::bytea[]), %s ON CONFLICT DO NOTHING",
        [keys, article.id],
    )
