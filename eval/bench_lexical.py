"""Keyword search against rank_bm25 and SQLite's FTS5, over the same passages and tokens.

All three have Wenju's own tokens, so that what is compared is the search and not the words, and
each question is put to them in turn, so that whatever else the machine does falls on all alike.
rank_bm25 holds a dictionary for each passage and looks at every passage for every word: it is
measured on a part of the archive, the other two on the whole of it as well.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from eval.bench_clock import Timing, timed
from eval.bench_measure import Lines, own_memory, spread
from eval.run import Json
from index.lexical import K1, B
from index.snapshot import Snapshot
from index.store import Store
from index.tokens import Tokenizer
from index.types import Batch, Entry
from rag.indexing import context_of
from rag.pipeline import Pipeline

DEPTH = 10
T = TypeVar("T")
_AT_ONCE = 500  # articles read from the corpus at a time

Search = Callable[[str], list[str]]
"""A question to the ids of its best passages, at most ten, best first."""


class RankBm25:
    """rank_bm25's BM25Okapi with Wenju's k1 and b."""

    def __init__(self, ids: Sequence[str], passages: Iterable[Sequence[str]]) -> None:
        from rank_bm25 import BM25Okapi

        self._ids = ids
        self._index = BM25Okapi(passages, k1=K1, b=B)

    def best(self, tokens: Sequence[str]) -> list[str]:
        """The ten best passages; numpy picks them without sorting all."""
        scores = self._index.get_scores(list(tokens))
        some = np.argpartition(-scores, min(DEPTH, len(scores)) - 1)[:DEPTH]
        some = some[np.lexsort((some, -scores[some]))]
        return [self._ids[i] for i in some if scores[i] > 0]


class Fts5:
    """An FTS5 table on disk that any token of a question finds, best first by its own bm25()."""

    def __init__(self, path: Path, ids: Sequence[str], passages: Iterable[Sequence[str]]) -> None:
        self._ids = ids
        self._db = sqlite3.connect(path)
        # The marks that stand within tokens; whatever is not ASCII belongs to a token anyway.
        self._db.execute(
            "CREATE VIRTUAL TABLE passage USING fts5(words, content='',"
            " tokenize = \"ascii tokenchars '.%+&/_-'''\")"
        )
        with self._db:
            rows = ((number, " ".join(words)) for number, words in enumerate(passages))
            self._db.executemany("INSERT INTO passage (rowid, words) VALUES (?, ?)", rows)

    def best(self, tokens: Sequence[str]) -> list[str]:
        """The ten best passages."""
        asked = " OR ".join(f'"{token}"' for token in tokens)
        rows = self._db.execute(
            "SELECT rowid FROM passage WHERE passage MATCH ? ORDER BY rank LIMIT ?", (asked, DEPTH)
        )
        return [self._ids[number] for (number,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def lexical(pipeline: Pipeline, questions: Sequence[str], part: int, lines: Lines) -> Json:
    """All comparisons.

    Args:
        pipeline: an archive with at least one passage.
        questions: at least one.
        part: passages of the archive that rank_bm25 is given; it gets the first ones.
        lines: told what is going on.

    Returns:
        "part" and, where the archive is larger than that, "whole"; each with the number of
        `passages` and, for each of the `engines`, `ms`: milliseconds from a question's text to ten
        ids; `build_s`: seconds from the passages' texts to searchable (Wenju's words are built
        alone here, and on the whole archive not again); `memory` and `disk`: bytes a passage, where
        memory is what a process has to hold for itself, Wenju's after opening what was built;
        `overlap`: the share of rank_bm25's ten best that it has too.
    """
    entries = list(_entries(pipeline))
    pipeline.tokenizer.tokens("词典")  # is read before the clock runs
    found: Json = {"part": _part(entries[:part], questions, pipeline.tokenizer, lines)}
    if len(entries) > part:
        found["whole"] = _whole(entries, questions, pipeline, lines)
    return found


def _part(
    entries: Sequence[Entry], questions: Sequence[str], tokenizer: Tokenizer, lines: Lines
) -> Json:
    """Wenju, FTS5 and rank_bm25."""
    engines: Json = {}
    ids = [entry.id for entry in entries]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines.say(f"lexical: Wenju's words of {len(ids):,} passages")
        _built(engines, "wenju", len(ids), lambda: _own(entries, folder, tokenizer))
        before = own_memory()
        ours = Store(folder / "index", tokenizer).open()
        ours.lexical(questions[0], DEPTH)
        held = max(own_memory() - before, 0)
        engines["wenju"]["memory"] = round(held / len(ids), 1)
        engines["wenju"]["disk"] = round(_size(folder / "index") / len(ids), 1)
        lines.say("lexical: SQLite FTS5")
        words = (_words(entry, tokenizer) for entry in entries)
        fts5 = _built(engines, "sqlite_fts5", len(ids), lambda: Fts5(folder / "fts5", ids, words))
        engines["sqlite_fts5"]["disk"] = round(_size(folder / "fts5") / len(ids), 1)
        lines.say("lexical: rank_bm25")
        again = (_words(entry, tokenizer) for entry in entries)
        peer = _built(engines, "rank_bm25", len(ids), lambda: RankBm25(ids, again))
        with closing(fts5):
            searches: dict[str, Search] = {
                "wenju": lambda q: [hit.id for hit in ours.lexical(q, DEPTH)],
                "sqlite_fts5": lambda q: fts5.best(_asked(q, tokenizer)),
                "rank_bm25": lambda q: peer.best(_asked(q, tokenizer)),
            }
            _ask(engines, searches, questions, lines)
    return {"passages": len(ids), "engines": engines}


def _whole(
    entries: Sequence[Entry], questions: Sequence[str], pipeline: Pipeline, lines: Lines
) -> Json:
    """Wenju's own index and FTS5, over every passage."""
    engines: Json = {"wenju": {}}
    ids = [entry.id for entry in entries]
    tokenizer, snapshot = pipeline.tokenizer, pipeline.snapshot()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "fts5"
        lines.say(f"lexical: SQLite FTS5 over {len(ids):,} passages")
        words = (_words(entry, tokenizer) for entry in entries)
        fts5 = _built(engines, "sqlite_fts5", len(ids), lambda: Fts5(path, ids, words))
        engines["sqlite_fts5"]["disk"] = round(_size(path) / len(ids), 1)
        with closing(fts5):
            searches: dict[str, Search] = {
                "wenju": lambda q: [hit.id for hit in snapshot.lexical(q, DEPTH)],
                "sqlite_fts5": lambda q: fts5.best(_asked(q, tokenizer)),
            }
            _ask(engines, searches, questions, lines)
    return {"passages": len(ids), "engines": engines}


