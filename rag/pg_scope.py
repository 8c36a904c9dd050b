"""Which articles a question may be answered from, as conditions that PostgreSQL works out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from index.pg import Postgres
from index.pg_groups import Chosen
from rag.rows import conditions
from rag.scope import KEPT, Scope
from rag.seams import Snapshot
from rag.types import Filters

_FIGURES = (
    "SELECT language, count(*), min(published), max(published), sum((SELECT count(*) FROM passages"
    " WHERE article_id = articles.id)) FROM articles WHERE {where} GROUP BY language ORDER BY 1"
)


class PgScopes:
    """Keeps the scopes of the newest generation asked about. Threads may share it."""

    def __init__(self, server: Postgres) -> None:
        """Nothing is asked yet."""
        self._server = server
        self._lock = threading.Lock()
        self._generation = -1
        self._held: OrderedDict[Filters, Scope] = OrderedDict()

    def of(self, snapshot: Snapshot, filters: Filters | None) -> Scope:
        """What some filters let through; no article's id leaves the database.

        Raises:
            EngineLost: the server does not answer.
        """
        chosen = filters or Filters()
        with self._lock:
            if self._generation != snapshot.generation:
                self._generation = snapshot.generation
                self._held.clear()
            scope = self._held.pop(chosen, None)
        scope = scope or self._made(snapshot, chosen)
        with self._lock:
            self._held[chosen] = scope
            if len(self._held) > KEPT:
                self._held.popitem(last=False)
        return scope

    def _made(self, snapshot: Snapshot, filters: Filters) -> Scope:
        where, values = _marked(filters)
        with self._server.reading() as db:
            found = db.execute(_FIGURES.format(where=where).encode(), values).fetchall()
        all_of_it = filters == Filters()
        alone = all_of_it and len(found) == 1
        places = {
            language: None if alone else _chosen(replace(filters, languages=(language,)), passages)
            for language, _, _, _, passages in found
        }
        passages = sum(int(row[4]) for row in found)
        days = sorted(day for row in found for day in row[2:4] if day is not None)
        return Scope(
            articles=None if all_of_it else _chosen(filters, passages),
            places=places,
            written_in=self._written_in,
            passages=snapshot.size if all_of_it else passages,
            earliest=days[0] if days else None,
            latest=days[-1] if days else None,
        )

    def _written_in(self, article_ids: Sequence[str]) -> dict[str, str]:
        with self._server.reading() as db:
            sql = "SELECT id, language FROM articles WHERE id = ANY(%s)"
            return dict(db.execute(sql, [list(set(article_ids))]).fetchall())


def _marked(filters: Filters) -> tuple[str, list[object]]:
    where, values = conditions(filters)
    return where.replace("?", "%s"), values


def _chosen(filters: Filters, passages: int) -> Chosen:
    where, values = _marked(filters)
    return Chosen(f"SELECT articles.id FROM articles WHERE {where}", tuple(values), int(passages))
