"""Which documents of a folder are in the archive and no longer on disk.

Nothing is taken for gone that may only be out of reach: a file that could not be read this time, a
folder that could not be listed.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.corpus import Corpus
from rag.intake import number_of
from rag.readers.folders import SUFFIXES, shown


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that is no longer there, or parts of one.

    Attributes:
        path: the file.
        uris: its documents that are gone.
        reason: what is missing, for a person to read.
    """

    path: str
    uris: tuple[str, ...]
    reason: str


def missing(
    corpus: Corpus,
    folder: Path,
    files: Sequence[Path],
    seen: array[int] | None = None,
    unread: Collection[str] = (),
) -> list[Missing]:
    """The documents below a folder that were not met when it was read.

    Args:
        corpus: the archive's documents.
        folder: resolved.
        files: those that were found in it.
        seen: `rag.intake.number_of` each document that was met; None where nothing was read:
            then only whole files are missed.
        unread: files, members of ZIPs and folders that could not be read: nothing below is missing.
    """
    met = np.unique(np.frombuffer(seen or b"", dtype=np.uint64))
    there = {shown(path) for path in files}
    lost: dict[str, list[str]] = {}
    for uri in corpus.below(str(folder)):
        number = np.uint64(number_of(uri))
        at = int(np.searchsorted(met, number))
        if at < len(met) and met[at] == number:
            continue
        names = _names(uri)
        if not any(_within(name, unread) for name in (*names, uri)):
            lost.setdefault(_file(names, there), []).append(uri)
    found = []
    for path, uris in lost.items():
        state = path in there or _on_disk(path)
        if state is None or (state and seen is None):
            continue
        reason = f"{len(uris)} parts of it are no longer in it" if state else "is no longer there"
        found.append(Missing(path, tuple(uris), reason))
    return found


def _names(uri: str) -> list[str]:
    """What may be the file of a document, shortest first: the name up to each "#" or "!/"."""
    ends = [at for at, char in enumerate(uri) if char == "#" or uri.startswith("!/", at)]
    return [uri[:end] for end in ends] + [uri]


def _file(names: Sequence[str], there: Collection[str]) -> str:
    """The file of a document: one that is on disk, else the first with an ending that is read."""
    found = (n for n in names if n in there or Path(n).is_file())
    known = (n for n in names if Path(n).suffix.lower() in SUFFIXES)
    return next(found, None) or next(known, names[-1])


def _within(name: str, paths: Collection[str]) -> bool:
    """Whether a path is one of some, or below one of them."""
    path = Path(name)
    return name in paths or any(str(parent) in paths for parent in path.parents)


def _on_disk(path: str) -> bool | None:
    """Whether a file is there; None where that cannot be told."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return None
    return True
