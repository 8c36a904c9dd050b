"""Files to Documents: encodings, front matter, pieces and their exact places."""

from __future__ import annotations

import hashlib
import json
import os
import textwrap
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import UnreadableFile
from rag.readers import MAX_BYTES, SUFFIXES, find_files, read_bytes, read_path
from rag.readers.dates import parse_date
from rag.readers.lines import columns
from rag.types import BlockKind, Document

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"

NEWS = (
    "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长，"
    "一批重点项目陆续开工，为成渝地区双城经济圈建设提供了有力支撑。"
)
NEWS_TRADITIONAL = (
    "重慶市發展和改革委員會日前表示，今年以來全市新能源汽車產量保持增長，"
    "一批重點專案陸續開工，為成渝地區雙城經濟圈建設提供了有力支撐。"
)


def texts(document: Document) -> list[str]:
    return [piece.text for piece in document.pieces]


def read(body: str, name: str = "a.txt") -> Document:
    return read_bytes(name, body.encode())


def check_parts(document: Document) -> None:
    """Every part is a verbatim run, and runs stand in order in piece and file."""
    for piece in document.pieces:
        end = 0
        for part in piece.parts:
            assert part.start >= end
            end = part.start + len(part.source)
            assert part.source.end > part.source.start
            assert piece.text[part.start : end] == part.source.of(document.text)
        assert end <= len(piece.text)
        assert piece.text == piece.text.strip()
        assert piece.text


def placed(document: Document) -> list[int]:
    return [
        at
        for piece in document.pieces
        for part in piece.parts
        for at in range(part.source.start, part.source.end)
    ]


# Encodings


@pytest.mark.parametrize("length", [25, 60, None])
@pytest.mark.parametrize(
    ("encoding", "told", "text"),
    [
        ("utf-8", "utf-8", NEWS),
        ("utf-8-sig", "utf-8-sig", NEWS),
        ("utf-16", "utf-16", NEWS),
        ("utf-32", "utf-32", NEWS),
        ("gb18030", "gb18030", NEWS),
        ("gb18030", "gb18030", NEWS_TRADITIONAL),
        ("big5", "big5hkscs", NEWS_TRADITIONAL),
    ],
)
def test_chinese_is_read_in_each_encoding(encoding, told, text, length):
    document = read_bytes("a.txt", text[:length].encode(encoding))
    assert document.text == text[:length]
    assert document.encoding == told
    assert "notices" not in document.metadata


def test_utf16_big_endian_is_known_by_its_mark():
    document = read_bytes("a.txt", b"\xfe\xff" + NEWS.encode("utf-16-be"))
    assert document.text == NEWS


def test_western_quotation_marks_are_no_chinese():
    data = "The mayor said “we don’t know” at the café in Zürich last week.".encode("cp1252")
    document = read_bytes("a.txt", data)
    assert document.text == "The mayor said “we don’t know” at the café in Zürich last week."
    assert any("guessed" in notice for notice in document.metadata["notices"])


def test_utf8_with_a_spoilt_byte_is_read_and_told():
    data = (NEWS * 3).encode()
    document = read_bytes("a.txt", data[:150] + b"\xff" + data[150:])
    assert document.text.count("\ufffd") == 1
    assert document.text.replace("\ufffd", "") == NEWS * 3
    assert "1 bytes are not utf-8" in document.metadata["notices"][0]


def test_text_is_made_canonical():
    body = "\ufeffcafe\u0301\r\nsecond\rthird\x0cfourth\x07 fi\u200bfth"
    document = read(body)
    assert document.text == "café\nsecond\nthird\nfourth fifth"
    assert "2 control or invisible characters" in document.metadata["notices"][0]


def test_a_long_run_of_combining_marks_is_cut_and_fast():
    began = time.process_time()
    document = read("a" + "\u0301\u0323" * 500_000 + "b")
    assert time.process_time() - began < 5
    assert len(document.text) < 40
    assert "999968 control" in document.metadata["notices"][0]


# Front matter


