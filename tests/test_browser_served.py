"""The chat page against the real `wenju serve`: the real model and a small real archive."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import ROOT, Browsing, served, started
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.slow]

FILES = ["fishing-ban.md", "tianfu-opening.md", "en-panda-park.md", "page-a.txt"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    files = [str(ROOT / "articles" / name) for name in FILES]
    command = [sys.executable, "-m", "api.cli", "add", *files, "--home", str(folder / "home")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with served(folder / "home", folder / "serve.log") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture
def browsing(browser: Browser) -> Iterator[Browsing]:
    browsing = Browsing(browser)
    yield browsing
    browsing.close()


def fetch(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 our own server
        return json.load(response)


def answered(page: Page, question: str) -> Locator:
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    turn = page.locator(".turn").last
    expect(turn.locator(".turn-live")).to_have_attribute("aria-busy", "false", timeout=60_000)
    expect(turn.get_by_role("alert")).to_have_count(0)
    return turn


def stored(page: Page) -> dict:
    """The newest answer, as the page keeps it."""
    chats = page.evaluate(
        "Object.keys(localStorage).filter(k => k.startsWith('wenju.chat.'))"
        ".map(k => JSON.parse(localStorage.getItem(k)))"
    )
    return max(chats, key=lambda chat: chat["updated"])["turns"][-1]["answer"]


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("zh", "长江十年禁渔从什么时候开始？"),
        ("zh", "天府国际机场是哪一天投用的？"),
        ("en", "How large is the Giant Panda National Park?"),
    ],
)
def test_every_chip_opens_the_article_at_its_quote(
    browsing: Browsing, address: str, language: str, question: str
) -> None:
    page = browsing.open(address, language=language)
    turn = answered(page, question)
    answer = stored(page)
    assert answer["status"] == "answered"
    assert answer["citations"]
    chips = turn.locator(".answer-text button.chip")
    expect(chips).to_have_count(len(answer["citations"]))
    for n, citation in enumerate(answer["citations"]):
        chips.nth(n).click()
        mark = page.locator("mark.current")
        expect(mark.first).to_be_in_viewport()
        shown = mark.evaluate_all("nodes => nodes.map(n => n.textContent).join('')")
        assert shown == citation["quote"]
        article = fetch(f"{address}/v1/articles/{citation['article']['id']}")
        assert shown == article["text"][citation["start_char"] : citation["end_char"]]
        page.locator("#reader").get_by_role("button").last.click()


def test_a_question_the_archive_cannot_answer_is_refused(browsing: Browsing, address: str) -> None:
    page = browsing.open(address)
    turn = answered(page, "月球背面的温度是多少度？")
    expect(turn.get_by_text("资料中没有答案")).to_be_visible()
    total = fetch(f"{address}/readyz")["passages"]
    expect(turn.locator(".coverage-line")).to_contain_text(f"查了 {total} 段文字")


def test_a_page_put_together_shows_its_joints(browsing: Browsing, address: str) -> None:
    listed = fetch(f"{address}/v1/articles?limit=100")["articles"]
    articles = [fetch(f"{address}/v1/articles/{a['id']}") for a in listed]
    count = {a["id"]: sum(len(b["joints"]) for b in a["blocks"]) for a in articles}
    most = max(count, key=lambda i: count[i])
    assert count[most] > 0
    page = browsing.open(f"{address}/articles/{most}")
    expect(page.locator(".reader-text .joint")).to_have_count(count[most])


def test_an_upload_is_answered_from_and_deleted(
    browsing: Browsing, address: str, tmp_path: Path
) -> None:
    file = tmp_path / "lantern.md"
    file.write_text(
        "---\ntitle: 河畔灯会在滨江公园开幕\nauthors: [袁小满]\ndate: 2024-02-20\n"
        "source: 文据样报\n---\n\n本届河畔灯会共展出彩灯四百一十六组，由滨江公园承办。\n",
        encoding="utf-8",
    )
    before = fetch(f"{address}/v1/articles?limit=1")["total"]
    page = browsing.open(f"{address}/#archive")
    page.locator("#files").set_input_files(file)
    expect(page.locator(".upload-choice")).to_be_visible(timeout=60_000)
    expect(page.locator(".upload-articles")).to_contain_text("袁小满 · 文据样报 · 2024年2月20日")
    assert fetch(f"{address}/v1/articles?limit=1")["total"] == before
    page.get_by_role("button", name="加入资料库").click()
    expect(page.locator(".upload-outcome")).to_have_text("已加入", timeout=60_000)
    page.get_by_role("link", name="提问", exact=True).click()
    turn = answered(page, "河畔灯会展出了多少组彩灯？")
    expect(turn.locator(".answer-text")).to_contain_text("四百一十六组")
    page.get_by_role("link", name="资料库", exact=True).click()
    page.get_by_role("button", name="删除《河畔灯会在滨江公园开幕》").click()
    page.locator(".toast").get_by_role("button", name="关闭").click()
    expect(page.locator(".count")).to_have_text(f"{before} 篇文章", timeout=60_000)
    assert fetch(f"{address}/v1/articles?limit=1")["total"] == before


RATING = {
    "zh": ("长江十年禁渔从什么时候开始？", "评价这个回答", "没用", "发送留言", "撤销"),
    "en": (
        "How large is the Giant Panda National Park?",
        "Rate this answer",
        "Not useful",
        "Send comment",
        "Undo",
    ),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_rating_is_stored_and_withdrawn(browsing: Browsing, address: str, language: str) -> None:
    question, label, down, send, undo = RATING[language]
    page = browsing.open(address, language=language)
    bar = answered(page, question).get_by_role("group", name=label)
    bar.get_by_role("button", name=down).click()
    bar.get_by_role("textbox").fill("太短 / too short")
    bar.get_by_role("button", name=send).click()
    expect(bar.get_by_role("textbox")).to_have_count(0)
    answer = stored(page)
    listed = fetch(f"{address}/v1/feedback")
    given = listed["feedback"][0]
    assert (given["answer_id"], given["verdict"]) == (answer["id"], "down")
    assert (given["comment"], given["answer"]) == ("太短 / too short", answer["answer"])
    assert given["article_ids"][0] == answer["citations"][0]["article"]["id"]
    bar.get_by_role("button", name=undo).click()
    expect(bar.get_by_role("button", name=undo)).to_be_hidden()
    assert fetch(f"{address}/v1/feedback")["total"] == listed["total"] - 1


@pytest.mark.parametrize(
    ("language", "filters", "field", "apply", "found"),
    [
        ("zh", "筛选", "作者", "使用筛选", "找到 1 篇"),
        ("en", "Filters", "Author", "Use filters", "1 found"),
    ],
)
def test_the_list_is_filtered_by_what_the_archive_offers(
    browsing: Browsing,
    address: str,
    language: str,
    filters: str,
    field: str,
    apply: str,
    found: str,
) -> None:
    facets = fetch(f"{address}/v1/facets")
    author = next(a["value"] for a in facets["authors"] if a["count"] == 1)
    page = browsing.open(f"{address}/#archive", language=language)
    state = fetch(f"{address}/readyz")
    expect(page.locator(".index")).to_contain_text(str(state["passages"]))
    expect(page.locator(".index")).to_contain_text(state["model"])
    page.locator("#archive").get_by_role("button", name=filters, exact=True).click()
    expect(page.locator(f'#list-authors option[value="{author}"]')).to_have_count(1)
    page.locator("#archive").get_by_label(field, exact=True).fill(author)
    page.get_by_role("button", name=apply).click()
    expect(page.get_by_text(found)).to_be_visible()
    expect(page.locator(".article-row")).to_have_count(1)
    expect(page.locator(".article-facts")).to_contain_text(author)


def test_a_page_is_looked_at_before_it_is_stored(browsing: Browsing, address: str) -> None:
    before = fetch(f"{address}/v1/articles?limit=1")["total"]
    page = browsing.open(f"{address}/#archive", language="en")
    page.locator("#files").set_input_files(ROOT / "articles" / "page-b.txt")
    expect(page.locator(".upload-choice")).to_be_visible(timeout=60_000)
    expect(page.locator(".upload-state")).to_contain_text("closed column breaks, the least sure")
    page.locator(".seams summary").first.click()
    expect(page.locator(".seams").first.locator(".joint").first).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".upload-state")).to_have_text("Discarded")
    assert fetch(f"{address}/v1/articles?limit=1")["total"] == before


def test_an_unknown_address_is_an_error_in_the_one_shape(browsing: Browsing, address: str) -> None:
    browsing.allowed.append("404")
    page = browsing.open(f"{address}/articles/0000000000000000")
    expect(page.get_by_role("alert")).to_have_text("资料库里已没有这篇文章。")
