"""Searching: alone, with many clients, over HTTP; answering; and dense search against exact.

Clients are closed loops: each asks again as soon as it has its answer. So a slow server is also
asked less, and the percentiles of the busy measurements say nothing about an overloaded one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from eval.bench_clock import Timing, timed
from eval.bench_fresh import environment
from eval.bench_measure import Lines, spread
from eval.bench_questions import Deck
from eval.errors import BenchFailed
from eval.run import Json
from index.snapshot import Snapshot, View
from rag.chunk import encoder_text
from rag.config import Config
from rag.pipeline import Pipeline
from rag.types import Filters

_ADDRESS = re.compile(r"Open (http://\S+)")
_PATIENCE = 120.0  # seconds for one request
_WARM = 10
"""Questions asked before the clock runs: what is loaded once is measured as the first answer."""

DEPTH = 10
_SOME = 100  # articles of a filter that lets few through
_AT_ONCE = 10_000  # vectors
_SAME = 1e-5
"""Inner products that differ by less are equal: SQ8 and float32 add up in other orders."""


def search(pipeline: Pipeline, deck: Deck, asked: int, clients: int, lines: Lines) -> Json:
    """Searches and answers in this process.

    Args:
        pipeline: the archive.
        deck: of questions.
        asked: how many one client asks; many clients ask twice as many together.
        clients: how many ask at one time.
        lines: told what is going on.
    """
    for question in deck.deal(_WARM):
        pipeline.ask(question)
    lines.say("search: alone")
    single = [_one(pipeline.search, q) for q in deck.deal(asked)]
    lines.say(f"search: {clients} clients")
    busy = together(pipeline.search, deck.deal(2 * asked), clients)
    lines.say("search: answers")
    answers = spread([_one(pipeline.ask, q) for q in deck.deal(max(asked // 4, 1))])
    lines.say("search: filtered")
    filtered = _filtered(pipeline, deck, max(asked // 8, 2))
    times = [round(1e3 * t.wall, 3) for t in single]
    return {
        "clients": clients, "alone": spread(single), "times": times, "busy": busy, "ask": answers,
        "filtered": filtered,
    }  # fmt: skip


def _filtered(pipeline: Pipeline, deck: Deck, asked: int) -> Json:
    """Searches within few articles, and within all of the commonest language.

    Returns:
        Of each the number of `articles`, milliseconds of the `first` search, which finds out what
        passes, and of those `then`.
    """
    ids = sorted(pipeline.corpus.ids())
    some = ids[:: max(len(ids) // _SOME, 1)][:_SOME]
    counts = {k: len(own) for k, own in pipeline.corpus.languages().items() if own is not None}
    [language] = pipeline.corpus.languages().keys() - counts.keys()
    found: Json = {}
    for name, articles, filters in (
        ("few", len(some), Filters(article_ids=tuple(some))),
        ("language", len(ids) - sum(counts.values()), Filters(languages=(language,))),
    ):
        first, *then = [
            _one(partial(pipeline.search, filters=filters), q) for q in deck.deal(asked)
        ]
        times = {"first": round(1e3 * first.wall, 3), "then": spread(then)}
        found[name] = {"articles": articles} | times
    return found


def http(config: Config, deck: Deck, asked: int, clients: int, lines: Lines) -> Json:
    """The same searches of the real server; arguments as for `search`.

    Returns:
        `alone` and `busy` of one process, `several` of as many as there are processors, with the
        same clients.
    """
    processes = len(os.sched_getaffinity(0))
    with served(config) as address:
        lines.say("http: one client")
        over(address, deck.deal(_WARM), 1)
        alone = over(address, deck.deal(asked), 1)
        lines.say(f"http: {clients} clients")
        busy = over(address, deck.deal(2 * asked), clients)
    with served(config, processes) as address:
        lines.say(f"http: {clients} clients, {processes} processes")
        over(address, deck.deal(_WARM), clients)  # each process has its own caches
        several = over(address, deck.deal(2 * asked), clients) | {"processes": processes}
    return {"clients": clients, "alone": alone, "busy": busy, "several": several}


def _one(ask: Callable[[str], object], question: str) -> Timing:
    with timed() as timing:
        ask(question)
    return timing


def together(ask: Callable[[str], object], questions: Sequence[str], clients: int) -> Json:
    """Questions asked by several threads, each taking the next one when it is done.

    Returns:
        As `spread`, with `a_second`: questions answered in a second by all clients together. The
        processor's time is that of this process divided by the questions.
    """
    waiting = iter(questions)
    guard = threading.Lock()

    def client(_: int) -> list[Timing]:
        own: list[Timing] = []
        while True:
            with guard:
                question = next(waiting, None)
            if question is None:
                return own
            own.append(_one(ask, question))

    with timed() as whole, ThreadPoolExecutor(clients, thread_name_prefix="client") as pool:
        timings = [one for some in pool.map(client, range(clients)) for one in some]
    row = spread([Timing(t.wall, whole.cpu / len(timings)) for t in timings])
    return row | {"a_second": round(len(timings) / whole.wall, 2)}


@contextmanager
def served(config: Config, processes: int = 1) -> Iterator[str]:
    """The real server in a process of its own, or several; its address.

    Raises:
        BenchFailed: it ended before it served; the text holds the end of what it said.
    """
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--home", str(config.home)]
    if processes > 1:
        command += ["--workers", str(processes)]
    if config.dictionary:
        command += ["--dict", str(config.dictionary)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 this very program
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env=environment(config),
        )
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _address(process: subprocess.Popen[str], log: IO[str]) -> str:
    for line in process.stdout or ():
        if match := _ADDRESS.search(line):
            return match[1]
    log.seek(0)
    raise BenchFailed(f"The server ended before it served: {log.read()[-500:].strip()}")


def over(address: str, questions: Sequence[str], clients: int) -> Json:
    """POST /v1/search by several clients; as `together`, with `failed`: replies that are not 200.

    The processor's time is the clients' own, the server's is not in it.
    """
    import httpx2

    failed: list[int] = []
    with httpx2.Client(base_url=address, timeout=_PATIENCE) as client:

        def ask(question: str) -> None:
            reply = client.post("/v1/search", json={"question": question})
            if reply.status_code != httpx2.codes.OK:
                failed.append(reply.status_code)

        row = together(ask, questions, clients)
    return row | {"failed": len(failed)}


def encoded(pipeline: Pipeline, passages: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of some passages as the encoder gave them, float32, (n, dim)."""
    held, articles = pipeline.corpus.passages_and_articles(passages)
    texts = [encoder_text(articles[held[key].article_id], held[key]) for key in passages]
    return pipeline.vectors.encode(pipeline.encoder(), texts)


