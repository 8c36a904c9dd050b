"""The chat page in a real browser, against a scripted server that can also misbehave."""

from __future__ import annotations

import importlib.util
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Browsing, started, stop_the_clock, words
from playwright.sync_api import Browser, Locator, Page, Response, expect
from stub_archive import ARTICLES, EIGHT, HOSTILE, MONEY, SIX
from stub_server import STATIC, Stub

pytestmark = pytest.mark.browser

LIFTS = "老楼装电梯的钱由谁来出？"
both = pytest.mark.parametrize("language", ["zh", "en"])
DISPLAYED_TITLE = "𠮷祥里的老楼装上了电梯🛗"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def server() -> Iterator[Stub]:
    with Stub() as stub:
        thread = threading.Thread(target=stub.serve_forever, daemon=True)
        thread.start()
        yield stub
        stub.shutdown()
        thread.join()


@pytest.fixture
def stub(server: Stub) -> Stub:
    server.reset()
    return server


@pytest.fixture
def browsing(browser: Browser, stub: Stub) -> Iterator[Browsing]:
    browsing = Browsing(browser)
    yield browsing
    stub.go_on.set()
    browsing.close()


def ask(page: Page, question: str) -> Locator:
    """Ask by keyboard; gives the newest turn."""
    box = page.locator("#question")
    box.fill(question)
    box.press("Enter")
    return page.locator(".turn").last


def answered(page: Page, question: str) -> Locator:
    """Ask and wait until the answer has been drawn."""
    turn = ask(page, question)
    expect(turn.locator(".turn-live")).to_have_attribute("aria-busy", "false")
    return turn


def chip(turn: Locator, number: int) -> Locator:
    return turn.locator("button.chip").get_by_text(str(number), exact=True)


# --- asking ---------------------------------------------------------------------------------


