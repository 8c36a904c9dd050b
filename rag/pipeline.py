"""The table of contents: how an article gets in, and how a question is answered.

    an article: reader → pages → Corpus.put → chunk → encode → a new index generation
    a question: converse → retrieve → answer (→ a language model's words, checked) → cite → Answer

The corpus is the truth and the index its cache: whatever the two disagree about, `sync` mends.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as Yields
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder, load_encoder
from index.lock import WriterLock
from index.snapshot import Snapshot
from index.store import Store
from index.tokens import Tokenizer, fold
from index.vectors import VectorCache
from rag import (
    answer,
    centre,
    cite,
    converse,
    examples,
    fusion,
    generate,
    indexing,
    pages,
    readers,
    reprints,
    rerank,
    retrieve,
    support,
    writing,
)  # fmt: skip
from rag.config import Config, ModelServer
from rag.corpus import Corpus
from rag.errors import ArchiveBusy, BadQuestion, HomeUnusable, NotFound, UnreadableFile
from rag.indexing import Progress
from rag.language import language_of
from rag.scope import Scope, Scopes
from rag.types import (
    Answer,
    Article,
    Document,
    Evidence,
    FileReport,
    Filters,
    Question,
    Turn,
)

LOCK = "writer.lock"
"""The file in the home that one writer at a time holds locked."""

PATIENCE, LONG_PATIENCE = 2.0, 600.0
"""Seconds to wait for another writer: for a person, and for work that nobody waits for. A merge
holds the lock for some milliseconds only, which must not make an addition fail."""

NO_TEXT = "holds no text that could be an article"

EXAMPLES_FROM = 40
"""Articles, the newest, that example questions are drawn from."""

_FOLDED = 2
"""Passages ranked for each that is wanted, so that reprints folded away leave no gap."""

ANSWER_EVIDENCE = 20
"""Passages that the answer is drawn from: more than are shown, for questions over many articles."""


QUESTIONS_KEPT = 1_000
"""Questions whose vectors are kept: readers ask again, with other filters or after a correction."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened while a question is answered; exactly one field is set."""

    status: str | None = None
    evidence: tuple[Evidence, ...] | None = None
    delta: str | None = None
    answer: Answer | None = None


