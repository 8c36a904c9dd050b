"""Vector search against brute force in numpy, by value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.columns import Vectors, merge
from index.dense import ANN_ROWS, RECALL, Dense, build, nearest, open_ann
from index.files import write_file
from index.parts import Kept, Parts, differing, restored, rounded
from index.segment import Facts, open_segment, write_segment
from index.snapshot import Snapshot, View
from index.store import Store
from index.tokens import Tokenizer
from index.types import Batch, Entry, Hit

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
        store.commit(Batch(rows[start : start + 100], vectors[start : start + 100]), model="m")
    snapshot = store.commit(remove_groups=["g3", "nowhere"], model="m")
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
    snapshot = store.commit(Batch(added, vectors), model="m")
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
        store.commit(Batch([Entry(n, "g", "x") for n in some], vectors), model="m")
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


def clustered(rng: np.random.Generator, n: int, dim: int) -> NDArray[np.float32]:
    """Rows of length 1 that lie in groups, as those of texts do."""
    centres = rng.normal(size=(60, dim))
    rows = centres[rng.integers(0, 60, n)] + 0.5 * rng.normal(size=(n, dim)) + 1.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def near(rng: np.random.Generator, vectors: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Questions: rows, moved a little."""
    rows = vectors[rng.integers(0, len(vectors), n)]
    rows = rows + 0.03 * rng.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def all_rows(rows: NDArray[Any]) -> Vectors:
    places = np.arange(len(rows))
    source = rows if rows.dtype == np.int8 else Kept(rows)
    return Vectors((source,), np.zeros_like(places), places, rows.shape[1])


def kept(vectors: NDArray[np.float32]) -> Kept:
    """As a large segment keeps them."""
    mean = vectors.mean(axis=0)
    return Kept(*differing(vectors, mean), mean)


def test_the_compressed_scan_finds_what_exact_search_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    vectors = clustered(rng, 12_000, 64)
    coded = kept(vectors)
    built = build(all_rows(vectors), coded, all_rows(np.empty((0, 64), np.int8)))
    assert built.facts["kind"] == "IVF1,PQ32x4fs+exact"
    assert built.facts["recall@50"] >= RECALL[50]
    write_file(tmp_path / "ann", [built.index.data])
    dense = Dense(coded, open_ann(tmp_path / "ann"), built.facts)
    for share in (None, 0.6, 0.3):
        mask = None if share is None else rng.random(len(vectors)) < share
        found = total = 0
        for query in near(rng, vectors, 40):
            got, scores = nearest(dense, query, 10, mask)
            exact = vectors @ query
            np.testing.assert_allclose(scores, exact[got], atol=4e-3)
            if mask is not None:
                assert mask[got].all()
                exact[~mask] = -9
            best = np.argpartition(-exact, 10)[:10]
            found += len(set(best) & set(got[np.argsort(-scores)[:10]]))
            total += 10
        assert found / total >= 0.96  # clusters far wider than an encoder's: rounding costs more


def test_what_few_rows_may_answer_is_compared_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    vectors = clustered(rng, 10_500, 16)
    coded = kept(vectors)
    built = build(all_rows(vectors), coded, all_rows(rounded(vectors[:300])))
    write_file(tmp_path / "ann", [built.index.data])
    dense = Dense(coded, open_ann(tmp_path / "ann"), built.facts)
    mask = rng.random(len(vectors)) < 0.02
    for query in near(rng, vectors, 20):
        got, scores = nearest(dense, query, 10, mask)
        expected = np.sort((coded[np.arange(len(vectors))] @ query)[mask])[-10:]
        np.testing.assert_allclose(np.sort(scores)[-10:], expected, atol=2e-6)
        assert mask[got].all()


