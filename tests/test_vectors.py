"""`index.vectors`: every text encoded once, kept through kills, damage noticed."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import WenjuError
from index.vectors import VectorCache

TEXTS = [
    "重庆实验室揭牌",
    "Weather in Beijing",
    "重庆实验室揭牌",
    "",
    "老旧小区改造",
    "a\U0001f600b",
]


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    return VectorCache(tmp_path / "home" / "vectors.sqlite")


def test_rows_are_the_encoders_rows_in_the_order_of_the_texts(cache):
    encoder = HashingEncoder()
    for _ in range(2):  # newly encoded, then from the file
        rows = cache.encode(encoder, TEXTS, batch=2)
        np.testing.assert_array_equal(rows, HashingEncoder().encode_passages(TEXTS))


def test_each_distinct_text_is_encoded_once(cache):
    encoder = HashingEncoder()
    cache.encode(encoder, TEXTS, batch=2)
    assert sorted(encoder.encoded) == sorted(set(TEXTS))
    encoder.encoded.clear()
    cache.encode(encoder, [*TEXTS, "new"])
    assert encoder.encoded == ["new"]


def test_no_texts_give_no_rows_of_the_encoders_width(cache):
    assert cache.encode(HashingEncoder(dim=48), []).shape == (0, 48)


def test_progress_adds_up_to_the_number_of_texts(cache):
    for _ in range(2):
        told: list[int] = []
        cache.encode(HashingEncoder(), TEXTS, progress=told.append, batch=2)
        assert sum(told) == len(TEXTS)
        assert all(told)


def test_models_do_not_share_vectors(cache):
    one, other = HashingEncoder(), HashingEncoder(fingerprint="other")
    cache.encode(one, TEXTS)
    cache.encode(other, TEXTS[:2])
    assert sorted(other.encoded) == sorted(TEXTS[:2])
    assert cache.size() == {one.fingerprint: 5, other.fingerprint: 2}


@settings(max_examples=25, deadline=None)
@given(lists=st.lists(st.lists(st.text(max_size=6), max_size=8), max_size=4))
def test_any_sequence_of_calls_gives_what_the_encoder_gives(tmp_path_factory, lists):
    cache = VectorCache(tmp_path_factory.mktemp("any") / "v.sqlite")
    encoder = HashingEncoder(dim=16)
    for texts in lists:
        rows = cache.encode(encoder, texts, batch=3)
        np.testing.assert_array_equal(rows, HashingEncoder(dim=16).encode_passages(texts))
    assert len(encoder.encoded) == len(set(encoder.encoded))


def test_batches_done_before_an_interruption_are_kept(cache):
    class Interrupted(HashingEncoder):
        def encode_passages(self, texts, progress=None):
            if len(self.encoded) >= 4:
                raise KeyboardInterrupt
            return super().encode_passages(texts, progress)

    texts = [f"text number {i}" for i in range(10)]
    with pytest.raises(KeyboardInterrupt):
        cache.encode(Interrupted(), texts, batch=2)
    after = HashingEncoder()
    cache.encode(after, texts, batch=2)
    assert len(after.encoded) == 6


def test_forget_removes_a_text_under_every_model(cache):
    one, other = HashingEncoder(), HashingEncoder(fingerprint="other")
    cache.encode(one, TEXTS)
    cache.encode(other, TEXTS)
    assert cache.forget([TEXTS[0], "never seen"]) == 2
    one.encoded.clear()
    cache.encode(one, TEXTS)
    assert one.encoded == [TEXTS[0]]


def test_purge_keeps_only_the_given_texts_of_one_model(cache):
    one, other = HashingEncoder(), HashingEncoder(fingerprint="other")
    cache.encode(one, TEXTS)
    cache.encode(other, TEXTS)
    assert cache.purge(one.fingerprint, [TEXTS[1], TEXTS[4], "never seen"]) == 3 + 5
    assert cache.size() == {one.fingerprint: 2}
    one.encoded.clear()
    cache.encode(one, TEXTS)
    assert set(one.encoded) == set(TEXTS) - {TEXTS[1], TEXTS[4]}


def test_nothing_is_made_by_asking(tmp_path):
    cache = VectorCache(tmp_path / "none" / "v.sqlite")
    assert cache.size() == {}
    assert cache.forget(["x"]) == 0
    assert cache.purge("m", ["x"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_bit_in_a_vector_is_noticed_and_encoded_again(tmp_path, caplog):
    path = tmp_path / "v.sqlite"
    cache, encoder = VectorCache(path), HashingEncoder()
    right = cache.encode(encoder, TEXTS)
    with closing(sqlite3.connect(path)) as database, database:
        (rowid, row), *_ = database.execute("SELECT rowid, row FROM vector ORDER BY rowid LIMIT 1")
        changed = bytes([row[0] ^ 4]) + row[1:]
        database.execute("UPDATE vector SET row = ? WHERE rowid = ?", [changed, rowid])
    encoder.encoded.clear()
    np.testing.assert_array_equal(cache.encode(encoder, TEXTS), right)
    assert len(encoder.encoded) == 1
    assert "vectors_damaged" in caplog.messages


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 40, b"SQLite"])
def test_a_file_that_is_no_database_is_set_aside(tmp_path, caplog, content):
    path = tmp_path / "v.sqlite"
    path.write_bytes(content)
    rows = VectorCache(path).encode(HashingEncoder(), TEXTS)
    np.testing.assert_array_equal(rows, HashingEncoder().encode_passages(TEXTS))
    assert "vectors_damaged" in caplog.messages
    (aside,) = tmp_path.glob("v.sqlite.damaged-*")
    assert aside.read_bytes() == content


def test_damage_inside_the_file_is_reported_and_the_next_call_works(tmp_path):
    path = tmp_path / "v.sqlite"
    texts = [f"text {i}" for i in range(300)]
    VectorCache(path).encode(HashingEncoder(), texts)
    size = path.stat().st_size
    with path.open("r+b") as file:  # all but the first pages, where the schema is
        file.seek(12_288)
        file.write(b"\xa5" * (size - 12_288))
    with pytest.raises(WenjuError, match="cannot be read or written"):
        VectorCache(path).encode(HashingEncoder(), texts)
    rows = VectorCache(path).encode(HashingEncoder(), texts)
    np.testing.assert_array_equal(rows, HashingEncoder().encode_passages(texts))


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WenjuError, match="make sure that the folder can be written"):
        VectorCache(tmp_path / "file" / "v.sqlite").encode(HashingEncoder(), TEXTS)


def test_a_batch_of_none_is_refused(cache):
    with pytest.raises(ValueError, match="at least 1"):
        cache.encode(HashingEncoder(), TEXTS, batch=0)


def test_threads_reading_and_writing_at_once_get_right_rows(cache):
    texts = [f"text number {i}" for i in range(60)]
    right = HashingEncoder().encode_passages(texts)
    wrong: list[str] = []

    def work(shift: int) -> None:
        order = np.roll(np.arange(60), shift)
        rows = cache.encode(HashingEncoder(), [texts[i] for i in order], batch=5)
        if not np.array_equal(rows, right[order]):
            wrong.append(f"shift {shift}")

    threads = [threading.Thread(target=work, args=(7 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(cache.size().values()) == [60]


_WRITER = """
import sys
from pathlib import Path
from index.vectors import VectorCache
from tests.fakes import HashingEncoder

