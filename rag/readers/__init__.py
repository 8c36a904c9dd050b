"""Files to Documents: one small module a format.

A reader changes nothing that a person would miss: `Document.text` is the decoded file, front
matter included, or what was extracted from it where the file is no text; every piece tells where
in it its characters stand. Formats with a parser of their own are read in a process with limits
(`rag.readers.worker`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rag.errors import UnreadableFile
from rag.readers import scans
from rag.readers.contents import (
    MAX_BYTES,
    MOST_PROCESSES,
    Given,
    documents,
    in_file,
    known,
    stop_parsing,
    too_large,
)
from rag.readers.extract import lacking
from rag.readers.folders import SUFFIXES, find_files
from rag.readers.parsers import SUFFIXES as _PARSED
from rag.readers.reached import Reached
from rag.types import Document

__all__ = [
    "MAX_BYTES",
    "MOST_PROCESSES",
    "SUFFIXES",
    "find_files",
    "is_parsed",
    "parsed_digests",
    "read_bytes",
    "read_every",
    "read_path",
    "read_upload",
    "stop_parsing",
]


def read_path(path: Path) -> Document:
    """Read one file that holds one document.

    Raises:
        UnreadableFile: missing, no file, empty, no permission, too large, not text, an ending that
            is not known, nothing in it to read, or several documents (`read_every` gives them);
            the reason says what to do.
    """
    return _only(path, read_every(path))


def read_bytes(name: str, data: bytes) -> Document:
    """Read an upload that holds one document.

    Args:
        name: its name or path; the ending tells the format.
        data: its content, at most `MAX_BYTES`.

    Returns:
        The document; its `metadata` has the keys that `rag.readers.matter.normalise` names and,
        where something was left out or guessed, "notices": a tuple of sentences for a person.

    Raises:
        UnreadableFile: see `read_path`.
    """
    return _only(name, read_upload(name, data))


def read_every(
    path: Path,
    fields: Mapping[str, str] | None = None,
    at: Callable[[int], None] | None = None,
    reached: Reached | None = None,
) -> Iterator[Document | UnreadableFile]:
    """Read a file that may hold several documents: records, news one a line, a ZIP.

    Records and lists of news are streamed, however long the file is.

    Args:
        path: the file.
        fields: the names that records give to "title", "text" and other keys of metadata.
        at: told the place, in bytes, that has been reached in the file.
        reached: where to begin in a file of records, moved on from record to record.

    Yields:
        Its documents, in order; for a record, a member or a page of it that cannot be read, why.

    Raises:
        UnreadableFile: see `read_path`.
    """
    yield from in_file(path, Given(fields, at=at, reached=reached))


def is_parsed(path: Path) -> bool:
    """Whether a file is parsed at once, in another process."""
    return path.suffix.lower() in _PARSED


def parsed_digests(path: Path) -> tuple[str, ...]:
    """The `content_hash` that all that is read from a file has, where it is parsed at once.

    It is known before the file is parsed, which takes a scan twenty seconds a page. A PDF that was
    read while OCR was not installed has another: it is read again once that is there, not before.

    Returns:
        One, or several of which any will do; none for a file that is not parsed.
    """
    if not is_parsed(path):
        return ()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ()  # reading it will tell why
    return (digest,) if scans.installed() else (digest, lacking(digest, scans.LACKS))


def read_upload(
    name: str, data: bytes, fields: Mapping[str, str] | None = None
) -> Iterator[Document | UnreadableFile]:
    """Read an upload that may hold several documents; see `read_every`."""
    known(Path(name))
    if len(data) > MAX_BYTES:
        raise too_large(name, len(data))
    return documents(name, io.BytesIO(data), len(data), Given(fields))


def _only(name: Path | str, found: Iterator[Document | UnreadableFile]) -> Document:
    """The one document of a file."""
    first = next(found, None)
    if isinstance(first, UnreadableFile):
        raise first
    if first is None:
        raise UnreadableFile(name, "holds no text; nothing was added")
    if next(found, None) is not None:
        raise UnreadableFile(name, "holds several articles; add it with `wenju add`")
    return first
