"""What is counted and timed, for Prometheus at /metrics.

Labels hold only names from a fixed list (a route's pattern, a step, a status), so that no caller
can make their number grow, and nothing of what was asked. Where several processes serve one home
(`api.workers`), what they count is added up; the queues are those of the one that answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from api.workers import FIGURES
from rag import __version__
from rag.errors import WenjuError
from rag.pipeline import Pipeline
from rag.types import Answer, Support
from rag.writing import fell_back

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Queue(Protocol):
    """A bounded queue, and how many jobs are in it."""

    @property
    def inside(self) -> int:
        """Jobs at work and waiting."""
        ...


class Metrics:
    """The figures of one application.

    Args:
        pipeline: the archive whose size is told.
        queues: the queues whose length is told, by name.
    """

    def __init__(self, pipeline: Pipeline, queues: Mapping[str, Queue]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "wenju_requests", "Requests.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "wenju_request_seconds",
            "Seconds from a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._steps = Histogram(
            "wenju_step_seconds",
            "Seconds of the steps of answering a question.",
            ("step",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._answers = Counter(
            "wenju_answers",
            "Answers by status; no_evidence is a refusal.",
            ("status",),
            registry=registry,
        )
        self._sentences = Counter(
            "wenju_sentences", "Cited sentences by support.", ("support",), registry=registry
        )
        for support in Support:
            self._sentences.labels(support.value)
        self._model_errors = Counter(
            "wenju_model_errors",
            "Answers that a language model should have worded and that were quoted instead.",
            ("reason",),
            registry=registry,
        )
        self._own: tuple[Collector, ...] = (_Queues(queues), _Size(pipeline))
        for collector in self._own:
            registry.register(collector)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a pattern, never an address as it was asked for."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answer(self, answer: Answer) -> None:
        """Count an answer and its steps."""
        self._answers.labels(answer.status).inc()
        for step, milliseconds in answer.timings_ms.items():
            self._steps.labels(step).observe(milliseconds / 1000)
        for citation in answer.citations:
            self._sentences.labels(citation.support.value).inc()
        reason = fell_back(answer.notices)
        if reason:
            self._model_errors.labels(reason).inc()

    def text(self) -> bytes:
        """All figures in Prometheus' text format. It reads the index's size: not for the loop."""
        if FIGURES not in os.environ:
            return generate_latest(self.registry)
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        for collector in self._own:
            own.register(collector)
        return generate_latest(counted) + generate_latest(own)


class _Queues(Collector):
    """The queues of this process."""

    def __init__(self, queues: Mapping[str, Queue]) -> None:
        self._queues = queues

    def collect(self) -> Iterable[Metric]:
        """Their lengths."""
        jobs = GaugeMetricFamily("wenju_queue_jobs", "Jobs at work and waiting.", labels=("queue",))
        for name, waiting in self._queues.items():
            jobs.add_metric((name,), waiting.inside)
        yield jobs


class _Size(Collector):
    """The archive's size, looked up when it is asked for."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def describe(self) -> Iterable[Metric]:
        """Nothing: it would cost a look into the archive."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The figures; where the archive cannot be read only that."""
        info = GaugeMetricFamily("wenju_info", "The version at work.", labels=("version",))
        info.add_metric((__version__,), 1)
        yield info
        figures: dict[str, tuple[str, float]] = {}
        try:
            snapshot = self._pipeline.snapshot()
            figures["wenju_index_generation"] = ("Generation of the index.", snapshot.generation)
            figures["wenju_passages"] = ("Passages that are searched.", snapshot.size)
            for name, count in self._pipeline.corpus.stats().items():
                figures[f"wenju_corpus_{name}"] = (f"{name.capitalize()} of the corpus.", count)
            figures["wenju_home_bytes"] = ("Bytes of the home's files.", self._bytes())
            readable = 1
        except (WenjuError, OSError):  # told by the figure itself
            readable = 0
        figures["wenju_archive_readable"] = ("1 where the archive can be read.", readable)
        for name, (text, value) in figures.items():
            yield GaugeMetricFamily(name, text, value=value)

    def _bytes(self) -> int:
        total = 0
        for path in self._pipeline.config.home.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:  # a generation that has just been taken away
                continue
        return total
