"""Progress bars for long work, the same for the command line and the evaluation."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.indexing import Progress

_STEPS = {"read": "Reading files", "bytes": "Reading, KiB", "encode": "Encoding articles"}
_OFTEN = 1 << 20  # bytes between two reports


class Steps:
    """How far the reading of files has come, in files and in bytes.

    Args:
        files: to be read, in order.
        progress: told of it, or None.
    """

    def __init__(self, files: Sequence[Path], progress: Progress | None) -> None:
        self._progress = progress
        self._sizes = [_size(path) for path in files] if progress else []
        self._files = self._before = self._told = 0

    def at(self, place: int) -> None:
        """So many bytes of the present file have been read."""
        if self._progress and self._before + place >= self._told + _OFTEN:
            self._tell(self._before + place)

    def done(self) -> None:
        """A file has been read."""
        if self._progress:
            self._before += self._sizes[self._files]
            self._files += 1
            self._progress("read", self._files, len(self._sizes))
            self._tell(self._before)

    def _tell(self, place: int) -> None:
        self._told = place
        if self._progress:
            self._progress("bytes", place // 1024, sum(self._sizes) // 1024)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0  # reading it will tell why


@contextmanager
def progress_bars() -> Iterator[Progress | None]:
    """Progress bars on standard error with counts and an estimate; None where no one looks on.

    Returns:
        What to call as the work goes on, or None where standard error is no terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    columns = (
        TextColumn("{task.description:>24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(_STEPS.get(step, step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield report
