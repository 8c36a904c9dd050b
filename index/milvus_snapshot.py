"""An index in Milvus as it is searched; it always shows what is held now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import asked
from index.asked import Candidate
from index.lexical import Term
from index.milvus import MOST, Milvus
from index.milvus_ledger import Ledger, State
from index.milvus_schema import Groups, frequencies, vector_and_parts, within
from index.parts import laid_out
from index.tokens import Tokenizer
from index.types import Hit

_SPARE, _LEAST = 4, 200  # candidates by keywords: so many times those wanted, and at least
_EF = 128  # rows that the graph of vectors is walked for, at least
_AT_ONCE = 1_000  # rows fetched by one call


class MilvusSnapshot:
    """What `MilvusStore.open` found. Safe to share between threads.

    It searches the collection that its statistics are of: one that takes its place later has its
    own, and the one before stays for some time.

    Attributes:
        generation: rises with everything that changes what is found.
        model: the fingerprint of the encoder whose vectors it holds.
        dim: the vectors' width; 0 when it has never held one.
        size: the rows.
        indexed_by: the fingerprint of the tokeniser that cut its words.
    """

    def __init__(self, server: Milvus, ledger: Ledger, tokenizer: Tokenizer, state: State) -> None:
        """Made by `MilvusStore.open`."""
        self._server, self._ledger, self._tokenizer = server, ledger, tokenizer
        self.generation, self.model, self.dim = state.generation, state.model, state.dim
        self.size, self.indexed_by = state.live, state.tokenizer
        self._totals, self._collection = state.totals, state.collection

    def groups(self) -> frozenset[str]:
        """The groups that have a row."""
        return self._ledger.groups()

    def dense(self, query: NDArray[np.float32], k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows nearest to a vector; as `index.snapshot.Snapshot.dense`, at most MOST.

        Raises:
            ValueError: the query has another width or holds a value that is not finite.
            EngineLost: the server does not answer.
        """
        if k <= 0 or not self.size or _nothing(groups):
            return []
        vector = np.ascontiguousarray(query, dtype=np.float32)
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise ValueError(f"a query is {self.dim} finite numbers, not {vector.shape}")
        # Some more, so that those that tie with the last come in the order of their ids.
        limit = min(k + _LEAST // 4, self.size, MOST)
        found = self._search("vector", vector, limit, groups, ["id"], {"ef": max(limit, _EF)})
        hits = [Hit(row["id"], float(row["distance"])) for row in found]
        hits.sort(key=lambda hit: (-hit.score, hit.id))
        return hits[:k]

    def lexical(self, text: str, k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows that share the question's words, by BM25; as `index.snapshot.Snapshot`."""
        tokens = self._tokenizer.query_tokens(text) if k > 0 and self.size else []
        return self.terms([{token: 1.0} for token in tokens], k, groups)

    def terms(self, terms: Sequence[Term], k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows that hold the tokens of some terms, by BM25; as `index.snapshot.Snapshot`.

        Candidates come by the weights that the tokens had when a row was added, and are scored
        with today's statistics.

        Raises:
            EngineLost: the server does not answer.
        """
        if k <= 0 or not self.size or not terms or _nothing(groups):
            return []
        words = asked.words(terms, self._ledger.known, self._counts, self.size)
        if not words:
            return []
        limit = min(max(_SPARE * k, _LEAST), self.size, MOST)
        fields = ["id", "length", "norm", "words"]
        found = self._search("words", asked.guess(words), limit, groups, fields, {})
        candidates = (
            Candidate(row["id"], row["entity"]["length"], frequencies(row["entity"]))
            for row in found
        )
        return asked.scored(words, candidates, self._totals, k)

    def _counts(self, sets: Sequence[Sequence[int]]) -> list[int]:
        """How many rows hold any of the tokens of each set."""
        return [
            self.count(f"array_contains_any(tokens, [{', '.join(map(str, tokens))}])")
            for tokens in sets
        ]

    def count(self, condition: str = "") -> int:
        """How many rows fulfil a condition in Milvus' language; "" for all."""
        found = self._query(filter=condition, output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def vectors_and_parts(
        self, ids: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """The vectors of rows and of what these consist of; as `index.snapshot.Snapshot`.

        A row that is there no more, deleted since it was found, has zeros.
        """
        rows: list[dict[str, Any]] = []
        for start in range(0, len(ids), _AT_ONCE):
            some = list(ids[start : start + _AT_ONCE])
            rows += self._query(ids=some, output_fields=["id", "vector", "parts"])
        held = {row["id"]: vector_and_parts(row, self.dim) for row in rows}
        return laid_out(ids, self.dim, held)

    def known(self, tokens: Iterable[str]) -> frozenset[str]:
        """Those of some tokens that stand in a row."""
        return frozenset(self._ledger.known(dict.fromkeys(tokens)))

    def beginning(self, prefix: str, shortest: int, longest: int) -> list[str]:
        """The tokens that begin so, of so many bytes in UTF-8, in the order of code points."""
        found = self._ledger.beginning(prefix)
        return [token for token in found if shortest <= len(token.encode()) <= longest]

    def holding(self, part: str, most: int) -> list[str]:
        """Tokens, at most `most`, that hold a part; the first ones by their code points."""
        return self._ledger.holding(part, most)

    def stats(self) -> dict[str, object]:
        """Figures for a person who looks after the index."""
        return {
            "engine": self._server.place,
            "generation": self.generation,
            "model": self.model,
            "dim": self.dim,
            "live": self.size,
            "groups": len(self.groups()),
            "dense": [],
            "vectors_by": "Milvus' own HNSW",
            "collection": self._collection,
            "tokenizer": self.indexed_by,
            "tokenizer_matches": self.indexed_by in ("", self._tokenizer.fingerprint),
            "fell_back": "",
        }

    def _search(
        self,
        field: str,
        query: object,
        limit: int,
        groups: Groups | None,
        fields: Sequence[str],
        parameters: dict[str, int],
    ) -> list[dict[str, Any]]:
        """The rows with the highest inner product, and some of their fields."""
        found = self._server.call(
            "search",
            self._collection,
            lambda client, patience: client.search(
                self._collection, data=[query], anns_field=field, limit=limit,
                filter=within(groups), output_fields=list(fields),
                search_params={"metric_type": "IP", "params": parameters},
                consistency_level="Strong", timeout=patience,
            ),
        )  # fmt: skip
        return list(found[0])

    def _query(self, **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 pymilvus' own words
        return list(
            self._server.call(
                "query",
                self._collection,
                lambda client, patience: client.query(
                    self._collection, **wanted, consistency_level="Strong", timeout=patience
                ),
            )
        )


def _nothing(groups: Groups | None) -> bool:
    """Whether no row can be let through."""
    return isinstance(groups, list | tuple | set | frozenset) and not groups
