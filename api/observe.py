"""What is seen of requests and answers from outside: the log's lines, the figures, the traces."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from api import audit
from api.access import is_write
from api.logs import AUDIT
from api.metrics import Metrics
from api.tracing import Tracer
from api.work import Start
from rag.pipeline import Event
from rag.types import Answer

logger = logging.getLogger(__name__)

_LONGEST_PATH = 300
_REFUSED = 400  # and above: nothing was changed


@dataclass(frozen=True, slots=True)
class Observer:
    """Notes what happens.

    Attributes:
        metrics: counts and times.
        tracer: traces, or None where none are wanted.
        log_questions: whether a question's text may stand in the log.
        home: of the archive, whose own record gets a line of each write that was done; or None.
    """

    metrics: Metrics
    tracer: Tracer | None = None
    log_questions: bool = False
    home: Path | None = None

    def watched(self, start: Start) -> Start:
        """A question's events, its answer noted when it comes."""

        def watching() -> Generator[Event, None, None]:
            events = start()
            try:
                for event in events:
                    if event.answer is not None:
                        self.answer(event.answer)
                    yield event
            finally:
                events.close()

        return watching

    def answer(self, answer: Answer) -> None:
        """Note an answer: ids and times, and the question only where the settings say so."""
        self.metrics.answer(answer)
        if self.tracer is not None:
            self.tracer.steps(answer)
        facts: dict[str, object] = {
            "answer": answer.id,
            "status": answer.status,
            "generation": answer.receipt["generation"],
            "passages": [e.passage.id for e in answer.evidence],
            "cited": list(dict.fromkeys(c.article.id for c in answer.citations)),
            "milliseconds": dict(answer.timings_ms),
        }
        if self.log_questions:
            facts["question"] = answer.question
        logger.info("answered", extra=facts)

    def request(self, request: Request, status: int, started: float) -> None:
        """Note a request that has been answered.

        Args:
            request: what was asked.
            status: of the answer; 499 where the client went away before one.
            started: `time.perf_counter()` when it came.
        """
        seconds = time.perf_counter() - started
        self.metrics.request(request.method, route_of(request), status or 499, seconds)
        path = request.scope["path"][:_LONGEST_PATH]
        facts: dict[str, Any] = {
            "method": request.method[:20],
            "path": path,
            "status": status or 499,
            "seconds": round(seconds, 4),
            "client": request.client.host if request.client else "",
            "key": getattr(request.state, "key", None),
        }
        logger.info("request", extra=facts)
        if is_write(request.method, request.scope["path"]):
            changed = getattr(request.state, "changed", {})
            facts |= {**changed, "request_id": request.state.request_id}
            logger.info(AUDIT, extra=facts)
            if facts["status"] < _REFUSED:  # else whoever has no right could fill the disk
                self._record(facts)

    def _record(self, facts: dict[str, Any]) -> None:
        if self.home is None:
            return
        try:
            audit.write(self.home, facts, sync=False)  # the log has it, and the loop may not wait
        except OSError as error:
            logger.warning("audit_not_in_home", extra={"reason": str(error)})


def route_of(request: Request) -> str:
    """The pattern of the route that a request came to; "other" where there is none."""
    path = getattr(request.scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return "/static" if request.scope["path"].startswith("/static/") else "other"
