"""One generation of the index, opened for searching; newer ones do not disturb it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from index import lexical
from index.columns import Columns
from index.dense import nearest
from index.lexical import Bm25, Term
from index.parts import places, restored
from index.segment import Segment
from index.strings import Strings, keys_of
from index.tokens import Tokenizer
from index.types import AllBut, Hit

_BLOCK = 128
"""Scores of which the highest is taken first."""

Groups = Collection[str] | AllBut
"""Groups of rows that are searched."""

MASKS_KEPT = 32
"""Filters whose rows each segment remembers: a byte a row and filter."""


@dataclass(frozen=True)
class View:
    """A segment as one generation sees it.

    Attributes:
        live: bool, (n,): the rows not deleted; None when none is.
        masks: of the filters asked with lately.
    """

    segment: Segment
    live: NDArray[np.bool_] | None
    masks: dict[Groups, NDArray[np.bool_]] = field(default_factory=dict, compare=False)

    @cached_property
    def size(self) -> int:
        """The live rows."""
        return len(self.segment) if self.live is None else int(np.count_nonzero(self.live))

    @cached_property
    def field(self) -> lexical.Field:
        """What BM25 needs to know."""
        return lexical.field(self.segment.columns, self.live)

    def groups(self, mask: NDArray[np.bool_] | None) -> frozenset[str]:
        """The groups of some rows; None: of all."""
        columns = self.segment.columns
        rows = columns.rows["group"]
        used = np.unique(rows if mask is None else rows[mask]).astype(np.int64)
        return frozenset(name.decode() for name in columns.groups.some(used))

    def allowed(self, groups: Groups | None) -> NDArray[np.bool_] | None:
        """The live rows of some groups (None: of all), bool, (n,); None means every row.

        What a frozenset lets through, or keeps out, is kept for the next question of the same.
        """
        if groups is None:
            return self.live
        hashable = isinstance(groups, frozenset | AllBut)
        mask = self.masks.get(groups) if hashable else None
        if mask is None:
            if isinstance(groups, AllBut):
                rows = ~self.segment.columns.rows_of(groups.groups)
            else:
                rows = self.segment.columns.rows_of(groups)
            mask = rows if self.live is None else rows & self.live
            if hashable:
                self.masks[groups] = mask
                for oldest in list(self.masks)[:-MASKS_KEPT]:
                    self.masks.pop(oldest, None)
        return mask


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
        self._largest_first = sorted(self.views, key=lambda v: -len(v.segment))
        self.indexed_by = indexed_by or tokenizer.fingerprint
        self.fell_back = fell_back
        self._tokenizer = tokenizer

    def groups(self) -> frozenset[str]:
        """The groups that have a live row."""
        return frozenset().union(*(view.groups(view.live) for view in self.views))

    def dense(self, query: NDArray[np.float32], k: int, groups: Groups | None = None) -> list[Hit]:
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
        for view in self.views:
            allowed = view.allowed(groups)
            if allowed is not None and not allowed.any():
                continue
            segment = view.segment
            found.append(_Found(view, *nearest(segment.dense, vector, k, allowed)))
        return _best(found, k)

    def lexical(self, text: str, k: int, groups: Groups | None = None) -> list[Hit]:
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

    def terms(self, terms: Sequence[Term], k: int, groups: Groups | None = None) -> list[Hit]:
        """The rows that hold the tokens of some terms, by BM25.

        Args:
            terms: tokens as this index's tokeniser gives them; those of one term count as one
                word (see `index.lexical.Bm25.scores`).
            k: how many at most.
            groups: only rows of these, None for all; scores are the same either way.

        Returns:
            Hits with a score above 0, best first, equal ones by id.
        """
        if k <= 0 or not self.size or not terms:
            return []
        found = []
        scores, unit = self._bm25.scores(terms)
        for view, score in zip(self.views, scores, strict=True):
            allowed = view.allowed(groups) if groups is not None else None
            if allowed is not None:
                score[~allowed] = 0
            rows = _highest(score, k)
            found.append(_Found(view, rows, score[rows] * unit))
        return _best(found, k)

    @cached_property
    def _bm25(self) -> Bm25:
        return Bm25([view.field for view in self.views])

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of live rows, float32, (n, dim), in the order of `ids`.

        Raises:
            KeyError: no live row has that id.
        """
        out = np.empty((len(ids), self.dim), np.float32)
        for view, mine, rows in self._located(ids):
            out[mine] = view.segment.vectors[rows]
        return out

    def vectors_and_parts(
        self, ids: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """The vectors of live rows and of what these consist of.

        Returns:
            As `vectors`; then those of the parts, float32, (m, dim), length 1, a row's together
            and in their order, the rows as in `ids`, and one without any part counts as its own;
            and where each row's begin, (n,), rising.

        Raises:
            KeyError: no live row has that id.
        """
        own = np.empty((len(ids), self.dim), np.float32)
        counts = np.zeros(len(ids), np.int64)
        found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        for view, mine, rows in self._located(ids):
            own[mine] = view.segment.vectors[rows]
            at, counts[mine] = places(view.segment.columns.part_ends, rows)
            found.append((mine, counts[mine], restored(view.segment.parts.take(at, axis=0))))
        bare = np.flatnonzero(counts == 0)
        counts[bare] = 1
        starts = np.cumsum(counts) - counts
        vectors = np.empty((int(counts.sum()), self.dim), np.float32)
        vectors[starts[bare]] = own[bare]
        for mine, held, parts in found:
            before = np.cumsum(held) - held
            vectors[np.repeat(starts[mine] - before, held) + np.arange(len(parts))] = parts
        return own, vectors, starts

    def _located(
        self, ids: Sequence[str]
    ) -> Iterator[tuple[View, NDArray[np.int64], NDArray[np.int64]]]:
        """Which of some ids each segment holds alive: their places in `ids`, and their rows.

        Raises:
            KeyError: no segment holds one; raised when all segments have been given.
        """
        missing = np.ones(len(ids), np.bool_)
        for view, mine, rows in self._looked_up(ids, lambda columns: columns.ids, live=True):
            missing[mine] = False
            yield view, mine, rows
        if missing.any():
            raise KeyError(ids[int(np.flatnonzero(missing)[0])])

    def _looked_up(
        self, values: Sequence[str], table: Callable[[Columns], Strings], *, live: bool
    ) -> Iterator[tuple[View, NDArray[np.int64], NDArray[np.int64]]]:
        """Which of some strings each segment holds, in a live row where `live`; each one once.

        The largest segment has nearly all of what is looked up; only what it lacks is looked for
        in the others.

        Yields:
            A segment, the strings' places in `values`, and those in its table; at least one.
        """
        encoded = _encoded(values)
        keys = keys_of(encoded)
        left = np.arange(len(encoded))
        for view in self._largest_first:
            if not len(left):
                break
            some = [encoded[i] for i in left.tolist()]
            places = table(view.segment.columns).locate(some, keys[left])
            held = places >= 0
            if live and view.live is not None:
                held[held] = view.live[places[held]]
            if held.any():
                yield view, left[held], places[held]
            left = left[~held]

    def known(self, tokens: Iterable[str]) -> frozenset[str]:
        """Those of some tokens that stand in a row, a deleted one too."""
        wanted = list(dict.fromkeys(tokens))
        found = self._looked_up(wanted, lambda columns: columns.vocabulary, live=False)
        return frozenset(wanted[i] for _, mine, _ in found for i in mine.tolist())

    def beginning(self, prefix: str, shortest: int, longest: int) -> list[str]:
        """The tokens that begin so, of so many bytes in UTF-8, in the order of code points."""
        found: set[bytes] = set()
        for view in self.views:
            vocabulary = view.segment.columns.vocabulary
            there = vocabulary.beginning(prefix.encode(), shortest, longest)
            found.update(vocabulary[int(place)] for place in there)
        return [token.decode("utf-8", "surrogatepass") for token in sorted(found)]

    def holding(self, part: str, most: int) -> list[str]:
        """Tokens, at most `most`, that hold a part; the first ones by their code points."""
        found: set[bytes] = set()
        for view in self.views:
            vocabulary = view.segment.columns.vocabulary
            found.update(vocabulary[int(i)] for i in vocabulary.holding(part.encode())[:most])
        return [token.decode("utf-8", "surrogatepass") for token in sorted(found)[:most]]

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
            "dense": [{"rows": len(s)} | dict(s.facts.dense) for s in segments],
            "tokens": sum(s.columns.postings.total for s in segments),
            "bytes": sum(s.size for s in segments),
            "tokenizer": self.indexed_by,
            "tokenizer_matches": self.indexed_by == self._tokenizer.fingerprint,
            "fell_back": self.fell_back,
        }


