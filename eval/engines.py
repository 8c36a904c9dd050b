"""The embedded engine and PostgreSQL beside each other: the same answers, and what each costs.

Whatever differs is counted and named. An archive is brought into the database with the vectors that
it has, so that both search the very same ones.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import retrieval
from eval.cases import load_cases
from eval.datasets import load_squad
from eval.metrics import means, percentile, rank_scores
from eval.run import FORMAT, Json, commit
from index.encode import Encoder
from index.parts import Parts
from index.types import Batch, Entry, Hit
from index.vectors import VectorCache
from rag import __version__, indexing
from rag.config import Config
from rag.pipeline import Pipeline
from rag.seams import Snapshot
from rag.types import Document, Filters

Said = Callable[[str], None]
"""Told what is going on."""

ENGINES = ("embedded", "postgres")
_AT_ONCE = 500  # articles brought over in one transaction
_NEAR = 1e-5  # scores that differ by less are equal: the engines add up in another order
_SHARES = (1.0, 0.3, 0.01)  # of the articles that a filter lets through


@dataclass(frozen=True, slots=True)
class Kept:
    """An encoder that looks into a file of vectors first, so that both engines have the same."""

    encoder: Encoder
    cache: VectorCache

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 whatever the encoder has
        return getattr(self.encoder, name)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As the encoder."""
        return self.cache.encode(self.encoder, texts, progress)


def report(
    config: Config,
    database: Callable[[str], str],
    *,
    questions: Path | None,
    articles: Sequence[Path],
    sets: Sequence[Path],
    archive: Path | None,
    count: int | None,
    said: Said,
) -> Json:
    """The result file of `python -m eval engines`.

    Args:
        config: `home` is a folder for the embedded archives.
        database: makes an empty database of a name, and gives its address.
        questions: to be asked of both, of `articles`.
        articles: files to add to both.
        sets: question sets in SQuAD's format, each an archive.
        archive: home of an embedded archive that is brought into the database whole.
        count: at most so many questions of each set, and of the archive.
        said: told what is going on.
    """
    found: Json = {
        "kind": "engines",
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wenju": __version__,
        "commit": commit(),
    }
    plain = Pipeline(config)
    with closing(plain):
        encoder: Any = Kept(plain.encoder(), VectorCache(config.home / "vectors.sqlite"))
        if questions is not None:
            said(f"asking {questions.name} of both")
            found["answers"] = _answers(config, encoder, database, questions, articles)
        found["sets"] = []
        for path in sets:
            said(f"searching the paragraphs of {path.name} in both")
            found["sets"].append(_set(config, encoder, database, path, count))
        if archive is not None:
            said(f"bringing {archive} into the database")
            asked = [q.question for path in sets for q in load_squad(path).questions if q.answers]
            found["archive"] = _archive(config, encoder, database, archive, asked[:count], said)
    return found


def _answers(
    config: Config,
    encoder: Encoder,
    database: Callable[[str], str],
    questions: Path,
    articles: Sequence[Path],
) -> Json:
    """Each question asked of both: how many answers are the same to the letter."""
    asked = [case.question for case in load_cases(questions).cases if not case.history]
    same = Counter[str]()
    differences: list[Json] = []
    with _both(config, encoder, database("answers"), "answers") as pipelines:
        for pipeline in pipelines:
            pipeline.add(articles)
        for question in asked:
            one, two = (pipeline.ask(question) for pipeline in pipelines)
            first, second = ([(e.passage.id, e.score) for e in a.evidence] for a in (one, two))
            same["answer"] += (one.text, one.status) == (two.text, two.status)
            same["passages"] += [key for key, _ in first] == [key for key, _ in second]
            if (one.text, one.status) != (two.text, two.status) or dict(first).keys() != dict(
                second
            ).keys():
                differences.append(
                    {"question": question, "embedded": one.text, "postgres": two.text,
                     "why": _why(first, second)}
                )  # fmt: skip
        passages = pipelines[0].snapshot().size
    return {
        "set": questions.name,
        "questions": len(asked),
        "passages": passages,
        "same_answer": same["answer"],
        "same_passages_in_order": same["passages"],
        "differences": differences,
    }


