"""The real server as a process of its own, with a stand-in for the model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(home: Path, cache: Path, slow: float = 0, **env: str) -> Iterator[tuple[str, int]]:
    """Its address and process id."""
    command = [sys.executable, str(Path(__file__).parent / "serve_fake.py"), home, cache, slow]
    with (home.parent / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, **env},
        )  # fmt: skip
        try:
            line = ""
            while "Open http" not in line:
                line = process.stdout.readline()
                assert line, (home.parent / "server.log").read_text()[-2000:]
            yield re.search(r"http://\S+", line)[0], process.pid
        finally:
            process.kill()
            process.communicate()
