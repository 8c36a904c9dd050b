"""Documents into the corpus: what is put, what is passed over, and what is said of each file.

However many records a file holds, what is kept of them in memory is bounded: counts, the first ids
and the first notices. Records are stored some hundred at a time, and also when the reading breaks
off, so that the next run finds them; a file that is parsed at once is stored whole or not at all.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

from rag import pages
from rag.corpus import Corpus
from rag.errors import UnreadableFile
from rag.pagination import PAGED
from rag.scans import Scans
from rag.types import Article, Document, FileReport
from rag.unfinished import Counts, Run

NO_TEXT = "holds no text that could be an article"

_MOST_NOTICES = 30  # of one report
_MOST_IDS = 10_000  # of one report
_MOST_WAITING, _LONGEST_WAIT = 200, 1.0  # documents, seconds, before they are stored
_KEPT_OUT = "deleted articles were kept out; --restore brings them back"


_Read = tuple[Document, tuple[Article, ...]]


@dataclass(slots=True)
class _Tally:
    """What has become of a file's documents so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    articles: dict[str, None] = field(default_factory=dict)
    count: int = 0
    failed: list[str] = field(default_factory=list)
    notices: dict[str, None] = field(default_factory=dict)
    more: int = 0
    last: FileReport | None = None

    def begin(self, before: Counts, held: Iterable[str]) -> None:
        """What earlier readings of the file came to; `held`: ids of its articles."""
        self.outcomes.update(unchanged=before.documents, failed=before.failed)
        self.count = before.articles
        self.failed = list(before.told)
        self.articles.update(dict.fromkeys(islice(held, _MOST_IDS)))

    def counts(self) -> Counts:
        """What a later reading will begin with."""
        failed = self.outcomes["failed"]
        documents = self.outcomes.total() - failed
        return Counts(documents, self.count, failed, self.failed)

    def add(self, uri: str, report: FileReport) -> None:
        self.last = report
        self.outcomes[report.outcome] += 1
        self.count += len(report.articles)
        if len(self.articles) < _MOST_IDS:
            self.articles.update(dict.fromkeys(report.articles))
        part = report.uri.removeprefix(uri)
        if report.outcome == "failed" and len(self.failed) < _MOST_NOTICES:
            self.failed.append(f"{part}: {report.reason}")
        for said in report.notices:
            if len(self.notices) < _MOST_NOTICES:
                self.notices[f"{part}: {said}"] = None
            else:
                self.more += 1

    def report(self, uri: str) -> FileReport:
        """One report of all of them."""
        parts = self.outcomes.total()
        if parts == 1 and self.last is not None:
            return self.last
        failed = self.outcomes["failed"]
        if failed == parts:
            why = self.failed[0].partition(": ")[2] if self.failed else NO_TEXT
            return FileReport(uri, "failed", reason=f"nothing in it can be read: {why}")
        outcome = next((o for o in ("replaced", "added") if self.outcomes[o]), "unchanged")
        told = [*self.failed, *self.notices]
        untold = self.more + failed - len(self.failed) + max(0, len(told) - _MOST_NOTICES)
        told = told[:_MOST_NOTICES]
        if failed:
            told.insert(0, f"{failed} of {parts} parts were not read")
        if untold:
            told.append(f"and {untold} more like these")
        ids = tuple(self.articles)
        more = max(0, self.count - len(ids)) if len(ids) >= _MOST_IDS else 0
        return FileReport(uri, outcome, ids, notices=tuple(told), more=more)


