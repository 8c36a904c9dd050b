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
from math import log

import numpy as np
from numpy.typing import NDArray

from index.columns import Columns
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
CONTEXT = 1.0


# From one posting in so many rows on, adding up over all rows is quicker than sorting postings.
_DENSE = 10


Counts = dict[str, float]
"""The distinct tokens of a row, and how often each stands in it, fields weighed."""


def counted(entry: Entry, tokenizer: Tokenizer) -> Counts:
    """A row's tokens, for engines that hold a row by itself."""
    found: Counts = {}
    for text, weight in ((entry.text, 1.0), (entry.title, TITLE), (entry.context, CONTEXT)):
        for token, times in Counter(tokenizer.tokens(text) if text else ()).items():
            found[token] = found.get(token, 0.0) + weight * times
    return found


@dataclass(frozen=True, slots=True)
class Field:
    """One segment as BM25 sees it.

    Attributes:
        columns: the segment's.
        live: bool, (n,); None when every row is alive.
        lengths: float32, (n,): tokens of each row, fields weighed.
        total: the live rows' lengths together.
        count: the live rows.
    """

    columns: Columns
    live: NDArray[np.bool_] | None
    lengths: NDArray[np.float32]
    total: float
    count: int


def field(columns: Columns, live: NDArray[np.bool_] | None) -> Field:
    """Count a segment's lengths once, for all questions."""
    rows = columns.rows
    lengths = _weighed(rows)
    kept = lengths if live is None else lengths[live]
    return Field(columns, live, lengths, float(kept.sum(dtype=np.float64)), len(kept))


Term = Mapping[str, float]
"""What a question asks for in one word: tokens that mean the same, and how much each counts."""


def scores(fields: Sequence[Field], terms: Sequence[Term]) -> list[NDArray[np.float32]]:
    """The score of every row of every segment; 0 where no token stands, or the row is dead.

    The tokens of one term count as one word: their frequencies are added up, each by its weight,
    and a row that holds any of them counts once in df. So a word with many translations weighs
    no more than one with a single one (Pirkola, 1998, The Effects of Query Structure and Dictionary
    Setups in Dictionary-Based Cross-Language Information Retrieval).

    Args:
        fields: all segments.
        terms: the question's; one that stands twice counts twice. Weights are above 0.
    """
    rows = sum(f.count for f in fields)
    out = [np.zeros(len(f.lengths), np.float32) for f in fields]
    if not rows:
        return out
    mean = sum(f.total for f in fields) / rows or 1.0
    base, slope = np.float32(K1 * (1 - B)), np.float32(K1 * B / mean)
    numbers = _numbers(fields, terms)
    for term in terms:
        found = [
            _frequencies(f.columns, [(held[t], w) for t, w in term.items() if t in held])
            for f, held in zip(fields, numbers, strict=True)
        ]
        df = sum(_living(f, place) for f, (place, _) in zip(fields, found, strict=True))
        if not df:
            continue
        weight = np.float32(log(1 + (rows - df + 0.5) / (df + 0.5)))
        for f, (place, tf), score in zip(fields, found, out, strict=True):
            norm = base + slope * f.lengths.take(place)
            score[place] += weight * tf / (tf + norm)
    for f, score in zip(fields, out, strict=True):
        if f.live is not None:
            score[~f.live] = 0
    return out


def _frequencies(
    columns: Columns, tokens: Sequence[tuple[int, float]]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The rows that hold any of some tokens, each once, dead ones too; their weighted tf."""
    places: list[NDArray[np.intp]] = []
    counts: list[NDArray[np.float32]] = []
    for number, weight in tokens:
        postings = columns.postings[columns.starts[number] : columns.starts[number + 1]]
        places.append(postings["row"].astype(np.intp))
        counts.append(np.float32(weight) * _weighed(postings))
    if len(places) < 2:
        return (places[0], counts[0]) if places else (np.empty(0, np.intp), np.empty(0, np.float32))
    if sum(map(len, places)) * _DENSE > len(columns.rows):
        together = np.zeros(len(columns.rows), np.float32)
        for rows, tf in zip(places, counts, strict=True):
            together[rows] += tf  # a token's rows are distinct
        held = np.flatnonzero(together > 0)  # of bools it is far quicker than of numbers
        return held, together[held]
    rows, tf = np.concatenate(places), np.concatenate(counts)
    order = np.argsort(rows, kind="stable")  # each token's are sorted: this only merges them
    rows, tf = rows[order], tf[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    return rows[first], np.add.reduceat(tf, first)


def _weighed(counts: NDArray[np.void]) -> NDArray[np.float32]:
    """Tokens or times of the text, plus those of the other fields by weight, float32, (n,)."""
    others = np.float32(TITLE) * counts["title"] + np.float32(CONTEXT) * counts["context"]
    return (counts["text"] + others).astype(np.float32)


def _numbers(fields: Sequence[Field], terms: Sequence[Term]) -> list[dict[str, int]]:
    """The numbers of those tokens that stand in each segment, all looked up at once."""
    tokens = list({token for term in terms for token in term})
    encoded = [t.encode("utf-8", "surrogatepass") for t in tokens]
    keys = keys_of(encoded)
    located = (f.columns.vocabulary.locate(encoded, keys) for f in fields)
    return [{t: int(n) for t, n in zip(tokens, found, strict=True) if n >= 0} for found in located]


def _living(field: Field, places: NDArray[np.intp]) -> int:
    """How many of some rows are alive."""
    return len(places) if field.live is None else int(np.count_nonzero(field.live.take(places)))