def test_the_recall_that_is_noted_is_the_one_that_is_served(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rows, vectors = entries(10_000, groups=50), clustered(rng, 10_000, 32)
    asked = near(rng, vectors, 60)
    parts = Parts.of(asked, [60] + [0] * 9_999)
    store = Store(tmp_path / "index", TOKENIZER)
    store.commit(Batch(rows[:10_000], vectors, parts), model="m")
    snapshot = Store(tmp_path / "index", TOKENIZER).open()
    [facts] = snapshot.stats()["dense"]  # type: ignore[misc]
    held = []
    for query in restored(rounded(asked)):
        best = {name for name, _ in brute(rows, vectors, query, 50)}
        held.append(len(best & {h.id for h in snapshot.dense(query, 50)}) / 50)
    assert facts["recall@50"] == pytest.approx(np.mean(held), abs=0.005)
    assert facts["rows"] == 10_000


@pytest.fixture
def with_parts(tmp_path: Path) -> tuple[Store, list[Entry], NDArray[np.float32], list[int]]:
    """Rows with 0 to 3 parts, in several segments; the parts of row i begin at sum(counts[:i])."""
    rng = np.random.default_rng(8)
    store = Store(tmp_path / "index", TOKENIZER)
    rows, counts = entries(600), [i % 4 for i in range(600)]
    parts = unit(rng, sum(counts))
    vectors = unit(rng, 600)
    ends = np.cumsum(counts)
    for start in range(0, 600, 60):
        some = slice(start, start + 60)
        own = parts[(ends[start - 1] if start else 0) : ends[start + 59]]
        store.commit(Batch(rows[some], vectors[some], Parts.of(own, counts[some])), model="m")
    return store, rows, np.concatenate([parts, vectors]), counts


def assert_parts(
    snapshot: Snapshot,
    rows: Sequence[Entry],
    vectors: NDArray[np.float32],
    counts: Sequence[int],
    picked: Sequence[int],
) -> None:
    starts = np.cumsum(counts) - counts
    total = sum(counts)
    own, got, begin = snapshot.vectors_and_parts([rows[i].id for i in picked])
    np.testing.assert_array_equal(own, vectors[[total + i for i in picked]])
    ends = [*begin[1:].tolist(), len(got)]
    for i, a, b in zip(picked, begin.tolist(), ends, strict=True):
        own = range(starts[i], starts[i] + counts[i]) if counts[i] else [total + i]
        np.testing.assert_allclose(got[a:b], vectors[list(own)], atol=0.01)


def test_parts_come_back_with_their_rows(
    with_parts: tuple[Store, list[Entry], NDArray[np.float32], list[int]],
) -> None:
    store, rows, vectors, counts = with_parts
    assert_parts(store.open(), rows, vectors, counts, [599, 0, 1, 3, 3, 250, 7])
    assert store.merge(nullcontext)
    assert len(store.open().views) == 1
    assert_parts(store.open(), rows, vectors, counts, range(600))
    store.commit(remove_groups=["g1", "g2"], model="m")
    assert store.merge(nullcontext)
    kept = [i for i, r in enumerate(rows) if r.group not in ("g1", "g2")]
    assert len(store.open().views[0].segment) == len(kept)
    assert_parts(store.open(), rows, vectors, counts, kept)
    assert list(map(len, store.open().vectors_and_parts([]))) == [0, 0, 0]


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=1))
def test_rounding_keeps_directions(rows: list[list[float]]) -> None:
    given_rows = np.array(rows, np.float32)
    lengths = np.linalg.norm(given_rows, axis=1)
    kept = given_rows[lengths > 1e-3] / lengths[lengths > 1e-3][:, None]
    back = restored(rounded(kept))
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
    assert ((back * kept).sum(axis=1) > 0.9999).all()


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=1))
def test_what_differs_from_a_mean_is_rounded_once(rows: list[list[float]]) -> None:
    given_rows = np.array(rows, np.float32) + np.float32(1.5)  # in a cone
    own = given_rows / np.linalg.norm(given_rows, axis=1, keepdims=True)
    mean = own.mean(axis=0)
    every = np.arange(len(own))
    once = Kept(*differing(own, mean), mean)
    back = once[every]
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
    assert ((back * own).sum(axis=1) > 0.9999).all()
    again = Kept(*differing(back, mean), mean)
    np.testing.assert_allclose(again[every], back, atol=2e-6)
    query = own[0]
    np.testing.assert_allclose(once.products(every, query), back @ query, atol=2e-6)


