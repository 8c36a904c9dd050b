"""The application: routes, the chat page, and the one handler that turns errors into HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import compile_path
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import archive as archive_routes
from api import feedback as feedback_routes
from api import openai
from api.access import Access
from api.admission import ClientGone, Gate, Overloaded
from api.keys import KeysDamaged, KeyStore
from api.metrics import Metrics
from api.observe import Observer
from api.ready import Ending, Readiness
from api.routes import State, router
from api.security import Guard
from api.settings import Settings
from api.shed import Shed
from api.tracing import Traced, Tracer
from rag import __version__
from rag.errors import (
    ArchiveBusy,
    BadInput,
    CorpusDamaged,
    EngineLost,
    EngineUnusable,
    FeedbackDamaged,
    HomeUnusable,
    IndexDamaged,
    IndexUnwritable,
    ModelMismatch,
    ModelUnavailable,
    NotFound,
    ScansDamaged,
    TokenizerMismatch,
    UnreadableFile,
    WenjuError,
)
from rag.feedback import FeedbackStore
from rag.pipeline import Pipeline

logger = logging.getLogger(__name__)

_STATUS: list[tuple[type[WenjuError], int, str]] = [
    (UnreadableFile, 422, "unreadable_file"),
    (openai.UnknownModel, 404, "model_not_found"),
    (BadInput, 400, "bad_request"),
    (NotFound, 404, "not_found"),
    (Overloaded, 503, "overloaded"),
    (ClientGone, 499, "client_gone"),
    (Ending, 503, "ending"),
    (ArchiveBusy, 409, "archive_busy"),
    (IndexUnwritable, 503, "index_unwritable"),
    (ModelMismatch, 503, "model_mismatch"),
    (TokenizerMismatch, 503, "tokenizer_mismatch"),
    (ModelUnavailable, 503, "model_unavailable"),
    (IndexDamaged, 503, "index_damaged"),
    (CorpusDamaged, 503, "corpus_damaged"),
    (KeysDamaged, 503, "keys_damaged"),
    (FeedbackDamaged, 503, "feedback_damaged"),
    (ScansDamaged, 503, "scans_damaged"),
    (HomeUnusable, 503, "home_unusable"),
    (EngineLost, 503, "engine_lost"),
    (EngineUnusable, 503, "engine_unusable"),
]
_LOOKS = 4  # threads of what only looks something up, beside those of questions and of writes
_BUSY = 5
"""Seconds after which to try again what found another writer at work, for whom it has waited."""
_HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    400: "bad_request",
    408: "too_slow",
    413: "too_large",
}
_STATIC = Path(str(resources.files("api") / "static"))


def error_body(request: Request, code: str, message: str) -> dict[str, object]:
    """The one shape of every error; OpenAI's own where its protocol is spoken."""
    if openai.speaks(request.url.path):
        return openai.error_body(code, message)
    name = getattr(request.state, "request_id", "")
    return {"error": {"code": code, "message": message, "request_id": name}}


def classify(error: WenjuError) -> tuple[int, str]:
    """The HTTP status and the code of one of our errors."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return status, code
    return 500, "internal"


def create_app(
    settings: Settings, pipeline: Pipeline | None = None, tracer: Tracer | None = None
) -> FastAPI:
    """Build the application; nothing is read from the environment here.

    Args:
        settings: the settings.
        pipeline: an archive to serve in place of the configured one.
        tracer: where traces go, or None.
    """
    archive = pipeline or Pipeline(settings.config())
    keys = KeyStore(archive.config.home)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _LOOKS
        yield
        archive.close()
        if tracer is not None:
            tracer.close()

    app = FastAPIOffline(
        title="Wenju 文据",
        version=__version__,
        description="Question answering over newspaper archives, with verified citations.",
        redoc_url=None,
        lifespan=lifespan,
    )
    questions = Gate(settings.at_work, settings.queue, settings.patience)
    writes, reads = Gate(1, settings.queue), Gate(_LOOKS, settings.queue)
    queues = {"questions": questions, "writes": writes, "reads": reads}
    metrics = Metrics(archive, queues)
    observer = Observer(metrics, tracer, settings.log_questions, archive.config.home)
    app.state.wenju = State(
        settings=settings,
        pipeline=archive,
        feedback=FeedbackStore(archive.config.home),
        questions=questions,
        writes=writes,
        reads=reads,
        observer=observer,
        readiness=Readiness(archive),
    )
    app.include_router(router)
    app.include_router(archive_routes.router)
    app.include_router(feedback_routes.router)
    app.include_router(openai.router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.add_api_route("/", page, include_in_schema=False)
    app.add_api_route("/articles/{article_id}", page, include_in_schema=False)
    _handle_errors(app)
    app.add_middleware(Shed, questions=questions, writes=writes, reads=reads, error_body=error_body)
    app.add_middleware(Access, settings=settings, keys=keys, error_body=error_body)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("authorization", "content-type", "x-request-id"),
            expose_headers=("x-request-id", "retry-after"),
        )
    app.add_middleware(
        Guard,
        max_upload=settings.max_upload_mb * 1024 * 1024,
        error_body=error_body,
        note=observer.request,
    )
    if tracer is not None:
        app.add_middleware(Traced, tracer=tracer)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


def _methods(app: FastAPI, path: str) -> list[str]:
    """The methods that an address takes, of all its routes, as the API's docs name them."""
    return sorted(
        method.upper()
        for template, operations in app.openapi()["paths"].items()
        if compile_path(template)[0].match(path)
        for method in operations
    )


def _handle_errors(app: FastAPI) -> None:
    def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, WenjuError)  # noqa: S101 registered for this class only
        status, code = classify(error)
        if status >= 500 and not isinstance(error, (Overloaded, Ending)):
            logger.error("request failed", exc_info=error)
        wait = error.seconds if isinstance(error, Overloaded) else None
        if isinstance(error, ArchiveBusy):
            wait = _BUSY
        headers = {"Retry-After": str(wait)} if wait else {}
        return JSONResponse(error_body(request, code, str(error)), status, headers)

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 registered for this class only
        facts = error.errors()[0]
        where = ".".join(str(p) for p in facts["loc"] if p != "body")
        message = f"{where}: {facts['msg']}" if where else str(facts["msg"])
        return JSONResponse(error_body(request, "invalid_request", message), 422)

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 registered for this class only
        code = _HTTP_CODES.get(error.status_code, "http_error")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the router names the methods of the first route only
            methods = _methods(app, request.scope["path"])
            headers["Allow"] = ", ".join(methods) or headers.get("Allow", "")
        return JSONResponse(
            error_body(request, code, str(error.detail)), error.status_code, headers
        )

    handlers: list[tuple[type[Exception], Callable[[Request, Exception], Response]]] = [
        (WenjuError, ours),
        (RequestValidationError, invalid),
        (HTTPException, http),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
