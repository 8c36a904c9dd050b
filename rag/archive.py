"""An archive: the corpus, its index, and the only ways in which they change.

    an article: reader → pages → Corpus.put → chunk → encode → a new index generation

The corpus is the truth and the index its cache: whatever the two disagree about, `sync` mends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
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
from rag.readers import folders
from rag.reprints import Reprints
from rag.types import Article, Document, FileReport

LOCK = "writer.lock"
"""The file in the home that one writer at a time holds locked."""

PATIENCE, LONG_PATIENCE = 2.0, 600.0
"""Seconds to wait for another writer: for a person, and for work that nobody waits for. A merge
holds the lock for some milliseconds only, which must not make an addition fail."""

_MOST_NOTICES = 30  # of one report

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
        fields: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> list[FileReport]:
        """Add files and folders; every file is reported, whatever became of it.

        Args:
            paths: files, and folders to walk.
            kind: "page", "article" or "articles" where it is known; None to recognise it.
            restore: bring back articles that had been deleted.
            fields: names of the fields of records, by what they give ("title": "标题").
            progress: called as the work goes on.

        Raises:
            ArchiveBusy: another process is writing to this home.
        """
        files, reports = readers.find_files(paths)
        named = {path.suffix.lower() for path in paths}
        with self._writing():
            for number, path in enumerate(files, 1):
                found = readers.read_every(path, fields)
                report = self._put_file(str(path), found, kind, restore)
                if report.outcome == "failed" and path.suffix.lower() in folders.DATA - named:
                    report = replace(report, outcome="skipped")  # data of another kind, in a folder
                reports.append(report)
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
            report = self._put_file(name, readers.read_upload(name, data), kind, restore)
            self.sync()
        return self._counted(report)

    def preview(
        self, name: str, data: bytes, kind: str | None = None
    ) -> tuple[FileReport, tuple[Article, ...]]:
        """What `add_upload` would read from a file; nothing is stored.

        Returns:
            A report whose outcome is "preview" or "failed", and the articles as they were read.
        """
        notices: list[str] = []
        articles: list[Article] = []
        problem = NO_TEXT
        try:
            for document in readers.read_upload(name, data):
                if isinstance(document, UnreadableFile):
                    notices.append(str(document))
                    problem = document.reason
                else:
                    articles += pages.articles(document, kind=kind)
                    notices += _notices(document)
        except UnreadableFile as error:
            if not articles:
                return FileReport(name, "failed", reason=error.reason), ()
            notices.append(error.reason)
        if not articles:
            return FileReport(name, "failed", reason=problem), ()
        return FileReport(name, "preview", notices=_few(notices)), tuple(articles)

    def _put_file(
        self,
        uri: str,
        documents: Iterator[Document | UnreadableFile],
        kind: str | None,
        restore: bool,
    ) -> FileReport:
        """Hold the documents of one file; what cannot be read of it is told in its report."""
        reports: list[FileReport] = []
        try:
            for document in documents:
                if isinstance(document, UnreadableFile):
                    failed = FileReport(str(document.path), "failed", reason=document.reason)
                    reports.append(failed)
                else:
                    reports.append(self._put(document, kind, restore))
        except UnreadableFile as error:
            reports.append(FileReport(uri, "failed", reason=error.reason))
        return reports[0] if len(reports) == 1 else _together(uri, reports)

    def _put(self, document: Document, kind: str | None, restore: bool) -> FileReport:
        """Hold the articles of one document."""
        if kind:  # the same bytes read in another way are another document
            document = replace(document, content_hash=f"{kind}:{document.content_hash}")
        held = self.corpus.unchanged(document.uri, document.content_hash)
        if held is not None and not restore:
            return FileReport(document.uri, "unchanged", held)
        articles = pages.articles(document, kind=kind)
        if not articles:
            return FileReport(document.uri, "failed", reason=NO_TEXT)
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


def _together(uri: str, reports: Sequence[FileReport]) -> FileReport:
    """One report of a file that holds several documents."""
    failed = [r for r in reports if r.outcome == "failed"]
    if len(failed) == len(reports):
        reason = failed[0].reason if failed else NO_TEXT
        return FileReport(uri, "failed", reason=f"nothing in it can be read: {reason}")
    outcomes = [o for o in ("replaced", "added") if any(r.outcome == o for r in reports)]
    notices = [f"{r.uri.removeprefix(uri)}: {r.reason}" for r in failed]
    if failed:
        notices.insert(0, f"{len(failed)} of {len(reports)} parts were not read")
    notices += [f"{r.uri.removeprefix(uri)}: {said}" for r in reports for said in r.notices]
    articles = tuple(dict.fromkeys(i for r in reports for i in r.articles))
    return FileReport(uri, [*outcomes, "unchanged"][0], articles, notices=_few(notices))


def _few(notices: Sequence[str]) -> tuple[str, ...]:
    """Notices without repeats, the first of very many."""
    told = tuple(dict.fromkeys(notices))
    if len(told) <= _MOST_NOTICES:
        return told
    return (*told[:_MOST_NOTICES], f"and {len(told) - _MOST_NOTICES} more like these")


def _notices(document: Document) -> tuple[str, ...]:
    """What the reader left out or guessed."""
    said = document.metadata.get("notices", ())
    return (said,) if isinstance(said, str) else tuple(said)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
