"""The real server as a process of its own, with a stand-in for the model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WENJU = [sys.executable, str(Path(__file__).with_name("wenju_fake.py"))]


@contextmanager
def serving(
    home: Path, cache: Path, log: Path | None = None, **env: str
) -> Iterator[tuple[str, int]]:
    """Its address and process id.

    Args:
        home: of the archive.
        cache: of all archives.
        log: where its log is added to; beside the home where it is not given.
        env: variables of its environment.
    """
    path = log or home.parent / "server.log"
    with path.open("a") as out:
        process = subprocess.Popen(
            [*WENJU, "serve", "--home", str(home), "--port", "0"],
            stdout=subprocess.PIPE, stderr=out, text=True,
            env={**os.environ, "WENJU_CACHE": str(cache), **env},
        )  # fmt: skip
        try:
            line = ""
            while "Open http" not in line:
                line = process.stdout.readline()
                assert line, path.read_text()[-2000:]
            yield re.search(r"http://\S+", line)[0], process.pid
        finally:
            process.kill()
            process.communicate()