def _why(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> str:
    """What parts two ranked lists."""
    if [key for key, _ in first] == [key for key, _ in second]:
        return "the same passages"
    scores = zip(sorted(s for _, s in first), sorted(s for _, s in second), strict=False)
    if len(first) == len(second) and all(abs(a - b) < _NEAR for a, b in scores):
        return "equal scores, in another order"
    return "other passages"


def _set(
    config: Config,
    encoder: Encoder,
    database: Callable[[str], str],
    path: Path,
    count: int | None,
) -> Json:
    """The recall of both on the questions of a set, and how alike their lists are."""
    source = load_squad(path)
    (task,) = retrieval.tasks_of([source], count)
    row: Json = {"set": path.name, "questions": len(task.questions)}
    lists = []
    url = database(path.stem.replace(".", "_").lower())
    for name in ENGINES:
        own = replace(config, home=config.home / name, store=url if name == "postgres" else None)
        with closing(retrieval.build(own, source, titles=False, encoder=encoder)) as pipeline:
            pipeline.tidy()
            rankings, times, _ = retrieval.search(pipeline, task.questions, None)
            scores = means(rank_scores(rankings).values())
            row[name] = {
                "passages": pipeline.snapshot().size,
                "vectors_by": pipeline.snapshot().stats().get("vectors_by", "embedded"),
                "measures": {k: scores[k] for k in ("recall@1", "recall@5", "recall@10")},
                "search_ms": {"p50": percentile(times, 0.5), "p95": percentile(times, 0.95)},
            }
            lists.append(rankings)
    row["same_list"] = sum(lists[0][key].found == lists[1][key].found for key in lists[0])
    return row


def _archive(
    config: Config,
    encoder: Encoder,
    database: Callable[[str], str],
    home: Path,
    asked: Sequence[str],
    said: Said,
) -> Json:
    """A large archive in both: what they find of the exact best, how long it takes, how large."""
    url = database("archive")
    with (
        closing(Pipeline(replace(config, home=home), encoder)) as one,
        closing(
            Pipeline(replace(config, home=config.home / "postgres", store=url), encoder)
        ) as two,
    ):
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
            "hnsw_seconds": round(indexed - filled, 1),
            "postgres_bytes": snapshots[1].stats()["bytes"],
            "vectors_by": snapshots[1].stats()["vectors_by"],
            "dense": snapshots[0].stats()["dense"],
        }
        vectors = encoder.encode_queries(list(asked))
        row["dense_search"] = [_dense(one, two, snapshots, vectors, share) for share in _SHARES]
        row["keyword_search"] = _keywords(snapshots, asked)
        said("asking whole questions")
        row["questions_ms"] = {
            name: _timed(lambda q, p=pipeline: p.search(q, top_k=10), asked)  # type: ignore[misc]
            for name, pipeline in zip(ENGINES, (one, two), strict=True)
        }
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
    for name, snapshot, scope in zip(ENGINES, snapshots, scopes, strict=True):
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


def _keywords(snapshots: tuple[Snapshot, Snapshot], asked: Sequence[str]) -> Json:
    """The share of the embedded engine's best by keywords that PostgreSQL has, and their times."""
    shares: dict[int, list[float]] = {10: [], 50: []}
    taken: dict[str, list[float]] = {name: [] for name in ENGINES}
    for question in asked:
        lists: list[list[Hit]] = []
        for name, snapshot in zip(ENGINES, snapshots, strict=True):
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


@contextmanager
def _both(
    config: Config, encoder: Encoder, url: str, name: str
) -> Iterator[tuple[Pipeline, Pipeline]]:
    homes = [config.home / engine / name for engine in ENGINES]
    with (
        closing(Pipeline(replace(config, home=homes[0]), encoder)) as one,
        closing(Pipeline(replace(config, home=homes[1], store=url), encoder)) as two,
    ):
        yield one, two


def show(found: Json) -> None:
    """The figures for a person."""
    if answers := found.get("answers"):
        print(
            f"{answers['set']}: {answers['same_answer']} of {answers['questions']} answers the same"
            f" to the letter, {answers['same_passages_in_order']} with the same passages in order"
        )
        for one in answers["differences"]:
            print(f"  {one['question']}: {one['why']}")
    for row in found["sets"]:
        for name in ENGINES:
            told = ", ".join(f"{k} {v['mean']:.4f}" for k, v in row[name]["measures"].items())
            times = row[name]["search_ms"]
            print(f"{row['set']} {name}: {told}; {times['p50']:.1f} / {times['p95']:.1f} ms")
        print(f"  {row['same_list']} of {row['questions']} lists of ten the same")
    for part in ("archive", "failover"):
        for key, value in found.get(part, {}).items():
            print(f"{part} {key}: {value}")
