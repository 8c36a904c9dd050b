"""Which rows of a PostgreSQL index are searched, as a condition of its SQL."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chosen:
    """Groups that the database itself works out.

    Attributes:
        sql: a query that gives them, with %s for each value; it comes from our own code only.
        values: its values.
        rows: how many rows of the index are theirs, about.
    """

    sql: str
    values: tuple[object, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Where:
    """A condition to be added to others.

    Attributes:
        sql: "" where every row may be found, else begins with AND.
        values: for its marks.
        rows: about how many rows fulfil it; None: all.
    """

    sql: str = ""
    values: tuple[object, ...] = ()
    rows: int | None = None

    @classmethod
    def of(cls, groups: Chosen | Collection[str] | None) -> Where:
        """What lets through the rows of some groups; None for all."""
        if groups is None:
            return cls()
        if isinstance(groups, Chosen):
            return cls(f" AND grp IN ({groups.sql})", groups.values, groups.rows)
        return cls(" AND grp = ANY(%s)", (list(groups),), len(groups))
