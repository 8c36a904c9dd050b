"""Web pages, records, packed files: what is read of them, and what they cannot do to the reader."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import stat
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import pages
from rag.errors import UnreadableFile
from rag.readers import find_files, read_bytes, read_every, read_upload
from rag.types import Article, BlockKind, Document

FIRST = "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长。"
SECOND = "成渝地区双城经济圈建设走深走实，一批重点项目陆续开工。"
PAGE = f"""<!DOCTYPE html><html lang="zh"><head><meta charset="CHARSET">
<title>新能源汽车产量增长 - 文据日报</title><meta name="author" content="谭书遥">
<meta property="og:site_name" content="文据日报">
<meta property="article:published_time" content="2024-05-20T08:00:00+08:00"></head><body>
<nav><a href="/">首页</a> <a href="/b">新闻</a></nav><article><h1>新能源汽车产量增长</h1>
<p>{FIRST}</p><h2>项目开工</h2><p>成渝地区双城经济圈建设<br>走深走实，一批重点项目陆续开工。</p>
<ul><li>其一，产量。</li><li>其二，出口。</li></ul>
<table><tr><th>年</th><th>辆</th></tr><tr><td>2023</td><td>50万</td></tr></table></article>
<script>alert("x")</script><footer>版权所有 不得转载</footer></body></html>"""


def check_places(document: Document) -> None:
    for piece in document.pieces:
        for part in piece.parts:
            shown = piece.text[part.start : part.start + len(part.source)]
            assert shown == part.source.of(document.text)


def only(document: Document) -> Article:
    check_places(document)
    (article,) = pages.articles(document)
    return article


def every(name: str, data: bytes, **fields: str) -> tuple[list[Document], list[UnreadableFile]]:
    found = list(read_upload(name, data, fields))
    documents = [f for f in found if isinstance(f, Document)]
    return documents, [f for f in found if isinstance(f, UnreadableFile)]


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


# Web pages


@pytest.mark.parametrize("charset", ["utf-8", "gb2312"])
def test_a_web_page_gives_its_article_alone(charset):
    data = PAGE.replace("CHARSET", charset).encode(charset)
    article = only(read_bytes("a.html", data))
    assert article.title == "新能源汽车产量增长"
    assert article.authors == ("谭书遥",)
    assert (article.published, article.source) == ("2024-05-20", "文据日报")
    assert [p.span.of(article.text) for p in article.paragraphs] == [
        FIRST, SECOND, "其一，产量。", "其二，出口。", "年 | 辆", "2023 | 50万",
    ]  # fmt: skip
    assert article.first(BlockKind.HEADING).span.of(article.text) == "项目开工"


def test_a_page_without_an_article_is_read_whole():
    document = read_bytes("a.html", "<table><tr><td>见报<td>第三版</table>".encode())
    assert "见报" in document.text
    assert "第三版" in document.text


def test_lines_parted_by_br_are_paragraphs_where_sentences_end():
    body = f"<article><h1>标题</h1><div>　　{FIRST}<br>　　{SECOND}</div></article>"
    article = only(read_bytes("a.htm", body.encode()))
    assert [p.span.of(article.text) for p in article.paragraphs] == [FIRST, SECOND]


def test_a_page_of_very_many_tags_is_refused():
    with pytest.raises(UnreadableFile, match="2000000 tags"):
        read_bytes("a.html", b"<b>" * 2_000_000)


def test_a_deeply_nested_page_does_no_harm():
    data = b"<div>" * 100_000 + FIRST.encode()
    try:
        document = read_bytes("deep.html", data)
    except UnreadableFile as error:
        assert error.reason  # noqa: PT017 (either outcome is right)
    else:
        assert document.text
    assert only(read_bytes("a.html", PAGE.encode())).authors == ("谭书遥",)


# Records


def test_json_lines_are_documents_with_their_metadata():
    rows = [
        {"标题": "产量增长", "正文": FIRST, "作者": "谭书遥、贺一川", "日期": "2024年5月20日"},
        {"title": "双城", "text": SECOND, "source": "文据日报", "type": "news", "kind": "news"},
    ]
    data = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n{broken\n[1]\n"
    documents, failed = every("a.jsonl", data.encode())
    assert [d.uri for d in documents] == ["a.jsonl#1", "a.jsonl#2"]
    first, second = map(only, documents)
    assert (first.title, first.authors, first.published) == (
        "产量增长", ("谭书遥", "贺一川"), "2024-05-20",
    )  # fmt: skip
    assert (second.title, second.source) == ("双城", "文据日报")
    assert second.text == SECOND
    assert [f.path for f in failed] == ["a.jsonl#4", "a.jsonl#5"]
    assert "no JSON" in failed[0].reason


def test_fields_can_be_named():
    data = json.dumps({"t": "产量增长", "c": FIRST, "text": "不是这个"}).encode()
    (document,), failed = every("a.json", data, title="t", text="c")
    assert not failed
    assert (document.metadata["title"], document.text) == ("产量增长", FIRST)


def test_a_record_without_text_is_told():
    documents, (failed,) = every("a.json", json.dumps([{"x": 1}, {"text": FIRST}]).encode())
    assert [d.uri for d in documents] == ["a.json#2"]
    assert "--map text=FIELD" in failed.reason


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8-sig", ","), ("gb18030", ";")])
def test_csv_is_read_with_quoted_line_ends(encoding, mark):
    text = f'标题{mark}正文{mark}日期\r\n产量{mark}"{FIRST}\n\n{SECOND}"{mark}2024-05-20\r\n'
    (document,), failed = every("a.csv", text.encode(encoding))
    article = only(document)
    assert not failed
    assert (article.title, article.published) == ("产量", "2024-05-20")
    assert [p.span.of(article.text) for p in article.paragraphs] == [FIRST, SECOND]


NEWS = "".join(f"2023-08-{day} 18:24:57，正文：{FIRST}\n" for day in range(10, 17))


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_list_of_news_gives_each_with_its_date(ending, pack, tmp_path):
    path = tmp_path / f"news.txt{ending}"
    path.write_bytes(pack(NEWS.encode()))
    documents = list(read_every(path))
    assert [d.uri for d in documents] == [f"{path}#{n}" for n in range(1, 8)]
    assert [only(d).published for d in documents] == [f"2023-08-{day}" for day in range(10, 17)]
    assert {d.text for d in documents} == {FIRST}


def test_a_long_list_is_streamed(tmp_path):
    path = tmp_path / "news.txt.gz"
    with gzip.open(path, "wt", compresslevel=1) as file:
        for number in range(2000):
            file.write(f"2023-08-10 18:24:57，正文：{number}{FIRST * 20}\n")
    found = [d.text for d in read_every(path)]
    assert found == [f"{number}{FIRST * 20}" for number in range(2000)]


def test_dates_within_a_text_do_not_make_it_a_list():
    text = f"2023-08-10，{FIRST}\n\n{SECOND}\n\n{SECOND}\n"
    assert read_bytes("a.txt", text.encode()).format == "text"


# Packed files


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_damaged_packed_file_is_told(ending):
    with pytest.raises(UnreadableFile, match="damaged"):
        read_bytes(f"a.txt{ending}", b"\x1f\x8b no such thing" * 10)


def test_a_packed_bomb_stops_at_the_limit():
    with pytest.raises(UnreadableFile, match="too large"):
        read_bytes("a.md.xz", lzma.compress(b"a" * 40_000_000))


def test_a_zip_gives_its_members_and_tells_the_rest():
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = zipped(
        ("报/a.txt", FIRST.encode()),
        ("b.html", PAGE.encode()),
        ("c.jsonl", json.dumps({"text": SECOND}).encode()),
        ("../up.txt", b"x"),
        (link, b"/etc/passwd"),
        ("inner.zip", zipped(("a.txt", b"x"))),
        ("tool.exe", b"MZ"),
        ("empty.txt", b""),
        (".hidden/a.txt", b"x"),
        ("bomb.txt", b"0" * 30_000_000),
    )
    documents, failed = every("z.zip", data)
    assert [d.uri for d in documents] == ["z.zip!/b.html", "z.zip!/c.jsonl#1", "z.zip!/报/a.txt"]
    assert [only(d).text for d in documents][1:] == [SECOND, FIRST]
    told = {str(f.path).removeprefix("z.zip!/"): f.reason for f in failed}
    assert told.keys() == {
        "../up.txt", "link.txt", "inner.zip", "tool.exe", "empty.txt", "bomb.txt",
    }  # fmt: skip
    assert "leads out" in told["../up.txt"]
    assert "link" in told["link.txt"]
    assert "times its size" in told["bomb.txt"]


def test_chinese_names_of_old_zips_are_read():
    data = zipped(("PLACE.txt", FIRST.encode())).replace(b"PLACE", "文.".encode("gb18030") + b"ab")
    documents, _ = every("z.zip", data)
    assert [d.uri for d in documents] == ["z.zip!/文.ab.txt"]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_broken_zip_is_told_or_read(chance):
    whole = bytearray(zipped(("a.txt", FIRST.encode()), ("b.txt", SECOND.encode())))
    for _ in range(chance.draw(st.integers(1, 6))):
        whole[chance.draw(st.integers(0, len(whole) - 1))] = chance.draw(st.integers(0, 255))
    try:
        documents, _ = every("z.zip", bytes(whole))
    except UnreadableFile as error:
        assert error.reason  # noqa: PT017 (either outcome is right)
    else:
        assert len(documents) <= 2


def test_an_unknown_ending_is_named():
    with pytest.raises(UnreadableFile, match=r"has \.exe"):
        read_bytes("a.exe", b"MZ")
    with pytest.raises(UnreadableFile, match="several articles"):
        read_bytes("a.zip", zipped(("a.txt", FIRST.encode()), ("b.txt", SECOND.encode())))


def test_data_beside_a_text_is_not_taken_for_articles(tmp_path):
    (tmp_path / "page.txt").write_text(FIRST)
    (tmp_path / "page.json").write_text(json.dumps({"articles": [{"paragraphs": [FIRST]}]}))
    files, (report,) = find_files([tmp_path])
    assert files == [tmp_path / "page.txt"]
    assert (report.outcome, report.uri) == ("skipped", str(tmp_path / "page.json"))
    assert find_files([tmp_path / "page.json"]) == ([tmp_path / "page.json"], [])


def test_the_news_of_the_shared_archive_are_dated():
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "news-zh.txt.xz"
    if not path.is_file():
        pytest.skip("the shared news are not here")
    found = read_every(path)
    articles = [only(next(found)) for _ in range(50)]
    found.close()
    assert all(len(a.published) == 10 and "正文：" not in a.text for a in articles)
