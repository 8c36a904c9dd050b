"""BM25 in PostgreSQL: candidates by the inverted index, then scored as `index.lexical` does.

Candidates are the rows that hold one of the question's rarer tokens. That no other row belongs
among the best is shown afterwards: a row without any of them scores at most what the other tokens
could give together (Turtle & Flood, 1995, Query Evaluation: Strategies and Optimizations); where
the last of the best does not reach that, all rows with any token are asked for. Of the candidates,
some times as many as are wanted are taken by the scores of an older mean length, and these are
scored with today's statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from index.lexical import K1, B, Term
from index.pg_groups import Where
from index.pg_schema import SPARSE_DIM
from index.types import Hit

FEW = 20_000
"""Rows that the rarer tokens stand in, together: so many are weighed without asking."""

_SPARE, _LEAST = 4, 200  # candidates scored exactly: so many times those wanted, and at least


@dataclass(frozen=True, slots=True)
class _Word:
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
    """Figures of all rows."""

    rows: int
    tokens: float


def best(
    db: Any,  # noqa: ANN401 psycopg's connection, imported where it is opened
    terms: Sequence[Term],
    k: int,
    totals: Totals,
    where: Where,
) -> list[Hit]:
    """The k best rows, best first, equal scores by id.

    Args:
        db: a connection.
        terms: as for `index.lexical.scores`.
        k: 1 and up.
        totals: of the whole index, whatever the groups.
        where: which rows may be found.
    """
    words = _words(db, terms, totals.rows)
    if not words:
        return []
    rare = _rarer(words)
    hits = _scored(db, words, rare, k, totals, where)
    others = sum(word.idf for word in words if not rare.issuperset(word.tokens))
    if others and (len(hits) < k or hits[-1].score < others):
        everything = frozenset(token for word in words for token in word.tokens)
        hits = _scored(db, words, everything, k, totals, where)
    return hits


def _words(db: Any, terms: Sequence[Term], rows: int) -> list[_Word]:  # noqa: ANN401 see `best`
    """The terms of which a token stands in a row."""
    asked: dict[tuple[tuple[str, float], ...], int] = {}
    for term in terms:
        key = tuple(sorted(term.items()))
        asked[key] = asked.get(key, 0) + 1
    tokens = sorted({token for key in asked for token, _ in key})
    found = db.execute(
        "SELECT token, id, df FROM terms WHERE token = ANY(%s) AND df > 0", [tokens]
    ).fetchall()
    known = {token: (number, df) for token, number, df in found}
    held = []
    for key, times in asked.items():
        weights = {known[token][0]: weight for token, weight in key if token in known}
        if weights:
            held.append((weights, times, {known[t][0]: known[t][1] for t, _ in key if t in known}))
    several = [sorted(weights) for weights, _, _ in held if len(weights) > 1]
    counts = iter(_counts(db, several))
    words = []
    for weights, times, dfs in held:
        df = next(counts) if len(weights) > 1 else next(iter(dfs.values()))
        words.append(_Word(weights, times * log(1 + (rows - df + 0.5) / (df + 0.5)), dfs))
    return words


def _counts(db: Any, sets: Sequence[list[int]]) -> list[int]:  # noqa: ANN401 see `best`
    """How many rows hold any of the tokens of each set."""
    if not sets:
        return []
    each = ", ".join("(SELECT count(*) FROM entries WHERE tids && %s::int[])" for _ in sets)
    return [int(count) for count in db.execute(f"SELECT {each}", list(sets)).fetchone()]


def _rarer(words: Sequence[_Word]) -> frozenset[int]:
    """The rarest tokens, as many as stand in FEW rows together, and one at least."""
    dfs = {token: df for word in words for token, df in word.df.items()}
    chosen: set[int] = set()
    total = 0
    for token in sorted(dfs, key=lambda t: (dfs[t], t)):
        total += dfs[token]
        if chosen and total > FEW:
            break
        chosen.add(token)
    return frozenset(chosen)


def _scored(
    db: Any,  # noqa: ANN401 see `best`
    words: Sequence[_Word],
    among: frozenset[int],
    k: int,
    totals: Totals,
    where: Where,
) -> list[Hit]:
    """The best of the rows that hold one of some tokens."""
    guess: dict[int, float] = {}
    for word in words:
        for token, weight in word.tokens.items():
            guess[token] = guess.get(token, 0.0) + word.idf * weight
    tokens = sorted(guess)
    held = ",".join(f"{token}:{guess[token]:.6g}" for token in tokens)
    rows = db.execute(
        "SELECT id, length, ARRAY(SELECT coalesce(tfs[array_position(tids, t)], 0)"
        " FROM unnest(%s::int[]) WITH ORDINALITY AS asked(t, place) ORDER BY place)"
        " FROM (SELECT id, length, tids, tfs FROM entries"
        f" WHERE tids && %s::int[]{where.sql}"
        " ORDER BY weights <#> %s::sparsevec, id LIMIT %s) AS candidates",
        [tokens, sorted(among), *where.values, f"{{{held}}}/{SPARSE_DIM}",
         max(_SPARE * k, _LEAST)],
    ).fetchall()  # fmt: skip
    place = {token: i for i, token in enumerate(tokens)}
    mean = totals.tokens / totals.rows if totals.rows else 1.0
    hits = []
    for key, length, tfs in rows:
        norm = K1 * (1 - B) + K1 * B * length / (mean or 1.0)
        score = 0.0
        for word in words:
            tf = sum(weight * tfs[place[token]] for token, weight in word.tokens.items())
            score += word.idf * tf / (tf + norm)
        if score > 0:
            hits.append(Hit(key, score))
    hits.sort(key=lambda hit: (-hit.score, hit.id))
    return hits[:k]
