"""What goes into the index and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to index.

    Attributes:
        id: unique among the live rows.
        group: the unit of deletion and of filtering; many rows share one.
        text: indexed word by word; not kept.
        context: words about the text (a title, a section), indexed with it and weighed apart.
    """

    id: str
    group: str
    text: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found.

    Attributes:
        score: a cosine or a BM25 score, higher is better.
    """

    id: str
    score: float
