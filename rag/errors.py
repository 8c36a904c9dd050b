"""The exception tree.

    WenjuError                 base; `retryable` says whether trying again can help
    ├── BadInput               what the caller gave cannot be used
    │   ├── BadQuestion        empty, or longer than the limit
    │   ├── BadFilter          an unknown filter field, or a value that cannot be read
    │   ├── BackupUnusable     a file that is no backup, or a home that is not to be replaced
    │   └── UnreadableFile     a file that gives no article: missing, empty, binary, too large …
    ├── NotFound               no article with that id
    │   └── NoScan             the article was not read from a scan that is held
    ├── ArchiveBusy            another process is writing (retryable)
    ├── IndexDamaged           a file of the index is missing or changed
    ├── CorpusDamaged          the SQLite file cannot be read
    │   └── NewerFormat        a newer Wenju wrote it
    ├── FeedbackDamaged        the file of readers' verdicts cannot be read
    ├── ScansDamaged           the file of scanned pages cannot be read or written
    ├── IndexUnwritable        a file of the index cannot be written (retryable)
    ├── EngineLost             a database server does not answer (retryable)
    ├── EngineUnusable         a database server lacks something, or a newer Wenju wrote to it
    ├── HomeUnusable           the home folder cannot be made, read or written
    ├── ModelMismatch          the index was made with another model
    ├── TokenizerMismatch      the index was made with another word list
    └── ModelUnavailable       the embedding model cannot be built or loaded

"No answer" is a value (`Answer.status == "no_evidence"`), not an exception.
"""

from __future__ import annotations

import os
from pathlib import Path

from index.errors import (
    ArchiveBusy,
    BadInput,
    EngineLost,
    EngineUnusable,
    IndexDamaged,
    IndexUnwritable,
    ModelMismatch,
    ModelUnavailable,
    TokenizerMismatch,
    WenjuError,
)

__all__ = [
    "ArchiveBusy",
    "BackupUnusable",
    "BadFilter",
    "BadInput",
    "BadQuestion",
    "CorpusDamaged",
    "EngineLost",
    "EngineUnusable",
    "FeedbackDamaged",
    "HomeUnusable",
    "IndexDamaged",
    "IndexUnwritable",
    "ModelMismatch",
    "ModelUnavailable",
    "NewerFormat",
    "NoScan",
    "NotFound",
    "ScansDamaged",
    "TokenizerMismatch",
    "UnreadableFile",
    "WenjuError",
]

_ROOM = 1 << 20  # bytes; with less, SQLite cannot even make what it reads by


class BadQuestion(BadInput):
    """The question is empty or too long."""


class BadFilter(BadInput):
    """A search filter names an unknown field or holds a value that cannot be read."""


class BackupUnusable(BadInput):
    """A backup cannot be made of this, or put back from or to it."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}.")


class UnreadableFile(BadInput):
    """A file or upload that gives no article.

    Attributes:
        path: the file, or the name of the upload.
        reason: why, in a few words ("is empty", "is not text").
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class NotFound(WenjuError):
    """There is no article with this id."""

    def __init__(self, article_id: str) -> None:
        self.article_id = article_id
        super().__init__(f"There is no article {article_id}; `wenju articles` lists them.")


class NoScan(NotFound):
    """There is no picture of what an article was read from."""

    def __init__(self, article_id: str) -> None:
        self.article_id = article_id
        self.args = (f"Article {article_id} was not read from a scan, or its scan is not kept.",)


class CorpusDamaged(WenjuError):
    """The corpus, a SQLite file, cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The corpus {path} cannot be read ({reason}); put back a backup (`wenju restore`), "
            "or run `wenju doctor --repair`, which saves what can be read and names the rest."
        )


class NewerFormat(CorpusDamaged):
    """The corpus was written by a newer Wenju, and is as it should be."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(path, f"format {found}")
        self.found, self.known = found, known
        self.args = (
            f"The corpus {path} has format {found}, which a newer Wenju wrote; this one knows "
            f"formats up to {known}: install the newer one again, or restore an older backup.",
        )


class FeedbackDamaged(WenjuError):
    """The file of readers' verdicts, SQLite, cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The verdicts in {path} cannot be read ({reason}); put back a backup of the file, "
            "or move it away to begin anew. The archive is not touched."
        )


class ScansDamaged(WenjuError):
    """The file of scanned pages, SQLite, cannot be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The scans in {path} cannot be used ({reason}); `wenju doctor --repair` puts the file "
            "aside, then `wenju add --restore` reads scans again. The articles are not touched."
        )


class HomeUnusable(WenjuError):
    """The home folder cannot be made, read or written.

    Attributes:
        path: the folder.
        reason: what the system said; the message adds what is seen of the folder and what to do.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"The home {path} cannot be used ({reason}); {_advice(path)}.")


def _advice(home: Path) -> str:
    """What to do about a folder; SQLite says "disk I/O error" of a full disk, and the like."""
    there = next((p for p in (home, *home.parents) if p.exists()), home)
    try:
        disk = os.statvfs(there)
    except OSError:
        return "choose another with --home"
    if disk.f_flag & os.ST_RDONLY:
        return "its disk can only be read: mount it for writing, or choose another with --home"
    if disk.f_bavail * disk.f_frsize < _ROOM:
        return "its disk is full: make room and try again, nothing is lost"
    if not all(os.access(p, os.W_OK) for p in (there, *there.glob("*.sqlite*"))):
        return "give this user the right to write there, or choose another with --home"
    return "choose another with --home"
