"""An archive: the corpus, its index, and the only ways in which they change.

    an article: reader → pages → Corpus.put → chunk → encode → a new index generation

The corpus is the truth and the index its cache: whatever the two disagree about, `sync` mends. It
compares everything, or only the articles that one change is about: that is enough where no change
before it was broken off (`Stores.changing`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from index.encode import Encoder
from index.types import Batch
from rag import gone, indexing, readers
from rag.errors import ArchiveBusy, NotFound
from rag.indexing import Progress
from rag.intake import Intake, now
from rag.progress import Steps
from rag.readers import folders
from rag.readers.ahead import Ahead
from rag.readers.reached import Reached
from rag.scans import Scans
from rag.stores import Stores
from rag.types import FileReport, Passage
from rag.unfinished import Run, Unfinished, way

PATIENCE, LONG_PATIENCE = 5.0, 600.0
"""Seconds to wait for another writer: for a person, and for work that nobody waits for. A merge
holds the lock for some milliseconds only, a second where the disk is busy, which must not make an
addition fail."""


class Archive:
    """One archive. Threads may share one; one at a time writes.

    Args:
        home: its folder.
        stores: what it is kept in.
        scans: pictures of scanned pages, and where each line stands on them.
        encoder: gives the embedding model; called only when there is something to encode.

    Attributes:
        patience: seconds that what a person asked for waits for another writer.
    """

    def __init__(
        self, home: Path, stores: Stores, scans: Scans, encoder: Callable[[], Encoder]
    ) -> None:
        self._home, self.stores, self.scans, self._encoder = home, stores, scans, encoder
        self.patience = PATIENCE
        self.corpus, self.store = stores.corpus, stores.index
        self.vectors, self.reprints = stores.vectors, stores.reprints

    def _writing(self, wait: float | None = None) -> AbstractContextManager[None]:
        """Be the only one who writes to this archive; `wait`: seconds to wait for it."""
        return self.stores.writing(self.patience if wait is None else wait)

    @contextmanager
    def _changing(self) -> Iterator[bool]:
        """Be the only one who writes, and change the corpus; see `Stores.changing`."""
        with self._writing(), self.stores.changing() as done:
            yield done

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
        with self._changing():
            intake = self._intake(kind, restore, progress)
            unfinished = Unfinished(self._home, self.corpus, way(fields, kind), afresh=restore)
            for report in self._read(files, fields, intake, unfinished, progress):
                if report.outcome == "failed" and _suffix(report.uri) in folders.DATA - named:
                    report = replace(report, outcome="skipped")  # data of another kind, in a folder
                reports.append(report)
            self.sync(progress)
        self.tidy()
        return [self._counted(r) for r in reports]

    def follow(
        self,
        folder: Path,
        *,
        delete: bool = False,
        kind: str | None = None,
        fields: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> list[FileReport]:
        """Bring the archive in step with a folder: what is new, changed and no longer there.

        Args:
            folder: to walk.
            delete: take out the articles of what is no longer there; else it is only told.
            kind: see `add`.
            fields: see `add`.
            progress: called as the work goes on.

        Raises:
            ArchiveBusy: another process is writing to this home.
        """
        files, reports = readers.find_files([folder])
        with self._changing():
            intake = self._intake(kind, False, progress)
            unfinished = Unfinished(self._home, self.corpus, way(fields, kind))
            for report in self._read(files, fields, intake, unfinished, progress):
                if report.outcome == "failed" and _suffix(report.uri) in folders.DATA:
                    report = replace(report, outcome="skipped")
                reports.append(report)
            unread = intake.unread | {r.uri for r in reports if r.outcome == "failed"}
            missing = gone.missing(self.corpus, folder.resolve(), files, intake.seen, unread)
            reports += self._told(missing, delete=delete and bool(files))
            self.sync(progress)
        self.tidy()
        return [self._counted(r) for r in reports]

    def missing(self, folder: Path) -> list[FileReport]:
        """The files below a folder that are in the archive and no longer on disk."""
        files, _ = readers.find_files([folder])
        found = gone.missing(self.corpus, folder.resolve(), files)
        return list(self._told(found, delete=False))

    def _told(self, missing: Sequence[gone.Missing], *, delete: bool) -> Iterator[FileReport]:
        """A report of each file that is no longer there; with `delete` it is taken out."""
        for file in missing:
            articles = tuple(dict.fromkeys(i for uri in file.uris for i in self.corpus.held(uri)))
            if delete:
                self.corpus.forget(file.uris)
                left = set(self.corpus.get_many(articles))
                articles = tuple(i for i in articles if i not in left)
            yield FileReport(
                file.path, "removed" if delete else "gone", articles, reason=file.reason
            )

    def _intake(self, kind: str | None, restore: bool, progress: Progress | None) -> Intake:
        """What puts documents; every so often what it put becomes searchable."""
        held = self.corpus.stats()["articles"]
        new = 0

        def stored(count: int) -> None:
            nonlocal held, new
            new += count
            if new >= max(indexing.ARTICLES_A_TIME, held // 8):
                self.sync(progress)
                held, new = held + new, 0

        return Intake(self.corpus, self.scans, kind=kind, restore=restore, stored=stored)

    def _read(
        self,
        files: Sequence[Path],
        fields: Mapping[str, str] | None,
        intake: Intake,
        unfinished: Unfinished,
        progress: Progress | None,
    ) -> Iterator[FileReport]:
        """Read files, the next ones ahead; a report of each."""
        held: dict[Path, FileReport] = {}

        def wanted(path: Path) -> bool:
            known = intake.held(folders.shown(path), readers.parsed_digests(path))
            if known:
                held[path] = known
            return known is None

        steps = Steps(files, progress)
        runs: dict[Path, Run] = {}

        def reached(path: Path) -> Reached:
            runs[path] = unfinished.begin(path, folders.shown(path))
            return runs[path].reached

        with Ahead(fields) as ahead:
            for path, found in ahead.files(files, wanted, steps.at, reached):
                if found is None:
                    yield held.pop(path)
                else:
                    name, whole = folders.shown(path), readers.is_parsed(path)
                    yield intake.put_file(name, found, whole=whole, run=runs.pop(path, None))
                steps.done()

    def add_upload(
        self, name: str, data: bytes, *, kind: str | None = None, restore: bool = False
    ) -> FileReport:
        """Add one file by its name and content.

        Raises:
            ArchiveBusy: another process is writing to this home.
        """
        ids: set[str] = set()
        with self._changing() as done:
            intake = Intake(self.corpus, self.scans, kind=kind, restore=restore, touched=ids.update)
            report = intake.put_file(name, readers.read_upload(name, data))
            self.sync(only=ids if done else None)
        return self._counted(report)

    def _counted(self, report: FileReport) -> FileReport:
        if report.more:
            return replace(report, passages=self.corpus.passages_in(report.uri))
        return replace(report, passages=self.corpus.count_passages(report.articles))

    def delete(self, article_id: str) -> None:
        """Take an article out of the corpus and the index.

        Raises:
            NotFound: there is no such article.
            ArchiveBusy: another process is writing to this home.
        """
        with self._writing():
            if not self.corpus.existing([article_id]):
                raise NotFound(article_id)
            with self.stores.changing() as done:
                self.corpus.delete(article_id, now=now())
                self.scans.tidy(self.corpus.uris(article_id) if done else None)
                self.sync(only=[article_id] if done else None)

    def sync(self, progress: Progress | None = None, *, only: Collection[str] | None = None) -> int:
        """Make the index hold just what the corpus holds; the caller has the writer lock.

        Args:
            progress: called as the work goes on.
            only: ids of articles; the others are known to agree. None: compare everything.

        Returns:
            How many passages were added.
        """
        self.reprints.sync(self.corpus, only)
        return indexing.sync(self.stores, self._encoder, progress, only)

    def catch_up(self) -> int:
        """Finish what a writer began that was killed: index what only the corpus holds.

        Returns:
            How many passages were added; 0 also where another process is writing, which does it.
        """
        if not any(self.stores.behind()):
            return 0
        try:
            with self._changing():
                return self.sync()
        except ArchiveBusy:
            return 0

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make the index anew from the corpus, under the model configured now.

        Returns:
            How many passages it holds.
        """
        encoder = self._encoder()
        with self._changing():
            ids = sorted(self.corpus.ids())
            cut = indexing.batches(ids, self.corpus, encoder, self.vectors, progress)
            snapshot = self.store.rebuild(self._kept(cut), model=encoder.fingerprint)
            self.reprints.sync(self.corpus)
        self.tidy()
        return snapshot.size

    def _kept(self, cut: Iterable[tuple[Sequence[Passage], Batch]]) -> Iterator[Batch]:
        """What the index holds of passages that are given to the corpus on the way."""
        for passages, batch in cut:
            self.corpus.put_passages(passages)
            yield batch

    def tidy(self) -> bool:
        """Drop scans that nothing shows, and merge small segments of the index, beside readers.

        Returns:
            Whether anything was merged (see `Store.merge`); False also where another process
            writes all the time, or merges: the next call does it.
        """
        try:
            if self.scans.path.exists():
                with self._writing(LONG_PATIENCE):
                    self.scans.tidy()
            return self.store.merge(lambda: self._writing(LONG_PATIENCE))
        except ArchiveBusy:
            return False


def _suffix(uri: str) -> str:
    return Path(uri).suffix.lower()
