"""One writer at a time: an advisory lock on a file, held by the operating system.

A killed process lets go of it by dying, so nobody ever has to remove a stale lock.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from index.errors import ArchiveBusy


class WriterLock:
    """Holds the right to write to the folder that `path` lies in, for the length of a `with`.

    Who holds it is written beside the lock file (which other processes cut to nothing when they
    try it), as "process PID since TIME".
    """

    def __init__(self, path: Path) -> None:
        """Name the lock file; nothing is opened yet.

        Args:
            path: the lock file, made where it is missing (its folder too).
        """
        self._path = path
        self._note = path.with_name(path.name + ".holder")
        self._lock = FileLock(path, blocking=False, thread_local=False)

    def __enter__(self) -> WriterLock:
        """Take the lock at once or not at all.

        Raises:
            ArchiveBusy: somebody else holds it, in this process or in another.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise ArchiveBusy(self._path.parent, self._holder()) from error
        since = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._note.write_text(f"process {os.getpid()} since {since}\n", encoding="utf-8")
        except OSError:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go."""
        self._note.unlink(missing_ok=True)
        self._lock.release()

    def _holder(self) -> str:
        try:
            return self._note.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""  # not written yet, or just let go of: the lock itself is what counts
