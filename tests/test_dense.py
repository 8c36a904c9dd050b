"""Vector search against brute force in numpy, by value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import index.segment
from index.columns import Vectors
from index.dense import build_sq8, nearest, open_sq8
from index.files import write_file
from index.snapshot import Snapshot
from index.store import Store
from index.tokens import Tokenizer
from index.types import Entry, Hit

DIM = 24
TOKENIZER = Tokenizer()


def unit(rng: np.random.Generator, n: int, dim: int = DIM) -> NDArray[np.float32]:
    """Rows of length 1 in a narrow cone, as an encoder's are."""
    rows = rng.normal(size=(n, dim)) + 1.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def entries(n: int, groups: int = 5, start: int = 0) -> list[Entry]:
    # Ids do not sort in the order of adding.
    return [
        Entry(f"{(i * 7919) % 100_003:06d}", f"g{i % groups}", f"词{i}")
        for i in range(start, start + n)
    ]


def brute(
    rows: Sequence[Entry],
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    groups: Sequence[str] | None = None,
) -> list[tuple[str, float]]:
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    kept = [
        (e.id, float(np.float32(s)))
        for e, s in zip(rows, scores, strict=True)
        if groups is None or e.group in groups
    ]
    return sorted(kept, key=lambda x: (-x[1], x[0]))[:k]


def assert_same(hits: list[Hit], expected: list[tuple[str, float]]) -> None:
    assert [h.score for h in hits] == pytest.approx([s for _, s in expected], abs=2e-6)
    assert len({h.id for h in hits}) == len(hits)
    # Where the oracle's scores are clearly apart, the order must be the same.
    for place, (name, score) in enumerate(expected):
        near = [s for i, (_, s) in enumerate(expected) if i != place and abs(s - score) < 4e-6]
        if not near and place < len(expected) - 1:
            assert hits[place].id == name


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Snapshot, list[Entry], NDArray[np.float32]]:
    """Several segments, deleted groups in some of them."""
    rng = np.random.default_rng(1)
    store = Store(tmp_path / "index", TOKENIZER)
    rows, vectors = entries(900), unit(rng, 900)
    for start in range(0, 900, 100):
        store.commit(add=rows[start : start + 100], vectors=vectors[start : start + 100], model="m")
    snapshot = store.commit(
        add=[], vectors=np.empty((0, DIM), np.float32), remove_groups=["g3", "nowhere"], model="m"
    )
    kept = [i for i, e in enumerate(rows) if e.group != "g3"]
    return snapshot, [rows[i] for i in kept], vectors[kept]


@pytest.mark.parametrize("k", [1, 10, 719, 720, 5000])
def test_same_as_brute_force(
    grown: tuple[Snapshot, list[Entry], NDArray[np.float32]], k: int
) -> None:
    snapshot, rows, vectors = grown
    assert snapshot.size == len(rows) == 720
    for query in unit(np.random.default_rng(2), 5):
        hits = snapshot.dense(query, k)
        assert_same(hits, brute(rows, vectors, query, k))
        assert len(hits) == min(k, 720)


@pytest.mark.parametrize("groups", [["g1"], ["g0", "g4"], ["g3"], ["none"], [], ["g2", "\ud800"]])
def test_filtered_same_as_brute_force(
    grown: tuple[Snapshot, list[Entry], NDArray[np.float32]], groups: list[str]
) -> None:
    snapshot, rows, vectors = grown
    for query in unit(np.random.default_rng(3), 5):
        assert_same(snapshot.dense(query, 40, groups), brute(rows, vectors, query, 40, groups))


def test_a_score_is_the_inner_product_and_higher_is_better(tmp_path: Path) -> None:
    store = Store(tmp_path / "index", TOKENIZER)
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], np.float32)
    added = [Entry(i, "g", i) for i in "abcd"]
    snapshot = store.commit(add=added, vectors=vectors, model="m")
    assert snapshot.dense(np.array([1, 0], np.float32), 9) == [
        Hit("a", 1.0),
        Hit("d", pytest.approx(0.6)),
        Hit("b", 0.0),
        Hit("c", -1.0),
    ]


