"""What is scored: an archive in this process, or a server with the same /v1/ask.

Both give the same `Reply`, so that every measure treats them alike.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eval.cost import Meter, Tokens
from eval.errors import TargetUnusable
from rag.config import Config, ModelServer
from rag.errors import BadInput
from rag.generate import ChatModel
from rag.pipeline import Pipeline
from rag.types import Answer, Article, Evidence, Turn

DEPTH = 10
"""Passages asked for: as deep as MRR@10 and nDCG@10 look."""

REFUSED = "no_evidence"
SEARCHED = "searched"
"""The status of a reply that holds passages only."""

RECEIPT = ("model", "generation", "written_by")
"""What is kept of a system's receipt."""

_LARGE = 5_000  # an archive of more articles is not read through to look for gold quotes


@dataclass(frozen=True, slots=True)
class Cited:
    """One citation of an answer.

    Attributes:
        authors: of the cited article, as the archive gives them.
        article_text: the whole article's text; the quote where it cannot be had.
        paragraph: the text of the cited paragraph; None for the head (byline …); the quote where
            it cannot be had.
        support: "verbatim", "supported" or "unsupported".
        score: how sure the system is of it, 0 to 1, higher is surer; None where it does not say.
    """

    article_id: str
    title: str | None
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    article_text: str
    quote: str
    paragraph: str | None
    support: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one question.

    Attributes:
        status: "answered", "partial", "conflicting" or "no_evidence"; "searched" where only
            passages were asked for.
        text: the answer with its markers.
        passages: texts of the passages found, best first.
        ms: milliseconds from asking to having the answer.
        receipt: generation, model and the language model that worded the answer, if one did, as
            the system gives them.
        tokens: what a language model was sent and said; None where there is none.
    """

    status: str
    text: str
    short_answer: str | None
    citations: tuple[Cited, ...]
    passages: tuple[str, ...]
    ms: float
    receipt: Mapping[str, object]
    tokens: Tokens | None = None

    @property
    def confidence(self) -> float | None:
        """How sure the system is of its answer, by its surest citation; None where it refused."""
        scores = [c.score for c in self.citations if c.score is not None]
        return None if self.refused or not scores else max(scores)

    @property
    def refused(self) -> bool:
        """Whether it says that the archive does not tell."""
        return self.status == REFUSED


class QuestionFailed(Exception):
    """The system gave no answer, not even a refusal; its text says why."""


class Target(Protocol):
    """A system that can be asked."""

    name: str

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        """Ask one question, after the turns before it. Threads may ask at once.

        Raises:
            QuestionFailed: this question failed; others may not.
            WenjuError: no question can be answered.
        """

    def search(self, question: str) -> Reply:
        """Ask for the passages alone; raises as `ask` does."""

    def fingerprint(self) -> dict[str, object]:
        """What would be asked: model, articles, index; equal ones give equal answers."""

    def texts(self) -> list[str] | None:
        """The texts of all archived articles; None where that is too much or not possible."""

    def notices(self) -> list[str]:
        """What the reader of the scores should know, after the questions were asked."""


def open_archive(config: Config, meter: Meter | None = None) -> Pipeline:
    """The archive in a folder, warm: no question's time includes loading the model or compiling.

    Raises:
        TargetUnusable: there is no archive, or it is empty.
    """
    if not (config.home / "corpus.sqlite").is_file():
        raise TargetUnusable(
            f"There is no archive in {config.home}; make one with "
            f"`wenju add FILE... --home {config.home}`, or name another with --home."
        )
    pipeline = Pipeline(config, generator=meter)
    if not pipeline.snapshot().size:
        raise TargetUnusable(
            f"The archive in {config.home} is empty; add articles with "
            f"`wenju add FILE... --home {config.home}`."
        )
    pipeline.ask("warm up 预热", mode="extractive")
    return pipeline


class Archive:
    """An archive in this process.

    Args:
        pipeline: the archive.
        meter: the language model that its pipeline was given, to read the cost from.
    """

    def __init__(self, pipeline: Pipeline, meter: Meter | None = None) -> None:
        self.name = "archive"
        self.pipeline = pipeline
        self._meter = meter

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        """Ask through the pipeline; any exception that only this question causes is its failure."""
        if self._meter:
            self._meter.start()
        started = time.perf_counter()
        try:
            answer = self.pipeline.ask(question, history=history, top_k=DEPTH)
        except BadInput as error:
            raise QuestionFailed(str(error)) from error
        ms = (time.perf_counter() - started) * 1000
        return _reply(answer, ms, self._meter.read() if self._meter else None)

    def search(self, question: str) -> Reply:
        """Search through the pipeline; see `ask`."""
        started = time.perf_counter()
        try:
            evidence = self.pipeline.search(question, top_k=DEPTH)
        except BadInput as error:
            raise QuestionFailed(str(error)) from error
        ms = (time.perf_counter() - started) * 1000
        return Reply(SEARCHED, "", None, (), _texts(evidence), ms, {})

    def fingerprint(self) -> dict[str, object]:
        """Model, generation, and a hash of the articles and of how they are cut."""
        snapshot = self.pipeline.snapshot()
        ids = sorted(self.pipeline.corpus.ids())
        digest = hashlib.sha256("\n".join([*ids, str(snapshot.size), snapshot.model]).encode())
        generator = self.pipeline.generator()
        return {
            "model": snapshot.model,
            "generation": snapshot.generation,
            "articles": len(ids),
            "passages": snapshot.size,
            "index": digest.hexdigest(),
            "language_model": generator.name if generator else None,
            "reranker": self.pipeline.config.reranker,
        }

    def texts(self) -> list[str] | None:
        """The texts of all articles; None for a large archive."""
        ids = self.pipeline.corpus.ids()
        if len(ids) > _LARGE:
            return None
        return [a.text for a in self.pipeline.corpus.get_many(sorted(ids)).values()]

    def notices(self) -> list[str]:
        """Nothing: all can be read here."""
        return []


def _texts(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    return tuple(e.passage.text for e in evidence)


def _reply(answer: Answer, ms: float, tokens: Tokens | None) -> Reply:
    return Reply(
        status=answer.status,
        text=answer.text,
        short_answer=answer.short_answer,
        citations=tuple(
            _cited(c.article, c.quote, c.paragraph, c.support.value, c.score)
            for c in answer.citations
        ),
        passages=_texts(answer.evidence),
        ms=ms,
        receipt={k: answer.receipt[k] for k in RECEIPT if k in answer.receipt},
        tokens=tokens,
    )


def _cited(
    article: Article, quote: str, paragraph: int | None, support: str, score: float
) -> Cited:
    block = None if paragraph is None else article.paragraphs[paragraph]
    return Cited(
        article.id,
        article.title,
        article.authors,
        article.affiliations,
        article.text,
        quote,
        block.span.of(article.text) if block else None,
        support,
        score,
    )


def metered(server: ModelServer | None) -> Meter | None:
    """A language model whose cost is counted; None where none is named."""
    return Meter(ChatModel(server)) if server else None


def config_of(
    home: Path,
    cache: Path | None,
    model: str | None,
    dictionary: Path | None,
    threads: int,
    *,
    reranker: str | None = None,
    generator: ModelServer | None = None,
) -> Config:
    """A pipeline's settings; the cache folder is the product's own where none is named."""
    if cache is None:
        import platformdirs

        cache = Path(platformdirs.user_cache_dir("wenju"))
    return Config(
        home=home,
        cache=cache,
        model=model or None,
        dictionary=dictionary,
        threads=threads,
        reranker=reranker or None,
        generator=generator,
    )