class Pipeline:
    """One archive: add to it, delete from it, ask it. Threads may share one.

    Args:
        config: where it is and how it is asked.
        encoder: an encoder in place of the configured one.
        generator: a language model in place of the configured one.
        reranker: a second stage in place of the configured one.
        method: how passages are ranked, where that is measured; None for the product's way.

    Raises:
        HomeUnusable: the home folder cannot be made or written.
    """

    def __init__(
        self,
        config: Config,
        encoder: Encoder | None = None,
        generator: generate.Generator | None = None,
        reranker: rerank.Reranker | None = None,
        method: fusion.Method | None = None,
    ) -> None:
        self.config = config
        try:
            config.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeUnusable(config.home, error.strerror or str(error)) from error
        self.corpus = Corpus(config.home / "corpus.sqlite")
        self.tokenizer = Tokenizer(config.dictionary)
        self.store = Store(config.home / "index", self.tokenizer)
        self.vectors = VectorCache(config.home / "vectors.sqlite")
        self.reprints = reprints.Reprints(config.home / "reprints.sqlite")
        self._encoder = encoder
        self._generator = generator
        self._guard = threading.RLock()
        self._scopes = Scopes(self.corpus)
        self._asked = lru_cache(maxsize=QUESTIONS_KEPT)(self._vector)
        self._centres: centre.Centres | None = None
        self._reranker = reranker
        self._method = method

    def encoder(self) -> Encoder:
        """The embedding model, loaded when it is first needed."""
        with self._guard:
            if self._encoder is None:
                self._encoder = load_encoder(
                    self.config.model, cache_dir=self.config.cache, threads=self.config.threads
                )
            return self._encoder

    def generator(self) -> generate.Generator | None:
        """The language model, if one is configured."""
        with self._guard:
            if self._generator is None and self.config.generator is not None:
                self._generator = generate.ChatModel(self.config.generator)
            return self._generator

    def snapshot(self) -> Snapshot:
        """The newest generation of the index, also when another process has written it."""
        return self.store.open()

    def close(self) -> None:
        """Close the files."""
        self.corpus.close()

    @contextmanager
    def _writing(self, wait: float = PATIENCE) -> Iterator[None]:
        """Be the only one who writes to this home; `wait`: seconds to wait for it."""
        lock = WriterLock(self.config.home / LOCK, wait)
        try:
            lock.__enter__()
        except OSError as error:
            raise HomeUnusable(self.config.home, error.strerror or str(error)) from error
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    # An article's path

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
        return indexing.sync(self.corpus, self.store, self.encoder, self.vectors, progress)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make the index anew from the corpus, under the model configured now.

        Returns:
            How many passages it holds.
        """
        encoder = self.encoder()
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

    # A question's path

    def search(
        self, question: str, *, top_k: int | None = None, filters: Filters | None = None
    ) -> tuple[Evidence, ...]:
        """The passages that fit a question, best first.

        Raises:
            BadQuestion: the question is empty or too long.
        """
        text = self.checked(question)
        snapshot = self.snapshot()
        if not snapshot.size:
            return ()
        scope = self._scopes.of(snapshot, filters)
        return self._retrieve(
            self._encoded(text, snapshot), snapshot, scope, top_k or self.config.top_k
        )

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        top_k: int | None = None,
        filters: Filters | None = None,
        language: str | None = None,
        mode: str = "auto",
    ) -> Answer:
        """Answer a question: the last event of `stream`, which see."""
        events = self.stream(
            question, history=history, top_k=top_k, filters=filters, language=language, mode=mode
        )
        return next(e.answer for e in events if e.answer is not None)

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        top_k: int | None = None,
        filters: Filters | None = None,
        language: str | None = None,
        mode: str = "auto",
    ) -> Yields[Event, None, None]:
        """Answer a question step by step; the last event holds the verified answer.

        Args:
            question: at most `Config.max_question` characters.
            history: earlier turns, oldest first.
            top_k: passages to show.
            filters: which articles may answer.
            language: "zh" or "en" for the words around the quotes; None: the question's.
            mode: "extractive" leaves the language model out; "auto" asks it where there is one.

        Raises:
            BadQuestion: the question is empty or too long.
            ModelMismatch: the index was made with another model.
        """
        text = self.checked(question)
        clock = _Clock()
        yield Event(status="retrieve")
        writer = self._writer(mode)
        standalone = converse.standalone(text, history, self._article)
        if writer:
            standalone = writer.stand_alone(text, standalone, history)
        snapshot = self.snapshot()
        scope = self._scopes.of(snapshot, filters)
        evidence: tuple[Evidence, ...] = ()
        shown = top_k or self.config.top_k
        asked = Question(standalone, np.empty(0, np.float32))
        if snapshot.size:
            asked = self._encoded(standalone, snapshot)
            clock.lap("encode")
            evidence = self._retrieve(asked, snapshot, scope, max(shown, ANSWER_EVIDENCE))
        clock.lap("retrieve")
        yield Event(evidence=evidence[:shown])
        yield Event(status="answer")
        language = language or language_of(standalone)
        draft = answer.draft(asked, evidence, self._tools(), language=language)
        clock.lap("answer")
        written = writing.Written(None)
        if writer and writing.suits(draft):
            yield Event(status="generate")
            written = yield from _deltas(writer.write(standalone, draft, evidence, language, shown))
            draft = written.draft or draft
            clock.lap("generate")
        articles = {e.article.id: e.article for e in evidence}
        words, citations = cite.verify(draft, articles, evidence)
        citations = support.marked(citations, written.unproved)
        clock.lap("cite")
        if not written.streamed:
            yield Event(delta=words)
        yield Event(
            answer=Answer(
                id=uuid.uuid4().hex,
                question=text,
                standalone_question=standalone,
                status=draft.status,
                text=words,
                short_answer=draft.short_answer,
                language=language,
                citations=citations,
                evidence=evidence[:shown],
                coverage=scope.coverage(evidence),
                receipt=_receipt(snapshot, evidence[:shown])
                | {"written_by": writer.server.model if writer and written.draft else None},
                timings_ms=clock.laps,
                notices=written.notices,
            )
        )

    def examples(self, language: str) -> list[str]:
        """A few questions, in "zh" or "en", that this archive can be asked."""
        chosen = Filters(languages=(language,))
        articles, _ = self.corpus.listing(limit=EXAMPLES_FROM, filters=chosen)
        if not articles:
            articles, _ = self.corpus.listing(limit=EXAMPLES_FROM)
        return examples.examples(articles, language)

    def checked(self, question: str) -> str:
        """The question on one line.

        Raises:
            BadQuestion: the question is empty or too long.
        """
        text = " ".join(question.split())
        limit = self.config.max_question
        if not text:
            raise BadQuestion("The question is empty; type what you want to know.")
        if len(text) > limit:
            raise BadQuestion(
                f"The question has {len(text):,} characters; shorten it to at most {limit:,}."
            )
        return text

    def _article(self, article_id: str) -> Article | None:
        """The article that an earlier turn cites, unless it has been deleted since."""
        try:
            return self.corpus.get(article_id)
        except NotFound:
            return None

    def _encoded(self, text: str, snapshot: Snapshot) -> Question:
        encoder = self.encoder()
        indexing.check_model(snapshot, encoder)
        return Question(text, self._asked(text))

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.encoder().encode_queries([text])[0]
        vector.setflags(write=False)  # it is kept, and handed to whoever asks the same
        return vector

    def _retrieve(
        self, question: Question, snapshot: Snapshot, scope: Scope, top_k: int
    ) -> tuple[Evidence, ...]:
        source = retrieve.Source(
            snapshot,
            self.corpus,
            scope,
            self.tokenizer.query_tokens,
            self.centres,
        )
        depth = max(_FOLDED * top_k, rerank.DEPTH)
        found = retrieve.retrieve(question, source, top_k=depth, method=self._method)
        families = self.reprints.families(list({e.article.id for e in found}))
        reranker = self.reranker()
        if reranker:
            found = rerank.rerank(question.text, found, reranker)
        return tuple(reprints.folded(found, families, top_k))

    def reranker(self) -> rerank.Reranker | None:
        """The second stage, loaded when it is first needed; None where none is configured."""
        with self._guard:
            if self._reranker is None and self.config.reranker is not None:
                self._reranker = rerank.CrossEncoderReranker(self.config.reranker)
            return self._reranker

    def centres(self) -> centre.Centres:
        """The means of the encoder's vectors by language, loaded when they are first needed."""
        encoder = self.encoder()
        with self._guard:
            if self._centres is None:
                self._centres = centre.load_centres(encoder, self.config.cache)
            return self._centres

    def _sentence_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.vectors.encode(self.encoder(), texts)

    def _writer(self, mode: str) -> writing.Writer | None:
        """The language model with the time that it has for this question."""
        generator = self.generator() if mode == "auto" else None
        if generator is None:
            return None
        server = self.config.generator or ModelServer("", generator.name)
        return writing.Writer(generator, server, time.monotonic() + server.timeout)

    def _tools(self) -> answer.Tools:
        return answer.Tools(
            sentence_vectors=self._sentence_vectors,
            tokens=self.tokenizer.query_tokens,
            question_vectors=lambda texts: self.encoder().encode_queries(texts),
            fold=fold,
        )


def _deltas(pieces: Yields[str, None, writing.Written]) -> Yields[Event, None, writing.Written]:
    """Pieces of a text as events; what the pieces return."""
    try:
        while True:
            yield Event(delta=next(pieces))
    except StopIteration as end:
        written: writing.Written = end.value
        return written
    finally:
        pieces.close()


class _Clock:
    """Milliseconds by step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.laps[step] = round((now - self._last) * 1000, 2)
        self._last = now


def _receipt(snapshot: Snapshot, evidence: Sequence[Evidence]) -> dict[str, object]:
    """What was read to give the answer, so that it can be checked later."""
    return {
        "generation": snapshot.generation,
        "model": snapshot.model,
        "passages": {
            e.passage.id: hashlib.sha256(e.passage.text.encode()).hexdigest() for e in evidence
        },
    }


def _notices(document: Document) -> tuple[str, ...]:
    """What the reader left out or guessed."""
    said = document.metadata.get("notices", ())
    return (said,) if isinstance(said, str) else tuple(said)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
