"""The archives that the benchmark measures on, made of a file of news texts.

Below `--home` lie `vectors.sqlite`, which keeps every vector ever made by the hash of its text, and
a folder for each size of archive. Making an archive can be interrupted at any time: what was read
and encoded is there when it goes on.
"""

from __future__ import annotations

import json
import lzma
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from eval.bench_clock import Timing, timed
from eval.bench_measure import Lines
from eval.bench_vectors import Counted, Mixed
from eval.datasets import SquadSet
from eval.documents import news
from eval.errors import BadSet
from eval.run import Json
from index.encode import Encoder
from index.lock import WriterLock
from index.vectors import VectorCache
from rag import chunk
from rag.config import Config
from rag.corpus import Corpus
from rag.pipeline import Pipeline
from rag.sentences import sentences
from rag.stores import LOCK
from rag.types import Article, Document

VECTORS = "vectors.sqlite"
DONE = "bench.json"
_AT_ONCE = 500
_BASE_ARTICLES = 300
"""Articles whose real vectors are mixed for synthetic ones: about 900 passages, 4,000 sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is measured, and on what.

    Attributes:
        config: `home` is the benchmark's folder; the rest is as the archives are opened.
        news: the file of news texts, one a line, plain or .xz.
        articles: how many of its lines; None for all but those held back for `more`.
        more: lines after those, which are added while it is measured.
        clients: threads that ask at one time.
        asked: questions of each measurement; the busy ones ask twice as many.
        sets: question sets in SQuAD's format, for the encoder's quality.
        given: questions of people; together with made ones they are asked.
        synthetic: fill missing vectors with mixtures of real ones instead of encoding.
        fresh: make the archives anew.
        copies: how many times over the archive is taken.
    """

    config: Config
    news: Path
    articles: int | None = None
    more: int = 100
    clients: int = 8
    asked: int = 200
    sets: tuple[SquadSet, ...] = ()
    given: tuple[str, ...] = ()
    synthetic: bool = False
    seed: int = 1
    fresh: bool = False
    copies: int = 1
    lines: Lines


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive, ready to be asked.

    Attributes:
        config: how it is opened.
        characters: of all its articles.
        filled: vectors, of passages and their parts, that are mixtures and not encoded.
        made: what making it of another took, by step; empty where it was not (`bench_copies`).
    """

    config: Config
    articles: int
    passages: int
    characters: int
    filled: int
    made: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    """What making an archive took.

    Attributes:
        archive: the archive.
        corpus: storing the articles in the corpus.
        index: all the rest: finding reprints, cutting, looking vectors up, writing the index.
        encoder: what of `index` was spent in the encoder.
        encoded: texts that were encoded for it.
    """

    archive: Archive
    corpus: Timing
    index: Timing
    encoder: Timing
    encoded: int


def chosen(setup: Setup) -> int:
    """How many lines the archive is made of.

    Raises:
        BadSet: the file cannot be read, or has too few lines.
    """
    opener = lzma.open if setup.news.suffix == ".xz" else Path.open
    try:
        with opener(setup.news, "rb") as lines:
            total = sum(1 for _ in lines)
    except (OSError, lzma.LZMAError) as error:
        raise BadSet(setup.news, f"it cannot be read ({error})") from error
    left = total - setup.more
    if left < 1:
        raise BadSet(setup.news, f"it has {total} lines; more than {setup.more} are needed")
    return left if setup.articles is None else min(setup.articles, left)


def held_back(setup: Setup, count: int) -> list[Article]:
    """The articles of the lines after the first `count`, at most `more`."""
    opener = lzma.open if setup.news.suffix == ".xz" else Path.open
    part = setup.config.home / "more.txt"
    part.parent.mkdir(parents=True, exist_ok=True)
    with opener(setup.news, "rt", encoding="utf-8") as lines:
        part.write_text("".join(islice(lines, count, count + setup.more)), encoding="utf-8")
    found = [article for _, article in news(part)]
    part.unlink()
    return found


def prepare(setup: Setup, encoder: Encoder, count: int) -> Archive:
    """The archive of the first `count` lines; made, or finished, where it is not there yet."""
    source, filler = vectors_of(setup, encoder)
    name = f"{setup.news.name.split('.')[0]}-{count}{source.stem.removeprefix('vectors')}"
    config = replace(setup.config, home=setup.config.home / name)
    if setup.fresh:
        shutil.rmtree(config.home, ignore_errors=True)
    done = config.home / DONE
    if done.is_file():
        return Archive(config, **json.loads(done.read_text(encoding="utf-8")))
    return make(setup, filler, config, count, source).archive


def make(setup: Setup, encoder: Encoder, config: Config, count: int, vectors: Path) -> Built:
    """Make, or go on making, an archive in `config.home`, as the product would.

    Args:
        setup: whose news are put in.
        encoder: makes the vectors that are not kept.
        config: of the archive.
        count: lines of the news.
        vectors: the file that keeps the vectors.
    """
    setup.lines.say(f"making {config.home.name}")
    config.home.mkdir(parents=True, exist_ok=True)
    link = config.home / VECTORS
    if not link.is_symlink():
        link.symlink_to(vectors.resolve())
    counted = Counted(encoder)
    corpus = Timing()
    pipeline = Pipeline(config, counted)
    try:
        with WriterLock(config.home / LOCK):
            characters = 0
            for number, (document, article) in enumerate(news(setup.news, count), 1):
                characters += len(article.text)
                _put(pipeline, document, article, corpus)
                setup.lines.step("reading", number, count)
            with timed() as index:
                pipeline.sync(setup.lines.within(config.home.name))
        pipeline.tidy()  # as everything does that adds
        snapshot = pipeline.snapshot()
        articles = len(snapshot.groups())
        filled = _filled(vectors, encoder.fingerprint)
        archive = Archive(config, articles, snapshot.size, characters, filled)
    finally:
        pipeline.close()
    facts = {k: v for k, v in asdict(archive).items() if k != "config"}
    (config.home / DONE).write_text(json.dumps(facts), encoding="utf-8")
    return Built(archive, corpus, index, counted.spent, counted.texts)


def _filled(vectors: Path, fingerprint: str) -> int:
    """How many mixtures a file of vectors holds."""
    _, made, began = vectors.stem.partition("-synthetic-")
    return VectorCache(vectors).size().get(fingerprint, 0) - int(began) if made else 0


def _put(pipeline: Pipeline, document: Document, article: Article, spent: Timing) -> None:
    with timed() as one:
        if pipeline.corpus.unchanged(document.uri, document.content_hash) is None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            pipeline.corpus.put(document, [article], now=now)
    spent.wall += one.wall
    spent.cpu += one.cpu


def vectors_of(setup: Setup, encoder: Encoder) -> tuple[Path, Encoder]:
    """The home's vectors, or a copy of them that mixtures may be put into.

    The copy's name holds how many real vectors it began with, so that an archive whose vectors
    have been encoded in the meantime is made anew.
    """
    real = setup.config.home / VECTORS
    setup.config.home.mkdir(parents=True, exist_ok=True)
    if not setup.synthetic:
        return real, encoder
    some = [article for _, article in news(setup.news, _BASE_ARTICLES)]
    texts = [text for article in some for text in _texts(article, encoder)]
    cache = VectorCache(real)
    base = cache.encode(encoder, texts)
    mixed = real.with_name(f"vectors-synthetic-{cache.size()[encoder.fingerprint]}.sqlite")
    if not mixed.is_file():
        beside = mixed.with_suffix(".part")
        beside.unlink(missing_ok=True)
        copy_database(real, beside)
        beside.rename(mixed)
    return mixed, Mixed(encoder, base)


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file with what stands in its log."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _texts(article: Article, encoder: Encoder) -> Iterator[str]:
    """An article's passages as they are encoded, and their sentences."""
    for passage in chunk.passages(article, encoder.count_tokens, encoder.max_tokens):
        yield chunk.encoder_text(article, passage)
        yield from sentences(passage.text)


def truly_encoded(setup: Setup, archive: Archive, fingerprint: str) -> set[str]:
    """The ids of an archive's articles all of whose passages have real vectors."""
    cache = VectorCache(setup.config.home / VECTORS)
    corpus = Corpus(archive.config.home / "corpus.sqlite")
    found: set[str] = set()
    try:
        ids = sorted(corpus.ids())
        for start in range(0, len(ids), _AT_ONCE):
            some = corpus.get_many(ids[start : start + _AT_ONCE])
            pairs = [(a, p) for a in some.values() for p in corpus.passages_of(a.id)]
            held = cache.holds(fingerprint, [chunk.encoder_text(a, p) for a, p in pairs])
            missing = {a.id for (a, _), kept in zip(pairs, held, strict=True) if not kept}
            found |= some.keys() - missing
    finally:
        corpus.close()
    return found