def _encoded(values: Collection[str]) -> list[bytes]:
    return [v.encode("utf-8", "surrogatepass") for v in values]


def _highest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Rows above 0, the k best and their equals among them, and few others.

    The k-th highest of the maxima of blocks is no higher than the k-th highest score.
    """
    blocks = scores[: len(scores) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    maxima = blocks.max(axis=1)
    floor = np.partition(maxima, len(maxima) - k)[len(maxima) - k] if len(maxima) >= k else 0
    if floor <= 0:
        return np.flatnonzero(scores > 0)
    near = np.flatnonzero(maxima >= floor)
    block, place = np.nonzero(blocks[near] >= floor)
    rest = blocks.size + np.flatnonzero(scores[blocks.size :] >= floor)
    return np.concatenate([near[block] * _BLOCK + place, rest])


def _best(found: Sequence[_Found], k: int) -> list[Hit]:
    """The k best of all segments, equal scores by id."""
    scores = np.concatenate([f.scores for f in found]) if found else np.empty(0, np.float32)
    floor = np.partition(scores, len(scores) - k)[len(scores) - k] if len(scores) > k else -np.inf
    hits: list[Hit] = []
    for f in found:
        above = np.flatnonzero(f.scores >= floor)
        # A segment's rows are sorted by id, so that row numbers settle ties within it.
        order = np.lexsort((f.rows[above], -f.scores[above]))[:k]
        kept = above[order]
        names = f.view.segment.columns.ids.some(f.rows[kept])
        hits += [Hit(n.decode(), s) for n, s in zip(names, f.scores[kept].tolist(), strict=True)]
    hits.sort(key=lambda h: (-h.score, h.id))
    return hits[:k]
