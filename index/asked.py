"""BM25 for engines on servers: what is asked, by numbers of tokens, and the exact score of a row.

A server chooses candidates by weights that it holds; here they are scored as `index.lexical` does,
with today's statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from index.lexical import K1, B, Term
from index.types import Hit


@dataclass(frozen=True, slots=True)
class Word:
    """A term of the question as the archive knows it.

    Attributes:
        tokens: how much each counts, by number.
        idf: of the rows that hold any of them, times how often the question has the term.
        df: how many rows hold each.
    """

    tokens: Mapping[int, float]
    idf: float
    df: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of all rows: how many, and their lengths together."""

    rows: int
    tokens: float

    @property
    def mean(self) -> float:
        """The mean length, above 0."""
        return (self.tokens / self.rows if self.rows else 1.0) or 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be among the best.

    Attributes:
        id: the row's.
        length: how many tokens it has, fields weighed.
        tfs: how often tokens of the question stand in it, fields weighed, by number; where one
            does not stand it may be left out.
    """

    id: str
    length: float
    tfs: Mapping[int, float]


def words(
    terms: Sequence[Term],
    known: Callable[[list[str]], Mapping[str, tuple[int, int]]],
    counts: Callable[[list[list[int]]], Sequence[int]],
    rows: int,
) -> list[Word]:
    """The terms of which a token stands in a row.

    Args:
        terms: as for `index.lexical.Bm25.scores`.
        known: of some tokens those that stand in a row, with their number and their df.
        counts: how many rows hold any of the tokens of each set.
        rows: of the whole index.
    """
    asked: dict[tuple[tuple[str, float], ...], int] = {}
    for term in terms:
        key = tuple(sorted(term.items()))
        asked[key] = asked.get(key, 0) + 1
    there = known(sorted({token for key in asked for token, _ in key}))
    held = []
    for key, times in asked.items():
        weights = {there[token][0]: weight for token, weight in key if token in there}
        if weights:
            held.append((weights, times, {there[t][0]: there[t][1] for t, _ in key if t in there}))
    several = [sorted(weights) for weights, _, _ in held if len(weights) > 1]
    together = iter(counts(several) if several else ())
    found = []
    for weights, times, dfs in held:
        df = next(together) if len(weights) > 1 else next(iter(dfs.values()))
        df = min(df, rows)  # others may have added rows since these were counted
        found.append(Word(weights, times * log(1 + (rows - df + 0.5) / (df + 0.5)), dfs))
    return found


def guess(asked: Sequence[Word]) -> dict[int, float]:
    """What each token is worth, to choose candidates by."""
    found: dict[int, float] = {}
    for word in asked:
        for token, weight in word.tokens.items():
            found[token] = found.get(token, 0.0) + word.idf * weight
    return found


def scored(
    asked: Sequence[Word], candidates: Iterable[Candidate], totals: Totals, k: int
) -> list[Hit]:
    """The k best of some rows by BM25, best first, equal scores by id."""
    hits = []
    for one in candidates:
        norm = K1 * (1 - B) + K1 * B * one.length / totals.mean
        score = 0.0
        for word in asked:
            tf = sum(weight * one.tfs.get(token, 0.0) for token, weight in word.tokens.items())
            score += word.idf * tf / (tf + norm)
        if score > 0:
            hits.append(Hit(one.id, score))
    hits.sort(key=lambda hit: (-hit.score, hit.id))
    return hits[:k]
