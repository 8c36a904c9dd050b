"""A watched folder: which files of it have changed, once they are written to their end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import BadInput
from rag.readers.folders import find_files, taken

_LOOK = 0.25  # seconds between two looks at files that have not settled


@dataclass(frozen=True, slots=True)
class Settled:
    """What has happened in the folders.

    Attributes:
        changed: files that are new or were written to, resolved.
        gone: whether a file was taken away.
    """

    changed: tuple[Path, ...] = ()
    gone: bool = False


_State = tuple[int, int] | None  # size and time of writing; None: no such file


def settled(
    folders: Sequence[Path], *, settle: float, stop: threading.Event | None = None
) -> Iterator[Settled]:
    """What changes in some folders and below them, until stopped.

    Args:
        folders: they must exist.
        settle: seconds for which size and time of a file must stay as they are.
        stop: ends the watching, within a second.

    Yields:
        First an empty `Settled`: from then on nothing is missed. Then what changed, as soon as it
        has settled.

    Raises:
        BadInput: a folder is not there.
    """
    from watchfiles import watch

    roots = [folder.resolve() for folder in folders]
    for root in roots:
        if not root.is_dir():
            raise BadInput(f"{root} is no folder that can be watched; check the path.")
    waiting: dict[Path, tuple[_State, float]] = {}
    started = False
    for changes in watch(
        *roots, watch_filter=None, debounce=200, step=50, rust_timeout=int(1000 * _LOOK),
        yield_on_timeout=True, stop_event=stop, raise_interrupt=True,
    ):  # fmt: skip
        if not started:
            started = True
            yield Settled()
        now = time.monotonic()
        for path in _files(changes):
            waiting[path] = (_state(path), now)
        ready = [p for p, (_, since) in waiting.items() if now - since >= settle]
        done = []
        for path in ready:
            state = _state(path)
            if state == waiting[path][0]:
                done.append((path, state))
                del waiting[path]
            else:
                waiting[path] = (state, now)
        if done:
            changed = tuple(p for p, state in done if state and _wanted(p, roots))
            gone = any(state is None for _, state in done)
            if changed or gone:
                yield Settled(changed, gone)


def _files(changes: Iterable[tuple[object, str]]) -> Iterator[Path]:
    """The files of some changes; of a folder that was moved in, all that are in it."""
    for _, name in changes:
        path = Path(name)
        if path.is_dir():
            yield from find_files([path])[0]
        else:
            yield path


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def _wanted(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a walk through the folders would have taken it."""
    root = next((r for r in roots if path.is_relative_to(r)), None)
    inner = path.relative_to(root).parts if root else path.parts
    return not any(part.startswith(".") for part in inner) and taken(Path(os.path.realpath(path)))
