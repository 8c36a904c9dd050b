"""What Milvus cannot keep: BM25's statistics, which change in one transaction, and who is counted.

They stand in the corpus's own database where that is a server, so that every machine reads the
same, else in a file of the home. A group is counted in `held` or it is not held: a write that was
broken off leaves its groups in `touched`, and the next one clears these away in Milvus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from index.asked import Totals

_AT_ONCE = 10_000  # values of one statement
_BEHIND = "\U0010ffff"  # no token holds it: it is no character of any script

TABLES = (
    "CREATE TABLE IF NOT EXISTS milvus_state (one int PRIMARY KEY, generation bigint NOT NULL,"
    " model text NOT NULL, tokenizer text NOT NULL, dim bigint NOT NULL, live bigint NOT NULL,"
    " total double precision NOT NULL, collection text NOT NULL, numbers bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS milvus_terms (token text {binary} PRIMARY KEY,"
    " id bigint NOT NULL UNIQUE, df bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS milvus_held (grp text {binary} PRIMARY KEY, rows bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS milvus_touched (grp text {binary} PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS milvus_leftover (collection text PRIMARY KEY,"
    " since double precision NOT NULL)",
    "INSERT INTO milvus_state VALUES (1, 0, '', '', 0, 0, 0, '', 0) ON CONFLICT DO NOTHING",
)
"""The tables; {binary} is the database's word for an order by code points."""


class Connection(Protocol):
    """A connection, with "?" for each value of a statement."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Any:  # noqa: ANN401 a cursor
        """Run a statement."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run a statement once for each row of values."""
        ...


class Database(Protocol):
    """What the tables stand in."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """One transaction: all or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """The index as it is counted.

    Attributes:
        generation: rises with every change; 0 where there never was one.
        model: the fingerprint of the encoder.
        tokenizer: the fingerprint of what cut the words.
        dim: the vectors' width; 0 before the first.
        live: the rows.
        total: their lengths together.
        collection: the one that is searched; "" before the first.
    """

    generation: int
    model: str
    tokenizer: str
    dim: int
    live: int
    total: float
    collection: str

    @property
    def totals(self) -> Totals:
        """What BM25 needs."""
        return Totals(self.live, self.total)


@dataclass(frozen=True, slots=True)
class Counted:
    """What some rows add to the statistics, or take from them.

    Attributes:
        df: of each token, by number, in how many of the rows it stands.
        held: of each group, how many of the rows are its.
        total: the rows' lengths together.
    """

    df: Mapping[int, int]
    held: Mapping[str, int]
    total: float

    @property
    def rows(self) -> int:
        """How many."""
        return sum(self.held.values())


