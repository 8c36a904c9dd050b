"""Vectors by the hash of their text in PostgreSQL, so that no machine encodes a text twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.pg import Postgres
from index.vectors import encode_once

_AT_ONCE = 2_000  # texts looked up by one statement


class PgVectors:
    """Encodes texts, each once under one model. Threads and processes may share the table.

    The server's own checksums say whether what is read is what was written.
    """

    def __init__(self, server: Postgres) -> None:
        """Name the database, whose tables `index.pg_schema` makes."""
        self._server = server

    def encode(
        self,
        encoder: Encoder,
        texts: Sequence[str],
        progress: Callable[[int], None] | None = None,
        batch: int = 256,
    ) -> NDArray[np.float32]:
        """Vectors from the table or newly encoded; as `index.vectors.VectorCache.encode`.

        Raises:
            EngineLost: the server does not answer.
        """
        return encode_once(
            encoder,
            texts,
            lambda keys: self._look_up(encoder, keys),
            lambda keys, rows: self._store(encoder.fingerprint, keys, rows),
            progress,
            batch,
        )

    def check(self) -> list[str]:
        """Pages that the server found changed since they were written; empty is good."""
        with self._server.reading() as db:
            row = db.execute(
                "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database"
                " WHERE datname = current_database()"
            ).fetchone()
        count = row[0] if row else 0
        return [f"the server found {count} of its pages damaged"] if count else []

    def mend(self) -> None:
        """Nothing: what a server has lost its replica or backup gives back."""

    def _look_up(self, encoder: Encoder, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        for start in range(0, len(keys), _AT_ONCE):
            with self._server.reading() as db:
                held = db.execute(
                    "SELECT text, vector FROM vectors WHERE model = %s AND text = ANY(%s)",
                    [encoder.fingerprint, list(keys[start : start + _AT_ONCE])],
                    binary=True,
                )
                found |= {
                    bytes(key): np.frombuffer(data, "<f4")
                    for key, data in held
                    if len(data) == 4 * encoder.dim
                }
        return found

    def _store(self, model: str, keys: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        data = [row.astype("<f4").tobytes() for row in rows]
        with self._server.transaction(alone=False) as db:
            db.execute(
                "INSERT INTO vectors SELECT %s, * FROM unnest(%s::bytea[], %s::bytea[])"
                " ON CONFLICT (model, text) DO NOTHING",
                [model, list(keys), data],
            )
