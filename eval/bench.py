"""Speed and memory beside named peers, from one run: `python -m eval bench`.

Every part is measured on an archive of news texts that is made by the product itself. Times on a
shared machine change from hour to hour; what is told is the ratio of two that were measured in
turns, or one after the other, in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from eval import bench_changes, bench_encoder, bench_lexical, bench_search
from eval.bench_archive import VECTORS, Archive, Setup, chosen, prepare, truly_encoded
from eval.bench_copies import multiplied
from eval.bench_fresh import fresh
from eval.bench_measure import machine
from eval.bench_questions import Deck
from eval.errors import BenchFailed
from eval.run import FORMAT, Json, commit, write
from index.encode import Encoder, load_encoder
from rag import __version__, processors
from rag.pipeline import Pipeline

PARTS = ("encode", "lexical", "dense", "search", "http", "build", "open", "memory", "add", "delete")
"""In the order in which they are measured."""

LEXICAL_PASSAGES = 20_000
"""What rank_bm25 is given: about 700 MB of dictionaries and .1 s a question."""

_SEARCHES = 200
"""Searches after which a process's memory is read."""

_STARTS = 2
"""Processes that are started; the quickest counts, as others use the machine."""


def run(
    setup: Setup, parts: frozenset[str], out: Path | None, encoder: Encoder | None = None
) -> Json:
    """Make the archive where it is missing, measure, and write the results after each part.

    Args:
        setup: what is measured.
        parts: of `PARTS`.
        out: the result file.
        encoder: in place of the configured one; parts that start a process of their own do not
            know it.

    Raises:
        BenchFailed: a part could not be measured.
        BadSet: the news cannot be read, or are too few.
    """
    processors.share()  # as the server does
    count = chosen(setup)
    encoder = encoder or load_encoder(
        setup.config.model, cache_dir=setup.config.cache, threads=setup.config.threads
    )
    archive = prepare(setup, encoder, count)
    if setup.copies > 1:
        archive = multiplied(archive, setup.copies, setup.lines)
    pipeline = Pipeline(archive.config, encoder)
    try:
        if not archive.passages:
            raise BenchFailed(f"The {count} first lines of {setup.news} hold no text to search.")
        deck = Deck(pipeline.corpus, setup.given, 10 * setup.asked + 2 * _SEARCHES, setup.seed)
        report = _head(setup, archive, deck)
        for name, measure in _parts(setup, archive, count, encoder, pipeline, deck).items():
            if not parts & set(name.split("+")):
                continue
            setup.lines.say(name)
            report["parts"] |= {k: v for k, v in measure().items() if k in parts}
            report["questions"] = {"given": deck.given, "made": deck.made, "again": deck.again}
            if out is not None:
                write(out, report)
    finally:
        pipeline.close()
    return report


def _parts(
    setup: Setup,
    archive: Archive,
    count: int,
    encoder: Encoder,
    pipeline: Pipeline,
    deck: Deck,
) -> dict[str, Callable[[], Json]]:
    """What measures each part, or several that are measured together, in order."""
    config, lines = archive.config, setup.lines

    def encode() -> Json:
        given = [s for s in setup.sets if s.questions]
        if given:
            questions = [q.question for q in given[0].questions]
            paragraphs = [p for a in given[0].articles for p in a.paragraphs]
        else:
            questions = deck.deal(setup.asked)
            some = pipeline.corpus.get_many(sorted(pipeline.corpus.ids())[: setup.asked])
            paragraphs = [b.span.of(a.text) for a in some.values() for b in a.paragraphs]
        measured = bench_encoder.measure(
            questions, paragraphs, given, setup.config.cache, setup.config.threads, lines
        )
        return {"encode": measured}

    def lexical() -> Json:
        questions = deck.deal(setup.asked // 2)
        return {"lexical": bench_lexical.lexical(pipeline, questions, LEXICAL_PASSAGES, lines)}

    def dense() -> Json:
        real = (
            truly_encoded(setup, archive, encoder.fingerprint)
            if archive.filled and setup.copies == 1
            else pipeline.corpus.ids()
        )
        # Of copies the index alone has vectors.
        vectors = partial(bench_search.encoded, pipeline) if setup.copies == 1 else None
        questions = deck.deal(setup.asked)
        return {"dense": bench_search.dense(pipeline, questions, real, vectors, lines)}

    def started() -> Json:
        questions = deck.deal(1 + _SEARCHES)
        begun = (fresh(config, questions[:1]) for _ in range(_STARTS))
        first = min(begun, key=lambda f: f["total"]["wall_s"])
        by_step = fresh(config, questions)
        opened = {"total": first["total"], "status": first["status"], "steps": by_step["steps"]}
        held = {k: by_step[k] for k in ("memory", "searches", "passages")}
        held["disk"] = bench_changes.sizes(config, archive.passages)
        if setup.copies == 1:
            vectors = (config.home / VECTORS).stat().st_size
            held["disk_vectors"] = round(vectors / archive.passages, 1)
        return {"open": opened, "memory": held}

    return {
        "encode": encode,
        "lexical": lexical,
        "dense": dense,
        "search": lambda: {
            "search": bench_search.search(pipeline, deck, setup.asked, setup.clients, lines)
        },
        "http": lambda: {
            "http": bench_search.http(config, deck, setup.asked, setup.clients, lines)
        },
        "build": lambda: {"build": bench_changes.build(setup, archive, count, encoder)},
        "open+memory": started,
        "add+delete": partial(bench_changes.change, setup, archive, count, encoder),
    }


def _head(setup: Setup, archive: Archive, deck: Deck) -> Json:
    """What the figures belong to."""
    return {
        "kind": "bench",
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wenju": __version__,
        "commit": commit(),
        "machine": machine(),
        "settings": {
            "news": setup.news.name,
            "articles": archive.articles,
            "passages": archive.passages,
            "characters": archive.characters,
            "vectors": "synthetic" if setup.synthetic else "real",
            "vectors_filled": archive.filled,
            "copies": setup.copies,
            "made": dict(archive.made),
            "clients": setup.clients,
            "asked": setup.asked,
            "threads": setup.config.threads,
            "seed": setup.seed,
            "sets": {s.name: s.digest for s in setup.sets},
        },
        "questions": {"given": deck.given, "made": deck.made, "again": deck.again},
        "parts": {},
    }
