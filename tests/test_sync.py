"""An archive kept in step with a folder: new, changed, gone; watched; stopped and gone on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from fakes import HashingEncoder
from serving import WENJU

from rag.errors import BadInput, UnreadableFile
from rag.intake import Intake
from rag.progress import Steps
from rag.readers.ahead import Ahead
from rag.readers.text import text_pieces
from rag.types import Document
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


def test_a_citation_names_the_page_of_its_pdf(pipeline):
    text = f"标题\n\n{FIRST}\n\f{SECOND}\n\f{THIRD}"
    document = Document(
        "a.pdf", text, text_pieces(text)[0], {"kind": "article"}, "pdf", "", "0" * 64
    )
    report = Intake(pipeline.corpus).put_file("a.pdf", [document])
    pipeline.archive.sync()
    answer = pipeline.ask("老旧小区改造先改什么？")
    cited = {c.quote: c.source_page for c in answer.citations}
    assert cited[THIRD] == 3
    (article,) = pipeline.corpus.get_many(report.articles).values()
    pages = [
        pipeline.corpus.source_page(article.id, p.parts[0].source.start) for p in article.paragraphs
    ]
    assert pages[-3:] == [1, 2, 3]
    assert pipeline.corpus.source_page("no such", 0) is None


# Stopped and gone on; in bounded memory


def lines(count: int, size: int = 1) -> str:
    return "".join(
        json.dumps({"title": f"第{n}条", "text": f"{n}号。{THIRD * size}"}) + "\n"
        for n in range(count)
    )


def test_a_stopped_run_keeps_what_is_done_and_the_next_goes_on(make_pipeline, tmp_path):
    path = tmp_path / "many.jsonl"
    path.write_text(lines(1300))
    encoder = HashingEncoder()
    pipeline = make_pipeline(encoder=encoder)

    def stop(step: str, done: int, total: int) -> None:
        if step == "encode" and done >= 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.add([path], progress=stop)
    held = pipeline.corpus.stats()["documents"]
    assert 1000 <= held < 1300  # more where a slow machine stores by time, too
    before = len(encoder.encoded)
    assert before
    (report,) = pipeline.add([path])
    assert (report.outcome, len(report.articles)) == ("added", 1300)
    assert pipeline.corpus.stats()["documents"] == pipeline.snapshot().size == 1300
    assert len(encoder.encoded) == len(set(encoder.encoded))
    (again,) = pipeline.add([path])
    assert (again.outcome, len(again.articles)) == ("unchanged", 1300)


def test_the_way_through_a_file_is_told(tmp_path):
    paths = [tmp_path / "a.jsonl", tmp_path / "b.txt"]
    paths[0].write_text(lines(40, size=600))
    paths[1].write_text(FIRST)
    told: list[tuple[str, int, int]] = []
    steps = Steps(paths, lambda *step: told.append(step))
    with Ahead() as ahead:
        for _, found in ahead.files(paths, at=steps.at):
            assert found is not None
            assert list(found)
            steps.done()
    total = sum(p.stat().st_size for p in paths) // 1024
    assert total > 3000
    read = [done for step, done, of in told if step == "bytes" and of == total]
    assert len(read) > 3
    assert read == sorted(read)
    assert read[-1] == total
    assert [t for t in told if t[0] == "read"] == [("read", 1, 2), ("read", 2, 2)]


MEMORY = """
import resource, sys
from pathlib import Path
from rag import readers
from rag.corpus import Corpus
from rag.intake import Intake

def add(path):
    report = Intake(corpus).put_file(path, readers.read_every(Path(path)))
    return len(report.articles) + report.more, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

corpus = Corpus(Path(sys.argv[1]))
small, before = add(sys.argv[2])
large, after = add(sys.argv[3])
corpus.close()
print(small, large, after - before)
"""


def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path):
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    small.write_text(lines(100, size=220))
    large.write_text(lines(1100, size=220))
    assert large.stat().st_size > 20_000_000
    command = [sys.executable, "-c", MEMORY, tmp_path / "corpus.sqlite", small, large]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    first, second, grown = map(int, said.split())
    assert (first, second) == (100, 1100)
    assert grown < 16 * 1024  # KiB, of a file of 20 MB more


def test_parsed_files_are_read_ahead_in_their_order(tmp_path):
    paths = []
    for number in range(9):
        path = tmp_path / f"{number}.{'html' if number % 3 else 'txt'}"
        path.write_text(f"<h1>{number}</h1><p>{FIRST}</p>" if number % 3 else FIRST)
        paths.append(path)
    paths[4].write_bytes(b"")
    with Ahead() as ahead:
        found = ahead.files(paths, wanted=lambda path: path != paths[7])
        told = []
        for path, documents in found:
            try:
                told.append((path, None if documents is None else [d.uri for d in documents]))
            except UnreadableFile as error:
                told.append((path, error.reason))
    assert [path for path, _ in told] == paths
    assert told[4][1] == "is empty; nothing was added"
    assert told[7][1] is None
    assert all(said == [str(p)] for n, (p, said) in enumerate(told) if n not in (4, 7))


def test_leaving_ends_what_is_being_parsed(tmp_path):
    slow = tmp_path / "slow.html"
    slow.write_text("<div>" * 400_000)
    since = time.monotonic()

    def stopped() -> None:
        with Ahead() as ahead:
            next(ahead.files([slow, slow, slow, slow]))
            time.sleep(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert time.monotonic() - since < 60


# Watching


def test_a_file_is_given_once_it_is_written_to_its_end(tmp_path):
    stop = threading.Event()
    events = settled([tmp_path], settle=2.0, stop=stop)
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
    assert time.monotonic() - done_at[0] > 1.0
    (tmp_path / "a.txt").unlink()
    assert next(events).gone
    stop.set()
    assert next(events, None) is None


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path):
    with pytest.raises(BadInput, match="no folder"):
        next(settled([tmp_path / "no"], settle=1))


def test_the_commands_tell_what_they_did(tmp_path, folder, cache):
    home, env = tmp_path / "home", {**os.environ, "WENJU_CACHE": str(cache)}
    done = subprocess.run(
        [*WENJU, "sync", folder, "--home", home, "--json"],
        capture_output=True, text=True, cwd=ROOT, env=env, check=True, timeout=200,
    )  # fmt: skip
    assert json.loads(done.stdout)["counts"] == {"added": 3, "skipped": 1}
    output = tmp_path / "out.txt"
    with output.open("w") as out, (tmp_path / "err.txt").open("w") as err:
        watching = subprocess.Popen(
            [*WENJU, "add", "--watch", folder, "--settle", "0.3", "--home", home, "--json"],
            stdout=out, stderr=err, cwd=ROOT, env=env,
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
