"""A large archive in the embedded engine and in one on a server: what they find and cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.metrics import percentile
from eval.run import Json
from index.encode import Encoder
from index.parts import Parts
from index.types import Batch, Entry, Hit
from rag import indexing
from rag.pipeline import Pipeline
from rag.seams import Snapshot
from rag.types import Document, Filters

_AT_ONCE = 500  # articles brought over in one transaction
_NEAR = 1e-5  # scores that differ by less are equal: the engines add up in another order
_SHARES = (1.0, 0.3, 0.01)  # of the articles that a filter lets through


@dataclass(frozen=True, slots=True)
class Other:
    """An engine on a server.

    Attributes:
        name: of the engine.
        made: makes an empty database of a name; what `rag.config.Config` calls its address.
        memory: bytes that the server's processes hold in memory, shared ones counted once.
        disk: bytes that its files take.
    """

    name: str
    made: Callable[[str], dict[str, Any]]
    memory: Callable[[], int]
    disk: Callable[[], int]


def archive_in_both(
    one: Pipeline,
    two: Pipeline,
    other: Other,
    encoder: Encoder,
    asked: Sequence[str],
    said: Callable[[str], None],
) -> Json:
    """What both find of the exact best, how long it takes, how large it is.

    Args:
        one: the embedded archive.
        two: an empty one on the server, into which it is brought.
        other: the server.
        encoder: encodes the questions.
        asked: these, as many as are to be asked.
        said: told what is going on.
    """
    names = ("embedded", other.name)
    empty = other.memory()
    began = time.perf_counter()
    for done in _brought(one, two):
        said(f"{done:,} articles brought over")
    filled = time.perf_counter()
    two.tidy()
    indexed = time.perf_counter()
    snapshots = (one.snapshot(), two.snapshot())
    row: Json = {
        "passages": snapshots[1].size,
        "fill_seconds": round(filled - began, 1),
        "index_seconds": round(indexed - filled, 1),
        "vectors_by": snapshots[1].stats().get("vectors_by", "embedded"),
        "dense": snapshots[0].stats()["dense"],
    }
    vectors = encoder.encode_queries(list(asked))
    row["dense_search"] = [_dense(one, two, names, snapshots, vectors, s) for s in _SHARES]
    row["keyword_search"] = _keywords(names, snapshots, asked)
    said("asking whole questions")
    row["questions_ms"] = {
        name: _timed(lambda q, p=pipeline: p.search(q, top_k=10), asked)  # type: ignore[misc]
        for name, pipeline in zip(names, (one, two), strict=True)
    }
    row["server_memory_bytes"] = {"empty": empty, "full": other.memory()}
    row["server_disk_bytes"] = other.disk()
    return row


def _brought(one: Pipeline, two: Pipeline) -> Iterator[int]:
    """Bring an archive over with its passages and vectors; how many articles are there now."""
    snapshot = one.snapshot()
    ids = iter(sorted(snapshot.groups()))
    done = 0
    while some := list(islice(ids, _AT_ONCE)):
        held = one.corpus.get_many(some)
        passages = [p for key in held for p in one.corpus.passages_of(key)]
        entries = [
            Entry(p.id, p.article_id, p.text, indexing.context_of(held[p.article_id]),
                  held[p.article_id].title or "")
            for p in passages
        ]  # fmt: skip
        rows, parts, starts = snapshot.vectors_and_parts([p.id for p in passages])
        counts = np.diff(np.append(starts, len(parts))).tolist()
        batch = Batch(entries, rows, Parts.of(parts, counts))
        with two.stores.writing(600.0), two.stores.joined():
            for key, article in held.items():
                document = Document(key, article.text, (), {}, "text", "utf_8", key)
                two.corpus.put(document, [article], now="")
            two.corpus.put_passages(passages)
            two.store.commit(batch, model=snapshot.model)
        done += len(some)
        yield done


def _dense(
    one: Pipeline,
    two: Pipeline,
    names: tuple[str, str],
    snapshots: tuple[Snapshot, Snapshot],
    vectors: NDArray[np.float32],
    share: float,
) -> Json:
    """The recall of both engines' nearest vectors against all that a filter lets through."""
    ids = sorted(one.corpus.ids())
    step = max(int(1 / share), 1)
    filters = Filters() if share == 1 else Filters(article_ids=tuple(ids[::step]))
    scopes = [p.stores.scopes.of(s, filters) for p, s in zip((one, two), snapshots, strict=True)]
    rows = [
        p.id for key in (ids if share == 1 else ids[::step]) for p in one.corpus.passages_of(key)
    ]
    exact, _, _ = snapshots[0].vectors_and_parts(rows)
    found: Json = {"share": share, "passages": scopes[1].passages}
    for name, snapshot, scope in zip(names, snapshots, scopes, strict=True):
        taken: list[float] = []
        recall: dict[int, list[float]] = {10: [], 50: []}
        for vector in vectors:
            began = time.perf_counter()
            hits = snapshot.dense(vector, 50, scope.articles)
            taken.append((time.perf_counter() - began) * 1000)
            best = np.sort(exact @ vector)[::-1]
            for k, shares in recall.items():
                enough = sum(hit.score >= best[min(k, len(best)) - 1] - _NEAR for hit in hits[:k])
                shares.append(enough / min(k, len(best)))
        found[name] = {f"recall@{k}": round(float(np.mean(v)), 4) for k, v in recall.items()}
        found[name] |= {"ms": _spread(taken)}
    return found


def _keywords(
    names: tuple[str, str], snapshots: tuple[Snapshot, Snapshot], asked: Sequence[str]
) -> Json:
    """The share of the embedded engine's best by keywords that the other has, and their times."""
    shares: dict[int, list[float]] = {10: [], 50: []}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for question in asked:
        lists: list[list[Hit]] = []
        for name, snapshot in zip(names, snapshots, strict=True):
            began = time.perf_counter()
            lists.append(snapshot.lexical(question, 50))
            taken[name].append((time.perf_counter() - began) * 1000)
        for k, values in shares.items():
            if lists[0]:
                floor = lists[0][:k][-1].score * (1 - 1e-4)
                reached = sum(hit.score >= floor for hit in lists[1][:k])
                values.append(reached / len(lists[0][:k]))
    found: Json = {f"agreement@{k}": round(float(np.mean(v)), 4) for k, v in shares.items()}
    return found | {name: {"ms": _spread(times)} for name, times in taken.items()}


def _timed(act: Callable[[str], object], asked: Sequence[str]) -> Json:
    taken = []
    for question in asked:
        began = time.perf_counter()
        act(question)
        taken.append((time.perf_counter() - began) * 1000)
    return _spread(taken)


def _spread(taken: Sequence[float]) -> Json:
    return {
        f"p{share:.0%}".rstrip("%"): round(percentile(taken, share) or 0.0, 2)
        for share in (0.5, 0.95)
    }
