"""Building the index, adding to a full archive and deleting from it."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eval.bench_archive import (
    VECTORS,
    Archive,
    Built,
    Setup,
    held_back,
    make,
    vectors_of,
)
from eval.bench_clock import Timing, peak, timed
from eval.bench_measure import spread
from eval.bench_questions import question_of
from eval.bench_vectors import Counted
from eval.documents import document_of
from eval.errors import BenchFailed
from eval.run import Json
from index.changes import FAN_IN
from index.encode import Encoder
from index.lock import WriterLock
from index.types import Hit
from rag.config import Config
from rag.indexing import batches
from rag.pipeline import Pipeline
from rag.stores import LOCK
from rag.types import Article

_SAMPLE = 40
"""Articles that the bare encoder is timed on."""

_DELETED = 5


def build(setup: Setup, archive: Archive, count: int, encoder: Encoder) -> Json:
    """Seconds to make the archive anew from vectors that are kept, beside the encoder's own.

    Args:
        setup: what is measured.
        archive: made already, so that nothing is left to encode.
        count: lines of news in it.
        encoder: the real one.

    Raises:
        BenchFailed: vectors were missing all the same, so that the times would say nothing.
    """
    source, _ = vectors_of(setup, encoder)
    setup.lines.say("build: the encoder alone")
    bare, characters = bare_encoder(setup, archive, encoder)
    share = archive.characters / characters
    with tempfile.TemporaryDirectory(dir=setup.config.home, prefix="build-") as folder:
        config = replace(setup.config, home=Path(folder))
        with peak() as most:
            built = make(setup, encoder, config, count, source)
    if built.encoded:
        raise BenchFailed(f"{built.encoded} texts had no vector yet; run it again.")
    row = _beside(built, Timing(bare.wall * share, bare.cpu * share), characters)
    return row | {"peak_bytes": most[0]}


def _beside(built: Built, bare: Timing, characters: int) -> Json:
    took = built.corpus.wall + built.index.wall
    return {
        "articles": built.archive.articles,
        "passages": built.archive.passages,
        "corpus": built.corpus.json(),
        "index": built.index.json(),
        "encoder": bare.json(),
        "encoder_sample_characters": characters,
        "characters": built.archive.characters,
        "index_share": round(built.index.wall / bare.wall, 4),
        "all_share": round(took / bare.wall, 4),
        "all_share_cpu": round((built.corpus.cpu + built.index.cpu) / bare.cpu, 4),
    }


def bare_encoder(setup: Setup, archive: Archive, encoder: Encoder) -> tuple[Timing, int]:
    """What the encoder takes for all texts that the product encodes of some articles.

    They are indexed in an archive of their own, whose vectors are not kept, and only the calls of
    the encoder are timed.

    Returns:
        The time, and how many characters these articles have; for other articles it is in
        proportion to theirs.
    """
    pipeline = Pipeline(archive.config)
    try:
        ids = sorted(pipeline.corpus.ids())
        draw = random.Random(setup.seed)  # noqa: S311 no secret
        articles = pipeline.corpus.get_many(draw.sample(ids, min(_SAMPLE, len(ids))))
    finally:
        pipeline.close()
    counted = Counted(encoder)
    with tempfile.TemporaryDirectory(dir=setup.config.home, prefix="encode-") as folder:
        own = Pipeline(replace(setup.config, home=Path(folder)), counted)
        try:
            for article in articles.values():
                paragraphs = [b.span.of(article.text) for b in article.paragraphs]
                document, copy = document_of(article.id, paragraphs)
                own.corpus.put(document, [copy], now="2026-01-01T00:00:00+00:00")
            with WriterLock(own.config.home / LOCK):
                own.sync()
        finally:
            own.close()
    return counted.spent, sum(len(a.text) for a in articles.values())


def change(setup: Setup, archive: Archive, count: int, encoder: Encoder) -> Json:
    """Add the articles held back to a copy of the archive, then delete some of the old ones.

    Another reader has the copy open all the while, as a server has.
    """
    more = held_back(setup, count)
    with tempfile.TemporaryDirectory(dir=setup.config.home, prefix="change-") as folder:
        home = Path(folder) / "archive"
        setup.lines.say("add: copying the archive")
        copied(archive.config.home, home)
        config = replace(archive.config, home=home)
        counted = Counted(encoder)
        pipeline, reader = Pipeline(config, counted), Pipeline(config, encoder)
        try:
            reader.snapshot()
            setup.lines.say(f"add: {len(more)} articles")
            added = _add(pipeline, reader, counted, more, Path(folder))
            setup.lines.say("delete")
            deleted = _delete(pipeline, reader, setup.seed)
            setup.lines.say("merge")
            return {"add": added | _merged(pipeline, added.pop("names")), "delete": deleted}
        finally:
            pipeline.close()
            reader.close()


def _add(
    pipeline: Pipeline, reader: Pipeline, counted: Counted, more: Sequence[Article], folder: Path
) -> Json:
    """Add files by the product's own path, and look for each of them as another reader."""
    files = folder / "more"
    files.mkdir()
    for number, article in enumerate(more):
        (files / f"{number:04d}.txt").write_text(article.text, encoding="utf-8")
    before = pipeline.snapshot().size
    with timed() as whole:
        reports = pipeline.add([files], kind="article")
    with timed() as seen:
        snapshot = reader.snapshot()
    names = [key for report in reports for key in report.articles]
    articles = pipeline.corpus.get_many(names)
    draw = random.Random(0)  # noqa: S311 no secret
    asked = {k: q for k, a in articles.items() if (q := question_of(a, draw)) is not None}
    found = sum(_among(snapshot.lexical(q, 10), key) for key, q in asked.items())
    rest = Timing(whole.wall - counted.spent.wall, whole.cpu - counted.spent.cpu)
    return {
        "names": names,
        "articles": len(names),
        "passages": snapshot.size - before,
        "encoded": counted.texts,
        "all": whole.json(),
        "encoding": counted.spent.json(),
        "rest": rest.json(),
        "seen_by_reader": seen.json(),
        "searchable": len(snapshot.groups() & set(names)),
        "asked": len(asked),
        "found": found,
    }


