"""The table of contents: how an article gets in, and how a question is answered.

    an article: reader → pages → Corpus.put → chunk → encode → a new index generation
    a question: converse → retrieve → answer (→ a language model's words, checked) → cite → Answer

The corpus is the truth and the index its cache: whatever the two disagree about, `sync` mends.
"""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as Yields
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.tokens import Tokenizer, fold
from rag import (
    answer,
    cite,
    converse,
    examples,
    fusion,
    generate,
    indexing,
    reprints,
    rerank,
    retrieve,
    support,
    writing,
)  # fmt: skip
from rag.behind import behind
from rag.config import Config
from rag.errors import BadQuestion, NotFound, WenjuError
from rag.indexing import Progress
from rag.language import language_of
from rag.models import Models
from rag.processors import Processors
from rag.scans import Scans
from rag.seams import Snapshot
from rag.stores import opened
from rag.types import (
    Answer,
    Article,
    Evidence,
    FileReport,
    Filters,
    Question,
    Turn,
)

if TYPE_CHECKING:
    from rag.archive import Archive

logger = logging.getLogger(__name__)

EXAMPLES_FROM = 40
"""Articles, the newest, that example questions are drawn from."""

_FOLDED = 2
"""Passages ranked for each that is wanted, so that reprints folded away leave no gap."""

