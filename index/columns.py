"""The columns of a segment: rows sorted by id, their groups, vectors and postings.

They are the same whether they were just made in memory, merged from other segments or
memory-mapped from disk. Postings hold raw counts, so that BM25's statistics, k1, b and the weight
of the context are all chosen when a question is asked, over all segments together: adding or
deleting rows never makes another segment's numbers wrong, and nothing is tokenised twice.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.strings import Strings
from index.tokens import Tokenizer
from index.types import Entry

# A row: its group, and how many tokens its text and its context have.
ROW = np.dtype([("group", "<u4"), ("text", "<u4"), ("context", "<u4")])
# A token in a row: the row, and how often it stands in the text and in the context.
POSTING = np.dtype([("row", "<u4"), ("text", "<u2"), ("context", "<u2")])
MOST = 65_535

_BLOCK_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows picked from arrays, read block by block so that they are never copied as a whole.

    Attributes:
        sources: float32 arrays (any, dim).
        source: which of them each row is in, (n,).
        row: which row of it, (n,).
    """

    sources: tuple[NDArray[np.float32], ...]
    source: NDArray[np.int64]
    row: NDArray[np.int64]
    dim: int

    def __len__(self) -> int:
        return len(self.row)

    def take(self, start: int, end: int) -> NDArray[np.float32]:
        """Rows start to end, float32, (end - start, dim)."""
        out = np.empty((end - start, self.dim), np.float32)
        for number, source in enumerate(self.sources):
            mine = self.source[start:end] == number
            out[mine] = source[self.row[start:end][mine]]
        return out

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """All rows in order."""
        for start in range(0, len(self), _BLOCK_ROWS):
            yield self.take(start, min(start + _BLOCK_ROWS, len(self)))

    def sample(self, most: int) -> NDArray[np.float32]:
        """Rows spread evenly, at most so many."""
        places = np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64)
        return Vectors(self.sources, self.source[places], self.row[places], self.dim).take(
            0, len(places)
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """What a segment holds, but for the vectors.

    Attributes:
        ids: of the rows, in order.
        groups: the distinct ones.
        rows: dtype ROW, (n,).
        vocabulary: the distinct tokens.
        starts: postings[starts[t] : starts[t + 1]] are token t's, by row; (tokens + 1,).
        postings: dtype POSTING.
    """

    ids: Strings
    groups: Strings
    rows: NDArray[np.void]
    vocabulary: Strings
    starts: NDArray[np.int64]
    postings: NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Live:
    """A segment's columns, its vectors and which rows are to be kept.

    Attributes:
        keep: bool, (n,); None keeps all.
    """

    columns: Columns
    vectors: NDArray[np.float32]
    keep: NDArray[np.bool_] | None


def from_entries(
    entries: Sequence[Entry], vectors: NDArray[np.float32], tokenizer: Tokenizer
) -> tuple[Columns, Vectors]:
    """Tokenise and sort new rows.

    Args:
        entries: with distinct ids.
        vectors: float32, (n, dim); row i is entry i's.
        tokenizer: cuts texts and contexts.
    """
    encoded = [e.id.encode() for e in entries]
    order = sorted(range(len(entries)), key=encoded.__getitem__)
    names = sorted({e.group.encode() for e in entries})
    number = {name: i for i, name in enumerate(names)}
    rows = np.zeros(len(entries), ROW)
    tokens: dict[str, int] = {}
    token, row, text, context = array("I"), array("I"), array("H"), array("H")
    for place, source in enumerate(order):
        entry = entries[source]
        in_text = Counter(tokenizer.tokens(entry.text))
        in_context = Counter(tokenizer.tokens(entry.context)) if entry.context else Counter()
        rows[place] = (number[entry.group.encode()], in_text.total(), in_context.total())
        for word in in_text | in_context:
            token.append(tokens.setdefault(word, len(tokens)))
            row.append(place)
            text.append(min(in_text[word], MOST))
            context.append(min(in_context[word], MOST))
    postings = np.empty(len(token), POSTING)
    postings["row"], postings["text"], postings["context"] = row, text, context
    vocabulary = [word.encode() for word in tokens]
    sorting = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
    rank = np.empty(len(vocabulary), np.int64)
    rank[sorting] = np.arange(len(vocabulary))
    starts, postings = _by_token(rank[np.asarray(token, np.int64)], postings, len(vocabulary))
    columns = Columns(
        ids=Strings.of([encoded[i] for i in order]),
        groups=Strings.of(names),
        rows=rows,
        vocabulary=Strings.of([vocabulary[i] for i in sorting]),
        starts=starts,
        postings=postings,
    )
    place_of = np.asarray(order, np.int64)
    return columns, Vectors((vectors,), np.zeros_like(place_of), place_of, vectors.shape[1])


def merge(parts: Sequence[Live]) -> tuple[Columns, Vectors]:
    """One segment's columns from several's, the rows not kept left out.

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
    places = [place[a:b] for a, b in pairwise(bounds)]

    groups, group_of = _united(
        [_picked(p.columns.groups, np.unique(p.columns.rows["group"][rows]))
         for p, rows in zip(parts, kept, strict=True)],
        [p.columns.groups for p in parts],
    )  # fmt: skip
    rows_out = np.empty(len(order), ROW)
    for part, rows, to, renumber in zip(parts, kept, places, group_of, strict=True):
        mine = part.columns.rows[rows]
        rows_out["group"][to] = renumber[mine["group"]]
        rows_out["text"][to], rows_out["context"][to] = mine["text"], mine["context"]

    vocabulary, starts, postings = _merge_postings(parts, kept, places)
    columns = Columns(
        ids=Strings.of([together[i] for i in order.tolist()]),
        groups=groups,
        rows=rows_out,
        vocabulary=vocabulary,
        starts=starts,
        postings=postings,
    )
    source = np.repeat(np.arange(len(parts)), [len(k) for k in kept])[order]
    row = np.concatenate(kept)[order].astype(np.int64)
    width = parts[0].vectors.shape[1]
    return columns, Vectors(tuple(p.vectors for p in parts), source, row, width)


def _merge_postings(
    parts: Sequence[Live],
    kept: Sequence[NDArray[np.int64]],
    places: Sequence[NDArray[np.int64]],
) -> tuple[Strings, NDArray[np.int64], NDArray[np.void]]:
    """The vocabulary and postings of the rows kept, at their new places."""
    tokens, postings = [], []
    for part, rows, to in zip(parts, kept, places, strict=True):
        columns = part.columns
        place = np.full(len(columns.ids), -1, np.int64)
        place[rows] = to
        moved = place[columns.postings["row"]]
        token = np.repeat(np.arange(len(columns.vocabulary)), np.diff(columns.starts))
        mine = columns.postings[moved >= 0]
        mine["row"] = moved[moved >= 0]
        tokens.append(token[moved >= 0])
        postings.append(mine)
    vocabulary, renumber = _united(
        [_picked(p.columns.vocabulary, np.unique(t)) for p, t in zip(parts, tokens, strict=True)],
        [p.columns.vocabulary for p in parts],
    )
    token = np.concatenate([r[t] for r, t in zip(renumber, tokens, strict=True)])
    starts, sorted_postings = _by_token(token, np.concatenate(postings), len(vocabulary))
    return vocabulary, starts, sorted_postings


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


def _by_token(
    token: NDArray[np.int64], postings: NDArray[np.void], tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Postings sorted by token and row, and where each token's start."""
    order = np.argsort((token << 32) | postings["row"], kind="stable")
    starts = np.zeros(tokens + 1, np.int64)
    np.cumsum(np.bincount(token, minlength=tokens), out=starts[1:])
    return starts, postings[order]
