"""BM25 over the postings of all segments together; higher is better.

The formula is Lucene's, as bm25s calls it (Robertson & Zaragoza, 2009, The Probabilistic Relevance
Framework; Kamphuis et al., 2020, Which BM25 Do You Mean?):

    idf(t)   = ln(1 + (N - df + 0.5) / (df + 0.5))
    score(d) = sum over the question's tokens of
               idf(t) * tf / (tf + K1 * (1 - B + B * dl / avgdl))

with tf and dl counting a title's token TITLE and a context's token CONTEXT times, and N, df and
avgdl counted over the live rows of the whole collection at the moment of asking, so that a score
never depends on how rows are spread over segments or on rows that were deleted.

Why not the library bm25s itself, which the tests compare with: it keeps finished scores, so each
commit would have to count the whole collection again. At 202,401 passages that took 27 s and
1.7 GB; here 300 passages more are searchable in 0.1 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from index.columns import Columns
from index.postings import Shapes
from index.strings import keys_of
from index.tokens import Tokenizer
from index.types import Entry

# Chosen on these very sets, with tokens that still held pairs with stop words.
# Recall at rank 1 of XQuAD zh, CMRC and DRCD (1,000 questions each, 3,000 news passages put among
# their paragraphs): .907, .975, .937; the usual 1.5 and 0.75 give .901, .970, .930. K1 above 1.5 is
# worse on all three; B 0.3 against 0.5, at K1 1.5, changes each by .004 at most, either way.
K1 = 1.0
B = 0.5
# With titles, fused with the vectors: recall at rank 1 with a title's words left out, counted once
# and three times is .877, .878, .878 on CMRC, .847, .850, .849 on DRCD, .960, .963, .964 on XQuAD
# en and .946 throughout on XQuAD zh (1,190 questions each, passages cut by another encoder): that
# they count matters, how much does not.
TITLE = 1.0
# Section, authors and affiliations, counted 0, .25, .5, 1, 2 and 4 times: MRR@10 of the 222
# questions on the sample articles .890, .888, .892, .892, .890, .889; of the 60 on the page of five
# articles .847 throughout. Every score of an answer stays the same from 0 to 1.
CONTEXT = 1.0


_FEW = 1_000
"""Postings of a token up to which it is read together with others: numpy's calls, some two
microseconds each, take longer than what they do."""

_DENSE = 10
"""From one posting of a word in so many rows on, its tokens are added up over all rows."""

_FAR = 8
"""So many times the postings of its others, the commonest token of a word is left as it is, and
theirs are looked up in it."""

_EXACT = 24
"""Bits of whole numbers that float32 adds up exactly, in whatever order: scores are such numbers
of a unit that is a power of two, so that it cannot matter which segment a row is in."""


Counts = dict[str, float]
"""The distinct tokens of a row, and how often each stands in it, fields weighed."""


def counted(entry: Entry, tokenizer: Tokenizer) -> Counts:
    """A row's tokens, for engines that hold a row by itself."""
    found: Counts = {}
    for text, weight in ((entry.text, 1.0), (entry.title, TITLE), (entry.context, CONTEXT)):
        for token, times in Counter(tokenizer.tokens(text) if text else ()).items():
            found[token] = found.get(token, 0.0) + weight * times
    return found


