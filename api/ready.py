"""Whether a question can be answered now: one is searched for, at most once in two seconds."""

from __future__ import annotations

import threading
import time
from typing import Any

from rag.errors import WenjuError
from rag.pipeline import Pipeline

_PROBE = "最近有哪些新举措？"
_FRESH = 2.0  # seconds that a look holds, so that probes cost little however many there are


class Ending(WenjuError):
    """The server finishes what it has begun and takes nothing new."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("The server is ending; ask another one, or this one when it is back.")


class Readiness:
    """Looks whether an archive answers. Threads may share one.

    Args:
        pipeline: the archive.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._lock = threading.Lock()
        self._seen: tuple[float, dict[str, Any]] | None = None
        self._ending = False

    def end(self) -> None:
        """Not to be ready any more, whatever the archive's state."""
        self._ending = True

    def look(self) -> dict[str, Any]:
        """The state of the archive. A failure is not kept: the next look looks anew.

        Raises:
            Ending: the server is about to end.
            WenjuError: a question could not be answered; the error says why.
        """
        if self._ending:
            raise Ending
        with self._lock:
            now = time.monotonic()
            if self._seen is not None and now - self._seen[0] < _FRESH:
                snapshot = self._pipeline.snapshot()
                if snapshot.generation == self._seen[1]["generation"]:
                    return self._seen[1]
            state = self._state()
            self._seen = (time.monotonic(), state)
            return state

    def _state(self) -> dict[str, Any]:
        snapshot, encoder = self._pipeline.snapshot(), self._pipeline.encoder()
        self._pipeline.search(_PROBE, top_k=1)  # model, index and corpus, as a question needs them
        return {
            "status": "ready",
            "generation": snapshot.generation,
            "passages": snapshot.size,
            "articles": self._pipeline.corpus.stats()["articles"],
            "model": encoder.name,
        }
