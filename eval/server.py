"""A server with Wenju's /v1/ask, scored over HTTP: Wenju itself, or another system like it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from eval.errors import TargetUnusable
from eval.target import DEPTH, RECEIPT, SEARCHED, Cited, QuestionFailed, Reply
from rag.types import Turn

_PATIENCE = 120.0  # seconds until a server that does not answer has failed the question


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
        self._articles: dict[str, dict[str, Any]] = {}
        self._answered = False

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Reply:
        """POST /v1/ask; the time includes the way there and back."""
        turns = [
            {"question": t.question, "answer": t.answer, "article_ids": list(t.article_ids)}
            for t in history
        ]
        return self._posted("/v1/ask", question, {"history": turns} if turns else {})

    def search(self, question: str) -> Reply:
        """POST /v1/search; the time includes the way there and back."""
        return self._posted("/v1/search", question, {})

    def _posted(self, path: str, question: str, more: Mapping[str, object]) -> Reply:
        started = time.perf_counter()
        body = json.dumps({"question": question, "top_k": DEPTH, **more}).encode()
        try:
            value = self._json(path, body)
            ms = (time.perf_counter() - started) * 1000
            if path == "/v1/search":
                passages = tuple(str(p["text"]) for p in value["passages"])
                return Reply(SEARCHED, "", None, (), passages, ms, {})
            return self._reply(value, ms)
        except urllib.error.HTTPError as error:
            with error:
                raise QuestionFailed(f"status {error.code}: {_said(error)}") from None
        except (OSError, ValueError) as error:
            if not self._answered and isinstance(error, OSError):
                raise self._nobody(error) from None
            raise QuestionFailed(str(error)) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise QuestionFailed(
                f"the answer is not as {path} gives it ({type(error).__name__}: {error})"
            ) from error

    def fingerprint(self) -> dict[str, object]:
        """The address, and what GET /readyz tells of model and index where the server has it."""
        known: dict[str, object] = {"url": self._url}
        try:
            value = self._json("/readyz")
        except urllib.error.HTTPError as error:
            error.close()
            return known
        except OSError as error:
            raise self._nobody(error) from None
        except ValueError:
            return known
        told = value if isinstance(value, dict) else {}
        return known | {
            k: told[k] for k in ("model", "generation", "articles", "passages") if k in told
        }

    def _nobody(self, error: OSError) -> TargetUnusable:
        return TargetUnusable(
            f"Nothing answers at {self._url} ({error}); start it with `wenju serve`."
        )

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
            receipt={k: receipt[k] for k in RECEIPT if k in receipt},
        )

    def _cited(self, value: dict[str, Any]) -> Cited:
        head = value["article"]
        quote = str(value["quote"])
        number = value.get("paragraph")
        article = self._article(str(head["id"]))
        paragraph: str | None = None
        if number is not None:
            paragraph = next(
                (
                    article["text"][block["start"] : block["end"]]
                    for block in article.get("blocks", ())
                    if block.get("paragraph") == number
                ),
                quote,
            )
        return Cited(
            str(head["id"]),
            head.get("title"),
            tuple(head.get("authors") or ()),
            tuple(head.get("affiliations") or ()),
            str(article.get("text", quote)),
            quote,
            paragraph,
            str(value.get("support", "supported")),
            float(score) if isinstance(score := value.get("score"), int | float) else None,
        )

    def _article(self, article_id: str) -> dict[str, Any]:
        """GET /v1/articles/ID, once; empty where the server does not give it."""
        if article_id not in self._articles:
            try:
                value = self._json(f"/v1/articles/{urllib.parse.quote(article_id, safe='')}")
                known = isinstance(value, dict) and isinstance(value.get("text"), str)
                self._articles[article_id] = value if known else {}
            except urllib.error.HTTPError as error:
                error.close()
                self._articles[article_id] = {}
        return self._articles[article_id]

    def notices(self) -> list[str]:
        """What the scores of this server suffer from."""
        without = sum(not article for article in self._articles.values())
        if not without:
            return []
        return [
            f"The server does not give the text of {without} cited articles: they are matched by "
            "the quotes alone."
        ]


def _said(error: urllib.error.HTTPError) -> str:
    """The message of an error reply, in at most 200 characters."""
    raw = error.read(4096).decode("utf-8", "replace")
    try:
        return str(json.loads(raw)["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return raw.strip()[:200] or error.reason
