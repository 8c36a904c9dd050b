"""What is scored: an archive in this process, or a server with the same /v1/ask.

Both give the same `Reply`, so that every measure treats them alike.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eval.errors import TargetUnusable
from rag.config import Config
from rag.errors import BadInput
from rag.pipeline import Pipeline
from rag.types import Answer, Article

DEPTH = 10
"""Passages asked for: as deep as MRR@10 and nDCG@10 look."""

REFUSED = "no_evidence"
_LARGE = 5_000  # an archive of more articles is not read through to look for gold quotes
_PATIENCE = 120.0  # seconds until a server that does not answer has failed the question


@dataclass(frozen=True, slots=True)
class Cited:
    """One citation of an answer.

    Attributes:
        authors: of the cited article, as the archive gives them.
        article_text: the whole article's text; the quote where it cannot be had.
        in_head: whether it cites the head (byline …) and not a paragraph.
        support: "verbatim", "supported" or "unsupported".
    """

    article_id: str
    title: str | None
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    article_text: str
    quote: str
    in_head: bool
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


def _reply(answer: Answer, ms: float) -> Reply:
    return Reply(
        status=answer.status,
        text=answer.text,
        short_answer=answer.short_answer,
        citations=tuple(
            _cited(c.article, c.quote, c.paragraph is None, c.support.value)
            for c in answer.citations
        ),
        passages=tuple(e.passage.text for e in answer.evidence),
        ms=ms,
        receipt={k: answer.receipt[k] for k in ("model", "generation") if k in answer.receipt},
    )


def _cited(article: Article, quote: str, in_head: bool, support: str) -> Cited:
    return Cited(
        article.id,
        article.title,
        article.authors,
        article.affiliations,
        article.text,
        quote,
        in_head,
        support,
    )


class Server:
    """A server that speaks Wenju's /v1/ask.

    Args:
        url: its address, http or https.
        key: sent as a bearer token when given.

    Raises:
        TargetUnusable: the address is not one, or nobody answers there.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise TargetUnusable(f"{url!r} is no address; write it as http://127.0.0.1:8000.")
        self.name = "server"
        self._url = url.rstrip("/")
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._texts: dict[str, str | None] = {}
        self._answered = False

    def ask(self, question: str) -> Reply:
        """POST /v1/ask; the time includes the way there and back."""
        started = time.perf_counter()
        body = json.dumps({"question": question, "top_k": DEPTH}).encode()
        try:
            value = self._json("/v1/ask", body)
            ms = (time.perf_counter() - started) * 1000
            return self._reply(value, ms)
        except urllib.error.HTTPError as error:
            with error:
                raise QuestionFailed(f"status {error.code}: {_said(error)}") from None
        except (OSError, ValueError) as error:
            if not self._answered and isinstance(error, OSError):
                raise TargetUnusable(
                    f"Nothing answers at {self._url} ({error}); start it with `wenju serve`."
                ) from None
            raise QuestionFailed(str(error)) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise QuestionFailed(
                f"the answer is not as /v1/ask gives it ({type(error).__name__}: {error})"
            ) from error

    def texts(self) -> list[str] | None:
        """None: a server is not read through."""
        return None

    def _json(self, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 any JSON
        request = urllib.request.Request(  # noqa: S310 the scheme was checked
            self._url + path, data=body, headers=self._headers
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as reply:  # noqa: S310 see above
            value = json.load(reply)
        self._answered = True
        return value

    def _reply(self, value: dict[str, Any], ms: float) -> Reply:
        receipt = value.get("receipt") or {}
        return Reply(
            status=str(value["status"]),
            text=str(value["answer"]),
            short_answer=value.get("short_answer"),
            citations=tuple(self._cited(c) for c in value["citations"]),
            passages=tuple(str(p["text"]) for p in value["passages"]),
            ms=ms,
            receipt={k: receipt[k] for k in ("model", "generation") if k in receipt},
        )

    def _cited(self, value: dict[str, Any]) -> Cited:
        article = value["article"]
        quote = str(value["quote"])
        return Cited(
            str(article["id"]),
            article.get("title"),
            tuple(article.get("authors") or ()),
            tuple(article.get("affiliations") or ()),
            self._text(str(article["id"])) or quote,
            quote,
            value.get("paragraph") is None,
            str(value.get("support", "supported")),
        )

    def _text(self, article_id: str) -> str | None:
        """An article's text; None where the server does not give it."""
        if article_id not in self._texts:
            try:
                value = self._json(f"/v1/articles/{urllib.parse.quote(article_id, safe='')}")
                self._texts[article_id] = str(value["text"])
            except (urllib.error.HTTPError, KeyError, TypeError):
                self._texts[article_id] = None
        return self._texts[article_id]

    @property
    def without_text(self) -> int:
        """Articles that were cited and whose text the server did not give."""
        return sum(text is None for text in self._texts.values())


def _said(error: urllib.error.HTTPError) -> str:
    """The message of an error reply, in at most 200 characters."""
    raw = error.read(4096).decode("utf-8", "replace")
    try:
        return str(json.loads(raw)["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return raw.strip()[:200] or error.reason


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
