"""A reading that broke off goes on at the byte where it stopped, and only where that is safe."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import unfinished
from rag.readers import read_every
from rag.readers.reached import Reached
from rag.types import Document
from rag.unfinished import Counts, Unfinished

ROOT = Path(__file__).resolve().parent.parent
TEXT = "老旧小区改造先改水电气管网，再改楼道和外墙。"


def jsonl(texts: list[str]) -> bytes:
    return "".join(json.dumps({"title": "甲", "text": t}) + "\n\n" for t in texts).encode()


def table(texts: list[str], encoding: str = "utf-8") -> bytes:
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(["标题", "正文"])
    for text in texts:
        writer.writerow(["乙", text])
    return made.getvalue().encode(encoding)


def news(texts: list[str]) -> bytes:
    return "".join(f"2024-05-20 {' '.join(t.split())}\n" for t in texts).encode()[:-1]


WRITTEN = {
    "a.jsonl": jsonl,
    "a.csv": table,
    "gb.csv": lambda texts: table(texts, "gb18030"),
    "bom.csv": lambda texts: table(texts, "utf-8-sig"),
    "a.txt": news,
}


def every(path: Path, reached: Reached | None = None) -> list[tuple[str, str, tuple[int, int]]]:
    """Name and text of each document, and the place behind it."""
    found = []
    for document in read_every(path, reached=reached):
        assert isinstance(document, Document)
        place = (reached.byte, reached.number) if reached else (0, 0)
        found.append((document.uri, document.text, place))
    return found


LINES = st.text('天地玄黄，宇宙洪荒。"a,b\n', min_size=1, max_size=30).map(lambda t: f"{t}人民。")


@pytest.mark.parametrize("name", WRITTEN)
@settings(deadline=None, max_examples=25)
@given(texts=st.lists(LINES, min_size=3, max_size=12))
def test_from_every_place_the_rest_is_read(name, texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("read") / name
    path.write_bytes(WRITTEN[name](texts))
    whole = every(path, Reached())
    assert [d[:2] for d in every(path)] == [d[:2] for d in whole]
    assert len(whole) == len(texts)
    for number, (_, _, place) in enumerate(whole, 1):
        assert 0 < place[0] <= path.stat().st_size
        assert every(path, Reached(*place)) == whole[number:]


def test_what_can_only_be_read_from_its_start_has_no_place(tmp_path):
    import gzip

    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(jsonl([TEXT] * 3)))
    wide = tmp_path / "wide.csv"
    wide.write_bytes(table([TEXT] * 3, "utf-16"))
    for path in (packed, wide):
        assert [place for *_, place in every(path, Reached())] == [(0, 0)] * 3


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
from fakes import HashingEncoder
from rag.config import Config
from rag.pipeline import Pipeline

home, cache, file = map(Path, sys.argv[1:])

def kill(step, done, total):
    if step == "encode" and done >= 400:
        os.kill(os.getpid(), signal.SIGKILL)

Pipeline(Config(home=home, cache=cache), HashingEncoder()).add([file], progress=kill)
"""
COUNT = 2600


def record(number: int, text: str = TEXT) -> str:
    return json.dumps({"title": f"第{number}条", "text": f"{number}号。{text}"}) + "\n"


@pytest.fixture
def killed(tmp_path, cache) -> Path:
    """A file whose reading was killed in the middle; the home lies beside it."""
    path = tmp_path / "many.jsonl"
    path.write_text("".join(map(record, range(COUNT))) + "{broken\n")
    command = [sys.executable, "-c", KILLED, tmp_path / "home", cache, path]
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=paths, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (tmp_path / "home" / unfinished.FILE).exists()
    return path


def rewritten(path: Path, *, same_time: bool) -> None:
    """Change record 500, which was read, in as many bytes."""
    found = path.stat()
    path.write_text(path.read_text().replace(record(500), record(500, TEXT[::-1])))
    assert path.stat().st_size == found.st_size
    if same_time:
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("same_time", [True, False])
def test_a_killed_reading_goes_on_unless_the_file_changed(killed, make_pipeline, same_time):
    pipeline = make_pipeline(killed.parent / "home")
    before = pipeline.corpus.stats()["documents"]
    assert 900 < before < COUNT
    rewritten(killed, same_time=same_time)
    (report,) = pipeline.add([killed])
    assert report.outcome == ("added" if same_time else "replaced")
    assert len(report.articles) + report.more == COUNT
    assert report.passages == COUNT
    assert report.notices[0] == f"1 of {COUNT + 1} parts were not read"
    assert pipeline.corpus.stats()["documents"] == pipeline.snapshot().size == COUNT
    (changed,) = pipeline.corpus.get_many(pipeline.corpus.held(f"{killed}#501")).values()
    # What was stored is not read again; a file of another time is, from its start.
    assert (TEXT in changed.text) == same_time
    assert not (pipeline.config.home / unfinished.FILE).exists()
    assert [r for r in pipeline.archive.follow(killed.parent) if r.outcome == "gone"] == []


@pytest.fixture
def noted(pipeline, tmp_path) -> Path:
    """A file that was read up to its 50th record."""
    path = tmp_path / "some.jsonl"
    path.write_text("".join(map(record, range(100))))
    pipeline.add([path])
    reached = Reached()
    for document in read_every(path, reached=reached):
        if reached.number == 50:
            last = (document.uri, document.content_hash)
            break
    run = Unfinished(pipeline.config.home, pipeline.corpus, "way").begin(path, str(path))
    run.note((reached.byte, reached.number), Counts(50, 50, 0, []), last)
    return path


def test_the_place_holds_only_while_nothing_speaks_against_it(pipeline, noted):
    def place(how: str = "way", *, afresh: bool = False) -> int:
        kept = Unfinished(pipeline.config.home, pipeline.corpus, how, afresh=afresh)
        return kept.begin(noted, str(noted)).reached.number

    assert place() == 50
    assert place(afresh=True) == 0
    assert place() == 50
    held = pipeline.config.home / unfinished.FILE
    kept = held.read_bytes()
    assert place("another way") == 0

    held.write_bytes(kept)
    found = noted.stat()
    noted.write_bytes(noted.read_bytes().replace(b"0", b"1", 1))
    os.utime(noted, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert place() == 0  # its first bytes are others

    noted.write_text("".join(map(record, range(100))))
    os.utime(noted, ns=(found.st_atime_ns, found.st_mtime_ns))
    held.write_bytes(kept)
    assert place() == 50
    held.write_bytes(kept[:-20])
    assert place() == 0  # cut off
    held.write_bytes(kept)
    pipeline.corpus.forget([f"{noted}#50"])
    assert place() == 0  # the archive holds it no more
    assert place() == 0
    assert not held.exists()
