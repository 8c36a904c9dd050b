"""Files of records whose reading was broken off: how far each had come.

One small file in the home, written after each batch of records is in the corpus and never ahead of
it, so that a process that is killed at any moment reads a few records twice, and none never. A file
of which anything speaks for a change is read from its start: its size, its time, the bytes at its
beginning and around the place, the way in which it is read, or what the corpus holds of it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from index.errors import IndexDamaged
from index.files import seal, unseal
from rag.corpus import Corpus
from rag.readers.reached import Reached

logger = logging.getLogger(__name__)

FILE = "unfinished.json"
"""Its name in the home; there is none while nothing is unfinished."""

_LOOKED_AT = 65_536  # bytes at the beginning, and before the place, that must be as they were
_MOST = 1_000  # files; the oldest are read from their start


@dataclass(slots=True)
class Counts:
    """What has become of a file's records so far.

    Attributes:
        documents: how many are in the corpus.
        articles: how many articles they have.
        failed: how many could not be read.
        told: why, of the first ones.
    """

    documents: int = 0
    articles: int = 0
    failed: int = 0
    told: list[str] = field(default_factory=list)


class Run:
    """The reading of one file.

    Attributes:
        uri: the file, as its documents are named.
        reached: moved by the reader; where it begins, before that.
        before: what earlier readings of the same file came to.
    """

    def __init__(self, kept: Unfinished, path: Path, uri: str) -> None:
        self._kept, self._path, self.uri = kept, path, uri
        facts = kept.facts(uri, path)
        self.reached = Reached(facts["byte"], facts["number"]) if facts else Reached()
        self.before = Counts(*facts["counts"]) if facts else Counts()

    def note(self, place: tuple[int, int], counts: Counts, last: tuple[str, str]) -> None:
        """Everything up to a place is in the corpus.

        Args:
            place: byte and number of `Reached`, when the last of it had been given.
            counts: of all of it.
            last: uri and content hash of the last document.
        """
        if place[0]:
            self._kept.note(self.uri, self._path, place, counts, last)

    def end(self) -> None:
        """The file was read to its end."""
        self._kept.forget(self.uri)


class Unfinished:
    """The unfinished files of one home; the caller has the writer lock.

    Args:
        home: its folder.
        corpus: where the records go.
        how: the way of reading, which the next must share.
        afresh: read every file from its start.
    """

    def __init__(self, home: Path, corpus: Corpus, how: str = "", *, afresh: bool = False) -> None:
        self._path, self._corpus, self._how = home / FILE, corpus, how
        self._afresh, self._files = afresh, self._read()

    def begin(self, path: Path, uri: str) -> Run:
        """Begin to read a file, or go on with it."""
        return Run(self, path, uri)

    def facts(self, uri: str, path: Path) -> Mapping[str, Any] | None:
        """What is known of a file that was not read to its end and is as it was; else None."""
        facts = self._files.get(uri)
        if facts is None or self._afresh:
            return None
        try:
            same = facts["file"] == _file(path, facts["byte"]) and facts["how"] == self._how
        except OSError:
            return None  # reading it will tell why
        if not same or self._corpus.unchanged(*facts["last"]) is None:
            self.forget(uri)
            return None
        found: Mapping[str, Any] = facts
        return found

    def note(
        self, uri: str, path: Path, place: tuple[int, int], counts: Counts, last: tuple[str, str]
    ) -> None:
        """See `Run.note`; a file that is gone is not noted."""
        try:
            file = _file(path, place[0])
        except OSError:
            return
        self._files.pop(uri, None)
        self._files[uri] = {
            "file": file, "how": self._how, "byte": place[0], "number": place[1], "last": last,
            "counts": [counts.documents, counts.articles, counts.failed, counts.told],
        }  # fmt: skip
        for oldest in list(self._files)[:-_MOST]:
            del self._files[oldest]
        self._write()

    def forget(self, uri: str) -> None:
        """A file is read from its start the next time."""
        if self._files.pop(uri, None) is not None:
            self._write()

    def _read(self) -> dict[str, Any]:
        try:
            return dict(unseal(self._path, self._path.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, IndexDamaged, ValueError):
            logger.warning("unfinished_unreadable", extra={"path": str(self._path)})
            return {}

    def _write(self) -> None:
        """Not brought to the disk: after a power cut an older place does as well, or none."""
        temporary = self._path.with_name(FILE + ".tmp")
        try:
            if not self._files:
                self._path.unlink(missing_ok=True)
                return
            temporary.write_bytes(seal(self._files))
            os.replace(temporary, self._path)  # noqa: PTH105 as in index.files
        except OSError:
            logger.exception("unfinished_not_kept")


def _file(path: Path, place: int) -> list[Any]:
    """What tells a file from a changed one: which it is, size, time, and bytes up to a place."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        digest = blake3(file.read(min(_LOOKED_AT, place)))
        file.seek(max(0, place - _LOOKED_AT))
        digest.update(file.read(min(_LOOKED_AT, place)))
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, digest.hexdigest()]


def way(fields: Mapping[str, str] | None, kind: str | None) -> str:
    """The way of reading, as `Unfinished` compares it."""
    return json.dumps([dict(fields or {}), kind], sort_keys=True, ensure_ascii=False)
