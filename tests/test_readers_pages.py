"""Printed pages: PDFs made by Chromium from pages laid out in columns, and broken ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import chromium
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, sync_playwright

from rag import pages
from rag.errors import UnreadableFile
from rag.pagination import page_at
from rag.readers import layout, read_bytes
from rag.readers.boxes import Box
from rag.types import Article, Document

SAMPLES = Path(__file__).resolve().parent.parent / "articles"
STYLE = """<meta charset="utf-8"><style>@page{size:SIZE;margin:12mm} body{margin:0;
font:10.5pt/1.55 "Noto Serif CJK SC"} h1{margin:3mm 0} p{margin:0;text-indent:2em;
text-align:justify} .by{text-indent:0} .row{display:flex;gap:8mm} .row>div{flex:1}
.head{display:flex;justify-content:space-between} .foot{position:fixed;bottom:0}</style>"""
HEAD = (
    '<div class="head"><span>2024年5月20日 星期一</span><span>文据日报</span>'
    "<span>第3版 要闻</span></div>"
)


def sample(name: str) -> tuple[str, list[str]]:
    """The title and the paragraphs of a sample article."""
    text = re.sub(r"\A---\n.*?\n---\n", "", (SAMPLES / f"{name}.md").read_text("utf-8"), flags=re.S)
    meta = re.search(r"(?m)^title: (.*)$", (SAMPLES / f"{name}.md").read_text("utf-8"))
    return meta[1], [p.strip() for p in text.split("\n\n") if p.strip() and p.strip()[0] != "#"]


def set_in(columns: int, name: str, by: str) -> str:
    title, paragraphs = sample(name)
    body = "".join(f"<p>{p}</p>" for p in paragraphs)
    return (
        f'<h1>{title}</h1><div style="columns:{columns};column-gap:8mm">'
        f'<p class="by">□{by}</p>{body}</div>'
    )


NEWSPAPER = (
    STYLE.replace("SIZE", "A3")
    + HEAD
    + set_in(4, "rail-transit", "谭书遥")
    + '<div class="row"><div>'
    + set_in(2, "uhv-hami-chongqing", "贺一川")
    + "</div><div>"
    + set_in(2, "fishing-ban", "晏清嘉")
    + "</div></div>"
    + set_in(3, "land-sea-corridor", "黎向晚 罗知秋")
)
ON_IT = ("rail-transit", "uhv-hami-chongqing", "fishing-ban", "land-sea-corridor")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = chromium(playwright)
        yield opened
        opened.close()


def printed(browser: Browser, html: str) -> bytes:
    page = browser.new_page()
    page.set_content(html)
    data = page.pdf(prefer_css_page_size=True)
    page.close()
    return data


def check_places(document: Document) -> None:
    for piece in document.pieces:
        for part in piece.parts:
            shown = piece.text[part.start : part.start + len(part.source)]
            assert shown == part.source.of(document.text)


def paragraphs(article: Article) -> list[str]:
    return [p.span.of(article.text) for p in article.paragraphs]


@pytest.mark.browser
def test_a_newspaper_page_gives_its_whole_articles(browser):
    document = read_bytes("a.pdf", printed(browser, NEWSPAPER))
    check_places(document)
    found = [a for a in pages.articles(document) if a.title]
    assert [(a.title, paragraphs(a)) for a in found] == [sample(name) for name in ON_IT]
    assert [a.authors for a in found] == [
        ("谭书遥",), ("贺一川",), ("晏清嘉",), ("黎向晚", "罗知秋"),
    ]  # fmt: skip
    assert sum(len(b.joints) for a in found for b in a.blocks) > 2
    for article in found:
        for block in article.blocks:
            for joint in block.joints:
                ends = [p.start + len(p.source) for p in block.parts]
                assert joint.at in ends  # between two lines
                assert 0.5 < joint.confidence < 1
                assert "column" in joint.reasons[0]
    assert {(a.published, a.source, a.page) for a in found} == {("2024-05-20", "文据日报", "第3版")}


@pytest.mark.browser
def test_a_newspaper_of_several_pages_has_a_document_for_each(browser, tmp_path):
    from rag.readers import read_every

    path = tmp_path / "issue.pdf"
    turned = NEWSPAPER + '<div style="break-before:page"></div>' + NEWSPAPER
    path.write_bytes(printed(browser, turned))
    found = list(read_every(path))
    assert [d.uri for d in found] == [f"{path}#page=1", f"{path}#page=2"]
    assert page_at(found[1].text, found[1].pieces[0].parts[0].source.start) == 2


@pytest.mark.browser
def test_an_article_runs_on_over_pages(browser):
    title, text = sample("middle-line-railway")
    html = (
        STYLE.replace("SIZE", "105mm 148mm")
        + f'<div class="foot">文据月刊</div><h1>{title}</h1><p class="by">本报记者 谭书遥</p>'
        + "".join(f"<p>{p}</p>" for p in text)
    )
    document = read_bytes("a.pdf", printed(browser, html))
    check_places(document)
    (article,) = pages.articles(document)
    assert (article.title, article.authors) == (title, ("谭书遥",))
    assert paragraphs(article) == text
    last = int(article.page.removeprefix("1-"))
    assert last == document.text.count("\f") + 1 == 2
    assert f"{last} running heads" in document.metadata["notices"][0]
    where = article.paragraphs[-1].parts[0].source.start
    assert page_at(document.text, where) == last


def test_a_broken_pdf_is_told():
    for data in (b"%PDF-1.7\n" + b"\0" * 500, b"no pdf at all", b"%PDF-1.4\n%%EOF"):
        with pytest.raises(UnreadableFile, match="no PDF, or damaged"):
            read_bytes("a.pdf", data)


def test_columns_are_read_one_after_the_other():
    def line(text: str, left: float, row: int, width: float = 100) -> Box:
        return Box(text, left, row * 15, left + width, row * 15 + 10, 10)

    boxes = [line("标题跨两栏", 0, 0, 220)]
    boxes += [line(f"左{n}", 0, n + 1) for n in range(5)] + [
        line(f"右{n}", 120, n + 1) for n in range(5)
    ]
    found = layout.columns(boxes[::-1])
    assert [[b.text for b in leaf] for leaf in found] == [
        ["标题跨两栏"],
        [f"左{n}" for n in range(5)],
        [f"右{n}" for n in range(5)],
    ]
    assert layout.side_by_side(found) == 2


BOXES = st.lists(
    st.builds(
        lambda text, x, y, w, h: Box(text, x, y, x + w, y + h, h),
        st.sampled_from(["一行字。", "又一行", "abc"]),
        st.floats(0, 800), st.floats(0, 1000), st.floats(1, 500), st.floats(1, 60),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(BOXES, st.booleans())
def test_no_line_is_lost_or_read_twice(boxes, joined):
    leaves = layout.columns(boxes)
    found = "".join("".join(p.lines) for p in layout.paragraphs(leaves, 1, joined=joined))
    assert sorted(found.replace(" ", "")) == sorted("".join(b.text for b in boxes))
