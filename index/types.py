"""What goes into the index and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.parts import Parts


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to index.

    Attributes:
        id: unique among the live rows.
        group: the unit of deletion and of filtering; many rows share one.
        text: indexed word by word; not kept.
        context: words about the text (a section, names), indexed with it and weighed apart.
        title: words that name the text, indexed with it and weighed apart.
    """

    id: str
    group: str
    text: str
    context: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to index, with their vectors.

    Attributes:
        entries: the rows.
        vectors: float32, (n, dim), rows of length 1; row i is entry i's.
        parts: the vectors of what each row consists of (its sentences, say), in the order of the
            entries; None where none has any.
    """

    entries: Sequence[Entry]
    vectors: NDArray[np.float32]
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class AllBut:
    """Every group except some: quicker to leave few out than to name all others."""

    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found.

    Attributes:
        score: a cosine or a BM25 score, higher is better.
    """

    id: str
    score: float
