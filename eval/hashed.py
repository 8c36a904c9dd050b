"""An encoder without a model, where it matters what is kept and not what is understood."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_LATIN = re.compile(r"[a-z0-9]+")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")


def _features(text: str) -> list[str]:
    """Latin words and numbers, and the characters and character pairs of Chinese runs."""
    lowered = text.lower()
    found: list[str] = _LATIN.findall(lowered)
    for run in _HAN.findall(lowered):
        found += run
        found += [run[i : i + 2] for i in range(len(run) - 1)] * 2
    return found


class Hashed:
    """An `index.encode.Encoder` for tests: texts that share words are similar.

    Each word and each pair of neighbouring Chinese characters is hashed onto `dim` axes with a
    sign (feature hashing, Weinberger et al. 2009); the sum is brought to length 1. Equal
    in every process and for questions and passages alike.

    Args:
        dim: axes, 1 or more.
        max_tokens: that a passage may have.
        fingerprint: change it to play another model.
    """

    def __init__(
        self, dim: int = 64, max_tokens: int = 500, fingerprint: str = "hashing-v1"
    ) -> None:
        self.fingerprint = f"{fingerprint}-{dim}"
        self.name = "hashed words (tests only)"
        self.dim = dim
        self.max_tokens = max_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows of length 1, float32, (n, dim)."""
        return self.encode_passages(texts)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Rows of length 1, float32, (n, dim); `progress` gets the number just done."""
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature in _features(text) or [text]:
                digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
                axis = int.from_bytes(digest[:4], "little") % self.dim
                row[axis] += 1.0 if digest[4] & 1 else -1.0
            if not row.any():  # every feature cancelled: any fixed direction will do
                row[0] = 1.0
            row /= np.linalg.norm(row)
        if progress is not None and len(texts):
            progress(len(texts))
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """One token a Latin word and a Chinese character."""
        return [
            len(_LATIN.findall(t.lower())) + sum(len(run) for run in _HAN.findall(t)) for t in texts
        ]