texts = [f"text number {i}" for i in range(4000)]
done = 0
def told(n):
    global done
    done += n
    print(done, flush=True)
VectorCache(Path(sys.argv[1])).encode(HashingEncoder(), texts, told, batch=10)
"""


def test_what_was_told_done_survives_kill_9(tmp_path):
    """A writer is killed at random moments; whatever it had told is there and right."""
    path = tmp_path / "v.sqlite"
    texts = [f"text number {i}" for i in range(4000)]
    root = Path(__file__).parents[1]
    for round_ in range(int(os.environ.get("WENJU_TEST_KILLS", "5"))):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, cwd=root
        )
        assert writer.stdout is not None
        told = [writer.stdout.readline()]  # by now it is writing
        time.sleep(0.003 * (round_ + 1))
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.read().splitlines()
        writer.wait()
        writer.stdout.close()
        acknowledged = max(int(line) for line in told if line.strip())
        kept = sum(VectorCache(path).size().values())
        assert kept >= acknowledged
        assert kept % 10 == 0  # a batch is there whole or not at all
    encoder = HashingEncoder()
    rows = VectorCache(path).encode(encoder, texts)
    np.testing.assert_array_equal(rows, HashingEncoder().encode_passages(texts))
    assert len(encoder.encoded) <= 4000 - acknowledged
