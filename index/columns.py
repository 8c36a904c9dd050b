"""The columns of a segment: rows sorted by id, their groups, vectors and postings.

They are the same whether they were just made in memory, merged from other segments or
memory-mapped from disk. Postings hold raw counts, so that BM25's statistics, k1, b and the weight
of the context are all chosen when a question is asked, over all segments together: adding or
deleting rows never makes another segment's numbers wrong, and nothing is tokenised twice.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.parts import Kept, Parts, places
from index.postings import FIELDS, POSTING, Postings
from index.strings import Strings
from index.tokens import Tokenizer
from index.types import Batch, Entry

# A row: its group, and how many tokens each of its fields has.
ROW = np.dtype([("group", "<u4"), *((name, "<u4") for name in FIELDS)])

_BLOCK_ROWS = 4_096
# To look one string up takes as long as to read so many, or a few more.
_MANY = 4


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows picked from arrays, read block by block so that they are never copied as a whole.

    Attributes:
        sources: arrays (any, dim), all int8, or vectors of length 1 as they are kept.
        source: which of them each row is in, (n,).
        row: which row of it, (n,).
    """

    sources: tuple[NDArray[np.int8] | Kept, ...]
    source: NDArray[np.int64]
    row: NDArray[np.int64]
    dim: int

    def __len__(self) -> int:
        return len(self.row)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every row: int8 or float32."""
        return self.sources[0].dtype

    @property
    def mean(self) -> NDArray[np.float32]:
        """What rows may be kept as differences from, float32, (dim,).

        It is that of the largest source that has one, whose rows need not be rounded again then.
        """
        means = [(len(s), s.mean) for s in self.sources if isinstance(s, Kept) and s.rounded]
        _, mean = max(means, key=lambda held: held[0], default=(0, None))
        if mean is None:
            mean = self.sample(_BLOCK_ROWS).mean(axis=0)
        return mean

    def take(self, start: int, end: int) -> NDArray[Any]:
        """Rows start to end, (end - start, dim)."""
        out = np.empty((end - start, self.dim), self.dtype)
        for number, source in enumerate(self.sources):
            mine = self.source[start:end] == number
            out[mine] = source[self.row[start:end][mine]]
        return out

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in order."""
        for start in range(0, len(self), _BLOCK_ROWS):
            yield self.take(start, min(start + _BLOCK_ROWS, len(self)))

    def sample(self, most: int) -> NDArray[Any]:
        """Rows spread evenly, at most so many."""
        return self.some(np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64))

    def some(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Rows at some places, (places, dim)."""
        picked = Vectors(self.sources, self.source[places], self.row[places], self.dim)
        return picked.take(0, len(places))


@dataclass(frozen=True, slots=True)
class Columns:
    """What a segment holds, but for the vectors.

    Attributes:
        ids: of the rows, in order.
        groups: the distinct ones.
        rows: dtype ROW, (n,).
        vocabulary: the distinct tokens.
        postings: the tokens', in their order.
        part_ends: where each row's part vectors end among all of them, (n,).
    """

    ids: Strings
    groups: Strings
    rows: NDArray[np.void]
    vocabulary: Strings
    postings: Postings
    part_ends: NDArray[np.int64]

    def rows_of(self, groups: Collection[str]) -> NDArray[np.bool_]:
        """The rows of some groups, dead ones too, bool, (n,); unknown groups have none."""
        encoded = {g.encode("utf-8", "surrogatepass") for g in groups}
        if len(encoded) > len(self.groups) // _MANY:
            wanted = np.fromiter((g in encoded for g in self.groups), np.bool_, len(self.groups))
        else:
            numbers = self.groups.locate(encoded)
            wanted = np.zeros(len(self.groups), np.bool_)
            wanted[numbers[numbers >= 0]] = True
        rows: NDArray[np.bool_] = wanted[self.rows["group"]]
        return rows


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a segment is written from.

    Attributes:
        vectors: float32, (n, dim).
        parts: int8, (m, dim), those of a row together; `columns.part_ends` says whose.
    """

    columns: Columns
    vectors: Vectors
    parts: Vectors


@dataclass(frozen=True, slots=True)
class Live:
    """A segment's columns, its vectors and which rows are to be kept.

    Attributes:
        vectors: (n, dim).
        parts: int8, (m, dim).
        keep: bool, (n,); None keeps all.
    """

    columns: Columns
    vectors: Kept
    parts: NDArray[np.int8]
    keep: NDArray[np.bool_] | None


def from_batch(batch: Batch, tokenizer: Tokenizer) -> Rows:
    """Tokenise and sort new rows.

    Args:
        batch: rows with distinct ids, at least one.
        tokenizer: cuts their texts, titles and contexts.
    """
    entries, vectors = batch.entries, batch.vectors
    encoded = [e.id.encode() for e in entries]
    order = sorted(range(len(entries)), key=encoded.__getitem__)
    names = sorted({e.group.encode() for e in entries})
    number = {name: i for i, name in enumerate(names)}
    rows = np.zeros(len(entries), ROW)
    rows["group"] = [number[entries[i].group.encode()] for i in order]
    vocabulary, postings = _counted([entries[i] for i in order], rows, tokenizer)
    place_of = np.asarray(order, np.int64)
    parts = batch.parts or Parts.none(len(entries), vectors.shape[1])
    part_of, counts = parts.places(place_of)
    columns = Columns(
        ids=Strings.of([encoded[i] for i in order]),
        groups=Strings.of(names),
        rows=rows,
        vocabulary=vocabulary,
        postings=postings,
        part_ends=np.cumsum(counts, dtype=np.int64),
    )
    own = _picked_rows((Kept(vectors),), place_of)
    return Rows(columns, own, _picked_rows((parts.codes,), part_of))


def _picked_rows(
    sources: tuple[NDArray[np.int8] | Kept, ...],
    row: NDArray[np.int64],
    source: NDArray[np.int64] | None = None,
) -> Vectors:
    chosen = np.zeros_like(row) if source is None else source
    return Vectors(sources, chosen, row, int(sources[0].shape[1]))


def _counted(
    entries: Sequence[Entry], rows: NDArray[np.void], tokenizer: Tokenizer
) -> tuple[Strings, Postings]:
    """The vocabulary and postings of sorted rows, whose lengths are filled in."""
    tokens: dict[str, int] = {}
    token, row = array("I"), array("I")
    counted = {name: array("I") for name in FIELDS}
    for place, entry in enumerate(entries):
        found: dict[str, Counter[str]] = {}
        for name in FIELDS:
            words = getattr(entry, name)
            found[name] = Counter(tokenizer.tokens(words)) if words else Counter()
            rows[name][place] = found[name].total()
        for word in dict.fromkeys(w for counts in found.values() for w in counts):
            token.append(tokens.setdefault(word, len(tokens)))
            row.append(place)
            for name, counts in found.items():
                counted[name].append(counts[word])
    postings = np.empty(len(token), POSTING)
    postings["row"] = row
    for name, times in counted.items():
        kind = POSTING[name]
        postings[name] = np.minimum(np.asarray(times, np.uint32), np.iinfo(kind).max)
    vocabulary = [word.encode() for word in tokens]
    sorting = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
    rank = np.empty(len(vocabulary), np.int64)
    rank[sorting] = np.arange(len(vocabulary))
    sorted_postings = by_token(rank[np.asarray(token, np.int64)], postings, len(vocabulary))
    return Strings.of([vocabulary[i] for i in sorting]), sorted_postings


def merge(parts: Sequence[Live]) -> Rows:
    """One segment's rows from several's, the rows not kept left out.

    Args:
        parts: at least one; no id is kept in two of them; all vectors of one width.
    """
    kept = [
        np.flatnonzero(p.keep) if p.keep is not None else np.arange(len(p.columns.ids))
        for p in parts
    ]
    ids = [_picked(p.columns.ids, rows) for p, rows in zip(parts, kept, strict=True)]
    together = [value for some in ids for value in some]
    order = np.asarray(sorted(range(len(together)), key=together.__getitem__), np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    bounds = np.cumsum([0, *map(len, kept)])
    places_of = [place[a:b] for a, b in pairwise(bounds)]

    groups, group_of = _united(
        [_picked(p.columns.groups, np.unique(p.columns.rows["group"][rows]))
         for p, rows in zip(parts, kept, strict=True)],
        [p.columns.groups for p in parts],
    )  # fmt: skip
    rows_out = np.empty(len(order), ROW)
    for part, rows, to, renumber in zip(parts, kept, places_of, group_of, strict=True):
        mine = part.columns.rows[rows]
        mine["group"] = renumber[mine["group"]]
        rows_out[to] = mine

    vocabulary, postings = _merge_postings(parts, kept, places_of)
    source = np.repeat(np.arange(len(parts)), [len(k) for k in kept])[order]
    row = np.concatenate(kept)[order].astype(np.int64)
    part_row, part_source, part_ends = _merge_parts(parts, source, row)
    columns = Columns(
        ids=Strings.of([together[i] for i in order.tolist()]),
        groups=groups,
        rows=rows_out,
        vocabulary=vocabulary,
        postings=postings,
        part_ends=part_ends,
    )
    return Rows(
        columns,
        _picked_rows(tuple(p.vectors for p in parts), row, source),
        _picked_rows(tuple(p.parts for p in parts), part_row, part_source),
    )


def _merge_parts(
    parts: Sequence[Live], source: NDArray[np.int64], row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which part vectors of which source follow each other, and where each row's end."""
    counts = np.zeros(len(row), np.int64)
    found = []
    for number, part in enumerate(parts):
        mine = source == number
        at, counts[mine] = places(part.columns.part_ends, row[mine])
        found.append(at)
    owner = np.repeat(source, counts)
    part_row = np.empty(len(owner), np.int64)
    for number, at in enumerate(found):
        part_row[owner == number] = at
    return part_row, owner, np.cumsum(counts, dtype=np.int64)


def _merge_postings(
    parts: Sequence[Live],
    kept: Sequence[NDArray[np.int64]],
    places: Sequence[NDArray[np.int64]],
) -> tuple[Strings, Postings]:
    """The vocabulary and postings of the rows kept, at their new places."""
    tokens, postings = [], []
    for part, rows, to in zip(parts, kept, places, strict=True):
        columns = part.columns
        place = np.full(len(columns.ids), -1, np.int64)
        place[rows] = to
        token, mine = columns.postings.all()
        moved = place[mine["row"]]
        mine = mine[moved >= 0]
        mine["row"] = moved[moved >= 0]
        tokens.append(token[moved >= 0])
        postings.append(mine)
    vocabulary, renumber = _united(
        [_picked(p.columns.vocabulary, np.unique(t)) for p, t in zip(parts, tokens, strict=True)],
        [p.columns.vocabulary for p in parts],
    )
    token = np.concatenate([r[t] for r, t in zip(renumber, tokens, strict=True)])
    return vocabulary, by_token(token, np.concatenate(postings), len(vocabulary))


def _picked(strings: Strings, places: NDArray[Any]) -> list[bytes]:
    """Some strings, in order."""
    if len(places) == len(strings):
        return list(strings)
    return [strings[i] for i in places.tolist()]


def _united(
    used: Sequence[Sequence[bytes]], tables: Sequence[Strings]
) -> tuple[Strings, list[NDArray[np.int64]]]:
    """One table of the strings used, and each old table's numbers in it (-1: not used)."""
    union = Strings.of(sorted(set().union(*used)))
    return union, [union.locate(list(table)) for table in tables]


def by_token(token: NDArray[np.int64], postings: NDArray[np.void], tokens: int) -> Postings:
    """Sort postings by token and row, and pack them.

    Args:
        token: each one's, (n,).
        postings: dtype POSTING, (n,).
        tokens: how many there are.
    """
    order = np.argsort((token << 32) | postings["row"], kind="stable")
    starts = np.zeros(tokens + 1, np.int64)
    np.cumsum(np.bincount(token, minlength=tokens), out=starts[1:])
    return Postings.of(postings[order], starts)
