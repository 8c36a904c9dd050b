"""The same twelve articles in every format: the same articles, and the same answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import chromium
from fakes import HashingEncoder
from in_formats import ALL, EACH, Sample, printed, sample
from playwright.sync_api import sync_playwright

from rag import pages
from rag.config import Config
from rag.pipeline import Pipeline
from rag.readers import read_every
from rag.types import Article, Citation, Document

TWELVE = [
    sample(name)
    for name in (
        "china-europe-100000", "en-chongqing-ev", "en-panda-park", "fishing-ban",
        "hk-wolong-pandas", "land-sea-corridor", "manufacturing-33618", "middle-line-railway",
        "pinglu-one-year", "tianfu-opening", "uhv-hami-chongqing", "wildfire-one-year",
    )
]  # fmt: skip
QUESTIONS = (
    "长江江豚有多少头？",
    "《上岸之后：长江十年禁渔走到第三年》的作者是谁？",
    "国家对长江流域重点水域实行什么捕捞管理？",
    "How many square kilometres does the Giant Panda National Park cover?",
    "火星上有几家面馆？",
)


def folder_of(kind: str, folder: Path) -> Path:
    made = folder / kind
    made.mkdir()
    if kind in ALL:
        (made / f"twelve.{kind}").write_bytes(ALL[kind](TWELVE))
    else:
        for s in TWELVE:
            (made / f"{s.name}.{kind}").write_bytes(EACH[kind](s))
    return made


def articles(folder: Path) -> list[Article]:
    found = [d for path in sorted(folder.iterdir()) for d in read_every(path)]
    assert all(isinstance(d, Document) for d in found), found
    return [a for d in found if isinstance(d, Document) for a in pages.articles(d)]


def check_same(found: list[Article]) -> None:
    """Title, authors, date and paragraphs are those that were written."""
    assert sorted(map(facts, found)) == sorted(
        (s.title, s.authors, s.published, s.paragraphs) for s in TWELVE
    )


def facts(article: Article) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
    paragraphs = tuple(p.span.of(article.text) for p in article.paragraphs)
    return article.title or "", article.authors, article.published or "", paragraphs


@pytest.mark.parametrize("kind", [*EACH, *ALL])
def test_each_format_gives_the_same_articles(kind, tmp_path):
    check_same(articles(folder_of(kind, tmp_path)))


@pytest.fixture(scope="module")
def pdfs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pdf")
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page()
        for s in TWELVE:
            page.set_content(printed(s))
            (folder / f"{s.name}.pdf").write_bytes(page.pdf(prefer_css_page_size=True))
        browser.close()
    return folder


@pytest.mark.browser
def test_pdf_gives_the_same_articles(pdfs):
    check_same(articles(pdfs))


@pytest.fixture(scope="module")
def archive(tmp_path_factory, cache) -> Iterator[Pipeline]:
    """One archive for all formats: texts that it has met are neither cut nor encoded again."""
    home = tmp_path_factory.mktemp("alike") / "home"
    pipeline = Pipeline(Config(home=home, cache=cache), HashingEncoder())
    yield pipeline
    pipeline.close()


def answers(pipeline: Pipeline, folder: Path) -> list[object]:
    """What is said with the articles of a folder alone in the archive, which is then empty."""
    reports = pipeline.archive.follow(folder)
    assert [r for r in reports if r.outcome != "added"] == []
    assert pipeline.corpus.stats()["articles"] == len(TWELVE)
    said = []
    for question in QUESTIONS:
        answer = pipeline.ask(question)
        cited = [
            (c.article.title, c.article.authors, c.article.published, c.text, place(c))
            for c in answer.citations
        ]
        said.append((answer.status, answer.text, answer.short_answer, cited))
    kept = folder.with_name(f"{folder.name}-kept")
    folder.rename(kept)
    folder.mkdir()
    (folder / "nothing.txt").write_text("")
    pipeline.archive.follow(folder, delete=True)
    assert pipeline.corpus.stats()["articles"] == 0
    return said


def place(citation: Citation) -> tuple[int | None, str] | None:
    """Where a quoted sentence stands; what proves an author is a byline where one is printed."""
    quoted = citation.text in citation.quote
    return (citation.paragraph, citation.quote) if quoted else None


@pytest.fixture(scope="module")
def plain(archive, tmp_path_factory) -> list[object]:
    """What is said where the articles are texts."""
    said = answers(archive, folder_of("txt", tmp_path_factory.mktemp("plain")))
    assert [a[0] for a in said] == ["answered"] * 4 + ["no_evidence"]
    return said


@pytest.mark.parametrize("kind", [k for k in (*EACH, *ALL) if k != "txt"])
def test_each_format_gives_the_same_answers(kind, archive, plain, tmp_path):
    assert answers(archive, folder_of(kind, tmp_path)) == plain


@pytest.mark.browser
def test_pdf_gives_the_same_answers(archive, plain, pdfs, tmp_path):
    shutil.copytree(pdfs, tmp_path / "pdf")
    assert answers(archive, tmp_path / "pdf") == plain


def test_the_sample_is_what_it_is_taken_for():
    first = TWELVE[3]
    assert isinstance(first, Sample)
    assert (first.authors, first.published) == (("谭舟", "姚景行"), "2023-07-05")
    assert first.paragraphs[0].startswith("2021年1月1日零时")
