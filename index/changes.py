"""What a commit does to the segments, worked out before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from index.segment import Segment
from index.snapshot import View
from index.types import Batch, Entry

# Segments of like size are merged once there are FAN_IN of them, so that at most 3 stay in each
# size class (each 4 times the one below: 512, 2,048 …) and a row is rewritten about once a class.
# Eight would rewrite rows less often, but a search looks into every segment, and merging waits
# for nobody.
FAN_IN = 4
SMALLEST_CLASS = 512
# A segment with a larger share of dead rows than this is rewritten without them.
MOST_DEAD = 0.25

_UNIT = 1e-3


def checked(add: Batch, dim: int) -> int:
    """The width of the vectors, after making sure that they fit the entries and the index.

    Args:
        add: the rows to add.
        dim: the index's width, 0 while it has none.

    Raises:
        ValueError: an id occurs twice, or the vectors' shape, type, width or length is wrong.
    """
    rows, vectors, parts = len(add.entries), add.vectors, add.parts
    if len({e.id for e in add.entries}) != rows:
        raise ValueError("an id occurs twice among the rows to add")
    if vectors.ndim != 2 or len(vectors) != rows or vectors.dtype != np.float32:
        raise ValueError(
            f"{rows} rows need float32 vectors ({rows}, dim), not {vectors.dtype} {vectors.shape}"
        )
    if not rows:
        return dim
    if dim not in (0, vectors.shape[1]):
        raise ValueError(f"the index holds vectors of {dim} dimensions, not {vectors.shape[1]}")
    if parts is not None and (len(parts) != rows or parts.codes.shape[1] != vectors.shape[1]):
        raise ValueError(f"the parts of {len(parts)} rows were given for {rows}, or of other width")
    for start in range(0, len(vectors), 4096):
        block = vectors[start : start + 4096]
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        if not (np.abs(lengths - 1) < _UNIT).all():  # also false for NaN
            raise ValueError("every vector must have length 1")
    return int(vectors.shape[1])


def without(views: Sequence[View], groups: Collection[str]) -> list[View]:
    """The same segments with the rows of some groups dead."""
    if not groups:
        return list(views)
    out = []
    for view in views:
        dead = view.segment.columns.rows_of(groups)
        if dead.any():
            live = ~dead if view.live is None else view.live & ~dead
            out.append(View(view.segment, live))
        else:
            out.append(view)
    return out


def held(views: Sequence[View], groups: Collection[str]) -> frozenset[str]:
    """Those of some groups that have a live row."""
    return frozenset().union(*(view.groups(view.allowed(list(groups))) for view in views))


def refuse_live(views: Sequence[View], add: Sequence[Entry]) -> None:
    """Make sure that no row to add is there already.

    Raises:
        ValueError: one is.
    """
    encoded = [e.id.encode() for e in add]
    for view in views:
        places = view.segment.columns.ids.locate(encoded)
        found = places[places >= 0]
        if view.live is not None:
            found = found[view.live[found]]
        if len(found):
            name = view.segment.columns.ids[int(found[0])].decode()
            raise ValueError(f"the id {name} is in the index already")


def to_merge(views: Sequence[View]) -> list[list[int]]:
    """The places of the segments to be written as one, group by group.

    Segments of like size are put together once there are FAN_IN of them; one of which too much
    is dead is written anew by itself. Segments without live rows are left to the next commit.
    """
    classes: dict[int, list[int]] = {}
    for place, view in enumerate(views):
        if view.size:
            classes.setdefault(_class(view.size), []).append(place)
    groups: list[list[int]] = []
    for members in classes.values():
        if len(members) >= FAN_IN:
            groups.append(members)
        else:
            groups += [[m] for m in members if _mostly_dead(views[m])]
    return groups


def _mostly_dead(view: View) -> bool:
    return view.size < (1 - MOST_DEAD) * len(view.segment)


def carried(old: Sequence[View], now: Sequence[View | None], merged: Segment) -> View:
    """The segment that some were merged into, without the rows that have died since.

    Args:
        old: the segments as they were merged.
        now: the same segments as they are; None for one of which no row is alive.
        merged: what was written of `old`'s live rows.
    """
    live = np.ones(len(merged), np.bool_)
    for before, after in zip(old, now, strict=True):
        size = len(before.segment)
        was = np.ones(size, np.bool_) if before.live is None else before.live
        still = np.zeros(size, np.bool_)
        if after is not None:
            still[:] = True if after.live is None else after.live
        ids = before.segment.columns.ids
        gone = [ids[int(row)] for row in np.flatnonzero(was & ~still)]
        live[merged.columns.ids.locate(gone)] = False
    return View(merged, None if live.all() else live)


def _class(rows: int) -> int:
    """0 below SMALLEST_CLASS rows, then one more for every factor of FAN_IN."""
    number = 0
    while rows >= SMALLEST_CLASS:
        rows //= FAN_IN
        number += 1
    return number
