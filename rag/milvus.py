"""An archive whose index is in Milvus; its articles stand in SQLite or in PostgreSQL.

Filters are worked out in Milvus, by what is held there of each article.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from index.milvus import Milvus
from index.milvus_file import LedgerFile
from index.milvus_ledger import TABLES, Ledger
from index.milvus_schema import Chosen, Fact, cut, listed, quoted
from index.milvus_store import MilvusStore
from index.tokens import Tokenizer
from rag.corpus import Corpus
from rag.rows import last_day
from rag.scope import KEPT, Scope
from rag.seams import Scopes as AnyScopes
from rag.seams import Snapshot
from rag.stores import Stores
from rag.types import Filters

FILE = "milvus.sqlite"
"""The index's statistics, in the home."""

SEVERAL = {"source": False, "section": False, "language": False, "published": False,
           "surely": False, "authors": True}  # fmt: skip
"""What is held of each article, and whether it may have several values. `surely`: the day on which
it had surely been published, where only a month or a year is known of it."""

STEPS = [
    ";\n".join(table.format(binary='COLLATE "C"') for table in TABLES),
]
"""The statistics as a part of a PostgreSQL database; see `index.pg.Postgres.needs`."""


def beside_files(home: Path, address: str, token: str, tokenizer: Tokenizer) -> Stores:
    """An archive with its corpus in a folder, which is there."""
    from rag.stores import embedded

    files = embedded(home, tokenizer)
    server, file = Milvus(address, token), LedgerFile(home / FILE)
    ledger = Ledger(file)
    index = _index(server, ledger, files.corpus, tokenizer)

    def behind(only: Collection[str] | None = None) -> tuple[frozenset[str], list[str]]:
        touched = ledger.touched()
        if only is None or not ledger.state().generation:
            indexed, wanted = ledger.groups(), files.corpus.ids()
        else:
            some = touched.union(only)
            indexed, wanted = frozenset(ledger.held(some)), files.corpus.existing(some)
        return (indexed | touched) - wanted, sorted(wanted - indexed)

    def close() -> None:
        files.close()
        file.close()
        server.close()

    return replace(
        files, index=index, scopes=Pushed(files.scopes), behind=behind, joined=nullcontext,
        close=close,
    )  # fmt: skip


def beside_postgres(
    url: str, reads: str | None, address: str, token: str, tokenizer: Tokenizer
) -> Stores:
    """An archive with its corpus in a PostgreSQL database, where the statistics stand too.

    Raises:
        EngineUnusable: psycopg is not installed, or an address cannot be read.
    """
    from index.pg import Postgres
    from rag import pg

    database = Postgres(url, reads)
    other = pg.stores_in(database, tokenizer)
    database.needs("milvus", STEPS)
    server = Milvus(address, token)
    index = _index(server, Ledger(pg.Tables(database)), other.corpus, tokenizer)

    def behind(only: Collection[str] | None = None) -> tuple[frozenset[str], list[str]]:
        with database.reading() as db:
            gone = db.execute(
                "SELECT grp FROM (SELECT grp FROM milvus_held UNION SELECT grp FROM milvus_touched)"
                " AS there WHERE NOT EXISTS (SELECT 1 FROM articles WHERE articles.id = grp)"
            ).fetchall()
            new = db.execute(
                "SELECT id FROM articles WHERE NOT EXISTS"
                " (SELECT 1 FROM milvus_held WHERE grp = articles.id) ORDER BY id"
            ).fetchall()
        return frozenset(row[0] for row in gone), [row[0] for row in new]

    def close() -> None:
        other.close()
        server.close()

    return replace(
        other, index=index, scopes=Pushed(other.scopes), behind=behind, joined=nullcontext,
        close=close,
    )  # fmt: skip


def _index(server: Milvus, ledger: Ledger, corpus: Corpus, tokenizer: Tokenizer) -> MilvusStore:
    return MilvusStore(server, ledger, tokenizer, partial(_facts, corpus), SEVERAL)


def _facts(corpus: Corpus, ids: Collection[str]) -> Mapping[str, Mapping[str, Fact]]:
    """What rows can be filtered by."""
    return {
        key: {
            "source": article.source,
            "section": article.section,
            "language": article.language,
            "published": article.published,
            "surely": last_day(article.published) if article.published else None,
            "authors": article.authors,
        }
        for key, article in corpus.get_many(sorted(ids)).items()
    }


def conditions(filters: Filters) -> str:
    """What a row must fulfil to pass, in Milvus' language, as `rag.rows.conditions`; "" for all."""
    found = [
        f"{name} in {listed([cut(value) for value in wanted])}"
        for name, wanted in (
            ("source", filters.sources),
            ("section", filters.sections),
            ("language", filters.languages),
        )
        if wanted
    ]
    if filters.article_ids:
        found.append(f"grp in {listed(filters.article_ids)}")
    if filters.authors:
        names = listed([cut(name) for name in filters.authors])
        found.append(f"array_contains_any(authors, {names})")
    if filters.date_from:
        found.append(f"published >= {quoted(filters.date_from)}")
    if filters.date_to:
        found.append(f"published <= {quoted(filters.date_to + '~')}")
    if filters.as_of:
        found.append(f"surely <= {quoted(last_day(filters.as_of))}")
    return " and ".join(found)


class Pushed:
    """Scopes whose articles Milvus works out. Threads may share it."""

    def __init__(self, scopes: AnyScopes) -> None:
        """Nothing is asked yet.

        Args:
            scopes: the corpus's own, which count and date what filters let through.
        """
        self._scopes = scopes
        self._lock = threading.Lock()
        self._held: OrderedDict[Filters, tuple[Scope, Scope]] = OrderedDict()

    def of(self, snapshot: Snapshot, filters: Filters | None) -> Scope:
        """What some filters let through."""
        chosen = filters or Filters()
        counted = self._scopes.of(snapshot, filters)
        with self._lock:
            before, scope = self._held.pop(chosen, (None, counted))
            if before is not counted:
                scope = _pushed(counted, chosen)
            self._held[chosen] = (counted, scope)
            if len(self._held) > KEPT:
                self._held.popitem(last=False)
            return scope


def _pushed(scope: Scope, filters: Filters) -> Scope:
    articles = None if scope.articles is None else Chosen(conditions(filters))
    alone = scope.articles is None and len(scope.places) == 1
    places = {
        name: None if alone else Chosen(conditions(replace(filters, languages=(name,))))
        for name in scope.places
    }
    return replace(scope, articles=articles, places=places)
