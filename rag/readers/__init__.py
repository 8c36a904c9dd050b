"""Files to Documents: one small module a format.

A reader changes nothing that a person would miss: `Document.text` is the decoded file, front
matter included, or what was extracted from it where the file is no text; every piece tells where
in it its characters stand. Formats with a parser of their own are read in a process with limits
(`rag.readers.worker`).
"""

from __future__ import annotations

import atexit
import hashlib
import io
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from rag.errors import UnreadableFile
from rag.readers import feeds, packed, records
from rag.readers.decode import decode
from rag.readers.extract import Extract, document, with_notice
from rag.readers.folders import KNOWN, MARKDOWN, SUFFIXES, find_files
from rag.readers.markdown import markdown_pieces
from rag.readers.matter import front_matter
from rag.readers.parsers import SUFFIXES as _PARSED
from rag.readers.text import text_pieces
from rag.readers.worker import Workers
from rag.types import Document

__all__ = [
    "MAX_BYTES",
    "MOST_PROCESSES",
    "SUFFIXES",
    "find_files",
    "is_parsed",
    "parsed_digest",
    "read_bytes",
    "read_every",
    "read_path",
    "read_upload",
    "stop_parsing",
]

MAX_BYTES = 32 * 1024 * 1024
MOST_PROCESSES = 4
"""Processes that parse at one time."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What is known of a file besides its content.

    Attributes:
        fields: the names that its records give to "title", "text" and other keys.
        path: where it lies on disk; None for an upload and for a ZIP's member.
        at: told the place, in bytes, that has been reached in it.
        within: whether a sitemap led to it; another sitemap is not followed then.
    """

    fields: Mapping[str, str] | None
    path: Path | None = None
    at: Callable[[int], None] | None = None
    within: bool = False


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
) -> Iterator[Document | UnreadableFile]:
    """Read a file that may hold several documents: records, news one a line, a ZIP.

    Records and lists of news are streamed, however long the file is.

    Args:
        path: the file.
        fields: the names that records give to "title", "text" and other keys of metadata.
        at: told the place, in bytes, that has been reached in the file.

    Yields:
        Its documents, in order; for a record, a member or a page of it that cannot be read, why.

    Raises:
        UnreadableFile: see `read_path`.
    """
    yield from _file(path, _Given(fields, at=at))


def _file(path: Path, given: _Given) -> Iterator[Document | UnreadableFile]:
    _known(path)
    try:
        resolved = path.resolve()
        found = resolved.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UnreadableFile(path, "is a folder; name the files in it or add the folder")
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFile(path, "is not a regular file; copy its content into one")
        with resolved.open("rb") as file:
            inside = replace(given, path=resolved)
            for document in _documents(str(resolved), file, found.st_size, inside):
                if given.at:
                    given.at(file.tell())
                yield document
    except FileNotFoundError as error:
        raise UnreadableFile(path, "does not exist; check the path") from error
    except PermissionError as error:
        raise UnreadableFile(path, "may not be read; change its permissions") from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check the path"
        raise UnreadableFile(path, reason) from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name; links that run in a circle
        raise UnreadableFile(path, f"is no usable path ({error}); check it") from error


def is_parsed(path: Path) -> bool:
    """Whether a file is parsed at once, in another process."""
    return path.suffix.lower() in _PARSED


def parsed_digest(path: Path) -> str | None:
    """SHA-256, hexadecimal, of a file that is parsed at once; None for one that is not.

    It is the `content_hash` of all that is read from the file, and known before it is parsed,
    which takes a scan twenty seconds a page.
    """
    if not is_parsed(path):
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None  # reading it will tell why


def read_upload(
    name: str, data: bytes, fields: Mapping[str, str] | None = None
) -> Iterator[Document | UnreadableFile]:
    """Read an upload that may hold several documents; see `read_every`."""
    _known(Path(name))
    if len(data) > MAX_BYTES:
        raise _too_large(name, len(data))
    return _documents(name, io.BytesIO(data), len(data), _Given(fields))


