"""BM25 in PostgreSQL: candidates by the inverted index, then scored as `index.lexical` does.

Candidates are the rows that hold one of the question's rarer tokens. That no other row belongs
among the best is shown afterwards: a row without any of them scores at most what the other tokens
could give together (Turtle & Flood, 1995, Query Evaluation: Strategies and Optimizations); where
the last of the best does not reach that, all rows with any token are asked for. Of the candidates,
some times as many as are wanted are taken by the scores of an older mean length, and these are
scored with today's statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from index import asked
from index.asked import Candidate, Totals, Word
from index.lexical import Term
from index.pg_groups import Where
from index.pg_schema import SPARSE_DIM
from index.types import Hit

FEW = 20_000
"""Rows that the rarer tokens stand in, together: so many are weighed without asking."""

_SPARE, _LEAST = 4, 200  # candidates scored exactly: so many times those wanted, and at least


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
        terms: as for `index.lexical.Bm25.scores`.
        k: 1 and up.
        totals: of the whole index, whatever the groups.
        where: which rows may be found.
    """
    words = asked.words(terms, partial(_known, db), partial(_counts, db), totals.rows)
    if not words:
        return []
    rare = _rarer(words)
    hits = _scored(db, words, rare, k, totals, where)
    others = sum(word.idf for word in words if not rare.issuperset(word.tokens))
    if others and (len(hits) < k or hits[-1].score < others):
        everything = frozenset(token for word in words for token in word.tokens)
        hits = _scored(db, words, everything, k, totals, where)
    return hits


def _known(db: Any, tokens: list[str]) -> dict[str, tuple[int, int]]:  # noqa: ANN401 see `best`
    """Those of some tokens that stand in a row: their numbers, and how many rows hold them."""
    found = db.execute(
        "SELECT token, id, df FROM terms WHERE token = ANY(%s) AND df > 0", [tokens]
    ).fetchall()
    return {token: (number, df) for token, number, df in found}


def _counts(db: Any, sets: Sequence[list[int]]) -> list[int]:  # noqa: ANN401 see `best`
    """How many rows hold any of the tokens of each set."""
    each = ", ".join("(SELECT count(*) FROM entries WHERE tids && %s::int[])" for _ in sets)
    return [int(count) for count in db.execute(f"SELECT {each}", list(sets)).fetchone()]


def _rarer(words: Sequence[Word]) -> frozenset[int]:
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
    words: Sequence[Word],
    among: frozenset[int],
    k: int,
    totals: Totals,
    where: Where,
) -> list[Hit]:
    """The best of the rows that hold one of some tokens."""
    guess = asked.guess(words)
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
    candidates = (
        Candidate(key, length, dict(zip(tokens, tfs, strict=True))) for key, length, tfs in rows
    )
    return asked.scored(words, candidates, totals, k)
