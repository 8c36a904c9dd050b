"""Short forms of `make torture`: the whole archive killed and failed, corpus and index together."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eval import torture_damage, torture_kills
from eval.torture_archive import KINDS, Expected, change, numbers, opened, problems, text_of
from eval.torture_calls import failing
from index.lock import WriterLock
from rag.checksums import TABLES, row_sum
from rag.corpus import Corpus
from rag.errors import NewerFormat


def test_killed_writers_of_an_archive_lose_nothing_that_was_acknowledged(
    tmp_path: Path, cache: Path
) -> None:
    found = torture_kills.kills(6, tmp_path, cache, seed=3)
    assert found["problems"] == []
    assert found["kills"] == sum(found["in"].values()) == 6
    assert set(found["in"]) & set(KINDS)


def test_a_disk_that_fails_or_a_process_that_ends_at_any_call_harms_no_archive(
    tmp_path: Path, cache: Path
) -> None:
    found = torture_kills.faults(tmp_path, cache, every=131)
    assert found["problems"] == []
    assert set(found["calls"]) == set(KINDS)
    assert found["calls"]["add"] > 100  # SQLite's writes are among them
    assert found["died"] > 0
    assert found["refused"] > 0


def test_what_is_lost_is_noticed(tmp_path: Path, cache: Path) -> None:
    home = tmp_path / "home"
    with opened(home, cache) as pipeline:
        for number in (1, 2, 3):
            change(pipeline, "add", number)
        held = numbers(pipeline)
        assert set(held) == {1, 2, 3}
        assert pipeline.corpus.get(held[2]).text == text_of(2).strip()
    assert problems(home, cache, Expected(frozenset({1, 2, 3})), [1, 2, 3]) == []
    assert problems(home, cache, Expected(frozenset({1, 2, 3, 4})), [4]) == [
        "lost by the corpus: 4",
        "not answered: 4",
    ]
    assert problems(home, cache, Expected(frozenset({1, 2}))) == ["came from nowhere: 3"]
    with opened(home, cache) as pipeline:
        pipeline.store.commit(remove_groups=[held[1]], model=pipeline.encoder().fingerprint)
    found = problems(home, cache, Expected(frozenset({1, 2, 3})), [1])
    assert found == ["lost by the index: 1", "not answered: 1"]


def test_flipped_bits_are_found_named_and_mended(tmp_path: Path, cache: Path) -> None:
    found = torture_damage.damage(tmp_path, cache, flips=3, seed=5, files=1)
    assert found["problems"] == []
    assert sum(found["flips"].values()) == found["found"] + found["harmless"] == 10


def test_an_older_corpus_is_brought_up_to_date_and_a_newer_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.sqlite"
    Corpus(path).close()
    with closing(sqlite3.connect(path)) as db:
        for table in TABLES:
            db.execute(f"ALTER TABLE {table} DROP COLUMN sum")
        db.execute("INSERT INTO deleted VALUES ('0123', '2026-11-22')")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    corpus = Corpus(path)
    assert corpus.check() == []
    assert corpus.stats()["deleted"] == 1
    corpus.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT sum FROM deleted").fetchone() == (row_sum("0123", "2026-11-22"),)
        db.execute("UPDATE deleted SET at = '2026-11-23'")
        db.commit()
    assert corpus.check() == ["deleted: 0123 changed since written"]
    corpus.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(NewerFormat, match="install the newer one"):
        Corpus(path)


def test_a_note_that_cannot_be_removed_leaves_no_lock_held(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "writer.lock"
    with failing(0, "EIO") as made, WriterLock(path):
        pass
    last = max(place for place, name in enumerate(made, 1) if name == "unlink")
    with failing(last, "EIO"), WriterLock(path):
        pass
    assert "lock_note_left" in caplog.text
    with WriterLock(path):
        assert "process" in path.with_name("writer.lock.holder").read_text()
    assert not path.with_name("writer.lock.holder").exists()
