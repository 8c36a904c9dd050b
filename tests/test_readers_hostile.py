"""Files that are not what they seem: each gives one clear line, everything else is read."""

from __future__ import annotations

import gzip
import io
import os
import resource
import time
import zipfile
from pathlib import Path

import pytest
from in_formats import docx, feed, page, printed, sample, text

from rag import pages
from rag.errors import UnreadableFile
from rag.readers import read_bytes, read_every, read_upload
from rag.readers.worker import Worker
from rag.types import Document

FIRST = "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长。"
SAMPLE = sample("fishing-ban")


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def rtf(line: str) -> bytes:
    return (
        "{\\rtf1 " + "".join(f"\\u{ord(c) - 65536 * (ord(c) > 32767)}?" for c in line) + "}"
    ).encode()


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", page(SAMPLE), ".html"),
        ("a.docx", page(SAMPLE), ".html"),
        ("a.html", docx(SAMPLE), ".docx"),
        ("a.pdf", docx(SAMPLE), ".docx"),
        ("a.md", docx(SAMPLE), ".docx"),
        ("a.json", zipped(("a.md", text(SAMPLE))), ".zip"),
        ("a.html", feed([SAMPLE]), ".xml"),
    ],
)
def test_a_wrong_ending_is_told_and_the_content_read(name, data, kind):
    document = read_bytes(name, data)
    (article,) = pages.articles(document)
    assert (article.title, article.authors) == (SAMPLE.title, SAMPLE.authors)
    said = f"its ending says .{name.split('.')[1]}, its content is {kind}: it was read as that"
    assert said in document.metadata["notices"]


def test_rich_text_named_doc_is_read():
    assert read_bytes("a.docx", rtf(FIRST)).text == FIRST


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        (
            "a.txt",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
            "old Office file, or encrypted",
        ),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
            "encrypted or of an old kind",
        ),
        ("a.md", gzip.compress(FIRST.encode()), "does not end in .gz"),
        ("a.docx", FIRST.encode(), "not what its ending says"),
        ("a.pdf", FIRST.encode(), "no PDF, or damaged"),
        ("a.jpg", FIRST.encode(), "no image|install OCR"),
        ("a.zip.gz", gzip.compress(zipped(("a.txt", FIRST.encode()))), "packed twice"),
        ("a.txt.gz.gz", gzip.compress(gzip.compress(FIRST.encode())), "packed twice"),
        ("a.html", b"<p>" * 10_000_000, "has 10000000 tags"),
    ],
)
def test_what_cannot_be_read_is_one_line(name, data, why):
    since = time.monotonic()
    with pytest.raises(UnreadableFile, match=why) as told:
        read_bytes(name, data)
    assert "\n" not in str(told.value)
    assert time.monotonic() - since < 30


def test_a_text_that_speaks_of_formats_is_a_text():
    for words in ("%PDF 是一种格式。", "PK 赛：重庆对成都。", "MM 先生到了。", "BM 公司成立。"):
        assert read_bytes("a.txt", words.encode()).text == words
    markdown = read_bytes("a.md", f"<html>\n\n{FIRST}\n".encode())
    assert markdown.format == "markdown"


def test_archives_in_archives_are_told_whatever_they_are_called():
    inner = zipped(("x.txt", FIRST.encode()))
    data = zipped(("a.zip", inner), ("b.txt", inner), ("c.gz", b"x"), ("d.txt", FIRST.encode()))
    found = list(read_upload("z.zip", data))
    documents = [d.uri for d in found if isinstance(d, Document)]
    failed = {str(f.path): f.reason for f in found if isinstance(f, UnreadableFile)}
    assert documents == ["z.zip!/d.txt"]
    assert "ZIP in a ZIP" in failed["z.zip!/a.zip"]
    assert "ZIP in a ZIP" in failed["z.zip!/b.txt"]
    assert "has no ending" in failed["z.zip!/c.gz"]


def encrypted() -> bytes:
    """A PDF that asks for a password: one page, the standard security handler."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>",
    ]
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % p for p in places)
    data += (
        b"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>\nstartxref\n%d\n%%%%EOF" % start
    )
    return data


def test_an_encrypted_pdf_is_told():
    with pytest.raises(UnreadableFile, match="is encrypted; save it without its password"):
        read_bytes("a.pdf", encrypted())


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, name):
    path = tmp_path / name
    line = f'{{"text": "{FIRST}"}}\n' if name.endswith("l") else f"{FIRST}\n"
    path.write_text(line * 1000)
    reached = []

    def write(_: int) -> None:
        reached.append(1)
        if len(reached) % 100 != 1:
            return
        with path.open("a") as file:
            file.write(line)

    found = read_every(path, at=write)
    with pytest.raises(UnreadableFile, match="changed while it was read"):
        assert all(isinstance(d, Document) for d in found)
    assert reached


def test_a_file_name_in_gb18030_is_read_and_told(pipeline, tmp_path):
    folder = tmp_path / "报纸"
    folder.mkdir()
    name = os.fsencode(folder) + b"/" + "产量.md".encode("gb18030")
    try:
        Path(os.fsdecode(name)).write_bytes(text(SAMPLE))
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    (folder / os.fsdecode("旧.exe".encode("gb18030"))).write_bytes(b"MZ")
    reports = pipeline.archive.follow(folder)
    assert {(r.uri, r.outcome) for r in reports} == {
        (str(folder / "产量.md"), "added"), (str(folder / "旧.exe"), "skipped"),
    }  # fmt: skip
    assert pipeline.archive.missing(folder) == []
    again = pipeline.archive.follow(folder, delete=True)
    assert {r.outcome for r in again} == {"unchanged", "skipped"}
    Path(os.fsdecode(name)).unlink()
    (gone,) = pipeline.archive.missing(folder)
    assert (gone.uri, gone.outcome) == (str(folder / "产量.md"), "gone")


def test_everything_else_goes_on(pipeline, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(encrypted())
    (folder / "b.html").write_bytes(b"<p>" * 600_000)
    (folder / "c.zip").write_bytes(zipped(("a.zip", b"PK"), ("../x.txt", b"x")))
    (folder / "d.docx").write_bytes(printed(SAMPLE).encode())
    (folder / "e.md").write_bytes(text(SAMPLE))
    (folder / "f.txt").symlink_to(folder / "f.txt")
    reports = {Path(r.uri).name: r for r in pipeline.add([folder])}
    assert {n: r.outcome for n, r in reports.items()} == {
        "a.pdf": "failed", "b.html": "failed", "c.zip": "failed", "d.docx": "failed",
        "e.md": "added", "f.txt": "failed",
    }  # fmt: skip
    assert all("\n" not in r.reason for r in reports.values())
    assert all(r.reason for r in reports.values() if r.outcome == "failed")


def test_a_worker_whose_child_was_killed_reads_the_next_file() -> None:
    """Whether or not the child is known to have ended yet."""
    worker = Worker()
    page = b"<html><body><article><p>A paragraph of some length.</p></article></body></html>"
    try:
        for _ in range(5):
            assert worker.extract("html", "a.html", page)
            worker.kill()
    finally:
        worker.close()


def test_a_process_with_many_open_files_reads_on(tmp_path: Path) -> None:
    """As a server is that has served for long."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    worker = Worker()
    held: list[int] = []
    try:
        while not held or held[-1] < 1100:
            held.append(os.open(tmp_path, os.O_RDONLY))
        assert worker.extract("html", "a.html", b"<article><p>A paragraph.</p></article>")
    finally:
        worker.close()
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
