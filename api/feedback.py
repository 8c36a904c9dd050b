"""The HTTP routes of readers' verdicts on answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from api import schemas
from api.faults import ERRORS
from api.routes import Shared
from api.schemas import FeedbackBody, Json

router = APIRouter(responses=ERRORS, tags=["feedback"])


@router.post("/v1/feedback")
def give(body: FeedbackBody, state: Shared, request: Request) -> Json:
    """Say what an answer was worth; a later verdict on the same answer replaces the earlier."""
    feedback = body.feedback(datetime.now(UTC).isoformat(timespec="seconds"))
    state.feedback.put(feedback)
    request.state.changed = {"answer": body.answer_id, "verdict": body.verdict}
    return schemas.feedback_json(feedback)


@router.delete("/v1/feedback/{answer_id}")
def withdraw(answer_id: str, state: Shared) -> Json:
    """Take a verdict back; taking back what is not there changes nothing."""
    return {"answer_id": answer_id, "withdrawn": state.feedback.withdraw(answer_id)}


@router.get("/v1/feedback")
def listing(
    state: Shared,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    verdict: Literal["up", "down"] | None = None,
) -> Json:
    """The verdicts, newest first."""
    found, total = state.feedback.listing(limit=limit, offset=offset, verdict=verdict)
    return {"feedback": [schemas.feedback_json(f) for f in found], "total": total}
