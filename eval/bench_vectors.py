"""Encoders for the benchmark: one that is counted and timed, and one that makes vectors up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.bench_clock import Timing, timed
from index.encode import Encoder


class Counted:
    """An encoder whose passages are counted and timed; the rest is passed on."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.fingerprint = encoder.fingerprint
        self.name = encoder.name
        self.dim = encoder.dim
        self.max_tokens = encoder.max_tokens
        self.texts = 0
        self.spent = Timing()

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Encoder.encode_queries`."""
        return self._encoder.encode_queries(texts)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As `Encoder.encode_passages`."""
        with timed() as one:
            rows = self._encoder.encode_passages(texts, progress)
        self.texts += len(texts)
        self.spent.wall += one.wall
        self.spent.cpu += one.cpu
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As `Encoder.count_tokens`."""
        return self._encoder.count_tokens(texts)


def mixture(
    vectors: Sequence[NDArray[np.float32]], a: NDArray[np.float32], b: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Vectors that lie where others lie: a x + (1 - a) y + b (z - w), brought to length 1.

    Args:
        vectors: x, y, z and w, float32, (n, dim), of length 1.
        a: 0 to 1, (n, 1); taken as .5 to 1.
        b: 0 to 1, (n, 1); taken as 0 to .5.
    """
    x, y, z, w = vectors
    half = np.float32(0.5)
    rows: NDArray[np.float32] = (half + a * half) * x + (half - a * half) * y + b * half * (z - w)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


class Mixed(Counted):
    """Passages get mixtures of real vectors, so that speed can be measured before all is encoded.

    Its hash chooses the four real vectors that a text's is a mixture of, so it is the same in every
    run. It says nothing about the text; quality must not be measured with it.
    """

    def __init__(self, encoder: Encoder, base: NDArray[np.float32]) -> None:
        super().__init__(encoder)
        self._base = base

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As `Encoder.encode_passages`, but for what the vectors are."""
        digests = b"".join(hashlib.blake2b(t.encode(), digest_size=24).digest() for t in texts)
        drawn = np.frombuffer(digests, "<u4").reshape(len(texts), 6)
        x, y, z, w = (self._base[drawn[:, i] % len(self._base)] for i in range(4))
        a, b = (drawn[:, i, None].astype(np.float32) / np.float32(2**32) for i in (4, 5))
        rows = mixture((x, y, z, w), a, b)
        self.texts += len(texts)
        if progress is not None and len(texts):
            progress(len(texts))
        return rows
