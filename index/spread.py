"""Encoding spread over the machines of a Ray cluster (the extra `ray`).

Each worker is a process of its own with the model in it. One that is killed is started again, and
what it had in hand is given out again: PIECE texts at most. Nothing else is kept by the cluster:
vectors come back to who asked for them, who keeps them by the hash of their text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.errors import BadInput, ModelUnavailable

PIECE = 32
"""Texts given to a worker at a time: some seconds of one processor with the bundled model."""

LOCAL = "local"
"""The address of a cluster of this machine's own processes, which ends with us."""

_AHEAD = 4  # pieces a worker, of which the vectors are kept together
_OBJECTS = 80 * 1024 * 1024  # bytes that a local cluster shares; vectors are small


class RayEncoder:
    """An encoder whose passages are encoded by a cluster's workers; questions here.

    Attributes:
        texts_at_once: how many texts keep all workers busy.
    """

    def __init__(self, make: Callable[[], Encoder], address: str, workers: int) -> None:
        """Join a cluster and start the workers.

        Args:
            make: makes the encoder, here and in each worker; it is pickled.
            address: Ray's ("auto", "ray://HOST:10001", "HOST:6379"), or LOCAL.
            workers: how many processes encode, 1 and up.

        Raises:
            BadInput: Ray is not installed, or no cluster answers there.
            ModelUnavailable: a worker has another model, or none.
        """
        ray = _joined(address, workers)
        self._ray = ray
        self._own = make()
        self.fingerprint, self.name = self._own.fingerprint, self._own.name
        self.dim, self.max_tokens = self._own.dim, self._own.max_tokens
        self.texts_at_once = PIECE * workers * _AHEAD
        # A GPU for each where there are any; torch in the worker then sees that one.
        gpus = 1 if ray.cluster_resources().get("GPU", 0) >= workers else 0
        worker = ray.remote(max_restarts=-1, max_task_retries=-1, num_cpus=1, num_gpus=gpus)(Worker)
        self.workers = [worker.remote(make) for _ in range(workers)]
        try:
            found = set(ray.get([one.fingerprint.remote() for one in self.workers]))
        except ray.exceptions.RayError as error:
            self.close()
            raise ModelUnavailable(f"A worker cannot load the model ({error}).") from error
        if found != {self.fingerprint}:
            self.close()
            raise ModelUnavailable(
                f"The workers have the model {', '.join(sorted(found))}, but {self.fingerprint} is "
                "configured here; install the same Wenju and model on all machines."
            )

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Encoder.encode_queries`; in this process."""
        return self._own.encode_queries(texts)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As `Encoder.encode_passages`; by whichever worker is free.

        Raises:
            ModelUnavailable: the cluster is gone.
        """
        from ray.util import ActorPool

        pieces = [list(texts[i : i + PIECE]) for i in range(0, len(texts), PIECE)]
        rows = np.empty((len(texts), self.dim), np.float32)
        done = 0
        try:
            for vectors in ActorPool(self.workers).map(_encode, pieces):
                rows[done : done + len(vectors)] = vectors
                done += len(vectors)
                if progress is not None:
                    progress(len(vectors))
        except self._ray.exceptions.RayError as error:
            raise ModelUnavailable(f"The cluster's workers are gone ({error}).") from error
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As `Encoder.count_tokens`; in this process."""
        return self._own.count_tokens(texts)

    def close(self) -> None:
        """Leave the cluster; its workers end."""
        self._ray.shutdown()


class Worker:
    """What runs on the cluster."""

    def __init__(self, make: Callable[[], Encoder]) -> None:
        self._encoder = make()

    def fingerprint(self) -> str:
        """Of its model."""
        return self._encoder.fingerprint

    def process(self) -> int:
        """Its number on its machine."""
        return os.getpid()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages."""
        return self._encoder.encode_passages(texts)


def at_once(encoder: Encoder) -> int:
    """How many texts should be given to an encoder between two writes of their vectors."""
    return encoder.texts_at_once if isinstance(encoder, RayEncoder) else 256


def _encode(worker: Any, texts: list[str]) -> Any:  # noqa: ANN401 Ray's handles have no types
    return worker.encode.remote(texts)


def _joined(address: str, workers: int) -> Any:  # noqa: ANN401 the module
    """Ray, with a cluster.

    Raises:
        BadInput: it is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
    except ImportError as error:
        raise BadInput("Ray is not installed: pip install 'wenju[ray]'.") from error
    own: dict[str, Any] = {"num_cpus": workers, "object_store_memory": _OBJECTS}
    try:
        ray.init(
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
            **({"address": LOCAL} | own if address == LOCAL else {"address": address}),
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInput(f"No Ray cluster answers at {address} ({error}).") from error
    return ray