def test_front_matter_in_chinese_keys():
    body = textwrap.dedent("""\
        ---
        标题：先进制造的新路
        作者: 邹霞 吴　希、张三，本报记者 李四
        单位: 重庆某大学；四川某学院
        日期: 2024年5月20日
        来源: 文据样报
        版面: 05
        栏目: 理论
        类型: 整版
        编号: 0012
        ---
        正文在此。
        """)
    document = read(body)
    assert dict(document.metadata) == {
        "title": "先进制造的新路",
        "authors": ("邹霞", "吴希", "张三", "李四"),
        "affiliations": ("重庆某大学", "四川某学院"),
        "published": "2024-05-20",
        "source": "文据样报",
        "page": "05",
        "section": "理论",
        "kind": "page",
        "编号": "0012",
    }
    assert texts(document) == ["正文在此。"]
    assert document.text == body
    assert document.pieces[0].parts[0].source.start == body.index("正文")


def test_front_matter_in_english_keys():
    body = (
        "---\ntitle: 'City: a plan'\nauthors: [Jane Doe, John Smith]\ndate: May 20, 2024\n"
        "language: en-GB\nurl: http://a.example/x\ntags: [one, no]\nDraft: yes\n---\nBody.\n"
    )
    metadata = dict(read(body, "a.md").metadata)
    assert metadata == {
        "title": "City: a plan",
        "authors": ("Jane Doe", "John Smith"),
        "published": "2024-05-20",
        "language": "en",
        "url": "http://a.example/x",
        "tags": ("one", "no"),
        "draft": "yes",
    }


@pytest.mark.parametrize(
    ("printed", "names"),
    [
        ("By Jane Doe and John Smith", ("Jane Doe", "John Smith")),
        ("记者 张三 通讯员 李四", ("张三", "李四")),
        ("张三；李四;王五", ("张三", "李四", "王五")),
        ("Jane van der Berg", ("Jane van der Berg",)),
        ("张三、张三", ("张三",)),
        ("□邹霞 吴希", ("邹霞", "吴希")),
    ],
)
def test_names_in_one_line(printed, names):
    assert read(f"---\nauthor: '{printed}'\n---\nx").metadata["authors"] == names


@pytest.mark.parametrize(
    ("matter", "reason"),
    [
        ("title: a: b", "line 2"),
        ("title: x\nkey: [a", "line 4"),
        ("kind: poem", "use page, article, articles"),
        ("a: &x [1]\nb: *x", "line 3: references"),
        ("a: [[[[[[1]]]]]]", "nested too deeply"),
        ("[" * 30_000, "nested too deeply"),
    ],
)
def test_broken_front_matter_names_the_line(matter, reason):
    with pytest.raises(UnreadableFile, match=reason):
        read(f"---\n{matter}\n---\nBody.")


def test_dashes_that_are_no_front_matter():
    assert texts(read("---\nA line.\n---\nAnother.")) == ["---", "A line.", "---", "Another."]
    assert texts(read("---\nnever: closed")) == ["---", "never: closed"]
    assert texts(read("---\n---\nBody.")) == ["Body."]


def test_a_date_that_cannot_be_read_is_told():
    metadata = read("---\ndate: some day\n---\nx").metadata
    assert "published" not in metadata
    assert metadata["notices"] == ("date: 'some day' is not a date that can be read",)


@pytest.mark.parametrize(
    ("printed", "iso"),
    [
        ("2024年5月20日", "2024-05-20"),
        ("2024年5月20日 星期一", "2024-05-20"),
        ("２０２４年５月２０日", "2024-05-20"),
        ("二〇二四年十二月三十一日", "2024-12-31"),
        ("2024年5月", "2024-05"),
        ("2024", "2024"),
        ("2024-05-20T08:00:00+08:00", "2024-05-20"),
        ("2024-05-20 08:00", "2024-05-20"),
        ("2024/5/20", "2024-05-20"),
        ("2024.5", "2024-05"),
        ("20240520", "2024-05-20"),
        ("Monday, May 20, 2024", "2024-05-20"),
        ("Sept. 3, 2023", "2023-09-03"),
        ("20 May 2024", "2024-05-20"),
        ("May 2024", "2024-05"),
        ("2024年2月30日", None),
        ("2024-13", None),
        ("05/06/2024", None),
        ("Foo 20, 2024", None),
        ("", None),
    ],
)
def test_dates(printed, iso):
    assert parse_date(printed) == iso


# Plain text


def test_blank_lines_part_pieces_and_nothing_is_joined_across_them():
    body = "依托两江协同创\n\n新区，主动对接。\n \n\u3000\n第三片\n"
    assert texts(read(body)) == ["依托两江协同创", "新区，主动对接。", "第三片"]


def test_lines_are_paragraphs_when_they_are_not_wrapped():
    body = "标题在此\n□邹霞 吴希\n第一段很短。\n第二段比第一段长得多，说了更多。\n（作者：某某）"
    assert texts(read(body)) == body.split("\n")