def test_an_answer_has_a_chip_behind_each_sentence(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    expect(turn.locator(".answer-text")).to_have_text(f"{SIX}1{MONEY}2")
    expect(turn.locator(".short-answer")).to_have_text("三方分担，一楼不出钱")
    expect(chip(turn, 1)).to_have_accessible_name(
        f"引文 1：《{DISPLAYED_TITLE}》，第 2 段, 原文，打开原文"
    )
    assert stub.asked == [{"question": LIFTS, "stream": True}]


def test_enter_sends_shift_enter_breaks_the_line_composing_never_sends(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url)
    box = page.get_by_role("textbox", name="问题")
    box.press_sequentially("一")
    low = box.bounding_box()
    box.press("Shift+Enter")
    box.press_sequentially("二")
    expect(box).to_have_value("一\n二")
    high = box.bounding_box()
    assert low is not None
    assert high is not None
    assert high["height"] > low["height"]
    compose = """(node, how) => node.dispatchEvent(new KeyboardEvent("keydown",
        {key: "Enter", bubbles: true, cancelable: true, ...how}))"""
    box.evaluate(compose, {"isComposing": True})
    box.evaluate(compose, {"keyCode": 229})
    expect(box).to_have_value("一\n二")
    assert stub.asked == []
    box.press("Enter")
    expect(page.locator(".question")).to_have_text("一\n二")
    expect(box).to_have_value("")


def test_an_input_method_at_work_never_sends(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    page.locator("#question").focus()
    session = page.context.new_cdp_session(page)
    session.send(
        "Input.imeSetComposition", {"text": "dianti", "selectionStart": 6, "selectionEnd": 6}
    )
    expect(page.locator("#question")).to_have_value("dianti")
    key = {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", key)
    session.send("Input.insertText", {"text": "电梯"})
    expect(page.locator("#question")).to_have_value("电梯")
    assert stub.asked == []


def test_a_blank_question_is_not_sent(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    page.locator("#question").fill("  \n ")
    page.locator("#question").press("Enter")
    expect(page.get_by_role("button", name="发送问题")).to_be_disabled()
    assert stub.asked == []


@both
def test_while_an_answer_comes_one_can_type_and_stop(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    page = browsing.open(stub.url, language=language)
    say = words(page)
    turn = ask(page, "slow 电梯")
    step = f"{say('step.generate')} · {say('step.found', n=7)}"
    expect(turn.locator(".step")).to_have_text(step)
    expect(turn.locator(".answer-text")).to_have_text(SIX[:7])
    box = page.locator("#question")
    box.fill("下一个问题")
    box.press("Enter")  # is not sent, and is not lost
    expect(box).to_have_value("下一个问题")
    page.get_by_role("button", name=say("ask.stop")).click()
    expect(turn.get_by_text(say("turn.stopped"))).to_be_visible()
    assert stub.gone.wait(60)
    assert [body["question"] for body in stub.asked] == ["slow 电梯"]
    stub.go_on.set()
    turn.get_by_role("button", name=say("turn.again")).click()
    expect(chip(turn, 1)).to_be_visible()


def test_a_running_question_goes_on_while_another_chat_is_open(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url, width=1600)
    ask(page, "slow 电梯")
    expect(page.locator(".answer-text")).to_be_visible()
    page.get_by_role("button", name="新对话").click()
    answered(page, LIFTS)
    stub.go_on.set()
    history = page.get_by_role("complementary", name="对话记录")
    history.get_by_role("button", name="slow 电梯", exact=True).click()
    expect(page.locator(".question")).to_have_text("slow 电梯")
    expect(chip(page.locator(".turn"), 1)).to_be_visible()


# --- citations and the article ---------------------------------------------------------------


def test_pointing_at_a_chip_shows_the_quote_and_where_it_stands(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    chip(turn, 2).hover()
    card = page.get_by_role("tooltip")
    expect(card.locator("q")).to_have_text(MONEY)
    expect(card).to_contain_text(f"《{DISPLAYED_TITLE}》")
    expect(card).to_contain_text("周砚秋、罗一鸣 · 文据样报 · 2024年5月20日 · 第 3 版 · 第 3 段")
    expect(card).to_contain_text("这句话逐字出自原文")
    expect(turn.locator(".claim.lit").first).to_contain_text("一是市级补助")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_by_keyboard_alone_a_chip_shows_its_card_and_opens_the_article(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    page.keyboard.press("Shift+Tab")
    while page.evaluate("!document.activeElement.matches('.chip')"):
        page.keyboard.press("Shift+Tab")
    second = chip(turn, 2)
    expect(second).to_be_focused()
    expect(page.get_by_role("tooltip")).to_contain_text(MONEY)
    assert second.get_attribute("aria-describedby") == "card"
    page.keyboard.press("Enter")
    expect(page.locator("mark.current")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator("#reader")).to_be_hidden()
    expect(second).to_be_focused()
    expect(page.get_by_role("tooltip")).to_be_hidden()  # it was read, and would cover the page


def test_the_article_opens_beside_with_exactly_the_quote_marked(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    chip(turn, 1).click()
    mark = page.locator("mark.current")
    expect(mark).to_be_in_viewport()
    # 𠮷 and 😀 stand before the quote, 🛗 in it: each takes two UTF-16 units.
    assert mark.evaluate_all("nodes => nodes.map(n => n.textContent).join('')") == SIX
    assert page.locator("mark:not(.current)").all_inner_texts() == [MONEY]
    assert page.url == f"{stub.url}/articles/a1#p1"
    shown = page.locator(".reader-text > [class^=block-]").evaluate_all(
        """nodes => nodes.map(n => [...n.childNodes].filter(c => !c.classList?.contains(
            "paragraph-number")).map(c => c.textContent).join(""))"""
    )
    article = ARTICLES[0]
    assert shown == [article["text"][b["start"] : b["end"]] for b in article["blocks"]]
    page.go_back()
    expect(page.locator("#reader")).to_be_hidden()
    expect(turn).to_be_visible()


def test_closed_column_breaks_are_marked_with_their_confidence(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url)
    chip(answered(page, LIFTS), 1).click()
    joint = page.get_by_role("button", name="接合处，把握 58%")
    joint.hover()
    card = page.get_by_role("tooltip")
    expect(card).to_contain_text("此处原为断栏，已接合，把握 58%。 略去重复的“三”。")
    expect(card.get_by_role("listitem").first).to_have_text("上一段停在词语中间")
    before = joint.evaluate("node => node.previousSibling.textContent.slice(-5)")
    after = joint.evaluate("node => node.nextSibling.textContent.slice(0, 4)")
    assert (before, after) == ("了三十天，", "收到意见")
    expect(page.locator("mark .joint")).to_have_accessible_name("接合处，把握 93%")


def test_the_article_stands_beside_on_a_desk_and_below_on_a_phone(
    browsing: Browsing, stub: Stub
) -> None:
    for width, height in [(1024, 768), (1600, 1000), (360, 740)]:
        page = browsing.open(stub.url, width=width, height=height)
        turn = answered(page, LIFTS)
        chip(turn, 1).click()
        expect(page.locator("mark.current")).to_be_in_viewport()
        answer, reader = turn.bounding_box(), page.locator("#reader").bounding_box()
        assert answer is not None
        assert reader is not None
        if width > 360:
            assert reader["x"] >= answer["x"] + answer["width"]
        else:
            assert reader["x"] == 0
            assert reader["y"] > height / 3
            expect(turn.locator(".question")).to_be_in_viewport()


def test_an_article_has_an_address_of_its_own(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/articles/a1#p2")
    paragraph = page.locator("#p2")
    expect(paragraph).to_contain_text("一是市级补助")
    expect(paragraph).to_have_class("block-body pointed")
    page.get_by_role("link", name="第 1 段").click()
    assert page.url == f"{stub.url}/articles/a1#p0"
    page.get_by_role("button", name="关闭文章").click()
    assert page.url == f"{stub.url}/"


@both
def test_an_article_that_is_gone_or_changed_is_said_so(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    browsing.allowed.append("404")
    page = browsing.open(stub.url, language=language)
    say = words(page)
    turn = answered(page, LIFTS)
    text = ARTICLES[0]["text"].replace("六部", "七部")
    stub.articles = [{**ARTICLES[0], "text": text}]
    chip(turn, 1).click()
    expect(page.get_by_text(say("article.changed"))).to_be_visible()
    page.get_by_role("button", name=say("article.close")).click()
    stub.articles = []
    chip(turn, 1).click()
    expect(page.get_by_role("alert")).to_have_text(say("article.missing"))


def test_what_the_text_does_not_print_comes_from_the_record(browsing: Browsing, stub: Stub) -> None:
    article = ARTICLES[0]
    body = [b for b in article["blocks"] if b["kind"] == "body"]
    stub.articles = [{**article, "blocks": body}]
    page = browsing.open(f"{stub.url}/articles/a1")
    text = page.locator(".reader-text")
    expect(text.get_by_role("heading")).to_have_text(DISPLAYED_TITLE)
    expect(text.locator(".block-byline")).to_have_text("周砚秋、罗一鸣 · 江岸城市研究院")
    expect(text.locator(".imprint")).to_have_text("文据样报 · 2024年5月20日 · 第 3 版")


def test_a_quote_that_moved_is_found_again(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    first = ARTICLES[0]
    moved = [
        {**b, "start": b["start"] + 2 * (n > 0), "end": b["end"] + 2, "joints": []}
        for n, b in enumerate(first["blocks"])
    ]
    stub.articles = [{**first, "text": "😀！" + first["text"], "blocks": moved}]
    chip(turn, 1).click()
    expect(page.locator("mark.current")).to_have_text(SIX)


# --- honest answers --------------------------------------------------------------------------


def test_a_refusal_shows_what_was_searched_and_the_nearest(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, "补助标准是哪一年定的？")
    expect(turn.get_by_text("资料中没有答案")).to_be_visible()
    searched = "查了 1,234 段文字，文章日期从 2019年3月 到 2024年5月20日。"
    expect(turn.locator(".coverage-line")).to_have_text(searched)
    nearest = turn.get_by_role("list", name="最接近的段落").get_by_role("listitem")
    expect(nearest).to_have_count(2)
    expect(nearest.first).to_contain_text("去年春天")
    expect(turn.get_by_role("button", name="带出处复制")).to_have_count(0)
    nearest.nth(1).get_by_role("button").click()
    expect(page.locator("mark.current")).to_contain_text("一是市级补助")


@both
def test_a_partial_answer_and_its_support_say_so(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    page = browsing.open(stub.url, language=language)
    say = words(page)
    turn = answered(page, "partial 电梯")
    expect(turn.locator(".status strong")).to_have_text(say("status.partial"))
    expect(turn.locator(".sources .support")).to_have_text(say("support.supported"))
    chip(turn, 1).hover()
    expect(page.get_by_role("tooltip")).to_contain_text(say("support.supported.note"))


def test_conflicting_sources_stand_side_by_side(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, "电梯首批装了几部？")
    sides = turn.get_by_role("group", name="各处说法不一").get_by_role("button")
    expect(sides).to_have_count(2)
    expect(sides.nth(0)).to_contain_text(SIX)
    expect(sides.nth(1)).to_contain_text("江岸晚报 · 2024年4月2日")
    boxes = [sides.nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]  # type: ignore[index] # both are shown
    sides.nth(1).click()
    expect(page.locator("mark.current")).to_have_text(EIGHT)


@both
def test_an_unproved_sentence_looks_and_reads_unproved(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    page = browsing.open(stub.url, language=language)
    unproved = words(page)("support.unsupported")
    turn = answered(page, "unproved 电梯")
    expect(turn.locator(".claim").first).to_have_attribute("data-support", "unsupported")
    expect(turn.locator(".chip")).to_have_accessible_name(re.compile(f", {unproved}[;，]"))
    expect(turn.locator(".sources")).to_contain_text(unproved)


@both
def test_twenty_sources_are_folded(browsing: Browsing, stub: Stub, language: str) -> None:
    page = browsing.open(stub.url, language=language, width=360, height=740)
    say = words(page)
    turn = answered(page, "twenty 老楼")
    expect(turn.locator(".answer-text .chip")).to_have_count(20)
    expect(turn.locator(".source:visible")).to_have_count(6)
    turn.get_by_role("button", name=say("cite.all", n=20)).click()
    expect(turn.locator(".source:visible")).to_have_count(20)
    expect(turn.get_by_role("button", name=say("cite.fewer"))).to_have_attribute(
        "aria-expanded", "true"
    )


def test_ranked_passages_are_one_click_away(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, language="en")
    turn = answered(page, LIFTS)
    turn.get_by_role("button", name="Passages found (7)").click()
    rows = turn.get_by_role("list", name="Passages found, best first").get_by_role("listitem")
    expect(rows).to_have_count(7)
    expect(rows.nth(0)).to_contain_text("No. 1")
    expect(rows.nth(0)).to_contain_text("score 0.91")
    expect(rows.nth(0)).to_contain_text("found by meaning and words")
    expect(rows.nth(0)).to_contain_text("also in 江岸晚报")
    expect(turn.locator(".receipt")).to_contain_text("Searched 1,234 passages")


@pytest.mark.parametrize(
    ("form", "copied"),
    [
        (
            "纯文本",
            f"{SIX}[1]{MONEY}[2]\n\n[1] 《{DISPLAYED_TITLE}》 · 周砚秋、罗一鸣 · 文据样报 · "
            f"2024年5月20日 · 第\u00a03\u00a0版 · 第\u00a02\u00a0段\n    {SIX}\n\n"
            f"[2] 《{DISPLAYED_TITLE}》 · 周砚秋、罗一鸣 · 文据样报 · "
            f"2024年5月20日 · 第\u00a03\u00a0版 · 第\u00a03\u00a0段\n    {MONEY}",
        ),
        (
            "Markdown",
            f"{SIX}[1]{MONEY}[2]\n\n- **[1]** [{DISPLAYED_TITLE}](URL/articles/a1#p1) · "
            "周砚秋、罗一鸣 · 文据样报 · 2024年5月20日 · 第\u00a03\u00a0版 · 第\u00a02\u00a0段"
            f"\n  > {SIX}\n- **[2]** [{DISPLAYED_TITLE}](URL/articles/a1#p2) · "
            "周砚秋、罗一鸣 · 文据样报 · 2024年5月20日 · 第\u00a03\u00a0版 · 第\u00a03\u00a0段"
            f"\n  > {MONEY}",
        ),
        (
            "GB/T 7714 参考文献",
            f"{SIX}[1]{MONEY}[1]\n\n[1] 周砚秋, 罗一鸣. {DISPLAYED_TITLE}[N]. "
            "文据样报, 2024-05-20(3).",
        ),
    ],
)
def test_an_answer_is_copied_with_its_citations(
    browsing: Browsing, stub: Stub, form: str, copied: str
) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    turn.get_by_text("带出处复制").click()
    turn.get_by_role("button", name=form, exact=True).click()
    expect(page.get_by_role("status").filter(has_text="已复制")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == copied.replace("URL", stub.url)


# --- faults ----------------------------------------------------------------------------------


FAULTS = {"cut": "cut", "cut reset": "cut", "broken": "internal", "busy": "overloaded"}


@both
def test_an_error_says_what_to_do_and_can_be_retried(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    browsing.allowed += ["503", "ERR_INCOMPLETE_CHUNKED"]
    page = browsing.open(stub.url, language=language)
    say = words(page)
    for fault, code in FAULTS.items():
        turn = answered(page, f"{fault} 电梯")
        told = say(f"error.{code}")
        if (fault, language) == ("busy", "en"):
            told = "try again in 2 seconds"
        expect(turn.get_by_role("alert")).to_contain_text(told)
        if fault == "broken":
            expect(turn.get_by_role("alert")).to_contain_text(say("error.id", id="r-42"))
        turn.get_by_role("button", name=say("retry")).click()
        expect(turn.get_by_role("alert")).to_contain_text(told)
        assert [body["question"] for body in stub.asked[-2:]] == [f"{fault} 电梯"] * 2
        expect(page.get_by_role("button", name=say("ask.send"))).to_be_visible()


def test_a_server_that_is_away_is_said_so_and_may_come_back(browsing: Browsing, stub: Stub) -> None:
    browsing.allowed.append("ERR_FAILED")
    page = browsing.open(stub.url, language="en")
    page.route("**/v1/ask", lambda route: route.abort())
    turn = answered(page, LIFTS)
    expect(turn.get_by_role("alert")).to_contain_text("Make sure that wenju serve is running")
    page.unroute("**/v1/ask")
    turn.get_by_role("button", name="Try again").click()
    expect(chip(turn, 1)).to_be_visible()


def test_hostile_text_stays_text_and_breaks_no_layout(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, width=360, height=740)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    title = page.title()
    turn = answered(page, "hostile")
    assert turn.locator(".answer-text").evaluate("node => node.textContent") == HOSTILE + "1"
    chip(turn, 1).click()
    expect(page.locator("mark.current")).to_be_visible()
    assert page.locator("mark.current").evaluate("node => node.textContent") == HOSTILE
    assert page.title() == title
    for tag in ("img", "svg:not(.icon)", "i", "b", "body script", "a[href^=javascript]"):
        expect(page.locator(tag)).to_have_count(0)
    # The override stands alone in an isolate: the letters behind it keep their order.
    order = page.locator("mark.current").evaluate(
        """node => { const text = [...node.childNodes].find(n => n.data?.startsWith("gnp"));
            const range = document.createRange();
            const at = i => (range.setStart(text, i), range.setEnd(text, i + 1),
                range.getBoundingClientRect().left);
            return [at(0), at(1), at(2)]; }"""
    )
    assert order == sorted(order)
    assert overflowing(page) == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_key_is_asked_for_where_the_server_wants_one(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    browsing.allowed.append("401")
    stub.key = "wenju_right"
    page = browsing.open(stub.url, language=language)
    say = words(page)
    dialog = page.get_by_role("dialog", name=say("key.title"))
    expect(dialog.get_by_text(say("key.lead"))).to_be_visible()
    page.keyboard.press("Escape")
    told = {"zh": say("error.unauthorized"), "en": "A key is needed."}[language]
    expect(page.get_by_role("alert")).to_contain_text(told)
    page.get_by_role("button", name=say("retry")).click()
    dialog.get_by_label(say("key.label")).fill("wenju_wrong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text(say("key.wrong"))).to_be_visible()
    assert axe_finds(page, axe_script()) == []
    dialog.get_by_label(say("key.label")).fill("wenju_right")
    dialog.get_by_role("button", name=say("key.use")).click()
    expect(page.locator(".example").first).to_be_visible()
    expect(page.locator("#state")).to_have_text(say("archive.count", n=len(ARTICLES)))
    expect(chip(answered(page, LIFTS), 1)).to_be_visible()
    page.reload()
    expect(dialog).to_have_count(0)
    page.locator("#to-archive").click()
    page.locator("#files").set_input_files(
        [{"name": "one.txt", "mimeType": "text/plain", "buffer": b"text"}]
    )
    page.get_by_role("button", name=say("upload.accept")).click()
    expect(page.get_by_text(say("upload.added"))).to_be_visible()


# --- conversation ----------------------------------------------------------------------------


def test_a_second_question_takes_the_first_turn_along(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    answered(page, LIFTS)
    turn = answered(page, "一楼呢？")
    expect(turn.get_by_text("理解为：𠮷祥里加装电梯：一楼呢？")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(2)
    before = {"question": LIFTS, "answer": f"{SIX}[1]{MONEY}[2]", "article_ids": ["a1"]}
    assert stub.asked[1] == {"question": "一楼呢？", "history": [before], "stream": True}


def test_conversations_are_kept_reopened_exported_and_deleted(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url, width=1600)
    answered(page, LIFTS)
    page.reload()
    expect(chip(page.locator(".turn"), 2)).to_be_visible()
    with page.expect_download() as markdown:
        page.get_by_role("button", name="导出为 Markdown").click()
    assert f"## {LIFTS}\n\n{SIX}" in markdown.value.path().read_text("utf-8")
    with page.expect_download() as exported:
        page.get_by_role("button", name="导出为 JSON").click()
    chat = json.loads(exported.value.path().read_text("utf-8"))
    assert chat["turns"][0]["answer"]["citations"][1]["quote"] == MONEY
    page.get_by_role("button", name="新对话").click()
    expect(page.get_by_role("heading", name="向资料库提问")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(0)
    page.get_by_role("button", name=f"删除这段对话: {LIFTS}").click()
    expect(page.locator(".chats li")).to_have_count(0)
    page.get_by_role("button", name="撤销").click()
    page.get_by_role("button", name=LIFTS, exact=True).last.click()
    expect(chip(page.locator(".turn"), 1)).to_be_visible()


def test_history_that_cannot_be_read_is_said_so(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    page.evaluate("localStorage.setItem('wenju.chat.x', '{half')")
    page.reload()
    expect(page.get_by_text("有 1 段旧对话读不出来，已跳过。")).to_be_visible()
    expect(chip(answered(page, LIFTS), 1)).to_be_visible()


# --- archive, filters, examples --------------------------------------------------------------


def test_examples_are_asked_by_a_click(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, language="en")
    page.get_by_role("button", name="Who pays for the lifts?").click()
    expect(page.locator(".question")).to_have_text("Who pays for the lifts?")
    expect(page.locator(".short-answer")).to_have_text("by floor")


@both
def test_an_empty_archive_says_how_to_fill_it(
    browsing: Browsing, stub: Stub, language: str
) -> None:
    stub.articles = []
    page = browsing.open(stub.url, language=language)
    say = words(page)
    expect(page.get_by_text("wenju add FILE…")).to_be_visible()
    page.get_by_role("button", name=say("welcome.open")).click()
    expect(page.get_by_text(say("archive.empty"))).to_be_visible()


def test_the_archive_is_searched_and_its_articles_opened(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, language="en")
    page.get_by_role("link", name="Archive").click()
    rows = page.get_by_role("list", name="Articles").get_by_role("listitem")
    expect(rows).to_have_count(len(ARTICLES))
    page.get_by_role("searchbox", name="Find articles").fill("晚报")
    expect(rows).to_have_count(1)
    expect(page.get_by_text("1 found")).to_be_visible()
    rows.get_by_role("link").click()
    expect(page.locator("#reader")).to_contain_text(EIGHT)
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_text("No article matches “nothing like it”.")).to_be_visible()


def deleting(response: Response) -> bool:
    return response.request.method == "DELETE"


def listing(response: Response) -> bool:
    return "/v1/articles?" in response.url


def test_deleting_can_be_undone_until_the_notice_goes(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/#archive")
    stop_the_clock(page)
    page.get_by_role("button", name="删除《加装电梯首批定为八部》").click()
    link = page.get_by_role("link", name="加装电梯首批定为八部")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="撤销").click()
    expect(link).to_be_visible()
    assert stub.articles == ARTICLES
    page.get_by_role("button", name="删除《加装电梯首批定为八部》").click()
    with page.expect_response(deleting):
        page.locator(".toast").get_by_role("button", name="关闭").click()
    expect(page.locator(".count")).to_have_text("3 篇文章")
    assert [a["id"] for a in stub.articles] == ["a1", "e1", "h1"]


def test_a_notice_goes_by_itself_and_the_article_with_it(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/#archive")
    stop_the_clock(page)
    page.get_by_role("button", name="删除《加装电梯首批定为八部》").click()
    page.clock.run_for(7_900)
    expect(page.locator(".toast")).to_be_visible()
    assert stub.articles == ARTICLES
    with page.expect_response(deleting):
        page.clock.run_for(200)
    expect(page.locator(".toast")).to_have_count(0)
    expect(page.locator(".count")).to_have_text("3 篇文章")
    assert [a["id"] for a in stub.articles] == ["a1", "e1", "h1"]


def test_one_deletion_is_undone_after_another_was_done(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/#archive")
    rows, count = page.locator(".article-row"), page.locator(".count")
    stop_the_clock(page)
    for left in (3, 2):
        rows.filter(visible=True).first.get_by_role("button").click()
        expect(count).to_have_text(f"{left} 篇文章")
    expect(rows.filter(visible=True).first.get_by_role("link")).to_be_focused()
    with page.expect_response(listing):
        page.locator(".toast").first.get_by_role("button", name="关闭").click()
    expect(rows).to_have_count(3)  # the list was read again, one of it hidden
    expect(count).to_have_text("2 篇文章")
    page.get_by_role("button", name="撤销").click()
    expect(rows.first).to_be_visible()
    expect(count).to_have_text("3 篇文章")
    assert stub.articles == ARTICLES[1:]


def test_an_article_that_is_added_again_is_not_deleted_after_it(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(f"{stub.url}/#archive")
    stop_the_clock(page)
    page.locator(".article-row").first.get_by_role("button").click()
    page.locator("#files").set_input_files(
        [{"name": "page.txt", "mimeType": "text/plain", "buffer": b"text"}]
    )
    page.get_by_role("button", name="加入资料库").click()
    expect(page.locator(".upload-outcome")).to_have_text("已加入")
    expect(page.locator(".toast")).to_have_count(0)
    page.clock.run_for(60_000)
    expect(page.locator(".count")).to_have_text("4 篇文章")
    expect(page.locator(".article-row").first).to_be_visible()
    assert {a["id"] for a in stub.articles} == {a["id"] for a in ARTICLES}


def test_what_was_read_is_shown_and_accepted_before_it_is_stored(
    browsing: Browsing, stub: Stub
) -> None:
    browsing.allowed.append("422")
    page = browsing.open(f"{stub.url}/#archive")
    page.locator("#files").set_input_files(
        [
            {"name": "page.txt", "mimeType": "text/plain", "buffer": "文".encode() * 2000},
            {"name": "bad.bin", "mimeType": "application/octet-stream", "buffer": b"\0\1"},
        ]
    )
    rows = page.get_by_role("list", name="上传的文件").locator("> li")
    expect(rows.nth(0)).to_contain_text("读到这些，还没有加入")
    expect(rows.nth(0)).to_contain_text("读出 1 篇文章 · 2 处接栏，把握最低 58%")
    expect(rows.nth(0)).to_contain_text(
        "周砚秋、罗一鸣 · 文据样报 · 2024年5月20日 · 第 3 版 · 江岸城市研究院 · 4 段 · "
        "2 处文字未能归入正文"
    )
    expect(rows.nth(1).get_by_role("alert")).to_contain_text(
        "这个文件读不了：bad.bin：不是文本（含有空字节），请另存为 UTF-8 文本后再加入"
    )
    rows.nth(0).get_by_text("查看接栏处（2）").click()
    seams = rows.nth(0).locator(".seams li")
    expect(seams.nth(1)).to_contain_text("案公示了三十天，收到意见四十七条")
    expect(seams.nth(1)).to_contain_text("第 2 段，把握 58% · 略去重复的“三”。")
    assert (stub.previewed, stub.uploaded) == (["page.txt", "bad.bin"], [])
    rows.nth(0).get_by_role("button", name="加入资料库").click()
    expect(rows.nth(0)).to_contain_text("已加入")
    assert stub.uploaded == ["page.txt"]
    rows.nth(0).get_by_role("link").click()
    expect(page.locator("#reader")).to_contain_text(DISPLAYED_TITLE)


def test_what_was_read_can_be_discarded_and_stores_nothing(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/#archive", language="en")
    names = ["one.txt", "two.txt", "three.txt"]
    page.locator("#files").set_input_files(
        [{"name": n, "mimeType": "text/plain", "buffer": b"text"} for n in names]
    )
    rows = page.get_by_role("list", name="Uploaded files").locator("> li")
    expect(page.get_by_role("button", name="Add all (3)")).to_be_visible()
    rows.nth(1).get_by_role("button", name="Discard").click()
    expect(rows.nth(1)).to_contain_text("Discarded")
    page.get_by_role("button", name="Add all (2)").click()
    expect(rows.nth(2)).to_contain_text("Added")
    expect(page.get_by_role("button", name="Add all")).to_be_hidden()
    assert (stub.previewed, stub.uploaded) == (names, ["one.txt", "three.txt"])


def test_a_file_can_be_dropped(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/#archive")
    data = page.evaluate_handle(
        """() => { const data = new DataTransfer();
            data.items.add(new File(["文章"], "dropped.md")); return data; }"""
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": data})
    page.get_by_role("button", name="加入资料库").click()
    expect(page.get_by_role("list", name="上传的文件")).to_contain_text("已加入")
    assert stub.uploaded == ["dropped.md"]


def test_the_list_is_filtered_and_its_filters_are_asked_with(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(f"{stub.url}/#archive")
    expect(page.get_by_text("索引第 12 代 · 1,234 段 · 模型 scripted")).to_be_visible()
    page.locator("#archive").get_by_role("button", name="筛选", exact=True).click()
    offered = page.locator("#list-sources option")
    expect(offered.first).to_have_attribute("value", "文据样报")
    expect(offered.first).to_have_attribute("label", "1 篇文章")
    page.locator("#archive").get_by_label("来源").fill("文据样报")
    page.locator("#archive").get_by_label("栏目").fill("要闻")
    page.locator("#archive").get_by_label("起始日期").fill("2024-01-01")
    page.get_by_role("button", name="使用筛选").click()
    expect(page.get_by_text("找到 1 篇")).to_be_visible()
    assert stub.listed[-1] == {
        "limit": ["40"],
        "offset": ["0"],
        "source": ["文据样报"],
        "section": ["要闻"],
        "date_from": ["2024-01-01"],
    }
    page.get_by_role("button", name="去掉筛选：要闻").click()
    expect(page.locator("#archive .filter-chip")).to_have_count(2)
    page.get_by_role("button", name="在这些文章中提问").click()
    answered(page, LIFTS)
    assert stub.asked[0]["filters"] == {"sources": ["文据样报"], "date_from": "2024-01-01"}
    page.locator("#to-archive").click()
    page.get_by_role("button", name="去掉筛选：2024年1月1日 起").last.click()
    page.locator("#archive").get_by_role("button", name="去掉筛选：文据样报").click()
    expect(page.get_by_text(f"{len(ARTICLES)} 篇文章").last).to_be_visible()
    expect(page.get_by_role("button", name="在这些文章中提问")).to_be_hidden()


def test_filters_that_nothing_passes_say_so(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/#archive", language="en")
    page.locator("#archive").get_by_role("button", name="Filters", exact=True).click()
    page.locator("#archive").get_by_label("Source").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No article passes these filters.")).to_be_visible()
    page.get_by_role("button", name="Switch to Chinese (中文)").click()
    expect(page.get_by_text("没有符合筛选条件的文章。")).to_be_visible()


def test_an_index_that_cannot_be_used_is_said_so(browsing: Browsing, stub: Stub) -> None:
    browsing.allowed.append("503")
    page = browsing.open(stub.url)
    told = {"code": "model_mismatch", "message": "Run it anew.", "request_id": "r"}
    page.route(
        "**/readyz", lambda route: route.fulfill(status=503, body=json.dumps({"error": told}))
    )
    page.locator("#to-archive").click()
    expect(page.locator(".index")).to_contain_text("索引暂时不能使用 · 索引是用另一个模型建的：")
    page.get_by_role("button", name="切换到英文（English）").click()
    expect(page.locator(".index")).to_have_text("The index cannot be used now · Run it anew.")
    expect(page.locator(".article-row")).to_have_count(len(ARTICLES))


# --- feedback --------------------------------------------------------------------------------


def test_an_answer_is_rated_commented_on_and_the_rating_withdrawn(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url)
    turn = answered(page, LIFTS)
    bar = turn.get_by_role("group", name="评价这个回答")
    expect(bar).to_contain_text("这个回答有用吗？")
    up, down = bar.get_by_role("button", name="有用"), bar.get_by_role("button", name="没用")
    up.click()
    expect(bar.get_by_role("status")).to_have_text("谢谢，已记下。")
    expect(up).to_have_attribute("aria-pressed", "true")
    assert stub.feedback["ans1"] == {
        "answer_id": "ans1",
        "question": LIFTS,
        "answer": f"{SIX}[1]{MONEY}[2]",
        "verdict": "up",
        "comment": "",
        "article_ids": ["a1"],
        "passage_ids": ["a1-1.0", "a1-2.0"],
    }
    down.click()
    expect(down).to_have_attribute("aria-pressed", "true")
    expect(up).to_have_attribute("aria-pressed", "false")
    bar.get_by_role("textbox", name="哪里不对？（可不填）").fill("漏了第三方。\n还有日期。")
    bar.get_by_role("button", name="发送留言").click()
    expect(bar.get_by_role("status")).to_have_text("谢谢，留言已记下。")
    expect(bar.get_by_role("textbox")).to_have_count(0)
    assert stub.feedback["ans1"]["comment"] == "漏了第三方。\n还有日期。"
    assert stub.feedback["ans1"]["verdict"] == "down"
    page.reload()
    expect(bar.get_by_role("status")).to_have_text("谢谢，留言已记下。")
    bar.get_by_role("button", name="撤销").click()
    expect(bar.get_by_role("status")).to_have_text("这个回答有用吗？")
    expect(up).to_be_focused()
    assert stub.feedback == {}


def test_a_rating_works_by_keyboard_and_in_english(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, language="en")
    turn = answered(page, "refuse")
    bar = turn.get_by_role("group", name="Rate this answer")
    bar.get_by_role("button", name="Useful", exact=True).focus()
    page.keyboard.press("Enter")
    expect(bar.get_by_role("status")).to_have_text("Thank you, noted.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(bar.get_by_role("textbox", name="Anything to add? (optional)")).to_be_focused()
    page.keyboard.type("Right to refuse.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(bar.get_by_role("status")).to_have_text("Thank you, your comment is noted.")
    expect(bar.get_by_role("button", name="Undo")).to_be_focused()
    assert stub.feedback["ans1"]["comment"] == "Right to refuse."
    assert stub.feedback["ans1"]["article_ids"] == []


def test_a_rating_that_is_not_stored_is_said_so(browsing: Browsing, stub: Stub) -> None:
    browsing.allowed.append("503")
    page = browsing.open(stub.url)
    bar = answered(page, LIFTS).get_by_role("group", name="评价这个回答")
    bar.get_by_role("button", name="有用").click()
    bar.get_by_role("textbox").fill("refused")
    bar.get_by_role("button", name="发送留言").click()
    expect(page.get_by_text("评价没有记下 · 资料库的文件夹用不了：")).to_be_visible()
    expect(bar.get_by_role("textbox")).to_have_value("refused")


def test_what_is_written_and_open_outlives_a_switch_of_language(
    browsing: Browsing, stub: Stub
) -> None:
    browsing.allowed.append("422")
    page = browsing.open(stub.url)
    for question in ("twenty", LIFTS):
        turn = answered(page, question)
    turn.get_by_role("button", name="检索到的段落（7）").click()
    turn.get_by_role("button", name="没用").click()
    turn.get_by_role("textbox", name="哪里不对？（可不填）").fill("漏了日期")
    page.locator("#question").fill("还没问的问题")
    page.get_by_role("button", name="筛选", exact=True).click()
    page.get_by_label("来源").fill("还没用的来源")
    page.locator(".turns").evaluate("node => node.scrollTo(0, 40)")
    page.get_by_role("button", name="切换到英文（English）").click()
    expect(turn.get_by_role("textbox", name="What is wrong with it?")).to_have_value("漏了日期")
    expect(turn.get_by_role("list", name="Passages found, best first")).to_be_visible()
    expect(page.get_by_role("textbox", name="Question")).to_have_value("还没问的问题")
    expect(page.get_by_label("Source", exact=True)).to_have_value("还没用的来源")
    assert page.locator(".turns").evaluate("node => node.scrollTop") < 200  # not at its end
    assert "filters" not in stub.asked[-1]
    page.reload()
    expect(turn.get_by_role("textbox", name="What is wrong with it?")).to_have_value("漏了日期")
    page.locator("#to-archive").click()
    page.locator("#files").set_input_files(
        [{"name": n, "mimeType": "text/plain", "buffer": b"text"} for n in ("one.txt", "bad.bin")]
    )
    rows = page.locator(".upload-row")
    expect(rows.nth(1)).to_contain_text("it holds NUL bytes")
    page.get_by_role("button", name="Switch to Chinese (中文)").click()
    expect(rows.nth(0)).to_contain_text("读出 1 篇文章 · 2 处接栏")
    expect(rows.nth(1)).to_contain_text("不是文本（含有空字节）")
    rows.nth(0).get_by_role("button", name="加入资料库").click()
    expect(rows.nth(0)).to_contain_text("已加入")
    page.get_by_role("button", name="切换到英文（English）").click()
    expect(rows.nth(0).locator(".upload-outcome")).to_have_text("Added")


def test_filters_are_sent_shown_as_chips_and_removed(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    page.get_by_role("button", name="筛选").click()
    page.get_by_role("combobox", name="来源").fill("文据样报、江岸晚报")
    page.get_by_label("起始日期").fill("2024-06-01")
    page.get_by_label("截止日期").fill("2024-05-31")
    page.get_by_role("button", name="使用筛选").click()
    expect(page.get_by_text("起始日期晚于截止日期。")).to_be_visible()
    page.get_by_label("起始日期").fill("2024-01-01")
    page.get_by_label("语言").select_option("中文")
    page.get_by_role("button", name="使用筛选").click()
    chips = page.get_by_role("group", name="正在使用的筛选").get_by_role("button")
    expect(chips).to_have_count(5)
    page.get_by_role("button", name="去掉筛选：江岸晚报").click()
    turn = answered(page, LIFTS)
    expect(turn.locator(".aside").first).to_have_text(
        "限于：文据样报、中文、2024年1月1日 起、至 2024年5月31日"
    )
    assert stub.asked[0]["filters"] == {
        "sources": ["文据样报"],
        "languages": ["zh"],
        "date_from": "2024-01-01",
        "date_to": "2024-05-31",
    }


def test_one_article_alone_can_be_asked(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(f"{stub.url}/articles/a2")
    page.get_by_role("button", name="只问这篇").click()
    expect(page.get_by_role("button", name="去掉筛选：《加装电梯首批定为八部》")).to_be_visible()
    answered(page, LIFTS)
    assert stub.asked[0]["filters"] == {"article_ids": ["a2"]}


# --- looks and language ----------------------------------------------------------------------


def test_the_language_follows_the_browser_and_can_be_switched(
    browsing: Browsing, stub: Stub
) -> None:
    page = browsing.open(stub.url, language="en")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    turn = answered(page, LIFTS)
    expect(turn.get_by_role("heading", name="Sources")).to_be_visible()
    page.get_by_role("button", name="Switch to Chinese (中文)").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator(".turn").get_by_role("heading", name="出处")).to_be_visible()
    expect(page.get_by_role("textbox", name="问题")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def test_the_theme_follows_the_system_and_can_be_chosen(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, scheme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="外观：跟随系统").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.get_by_role("button", name="外观：浅色")).to_be_visible()
    expect(root).to_have_attribute("data-theme", "light")


def overflowing(page: Page) -> list[str]:
    """What is wider than its place, sideways."""
    return page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll("*")]
            .filter(n => n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 0
                && getComputedStyle(n).overflowX !== "visible"
                && !n.matches(".hidden, .chat-link, .filter-chip span, .side-source")
                && !n.matches("[class*=title]"))
            .map(n => `${n.tagName}.${n.className} ${n.scrollWidth} > ${n.clientWidth}`)"""
    )


@pytest.mark.parametrize(
    ("width", "language"), [(360, "zh"), (360, "en"), (512, "en"), (1024, "zh"), (1600, "en")]
)
def test_nothing_is_wider_than_the_page(
    browsing: Browsing, stub: Stub, width: int, language: str
) -> None:
    page = browsing.open(stub.url, language=language, width=width, height=740)
    assert overflowing(page) == []
    for question in ("twenty", "几部", "refuse", "hostile"):
        answered(page, question)
        assert overflowing(page) == []
    chip(page.locator(".turn").first, 3).click()
    expect(page.locator("mark.current")).to_be_visible()
    assert overflowing(page) == []
    page.locator("#to-archive").click()
    expect(page.locator(".article-row")).to_have_count(len(ARTICLES))
    page.locator("#archive").get_by_role("button", expanded=False).first.click()
    page.locator("#files").set_input_files(
        [{"name": "page.txt", "mimeType": "text/plain", "buffer": b"text"}]
    )
    page.locator(".seams summary").click()
    assert overflowing(page) == []


CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const parse = s => { const [r, g, b, a = 1] = s.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a]; };
  const ground = n => { for (; n; n = n.parentElement) {
    const c = parse(getComputedStyle(n).backgroundColor); if (c[3] > 0) return c; }
    return [255, 255, 255]; };
  const bad = [];
  for (const n of document.querySelectorAll("body *")) {
    const own = [...n.childNodes].some(c => c.nodeType === 3 && c.data.trim());
    const seen = n.getClientRects().length
      && !n.closest("[hidden], :disabled, .hidden, datalist, .control");
    if (!own || !seen) continue;
    const a = light(parse(getComputedStyle(n).color).slice(0, 3));
    const b = light(ground(n).slice(0, 3));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${n.className} ${ratio.toFixed(2)} ${n.textContent.slice(0, 20)}`);
  }
  return bad; }"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browsing: Browsing, stub: Stub, scheme: str) -> None:
    browsing.allowed.append("503")
    page = browsing.open(stub.url, width=1600, scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    for question in ("几部", "refuse", "unproved", "busy"):
        answered(page, question)
    chip(page.locator(".turn").first, 1).click()
    expect(page.locator("mark.current")).to_be_visible()
    page.locator(".reader-bar").get_by_role("button", name="只问这篇").click()
    page.get_by_role("button", name="筛选", exact=True).click()
    assert page.evaluate(CONTRAST) == []
    page.locator(".thumb").first.click()
    page.locator("#to-archive").click()
    page.locator("#files").set_input_files(
        [{"name": "page.txt", "mimeType": "text/plain", "buffer": b"text"}]
    )
    page.locator(".seams summary").click()
    stop_the_clock(page)
    page.locator(".article-row .bare").last.click()
    assert page.evaluate(CONTRAST) == []
    page.locator(".toast .plain").click()  # undone: leaving the page would delete it


def test_every_control_has_a_name_and_is_large_enough(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url, width=360, height=740)
    chip(answered(page, LIFTS), 1).click()
    expect(page.locator("mark.current")).to_be_visible()
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, textarea, summary")]
            .filter(n => n.checkVisibility({visibilityProperty: true})
                && !n.matches(".joint, .skip, .paragraph-number"))
            .map(n => [n.getAttribute("aria-label") || n.textContent.trim()
                || n.labels?.[0]?.textContent, n.getBoundingClientRect()])
            .filter(([name, box]) => !name || box.height < 24 || box.width < 24)
            .map(([name, box]) => `${name} ${box.width} x ${box.height}`)"""
    )
    assert small == []


@pytest.mark.parametrize(
    ("width", "language", "scheme"),
    [(360, "zh", "light"), (360, "en", "dark"), (1600, "zh", "dark"), (1600, "en", "light")],
)
def test_axe_finds_nothing(
    browsing: Browsing, stub: Stub, width: int, language: str, scheme: str
) -> None:
    axe = axe_script()
    page = browsing.open(stub.url, language=language, width=width, height=800, scheme=scheme)
    assert axe_finds(page, axe) == []
    for question in (LIFTS, "几部", "refuse", "unproved"):
        turn = answered(page, question)
        expect(turn.locator(".actions")).to_be_visible()
    page.locator(".actions button[aria-expanded]").last.click()
    chip(page.locator(".turn").first, 1).click()
    expect(page.locator("mark.current")).to_be_visible()
    assert axe_finds(page, axe) == []
    page.keyboard.press("Escape")
    page.locator("#filter-toggle").click()
    page.locator(".thumb").first.click()
    expect(page.locator(".comment").first).to_be_visible()
    assert axe_finds(page, axe) == []
    page.locator("#to-archive").click()
    expect(page.locator(".article-row")).to_have_count(len(ARTICLES))
    page.locator("#archive .action", has=page.locator(".icon")).first.click()
    file = {"name": "page.txt", "mimeType": "text/plain", "buffer": b"text"}
    page.locator("#files").set_input_files([file])
    page.locator(".seams summary").click()
    assert axe_finds(page, axe) == []
    page.locator(".upload-choice .primary").click()
    expect(page.locator(".upload-outcome")).to_contain_text(words(page)("upload.added"))
    stop_the_clock(page)
    page.locator(".article-row .bare").last.click()
    page.locator(".toast").hover()  # a notice that is pointed at stays
    page.clock.resume()  # axe waits by the clock
    assert axe_finds(page, axe) == []
    page.locator(".toast .plain").click()  # undone: leaving the page would delete it


def axe_script() -> str:
    """axe-core's script, out of the package that carries it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-playwright-python, which carries axe-core, is not installed")
    return Path(spec.origin).with_name("axe.min.js").read_text("utf-8")


def axe_finds(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    return page.evaluate(
        """async () => (await axe.run()).violations.flatMap(
            v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 200)}`))"""
    )


def test_the_first_load_is_small_and_comes_from_here(browsing: Browsing, stub: Stub) -> None:
    page = browsing.open(stub.url)
    expect(page.get_by_role("heading", name="向资料库提问")).to_be_visible()
    loads = page.evaluate(
        """() => performance.getEntriesByType("resource").map(r => [r.name, r.encodedBodySize])"""
    )
    assert all(name.startswith(stub.url) for name, _ in loads)
    loaded = {name.removeprefix(f"{stub.url}/static/") for name, _ in loads}
    scripts = {path.name for path in STATIC.glob("*.js")} - {"scan.js"}  # comes with a scan
    assert scripts <= loaded
    assert "scan.js" not in loaded
    index = (STATIC / "index.html").read_text("utf-8")
    assert sum(size for _, size in loads) + len(index.encode()) < 200_000
    preloaded = {name for name in scripts if f'href="/static/{name}"' in index}
    assert preloaded == scripts - {"main.js", "theme.js"}
