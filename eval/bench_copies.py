"""A large archive out of a smaller one: repeated, and varied, for measuring how costs grow.

To encode a million passages takes days here. So an archive is repeated: in each copy the articles
have ids of their own, a share of every passage's tokens is left out at random, and a passage's
vector is a mixture of its own with three others drawn at random, as in `eval.bench_vectors`. The
texts stay as they are, and so does the vocabulary: of that a real archive has more, and shorter
lists of the rows that hold a word. Speed and memory can be read from it, quality cannot.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.bench_archive import DONE, VECTORS, Archive, copy_database
from eval.bench_clock import Timing, timed
from eval.bench_measure import Lines
from eval.bench_vectors import mixture
from index.columns import Columns, Live, Rows, by_token, merge
from index.parts import Kept
from index.store import Store
from index.strings import Strings
from index.tokens import Tokenizer
from rag.checksums import TABLES, insert, register
from rag.config import Config

LEFT_OUT = 0.15
"""Share of the tokens that a copy's passage lacks."""

_MOST = 0xFFFF  # copies that an id's first four digits can tell apart


def multiplied(source: Archive, times: int, lines: Lines) -> Archive:
    """The archive `times` over; made where it is not there yet.

    Args:
        source: an archive whose index has no deleted rows.
        times: 2 to 65,535.
        lines: told what is going on.
    """
    if not 2 <= times <= _MOST:
        raise ValueError(f"copies are 2 to {_MOST}, not {times}")
    home = source.config.home
    config = replace(source.config, home=home.with_name(f"{home.name}-x{times}"))
    done = config.home / DONE
    if done.is_file():
        return Archive(config, **json.loads(done.read_text(encoding="utf-8")))
    shutil.rmtree(config.home, ignore_errors=True)
    config.home.mkdir(parents=True)
    # Answers look up the vectors of sentences by their text.
    (config.home / VECTORS).symlink_to((home / VECTORS).resolve())
    spent: dict[str, Timing] = {}
    lines.say(f"{config.home.name}: the corpus")
    with timed() as spent["corpus"]:
        _corpus(home / "corpus.sqlite", config.home / "corpus.sqlite", times)
        _reprints(home / "reprints.sqlite", config.home / "reprints.sqlite", times)
    _index(source, config, times, lines, spent)
    archive = replace(
        source,
        config=config,
        articles=times * source.articles,
        passages=times * source.passages,
        characters=times * source.characters,
        filled=times * source.filled,
        made={step: took.json() for step, took in spent.items()},
    )
    facts = {k: v for k, v in asdict(archive).items() if k != "config"}
    done.write_text(json.dumps(facts), encoding="utf-8")
    return archive


def renamed(article_id: str, copy: int) -> str:
    """The id of a copy of an article; passages' ids begin with it."""
    return f"{(int(article_id[:4], 16) + copy) % 0x10000:04x}{article_id[4:]}"


def _corpus(source: Path, target: Path, times: int) -> None:
    """The tables, the rows of each copy with their sums."""
    copy_database(source, target)
    with closing(sqlite3.connect(target)) as db, db:
        register(db)
        held = {
            table: db.execute(f"SELECT {', '.join(map(_quoted, columns))} FROM {table}").fetchall()  # noqa: S608 our own names
            for table, columns in TABLES.items()
        }
        numbers = [number for (number,) in db.execute("SELECT id FROM documents")]
        for copy in range(1, times):
            [[last]] = db.execute("SELECT MAX(id) FROM documents")
            number = {old: last + 1 + place for place, old in enumerate(numbers)}
            rows = {
                "documents": [(f"{uri}~{copy}", *rest) for uri, *rest in held["documents"]],
                "articles": [(renamed(key, copy), *rest) for key, *rest in held["articles"]],
                "document_articles": [
                    (number[document], ordinal, renamed(key, copy))
                    for document, ordinal, key in held["document_articles"]
                ],
                "passages": [
                    (renamed(key, copy), renamed(article, copy), *rest)
                    for key, article, *rest in held["passages"]
                ],
            }
            for table, some in rows.items():
                db.executemany(insert(table), some)


def _quoted(column: str) -> str:
    return f'"{column}"'


def _reprints(source: Path, target: Path, times: int) -> None:
    """Each copy of an article is a family of its own, and no new article is compared with it."""
    copy_database(source, target)
    with closing(sqlite3.connect(target)) as db, db:
        held = [key for (key,) in db.execute("SELECT id FROM articles")]
        for copy in range(1, times):
            ids = (renamed(key, copy) for key in held)
            db.executemany("INSERT INTO articles VALUES (?1, ?1, NULL)", ((i,) for i in ids))


def _index(
    source: Archive, config: Config, times: int, lines: Lines, spent: dict[str, Timing]
) -> None:
    """A segment for each copy, and then what the product makes of so many."""
    tokenizer = Tokenizer(config.dictionary, config.cache)
    snapshot = Store(source.config.home / "index", tokenizer).open()
    target = Store(config.home / "index", tokenizer)
    held = [v.segment.rows(v.live) for v in snapshot.views]
    draw = np.random.default_rng(times)
    with timed() as spent["index"]:
        whole = _Whole.of(merge(held))
        copies = (whole.varied(n, draw) if n else merge(held) for n in _told(times, lines))
        target.rebuild(copies, model=snapshot.model)
    lines.say(f"{config.home.name}: merging")
    with timed() as spent["merge"]:
        while target.merge(nullcontext):
            pass


def _told(times: int, lines: Lines) -> Iterator[int]:
    for copy in range(times):
        lines.step("copying", copy, times)
        yield copy


@dataclass(frozen=True, slots=True)
class _Whole:
    """All rows of an archive, in memory."""

    columns: Columns
    ids: list[str]
    groups: list[str]
    vectors: NDArray[np.float32]
    parts: NDArray[np.int8]

    @classmethod
    def of(cls, rows: Rows) -> _Whole:
        """Read them."""
        columns = rows.columns
        return cls(
            columns,
            [i.decode() for i in columns.ids],
            [g.decode() for g in columns.groups],
            rows.vectors.take(0, len(rows.vectors)),
            rows.parts.take(0, len(rows.parts)),
        )

    def varied(self, copy: int, draw: np.random.Generator) -> Rows:
        """The rows of a copy."""
        others = (self.vectors[draw.integers(len(self.ids), size=len(self.ids))] for _ in range(3))
        weights = draw.random((2, len(self.ids), 1), np.float32)
        mixed = mixture((self.vectors, *others), *weights)
        columns = self.columns
        token, postings = columns.postings.all()
        kept = draw.random(len(postings)) >= LEFT_OUT
        changed = replace(
            columns,
            # `merge` puts the rows in the order of their new ids.
            ids=Strings.of([renamed(i, copy).encode() for i in self.ids]),
            groups=Strings.of([renamed(g, copy).encode() for g in self.groups]),
            postings=by_token(token[kept], postings[kept], len(columns.vocabulary)),
        )
        return merge([Live(changed, Kept(mixed), self.parts, None)])
