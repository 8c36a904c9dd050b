"""One article added or deleted: what is compared for it, and what a broken-off change leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import HashingEncoder
from test_reprints import BODY, OTHER

from index.snapshot import Snapshot
from rag.backup import backup, restore
from rag.corpus import Corpus
from rag.errors import NotFound
from rag.pipeline import Pipeline
from rag.stores import CHANGING

TEXTS = {"lab": BODY, "again": f"本报讯 {BODY}", "old": OTHER, "port": "果园港开行新的班列。" * 9}


class Killed(BaseException):
    """Nothing of the program catches it."""


def upload(pipeline: Pipeline, name: str, text: str | None = None) -> str:
    """Add an article; its id."""
    body = f"---\ntitle: {name}\n---\n\n{text or TEXTS[name]}\n"
    (found,) = pipeline.add_upload(f"{name}.md", body.encode()).articles
    return found


@pytest.fixture
def ids(pipeline: Pipeline) -> dict[str, str]:
    return {name: upload(pipeline, name) for name in TEXTS}


def agree(pipeline: Pipeline) -> bool:
    """Whether corpus, index and reprints hold the same articles."""
    return (
        pipeline.corpus.ids() == pipeline.snapshot().groups()
        and pipeline.reprints.check(pipeline.corpus) == []
        and pipeline.reprints.sync(pipeline.corpus) == 0
    )


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes whenever everything is listed."""
    calls: list[str] = []
    ids, groups = Corpus.ids, Snapshot.groups

    def all_ids(corpus: Corpus) -> set[str]:
        calls.append("ids")
        return ids(corpus)

    def all_groups(snapshot: Snapshot) -> frozenset[str]:
        calls.append("groups")
        return groups(snapshot)

    monkeypatch.setattr(Corpus, "ids", all_ids)
    monkeypatch.setattr(Snapshot, "groups", all_groups)
    return calls


def test_a_deletion_compares_nothing_and_is_seen_everywhere_at_once(
    pipeline: Pipeline, make_pipeline: Any, ids: dict[str, str], compared: list[str]
) -> None:
    reader = make_pipeline()
    assert ids["old"] in {e.article.id for e in reader.search("老旧小区改造先改什么")}
    assert set(pipeline.reprints.families(list(ids.values()))) == {ids["lab"], ids["again"]}
    compared.clear()
    pipeline.delete(ids["old"])
    pipeline.delete(ids["again"])
    assert compared == []
    left = {ids["lab"], ids["port"]}
    assert {a.id for a in reader.corpus.listing()[0]} == left
    assert {e.article.id for e in reader.search("老旧小区改造先改什么", top_k=50)} <= left
    assert reader.snapshot().groups() == left
    assert reader.reprints.families(list(ids.values())) == {}
    assert agree(pipeline)
    assert pipeline.store.verify() == []


def test_an_upload_compares_nothing_but_its_own_articles(
    pipeline: Pipeline, ids: dict[str, str], compared: list[str]
) -> None:
    compared.clear()
    replaced = upload(pipeline, "old", "新写的一段话，讲的是别的事情。" * 9)
    copy = f"---\ntitle: lab\n---\n\n{BODY}\n".encode()
    assert pipeline.add_upload("copy.md", copy).articles == (ids["lab"],)  # as lab.md has it
    other = upload(pipeline, "lab", "改过的一段话，讲的又是别的事情。" * 9)
    assert compared == []
    left = {replaced, other, ids["lab"], ids["again"], ids["port"]}  # copy.md holds that of lab.md
    assert pipeline.snapshot().groups() == left
    assert agree(pipeline)


def a_deletion(pipeline: Pipeline, ids: dict[str, str]) -> None:
    pipeline.delete(ids["port"])


def an_upload(pipeline: Pipeline, _: dict[str, str]) -> None:
    upload(pipeline, "new", "渡口的老船工说起从前的日子。" * 9)


def a_start(pipeline: Pipeline, _: dict[str, str]) -> None:
    pipeline.archive.catch_up()


def an_addition(pipeline: Pipeline, _: dict[str, str]) -> None:
    pipeline.add([])


