"""One writer at a time: an advisory lock on a file, held by the operating system.

A killed process lets go of it by dying, so nobody ever has to remove a stale lock.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from index.errors import ArchiveBusy

logger = logging.getLogger(__name__)


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock on a file, or learn that somebody else, here or elsewhere, holds it.

    Args:
        path: the file, made where it is missing; its folder must be there.

    Yields:
        Whether the lock is held by us, until the block ends.
    """
    lock = FileLock(path, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


class WriterLock:
    """Holds the right to write to the folder that `path` lies in, for the length of a `with`.

    Who holds it is written beside the lock file (which other processes cut to nothing when they
    try it), as "wenju add, process PID on HOST since TIME".
    """

    def __init__(self, path: Path, wait: float = 0.0) -> None:
        """Name the lock file; nothing is opened yet.

        Args:
            path: the lock file, made where it is missing (its folder too).
            wait: seconds to wait for another writer to end.
        """
        self._path = path
        self._note = path.with_name(path.name + ".holder")
        self._lock = FileLock(path, timeout=wait, thread_local=False)

    def __enter__(self) -> WriterLock:
        """Take the lock.

        Raises:
            ArchiveBusy: somebody else holds it still, in this process or in another.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise ArchiveBusy(self._path.parent, self._holder()) from error
        since = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            who = f"{command()}, process {os.getpid()} on {os.uname().nodename} since {since}\n"
            self._note.write_text(who, encoding="utf-8")
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
        try:
            self._note.unlink(missing_ok=True)
        except OSError as why:  # who reads it sees a holder that is gone; the lock is what counts
            logger.warning("lock_note_left", extra={"path": str(self._note), "reason": str(why)})
        finally:
            self._lock.release()

    def _holder(self) -> str:
        try:
            return self._note.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""  # not written yet, or just let go of: the lock itself is what counts


def command() -> str:
    """The program and its first argument, "wenju add"; what follows may be anybody's secret."""
    program, *rest = [*sys.argv, ""]
    name = Path(program).name or "python"
    return " ".join([name, *(a for a in rest[:1] if a.isalpha())])
