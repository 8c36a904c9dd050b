"""OpenAI's protocol: POST /v1/chat/completions and GET /v1/models.

Any OpenAI client or chat front end can ask the archive. What is streamed has been verified: the
words wait for the whole answer. System messages are accepted and change nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api import schemas
from api.faults import documented, shape
from api.logs import request_id
from api.routes import Shared, sent
from api.schemas import Json
from api.work import answer_of, events_of
from rag.errors import BadInput, WenjuError
from rag.pipeline import Event, Pipeline
from rag.prompts import count_tokens
from rag.sentences import split_sentences
from rag.types import Answer, Article, Citation, Turn

_STRING = {"type": "string"}
ERRORS = documented(
    shape({"message": _STRING, "type": _STRING, "param": {"type": "null"}, "code": _STRING})
)
"""What these routes may answer instead, for the API's docs."""

router = APIRouter(tags=["openai"], responses=ERRORS)

MODELS = {"wenju": "auto", "wenju-extractive": "extractive"}
"""The models offered, and the mode of the pipeline that each stands for."""

_PATHS = ("/v1/chat/completions", "/v1/models")
_CALLER = frozenset(
    (
        "bad_request",
        "invalid_request",
        "not_found",
        "too_large",
        "method_not_allowed",
        "unauthorized",
        "forbidden",
        "bad_host",
        "cross_origin",
    )
)
_ARTICLE = re.compile(r"/articles/([0-9a-f]{16})")
_MARKER = re.compile(r"\[\d+\]")


class UnknownModel(BadInput):
    """No model of that name is offered."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no model {name[:60]!r}; the models are {', '.join(MODELS)}.")


def speaks(path: str) -> bool:
    """Whether errors under this path have OpenAI's shape."""
    return path in _PATHS or path.startswith("/v1/models/")


def error_body(code: str, message: str) -> Json:
    """An error in OpenAI's shape."""
    kind = "invalid_request_error" if code in _CALLER | {"model_not_found"} else "server_error"
    if code == "rate_limited":
        kind = "rate_limit_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class _Lenient(BaseModel):
    # Clients send many fields (temperature, tools, user …) that have no meaning here.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Part(_Lenient):
    type: str
    text: str | None = None