@pytest.mark.parametrize("next_", [a_deletion, an_upload, a_start, an_addition])
@pytest.mark.parametrize("begun", ["delete", "add"])
@pytest.mark.parametrize("where", ["index", "reprints"])
def test_what_a_killed_writer_left_is_finished_by_the_next(
    make_pipeline: Callable[..., Pipeline],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    begun: str,
    next_: Callable[[Pipeline, dict[str, str]], None],
) -> None:
    first = make_pipeline()
    ids = {name: upload(first, name) for name in TEXTS}

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        owner, name = (first.store, "commit") if where == "index" else (first.reprints, "sync")
        patched.setattr(owner, name, killed)
        begin = (
            partial(first.delete, ids["lab"])
            if begun == "delete"
            else partial(upload, first, "bridge", "大桥合龙，两岸的人走到一起。" * 9)
        )
        with pytest.raises(Killed):
            begin()
    assert (first.config.home / CHANGING).exists()
    second = make_pipeline()
    assert second.snapshot().groups() == set(ids.values())  # it has not followed
    held = set(ids.values()) - {ids["lab"]}
    assert (second.corpus.ids() == held) == (begun == "delete")
    found = {e.article.id for e in second.search("四大实验室", top_k=50)}
    assert (ids["lab"] in found) == (begun == "add")
    next_(second, ids)
    assert agree(second)
    assert not (second.config.home / CHANGING).exists()


def test_what_failed_in_one_process_is_finished_by_another(
    make_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make_pipeline(), make_pipeline()
    ids = {name: upload(one, name) for name in TEXTS}
    with monkeypatch.context() as patched:
        patched.setattr(one.store, "commit", lambda **_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            one.delete(ids["lab"])
    with pytest.raises(NotFound):
        other.delete(ids["lab"])
    assert (other.config.home / CHANGING).exists()  # refused; nothing was finished by that
    other.delete(ids["old"])
    assert agree(other)


def test_an_unknown_article_leaves_no_mark(
    pipeline: Pipeline, ids: dict[str, str], compared: list[str]
) -> None:
    compared.clear()
    with pytest.raises(NotFound):
        pipeline.delete("unknown")
    assert not (pipeline.config.home / CHANGING).exists()
    pipeline.delete(ids["lab"])
    assert compared == []


def test_a_mark_that_cannot_be_removed_only_costs_a_comparison(
    pipeline: Pipeline,
    ids: dict[str, str],
    compared: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == CHANGING:
            raise PermissionError(13, "not yours")
        real(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink)
        pipeline.delete(ids["lab"])
    assert "mark_left" in caplog.text
    compared.clear()
    pipeline.delete(ids["old"])
    assert set(compared) == {"ids", "groups"}
    assert agree(pipeline)


@pytest.mark.parametrize("lost", ["index", "reprints.sqlite"])
def test_what_was_lost_is_made_again_by_a_deletion(
    make_pipeline: Callable[..., Pipeline], lost: str
) -> None:
    import shutil

    first = make_pipeline()
    ids = {name: upload(first, name) for name in TEXTS}
    first.close()
    for path in first.config.home.glob(f"{lost}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    second = make_pipeline(encoder=HashingEncoder())
    second.delete(ids["old"])
    families = second.reprints.families(list(ids.values()))
    assert set(families) == {ids["lab"], ids["again"]}
    assert agree(second)


def test_what_an_older_generation_lacks_is_made_again_by_a_deletion(
    make_pipeline: Callable[..., Pipeline],
) -> None:
    first = make_pipeline()
    ids = {name: upload(first, name) for name in TEXTS}
    newest = max((first.config.home / "index").glob("gen-*/manifest.json"))
    newest.write_bytes(b"damaged")
    second = make_pipeline()
    assert second.snapshot().stats()["fell_back"]
    assert ids["port"] not in second.snapshot().groups()
    second.delete(ids["old"])
    assert ids["port"] in second.snapshot().groups()
    assert agree(second)


def test_a_backup_tells_that_a_change_was_broken_off(
    make_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = make_pipeline()
    ids = {name: upload(first, name) for name in TEXTS}
    file, home = tmp_path / "today.tar", tmp_path / "again"
    backup(first.config.home, file)
    restore(file, home)
    assert not (home / CHANGING).exists()

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(first.store, "commit", killed)
        with pytest.raises(Killed):
            first.delete(ids["lab"])
    backup(first.config.home, file)
    restore(file, home, force=True)
    second = make_pipeline(home=home)
    assert not agree(second)
    second.delete(ids["old"])
    assert agree(second)
