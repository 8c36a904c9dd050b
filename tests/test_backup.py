"""Backups of an archive that is served and written to, and what is not put back."""

import json
import tarfile
import threading
from pathlib import Path

import pytest

from eval.torture_archive import change, disagreement, numbers, opened, question_of, text_of
from rag.backup import HEAD, backup, restore
from rag.errors import BackupUnusable
from rag.feedback import Feedback, FeedbackStore


@pytest.fixture
def home(tmp_path: Path, cache: Path) -> Path:
    with opened(tmp_path / "home", cache) as pipeline:
        for number in (1, 2, 3):
            change(pipeline, "add", number)
        change(pipeline, "delete", 2)
    FeedbackStore(tmp_path / "home").put(Feedback("a1", "up", "问", "答"))
    return tmp_path / "home"


def held(home: Path, cache: Path) -> set[int]:
    with opened(home, cache) as pipeline:
        assert pipeline.store.verify() == []
        assert pipeline.corpus.check() == []
        assert disagreement(pipeline) == []
        for number, article in numbers(pipeline).items():
            assert pipeline.corpus.get(article).text == text_of(number).strip()
            assert pipeline.search(question_of(number), top_k=1)[0].article.id == article
        return set(numbers(pipeline))


def test_what_is_put_back_is_what_was_there(home: Path, tmp_path: Path, cache: Path) -> None:
    made = backup(home, tmp_path / "b.tar")
    assert made.articles == 2
    assert [p.name for p in home.iterdir() if p.name.startswith(".backup")] == []
    assert restore(tmp_path / "b.tar", tmp_path / "other") == made
    assert held(tmp_path / "other", cache) == {1, 3}
    assert FeedbackStore(tmp_path / "other").listing()[1] == 1
    with opened(tmp_path / "other", cache) as pipeline:
        assert pipeline.add_upload("d2.txt", text_of(2).encode()).articles == ()  # still deleted


def test_a_home_is_replaced_only_when_told_and_the_one_before_is_kept(
    home: Path, tmp_path: Path, cache: Path
) -> None:
    backup(home, tmp_path / "b.tar")
    with opened(home, cache) as served:
        change(served, "add", 4)
        with pytest.raises(BackupUnusable, match="--force"):
            restore(tmp_path / "b.tar", home)
        assert set(numbers(served)) == {1, 3, 4}
        restore(tmp_path / "b.tar", home, force=True)
        assert set(numbers(served)) == {1, 3}  # whoever has it open reads what was put back
        assert len(served.snapshot().groups()) == 2
        assert served.search(question_of(3), top_k=1)
        change(served, "add", 5)
    assert held(home, cache) == {1, 3, 5}
    (before,) = tmp_path.glob("home.before-*")
    assert held(before, cache) == {1, 3, 4}


def test_a_backup_while_articles_are_added_is_of_one_moment(
    home: Path, tmp_path: Path, cache: Path
) -> None:
    stop = threading.Event()
    with opened(home, cache) as pipeline:

        def add() -> None:
            for number in range(10, 60):
                if stop.is_set():
                    return
                change(pipeline, "add", number)

        writer = threading.Thread(target=add)
        writer.start()
        try:
            counts = [backup(home, tmp_path / f"{n}.tar").articles for n in range(3)]
        finally:
            stop.set()
            writer.join()
    assert counts == sorted(counts)
    for n, count in enumerate(counts):
        restore(tmp_path / f"{n}.tar", tmp_path / f"home{n}")
        assert len(held(tmp_path / f"home{n}", cache)) == count


def test_a_damaged_backup_is_refused_and_nothing_changes(home: Path, tmp_path: Path) -> None:
    backup(home, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "b.tar") as tar:
        places = [m.offset_data + m.size // 2 for m in tar.getmembers() if m.size]
    before = sorted(p.name for p in tmp_path.iterdir())
    for at in [*places[:12], len(whole) // 3]:
        broken = bytearray(whole)
        broken[at] ^= 1
        (tmp_path / "b.tar").write_bytes(broken)
        with pytest.raises(BackupUnusable, match="damaged"):
            restore(tmp_path / "b.tar", tmp_path / "other")
    (tmp_path / "b.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BackupUnusable):
        restore(tmp_path / "b.tar", home, force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "facts", "said"),
    [
        (HEAD, {"format": 2}, "install the Wenju that made it"),
        ("other.json", {}, "no backup"),
        (HEAD, {"files": {"../evil": [2, "x"]}}, "does not belong"),
    ],
)
def test_what_is_no_backup_of_this_wenju_is_refused(
    tmp_path: Path, name: str, facts: dict[str, object], said: str
) -> None:
    body = tmp_path / "head"
    body.write_text(json.dumps({"format": 1, "at": "", "articles": 0, "files": {}} | facts))
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        tar.add(body, name)
        tar.add(body, "../evil")
    with pytest.raises(BackupUnusable, match=said):
        restore(tmp_path / "b.tar", tmp_path / "home")
    assert not (tmp_path / "home").exists()
    assert not (tmp_path.parent / "evil").exists()
    with pytest.raises(BackupUnusable, match="no archive"):
        backup(tmp_path, tmp_path / "c.tar")
