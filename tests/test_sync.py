"""An archive kept in step with a folder: new, changed, gone; watched; stopped and gone on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from rag.errors import BadInput
from rag.watching import settled

ROOT = Path(__file__).resolve().parent.parent
FIRST = "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长。"
SECOND = "成渝地区双城经济圈建设走深走实，一批重点项目陆续开工。"
THIRD = "老旧小区改造先改水电气管网，再改楼道和外墙。"


def article(title: str, text: str) -> str:
    return f"---\ntitle: {title}\nauthors: 谭书遥\ndate: 2024-05-20\n---\n\n{text}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    (made / "sub").mkdir(parents=True)
    (made / "a.md").write_text(article("产量", FIRST))
    (made / "sub" / "b.md").write_text(article("双城", SECOND))
    (made / "c.jsonl").write_text(
        "".join(json.dumps({"title": f"第{n}条", "text": f"{n}{THIRD}"}) + "\n" for n in range(3))
    )
    (made / "tool.exe").write_bytes(b"MZ")
    return made


def outcomes(reports, folder):
    return {Path(r.uri).relative_to(folder).as_posix(): r.outcome for r in reports}


def titles(pipeline):
    return {a.title for a in pipeline.corpus.listing()[0]}


def test_what_is_new_changed_and_gone_is_told(pipeline, folder):
    first = pipeline.archive.follow(folder)
    assert outcomes(first, folder) == {
        "a.md": "added", "sub/b.md": "added", "c.jsonl": "added", "tool.exe": "skipped",
    }  # fmt: skip
    (folder / "a.md").write_text(article("产量新", FIRST))
    (folder / "sub" / "b.md").unlink()
    (folder / "d.md").write_text(article("小区", THIRD))
    second = pipeline.archive.follow(folder)
    assert outcomes(second, folder) == {
        "a.md": "replaced", "c.jsonl": "unchanged", "d.md": "added", "sub/b.md": "gone",
        "tool.exe": "skipped",
    }  # fmt: skip
    (gone,) = (r for r in second if r.outcome == "gone")
    assert gone.reason == "is no longer there"
    assert (len(gone.articles), gone.passages) == (1, 1)
    assert titles(pipeline) == {"产量新", "双城", "小区", "第0条", "第1条", "第2条"}


def test_what_is_gone_is_removed_when_asked_and_comes_back_with_its_file(pipeline, folder):
    pipeline.archive.follow(folder)
    held = (folder / "sub" / "b.md").read_text()
    (folder / "sub" / "b.md").unlink()
    reports = pipeline.archive.follow(folder, delete=True)
    assert outcomes(reports, folder)["sub/b.md"] == "removed"
    assert "双城" not in titles(pipeline)
    assert all(e.article.title != "双城" for e in pipeline.search("成渝地区双城经济圈"))
    (folder / "sub" / "b.md").write_text(held)
    assert outcomes(pipeline.archive.follow(folder), folder)["sub/b.md"] == "added"
    assert "双城" in titles(pipeline)


def test_an_article_that_another_file_holds_stays(pipeline, folder):
    (folder / "copy.md").write_text((folder / "a.md").read_text())
    pipeline.archive.follow(folder)
    (folder / "a.md").unlink()
    (removed,) = (r for r in pipeline.archive.follow(folder, delete=True) if r.outcome == "removed")
    assert removed.articles == ()
    assert "产量" in titles(pipeline)


def test_records_that_are_gone_are_told_and_removed(pipeline, folder):
    pipeline.archive.follow(folder)
    lines = (folder / "c.jsonl").read_text().splitlines(keepends=True)
    (folder / "c.jsonl").write_text("".join(lines[:2]))
    (gone,) = (r for r in pipeline.archive.follow(folder) if r.outcome == "gone")
    assert (gone.uri, gone.reason) == (
        str(folder / "c.jsonl"), "1 parts of it are no longer in it",
    )  # fmt: skip
    pipeline.archive.follow(folder, delete=True)
    assert "第2条" not in titles(pipeline)
    assert "第1条" in titles(pipeline)


def test_what_cannot_be_read_is_not_taken_for_gone(pipeline, folder):
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("e.jsonl", json.dumps({"title": "压缩", "text": THIRD}))
    pipeline.archive.follow(folder)
    before = titles(pipeline)
    assert "压缩" in before
    (folder / "z.zip").write_bytes(b"PK no such zip")
    (folder / "c.jsonl").write_text("{broken\n{broken\n{broken\n")
    (folder / "a.md").write_bytes(b"\0\0\0")
    reports = pipeline.archive.follow(folder, delete=True)
    assert not [r for r in reports if r.outcome in ("gone", "removed")]
    assert outcomes(reports, folder)["z.zip"] == "failed"
    assert titles(pipeline) == before


def test_an_empty_folder_removes_nothing(pipeline, folder):
    pipeline.archive.follow(folder)
    before = titles(pipeline)
    for path in folder.rglob("*.*"):
        path.unlink()
    reports = pipeline.archive.follow(folder, delete=True)
    assert {r.outcome for r in reports} == {"gone"}
    assert titles(pipeline) == before


def test_files_elsewhere_are_let_alone(pipeline, folder, tmp_path):
    other = tmp_path / "in-other"
    other.mkdir()
    (other / "x.md").write_text(article("别处", THIRD))
    pipeline.add([other])
    (other / "x.md").unlink()
    assert not [r for r in pipeline.archive.follow(folder, delete=True) if r.outcome == "removed"]
    assert "别处" in titles(pipeline)


def test_a_parsed_file_that_has_not_changed_is_not_parsed_again(pipeline, folder):
    (folder / "p.html").write_text(f"<article><h1>网页</h1><p>{FIRST}</p></article>")
    added = {r.uri: r for r in pipeline.archive.follow(folder)}
    again = {r.uri: r for r in pipeline.archive.follow(folder)}
    page = str(folder / "p.html")
    assert (again[page].outcome, again[page].articles) == ("unchanged", added[page].articles)


# Watching


def test_a_file_is_given_once_it_is_written_to_its_end(tmp_path):
    stop = threading.Event()
    events = settled([tmp_path], settle=0.6, stop=stop)
    assert next(events).changed == ()
    done_at = []

    def write() -> None:
        with (tmp_path / "a.txt").open("w") as file:
            for _ in range(5):
                file.write(FIRST)
                file.flush()
                time.sleep(0.25)
        (tmp_path / "notes.tmp").write_text("x")
        (tmp_path / ".hidden.txt").write_text("x")
        done_at.append(time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    found = next(events)
    writer.join()
    assert found.changed == (tmp_path / "a.txt",)
    assert time.monotonic() - done_at[0] > 0.2
    (tmp_path / "a.txt").unlink()
    assert next(events).gone
    stop.set()
    assert next(events, None) is None


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path):
    with pytest.raises(BadInput, match="no folder"):
        next(settled([tmp_path / "no"], settle=1))


@pytest.mark.model
def test_the_commands_tell_what_they_did(tmp_path, folder):
    home = tmp_path / "home"
    command = [sys.executable, "-m", "api.cli"]
    done = subprocess.run(
        [*command, "sync", folder, "--home", home, "--json"],
        capture_output=True, text=True, cwd=ROOT, check=True, timeout=200,
    )  # fmt: skip
    assert json.loads(done.stdout)["counts"] == {"added": 3, "skipped": 1}
    output = tmp_path / "out.txt"
    with output.open("w") as out, (tmp_path / "err.txt").open("w") as err:
        watching = subprocess.Popen(
            [*command, "add", "--watch", folder, "--settle", "0.3", "--home", home, "--json"],
            stdout=out, stderr=err, cwd=ROOT,
        )  # fmt: skip
    try:
        wait_for(lambda: "watching" in (tmp_path / "err.txt").read_text())
        (folder / "d.md").write_text(article("小区", THIRD))
        wait_for(lambda: len(output.read_text().splitlines()) == 2)
        (folder / "a.md").unlink()
        wait_for(lambda: len(output.read_text().splitlines()) == 3)
    finally:
        watching.send_signal(signal.SIGINT)
        status = watching.wait(timeout=60)
    assert status == 0, (tmp_path / "err.txt").read_text()
    counts = [json.loads(line)["counts"] for line in output.read_text().splitlines()]
    assert counts == [{"skipped": 1, "unchanged": 3}, {"added": 1}, {"gone": 1}]
    assert "no longer watching" in (tmp_path / "err.txt").read_text()


def wait_for(condition) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)
