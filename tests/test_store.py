"""Generations: commit, open, fall back, merge, refuse."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.changes import FAN_IN, held
from index.errors import (
    ArchiveBusy,
    IndexDamaged,
    ModelMismatch,
    TokenizerMismatch,
)
from index.lock import WriterLock
from index.snapshot import Snapshot
from index.store import Store
from index.tokens import Tokenizer
from index.types import Batch, Entry

DIM = 8
TOKENIZER = Tokenizer()
NOTHING = np.empty((0, DIM), np.float32)


def vectors_of(rows: Sequence[Entry]) -> NDArray[np.float32]:
    """A row of length 1 for each entry, that depends on its text alone."""
    out = np.empty((len(rows), DIM), np.float32)
    for i, row in enumerate(rows):
        seed = np.random.default_rng(list(row.text.encode()))
        out[i] = seed.normal(size=DIM)
    return out / np.linalg.norm(out, axis=1, keepdims=True) if len(rows) else out


def group(number: int, rows: int = 3) -> list[Entry]:
    return [Entry(f"g{number}-{i}", f"g{number}", f"第{number}条消息 {i}") for i in range(rows)]


def commit(store: Store, add: Sequence[Entry] = (), remove: Sequence[str] = ()) -> Snapshot:
    return store.commit(Batch(add, vectors_of(add)), remove_groups=remove, model="m")


def contents(snapshot: Snapshot) -> dict[str, list[object]]:
    """Everything that can be asked of a snapshot."""
    query = vectors_of([Entry("q", "", "问题")])[0]
    return {
        "facts": [snapshot.generation, snapshot.model, snapshot.size, snapshot.dim],
        "groups": sorted(snapshot.groups()),
        "dense": list(snapshot.dense(query, 10_000)) if snapshot.size else [],
        "lexical": list(snapshot.lexical("消息 1 2", 10_000)),
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home, TOKENIZER)


def test_what_was_committed_is_opened(home: Path, store: Store) -> None:
    written = [commit(store, group(1)), commit(store, group(2, 20)), commit(store, [], ["g1"])]
    assert [s.generation for s in written] == [1, 2, 3]
    assert [s.size for s in written] == [3, 23, 20]
    opened = Store(home, TOKENIZER).open()
    assert contents(opened) == contents(written[-1])
    assert opened.groups() == {"g2"}
    found = opened.vectors([e.id for e in group(2, 20)])
    np.testing.assert_array_equal(found, vectors_of(group(2, 20)))
    assert store.verify() == []


def test_opening_twice_reads_once(store: Store) -> None:
    commit(store, group(1))
    assert store.open() is store.open()


def test_what_is_known_of_a_segment_is_kept_while_its_rows_live(home: Path, store: Store) -> None:
    def same(one: Snapshot, other: Snapshot) -> int:
        """How many segments are seen as before."""
        return sum(view is before for view in other.views for before in one.views)

    first = commit(store, group(1, 20))
    second = commit(store, [*group(2), *group(3)])
    assert same(first, second) == 1
    third = commit(store, group(4), ["g3"])
    assert same(second, third) == 1  # of the other one rows have died
    assert same(third, commit(store, group(5), ["unknown"])) == 3
    fourth = commit(store, group(1, 1), ["g1"])
    assert (fourth.groups(), fourth.size) == ({"g1", "g2", "g4", "g5"}, 1 + 3 + 3 + 3)
    assert contents(fourth) == contents(Store(home, TOKENIZER).open())


def test_those_of_some_groups_that_are_held_are_told(store: Store) -> None:
    assert held(commit(store).views, ["g1"]) == frozenset()
    commit(store, [*group(1), *group(2)])
    snapshot = commit(store, group(3), ["g2"])
    assert held(snapshot.views, ["g1", "g2", "g3", "unknown", ""]) == {"g1", "g3"}
    assert held(snapshot.views, []) == frozenset()


def test_a_group_removed_and_added_is_the_new_one(store: Store) -> None:
    commit(store, [*group(1), *group(2)])
    new = [Entry("g1-0", "g1", "改写的消息")]
    snapshot = commit(store, new, ["g1"])
    assert snapshot.size == 4
    assert [h.id for h in snapshot.lexical("改写", 5)] == ["g1-0"]
    np.testing.assert_array_equal(snapshot.vectors(["g1-0"]), vectors_of(new))


def test_nothing_to_do_is_a_generation_too(store: Store) -> None:
    first = commit(store)
    assert (first.generation, first.size, first.dim, first.model) == (1, 0, 0, "m")
    commit(store, group(1))
    third = commit(store, [], ["g1", "unknown"])
    assert (third.generation, third.size, third.dim) == (3, 0, DIM)
    assert third.dense(np.ones(DIM, np.float32), 3) == []
    assert commit(store, group(1)).size == 3


def test_a_snapshot_outlives_its_generation(home: Path, store: Store) -> None:
    old = commit(store, group(1, 50))
    before = contents(old)
    for number in range(2, 14):
        commit(store, group(number), [f"g{number - 1}"])
    assert "g1" not in store.open().groups()
    assert not any(p.name.startswith("gen-00000001") for p in home.iterdir())
    assert contents(old) == before
    np.testing.assert_array_equal(old.vectors(["g1-7"]), vectors_of(group(1, 50))[7:8])


def test_only_three_generations_and_their_segments_stay(home: Path, store: Store) -> None:
    for number in range(1, 12):
        commit(store, group(number, 5), [f"g{number - 2}"])
    (home / ".tmp-gen-00000099-dead").mkdir()
    (home / "seg-orphan").mkdir()
    (home / "gen-00000012-0123456789abcdef").mkdir()  # published, then killed before CURRENT
    (home / "kept.txt").write_text("not ours")
    commit(store, group(12, 5))
    names = sorted(p.name for p in home.iterdir())
    generations = [n[:12] for n in names if n.startswith("gen-")]
    assert generations == ["gen-00000010", "gen-00000011", "gen-00000012"]
    assert "kept.txt" in names
    assert not [n for n in names if n.startswith(".tmp") or n == "seg-orphan"]
    assert len([n for n in names if n.startswith("seg-")]) <= 3 + 3
    assert store.open().size == 15


def test_small_segments_are_merged(store: Store) -> None:
    rows: list[Entry] = []
    for number in range(40):
        rows += group(number, 1 + number % 5)
        commit(store, group(number, 1 + number % 5))
        store.merge(nullcontext)
        snapshot = store.open()
        assert len(snapshot.views) < FAN_IN
    np.testing.assert_array_equal(snapshot.vectors([e.id for e in rows]), vectors_of(rows))
    assert snapshot.groups() == {e.group for e in rows}
    for row in rows:
        assert any(h.id == row.id for h in snapshot.lexical(row.text, 100))


def test_a_segment_with_many_dead_rows_is_rewritten(store: Store) -> None:
    commit(store, [e for n in range(10) for e in group(n, 1)])
    assert commit(store, [], ["g0", "g1"]).stats()["deleted"] == 2
    assert not store.merge(nullcontext)
    commit(store, [], ["g2"])
    assert store.merge(nullcontext)
    assert store.open().stats()["deleted"] == 0
    assert store.open().groups() == {f"g{n}" for n in range(3, 10)}


def test_a_merge_keeps_what_others_wrote_meanwhile(home: Path, store: Store) -> None:
    for number in range(8):
        commit(store, group(number))
    other = Store(home, TOKENIZER)

    @contextmanager
    def late() -> Iterator[None]:
        """The merged segment is written; before it takes its place, another process commits."""
        commit(other, group(20), ["g1", "g2"])
        commit(other, group(21), ["g20"])
        commit(other, group(1, 2))
        yield

    reading = store.open()
    before = contents(reading)
    assert store.merge(late)
    snapshot = store.open()
    rows = [*group(1, 2), *group(21), *(e for n in (0, 3, 4, 5, 6, 7) for e in group(n))]
    assert snapshot.groups() == {e.group for e in rows}
    assert snapshot.size == len(rows)
    np.testing.assert_array_equal(snapshot.vectors([e.id for e in rows]), vectors_of(rows))
    assert len([v for v in snapshot.views if len(v.segment) == 24]) == 1
    assert contents(reading) == before
    assert store.verify() == []
    assert not list(home.glob(".merge-*"))


def test_a_merge_gives_way_to_a_rebuild(home: Path, store: Store) -> None:
    for number in range(8):
        commit(store, group(number))

    @contextmanager
    def late() -> Iterator[None]:
        Store(home, TOKENIZER).rebuild([Batch(group(9), vectors_of(group(9)))], model="m")
        yield

    assert not store.merge(late)
    assert store.open().groups() == {"g9"}
    assert not list(home.glob(".merge-*"))


def test_only_one_merges_and_a_busy_home_is_left_as_it_is(home: Path, store: Store) -> None:
    for number in range(8):
        commit(store, group(number))
    generation = store.open().generation

    @contextmanager
    def inner() -> Iterator[None]:
        assert not Store(home, TOKENIZER).merge(nullcontext)
        assert list(home.glob(".merge-*"))
        commit(store)  # sweeps what nobody needs, but not what is being merged
        assert list(home.glob(".merge-*"))
        raise ArchiveBusy(home, "")
        yield

    with pytest.raises(ArchiveBusy):
        store.merge(inner)
    assert store.open().generation == generation + 1
    assert not list(home.glob(".merge-*"))
    (home / ".merge-seg-left").mkdir()  # as a killed process leaves it
    commit(store)
    assert not list(home.glob(".merge-*"))
    assert store.merge(nullcontext)
    assert len(store.open().views) == 1


def test_another_model_is_refused(store: Store) -> None:
    commit(store, group(1))
    with pytest.raises(ModelMismatch, match="WENJU_MODEL") as raised:
        store.commit(model="other")
    assert (raised.value.indexed, raised.value.configured) == ("m", "other")
    assert store.open().generation == 1


def test_another_word_list_is_refused_and_seen(
    home: Path, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    commit(store, group(1))
    words = tmp_path / "words.txt"
    words.write_text("巴渝数智谷\n", encoding="utf-8")
    other = Store(home, Tokenizer(words))
    with caplog.at_level(logging.WARNING):
        snapshot = other.open()
    assert "index_tokenizer_differs" in caplog.text
    assert snapshot.stats()["tokenizer_matches"] is False
    with pytest.raises(TokenizerMismatch, match="--dict"):
        commit(other, group(2))
    assert other.rebuild([Batch(group(2), vectors_of(group(2)))], model="m").size == 3
    assert other.open().stats()["tokenizer_matches"] is True


def test_rebuild_replaces_everything(home: Path, store: Store) -> None:
    old = commit(store, group(1, 30))
    vectors = np.eye(3, dtype=np.float32)
    new = store.rebuild([Batch(group(2), vectors)], model="other")
    assert (new.generation, new.model, new.dim, new.size) == (2, "other", 3, 3)
    assert contents(old)["groups"] == ["g1"]
    assert len([p for p in home.iterdir() if p.name.startswith("gen-")]) == 1
    again = Store(home, TOKENIZER).open()
    assert again.groups() == {"g2"}
    assert [h.id for h in again.dense(vectors[1], 1)] == ["g2-1"]


@pytest.mark.parametrize(
    ("rows", "vectors", "match"),
    [
        ([*group(2), *group(2)], None, "twice"),
        (group(1), None, "already"),
        (group(2), NOTHING, "need"),
        (group(2), np.ones((3, DIM)) / DIM**0.5, "float32"),
        (group(2), np.ones((3, DIM), np.float32), "length 1"),
        (group(2), np.full((3, DIM), np.nan, np.float32), "length 1"),
        (group(2), np.eye(3, dtype=np.float32), "dimensions"),
        ([Entry("\ud800", "g", "")], None, "surrogates"),
        ([Entry("x", "\ud800", "")], None, "surrogates"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    home: Path,
    store: Store,
    rows: list[Entry],
    vectors: NDArray[np.float32] | None,
    match: str,
) -> None:
    before = contents(commit(store, group(1)))
    files = sorted(home.rglob("*"))
    with pytest.raises(ValueError, match=match):
        store.commit(Batch(rows, vectors_of(rows) if vectors is None else vectors), model="m")
    assert contents(store.open()) == before
    assert sorted(home.rglob("*")) == files


def test_any_id_and_group_can_be_stored(store: Store) -> None:
    names = ["", "\x00", "a\x00", "a", "重庆-1.0", "𠮷", "x" * 5000, "\n"]
    snapshot = commit(store, [Entry(n, n, f"消息{i}") for i, n in enumerate(names)])
    assert snapshot.groups() == set(names)
    assert snapshot.vectors(names).shape == (8, DIM)
    snapshot = commit(store, [], ["a", "\x00"])
    assert snapshot.groups() == set(names) - {"a", "\x00"}


def test_the_writer_lock_lets_one_in(tmp_path: Path) -> None:
    path = tmp_path / "home" / "write.lock"
    with WriterLock(path):
        with pytest.raises(ArchiveBusy, match=r"process \d+ on \S+ since 20\d\d-") as raised:
            WriterLock(path).__enter__()
        assert raised.value.home == tmp_path / "home"
        assert raised.value.retryable
        blocked = []

        def try_it() -> None:
            try:
                with WriterLock(path):
                    pass
            except ArchiveBusy as error:
                blocked.append(error)

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        assert len(blocked) == 1
    with WriterLock(path), pytest.raises(ArchiveBusy):
        WriterLock(path).__enter__()


def test_readers_and_a_writer_at_once(home: Path, store: Store) -> None:
    """Every snapshot is one whole generation, however fast the writer is."""
    commit(store, group(1))
    done, wrong, seen = threading.Event(), [], set()

    def read(own: Store | None) -> None:
        while not done.is_set():
            try:
                snapshot = (own or Store(home, TOKENIZER)).open()
                n = snapshot.generation
                names = {f"g{i}" for i in (n - 1, n) if i > 0}
                ids = {f"{g}-{i}" for g in names for i in range(3)}
                dense = {h.id for h in snapshot.dense(vectors_of(group(n))[0], 50)}
                lexical = {h.id for h in snapshot.lexical("消息", 50)}
                if snapshot.groups() != names or not dense == ids == lexical:
                    wrong.append((n, snapshot.groups(), dense, lexical))
                seen.add(n)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong is the result
                wrong.append(error)

    readers = [threading.Thread(target=read, args=(own,)) for own in (store, store, None)]
    for thread in readers:
        thread.start()
    for number in range(2, 16):
        commit(store, group(number), [f"g{number - 2}"])
    done.set()
    for thread in readers:
        thread.join()
    assert wrong == []
    assert len(seen) > 3


def test_a_missing_folder_of_the_newest_generation_is_stepped_over(
    home: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    commit(store, group(1))
    good = contents(store.open())
    commit(store, group(2))
    newest = next(p for p in home.iterdir() if p.name.startswith("gen-00000002"))
    newest.rename(home / "moved-away")
    fresh = Store(home, TOKENIZER)
    with caplog.at_level(logging.WARNING):
        snapshot = fresh.open()
    assert contents(snapshot) == good
    assert "missing" in str(snapshot.stats()["fell_back"])
    assert "index_fell_back" in caplog.text
    assert fresh.verify() != []
    repaired = commit(fresh, group(3))
    assert repaired.generation == 3
    assert repaired.groups() == {"g1", "g3"}
    assert repaired.stats()["fell_back"] == ""
    assert fresh.verify() == []


def test_nothing_to_fall_back_to_is_an_error_until_rebuilt(home: Path, store: Store) -> None:
    commit(store, group(1))
    (home / "CURRENT").write_bytes(b"{}")
    next(home.glob("gen-*/manifest.json")).unlink()
    fresh = Store(home, TOKENIZER)
    with pytest.raises(IndexDamaged, match="doctor --repair"):
        fresh.open()
    with pytest.raises(IndexDamaged):
        commit(fresh, group(2))
    assert fresh.rebuild([Batch(group(2), vectors_of(group(2)))], model="m").size == 3
    assert fresh.verify() == []
    assert Store(home, TOKENIZER).open().groups() == {"g2"}


def test_another_format_is_refused(home: Path, store: Store) -> None:
    from index.files import seal

    commit(store, group(1))
    (home / "CURRENT").write_bytes(seal({"format": 99, "generations": []}))
    for manifest in home.glob("gen-*/manifest.json"):
        manifest.write_bytes(seal({"format": 99}))
    with pytest.raises(IndexDamaged, match="another version"):
        Store(home, TOKENIZER).open()