class Ledger:
    """The statistics of one index. Threads and processes may share the tables."""

    def __init__(self, database: Database) -> None:
        """Name the database, which has the tables."""
        self._database = database

    def state(self) -> State:
        """The index as it is."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT generation, model, tokenizer, dim, live, total, collection"
                " FROM milvus_state"
            ).fetchone()
        return State(*row)

    def groups(self) -> frozenset[str]:
        """The groups that have a row."""
        with self._database.reading() as db:
            return frozenset(row[0] for row in db.execute("SELECT grp FROM milvus_held"))

    def held(self, groups: Iterable[str]) -> dict[str, int]:
        """Those of some groups that have rows, and how many."""
        return self._of("SELECT grp, rows FROM milvus_held WHERE grp IN ({})", groups)

    def touched(self) -> frozenset[str]:
        """Groups of a write that was broken off."""
        with self._database.reading() as db:
            return frozenset(row[0] for row in db.execute("SELECT grp FROM milvus_touched"))

    def known(self, tokens: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Those of some tokens that stand in a row: their numbers, and how many rows hold them."""
        sql = "SELECT token, id, df FROM milvus_terms WHERE df > 0 AND token IN ({})"
        with self._database.reading() as db:
            found = (
                row for some in _chunks(tokens) for row in db.execute(_marked(sql, some), some)
            )
            return {token: (number, df) for token, number, df in found}

    def beginning(self, prefix: str) -> list[str]:
        """The tokens that begin so and stand in a row, in the order of code points."""
        sql = "SELECT token FROM milvus_terms WHERE token >= ? AND token < ? AND df > 0"
        with self._database.reading() as db:
            rows = db.execute(f"{sql} ORDER BY token", [prefix, prefix + _BEHIND])
            return [row[0] for row in rows]

    def holding(self, part: str, most: int) -> list[str]:
        """Tokens, at most `most`, that hold a part; the first ones by their code points."""
        sql = "SELECT token FROM milvus_terms WHERE instr(token, ?) > 0 AND df > 0"
        with self._database.reading() as db:
            rows = db.execute(f"{sql} ORDER BY token LIMIT ?", [part, most])
            return [row[0] for row in rows]

    def numbered(self, tokens: Iterable[str]) -> dict[str, int]:
        """The number of each token; new ones get theirs, 1 and up."""
        wanted = sorted(set(tokens))
        known = "SELECT token, id FROM milvus_terms WHERE token IN ({})"
        with self._database.transaction() as db:
            found: dict[str, int] = {}
            for some in _chunks(wanted):
                found |= dict(db.execute(_marked(known, some), some).fetchall())
            new = [token for token in wanted if token not in found]
            (last,) = db.execute("SELECT numbers FROM milvus_state").fetchone()
            given = {token: last + 1 + place for place, token in enumerate(new)}
            db.executemany("INSERT INTO milvus_terms VALUES (?, ?, 0)", list(given.items()))
            db.execute("UPDATE milvus_state SET numbers = ?", [last + len(new)])
        return found | given

    def begin(self, gone: Counted, touched: Iterable[str]) -> None:
        """Count rows no more that are about to go, and note the groups that are written to."""
        with self._database.transaction() as db:
            _change(db, gone, -1)
            drop = [[key] for key in gone.held]
            db.executemany("DELETE FROM milvus_held WHERE grp = ?", drop)
            db.executemany(
                "INSERT INTO milvus_touched VALUES (?) ON CONFLICT DO NOTHING",
                [[key] for key in sorted(touched)],
            )

    def finish(self, new: Counted, model: str, tokenizer: str, dim: int, collection: str) -> None:
        """Count rows that are there now; what was begun is done."""
        with self._database.transaction() as db:
            _change(db, new, 1)
            db.executemany("INSERT INTO milvus_held VALUES (?, ?)", sorted(new.held.items()))
            db.execute("DELETE FROM milvus_touched")
            db.execute(
                "UPDATE milvus_state SET model = ?, tokenizer = ?, dim = ?, collection = ?",
                [model, tokenizer, dim, collection],
            )

    def replace(
        self, new: Counted, state: State, since: float, swapped: Callable[[], object]
    ) -> None:
        """Count these rows in the place of all others.

        Args:
            new: all rows.
            state: of the index from now on; its generation, `live` and `total` are worked out here.
            since: seconds since 1970; from now on the collection before is left over.
            swapped: called last; where it fails nothing has changed.
        """
        with self._database.transaction() as db:
            db.execute("UPDATE milvus_terms SET df = 0 WHERE df <> 0")
            db.execute("DELETE FROM milvus_held")
            db.execute("DELETE FROM milvus_touched")
            db.execute(
                "INSERT INTO milvus_leftover SELECT collection, ? FROM milvus_state"
                " WHERE collection <> '' ON CONFLICT DO NOTHING",
                [since],
            )
            db.execute(
                "UPDATE milvus_state SET live = 0, total = 0, model = ?, tokenizer = ?, dim = ?,"
                " collection = ?",
                [state.model, state.tokenizer, state.dim, state.collection],
            )
            _change(db, new, 1)
            db.executemany("INSERT INTO milvus_held VALUES (?, ?)", sorted(new.held.items()))
            swapped()

    def leftover(self, before: float) -> list[str]:
        """Collections that nothing searches since before a time, in seconds since 1970."""
        with self._database.reading() as db:
            sql = "SELECT collection FROM milvus_leftover WHERE since <= ?"
            return [row[0] for row in db.execute(sql, [before])]

    def dropped(self, collection: str) -> None:
        """A collection is gone."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM milvus_leftover WHERE collection = ?", [collection])

    def counted(self) -> tuple[State, dict[int, int], dict[str, int]]:
        """Everything that is counted: the state, each token's df by number, each group's rows."""
        with self._database.transaction() as db:
            dfs = db.execute("SELECT id, df FROM milvus_terms WHERE df <> 0").fetchall()
            held = db.execute("SELECT grp, rows FROM milvus_held").fetchall()
            return self.state(), dict(dfs), dict(held)

    def _of(self, sql: str, keys: Iterable[str]) -> dict[str, int]:
        with self._database.reading() as db:
            found = (row for some in _chunks(keys) for row in db.execute(_marked(sql, some), some))
            return dict(found)


def _change(db: Connection, some: Counted, sign: int) -> None:
    """Add to the figures, or take from them."""
    db.execute(
        "UPDATE milvus_state SET generation = generation + 1, live = live + ?,"
        " total = CASE WHEN live + ? = 0 THEN 0 ELSE total + ? END",
        [sign * some.rows, sign * some.rows, sign * some.total],
    )
    db.executemany(
        "UPDATE milvus_terms SET df = df + ? WHERE id = ?",
        [(sign * times, number) for number, times in sorted(some.df.items())],
    )


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    left = iter(values)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def _marked(sql: str, values: Sequence[str]) -> str:
    return sql.format(",".join("?" * len(values)))