def wrap(text: str, width: int) -> str:
    lines, line = [], ""
    for ch in text:
        if columns(line + ch) > width:
            lines.append(line)
            line = ""
        line += ch
    return "\n".join([*lines, line])


def test_hard_wrapped_chinese_is_joined_without_blanks():
    paragraphs = [NEWS, NEWS[20:] + NEWS, NEWS[5:]]
    wrapped = read("\n\n".join(wrap(p, 40) for p in paragraphs))
    assert texts(wrapped) == paragraphs
    check_parts(wrapped)
    assert len(wrapped.pieces[0].parts) == len(wrap(NEWS, 40).split("\n"))


def test_full_width_indentation_begins_a_paragraph():
    paragraphs = [NEWS, NEWS[20:] + NEWS, NEWS[5:]]
    body = "\n".join(wrap("\u3000\u3000" + p, 40) for p in paragraphs)
    body = f"新能源汽车产量增长\n本报记者 张三\n{body}\n(作者单位：重庆某大学)"
    head = ["新能源汽车产量增长", "本报记者 张三"]
    assert texts(read(body)) == [*head, *paragraphs, "(作者单位：重庆某大学)"]


def test_hard_wrapped_english_gets_blanks_and_closes_hyphens():
    words = (
        "The municipal government said on Monday that the well-known line would open in two "
        "years and that the high- and low-lying districts would both be served by it."
    )
    body = textwrap.fill(words, 40, break_on_hyphens=False)
    assert texts(read(body)) == [words]
    hyphened = (
        "The municipal government said on the 3rd of Mon-\nday that the line would open in two "
        "or three\nyears, and more stations after that."
    )
    document = read(hyphened)
    assert texts(document) == [
        "The municipal government said on the 3rd of Monday that the line would open in two "
        "or three years, and more stations after that."
    ]
    assert document.metadata["notices"] == ("1 words parted at a line's end were closed (Monday)",)
    check_parts(document)


def test_digits_parted_by_a_wrap_are_put_together_in_chinese():
    line = "据市统计局介绍今年上半年全市新能源汽车产量达到12"
    body = f"{line}\n345辆同比增长百分之一百五十并且继续保持了增长\n的势头。"
    assert texts(read(body))[0].startswith(f"{line}345辆同比")


@pytest.mark.parametrize(
    "line",
    [
        "□邹霞 吴希",
        "本报记者 张三",
        "By Jane Doe",
        "文/李四",
        "(作者单位：重庆理工大学)",
        "◎武英春 谭敏欣",
    ],
)
def test_heads_stay_pieces_of_their_own_in_wrapped_text(line):
    body = f"{wrap(NEWS, 40)}\n{line}\n{wrap(NEWS_TRADITIONAL, 40)}"
    assert texts(read(body)) == [NEWS, line, NEWS_TRADITIONAL]


def test_a_line_about_reporters_inside_a_paragraph_is_no_byline():
    lines = [
        "这项工程在今年三月开工以来一直受到关注，昨天上午九点半",
        "记者 从市发展和改革委员会有关部门了解到该项目进展顺利",
        "并且将于明年完工通车，沿线居民出行时间可以减少一半以上",
        "，有关部门还将增加公交班次。",
    ]
    assert texts(read("\n".join(lines))) == ["".join(lines)]


ALPHABET = st.text(
    st.sampled_from("天地玄黄，。！“”（）□ABab- \t\u3000\n\n0123.%é한🙂👍🏽\u0301作者单位记者"),
    max_size=300,
)


@settings(deadline=None, max_examples=300)
@given(ALPHABET)
def test_every_character_of_plain_text_is_in_exactly_one_part(body):
    text = unicodedata.normalize("NFC", body)
    if not text.strip():
        with pytest.raises(UnreadableFile, match="is empty"):
            read(body)
        return
    document = read(body)
    assert document.text == text
    check_parts(document)
    at = placed(document)
    assert at == sorted(set(at))
    lost = {n for n, ch in enumerate(text) if not ch.isspace()} - set(at)
    assert {text[n] for n in lost} <= {"-"}
    assert all(text[n + 1 : n + 2] != "" for n in lost)
    assert (len(lost) > 0) == ("notices" in document.metadata)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200), st.sampled_from(sorted(SUFFIXES)))
