"""Encoding what is added behind the questions that are asked meanwhile.

An article's passages and sentences take a processor for seconds, a question's vector for some
milliseconds. So what is added is encoded a few texts at a time, and a single one at a time, on one
thread, while questions come; each time when no question is at work or after a short wait, by
threads to which the system gives what others leave.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.spread import RayEncoder
from rag.processors import Processors

_AT_ONCE = 8
"""Texts between two looks at who else wants to work: about a fifth of a second."""

_PATIENCE = 0.2
"""Seconds to give way each time: questions that never end slow adding down and do not stop it."""

_LATELY = 3.0
"""Seconds after a question in which the next one is expected. It then finds one thread at work on
one text, of some 20 ms, and not as many as there are processors on several."""

_NICE = 10
"""Below the questions, however low these are: about a tenth of a processor where they want all of
it. Only encoding gets so little, as it does not hold the interpreter: others would wait for that
while it waits for a processor."""

_LOWEST = 19  # of the system's priorities


class Behind:
    """An `index.encode.Encoder` for what is added.

    Args:
        encoder: does the work.
        processors: tells whether questions are at work.
    """

    def __init__(self, encoder: Encoder, processors: Processors) -> None:
        self._encoder, self._processors = encoder, processors
        self.fingerprint, self.name = encoder.fingerprint, encoder.name
        self.dim, self.max_tokens = encoder.dim, encoder.max_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As the encoder's."""
        return self._encoder.encode_queries(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the encoder's."""
        return self._encoder.count_tokens(texts)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As the encoder's, later."""
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        with ThreadPoolExecutor(1, "behind", initializer=_low) as pool:
            done = 0
            while done < len(texts):
                self._processors.give_way(_PATIENCE)
                some = texts[done : done + (1 if self._processors.busy(_LATELY) else _AT_ONCE)]
                rows[done : done + len(some)] = pool.submit(
                    self._encoder.encode_passages, some
                ).result()
                done += len(some)
                if progress is not None:
                    progress(len(some))
        return rows


def behind(encoder: Encoder, processors: Processors) -> Encoder:
    """An encoder for what is added; one whose work others do need not give way to questions."""
    return encoder if isinstance(encoder, RayEncoder) else Behind(encoder, processors)


def _low() -> None:
    """Lower this thread's priority, and that of those which it starts.

    Where priorities belong to whole processes, as elsewhere than on Linux, nothing is done.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        now = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(_LOWEST, now + _NICE))