Term = Mapping[str, float]
"""What a question asks for in one word: tokens that mean the same, and how much each counts."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a segment has of a question's words, dead rows too.

    Attributes:
        word: numbers of words, (n,).
        rows: that hold them, each once a word, (n,).
        tf: the weighted frequencies there, float32, (n,).
        often: of words with frequent tokens, the other rows: number; rows, each once, and tf there;
            or None and that of all rows.
    """

    word: NDArray[np.int64]
    rows: NDArray[np.int64]
    tf: NDArray[np.float32]
    often: Sequence[tuple[int, NDArray[np.int64] | None, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Field:
    """One segment as BM25 sees it.

    Attributes:
        columns: the segment's.
        live: bool, (n,); None when every row is alive.
        lengths: float32, (n,): tokens of each row, fields weighed.
        times: float32, (c,): what each of the columns' counts comes to, fields weighed.
        total: the live rows' lengths together.
        count: the live rows.
    """

    columns: Columns
    live: NDArray[np.bool_] | None
    lengths: NDArray[np.float32]
    times: NDArray[np.float32]
    total: float
    count: int

    def held(
        self, token: NDArray[np.int64], word: NDArray[np.int64], weight: NDArray[np.float32]
    ) -> _Held:
        """Read the postings of a question's tokens.

        Args:
            token: their places in the vocabulary, (n,); -1 for those that are not here.
            word: the numbers of the words that they stand for, rising, (n,).
            weight: how much each counts, (n,).
        """
        there = np.flatnonzero(token >= 0)
        token, word, weight = token[there], word[there], weight[there]
        shapes = self.columns.postings.shapes(token)
        few = shapes.sizes <= _FEW
        words, rows, tf = self._merged(shapes.some(few), word[few], weight[few])
        often: list[tuple[int, NDArray[np.int64] | None, NDArray[np.float32]]] = []
        alone, apart = np.ones(len(words), np.bool_), []
        large = word[~few]
        for number in dict.fromkeys(large.tolist()):
            first, last = np.searchsorted(words, [number, number + 1]).tolist()
            mine = np.flatnonzero(~few)[large == number]
            lists = [
                self._one_token(t, w)
                for t, w in zip(token[mine].tolist(), weight[mine], strict=True)
            ]
            commonest, *others = sorted(lists, key=lambda held: -len(held[0]))
            some = rows[first:last], tf[first:last]
            alone[first:last] = False
            if sum(len(held) for held, _ in others) * _FAR < len(commonest[0]):
                more, much = self._together([*others, some]) if others else some
                left = _apart(*commonest, more, much)
                apart.append((np.full(np.count_nonzero(left), number), more[left], much[left]))
                often.append((number, *commonest))
            else:
                often.append((number, *self._united([*lists, some])))
        kept = [(words[alone], rows[alone], tf[alone]), *apart]
        words, rows, tf = (np.concatenate(column) for column in zip(*kept, strict=True))
        return _Held(words, rows, tf, often)

    def _merged(
        self, shapes: Shapes, word: NDArray[np.int64], weight: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Words, rising, the rows that hold each, once and rising, and its tf there."""
        rows, places = self.columns.postings.several(shapes)
        tf = np.repeat(weight, shapes.sizes) * self.times.take(places)
        words = np.repeat(word, shapes.sizes)
        key = words * len(self.lengths) + rows
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key.take(order), prepend=-1))
        if len(first):
            tf = np.add.reduceat(tf.take(order), first)
        kept = order.take(first)
        return words.take(kept), rows.take(kept), tf

    def _united(
        self, lists: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]]
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.float32]]:
        """The rows of one word, each once, rising, and its tf there; or None and that of all rows.

        Args:
            lists: rows and tf of its tokens, each one's rows rising; any may be empty but one.
        """
        if sum(len(some) for some, _ in lists) * _DENSE > len(self.lengths):
            together = np.zeros(len(self.lengths), np.float32)
            for some, times in lists:
                together[some] += times
            return None, together
        return self._together(lists)

    def _together(
        self, lists: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows of lists, each once, rising, and the sums of their tf."""
        rows = np.concatenate([some for some, _ in lists])
        order = np.argsort(rows, kind="stable")  # each one's are sorted: this only merges them
        rows = rows.take(order)
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        tf = np.concatenate([times for _, times in lists]).take(order)
        return rows.take(first), np.add.reduceat(tf, first)

    def _one_token(
        self, token: int, weight: np.float32
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        rows, places = self.columns.postings.rows(token)
        if places is None:
            return rows, np.full(len(rows), weight * self.times[0], np.float32)
        tf: NDArray[np.float32] = self.times.take(places)
        tf *= weight
        return rows, tf

    def holding(self, held: _Held, words: int) -> NDArray[np.int64]:
        """How many living rows hold each word, (words,)."""
        live = self.live
        df = np.bincount(held.word, None if live is None else live.take(held.rows), words)
        for number, rows, tf in held.often:
            if rows is None:
                df[number] += np.count_nonzero(tf > 0 if live is None else (tf > 0) & live)
            else:
                df[number] += len(rows) if live is None else np.count_nonzero(live.take(rows))
        return df.astype(np.int64)

    def scores(
        self, held: _Held, idf: NDArray[np.float32], norms: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The rows' scores, whole numbers, float32, (n,); 0 for the dead.

        Args:
            held: what the rows hold of the question's words.
            idf: of the words, in the unit of the scores, float32, (words,).
            norms: what is added to tf below the line, (n,).
        """
        score = np.zeros(len(self.lengths), np.float32)
        brought = _brought(idf.take(held.word), held.tf, norms.take(held.rows))
        np.add.at(score, held.rows, brought)  # far quicker than score[rows] += …
        for number, rows, tf in held.often:
            own = norms.copy() if rows is None else norms.take(rows)
            brought = _brought(idf[number], tf, own)
            if rows is None:
                score += brought
            else:
                np.add.at(score, rows, brought)
        if self.live is not None:
            score[~self.live] = 0
        return score


def _apart(
    held: NDArray[np.int64],
    times: NDArray[np.float32],
    rows: NDArray[np.int64],
    tf: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Add the tf of rows to those that are held already, all rising; which rows are left."""
    at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
    both: NDArray[np.bool_] = held.take(at) == rows
    times[at[both]] += tf[both]
    return np.logical_not(both)


def _brought(
    idf: NDArray[np.float32] | np.float32, tf: NDArray[np.float32], norm: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What a word adds to rows, in whole units, in the place of `norm`."""
    norm += tf
    np.divide(tf, norm, out=norm)  # new arrays would take most of the time
    norm *= idf
    return np.rint(norm, out=norm)


def field(columns: Columns, live: NDArray[np.bool_] | None) -> Field:
    """Count a segment's lengths once, for all questions."""
    lengths = _weighed(columns.rows)
    kept = lengths if live is None else lengths[live]
    times = _weighed(columns.postings.counts)
    return Field(columns, live, lengths, times, float(kept.sum(dtype=np.float64)), len(kept))


class Bm25:
    """All segments together, as one generation has them: what scores their rows."""

    def __init__(self, fields: Sequence[Field]) -> None:
        """Count over all; `fields`: every segment."""
        self._fields = fields
        self._count = sum(f.count for f in fields)
        mean = (sum(f.total for f in fields) / self._count if self._count else 0) or 1.0
        base, slope = np.float32(K1 * (1 - B)), np.float32(K1 * B / mean)
        self._norms = [base + slope * f.lengths for f in fields]

    def scores(self, terms: Sequence[Term]) -> tuple[list[NDArray[np.float32]], np.float32]:
        """The score of every row of every segment; 0 where no token stands, or the row is dead.

        The tokens of one term count as one word: their frequencies are added up, each by its
        weight, and a row that holds any of them counts once in df. So a word with many translations
        weighs no more than one with a single one (Pirkola, 1998, The Effects of Query Structure and
        Dictionary Setups in Dictionary-Based Cross-Language Information Retrieval).

        Args:
            terms: the question's; one that stands twice counts twice. Weights are above 0.

        Returns:
            Whole numbers, and the unit that they are times of.
        """
        tokens = {token: i for i, token in enumerate(dict.fromkeys(t for q in terms for t in q))}
        encoded = [t.encode("utf-8", "surrogatepass") for t in tokens]
        keys = keys_of(encoded)
        wanted = np.array([tokens[t] for term in terms for t in term], np.int64)
        word = np.repeat(np.arange(len(terms)), [len(term) for term in terms])
        # In 256ths sums of times are exact, in whatever order they are added up.
        parts = np.rint([256 * w for term in terms for w in term.values()])
        weight = np.maximum(parts, 1).astype(np.float32) / np.float32(256)
        held = [
            f.held(f.columns.vocabulary.locate(encoded, keys)[wanted], word, weight)
            for f in self._fields
        ]
        df = sum(f.holding(h, len(terms)) for f, h in zip(self._fields, held, strict=True))
        idf = np.log(1 + (self._count - df + 0.5) / (df + 0.5))
        unit = 2.0 ** (ceil(log2(float(idf.sum()))) - _EXACT)  # no row gets more than all idf
        scores = [
            f.scores(h, (idf / unit).astype(np.float32), norms)
            for f, h, norms in zip(self._fields, held, self._norms, strict=True)
        ]
        return scores, np.float32(unit)


def _weighed(counts: NDArray[np.void]) -> NDArray[np.float32]:
    """Tokens or times of the text, plus those of the other fields by weight, float32, (n,)."""
    others = np.float32(TITLE) * counts["title"] + np.float32(CONTEXT) * counts["context"]
    return (counts["text"] + others).astype(np.float32)
