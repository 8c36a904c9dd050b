"""Which files of some folders are read, and what is said of the rest."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.readers import feeds, packed, parsers, records
from rag.types import FileReport

TEXTS: frozenset[str] = frozenset({".txt", ".text"})
MARKDOWN: frozenset[str] = frozenset({".md", ".markdown"})
SUFFIXES: frozenset[str] = frozenset(
    {*TEXTS, *MARKDOWN, *parsers.SUFFIXES, *records.SUFFIXES, *packed.SUFFIXES, packed.ZIP}
)
"""The endings, in lower case, of the files that are read."""
DATA: frozenset[str] = records.SUFFIXES | feeds.SUFFIXES
"""The endings of records and of XML, which may be something else than articles."""
KNOWN = ", ".join(sorted(SUFFIXES))


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
    named = {Path(os.path.realpath(path)) for path in paths if "\0" not in str(path)}
    for path in paths:
        for found, problem in _walk(path):
            if problem is not None:
                reports.setdefault(found, FileReport(shown(found), "failed", reason=problem))
            elif found not in named and _describes(found):
                reason = "describes the text beside it; name it to add it"
                reports.setdefault(found, FileReport(shown(found), "skipped", reason=reason))
            elif found.suffix.lower() in SUFFIXES:
                files[found] = None
            else:
                ending = f"files ending in {found.suffix}" if found.suffix else "such files"
                reason = f"{ending} are not read (only {KNOWN})"
                reports.setdefault(found, FileReport(shown(found), "skipped", reason=reason))
    return list(files), list(reports.values())


def shown(path: Path) -> str:
    """A path as text: a name that is not UTF-8 as GB18030, in which old Chinese systems wrote."""
    name = str(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        parts = [os.fsencode(part) for part in path.parts]
        return str(Path(*(_decoded(part) for part in parts)))
    return name


def _decoded(name: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("utf-8", "replace")


def taken(path: Path) -> bool:
    """Whether a file of a folder is read, by its name and what stands beside it."""
    return path.suffix.lower() in SUFFIXES and not _describes(path)


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


def _describes(path: Path) -> bool:
    """Whether a JSON file has the name of a text that it stands beside."""
    beside = (path.with_suffix(suffix) for suffix in TEXTS | MARKDOWN)
    return path.suffix.lower() == ".json" and any(text.is_file() for text in beside)
