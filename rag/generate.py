"""A language model behind any server that speaks OpenAI's protocol, as a stream of text.

The rest of Wenju knows the `Generator` protocol alone. Whatever goes wrong becomes one
`GenerationFailed`, within the time that the caller gives, so that it can answer in another way.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Generator as Yields
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from rag.config import ModelServer
from rag.errors import WenjuError

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletionMessageParam

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""Times that a request is sent, as long as nothing of an answer has come."""

CONNECT = 5.0
"""Seconds to reach the server."""

CHARACTERS_A_TOKEN = 8
"""A server that sends more than this for the tokens it was allowed is talking nonsense."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class GenerationFailed(WenjuError):
    """The language model gave no usable answer.

    Attributes:
        reason: "slow", "gone", "limited" (429), "refused" (it does not accept the request),
            "nonsense" or "cut" (the stream broke off).
    """

    retryable = True

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"The language model gave no usable answer ({reason}{detail}).")


class Generator(Protocol):
    """Something that continues a conversation."""

    name: str

    def generate(
        self, messages: Sequence[Message], *, tokens: int, until: float
    ) -> Yields[str, None, None]:
        """The reply, piece by piece; closing the iterator stops the work.

        Args:
            messages: the prompt.
            tokens: at most so many of a reply.
            until: the moment of `time.monotonic()` at which the caller needs an end.

        Raises:
            GenerationFailed: at any piece; what came before it is not a whole answer.
        """

    def close(self) -> None:
        """Give up connections."""


class ChatModel:
    """A model on an OpenAI-compatible server. Threads may share one.

    Args:
        server: where it is and what it is called.

    Attributes:
        name: the model's.
    """

    def __init__(self, server: ModelServer) -> None:
        import openai  # a second to import, and only where a model is configured

        self.name = server.model
        # Retries are made here, inside the caller's time; a local server needs no key.
        self._client = openai.OpenAI(
            base_url=server.base_url, api_key=server.api_key or "none", max_retries=0
        )
        self._plain = False  # whether the server wants no sampling parameters

    def close(self) -> None:
        """Give up connections."""
        self._client.close()

    def generate(
        self, messages: Sequence[Message], *, tokens: int, until: float
    ) -> Yields[str, None, None]:
        """See `Generator.generate`.

        A thread reads the stream, so that a server that trickles or hangs cannot hold the caller.
        """
        pieces: queue.SimpleQueue[str | GenerationFailed | None] = queue.SimpleQueue()
        stop = threading.Event()
        reader = threading.Thread(
            target=self._read, args=(messages, tokens, until, pieces, stop), daemon=True
        )
        reader.start()
        try:
            while True:
                try:
                    piece = pieces.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    raise GenerationFailed("slow") from None
                if piece is None:
                    return
                if isinstance(piece, GenerationFailed):
                    raise piece
                yield piece
        finally:
            stop.set()

    def _read(
        self,
        messages: Sequence[Message],
        tokens: int,
        until: float,
        pieces: queue.SimpleQueue[str | GenerationFailed | None],
        stop: threading.Event,
    ) -> None:
        """Put the reply's pieces, then None or the failure."""
        for attempt in range(ATTEMPTS):
            begun = False
            try:
                for piece in self._stream(messages, tokens, until, stop):
                    begun = True
                    pieces.put(piece)
                pieces.put(None)
                return
            except _Attempt as failed:
                wait = failed.after if failed.after is not None else 0.2 * 2**attempt
                wait += random.uniform(0, 0.1)  # noqa: S311 jitter, not a secret
                last = attempt == ATTEMPTS - 1 or time.monotonic() + wait >= until
                logger.warning(
                    "language model failed", extra={"reason": failed.reason, "attempt": attempt + 1}
                )
                if begun or last or not failed.again or stop.wait(wait):
                    reason = "cut" if begun and failed.reason == "gone" else failed.reason
                    pieces.put(GenerationFailed(reason, failed.detail))
                    return

    def _stream(
        self, messages: Sequence[Message], tokens: int, until: float, stop: threading.Event
    ) -> Iterator[str]:
        """One attempt.

        Raises:
            _Attempt: it failed.
        """
        import httpx2
        import openai

        try:
            with self._open(messages, tokens, until) as stream:
                yield from _texts(stream, tokens, until, stop)
        except openai.APITimeoutError as error:
            raise _Attempt("slow") from error
        except openai.RateLimitError as error:
            raise _Attempt("limited", again=True, after=_retry_after(error)) from error
        except openai.APIStatusError as error:
            detail = f", status {error.status_code}"
            if error.status_code >= 500:
                raise _Attempt("gone", detail, again=True, after=_retry_after(error)) from error
            again = not self._plain and any(
                word in str(error) for word in ("max_tokens", "temperature")
            )
            self._plain = self._plain or again
            raise _Attempt("refused", detail, again=again, after=0.0) from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise _Attempt("gone", again=True) from error
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, KeyError) as error:
            # Whatever a body that is not the protocol's makes the client library raise.
            raise _Attempt("nonsense") from error

    def _open(
        self, messages: Sequence[Message], tokens: int, until: float
    ) -> openai.Stream[openai.types.chat.ChatCompletionChunk]:
        import httpx2

        remaining = max(0.05, until - time.monotonic())
        prompt: list[ChatCompletionMessageParam] = [
            {"role": m.role, "content": m.content}  # type: ignore[misc] # one of three literals
            for m in messages
        ]
        timeout = httpx2.Timeout(remaining, connect=min(CONNECT, remaining))
        if self._plain:
            return self._client.chat.completions.create(
                model=self.name,
                messages=prompt,
                stream=True,
                max_completion_tokens=tokens,
                timeout=timeout,
            )
        return self._client.chat.completions.create(
            model=self.name,
            messages=prompt,
            stream=True,
            max_tokens=tokens,
            temperature=0.0,
            timeout=timeout,
        )


class _Attempt(Exception):
    """One attempt failed; `again` says whether another may help, `after` how many seconds later."""

    def __init__(
        self, reason: str, detail: str = "", *, again: bool = False, after: float | None = None
    ) -> None:
        self.reason, self.detail, self.again, self.after = reason, detail, again, after
        super().__init__(reason)


def _texts(
    stream: openai.Stream[openai.types.chat.ChatCompletionChunk],
    tokens: int,
    until: float,
    stop: threading.Event,
) -> Iterator[str]:
    """The text of a stream, which has to say itself that it has ended."""
    length, ended = 0, ""
    for chunk in stream:
        if stop.is_set():
            return
        if time.monotonic() >= until:
            raise _Attempt("slow")
        if not chunk.choices:
            continue
        choice = chunk.choices[0]
        text = choice.delta.content or ""
        length += len(text)
        if length > tokens * CHARACTERS_A_TOKEN:
            raise _Attempt("nonsense")
        if text:
            yield text
        ended = choice.finish_reason or ended
    if not ended:
        raise _Attempt("gone" if length else "nonsense")
    if ended == "content_filter":
        raise _Attempt("refused")
    if not length:
        raise _Attempt("nonsense")


def _retry_after(error: openai.APIStatusError) -> float | None:
    """The seconds that a server asks to wait for."""
    given = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        return None
