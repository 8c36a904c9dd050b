"""A stand-in for a Milvus server, for tests and measurements: PyPI's `milvus-lite`.

It speaks Milvus' protocol, is written in Python, and keeps everything in one process. For an
archive that is to be kept, take Milvus itself.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 120.0  # seconds until a server that does not answer has failed


class MilvusServer:
    """A server with its folder, which goes when it is closed.

    Attributes:
        port: on 127.0.0.1.
        pid: its process's number; 0 while it does not run.
    """

    def __init__(self) -> None:
        """Make its folder; `start` starts it."""
        self._folder = Path(tempfile.mkdtemp(prefix="wenju-milvus-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process's number."""
        return self._process.pid if self._process else 0

    @property
    def bytes(self) -> int:
        """What its folder holds."""
        return sum(p.stat().st_size for p in self._folder.rglob("*") if p.is_file())

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: it does not answer.
        """
        log = self._folder / "log"
        with log.open("ab") as out:
            # It listens on every address unless it is told.
            self._process = subprocess.Popen(  # noqa: S603 our own words
                [sys.executable, "-m", "milvus_lite", "server", "--host", "127.0.0.1",
                 "--port", str(self.port), "--data-dir", str(self._folder / "data")],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self._folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            except OSError as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                    raise RuntimeError(f"milvus-lite does not start: {said}") from error
                time.sleep(0.05)

    def database(self) -> str:
        """The address of a new, empty database."""
        from pymilvus import MilvusClient

        name = f"t{secrets.token_hex(6)}"
        client = MilvusClient(f"http://127.0.0.1:{self.port}", timeout=_PATIENCE)
        try:
            client.create_database(name, timeout=_PATIENCE)
        finally:
            client.close()
        return f"milvus:http://127.0.0.1:{self.port}/{name}"

    def kill(self) -> None:
        """Kill it at once, as a crash of the machine does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(_PATIENCE)

    def close(self) -> None:
        """Kill it, and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def running() -> Iterator[MilvusServer]:
    """A server for the length of a block."""
    server = MilvusServer()
    try:
        server.start()
        yield server
    finally:
        server.close()