class ChatMessage(_Lenient):
    """One message. A client that sends citations back lets follow-ups point at the articles."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    annotations: list[dict[str, Any]] | None = None

    def text(self) -> str:
        """Its text.

        Raises:
            BadInput: it holds something else.
        """
        if isinstance(self.content, list):
            other = next((p.type for p in self.content if p.type not in ("text", "refusal")), None)
            if other:
                raise BadInput(f"A message holds {other[:40]!r}; only text can be read.")
            return "\n".join(p.text or "" for p in self.content)
        return self.content or ""

    def article_ids(self) -> tuple[str, ...]:
        """The articles that its annotations cite, in order."""
        return tuple(dict.fromkeys(_ARTICLE.findall(json.dumps(self.annotations or []))))


class _StreamOptions(_Lenient):
    include_usage: bool = False


class ChatBody(_Lenient):
    """POST /v1/chat/completions."""

    model: str = "wenju"
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    n: int | None = None


@router.get("/v1/models")
def models() -> Json:
    """The models that a chat can be held with."""
    return {"object": "list", "data": [_model(name) for name in MODELS]}


@router.get("/v1/models/{name}")
def model(name: str) -> Json:
    """One model."""
    if name not in MODELS:
        raise UnknownModel(name)
    return _model(name)


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "wenju"}


_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["messages"],
                    "properties": {
                        "model": {"type": "string", "enum": list(MODELS)},
                        "messages": {
                            "type": "array",
                            "description": "the last is the user's",
                            "minItems": 1,
                            "maxItems": 200,
                            "items": {
                                "type": "object",
                                "required": ["role", "content"],
                                "properties": {
                                    "role": {"type": "string", "enum": ["user", "assistant"]},
                                    "content": {"type": "string"},
                                },
                            },
                        },
                        "stream": {"type": "boolean"},
                    },
                }
            }
        },
    }
}


@router.post("/v1/chat/completions", openapi_extra=_SCHEMA)
async def chat(request: Request, state: Shared) -> Response:
    """Answer the last user message; the messages before it are the conversation."""
    try:
        body = ChatBody.model_validate_json(await request.body())
    except ValidationError as error:
        facts = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, facts['loc'])) or 'body'}: {facts['msg']}.") from error
    if body.model not in MODELS:
        raise UnknownModel(body.model)
    if body.n not in (None, 1):
        raise BadInput("n must be 1: an archive has one answer.")
    question, turns = conversation(body.messages)
    state.pipeline.checked(question)
    start = partial(_start, state.pipeline, question, turns, MODELS[body.model])
    site = str(request.base_url).rstrip("/")
    if not body.stream:
        return sent(
            await answer_of(
                state.observer.watched(start),
                state.questions,
                request,
                lambda answer: JSONResponse(completion(answer, body, site)),
            )
        )
    events = events_of(state.observer.watched(start), state.questions)
    await anext(events)  # a full queue is refused before the first byte
    return StreamingResponse(_chunks(events, body, site), media_type="text/event-stream")


def _start(
    pipeline: Pipeline, question: str, turns: Sequence[Turn], mode: str
) -> Generator[Event, None, None]:
    yield Event(status="start")
    history = [*turns[:-1], *(_cited(pipeline, t) for t in turns[-1:])]
    yield from pipeline.stream(question, history=history, mode=mode)


def conversation(messages: Sequence[ChatMessage]) -> tuple[str, list[Turn]]:
    """The last question and the turns before it.

    Raises:
        BadInput: the last message is not a user's, or a message is not text.
    """
    spoken = [m for m in messages if m.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise BadInput("The last message must be the user's question.")
    turns: list[Turn] = []
    for message in spoken[:-1]:
        if message.role == "user":
            turns.append(Turn(message.text(), ""))
        elif turns:
            turns[-1] = Turn(turns[-1].question, message.text(), message.article_ids())
    return spoken[-1].text(), turns


def _cited(pipeline: Pipeline, turn: Turn) -> Turn:
    """A turn with the articles that its answer quotes, found again where the client lost them."""
    plain = _MARKER.sub("", turn.answer)
    if turn.article_ids or plain == turn.answer or not plain.strip():
        return turn
    evidence = pipeline.search(plain[: pipeline.config.max_question])
    found: dict[str, None] = {}
    for span in split_sentences(plain):
        said = span.of(plain).strip()
        for article in (e.article for e in evidence):
            if said in article.text or (article.title and article.title in said):
                found.setdefault(article.id)
                break
    return Turn(turn.question, turn.answer, tuple(found))


def completion(answer: Answer, body: ChatBody, site: str) -> Json:
    """The answer as a chat completion."""
    message = {
        "role": "assistant",
        "content": answer.text,
        "refusal": None,
        **_proofs(answer, site),
    }
    return {
        **_head(answer.id, body.model, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(answer, body),
        "wenju": _facts(answer),
    }


def _head(name: str, model_name: str, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{name}",
        "object": kind,
        "created": int(time.time()),
        "model": model_name,
    }


def _proofs(answer: Answer, site: str) -> Json:
    """The citations: as annotations that clients know, and in full."""
    return {
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": c.start,
                    "end_index": c.end,
                    "url": f"{site}{schemas.citation_json(c)['article']['url']}",
                    "title": _title(c),
                },
            }
            for c in answer.citations
        ],
        "citations": [schemas.citation_json(c) for c in answer.citations],
    }


def _title(citation: Citation) -> str:
    article: Article = citation.article
    return article.title or article.text[:30].split("\n")[0]


def _facts(answer: Answer) -> Json:
    """What OpenAI's protocol has no place for."""
    whole = schemas.answer_json(answer)
    names = ("status", "standalone_question", "short_answer", "short_answer_sure", "language",
             "coverage", "notices")  # fmt: skip
    return {name: whole[name] for name in names}


def _usage(answer: Answer, body: ChatBody) -> Json:
    """Tokens, as estimated for any model."""
    asked = sum(count_tokens(m.text()) for m in body.messages)
    said = count_tokens(answer.text)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


async def _chunks(
    events: AsyncGenerator[Event, None], body: ChatBody, site: str
) -> AsyncIterator[str]:
    """The answer as server-sent events; comments while it is worked on."""
    name = request_id.get()
    head = _head(name, body.model, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None, **more: object) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice], **more})

    try:
        yield chunk({"role": "assistant", "content": ""})
        answer: Answer | None = None
        async for event in events:
            answer = event.answer or answer
            yield ": at work\n\n"
        assert answer is not None  # noqa: S101 the last event holds it
        for piece in pieces(answer.text):
            yield chunk({"content": piece})
        yield chunk(_proofs(answer, site))
        yield chunk({}, "stop", wenju=_facts(answer))
        if body.stream_options and body.stream_options.include_usage:
            yield _data({**head, "choices": [], "usage": _usage(answer, body)})
    except WenjuError as error:
        from api.app import classify  # the app imports this module

        yield _data(error_body(classify(error)[1], str(error)))
    finally:
        await events.aclose()
    yield "data: [DONE]\n\n"


def _data(value: Json) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def pieces(text: str) -> Iterator[str]:
    """A text in its sentences, each with the marker behind it; joined they are the text."""
    start = 0
    for match in re.finditer(r"(?:\[\d+\])+\s*", text):
        yield text[start : match.end()]
        start = match.end()
    if start < len(text):
        yield text[start:]
