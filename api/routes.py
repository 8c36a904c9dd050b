"""The HTTP routes. Questions and writes run on threads behind a bounded queue."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api import schemas
from api.admission import Gate
from api.faults import ERRORS
from api.logs import request_id
from api.observe import Observer
from api.ready import Readiness
from api.schemas import AskBody, Json, SearchBody
from api.security import UNEXPECTED
from api.settings import Settings
from api.work import answer_of, events_of, turn_of
from rag import __version__
from rag.errors import WenjuError
from rag.feedback import FeedbackStore
from rag.pipeline import Event, Pipeline

logger = logging.getLogger(__name__)
router = APIRouter(responses=ERRORS)


@dataclass(frozen=True, slots=True)
class State:
    """What the routes share."""

    settings: Settings
    pipeline: Pipeline
    feedback: FeedbackStore
    questions: Gate
    writes: Gate
    reads: Gate
    observer: Observer
    readiness: Readiness


async def _state(request: Request) -> State:  # a plain function would be sent to a thread
    state: State = request.app.state.wenju
    return state


Shared = Annotated[State, Depends(_state)]


_ANSWERS: dict[int | str, Json] = {
    200: {"content": {"application/json": {"schema": {}}, "application/jsonl": {"schema": {}}}}
}


@router.post("/v1/ask", tags=["questions"], responses=_ANSWERS)
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
        events = events_of(state.observer.watched(start), state.questions, request.is_disconnected)
        first = await anext(events)  # a full queue is refused here, before the first byte
        return StreamingResponse(_lines(first, events), media_type="application/jsonl")
    return sent(
        await answer_of(
            state.observer.watched(start),
            state.questions,
            request,
            lambda answer: JSONResponse(schemas.answer_json(answer)),
        )
    )


def sent(answer: Response | None) -> Response:
    """The answer, or what stands in the log where nobody is there to read it."""
    return Response(status_code=499) if answer is None else answer


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
async def search(body: SearchBody, request: Request, state: Shared) -> Response:
    """The passages that fit a question best, best first."""

    def found(_: threading.Event) -> Response:
        evidence = state.pipeline.search(
            body.question, top_k=body.top_k, filters=body.filters.filters()
        )
        passages = [schemas.evidence_json(e) for e in evidence]
        return JSONResponse({"question": body.question, "passages": passages})

    return sent(await turn_of(found, state.questions, request))


@router.get("/v1/examples", tags=["questions"])
def example_questions(
    state: Shared, language: Annotated[str, Query(pattern="^(zh|en)$")] = "zh"
) -> Json:
    """A few questions that this archive can be asked."""
    return {"questions": state.pipeline.examples(language)}


@router.get("/healthz", tags=["operation"])
async def healthz() -> Json:  # on no thread: it must be told however many are busy
    """Whether the process is alive."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz", tags=["operation"])
async def readyz(state: Shared, request: Request) -> Json:
    """Whether a question can be answered: the model is loaded and the index is open.

    What is in the archive is told only to those who may read it.
    """
    ready = await anyio.to_thread.run_sync(state.readiness.look)
    return ready if request.state.trusted else {"status": ready["status"]}


@router.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
def metrics(state: Shared) -> Response:
    """What is counted and timed, in Prometheus' text format."""
    return Response(state.observer.metrics.text(), media_type=CONTENT_TYPE_LATEST)