def test_any_text_is_read_or_refused_in_one_sentence(body, suffix):
    try:
        document = read_bytes("a" + suffix, body.encode("utf-8", "replace"))
    except UnreadableFile:
        return
    check_parts(document)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        document = read_bytes("a.txt", data)
    except UnreadableFile:
        return
    check_parts(document)


def test_the_real_page_keeps_its_pieces():
    path = DATA / "chongqing" / "page.txt"
    if not path.exists():
        pytest.skip(f"no {path.name} beside the repository")
    document = read_path(path)
    blocks = [b.strip() for b in document.text.split("\n\n")]
    assert texts(document) == [line.strip() for b in blocks for line in b.split("\n") if line]
    check_parts(document)


def test_made_pages_keep_their_pieces():
    folder = DATA / "pages"
    if not folder.exists():
        pytest.skip("no pages beside the repository")
    for path in sorted(folder.glob("*.txt"))[:10]:
        document = read_path(path)
        lines = [line.strip() for line in document.text.split("\n")]
        assert texts(document) == [line for line in lines if line]
        whole = json.loads(path.with_suffix(".json").read_text("utf-8"))["articles"]
        assert sum(len(a["authors"]) > 0 for a in whole) <= len(document.pieces)


# Markdown

MARKDOWN = """\
---
title: t
---
# 标题 *斜*体

第一段 [链接](http://a.b/链接 "链接") &amp; 后 \\* `码`。

1. 一项
2. 二项 **粗**字
   - 子项

> 引文第一行
> 第二行

|名|值|
|--|--|
|甲|1\\|2|

## 小标题 ##

![图说](p.png)

```python
code_line = 1

last = 2
```

<div>块<b>文</b>字
</div>

[ref]: http://x.example

See [the text][ref] and <http://a.example>.\\
New line

Second title
============
"""


def test_markdown_blocks_and_marks():
    document = read(MARKDOWN, "a.md")
    assert [(p.kind, p.text) for p in document.pieces] == [
        (BlockKind.TITLE, "标题 斜体"),
        (None, "第一段 链接 & 后 * 码。"),
        (None, "1. 一项"),
        (None, "2. 二项 粗字"),
        (None, "子项"),
        (None, "引文第一行"),
        (None, "第二行"),
        (None, "名 | 值"),
        (None, "甲 | 1|2"),
        (BlockKind.HEADING, "小标题"),
        (BlockKind.CAPTION, "图说"),
        (None, "code_line = 1"),
        (None, "last = 2"),
        (None, "块文字"),
        (None, "See the text and http://a.example."),
        (None, "New line"),
        (BlockKind.HEADING, "Second title"),
    ]
    check_parts(document)
    assert placed(document) == sorted(set(placed(document)))


def test_markdown_places_are_the_right_ones_not_just_equal_ones():
    document = read("a [b](c 'b d') d\n\nd", "a.md")
    spans = [part.source for part in document.pieces[0].parts]
    assert [(s.start, s.end) for s in spans] == [(0, 2), (3, 4), (14, 16)]
    assert document.pieces[1].parts[0].source.start == 18


def test_wrapped_markdown_paragraphs_are_joined():
    body = f"# 标题\n\n{wrap(NEWS, 40)}\n\n> {wrap(NEWS_TRADITIONAL, 40)}\n"
    document = read(body, "a.md")
    assert texts(document) == ["标题", NEWS, NEWS_TRADITIONAL]
    check_parts(document)


def test_deep_markdown_loses_nothing():
    document = read("> " * 60 + "deep words\n\nafter\n", "a.md")
    assert "after" in texts(document)
    assert any("deep words" in text for text in texts(document))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            ["# ", "- ", "1. ", "> ", "*a*", "**b**", "[x](y)", "![i](j)", "`c`", "字", "\n",
             "\n\n", "|a|b|\n|-|-|\n", "|", "<b>", "<div>", "&lt;", "\\*", "    ", "\t",
             "```\n", "---\n", "文 "]
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
def test_any_markdown_has_exact_parts_in_order(body):
    try:
        document = read(body, "a.md")
    except UnreadableFile:
        return
    check_parts(document)
    at = placed(document)
    assert len(at) == len(set(at))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("甲乙丙丁 ab", min_size=1, max_size=12), min_size=1, max_size=6))
def test_markdown_without_marks_keeps_every_character(lines):
    body = "\n\n".join(lines)
    if not body.strip():
        return
    document = read("始\n\n" + body, "a.md")
    at = set(placed(document))
    assert at == {n for n, ch in enumerate(document.text) if not ch.isspace()} | {
        n for n in at if document.text[n].isspace()
    }