def dense(
    pipeline: Pipeline,
    questions: Sequence[str],
    real: set[str],
    vectors: Callable[[Sequence[str]], NDArray[np.float32]] | None,
    lines: Lines,
) -> Json:
    """`Snapshot.dense` against FAISS's exact index of the float32 vectors, on one thread.

    Args:
        pipeline: the archive.
        questions: encoded by its encoder.
        real: ids of the articles whose vectors are not made up; recall is that among them.
        vectors: gives the passages' vectors, which the index may have rounded; None: the index's.
        lines: told what is going on.

    Returns:
        Milliseconds of both, over all `rows`; `recall@10`: the share of the exact ten best that
        were found, equals counting for each other; `recall_rows`: among how many vectors.
    """
    import faiss

    snapshot = pipeline.snapshot()
    if not isinstance(snapshot, Snapshot):
        raise BenchFailed("Only the embedded index tells all of its vectors.")
    lines.say("dense: reading the vectors")
    held = [
        (view.segment.columns.ids[row].decode(), view.segment.columns.groups[group].decode())
        for view in snapshot.views
        for row, group in _living(view)
    ]
    given = vectors or snapshot.vectors
    exact = faiss.IndexFlatIP(pipeline.encoder().dim)
    for start in range(0, len(held), _AT_ONCE):
        exact.add(given([key for key, _ in held[start : start + _AT_ONCE]]))
        lines.step("dense: vectors", min(start + _AT_ONCE, len(held)), len(held))
    rows = np.flatnonzero([article in real for _, article in held])
    groups = None if len(rows) == len(held) else real
    place = {key: row for row, (key, _) in enumerate(held)}
    chosen = faiss.SearchParameters()
    chosen.sel = faiss.IDSelectorBatch(rows)
    faiss.omp_set_num_threads(1)
    shares: list[float] = []
    timings: dict[str, list[Timing]] = {"wenju": [], "faiss_flat": []}
    for vector in pipeline.encoder().encode_queries(questions):
        with timed() as timing:
            hits = snapshot.dense(vector, DEPTH)
        timings["wenju"].append(timing)
        with timed() as timing:
            best, _ = exact.search(vector[None], DEPTH)
        timings["faiss_flat"].append(timing)
        if len(rows):
            if groups is not None:
                hits = snapshot.dense(vector, DEPTH, groups)
                best, _ = exact.search(vector[None], min(DEPTH, len(rows)), params=chosen)
            found = [float(exact.reconstruct(place[hit.id]) @ vector) for hit in hits]
            shares.append(recall(found, best[0][: len(rows)]))
    segments: Any = snapshot.stats()["dense"]
    return {
        "rows": len(held),
        "kind": ", ".join(dict.fromkeys(facts["kind"] for facts in segments)),
        "segments": segments,
        "recall_rows": len(rows),
        "recall@10": round(float(np.mean(shares)), 5) if shares else None,
        **{name: spread(taken) for name, taken in timings.items()},
    }


def _living(view: View) -> Iterator[tuple[int, int]]:
    """The live rows of a segment, and the place of each one's article."""
    places = view.segment.columns.rows["group"]
    alive = np.arange(len(places)) if view.live is None else np.flatnonzero(view.live)
    return zip(alive.tolist(), places[alive].tolist(), strict=True)


def recall(found: Sequence[float], exact: NDArray[np.float32]) -> float:
    """The share of the exact best that a search has, by their scores.

    Args:
        found: scores of the hits, true inner products, in any order.
        exact: scores of the exact best, best first, at least one.
    """
    least = float(exact[-1]) - _SAME
    good = sum(score >= least for score in found)
    return min(good, len(exact)) / len(exact)
