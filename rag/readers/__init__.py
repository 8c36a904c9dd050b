"""Files to Documents: one small module a format.

A reader changes nothing that a person would miss: `Document.text` is the decoded file, front
matter included, and every piece tells where in it its characters stand.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rag.errors import UnreadableFile
from rag.readers.decode import decode
from rag.readers.markdown import markdown_pieces
from rag.readers.matter import front_matter
from rag.readers.text import text_pieces
from rag.types import Document, FileReport, Piece

__all__ = ["MAX_BYTES", "SUFFIXES", "find_files", "read_bytes", "read_path"]

MAX_BYTES = 32 * 1024 * 1024
_Reader = Callable[[str, int], tuple[tuple[Piece, ...], tuple[str, ...]]]
_READERS: dict[str, tuple[str, _Reader]] = {
    ".txt": ("text", text_pieces),
    ".text": ("text", text_pieces),
    ".md": ("markdown", markdown_pieces),
    ".markdown": ("markdown", markdown_pieces),
}
SUFFIXES: frozenset[str] = frozenset(_READERS)
_KNOWN = ", ".join(sorted(SUFFIXES))


def read_path(path: Path) -> Document:
    """Read one file.

    Raises:
        UnreadableFile: missing, no file, empty, no permission, too large, not text, an ending that
            is not known, or nothing in it to read; the reason says what to do.
    """
    _reader(path)
    try:
        resolved = path.resolve()
        found = resolved.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UnreadableFile(path, "is a folder; name the files in it or add the folder")
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFile(path, "is not a regular file; copy its content into one")
        if found.st_size > MAX_BYTES:
            raise _too_large(path, found.st_size)
        with resolved.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableFile(path, "does not exist; check the path") from error
    except PermissionError as error:
        raise UnreadableFile(path, "may not be read; change its permissions") from error
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name; links that run in a circle
        raise UnreadableFile(path, f"is no usable path ({error}); check it") from error
    return read_bytes(str(resolved), data)


def read_bytes(name: str, data: bytes) -> Document:
    """Read an upload.

    Args:
        name: its name or path; the ending tells the format.
        data: its content, at most `MAX_BYTES`.

    Returns:
        The document; its `metadata` has the keys that `rag.readers.matter.normalise` names and,
        where something was left out or guessed, "notices": a tuple of sentences for a person.

    Raises:
        UnreadableFile: see `read_path`.
    """
    kind, reader = _reader(Path(name))
    if len(data) > MAX_BYTES:
        raise _too_large(name, len(data))
    decoded = decode(name, data)
    text = decoded.text
    if not text.strip():
        raise UnreadableFile(name, "is empty; nothing was added")
    metadata, start, notices = front_matter(name, text)
    pieces, more = reader(text, start)
    if not pieces:
        raise UnreadableFile(name, "holds no text after its front matter; nothing was added")
    told = decoded.notices + notices + more
    metadata.pop("notices", None)
    if told:
        metadata["notices"] = told
    digest = hashlib.sha256(data).hexdigest()
    return Document(name, text, pieces, metadata, kind, decoded.encoding, digest)


def find_files(paths: Sequence[Path]) -> tuple[list[Path], list[FileReport]]:
    """The readable files among `paths` and below the folders among them.

    Folders are walked in sorted order; hidden files and folders in them are passed over, links to
    folders are not followed. A file is given once even when it is named twice.

    Returns:
        The files, resolved, in order; and reports of what was not taken: "skipped" for an ending
        that is not known, "failed" for a path that is missing or a folder that cannot be listed.
    """
    files: dict[Path, None] = {}
    reports: dict[Path, FileReport] = {}
    for path in paths:
        for found, problem in _walk(path):
            if problem is not None:
                reports.setdefault(found, FileReport(str(found), "failed", reason=problem))
            elif found.suffix.lower() in SUFFIXES:
                files[found] = None
            else:
                ending = f"files ending in {found.suffix}" if found.suffix else "such files"
                reason = f"{ending} are not read (only {_KNOWN})"
                reports.setdefault(found, FileReport(str(found), "skipped", reason=reason))
    return list(files), list(reports.values())


def _walk(path: Path) -> Iterator[tuple[Path, str | None]]:
    """Files under a path, with a problem where there is one."""
    try:
        resolved = path.resolve()
        found = resolved.stat()
    except (OSError, ValueError, RuntimeError) as error:
        missing = isinstance(error, FileNotFoundError)
        yield path, "does not exist; check the path" if missing else f"cannot be used ({error})"
        return
    if not stat.S_ISDIR(found.st_mode):
        yield resolved, None
        return
    problems: list[OSError] = []
    for folder, folders, names in os.walk(resolved, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(os.path.realpath(Path(folder, name))), None
    for problem in problems:
        yield Path(problem.filename), f"cannot be listed ({problem.strerror})"


def _reader(path: Path) -> tuple[str, _Reader]:
    try:
        return _READERS[path.suffix.lower()]
    except KeyError:
        ending = path.suffix or "no ending"
        raise UnreadableFile(path, f"has {ending}; only {_KNOWN} files are read") from None


def _too_large(path: Path | str, size: int) -> UnreadableFile:
    mib = 1024 * 1024
    return UnreadableFile(
        path, f"is too large ({size / mib:.0f} MiB, at most {MAX_BYTES // mib}); cut it into parts"
    )
