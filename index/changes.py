"""What a commit does to the segments, worked out before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from index.snapshot import View
from index.types import Entry

# Segments of like size are merged once there are FAN_IN of them, so that at most 7 stay in each
# size class (each 8 times the one below: 512, 4,096 …) and a row is rewritten about once a class.
FAN_IN = 8
SMALLEST_CLASS = 512
# A segment with a larger share of dead rows than this is rewritten without them.
MOST_DEAD = 0.25

_UNIT = 1e-3


def checked(add: Sequence[Entry], vectors: NDArray[np.float32], dim: int) -> int:
    """The width of the vectors, after making sure that they fit the entries and the index.

    Args:
        add: the rows to add.
        vectors: theirs.
        dim: the index's width, 0 while it has none.

    Raises:
        ValueError: an id occurs twice, or the vectors' shape, type, width or length is wrong.
    """
    if len({e.id for e in add}) != len(add):
        raise ValueError("an id occurs twice among the rows to add")
    if vectors.ndim != 2 or len(vectors) != len(add) or vectors.dtype != np.float32:
        raise ValueError(
            f"{len(add)} rows need float32 vectors ({len(add)}, dim), "
            f"not {vectors.dtype} {vectors.shape}"
        )
    if not len(add):
        return dim
    if dim not in (0, vectors.shape[1]):
        raise ValueError(f"the index holds vectors of {dim} dimensions, not {vectors.shape[1]}")
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
    encoded = [g.encode("utf-8", "surrogatepass") for g in groups]
    out = []
    for view in views:
        columns = view.segment.columns
        numbers = columns.groups.locate(encoded)
        gone = np.zeros(len(columns.groups), np.bool_)
        gone[numbers[numbers >= 0]] = True
        dead = gone[columns.rows["group"]]
        if dead.any():
            live = ~dead if view.live is None else view.live & ~dead
            out.append(View(view.segment, live))
        else:
            out.append(view)
    return out


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


def to_merge(views: Sequence[View], added: int) -> tuple[list[int], list[list[int | None]]]:
    """Which segments stay as they are and which are written anew.

    Args:
        views: the segments, with the rows that die in this commit dead.
        added: the rows to add.

    Returns:
        The places of the segments that stay, and groups of places to write as one segment each,
        where None stands for the rows to add. Segments without live rows are in neither.
    """
    classes: dict[int, list[int | None]] = {}
    for place, view in enumerate(views):
        if view.size:
            classes.setdefault(_class(view.size), []).append(place)
    if added:
        classes.setdefault(_class(added), []).append(None)
    kept: list[int] = []
    merged: list[list[int | None]] = []
    for members in classes.values():
        if len(members) >= FAN_IN:
            merged.append(members)
            continue
        for member in members:
            if member is None or views[member].size < (1 - MOST_DEAD) * len(views[member].segment):
                merged.append([member])
            else:
                kept.append(member)
    return kept, merged


def _class(rows: int) -> int:
    """0 below SMALLEST_CLASS rows, then one more for every factor of FAN_IN."""
    number = 0
    while rows >= SMALLEST_CLASS:
        rows //= FAN_IN
        number += 1
    return number
