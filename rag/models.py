"""The models that a pipeline works with, each loaded when it is first needed."""

from __future__ import annotations

import threading
import time
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder, TokenEncoder, load_encoder
from rag import centre, generate, rerank, writing
from rag.config import Config, ModelServer
from rag.reader import Reader

QUESTIONS_KEPT = 1_000
"""Questions whose vectors are kept: readers ask again, with other filters or after a correction."""


class Models:
    """Loads and keeps them. Threads may share one.

    Args:
        config: names them.
        encoder: an encoder in place of the configured one.
        generator: a language model in place of the configured one.
        reranker: a second stage in place of the configured one.
    """

    def __init__(
        self,
        config: Config,
        encoder: Encoder | None = None,
        generator: generate.Generator | None = None,
        reranker: rerank.Reranker | None = None,
    ) -> None:
        self.config = config
        self._encoder = encoder
        self._generator = generator
        self._reranker = reranker
        self._centres: centre.Centres | None = None
        self._guard = threading.RLock()
        self.question = lru_cache(maxsize=QUESTIONS_KEPT)(self._vector)

    @property
    def loaded(self) -> bool:
        """Whether the embedding model is there without waiting for it."""
        return self._encoder is not None

    def encoder(self) -> Encoder:
        """The embedding model, loaded when it is first needed."""
        with self._guard:
            if self._encoder is None:
                self._encoder = load_encoder(
                    self.config.model, cache_dir=self.config.cache, threads=self.config.threads
                )
            return self._encoder

    def generator(self) -> generate.Generator | None:
        """The language model, if one is configured."""
        with self._guard:
            if self._generator is None and self.config.generator is not None:
                self._generator = generate.ChatModel(self.config.generator)
            return self._generator

    def reranker(self) -> rerank.Reranker | None:
        """The second stage, loaded when it is first needed; None where none is configured."""
        with self._guard:
            if self._reranker is None and self.config.reranker is not None:
                self._reranker = rerank.CrossEncoderReranker(self.config.reranker)
            return self._reranker

    def centres(self) -> centre.Centres:
        """The means of the encoder's vectors by language, loaded when they are first needed."""
        encoder = self.encoder()
        with self._guard:
            if self._centres is None:
                self._centres = centre.load_centres(encoder, self.config.cache)
            return self._centres

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.encoder().encode_queries([text])[0]
        vector.setflags(write=False)  # it is kept, and handed to whoever asks the same
        return vector

    def reader(self) -> Reader | None:
        """Reads sentences for answers; None where the encoder does not tell of its tokens."""
        encoder = self.encoder()
        return Reader(encoder) if isinstance(encoder, TokenEncoder) else None

    def writer(self, mode: str) -> writing.Writer | None:
        """The language model with the time that it has for this question."""
        generator = self.generator() if mode == "auto" else None
        if generator is None:
            return None
        server = self.config.generator or ModelServer("", generator.name)
        return writing.Writer(generator, server, time.monotonic() + server.timeout)