def copied(home: Path, target: Path) -> None:
    """Another archive of the same content that may be changed, without the vectors.

    Without them what is added has to be encoded, whatever was before. Segments of the index are
    never written to again, so the other archive has the same files; the rest is copied.
    """

    def place(source: str, copy: str) -> str:
        if Path(source).parent.name.startswith("seg-"):
            os.link(source, copy)
            return copy
        return str(shutil.copy2(source, copy))

    kept_out = shutil.ignore_patterns(f"{VECTORS}*")
    shutil.copytree(home, target, ignore=kept_out, copy_function=place)


def _merged(pipeline: Pipeline, names: Sequence[str]) -> Json:
    """What it takes to merge small segments beside the large ones.

    The articles that were added are put into as many segments of their own as are merged at once;
    their vectors are there.
    """
    for number in range(FAN_IN):
        some = names[number::FAN_IN]
        found = batches(some, pipeline.corpus, pipeline.encoder(), pipeline.vectors)
        for passages, batch in found:
            pipeline.corpus.put_passages(passages)
            model = pipeline.encoder().fingerprint
            pipeline.store.commit(batch, remove_groups=some, model=model)
    before = pipeline.snapshot().stats()
    with timed() as taken:
        done = pipeline.tidy()
    after = pipeline.snapshot().stats()
    return {
        "merge": taken.json() | {
            "done": done, "segments": [before["segments"], after["segments"]],
        }
    }  # fmt: skip


def _among(hits: Sequence[Hit], article: str) -> bool:
    return any(hit.id.startswith(f"{article}-") for hit in hits)


def _delete(pipeline: Pipeline, reader: Pipeline, seed: int) -> Json:
    """Delete a few articles one by one; after each, another reader must not find it any more."""
    draw = random.Random(seed)  # noqa: S311 no secret
    ids = sorted(pipeline.corpus.ids())
    gone: list[Timing] = []
    seen: list[Timing] = []
    before = after = 0
    for key, article in pipeline.corpus.get_many(draw.sample(ids, min(_DELETED, len(ids)))).items():
        question = question_of(article, draw) or article.text[:40]
        before += _among(reader.snapshot().lexical(question, 10), key)
        with timed() as timing:
            pipeline.delete(key)
        gone.append(timing)
        with timed() as timing:
            snapshot = reader.snapshot()
        seen.append(timing)
        evidence = reader.search(question, top_k=50)
        after += key in snapshot.groups() or any(e.article.id == key for e in evidence)
    return {
        "articles": len(gone),
        "ms": spread(gone),
        "seen_by_reader_ms": spread(seen),
        "found_before": before,
        "found_after": after,
    }


def sizes(config: Config, passages: int) -> Json:
    """Bytes on disk a passage, by file name; the index's folders together, vectors kept apart."""
    found: dict[str, int] = {}
    for path in sorted(config.home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[path.name] = found.get(path.name, 0) + path.stat().st_size
    held = {k: round(v / passages, 1) for k, v in found.items()}
    return {k: v for k, v in sorted(held.items(), key=lambda item: -item[1]) if v >= 0.1}
