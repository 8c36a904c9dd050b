"""An archive: the corpus, its index, and the only ways in which they change.

    an article: reader → pages → Corpus.put → chunk → encode → a new index generation

The corpus is the truth and the index its cache: whatever the two disagree about, `sync` mends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from index.encode import Encoder
from index.lock import WriterLock
from index.store import Store
from index.tokens import Tokenizer
from index.vectors import VectorCache
from rag import indexing, pages, readers
from rag.config import Config
from rag.corpus import Corpus
from rag.errors import ArchiveBusy, HomeUnusable, UnreadableFile
from rag.indexing import Progress
from rag.reprints import Reprints
from rag.types import Article, Document, FileReport

LOCK = "writer.lock"
"""The file in the home that one writer at a time holds locked."""

PATIENCE, LONG_PATIENCE = 2.0, 600.0
"""Seconds to wait for another writer: for a person, and for work that nobody waits for. A merge
holds the lock for some milliseconds only, which must not make an addition fail."""

NO_TEXT = "holds no text that could be an article"


class Archive:
    """One archive on disk. Threads may share one; one at a time writes.

    Args:
        config: where it is.
        encoder: gives the embedding model; called only when there is something to encode.

    Attributes:
        corpus: the articles.
        store: their index.
        vectors: every vector made so far.
        reprints: which articles are the same.
        tokenizer: cuts texts and questions into words.

    Raises:
        HomeUnusable: the home folder cannot be made or written.
    """

    def __init__(self, config: Config, encoder: Callable[[], Encoder]) -> None:
        self._home, self._encoder = config.home, encoder
        try:
            self._home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeUnusable(self._home, error.strerror or str(error)) from error
        self.corpus = Corpus(self._home / "corpus.sqlite")
        self.tokenizer = Tokenizer(config.dictionary, config.cache)
        self.store = Store(self._home / "index", self.tokenizer)
        self.vectors = VectorCache(self._home / "vectors.sqlite")
        self.reprints = Reprints(self._home / "reprints.sqlite")

    @contextmanager
    def _writing(self, wait: float = PATIENCE) -> Iterator[None]:
        """Be the only one who writes to this home; `wait`: seconds to wait for it."""
        lock = WriterLock(self._home / LOCK, wait)
        try:
            lock.__enter__()
        except OSError as error:
            raise HomeUnusable(self._home, error.strerror or str(error)) from error
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    def add(
        self,
        paths: Sequence[Path],
        *,
        kind: str | None = None,
        restore: bool = False,
        progress: Progress | None = None,
    ) -> list[FileReport]:
        """Add files and folders; every file is reported, whatever became of it.

        Args:
            paths: files, and folders to walk.
            kind: "page", "article" or "articles" where it is known; None to recognise it.
            restore: bring back articles that had been deleted.
            progress: called as the work goes on.

        Raises:
            ArchiveBusy: another process is writing to this home.
        """
        files, reports = readers.find_files(paths)
        with self._writing():
            for number, path in enumerate(files, 1):
                read = partial(readers.read_path, path)
                reports.append(self._put(str(path), read, kind, restore))
                if progress:
                    progress("read", number, len(files))
            self.sync(progress)
        self.tidy()
        return [self._counted(r) for r in reports]

    def add_upload(
        self, name: str, data: bytes, *, kind: str | None = None, restore: bool = False
    ) -> FileReport:
        """Add one file by its name and content.

        Raises:
            ArchiveBusy: another process is writing to this home.
        """
        with self._writing():
            report = self._put(name, lambda: readers.read_bytes(name, data), kind, restore)
            self.sync()
        return self._counted(report)

    def preview(
        self, name: str, data: bytes, kind: str | None = None
    ) -> tuple[FileReport, tuple[Article, ...]]:
        """What `add_upload` would read from a file; nothing is stored.

        Returns:
            A report whose outcome is "preview" or "failed", and the articles as they were read.
        """
        try:
            document = readers.read_bytes(name, data)
            articles = tuple(pages.articles(document, kind=kind))
        except UnreadableFile as error:
            return FileReport(name, "failed", reason=error.reason), ()
        if not articles:
            return FileReport(name, "failed", reason=NO_TEXT), ()
        return FileReport(document.uri, "preview", notices=_notices(document)), articles

    def _put(
        self, uri: str, read: Callable[[], Document], kind: str | None, restore: bool
    ) -> FileReport:
        """Read one file and hold its articles; a file that cannot be read becomes a report."""
        try:
            document = read()
            if kind:  # the same bytes read in another way are another document
                stamp = f"{kind}:{document.content_hash}"
                document = replace(document, content_hash=stamp)
            held = self.corpus.unchanged(document.uri, document.content_hash)
            if held is not None and not restore:
                return FileReport(document.uri, "unchanged", held)
            articles = pages.articles(document, kind=kind)
        except UnreadableFile as error:
            return FileReport(uri, "failed", reason=error.reason)
        if not articles:
            return FileReport(uri, "failed", reason=NO_TEXT)
        put = self.corpus.put(document, articles, now=_now(), restore=restore)
        notices = _notices(document)
        if put.kept_out:
            notices += ("deleted articles were kept out; --restore brings them back",)
        return FileReport(document.uri, put.outcome, put.articles, notices=notices)

    def _counted(self, report: FileReport) -> FileReport:
        return replace(report, passages=self.corpus.count_passages(report.articles))

    def delete(self, article_id: str) -> None:
        """Take an article out of the corpus and the index.

        Raises:
            NotFound: there is no such article.
            ArchiveBusy: another process is writing to this home.
        """
        with self._writing():
            self.corpus.delete(article_id, now=_now())
            self.sync()

    def sync(self, progress: Progress | None = None) -> int:
        """Make the index hold just what the corpus holds; the caller has the writer lock.

        Returns:
            How many passages were added.
        """
        self.reprints.sync(self.corpus)
        return indexing.sync(self.corpus, self.store, self._encoder, self.vectors, progress)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make the index anew from the corpus, under the model configured now.

        Returns:
            How many passages it holds.
        """
        encoder = self._encoder()
        with self._writing():
            ids = sorted(self.corpus.ids())
            batches = indexing.batches(ids, self.corpus, encoder, self.vectors, progress)
            snapshot = self.store.rebuild(batches, model=encoder.fingerprint)
            self.reprints.sync(self.corpus)
        self.tidy()
        return snapshot.size

    def tidy(self) -> bool:
        """Merge small segments of the index, beside readers and writers; see `Store.merge`.

        Returns:
            Whether anything was merged; False also where another process writes all the time, or
            merges: the next call does it.
        """
        try:
            return self.store.merge(lambda: self._writing(LONG_PATIENCE))
        except ArchiveBusy:
            return False


def _notices(document: Document) -> tuple[str, ...]:
    """What the reader left out or guessed."""
    said = document.metadata.get("notices", ())
    return (said,) if isinstance(said, str) else tuple(said)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
