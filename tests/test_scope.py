"""What filters let through, and that it is worked out anew when the archive changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder

from index.snapshot import MASKS_KEPT
from index.store import Store
from index.tokens import Tokenizer
from index.types import AllBut, Batch, Entry
from rag.config import Config
from rag.pipeline import Pipeline
from rag.rows import conditions
from rag.scope import Scopes
from rag.sqlite import SqliteFile
from rag.types import Filters

TEXTS = {
    "a.md": "---\ntitle: 甲\ndate: 2024-01-02\nauthor: 王一\n---\n\n长江上游的生态保护。\n",
    "b.md": "---\ntitle: 乙\ndate: 2024-03-04\nauthor: 李二\n---\n\n长江上游的航电枢纽。\n",
    "c.md": "---\ntitle: C\ndate: 2025-01-01\nauthor: Ann Lee\n---\n\nThe Yangtze is a river.\n",
}


def pipeline_of(tmp_path: Path, cache: Path) -> Pipeline:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    config = Config(home=tmp_path / "home", cache=cache)
    pipeline = Pipeline(config, HashingEncoder())
    pipeline.add([folder])
    return pipeline


def test_a_scope_is_what_the_filters_say(tmp_path: Path, cache: Path) -> None:
    pipeline = pipeline_of(tmp_path, cache)
    scopes, snapshot = Scopes(pipeline.corpus), pipeline.snapshot()
    held, _ = pipeline.corpus.listing()
    ids = {a.title: a.id for a in held}
    everything = scopes.of(snapshot, None)
    assert everything.articles is None
    assert everything.places == {"en": {ids["C"]}, "zh": AllBut(frozenset({ids["C"]}))}
    for title, language in {"甲": "zh", "乙": "zh", "C": "en"}.items():
        assert everything.languages_of([ids[title]], "") == [language]
    assert (everything.passages, everything.earliest, everything.latest) == (
        3, "2024-01-02", "2025-01-01",
    )  # fmt: skip
    early = scopes.of(snapshot, Filters(date_to="2024-12-31"))
    assert early.articles == AllBut(frozenset({ids["C"]}))  # more than half: the others are named
    assert early.places == {"zh": AllBut(frozenset({ids["C"]}))}
    late = scopes.of(snapshot, Filters(date_from="2024-12-31"))
    assert (late.articles, late.places) == ({ids["C"]}, {"en": {ids["C"]}})
    first = scopes.of(snapshot, Filters(authors=("王一",)))
    assert (first.articles, first.places) == ({ids["甲"]}, {"zh": {ids["甲"]}})
    both = scopes.of(snapshot, Filters(date_from="2024-02-01"))
    assert both.articles == AllBut(frozenset({ids["甲"]}))
    assert both.places == {
        "en": {ids["C"]}, "zh": AllBut(frozenset({ids["甲"], ids["C"]})),
    }  # fmt: skip
    assert (early.passages, early.latest) == (2, "2024-03-04")
    nobody = scopes.of(snapshot, Filters(authors=("无人",)))
    assert (nobody.articles, nobody.places, nobody.passages) == (frozenset(), {}, 0)
    assert scopes.of(snapshot, Filters(date_to="2024-12-31")) is early
    pipeline.close()


def test_a_deleted_article_leaves_every_scope(tmp_path: Path, cache: Path) -> None:
    pipeline = pipeline_of(tmp_path, cache)
    chosen = Filters(date_to="2024-12-31")
    first = pipeline.search("长江上游", filters=chosen)
    assert {e.article.title for e in first} == {"甲", "乙"}
    pipeline.delete(next(e.article.id for e in first if e.article.title == "甲"))
    again = pipeline.search("长江上游", filters=chosen)
    assert [e.article.title for e in again] == ["乙"]
    assert pipeline.ask("长江上游", filters=chosen).coverage.searched_passages == 1
    pipeline.close()


def test_masks_are_kept_for_a_while_and_are_right(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [Entry(f"r{i:03d}", f"g{i % 50}", f"词{i}") for i in range(200)]
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = Store(tmp_path / "index", Tokenizer())
    store.commit(Batch(rows, vectors), model="m")
    snapshot = store.commit(remove_groups=["g7"], model="m")
    for round_ in range(2):
        for i in range(2 * MASKS_KEPT):
            groups = frozenset({f"g{i % 50}", f"g{(i + 7) % 50}"})
            found = {h.id for h in snapshot.dense(vectors[i], 200, groups)}
            expected = {r.id for r in rows if r.group in groups - {"g7"}}
            assert found == expected, (round_, i)
    assert len(snapshot.views[0].masks) <= MASKS_KEPT


@pytest.mark.parametrize(
    "filters",
    [
        Filters(date_from="2024-02", date_to="2025"),
        Filters(as_of="2024-12-31"),
        Filters(authors=("王一", "Ann Lee"), languages=("zh",)),
        Filters(sources=("x",), sections=("y",)),
    ],
)
def test_filters_read_no_article(tmp_path: Path, cache: Path, filters: Filters) -> None:
    """The texts are most of an archive: what passes is told by an index that lacks them."""
    pipeline = pipeline_of(tmp_path, cache)
    where, values = conditions(filters)
    sql = f"SELECT count(*), min(published) FROM {SqliteFile.filtered} WHERE {where}"  # noqa: S608
    with closing(sqlite3.connect(pipeline.config.home / "corpus.sqlite")) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any("USING COVERING INDEX articles_filtered" in step for step in plan), plan
    assert not any("SCAN articles" in s and "COVERING" not in s for s in plan), plan
    pipeline.close()
