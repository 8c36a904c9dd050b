"""The rows nearest to a query vector, with FAISS; inner product, higher is better.

Up to SQ8_ROWS rows a segment is searched exactly: FAISS scans the memory-mapped vectors as they
are, so no second copy of them exists. Above, FAISS scans one byte a dimension (SQ8), reads four
times as many rows as were asked for and their exact vectors decide the order.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.columns import Vectors

# A scan costs 0.16 µs a float32 vector of 384 and 0.08 µs an SQ8 one: 16 ms at 100,000 rows, which
# is where half of it becomes worth a quarter more disk and an approximate first step.
SQ8_ROWS = 100_000
# SQ8 alone found .96 to .99 of the exact ten best; among four times as many it finds them all.
_WIDER, _MORE = 4, 100
_TRAINING_ROWS = 65_536
_SPARE = 32

_limit = threading.Lock()


def build_sq8(vectors: Vectors) -> NDArray[np.uint8]:
    """A serialised FAISS SQ8 index of the rows, in order."""
    index = faiss.index_factory(vectors.dim, "SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors.sample(_TRAINING_ROWS))
    for block in vectors.blocks():
        index.add(block)
    raw: NDArray[np.uint8] = faiss.serialize_index(index)
    return raw


def open_sq8(path: Path) -> Any:  # noqa: ANN401 - faiss publishes no types
    """A saved SQ8 index, memory-mapped. The file's checksum must have been compared before."""
    with _limit:
        # FAISS's own guard against a header that asks for more memory than the file could hold.
        before = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
        try:
            return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        finally:
            faiss.set_deserialization_vector_byte_limit(before)


def nearest(
    vectors: NDArray[np.float32],
    sq8: Any,  # noqa: ANN401 - faiss publishes no types
    query: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best rows of a segment, in no order; at least k where there are so many.

    Every row that ties with the k-th is among them (exact search), so that a caller who orders
    by score and then by id has a result that does not depend on how rows are stored.

    Args:
        vectors: float32, (n, dim), C-ordered.
        sq8: the opened index of the same rows, or None for exact search.
        query: float32, (dim,).
        k: above 0.
        allowed: bool, (n,); None allows all.

    Returns:
        Row numbers and their exact inner products.
    """
    count = len(vectors) if allowed is None else int(np.count_nonzero(allowed))
    selector = bits = None
    if allowed is not None:
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(vectors), faiss.swig_ptr(bits))
    wanted = k + _SPARE if sq8 is None else _WIDER * k + _MORE
    while True:
        wanted = min(wanted, count)
        scores, rows = _search(vectors, sq8, query, wanted, selector)
        if sq8 is not None or wanted == count or scores[wanted - 1] < scores[k - 1]:
            break
        wanted *= 4
    del bits  # FAISS read it until here
    # One formula for every kind of segment, so that equal vectors have equal scores.
    exact: NDArray[np.float32] = (vectors[rows] * query).sum(axis=1, dtype=np.float32)
    return rows, exact


def _search(
    vectors: NDArray[np.float32],
    sq8: Any,  # noqa: ANN401
    query: NDArray[np.float32],
    wanted: int,
    selector: Any,  # noqa: ANN401
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """FAISS's scores and rows, best first; `wanted` is at most the number of rows allowed."""
    if wanted == 0:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    # One question is too little work to share out: two threads took twice the processor time, and
    # waited for each other when the machine was busy. The setting is the calling thread's own.
    faiss.omp_set_num_threads(1)
    if sq8 is not None:
        parameters = faiss.SearchParameters()
        parameters.sel = selector
        found, numbers = sq8.search(query[None], wanted, params=parameters)
        return found[0], numbers[0]
    scores, rows = np.empty(wanted, np.float32), np.empty(wanted, np.int64)
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
    return scores, rows