@pytest.mark.parametrize("mark", ["[", "*a ", "> ", "`", "<", "|", "&", "[]("])
def test_hostile_markdown_ends_in_bounded_time(mark):
    began = time.process_time()
    for body in [mark * (200_000 // len(mark)) + "x", (mark * 700 + "x\n\n") * 40]:
        assert read(body, "a.md").text.rstrip().endswith("x")
    assert time.process_time() - began < 60


def test_wide_tables_and_many_references_end_in_bounded_time():
    table = "|a" * 50 + "\n" + "|-" * 50 + "\n" + ("|甲" * 50 + "\n") * 400
    began = time.process_time()
    assert texts(read(table, "a.md"))[1:] == [" | ".join("甲" * 50)] * 400
    assert texts(read("[a]: b\n" * 20_000 + "\nx", "a.md"))[-1] == "x"
    assert texts(read("<div>甲<!-- 乙 -->丙</div>" + "<!-- " * 30_000, "a.md"))[0] == "甲丙"
    assert time.process_time() - began < 60


def test_ten_megabytes_of_brackets_are_read_as_text():
    document = read("[" * 10_000_000, "a.md")
    assert len(document.pieces) == 1
    assert document.pieces[0].text == "[" * 10_000_000
    assert "read as plain text" in document.metadata["notices"][0]


# Files


def test_read_path_gives_the_resolved_path_and_hash(tmp_path):
    path = tmp_path / "b.TXT"
    path.write_bytes(b"Hello.\r\nWorld.")
    document = read_path(path)
    assert document.uri == str(path.resolve())
    assert document.format == "text"
    assert document.content_hash == hashlib.sha256(b"Hello.\r\nWorld.").hexdigest()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\t\n", "is empty"),
        ("a.txt", b"\x7fELF\0\0\0", "NUL bytes"),
        ("a.txt", bytes(range(1, 32)) * 20, "control characters"),
        ("a.txt", b"\xff\xfeabc", "begins like utf-16"),
        ("a.txt", b"---\ntitle: x\n---\n\n", "no text after its front matter"),
        ("a.exe", b"text", "has .exe"),
        ("noending", b"text", "has no ending"),
    ],
)
def test_unreadable_uploads(name, data, reason):
    with pytest.raises(UnreadableFile, match=reason):
        read_bytes(name, data)


def test_unreadable_paths(tmp_path):
    with pytest.raises(UnreadableFile, match="does not exist"):
        read_path(tmp_path / "missing.txt")
    folder = tmp_path / "folder.txt"
    folder.mkdir()
    with pytest.raises(UnreadableFile, match="is a folder"):
        read_path(folder)
    fifo = tmp_path / "pipe.txt"
    os.mkfifo(fifo)
    with pytest.raises(UnreadableFile, match="not a regular file"):
        read_path(fifo)
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    with pytest.raises(UnreadableFile):
        read_path(loop)
    with pytest.raises(UnreadableFile):
        read_path(Path("a\0b.txt"))


def test_no_permission(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    path = tmp_path / "secret.txt"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(UnreadableFile, match="may not be read"):
        read_path(path)


def test_a_line_of_fifty_megabytes_is_refused(tmp_path):
    path = tmp_path / "long.txt"
    path.write_bytes(b"a" * 50_000_000)
    with pytest.raises(UnreadableFile, match=r"too large \(48 MiB, at most 32\)"):
        read_path(path)
    with pytest.raises(UnreadableFile, match="too large"):
        read_bytes("long.txt", b"a" * (MAX_BYTES + 1))


def test_find_files(tmp_path):
    for name in ["b/2.md", "b/1.txt", "a.text", ".hidden.txt", ".dir/x.txt", "c.exe", "b/.x/y.md"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    root = tmp_path.resolve()
    files, reports = find_files([tmp_path, tmp_path / "a.text", tmp_path / "gone.txt"])
    assert files == [root / "a.text", root / "b/1.txt", root / "b/2.md"]
    assert [(r.uri, r.outcome) for r in reports] == [
        (str(root / "c.exe"), "skipped"),
        (str(root / "gone.txt"), "failed"),
    ]
    assert all(report.reason for report in reports)
    files, reports = find_files([tmp_path / ".hidden.txt"])
    assert files == [root / ".hidden.txt"]
    assert reports == []