def _documents(
    name: str, file: BinaryIO, size: int, given: _Given
) -> Iterator[Document | UnreadableFile]:
    """What is in an open file, by its ending."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    if suffixes[-1] == packed.ZIP:
        yield from _members(name, file, given)
        return
    if suffixes[-1] in packed.SUFFIXES:
        inner = packed.inner_name(name)
        _known(Path(inner))
        with packed.unpacked(name, file, suffixes[-1]) as stream:
            if Path(inner).suffix.lower() in (packed.ZIP, *packed.SUFFIXES):
                raise UnreadableFile(name, "is packed twice; unpack it and add it again")
            yield from _unpacked(name, inner, stream, None, given)
        return
    yield from _unpacked(name, name, file, size, given)


def _unpacked(
    name: str, inner: str, stream: BinaryIO, size: int | None, given: _Given
) -> Iterator[Document | UnreadableFile]:
    """What is in a stream; `inner` tells its format, `size` its bytes where they are known."""
    suffix = Path(inner).suffix.lower()
    buffered = io.BufferedReader(stream, 1 << 20) if isinstance(stream, io.RawIOBase) else stream
    if suffix in records.STREAMED:
        yield from records.read(name, suffix, buffered, given.fields)
        return
    if suffix in records.LISTS:
        first = buffered.read(records.LOOKED_AT)
        if records.is_list(first):
            yield from records.read_list(name, first, buffered)
            return
    else:
        first = b""
    if size is not None and size > MAX_BYTES:
        raise _too_large(name, size)
    data = first + buffered.read(MAX_BYTES + 1 - len(first))
    if len(data) > MAX_BYTES:
        raise _too_large(name, len(data))
    yield from _whole(name, suffix, data, given)


def _whole(
    name: str, suffix: str, data: bytes, given: _Given
) -> Iterator[Document | UnreadableFile]:
    """What is in a file that is read at once."""
    if not data.strip():
        raise UnreadableFile(name, "is empty; nothing was added")
    if suffix in records.SUFFIXES:
        yield from records.read_json(name, data, given.fields)
    elif suffix in _PARSED:
        digest = hashlib.sha256(data).hexdigest()
        for extract in _workers().extract(_PARSED[suffix], name, data):
            try:
                if extract.format == feeds.SITEMAP:
                    yield from _named(name, extract, given)
                else:
                    yield document(name, extract, digest)
            except UnreadableFile as error:
                yield error
    else:
        yield _text(name, suffix, data)


def _named(name: str, sitemap: Extract, given: _Given) -> Iterator[Document | UnreadableFile]:
    """The pages on disk that a sitemap names, each under its own path."""
    addresses = sitemap.metadata["pages"]
    if given.path is None or given.within:
        reason = "is a sitemap; the pages that it names are read where it lies beside them on disk"
        raise UnreadableFile(name, reason)
    paths, told = feeds.beside(given.path, addresses)
    if not paths:
        raise UnreadableFile(name, told or "names no page")
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            for found in _file(path, replace(given, path=None, at=None, within=True)):
                if told and isinstance(found, Document):
                    yield with_notice(found, told)
                    told = ""
                else:
                    yield found
        except UnreadableFile as error:
            yield error
    if told:
        yield UnreadableFile(name, told)


def _members(name: str, file: BinaryIO, given: _Given) -> Iterator[Document | UnreadableFile]:
    """What is in a ZIP; its members are never written anywhere."""
    for member, data in packed.members(name, file, SUFFIXES, MAX_BYTES):
        if isinstance(data, UnreadableFile):
            yield data
            continue
        try:
            yield from _documents(
                f"{name}!/{member}", io.BytesIO(data), len(data), replace(given, path=None)
            )
        except UnreadableFile as error:
            yield error


def _text(name: str, suffix: str, data: bytes) -> Document:
    """A text or Markdown file."""
    markdown = suffix in MARKDOWN
    decoded = decode(name, data)
    text = decoded.text
    if not text.strip():
        raise UnreadableFile(name, "is empty; nothing was added")
    metadata, start, notices = front_matter(name, text)
    pieces, more = markdown_pieces(text, start) if markdown else text_pieces(text, start)
    if not pieces:
        raise UnreadableFile(name, "holds no text after its front matter; nothing was added")
    told = decoded.notices + notices + more
    metadata.pop("notices", None)
    if told:
        metadata["notices"] = told
    digest = hashlib.sha256(data).hexdigest()
    kind = "markdown" if markdown else "text"
    return Document(name, text, pieces, metadata, kind, decoded.encoding, digest)


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


def stop_parsing() -> None:
    """End what is being parsed in other processes; the files count as broken."""
    _workers().kill()


@cache
def _workers() -> Workers:
    """The processes that parse, for all threads, ended with this one."""
    workers = Workers(MOST_PROCESSES)
    atexit.register(workers.close)
    return workers


def _known(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        ending = path.suffix or "no ending"
        raise UnreadableFile(path, f"has {ending}; only {KNOWN} files are read")


def _too_large(path: Path | str, size: int) -> UnreadableFile:
    mib = 1024 * 1024
    return UnreadableFile(
        path, f"is too large ({size / mib:.0f} MiB, at most {MAX_BYTES // mib}); cut it into parts"
    )
