"""The rows nearest to a query vector, with FAISS; inner product, higher is better.

Below ANN_ROWS rows a segment is searched exactly: FAISS scans the memory-mapped vectors as they
are, so no second copy of them exists. Above, FAISS scans half a byte a dimension (product
quantisation of pairs of dimensions, "fast scan": André et al., 2015, Cache Locality is not Enough)
and the vectors, kept in one byte a dimension (`index.parts`), decide among the best `depth` rows
that it gives. How deep is measured when the segment is written, with vectors of its own as
questions, and noted in the manifest with the recall that it gave.

Measured on 26,916 real vectors of news passages and sentences, 360 questions, one thread, by
processor time a question and share of the 50 best that were found:

    exact float32 scan                  4.3 ms   1.000
    SQ8, 60 rows compared exactly       2.6 ms   1.000
    IVF512 SQ8, half the lists, 300     1.4 ms   .995 (an eighth of them: .861)
    4-bit pairs, 1,000 rows             .35 ms   .998

The scan is linear (3.5 ms at 206,000 rows), needs 96 bytes of memory a row of 384 dimensions,
serves filters as it is, and rows can be left out of it at no cost, which is what graphs and lists
make hard.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.columns import Vectors
from index.parts import Kept, restored

ANN_ROWS = 10_000
"""An exact scan costs .16 µs a row: 1.6 ms here, and there are at most three segments a size."""

DEPTHS = (256, 384, 512, 768, 1_024, 1_536, 2_048, 3_072, 4_096, 6_144, 8_192)
RECALL = {10: 0.99, 50: 0.98}
"""The share of so many exact best that the chosen depth must find: of 50, most serve as candidates
that words or a sentence bring to the front, and these find them too."""

_BEST, _QUESTIONS = max(RECALL), 200
_SAME = 1e-6  # inner products that differ by less are equal
_TRAINING_ROWS = 4_096  # four times as many gave the same recall
_SPARE = 32
# Reading one row in so many costs as much as looking at the codes of all.
_FEW = 64

# A filter takes FAISS up to half as long again: so few rows are left out afterwards.
_LEFT_OUT = 4

_limit = threading.Lock()


EXACT: Mapping[str, Any] = {"kind": "exact"}
"""What is noted of rows that are searched exactly."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a segment is searched by.

    Attributes:
        index: a serialised FAISS index of the rows, in order.
        facts: the kind, the depth, and the share of the 10 and 50 best rows by the vectors as
            they were given that a search finds.
    """

    index: NDArray[np.uint8]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dense:
    """An opened segment's vectors.

    Attributes:
        vectors: (n, dim), C-ordered; float32 unless there is an index.
        index: an opened FAISS index of them, or None for exact search.
        facts: as they were built.
    """

    vectors: Kept
    index: Any
    facts: Mapping[str, Any]


def scanned(rows: int, dim: int) -> bool:
    """Whether so many rows get an index, or are searched exactly."""
    return rows >= ANN_ROWS and not dim % 2


def build(vectors: Vectors, kept: Kept, parts: Vectors) -> Built:
    """Build what a large segment is searched by.

    Args:
        vectors: the rows, as they were given.
        kept: the same, as they will be compared.
        parts: int8, the vectors of their parts: what the rows' readers may ask about; without
            any, the rows themselves serve as the questions that the depth is measured with.
    """
    kind = f"IVF1,PQ{vectors.dim // 2}x4fs"
    # More threads took ten times the processor time: each of the many small clusterings waits.
    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(vectors.dim, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors.sample(_TRAINING_ROWS))
    for block in vectors.blocks():
        index.add(block)
    questions = restored(parts.sample(_QUESTIONS)) if len(parts) else vectors.sample(_QUESTIONS)
    facts = {"kind": f"{kind}+exact"} | _measured(index, vectors, kept, questions)
    raw: NDArray[np.uint8] = faiss.serialize_index(index)
    return Built(raw, facts)


def _measured(
    index: Any,  # noqa: ANN401 - faiss publishes no types
    vectors: Vectors,
    kept: Kept,
    questions: NDArray[np.float32],
) -> dict[str, float]:
    """The smallest depth that is good enough, and its recall at 10 and 50."""
    best = _best(vectors, questions)
    _, found = index.search(questions, min(DEPTHS[-1], len(vectors)))
    for depth in DEPTHS:
        shares = []
        for question, scores, rows in zip(questions, best, found[:, :depth], strict=True):
            rows = rows[rows >= 0]
            first = rows[np.argsort(-kept.products(rows, question), kind="stable")[:_BEST]]
            reached = vectors.some(first) @ question
            # Rows of one text are equal: any of them is as good as another.
            shares.append([np.mean(reached[:k] >= scores[:k].min() - _SAME) for k in RECALL])
        recalls = dict(zip(RECALL, np.mean(shares, axis=0).tolist(), strict=True))
        if all(recalls[k] >= least for k, least in RECALL.items()):
            break
    return {"depth": depth} | {f"recall@{k}": round(held, 4) for k, held in recalls.items()}


def _best(vectors: Vectors, questions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The _BEST scores of each question among all rows, by exact comparison, best first."""
    scores = np.empty((len(questions), 0), np.float32)
    for block in vectors.blocks():
        scores = np.concatenate([scores, questions @ block.T], axis=1)
        scores = -np.sort(-scores, axis=1)[:, :_BEST]
    return scores