def _own(entries: Sequence[Entry], folder: Path, tokenizer: Tokenizer) -> Snapshot:
    """Build Wenju's index of the words alone: its vectors have one number each."""
    vectors = np.ones((len(entries), 1), np.float32)
    store = Store(folder / "index", tokenizer)
    return store.rebuild([Batch(entries, vectors)], model="words alone")


def _built(engines: Json, name: str, passages: int, build: Callable[[], T]) -> T:
    """Build an engine; its time and memory go into the table."""
    before = own_memory()
    with timed() as timing:
        made = build()
    held = max(own_memory() - before, 0)
    engines[name] = {
        "build_s": round(timing.wall, 3),
        "build_cpu_s": round(timing.cpu, 3),
        "memory": round(held / passages, 1),
    }
    return made


def _ask(
    engines: Json, searches: dict[str, Search], questions: Sequence[str], lines: Lines
) -> None:
    """Each question of each engine in turn; times and overlaps go into the table."""
    timings: dict[str, list[Timing]] = {name: [] for name in searches}
    found: dict[str, list[list[str]]] = {name: [] for name in searches}
    for search in searches.values():
        search(questions[0])
    for number, question in enumerate(questions, 1):
        for name, search in searches.items():
            with timed() as timing:
                best = search(question)
            timings[name].append(timing)
            found[name].append(best)
        lines.step("lexical: questions", number, len(questions))
    for name in searches:
        engines[name]["ms"] = spread(timings[name])
        if "rank_bm25" in searches:
            engines[name]["overlap"] = overlap(found[name], found["rank_bm25"])


def overlap(found: Sequence[Sequence[str]], reference: Sequence[Sequence[str]]) -> float | None:
    """The mean share of the reference's ids that were found; None where it never has any."""
    shares = [
        len(set(one) & set(other)) / len(other)
        for one, other in zip(found, reference, strict=True)
        if other
    ]
    return round(sum(shares) / len(shares), 4) if shares else None


def _entries(pipeline: Pipeline) -> Iterator[Entry]:
    """Every passage as it is indexed, in the articles' order by id."""
    ids = sorted(pipeline.corpus.ids())
    for start in range(0, len(ids), _AT_ONCE):
        articles = pipeline.corpus.get_many(ids[start : start + _AT_ONCE])
        for key in sorted(articles):
            context = context_of(articles[key])
            for passage in pipeline.corpus.passages_of(key):
                yield Entry(passage.id, key, passage.text, context)


def _words(entry: Entry, tokenizer: Tokenizer) -> list[str]:
    return [*tokenizer.tokens(entry.context), *tokenizer.tokens(entry.text)]


def _asked(question: str, tokenizer: Tokenizer) -> list[str]:
    return tokenizer.query_tokens(question)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return sum(p.stat().st_size for p in files)