def test_a_large_segment_keeps_its_vectors_in_a_byte_through_merges(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    store = Store(tmp_path / "index", TOKENIZER)
    rows, vectors = entries(ANN_ROWS + 40, groups=40), unit(rng, ANN_ROWS + 40, 8)
    large, small = slice(0, ANN_ROWS), slice(ANN_ROWS, ANN_ROWS + 40)
    store.commit(Batch(rows[large], vectors[large]), model="m")
    store.commit(Batch(rows[small], vectors[small]), model="m")
    kinds = {len(v.segment): v.segment.vectors.codes.dtype for v in store.open().views}
    assert kinds == {ANN_ROWS: np.int8, 40: np.float32}
    before = store.open().vectors([e.id for e in rows])
    together = merge([view.segment.rows(view.live) for view in store.open().views])
    merged = open_segment(tmp_path / "m", "m", write_segment(tmp_path / "m", together))
    assert merged.vectors.codes.dtype == np.int8
    snapshot = Snapshot(1, "m", 8, [View(merged, None)], TOKENIZER)
    after = snapshot.vectors([e.id for e in rows])
    np.testing.assert_allclose(after[large], before[large], atol=2e-6)
    np.testing.assert_allclose(after, vectors, atol=6e-3)
    query = vectors[17]
    for groups in (None, ["g17"], [f"g{n}" for n in range(30)]):
        hits = snapshot.dense(query, 5, groups)
        expected = brute(rows, after, query, 5, groups)
        assert [h.score for h in hits] == pytest.approx([s for _, s in expected], abs=2e-6)
    assert len(snapshot.dense(query, len(rows))) == len(rows)


def as_format_3(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Write a segment's postings and vectors as that format had them."""
    packed = open_segment(folder, "s", Facts({}, {})).columns.postings
    of, postings = packed.all()
    for name in ("postings", "postings-ends", "counts", "vectors", "scales", "mean"):
        (folder / f"{name}.npy").unlink(missing_ok=True)
    np.save(folder / "postings.npy", postings)
    starts = np.searchsorted(of, np.arange(len(packed) + 1))
    np.save(folder / "starts.npy", starts)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    np.save(folder / "vectors.npy", np.rint(vectors / largest * 32767).astype("<i2"))


def test_a_segment_of_format_3_is_read_and_merged(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows, vectors = entries(ANN_ROWS, groups=40), unit(rng, ANN_ROWS, 8)
    store = Store(tmp_path / "index", TOKENIZER)
    new = store.commit(Batch(rows, vectors), model="m")
    words = new.lexical("词77", 30)
    assert len(words) > 1
    folder = tmp_path / "index" / new.views[0].segment.name
    order = np.argsort([e.id for e in rows])
    as_format_3(folder, vectors[order])
    noted = new.views[0].segment.facts
    ann = {"ann.faiss": noted.files["ann.faiss"]}
    segment = open_segment(folder, "s", Facts(ann, noted.dense))
    old = Snapshot(1, "m", 8, [View(segment, None)], TOKENIZER)
    np.testing.assert_allclose(old.vectors([e.id for e in rows]), vectors, atol=3e-5)
    assert old.lexical("词77", 30) == words
    query = vectors[5]
    expected = brute(rows, vectors, query, 5)
    assert [h.score for h in old.dense(query, 5)] == pytest.approx(
        [s for _, s in expected], abs=3e-5
    )
    written = write_segment(tmp_path / "m", merge([segment.rows(None)]))
    merged = open_segment(tmp_path / "m", "m", written)
    assert merged.vectors.codes.dtype == np.int8
    again = Snapshot(1, "m", 8, [View(merged, None)], TOKENIZER)
    assert again.lexical("词77", 30) == words
    np.testing.assert_allclose(again.vectors([e.id for e in rows]), vectors, atol=6e-3)