ANSWER_EVIDENCE = 20
"""Passages that the answer is drawn from: more than are shown, for questions over many articles."""


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
        today: tells the day on which a question is asked.

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
        today: Callable[[], date] = date.today,
    ) -> None:
        self.config = config
        self.models = Models(config, encoder, generator, reranker)
        self._processors = Processors()
        self.encoder, self.generator = self.models.encoder, self.models.generator
        self.tokenizer = Tokenizer(config.dictionary, config.cache)
        self.stores = stores = opened(config, self.tokenizer)
        self.corpus, self.store = stores.corpus, stores.index
        self.vectors, self.reprints = stores.vectors, stores.reprints
        self.scans = Scans(config.home, self.corpus)
        self._method, self._today = method, today

    @cached_property
    def archive(self) -> Archive:
        """How the archive is changed; asking it needs none of the readers of its formats."""
        from rag.archive import Archive

        def encoder() -> Encoder:
            return behind(self.encoder(), self._processors)

        return Archive(self.config.home, self.stores, self.scans, encoder)

    def snapshot(self) -> Snapshot:
        """The newest generation of the index, also when another process has written it."""
        return self.store.open()

    def _open(self) -> Snapshot:
        """The newest generation. The first time the model is loaded beside it: both take long."""
        if not self.models.loaded:
            self._processors.beside(self.encoder)  # whoever needs it next waits, or fails, there
        return self.snapshot()

    def close(self) -> None:
        """Close the files and end the threads."""
        self._processors.close()
        self.stores.close()

    # An article's path: see `rag.archive` for the arguments and errors.

    def add(
        self,
        paths: Sequence[Path],
        *,
        kind: str | None = None,
        restore: bool = False,
        fields: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> list[FileReport]:
        """Add files and folders; every file is reported, whatever became of it."""
        return self.archive.add(paths, kind=kind, restore=restore, fields=fields, progress=progress)

    def add_upload(
        self, name: str, data: bytes, *, kind: str | None = None, restore: bool = False
    ) -> FileReport:
        """Add one file by its name and content."""
        return self.archive.add_upload(name, data, kind=kind, restore=restore)

    def preview(
        self, name: str, data: bytes, kind: str | None = None
    ) -> tuple[FileReport, tuple[Article, ...]]:
        """What `add_upload` would read from a file; nothing is stored."""
        from rag.preview import preview

        return preview(name, data, kind)

    def delete(self, article_id: str) -> None:
        """Take an article out of the corpus and the index."""
        self.archive.delete(article_id)

    def sync(self, progress: Progress | None = None) -> int:
        """Make the index hold just what the corpus holds; the caller has the writer lock."""
        return self.archive.sync(progress)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make the index anew from the corpus, under the model configured now."""
        return self.archive.rebuild(progress)

    def tidy(self) -> bool:
        """Merge small segments of the index, beside readers and writers."""
        return self.archive.tidy()

    # A question's path

    def search(
        self, question: str, *, top_k: int | None = None, filters: Filters | None = None
    ) -> tuple[Evidence, ...]:
        """The passages that fit a question, best first.

        Raises:
            BadQuestion: the question is empty or too long.
        """
        text = self.checked(question)
        snapshot = self._open()
        if not snapshot.size:
            return ()
        source = self._source(snapshot, filters)
        return self._retrieve(text, source, top_k or self.config.top_k, _Clock())[1]

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
        writer = self.models.writer(mode)
        standalone = converse.standalone(text, history, self._article)
        if writer:
            standalone = writer.stand_alone(text, standalone, history)
        snapshot = self._open()
        source = self._source(snapshot, filters)
        evidence: tuple[Evidence, ...] = ()
        shown = top_k or self.config.top_k
        wanted = max(shown, ANSWER_EVIDENCE)
        asked = Question(standalone, np.empty(0, np.float32))
        if snapshot.size:
            asked, evidence = self._retrieve(standalone, source, wanted, clock)
        yield Event(evidence=evidence[:shown])
        yield Event(status="answer")
        language = language or language_of(standalone)
        with self._processors:
            draft = answer.draft(asked, evidence, self._tools(), language=language)
        if evidence and not draft.claims and retrieve.counts(standalone, source):
            # The time may not be the one meant: what answers without it is not refused.
            source = replace(source, day=None)
            plain = self._retrieve(standalone, source, wanted, _Clock())[1]
            with self._processors:
                other = answer.draft(asked, plain, self._tools(), language=language)
            if other.claims:
                draft, evidence = other, plain
                yield Event(evidence=evidence[:shown])
        clock.lap("answer")
        written = writing.Written(None)
        if writer and writing.suits(draft):
            yield Event(status="generate")
            written = yield from _deltas(writer.write(standalone, draft, evidence, language, shown))
            draft = written.draft or draft
            clock.lap("generate")
        articles = {e.article.id: e.article for e in evidence}
        with self._processors:
            words, citations = cite.verify(draft, articles, evidence)
        citations = cite.with_pages(citations, self.corpus.source_page)
        citations = support.marked(self.scans.marked(citations), written.unproved)
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
                short_sure=draft.short_answer is not None and draft.short_sure,
                language=language,
                citations=citations,
                evidence=evidence[:shown],
                coverage=source.scope.coverage(evidence),
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

    def _source(self, snapshot: Snapshot, filters: Filters | None) -> retrieve.Source:
        """What is searched, and from which day."""
        scope, tokens = self.stores.scopes.of(snapshot, filters), self.tokenizer.query_tokens
        day = (filters.as_of if filters else None) or self._today().isoformat()
        return retrieve.Source(snapshot, self.corpus, scope, tokens, self.models.centres, day)

    def _retrieve(
        self, text: str, source: retrieve.Source, top_k: int, clock: _Clock
    ) -> tuple[Question, tuple[Evidence, ...]]:
        """The question with its vector, and its evidence, best first."""
        keywords = self._processors.beside(lambda: retrieve.keywords(text, source, self._method))
        indexing.check_model(source.snapshot, self.encoder())
        with self._processors:
            question = Question(text, self.models.question(text))
            clock.lap("encode")
            near = retrieve.nearest(question, source, self._method)
        lexical = keywords()
        depth = max(_FOLDED * top_k, rerank.DEPTH if self.config.reranker else 0)
        with self._processors:
            found = retrieve.retrieve(
                question, near, lexical, source, top_k=depth, method=self._method
            )
        families = self.reprints.families(list({e.article.id for e in found}))
        reranker = self.models.reranker()
        if reranker:
            found = rerank.rerank(text, found, reranker)
        evidence = tuple(reprints.folded(found, families, top_k))
        clock.lap("retrieve")
        return question, evidence

    def _sentence_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            return self.vectors.encode(self.encoder(), texts)
        except WenjuError as error:  # the disk is full or only to be read: an answer needs neither
            logger.info("vectors_not_kept", extra={"reason": str(error)})
            return self.encoder().encode_passages(texts)

    def _tools(self) -> answer.Tools:
        return answer.Tools(
            sentence_vectors=self._sentence_vectors,
            tokens=self.tokenizer.query_tokens,
            question_vectors=lambda texts: self.encoder().encode_queries(texts),
            fold=fold,
            words=self.tokenizer.words,
            reader=self.models.reader(),
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
