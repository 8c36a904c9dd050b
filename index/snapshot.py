"""One generation of the index, opened for searching; newer ones do not disturb it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from index import lexical
from index.dense import nearest
from index.lexical import Term
from index.segment import Segment
from index.tokens import Tokenizer
from index.types import Hit


@dataclass(frozen=True)
class View:
    """A segment as one generation sees it.

    Attributes:
        live: bool, (n,): the rows not deleted; None when none is.
    """

    segment: Segment
    live: NDArray[np.bool_] | None

    @cached_property
    def size(self) -> int:
        """The live rows."""
        return len(self.segment) if self.live is None else int(np.count_nonzero(self.live))

    @cached_property
    def field(self) -> lexical.Field:
        """What BM25 needs to know."""
        return lexical.field(self.segment.columns, self.live)

    def allowed(self, groups: Collection[bytes] | None) -> NDArray[np.bool_] | None:
        """The live rows of some groups (None: of all), bool, (n,); None means every row."""
        if groups is None:
            return self.live
        columns = self.segment.columns
        numbers = columns.groups.locate(groups)
        wanted = np.zeros(len(columns.groups), np.bool_)
        wanted[numbers[numbers >= 0]] = True
        mask: NDArray[np.bool_] = wanted[columns.rows["group"]]
        return mask if self.live is None else mask & self.live


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of one segment and their scores."""

    view: View
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class Snapshot:
    """A generation. Safe to share between threads; open files keep it valid after it is replaced.

    Attributes:
        generation: rises with every commit; 0 for an index that was never written.
        model: the fingerprint of the encoder whose vectors it holds.
        dim: the vectors' width; 0 when it has never held one.
        size: the live rows.
        views: its segments.
        indexed_by: the fingerprint of the tokeniser that cut its words.
        fell_back: why this is not the newest generation that was written; "" when it is.
    """

    def __init__(
        self,
        generation: int,
        model: str,
        dim: int,
        views: Sequence[View],
        tokenizer: Tokenizer,
        *,
        indexed_by: str = "",
        fell_back: str = "",
    ) -> None:
        """Made by `Store.open`."""
        self.generation = generation
        self.model = model
        self.dim = dim
        self.views = tuple(views)
        self.size = sum(v.size for v in self.views)
        self.indexed_by = indexed_by or tokenizer.fingerprint
        self.fell_back = fell_back
        self._tokenizer = tokenizer

    def groups(self) -> frozenset[str]:
        """The groups that have a live row."""
        found: set[str] = set()
        for view in self.views:
            columns = view.segment.columns
            rows = columns.rows["group"]
            used = np.unique(rows if view.live is None else rows[view.live])
            found.update(columns.groups[int(i)].decode() for i in used)
        return frozenset(found)

    def dense(
        self, query: NDArray[np.float32], k: int, groups: Collection[str] | None = None
    ) -> list[Hit]:
        """The rows nearest to a vector.

        Args:
            query: float32, (dim,), length 1.
            k: how many at most.
            groups: only rows of these; None for all.

        Returns:
            Hits with the inner product (the cosine, for vectors of length 1), best first, equal
            ones by id.

        Raises:
            ValueError: the query has another width or holds a value that is not finite.
        """
        if k <= 0 or not self.size:
            return []
        vector = np.ascontiguousarray(query, dtype=np.float32)
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise ValueError(f"a query is {self.dim} finite numbers, not {vector.shape}")
        found = []
        wanted = _encoded(groups)
        for view in self.views:
            allowed = view.allowed(wanted)
            if allowed is not None and not allowed.any():
                continue
            segment = view.segment
            found.append(_Found(view, *nearest(segment.vectors, segment.sq8, vector, k, allowed)))
        return _best(found, k)

    def lexical(self, text: str, k: int, groups: Collection[str] | None = None) -> list[Hit]:
        """The rows that share the question's words, by BM25.

        Args:
            text: a question; words that stand nowhere count nothing.
            k: how many at most.
            groups: only rows of these, None for all; scores are the same either way.

        Returns:
            Hits with a score above 0, best first, equal ones by id.
        """
        tokens = self._tokenizer.query_tokens(text) if k > 0 and self.size else []
        return self.terms([{token: 1.0} for token in tokens], k, groups)

    def terms(
        self, terms: Sequence[Term], k: int, groups: Collection[str] | None = None
    ) -> list[Hit]:
        """The rows that hold the tokens of some terms, by BM25.

        Args:
            terms: tokens as this index's tokeniser gives them; those of one term count as one
                word (see `index.lexical.scores`).
            k: how many at most.
            groups: only rows of these, None for all; scores are the same either way.

        Returns:
            Hits with a score above 0, best first, equal ones by id.
        """
        if k <= 0 or not self.size or not terms:
            return []
        wanted = _encoded(groups)
        found = []
        scores = lexical.scores([v.field for v in self.views], terms)
        for view, score in zip(self.views, scores, strict=True):
            above = score > 0
            if wanted is not None:
                allowed = view.allowed(wanted)
                above &= allowed if allowed is not None else True
            rows = np.flatnonzero(above)
            found.append(_Found(view, rows, score[rows]))
        return _best(found, k)

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of live rows, float32, (n, dim), in the order of `ids`.

        Raises:
            KeyError: no live row has that id.
        """
        out = np.empty((len(ids), self.dim), np.float32)
        missing = np.ones(len(ids), np.bool_)
        encoded = _encoded(ids) or []
        for view in self.views:
            rows = view.segment.columns.ids.locate(encoded)
            mine = rows >= 0
            if view.live is not None:
                mine[mine] = view.live[rows[mine]]
            out[mine] = view.segment.vectors[rows[mine]]
            missing &= ~mine
        if missing.any():
            raise KeyError(ids[int(np.flatnonzero(missing)[0])])
        return out

    def stats(self) -> dict[str, object]:
        """Figures for a person who looks after the index."""
        segments = [v.segment for v in self.views]
        return {
            "generation": self.generation,
            "model": self.model,
            "dim": self.dim,
            "live": self.size,
            "deleted": sum(map(len, segments)) - self.size,
            "groups": len(self.groups()),
            "segments": [len(s) for s in segments],
            "dense": "sq8+exact" if any(s.sq8 is not None for s in segments) else "exact",
            "tokens": sum(len(s.columns.postings) for s in segments),
            "bytes": sum(s.size for s in segments),
            "tokenizer": self.indexed_by,
            "tokenizer_matches": self.indexed_by == self._tokenizer.fingerprint,
            "fell_back": self.fell_back,
        }


def _encoded(values: Collection[str] | None) -> list[bytes] | None:
    return None if values is None else [v.encode("utf-8", "surrogatepass") for v in values]


def _best(found: Sequence[_Found], k: int) -> list[Hit]:
    """The k best of all segments, equal scores by id."""
    scores = np.concatenate([f.scores for f in found]) if found else np.empty(0, np.float32)
    floor = np.partition(scores, len(scores) - k)[len(scores) - k] if len(scores) > k else -np.inf
    hits = []
    for f in found:
        above = np.flatnonzero(f.scores >= floor)
        # A segment's rows are sorted by id, so that row numbers settle ties within it.
        order = np.lexsort((f.rows[above], -f.scores[above]))[:k]
        for place in above[order]:
            name = f.view.segment.columns.ids[int(f.rows[place])].decode()
            hits.append(Hit(name, float(f.scores[place])))
    hits.sort(key=lambda h: (-h.score, h.id))
    return hits[:k]
