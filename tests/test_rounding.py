"""Ways of keeping vectors are compared by value."""

from __future__ import annotations

import numpy as np
import pytest

from eval.rounding import compared, ways


def vectors(number: int) -> np.ndarray:
    rows = np.random.default_rng(1).normal(size=(number, 32)) + 1.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_every_way_gives_nearly_the_same_vectors_again() -> None:
    rows = vectors(500)
    for name, size, read in ways(rows):
        assert read.shape == rows.shape, name
        assert 32 <= size <= 64
        assert (read * rows).sum(axis=1) == pytest.approx(1, abs=4e-3), name


def test_finer_keeping_is_less_far_off() -> None:
    found = {name: (off, shares) for name, _, off, shares in compared(vectors(900), vectors(20))}
    whole, apart = (
        found["one byte, of the whole"],
        found["one byte, of the difference from the mean"],
    )
    assert found["float16"][0] < apart[0] < whole[0]
    assert all(0.9 < share <= 1 for _, shares in found.values() for share in shares)
