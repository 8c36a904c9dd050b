"""Files read ahead: while one is stored and encoded, the next are parsed in other processes.

Only what a parser's process reads is read ahead, and only a few files, so that memory is bounded;
records and texts are read when their turn comes, as reading them is no work.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from rag import readers
from rag.errors import UnreadableFile
from rag.readers.parsers import SUFFIXES
from rag.readers.reached import Reached
from rag.types import Document

Found = Iterator[Document | UnreadableFile]
_Parsed = tuple[list[Document | UnreadableFile], UnreadableFile | None]


class Ahead:
    """Reads files in order, some of them ahead. A context; leaving it ends the parsing.

    Args:
        fields: the names that records give to "title", "text" and other keys of metadata.
        processes: that parse at one time; None: one for each processor, four at most.
    """

    def __init__(
        self, fields: Mapping[str, str] | None = None, processes: int | None = None
    ) -> None:
        self._fields = fields
        self._processes = processes or min(len(os.sched_getaffinity(0)), readers.MOST_PROCESSES)
        self._pool = ThreadPoolExecutor(self._processes, thread_name_prefix="parse")

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if kind is not None:  # nobody waits for what is being parsed
            readers.stop_parsing()
        self._pool.shutdown(wait=True)

    def files(
        self,
        paths: Sequence[Path],
        wanted: Callable[[Path], bool] = lambda _: True,
        at: Callable[[int], None] | None = None,
        reached: Callable[[Path], Reached | None] = lambda _: None,
    ) -> Iterator[tuple[Path, Found | None]]:
        """Each file and what is in it.

        Args:
            paths: the files.
            wanted: asked once for each, before it is read.
            at: told the place, in bytes, that has been reached in the file that is being read.
            reached: asked for the place at which to begin, when a file of records has its turn.

        Yields:
            A path, and its documents as `read_every` gives them; None where it is not wanted.
        """
        waiting: deque[tuple[Path, Callable[[], Found] | None]] = deque()
        for path in paths:
            waiting.append((path, self._begun(path, at, reached) if wanted(path) else None))
            while len(waiting) > 2 * self._processes:
                yield _opened(*waiting.popleft())
        while waiting:
            yield _opened(*waiting.popleft())

    def _begun(
        self,
        path: Path,
        at: Callable[[int], None] | None,
        reached: Callable[[Path], Reached | None],
    ) -> Callable[[], Found]:
        if path.suffix.lower() not in SUFFIXES:
            return lambda: readers.read_every(path, self._fields, at, reached(path))
        future = self._pool.submit(_parse, path, self._fields)
        return lambda: _results(future)


def _opened(path: Path, begun: Callable[[], Found] | None) -> tuple[Path, Found | None]:
    return path, begun() if begun else None


def _parse(path: Path, fields: Mapping[str, str] | None) -> _Parsed:
    found: list[Document | UnreadableFile] = []
    try:
        for document in readers.read_every(path, fields):
            found.append(document)
    except UnreadableFile as error:
        return found, error
    return found, None


def _results(future: Future[_Parsed]) -> Found:
    found, error = future.result()
    yield from found
    if error is not None:
        raise error