def test_ties_are_ordered_by_id_wherever_they_are_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    names = [f"{i:03d}" for i in rng.permutation(300)]
    same, other = unit(rng, 2)
    if same @ same < other @ same:  # pragma: no cover - cannot be
        same, other = other, same
    store = Store(tmp_path / "index", TOKENIZER)
    for start in range(0, 300, 60):
        some = names[start : start + 60]
        vectors = np.stack([other if int(n) % 3 == 0 else same for n in some])
        store.commit(add=[Entry(n, "g", "x") for n in some], vectors=vectors, model="m")
    tied = sorted(n for n in names if int(n) % 3)
    for k in (1, 7, 60, 199, 200):
        assert [h.id for h in store.open().dense(same, k)] == tied[:k]


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    snapshot = Store(tmp_path / "index", TOKENIZER).open()
    assert snapshot.generation == 0
    assert snapshot.size == 0
    assert snapshot.dense(np.ones(DIM, np.float32), 5) == []
    assert snapshot.lexical("词", 5) == []
    assert snapshot.groups() == frozenset()
    assert snapshot.vectors([]).shape == (0, 0)


@pytest.mark.parametrize("k", [0, -1])
def test_asking_for_nothing_gives_nothing(
    grown: tuple[Snapshot, list[Entry], NDArray[np.float32]], k: int
) -> None:
    assert grown[0].dense(np.ones(DIM, np.float32), k) == []
    assert grown[0].lexical("词", k) == []


def test_a_query_of_another_width_or_without_a_value_is_refused(
    grown: tuple[Snapshot, list[Entry], NDArray[np.float32]],
) -> None:
    with pytest.raises(ValueError, match="finite"):
        grown[0].dense(np.ones(DIM + 1, np.float32), 3)
    with pytest.raises(ValueError, match="finite"):
        grown[0].dense(np.full(DIM, np.nan, np.float32), 3)


def test_vectors_come_back_as_they_were_given(
    grown: tuple[Snapshot, list[Entry], NDArray[np.float32]],
) -> None:
    snapshot, rows, vectors = grown
    picked = [5, 700, 5, 0, 311]
    found = snapshot.vectors([rows[i].id for i in picked])
    np.testing.assert_array_equal(found, vectors[picked])
    everything = snapshot.vectors([e.id for e in rows])
    np.testing.assert_array_equal(everything, vectors)
    with pytest.raises(KeyError, match="nowhere"):
        snapshot.vectors([rows[0].id, "nowhere"])
    dead = next(e.id for e in entries(900) if e.group == "g3")
    with pytest.raises(KeyError, match=dead):
        snapshot.vectors([dead])


def test_sq8_finds_what_exact_search_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(60, 96))
    rows = centres[rng.integers(0, 60, 20_000)] + 0.5 * rng.normal(size=(20_000, 96)) + 1.0
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    places = np.arange(len(vectors))
    packed = build_sq8(Vectors((vectors,), np.zeros_like(places), places, 96))
    write_file(tmp_path / "sq8", [packed.data])
    sq8 = open_sq8(tmp_path / "sq8")
    allowed = rng.random(len(vectors)) < 0.05
    for mask in (None, allowed):
        found = total = 0
        for query in vectors[rng.integers(0, len(vectors), 50)]:
            got, scores = nearest(vectors, sq8, query, 10, mask)
            exact = vectors @ query
            np.testing.assert_allclose(scores, exact[got], atol=2e-6)
            if mask is not None:
                assert mask[got].all()
                exact[~mask] = -9
            best = np.argpartition(-exact, 10)[:10]
            found += len(set(best) & set(got[np.argsort(-scores)[:10]]))
            total += 10
        assert found / total >= 0.99


def test_a_large_segment_is_searched_by_sq8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.segment, "SQ8_ROWS", 500)  # a limit, lowered so that the test is fast
    rng = np.random.default_rng(6)
    rows, vectors = entries(1200), unit(rng, 1200)
    store = Store(tmp_path / "index", TOKENIZER)
    store.commit(add=rows[:1000], vectors=vectors[:1000], model="m")
    store.commit(add=rows[1000:], vectors=vectors[1000:], model="m")
    snapshot = Store(tmp_path / "index", TOKENIZER).open()
    assert snapshot.stats()["dense"] == "sq8+exact"
    for query in unit(rng, 5):
        assert_same(snapshot.dense(query, 10), brute(rows, vectors, query, 10))
        for groups in (["g2"], ["g1", "g4"]):
            assert_same(snapshot.dense(query, 10, groups), brute(rows, vectors, query, 10, groups))
