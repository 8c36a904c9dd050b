"""What rounding does to vectors: `python -m eval.rounding HOME/vectors.sqlite`.

Some of the vectors that an archive keeps are the questions, the others are compared with them as
they are and as each way of keeping them gives them back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from eval.bench_search import recall
from eval.show import print_table
from index.parts import Kept, differing, restored, rounded

DEPTHS = (10, 50)


def ways(vectors: NDArray[np.float32]) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """Each way of keeping vectors.

    Args:
        vectors: (n, dim), rows of length 1.

    Yields:
        What it is, the bytes a row, and the vectors as they are read again, float32, (n, dim).
    """
    import faiss

    rows, dim = vectors.shape
    yield "float16", 2 * dim, vectors.astype(np.float16).astype(np.float32)
    yield "one byte, of the whole", dim + 4, restored(rounded(vectors))
    mean = vectors.mean(axis=0)
    kept = Kept(*differing(vectors, mean), mean)
    yield "one byte, of the difference from the mean", dim + 4, kept[np.arange(rows)]
    codec = faiss.ScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit)
    codec.train(vectors)
    yield "one byte, FAISS's SQ8", dim, codec.decode(codec.compute_codes(vectors))


def compared(
    vectors: NDArray[np.float32], questions: NDArray[np.float32]
) -> list[tuple[str, int, float, list[float]]]:
    """How far off inner products are on average, and the share of the best rows that stay.

    Args:
        vectors: (n, dim), at least as many as the largest of DEPTHS.
        questions: (m, dim).

    Returns:
        Of each way its name, bytes a row, mean error, and a share for each of DEPTHS.
    """
    exact = questions @ vectors.T
    found = []
    for name, size, read in ways(vectors):
        scores = questions @ read.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, : max(DEPTHS)]
        best = -np.sort(-exact, axis=1)[:, : max(DEPTHS)]
        reached = np.take_along_axis(exact, order, axis=1)
        shares = [
            float(
                np.mean([recall(r[:k].tolist(), b[:k]) for r, b in zip(reached, best, strict=True)])
            )
            for k in DEPTHS
        ]
        found.append((name, size, float(np.abs(scores - exact).mean()), shares))
    return found


def main(
    vectors: Annotated[Path, typer.Argument(help="An archive's vectors.sqlite.")],
    questions: Annotated[int, typer.Option(help="How many of them are asked.", min=1)] = 400,
) -> None:
    """Compare ways of keeping vectors."""
    with closing(sqlite3.connect(f"{vectors.absolute().as_uri()}?mode=ro", uri=True)) as db:
        held = [np.frombuffer(row, "<f4") for (row,) in db.execute("SELECT row FROM vector")]
    if len(held) < questions + max(DEPTHS):
        raise typer.BadParameter(f"{len(held)} vectors are too few for {questions} questions.")
    mixed = np.random.default_rng(0).permutation(np.stack(held))
    rows = [
        (name, size, f"{off:.5f}", *(f"{share:.4f}" for share in shares))
        for name, size, off, shares in compared(mixed[questions:], mixed[:questions])
    ]
    heads = ("kept as", "bytes a row", "off by", *(f"of the {k} best" for k in DEPTHS))
    print_table(heads, [tuple(map(str, row)) for row in rows])


if __name__ == "__main__":
    typer.run(main)
