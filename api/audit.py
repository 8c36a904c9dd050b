"""The home's own record of every write: one JSON object a line, whoever wrote and however.

The server's log has these lines too; what the command line does stands here alone.
"""

from __future__ import annotations

import getpass
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from api.logs import AUDIT, JsonLines
from rag.backup import RECORD
from rag.types import FileReport

logger = logging.getLogger(__name__)

FILE = RECORD
"""In the home; whoever rotates it may rename it at any time."""

_IN_LINE = 20  # articles that are named


def changed(reports: Sequence[FileReport]) -> dict[str, Any]:
    """What was done with files: their outcomes, how many articles, and the first of these."""
    ids = [i for r in reports for i in r.articles]
    return {
        "files": dict(Counter(r.outcome for r in reports)),
        "articles": len(ids) + sum(r.more for r in reports),
        "first_articles": ids[:_IN_LINE],
    }


def write(home: Path, facts: dict[str, Any], *, sync: bool = True) -> None:
    """Append a line. A secret in it is hidden, as in the log.

    Args:
        home: the archive.
        facts: what was done and by whom.
        sync: wait until it is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    record = logging.makeLogRecord({"name": "wenju", "levelname": "INFO", "msg": AUDIT, **facts})
    line = (JsonLines().format(record) + "\n").encode()
    file = os.open(home / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        while line:
            line = line[os.write(file, line) :]
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def audited(home: Path, command: str, **facts: object) -> Iterator[dict[str, Any]]:
    """Leave a line of what a command does within, whether it is done or fails.

    Args:
        home: the archive.
        command: its name.
        facts: what is known before.

    Yields:
        What is to be added when it is known.
    """
    found: dict[str, Any] = dict(facts)
    who = {"command": f"wenju {command}", "user": _user(), "process": os.getpid()}
    try:
        yield found
    except BaseException as error:
        found |= {"outcome": "failed", "reason": type(error).__name__}
        with suppress(OSError):  # the error says already what the disk is like
            if any(home.iterdir()):  # else there is no archive, and no home is begun by failing
                write(home, {**who, **found})
        raise
    try:
        write(home, {**who, "outcome": "done", **found})
    except OSError as error:
        logger.warning("No line could be written into %s (%s).", home / FILE, error.strerror)


def _user() -> str:
    """The name of who runs this; a number where the system knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
