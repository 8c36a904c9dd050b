"""A PostgreSQL index as it is searched; it always shows what is held now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import pg_lexical
from index.asked import Totals
from index.lexical import Term
from index.parts import laid_out
from index.pg import Postgres
from index.pg_groups import Chosen, Where
from index.tokens import Tokenizer
from index.types import Hit

Groups = Chosen | Collection[str]

EXACTLY = 20_000
"""Rows that are compared one by one; above them the vectors have an index, unless a filter leaves
fewer: an index that looks for a filter's few rows among many finds too little of them, or reads
most of itself."""

# The vectors lie apart from the rows: only those of the best are read.
_WITH_VECTORS = (
    "SELECT id, substring(exact, 1, %s) FROM entries JOIN (SELECT grp, id FROM entries"
    " WHERE true{where} ORDER BY {order} LIMIT %s) AS best USING (grp, id)"
)
_SPARE = 2  # candidates by the halved vectors for each that is wanted


class PgSnapshot:
    """What `PgStore.open` found. Safe to share between threads.

    Attributes:
        generation: rises with everything that changes what is found.
        model: the fingerprint of the encoder whose vectors it holds.
        dim: the vectors' width; 0 when it has never held one.
        size: the live rows.
        indexed_by: the fingerprint of the tokeniser that cut its words.
        ann: whether the vectors have an index.
    """

    def __init__(
        self, server: Postgres, tokenizer: Tokenizer, state: tuple[Any, ...], exactly: int
    ) -> None:
        """Made by `PgStore.open`."""
        self._server, self._tokenizer, self._few = server, tokenizer, exactly
        self.generation, self.model, self.indexed_by, self.dim, self.size, total, self.ann = state
        self._totals = Totals(self.size, total)

    def groups(self) -> frozenset[str]:
        """The groups that have a live row."""
        with self._server.reading() as db:
            return frozenset(r[0] for r in db.execute("SELECT DISTINCT grp FROM entries"))

    def dense(self, query: NDArray[np.float32], k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows nearest to a vector; as `index.snapshot.Snapshot.dense`.

        Raises:
            ValueError: the query has another width or holds a value that is not finite.
            EngineLost: the server does not answer.
        """
        if k <= 0 or not self.size:
            return []
        vector = np.ascontiguousarray(query, dtype=np.float32)
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise ValueError(f"a query is {self.dim} finite numbers, not {vector.shape}")
        where = Where.of(groups)
        wanted = min(_SPARE * k, self.size)
        text = "[" + ",".join(f"{value:.6g}" for value in vector.tolist()) + "]"
        found: list[tuple[str, bytes]] = []
        by_index = self.ann and (where.rows is None or where.rows > self._few)
        if by_index:
            found = self._by_index(text, wanted, where)
        if not by_index or len(found) < min(wanted, where.rows or self.size):
            found = self._exactly(text, wanted, where)
        rows = np.frombuffer(b"".join(row for _, row in found), "<f4").reshape(-1, self.dim)
        scores = rows @ vector
        hits = [Hit(key, float(s)) for (key, _), s in zip(found, scores, strict=True)]
        hits.sort(key=lambda hit: (-hit.score, hit.id))
        return hits[:k]

    def _exactly(self, vector: str, k: int, where: Where) -> list[tuple[str, bytes]]:
        """The nearest rows and their vectors, all rows compared."""
        with self._server.reading() as db:
            # No index serves this order.
            return db.execute(
                _WITH_VECTORS.format(where=where.sql, order="near <#> %s::halfvec, id").encode(),
                [4 * self.dim, *where.values, vector, k],
                binary=True,
            ).fetchall()

    def _by_index(self, vector: str, k: int, where: Where) -> list[tuple[str, bytes]]:
        """The same by the index; filtered while it is walked, until there are enough."""
        order = f"near::halfvec({self.dim}) <#> %s::halfvec({self.dim})"
        with self._server.reading() as db, db.pipeline(), db.transaction():
            # Else the planner may read all rows that pass, and sort them.
            db.execute("SET LOCAL enable_sort = off")
            return db.execute(
                _WITH_VECTORS.format(where=where.sql, order=order).encode(),
                [4 * self.dim, *where.values, vector, k],
                binary=True,
            ).fetchall()

    def lexical(self, text: str, k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows that share the question's words, by BM25; as `index.snapshot.Snapshot`."""
        tokens = self._tokenizer.query_tokens(text) if k > 0 and self.size else []
        return self.terms([{token: 1.0} for token in tokens], k, groups)

    def terms(self, terms: Sequence[Term], k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows that hold the tokens of some terms, by BM25; as `index.snapshot.Snapshot`."""
        if k <= 0 or not self.size or not terms:
            return []
        with self._server.reading() as db:
            return pg_lexical.best(db, terms, k, self._totals, Where.of(groups))

    def vectors_and_parts(
        self, ids: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """The vectors of rows and of what these consist of; as `index.snapshot.Snapshot`.

        A row that is there no more, deleted since it was found, has zeros, which are near nothing;
        the corpus does not hold its text any more either.
        """
        with self._server.reading() as db:
            held = dict(
                db.execute("SELECT id, exact FROM entries WHERE id = ANY(%s)", [list(ids)],
                           binary=True).fetchall()
            )  # fmt: skip
        rows = {
            key: (
                np.frombuffer(data, "<f4", self.dim),
                np.frombuffer(data, "i1", offset=4 * self.dim).reshape(-1, self.dim),
            )
            for key, data in held.items()
        }
        return laid_out(ids, self.dim, rows)

    def known(self, tokens: Iterable[str]) -> frozenset[str]:
        """Those of some tokens that stand in a row."""
        wanted = list(dict.fromkeys(tokens))
        if not wanted:
            return frozenset()
        with self._server.reading() as db:
            sql = "SELECT token FROM terms WHERE token = ANY(%s) AND df > 0"
            return frozenset(r[0] for r in db.execute(sql, [wanted]))

    def beginning(self, prefix: str, shortest: int, longest: int) -> list[str]:
        """The tokens that begin so, of so many bytes in UTF-8, in the order of code points."""
        with self._server.reading() as db:
            sql = (
                "SELECT token FROM terms WHERE token >= %s AND starts_with(token, %s)"
                " AND token < %s AND octet_length(token) BETWEEN %s AND %s AND df > 0"
                " ORDER BY token"
            )
            behind = prefix + "\U0010ffff"  # no token holds it: it is no character of any script
            return [r[0] for r in db.execute(sql, [prefix, prefix, behind, shortest, longest])]

    def holding(self, part: str, most: int) -> list[str]:
        """Tokens, at most `most`, that hold a part; the first ones by their code points."""
        with self._server.reading() as db:
            sql = (
                "SELECT token FROM terms WHERE strpos(token, %s) > 0 AND df > 0"
                " ORDER BY token LIMIT %s"
            )
            return [r[0] for r in db.execute(sql, [part, most])]

    def stats(self) -> dict[str, object]:
        """Figures for a person who looks after the index."""
        with self._server.reading() as db:
            (size,) = db.execute("SELECT pg_database_size(current_database())").fetchall()[0]
            (groups,) = db.execute("SELECT count(DISTINCT grp) FROM entries").fetchall()[0]
        return {
            "engine": f"PostgreSQL {self._server.place}",
            "generation": self.generation,
            "model": self.model,
            "dim": self.dim,
            "live": self.size,
            "groups": groups,
            "dense": [],
            "vectors_by": "hnsw over halfvec, then exactly" if self.ann else "exact",
            "bytes": size,
            "tokenizer": self.indexed_by,
            "tokenizer_matches": self.indexed_by in ("", self._tokenizer.fingerprint),
            "fell_back": "",
        }
