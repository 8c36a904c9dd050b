"""What is in one file: unpacked, told by its ending and its content, given to its reader."""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from rag.errors import UnreadableFile
from rag.readers import feeds, packed, records, signs
from rag.readers.decode import decode
from rag.readers.extract import Extract, document, with_notice
from rag.readers.folders import KNOWN, MARKDOWN, SUFFIXES, shown
from rag.readers.markdown import markdown_pieces
from rag.readers.matter import front_matter
from rag.readers.parsers import SUFFIXES as _PARSED
from rag.readers.reached import Reached
from rag.readers.text import text_pieces
from rag.readers.worker import Workers
from rag.types import Document

MAX_BYTES = 32 * 1024 * 1024
MOST_PROCESSES = 4
"""Processes that parse at one time."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a file besides its content.

    Attributes:
        fields: the names that its records give to "title", "text" and other keys.
        path: where it lies on disk; None for an upload and for a ZIP's member.
        at: told the place, in bytes, that has been reached in it.
        file: it, opened; None as `path`.
        begun: what the system said of it when it was opened.
        within: whether a sitemap or a ZIP led to it; another is not followed then.
        reached: where to begin in a file of records, moved from record to record; None as `path`.
    """

    fields: Mapping[str, str] | None
    path: Path | None = None
    at: Callable[[int], None] | None = None
    file: BinaryIO | None = None
    begun: os.stat_result | None = None
    within: bool = False
    reached: Reached | None = None


def in_file(path: Path, given: Given) -> Iterator[Document | UnreadableFile]:
    """What is in a file on disk; see `rag.readers.read_every`."""
    name = shown(path)
    known(path)
    try:
        resolved = path.resolve()
        found = resolved.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UnreadableFile(name, "is a folder; name the files in it or add the folder")
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFile(name, "is not a regular file; copy its content into one")
        with resolved.open("rb") as file:
            inside = replace(given, path=resolved, begun=os.fstat(file.fileno()), file=file)
            for document in documents(shown(resolved), file, found.st_size, inside):
                at = file.tell()
                if at > found.st_size:  # it grows, perhaps as fast as it is read
                    _unchanged(name, inside)
                if given.at:
                    given.at(at)
                yield document
            _unchanged(name, inside)
    except FileNotFoundError as error:
        raise UnreadableFile(name, "does not exist; check the path") from error
    except PermissionError as error:
        raise UnreadableFile(name, "may not be read; change its permissions") from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check the path"
        raise UnreadableFile(name, reason) from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name; links that run in a circle
        raise UnreadableFile(name, f"is no usable path ({error}); check it") from error


def _unchanged(name: str, given: Given) -> None:
    """Whether a file on disk is as it was when it was opened.

    Raises:
        UnreadableFile: somebody has written to it, so that what was read may be half of it.
    """
    if given.file is None or given.begun is None:
        return
    now = os.fstat(given.file.fileno())
    if (now.st_size, now.st_mtime_ns) != (given.begun.st_size, given.begun.st_mtime_ns):
        reason = "changed while it was read; add it again when it is written to its end"
        raise UnreadableFile(name, reason)


