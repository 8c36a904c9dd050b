"""What is scored: an archive in this process, or a server with the same /v1/ask.

Both give the same `Reply`, so that every measure treats them alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eval.errors import TargetUnusable
from rag.config import Config
from rag.errors import BadInput
from rag.pipeline import Pipeline
from rag.types import Answer, Article

DEPTH = 10
"""Passages asked for: as deep as MRR@10 and nDCG@10 look."""

REFUSED = "no_evidence"
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
    """

    article_id: str
    title: str | None
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    article_text: str
    quote: str
    paragraph: str | None
    support: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one question.

    Attributes:
        status: "answered", "partial", "conflicting" or "no_evidence".
        text: the answer with its markers.
        passages: texts of the passages found, best first.
        ms: milliseconds from asking to having the answer.
        receipt: generation and model, as the system gives them.
    """

    status: str
    text: str
    short_answer: str | None
    citations: tuple[Cited, ...]
    passages: tuple[str, ...]
    ms: float
    receipt: Mapping[str, object]

    @property
    def refused(self) -> bool:
        """Whether it says that the archive does not tell."""
        return self.status == REFUSED


class QuestionFailed(Exception):
    """The system gave no answer, not even a refusal; its text says why."""


class Target(Protocol):
    """A system that can be asked."""

    name: str

    def ask(self, question: str) -> Reply:
        """Ask one question.

        Raises:
            QuestionFailed: this question failed; others may not.
            WenjuError: no question can be answered.
        """

    def texts(self) -> list[str] | None:
        """The texts of all archived articles; None where that is too much or not possible."""

    def notices(self) -> list[str]:
        """What the reader of the scores should know, after the questions were asked."""


def open_archive(config: Config) -> Pipeline:
    """The archive in a folder, its model loaded so that no question's time includes that.

    Raises:
        TargetUnusable: there is no archive, or it is empty.
    """
    if not (config.home / "corpus.sqlite").is_file():
        raise TargetUnusable(
            f"There is no archive in {config.home}; make one with "
            f"`wenju add FILE... --home {config.home}`, or name another with --home."
        )
    pipeline = Pipeline(config)
    if not pipeline.snapshot().size:
        raise TargetUnusable(
            f"The archive in {config.home} is empty; add articles with "
            f"`wenju add FILE... --home {config.home}`."
        )
    pipeline.encoder()
    return pipeline


class Archive:
    """An archive in this process."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.name = "archive"
        self.pipeline = pipeline

    def ask(self, question: str) -> Reply:
        """Ask through the pipeline; any exception that only this question causes is its failure."""
        started = time.perf_counter()
        try:
            answer = self.pipeline.ask(question, top_k=DEPTH)
        except BadInput as error:
            raise QuestionFailed(str(error)) from error
        return _reply(answer, (time.perf_counter() - started) * 1000)

    def texts(self) -> list[str] | None:
        """The texts of all articles; None for a large archive."""
        ids = self.pipeline.corpus.ids()
        if len(ids) > _LARGE:
            return None
        return [a.text for a in self.pipeline.corpus.get_many(sorted(ids)).values()]

    def notices(self) -> list[str]:
        """Nothing: all can be read here."""
        return []


def _reply(answer: Answer, ms: float) -> Reply:
    return Reply(
        status=answer.status,
        text=answer.text,
        short_answer=answer.short_answer,
        citations=tuple(
            _cited(c.article, c.quote, c.paragraph, c.support.value) for c in answer.citations
        ),
        passages=tuple(e.passage.text for e in answer.evidence),
        ms=ms,
        receipt={k: answer.receipt[k] for k in ("model", "generation") if k in answer.receipt},
    )


def _cited(article: Article, quote: str, paragraph: int | None, support: str) -> Cited:
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
    )


def config_of(
    home: Path, cache: Path | None, model: str | None, dictionary: Path | None, threads: int
) -> Config:
    """A pipeline's settings; the cache folder is the product's own where none is named."""
    if cache is None:
        import platformdirs

        cache = Path(platformdirs.user_cache_dir("wenju"))
    return Config(
        home=home, cache=cache, model=model or None, dictionary=dictionary, threads=threads
    )
