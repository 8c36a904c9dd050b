"""Stand-ins for tests: small, deterministic and without a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.hashed import Hashed

LAB = """---
title: 四大实验室加快布局
authors: 邹霞、吴希
date: 2024-05-20
---

重庆加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室。

两江新区新增市级技术创新中心十七个，比去年多三个。
"""
"""A small article of our own."""


class HashingEncoder(Hashed):
    """`Hashed` that notes what it was given.

    Attributes:
        encoded: every text given to `encode_passages` and `encode_queries`, in order.
    """

    def __init__(
        self, dim: int = 64, max_tokens: int = 500, fingerprint: str = "hashing-v1"
    ) -> None:
        super().__init__(dim, max_tokens, fingerprint)
        self.encoded: list[str] = []
        self._lock = threading.Lock()

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        with self._lock:
            self.encoded += texts
        return super().encode_passages(texts, progress)