def documents(
    name: str, file: BinaryIO, size: int, given: Given
) -> Iterator[Document | UnreadableFile]:
    """What is in an open file, by its ending."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    if suffixes[-1] == packed.ZIP:
        yield from _members(name, file, given)
        return
    if suffixes[-1] in packed.SUFFIXES:
        inner = packed.inner_name(name)
        known(Path(inner), name)
        with packed.unpacked(name, file, suffixes[-1]) as stream:
            if Path(inner).suffix.lower() in (packed.ZIP, *packed.SUFFIXES):
                raise UnreadableFile(name, "is packed twice; unpack it and add it again")
            yield from _unpacked(name, inner, stream, None, replace(given, reached=None))
        return
    yield from _unpacked(name, name, file, size, given)


def _unpacked(
    name: str, inner: str, stream: BinaryIO, size: int | None, given: Given
) -> Iterator[Document | UnreadableFile]:
    """What is in a stream; `inner` tells its format, `size` its bytes where they are known."""
    suffix = Path(inner).suffix.lower()
    buffered = io.BufferedReader(stream, 1 << 20) if isinstance(stream, io.RawIOBase) else stream
    if suffix in records.STREAMED:
        yield from records.read(name, suffix, buffered, given.fields, given.reached)
        return
    if suffix in records.LISTS:
        first = buffered.read(records.LOOKED_AT)
        if records.is_list(first):
            yield from records.read_list(name, first, buffered, given.reached)
            return
    else:
        first = b""
    if size is not None and size > MAX_BYTES:
        raise too_large(name, size)
    data = first + buffered.read(MAX_BYTES + 1 - len(first))
    if len(data) > MAX_BYTES:
        raise too_large(name, len(data))
    _unchanged(name, given)
    yield from _whole(name, suffix, data, given)


def _whole(
    name: str, suffix: str, data: bytes, given: Given
) -> Iterator[Document | UnreadableFile]:
    """What is in a file that is read at once."""
    if not data.strip():
        raise UnreadableFile(name, "is empty; nothing was added")
    fitting = signs.told(name, suffix, data)
    if fitting != suffix:
        told = f"its ending says {suffix}, its content is {fitting}: it was read as that"
        for found in _by_ending(name, fitting, data, given):
            yield with_notice(found, told) if isinstance(found, Document) else found
    else:
        yield from _by_ending(name, suffix, data, given)


def _by_ending(
    name: str, suffix: str, data: bytes, given: Given
) -> Iterator[Document | UnreadableFile]:
    """What is in a file that is read at once, by an ending that fits it."""
    if suffix in records.SUFFIXES:
        yield from records.read_json(name, data, given.fields)
    elif suffix == packed.ZIP and given.within:
        raise UnreadableFile(name, "is a ZIP in a ZIP; unpack it and add it again")
    elif suffix == packed.ZIP:
        yield from _members(name, io.BytesIO(data), given)
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


def _named(name: str, sitemap: Extract, given: Given) -> Iterator[Document | UnreadableFile]:
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
            for found in in_file(path, Given(given.fields, within=True)):
                if told and isinstance(found, Document):
                    yield with_notice(found, told)
                    told = ""
                else:
                    yield found
        except UnreadableFile as error:
            yield error
    if told:
        yield UnreadableFile(name, told)


def _members(name: str, file: BinaryIO, given: Given) -> Iterator[Document | UnreadableFile]:
    """What is in a ZIP; its members are never written anywhere."""
    for member, data in packed.members(name, file, SUFFIXES, MAX_BYTES):
        if isinstance(data, UnreadableFile):
            yield data
            continue
        try:
            yield from documents(
                f"{name}!/{member}", io.BytesIO(data), len(data), Given(given.fields, within=True)
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


def stop_parsing() -> None:
    """End what is being parsed in other processes; the files count as broken."""
    _workers().kill()


@cache
def _workers() -> Workers:
    """The processes that parse, for all threads, ended with this one."""
    workers = Workers(MOST_PROCESSES)
    atexit.register(workers.close)
    return workers


def known(path: Path, name: str | None = None) -> None:
    """Refuse what no reader is for, by its ending; `name` is for the message.

    Raises:
        UnreadableFile: the ending is not known.
    """
    if path.suffix.lower() not in SUFFIXES:
        ending = path.suffix or "no ending"
        raise UnreadableFile(name or shown(path), f"has {ending}; only {KNOWN} files are read")


def too_large(path: Path | str, size: int) -> UnreadableFile:
    """What is said of a file that is larger than is read at once."""
    mib = 1024 * 1024
    return UnreadableFile(
        path, f"is too large ({size / mib:.0f} MiB, at most {MAX_BYTES // mib}); cut it into parts"
    )