class Intake:
    """Puts the documents of files into a corpus.

    Args:
        corpus: where they go; the caller has the writer lock.
        scans: where lines and pictures of scanned pages go; None to leave them out.
        kind: "page", "article" or "articles" where it is known; None to recognise it.
        restore: bring back articles that had been deleted.
        stored: called when documents were stored, with how many articles were new.
        touched: called with the ids of the articles that a stored document has now or had before.

    Attributes:
        seen: a number for each document met, read or not; `number_of` gives it.
        unread: the files, and members of ZIPs, that could not be read.
    """

    def __init__(
        self,
        corpus: Corpus,
        scans: Scans | None = None,
        *,
        kind: str | None = None,
        restore: bool = False,
        stored: Callable[[int], None] | None = None,
        touched: Callable[[Iterable[str]], None] | None = None,
    ) -> None:
        self._corpus, self._kind, self._restore = corpus, kind, restore
        self._stored, self._touched, self._scans = stored, touched, scans
        self.seen = array("Q")
        self.unread: set[str] = set()

    def held(self, uri: str, digests: Iterable[str]) -> FileReport | None:
        """The report of a file that was read whole before and has not changed; else None.

        Args:
            uri: the file.
            digests: any of these content hashes will do.
        """
        if self._restore or not any(self._corpus.holds(uri, self._hash(d)) for d in digests):
            return None
        self.seen.extend(number_of(part) for part in self._corpus.parts_of(uri))
        ids = self._corpus.articles_in(uri)
        more = max(0, len(ids) - _MOST_IDS)
        return FileReport(uri, "unchanged", tuple(ids[:_MOST_IDS]), more=more)

    def put_file(
        self,
        uri: str,
        documents: Iterable[Document | UnreadableFile],
        *,
        whole: bool = False,
        run: Run | None = None,
    ) -> FileReport:
        """Hold the documents of one file; what cannot be read of it is told in its report.

        Args:
            uri: the file's path or the upload's name.
            documents: what a reader gives.
            whole: store all of them together, or none where the reading breaks off.
            run: how far the file was read before, and where that is noted; None: not at all.
        """
        tally = _Tally()
        if run is not None and run.reached.byte:
            self._go_on(run, tally)
        waiting: list[_Read] = []
        since = time.monotonic()
        try:
            for report, read in self._looked_at(uri, documents):
                if read is None:
                    tally.add(uri, report)
                    continue
                waiting.append(read)
                full = len(waiting) >= _MOST_WAITING or time.monotonic() - since > _LONGEST_WAIT
                if full and not whole:
                    place = (run.reached.byte, run.reached.number) if run else (0, 0)
                    batch, waiting, since = waiting, [], time.monotonic()
                    new = self._put(uri, batch, tally)
                    if run is not None:
                        last = batch[-1][0]
                        run.note(place, tally.counts(), (last.uri, last.content_hash))
                    self._tell(new)
        except BaseException:  # Ctrl-C too: what was read is kept
            if not whole:
                self._put(uri, waiting, tally)
            raise
        new = self._put(uri, waiting, tally)
        if run is not None:
            run.end()
        self._tell(new)
        return tally.report(uri)

    def _go_on(self, run: Run, tally: _Tally) -> None:
        """Take what was read of a file before for met and unchanged."""
        parts = [f"{run.uri}#{n}" for n in range(1, min(run.reached.number, 2 * _MOST_IDS) + 1)]
        tally.begin(run.before, (i for part in parts for i in self._corpus.held(part)))
        self.seen.extend(number_of(f"{run.uri}#{n}") for n in range(1, run.reached.number + 1))

    def _looked_at(
        self, uri: str, documents: Iterable[Document | UnreadableFile]
    ) -> Iterator[tuple[FileReport, _Read | None]]:
        """Each document: its report where nothing is to be stored, else what is."""
        try:
            for document in documents:
                if isinstance(document, UnreadableFile):
                    self._not_read(str(document.path))
                    yield FileReport(str(document.path), "failed", reason=document.reason), None
                    continue
                self.seen.append(number_of(document.uri))
                yield self._read(document)
        except UnreadableFile as error:
            self._not_read(uri)
            yield FileReport(uri, "failed", reason=error.reason), None

    def _not_read(self, uri: str) -> None:
        self.seen.append(number_of(uri))
        if "#" not in uri:  # of records there may be a million
            self.unread.add(uri)

    def _read(self, document: Document) -> tuple[FileReport, _Read | None]:
        document = replace(document, content_hash=self._hash(document.content_hash))
        held = self._corpus.unchanged(document.uri, document.content_hash)
        if held is not None and not self._restore:
            return FileReport(document.uri, "unchanged", held), None
        articles = pages.articles(document, kind=self._kind)
        if not articles:
            return FileReport(document.uri, "failed", reason=NO_TEXT), None
        return FileReport(document.uri, "added"), (document, articles)

    def _put(self, uri: str, batch: Sequence[_Read], tally: _Tally) -> int:
        """Store some documents in one transaction; how many articles were new."""
        new = 0
        if not batch:
            return 0
        for document, _ in batch:
            if self._scans and document.format in PAGED:
                self._scans.put(document)
        with self._corpus.together():
            for document, articles in batch:
                put = self._corpus.put(document, articles, now=now(), restore=self._restore)
                if self._touched:
                    self._touched((*put.before, *put.articles))
                told = notices_of(document)
                if put.kept_out:
                    told += (_KEPT_OUT,)
                new += len(put.articles) if put.outcome != "unchanged" else 0
                tally.add(uri, FileReport(document.uri, put.outcome, put.articles, notices=told))
        return new

    def _tell(self, new: int) -> None:
        if new and self._stored:
            self._stored(new)

    def _hash(self, digest: str) -> str:
        """The same bytes read in another way are another document."""
        return f"{self._kind}:{digest}" if self._kind else digest


def number_of(uri: str) -> int:
    """64 bits that stand for a document's name: eight bytes for each of a million records."""
    return int.from_bytes(hashlib.blake2b(uri.encode(), digest_size=8).digest(), "little")


def few(notices: Sequence[str]) -> tuple[str, ...]:
    """Notices without repeats, the first of very many."""
    told = tuple(dict.fromkeys(notices))
    if len(told) <= _MOST_NOTICES:
        return told
    return (*told[:_MOST_NOTICES], f"and {len(told) - _MOST_NOTICES} more like these")


def notices_of(document: Document) -> tuple[str, ...]:
    """What the reader left out or guessed."""
    said = document.metadata.get("notices", ())
    return (said,) if isinstance(said, str) else tuple(said)


def now() -> str:
    """The time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
