"""Which articles a question may be answered from, as conditions that PostgreSQL works out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from index.pg import Postgres
from index.pg_groups import Chosen
from rag.rows import conditions
from rag.scope import Held, Scope
from rag.seams import Snapshot
from rag.types import Filters

# Of each language among what filters let through: articles, first and last date, passages.
_FIGURES = (
    "SELECT language, count(*), min(published), max(published), sum((SELECT count(*) FROM passages"
    " WHERE article_id = articles.id)) FROM articles WHERE {where} GROUP BY language ORDER BY 1"
)
# The languages there are, from one to the next by the index.
_LANGUAGES = (
    "WITH RECURSIVE found AS (SELECT min(language) AS name FROM articles UNION ALL SELECT"
    " (SELECT min(language) FROM articles WHERE language > found.name) FROM found"
    " WHERE found.name IS NOT NULL) SELECT name FROM found WHERE name IS NOT NULL ORDER BY name"
)


class PgScopes(Held):
    """The scopes of an archive in PostgreSQL; no article's id leaves the database.

    `of` raises EngineLost where the server does not answer.
    """

    def __init__(self, server: Postgres) -> None:
        """Nothing is asked yet."""
        super().__init__()
        self._server = server

    def _made(self, snapshot: Snapshot, filters: Filters) -> Scope:
        if filters == Filters():
            return self._everything(snapshot)
        where, values = _marked(filters)
        with self._server.reading() as db:
            found = db.execute(_FIGURES.format(where=where).encode(), values).fetchall()
        places = {
            language: _chosen(replace(filters, languages=(language,)), passages)
            for language, _, _, _, passages in found
        }
        passages = sum(int(row[4]) for row in found)
        days = sorted(day for row in found for day in row[2:4] if day is not None)
        return Scope(
            articles=_chosen(filters, passages),
            places=places,
            written_in=self._written_in,
            passages=passages,
            earliest=days[0] if days else None,
            latest=days[-1] if days else None,
        )

    def _everything(self, snapshot: Snapshot) -> Scope:
        """What is let through without filters; nothing is counted, however large it is."""
        with self._server.reading() as db:
            languages = [row[0] for row in db.execute(_LANGUAGES)]
            days = db.execute("SELECT min(published), max(published) FROM articles").fetchall()[0]
            alone = len(languages) == 1
            places = {
                name: None if alone else _chosen(Filters(languages=(name,)), _about(db, name))
                for name in languages
            }
        return Scope(None, places, self._written_in, snapshot.size, *days)

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


def _about(db: Any, language: str) -> int:  # noqa: ANN401 psycopg's connection
    """How many passages are of a language, as the planner guesses.

    Where it is far off, a search finds too few by the index and compares all.
    """
    (row,) = db.execute(
        "EXPLAIN (FORMAT JSON) SELECT 1 FROM articles JOIN entries ON grp = articles.id"
        " WHERE language = %s",
        [language],
    ).fetchall()
    return int(row[0][0]["Plan"]["Plan Rows"])
