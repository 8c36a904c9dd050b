"""The HTTP routes. Questions and writes run on threads behind a bounded queue."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from api import schemas
from api.schemas import AskBody, ErrorBody, Json, SearchBody
from api.security import Gate, request_id
from api.settings import Settings
from api.work import answer_of, events_of
from rag import __version__
from rag.errors import BadInput, WenjuError
from rag.pipeline import Event, Pipeline

UNEXPECTED = "Something went wrong inside Wenju; the server's log has the details."
"""What is said of an error that nobody foresaw: nothing of the inside."""

logger = logging.getLogger(__name__)
router = APIRouter(
    responses={code: {"model": ErrorBody} for code in (400, 404, 409, 413, 422, 500, 503)}
)


@dataclass(frozen=True, slots=True)
class State:
    """What the routes share."""

    settings: Settings
    pipeline: Pipeline
    questions: Gate
    writes: Gate


def _state(request: Request) -> State:
    state: State = request.app.state.wenju
    return state


Shared = Annotated[State, Depends(_state)]


@router.post("/v1/ask", tags=["questions"])
async def ask(body: AskBody, request: Request, state: Shared) -> Response:
    """Answer a question with verified citations; `stream: true` gives JSON lines."""
    state.pipeline.checked(body.question)
    start = partial(
        state.pipeline.stream,
        body.question,
        history=[t.turn() for t in body.history],
        top_k=body.top_k,
        filters=body.filters.filters(),
        language=body.language,
        mode=body.mode,
    )
    if body.stream:
        events = events_of(start, state.questions)
        first = await anext(events)  # a full queue is refused here, before the first byte
        return StreamingResponse(_lines(first, events), media_type="application/jsonl")
    answer = await answer_of(start, state.questions, request)
    if answer is None:  # nobody is there to read it
        return Response(status_code=499)
    return JSONResponse(schemas.answer_json(answer))


async def _lines(first: Event, events: AsyncGenerator[Event, None]) -> AsyncIterator[str]:
    """The events of a streamed answer; a stream that ends without `answer` has failed."""
    try:
        yield _line(_event_json(first))
        async for event in events:
            yield _line(_event_json(event))
    except WenjuError as error:
        from api.app import classify  # the handlers live there; the app imports this module

        _, code = classify(error)
        yield _error_line(code, str(error))
    except Exception:  # broad on purpose: the status is sent, no handler can speak any more
        logger.exception("unexpected error in a streamed answer")
        yield _error_line("internal", UNEXPECTED)
    finally:
        await events.aclose()


def _error_line(code: str, message: str) -> str:
    facts = {"code": code, "message": message, "request_id": request_id.get()}
    return _line({"event": "error", "error": facts})


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _event_json(event: Event) -> Json:
    if event.answer is not None:
        return {"event": "answer", "answer": schemas.answer_json(event.answer)}
    if event.evidence is not None:
        passages = [schemas.evidence_json(e) for e in event.evidence]
        return {"event": "passages", "passages": passages}
    if event.delta is not None:
        return {"event": "delta", "text": event.delta}
    return {"event": "status", "step": event.status}


@router.post("/v1/search", tags=["questions"])
async def search(body: SearchBody, state: Shared) -> Json:
    """The passages that fit a question best, best first."""
    evidence = await state.questions.run(
        lambda: state.pipeline.search(
            body.question, top_k=body.top_k, filters=body.filters.filters()
        )
    )
    return {"question": body.question, "passages": [schemas.evidence_json(e) for e in evidence]}


@router.get("/v1/articles", tags=["articles"])
def articles(
    state: Shared,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Json:
    """The archive's articles, newest first; `q` looks in titles, authors and sources."""
    found, total = state.pipeline.corpus.listing(limit=limit, offset=offset, query=q)
    return {"articles": [schemas.head_json(a) for a in found], "total": total}


@router.get("/v1/articles/{article_id}", tags=["articles"])
def article(article_id: str, state: Shared) -> Json:
    """One article with its text and blocks."""
    return schemas.article_json(state.pipeline.corpus.get(article_id))


@router.delete("/v1/articles/{article_id}", tags=["articles"])
async def delete(article_id: str, state: Shared) -> Json:
    """Take an article out of the archive and the index."""
    await state.writes.run(lambda: state.pipeline.delete(article_id))
    return {"deleted": article_id}


_UPLOADS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.ArticleBody.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        },
                        "kind": {"type": "string", "enum": ["page", "article", "articles"]},
                    },
                }
            },
        },
    }
}


@router.post("/v1/articles", tags=["articles"], openapi_extra=_UPLOADS)
async def add(request: Request, state: Shared) -> Json:
    """Add articles: uploaded files, or one text as JSON. Every file is reported."""
    uploads, kind = await _uploads(request)
    reports = [
        await state.writes.run(partial(state.pipeline.add_upload, name, data, kind=kind))
        for name, data in uploads
    ]
    return {"files": [schemas.report_json(r) for r in reports]}


async def _uploads(request: Request) -> tuple[list[tuple[str, bytes]], str | None]:
    """Names and contents of what was sent, and the kind that was given with it.

    Raises:
        BadInput: it is neither a form with files nor one article as JSON.
    """
    form_type = request.headers.get("content-type", "").startswith("multipart/form-data")
    if not form_type:
        try:
            body = schemas.ArticleBody.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "body"
            raise BadInput(f"{where}: {first['msg']}; send {{name, text}} or a form.") from error
        return [(body.name, body.text.encode())], body.kind
    async with request.form(max_files=1000, max_fields=20) as form:
        kind = form.get("kind")
        if kind not in (None, "", "page", "article", "articles"):
            raise BadInput("kind must be page, article or articles.")
        files = [f for f in form.getlist("files") if isinstance(f, UploadFile)]
        if not files:
            raise BadInput("The form holds no file; send one or more in the field `files`.")
        contents = [(f.filename or "upload", await f.read()) for f in files]
    return contents, str(kind) if kind else None


@router.get("/v1/examples", tags=["questions"])
def example_questions(
    state: Shared, language: Annotated[str, Query(pattern="^(zh|en)$")] = "zh"
) -> Json:
    """A few questions that this archive can be asked."""
    return {"questions": state.pipeline.examples(language)}


@router.get("/healthz", tags=["operation"])
def healthz() -> Json:
    """Whether the process is alive."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz", tags=["operation"])
async def readyz(state: Shared) -> Json:
    """Whether a question can be answered: the model is loaded and the index is open."""

    def look() -> Json:
        snapshot = state.pipeline.snapshot()
        encoder = state.pipeline.encoder()
        return {
            "status": "ready",
            "generation": snapshot.generation,
            "passages": snapshot.size,
            "model": encoder.name,
        }

    return await anyio.to_thread.run_sync(look)