def open_ann(path: Path) -> Any:  # noqa: ANN401 - faiss publishes no types
    """A saved index, memory-mapped. The file's checksum must have been compared before."""
    with _limit:
        # FAISS's own guard against a header that asks for more memory than the file could hold.
        before = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
        try:
            return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        finally:
            faiss.set_deserialization_vector_byte_limit(before)


def nearest(
    dense: Dense, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best rows of a segment, in no order; at least k where there are so many.

    Every row that ties with the k-th is among them (exact search), so that a caller who orders
    by score and then by id has a result that does not depend on how rows are stored.

    Args:
        dense: the segment's.
        query: float32, (dim,).
        k: above 0.
        allowed: bool, (n,); None allows all.

    Returns:
        Row numbers and their exact inner products.
    """
    vectors = dense.vectors
    count = len(vectors) if allowed is None else int(np.count_nonzero(allowed))
    depth = max(int(dense.facts.get("depth", 0)), 4 * k)
    if allowed is not None and count <= max(depth, len(vectors) // _FEW):
        rows = np.flatnonzero(allowed)  # so few that reading just them is the quickest
    elif dense.index is None:
        rows = _exact(vectors.codes, query, k, count, allowed)
    elif count <= depth:
        rows = np.arange(count)
    elif allowed is not None and len(vectors) - count <= depth // _LEFT_OUT:
        rows = _compressed(dense.index, query, depth + len(vectors) - count, len(vectors), None)
        rows = rows[allowed.take(rows)]
    else:
        rows = _compressed(dense.index, query, depth, len(vectors), allowed)
    return rows, vectors.products(rows, query)


def _exact(
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    count: int,
    allowed: NDArray[np.bool_] | None,
) -> NDArray[np.int64]:
    """The k best rows and all that tie with the k-th."""
    bits, selector = _selector(allowed, len(vectors))
    wanted = k + _SPARE
    # One question is too little work to share out: two threads took twice the processor time, and
    # waited for each other when the machine was busy. The setting is the calling thread's own.
    faiss.omp_set_num_threads(1)
    while True:
        wanted = min(wanted, count)
        scores, rows = np.empty(wanted, np.float32), np.empty(wanted, np.int64)
        if wanted:
            faiss.knn_inner_product(
                faiss.swig_ptr(query),
                faiss.swig_ptr(vectors),
                vectors.shape[1],
                1,
                len(vectors),
                wanted,
                faiss.swig_ptr(scores),
                faiss.swig_ptr(rows),
                selector,
            )
        if wanted == count or scores[wanted - 1] < scores[k - 1]:
            break
        wanted *= 4
    del bits  # FAISS read it until here
    return rows


def _compressed(
    index: Any,  # noqa: ANN401
    query: NDArray[np.float32],
    depth: int,
    size: int,
    allowed: NDArray[np.bool_] | None,
) -> NDArray[np.int64]:
    """The best rows by FAISS's own, rough scores."""
    bits, selector = _selector(allowed, size)
    faiss.omp_set_num_threads(1)
    parameters = faiss.SearchParametersIVF()
    parameters.nprobe, parameters.sel = 1, selector
    _, found = index.search(query[None], min(depth, size), params=parameters)
    del bits
    rows: NDArray[np.int64] = found[0]
    return np.sort(rows[rows >= 0])  # in the order in which they lie in memory


def _selector(allowed: NDArray[np.bool_] | None, size: int) -> tuple[Any, Any]:
    """The bits that FAISS reads while it searches, and its selector; None, None for all rows."""
    if allowed is None:
        return None, None
    bits = np.packbits(allowed, bitorder="little")
    return bits, faiss.IDSelectorBitmap(size, faiss.swig_ptr(bits))
