"""OpenTelemetry traces, where the standard OTEL_ variables name a place to send them.

One span a request, its parent taken from `traceparent`, with one span for each step of an answer.
They hold routes, ids and times, nothing of what was asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag import __version__
from rag.errors import BadInput
from rag.types import Answer

_WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_MILLISECOND = 1_000_000  # nanoseconds


class Tracer:
    """Makes Wenju's spans.

    Args:
        provider: where they go.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("wenju", __version__)
        self._provider = provider

    def begin(self, method: str, headers: Mapping[str, str]) -> trace.Span:
        """The span of a request that has come; its caller makes it the current one."""
        return self._tracer.start_span(
            method,
            context=TraceContextTextMapPropagator().extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
        )

    def steps(self, answer: Answer) -> None:
        """The steps of an answer that was given just now, inside the current span."""
        now = time.time_ns()
        begun = now - int(sum(answer.timings_ms.values()) * _MILLISECOND)
        for step, milliseconds in answer.timings_ms.items():
            ended = begun + int(milliseconds * _MILLISECOND)
            span = self._tracer.start_span(f"wenju.{step}", start_time=begun)
            span.end(ended)
            begun = ended
        trace.get_current_span().set_attributes(
            {"wenju.answer": answer.id, "wenju.status": answer.status}
        )

    def close(self) -> None:
        """Send what has not been sent."""
        shutdown = getattr(self._provider, "shutdown", None)  # the SDK's providers have one
        if shutdown is not None:
            shutdown()


class Traced:
    """ASGI middleware: a span for every request.

    Args:
        app: the application.
        tracer: makes the spans.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        span = self._tracer.begin(scope["method"], headers)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
            await send(message)

        with trace.use_span(span, end_on_exit=True):
            await self.app(scope, receive, noted)
            route: Any = getattr(scope.get("route"), "path", None)
            if route:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
            span.set_attribute("wenju.request_id", scope["state"]["request_id"])


def configured() -> Tracer | None:
    """The tracer that the OTEL_ variables ask for, or None.

    Raises:
        BadInput: they ask for one and the extra `otel` is not installed.
    """
    named = next((name for name in _WANTED if os.environ.get(name)), None)
    if named is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BadInput(f"{named} is set: tracing needs `pip install 'wenju[otel]'`.") from error
    provider = TracerProvider(resource=Resource.create({"service.name": "wenju"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracer(provider)
