"""The chat page against the real `wenju serve`: every feature once, in Chinese and in English.

What the real server cannot be made to do (faults, slow steps, a language model) is in
test_browser.py, against a scripted one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import ROOT, Browsing, served, started, stop_the_clock, tab_to, words
from playwright.sync_api import Browser, Locator, Page, expect
from scan_pages import INSTALLED, scan

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.slow]

FILES = ["fishing-ban.md", "tianfu-opening.md", "en-panda-park.md", "page-a.txt"]
ASKED = {
    "zh": "长江十年禁渔从什么时候开始？",
    "en": "How large is the Giant Panda National Park?",
}
FOLLOW_UP = {
    "zh": ("天府国际机场是哪一天投用的？", "它离市中心多远？", "天府国际机场"),
    "en": (ASKED["en"], "How many pandas live in it?", "the Giant Panda National Park"),
}
UNANSWERED = {"zh": "月球背面的温度是多少度？", "en": "Who invented the telescope?"}
LANTERNS = "本届河畔灯会共展出多少组彩灯？"
AGAINST = {
    "lantern-a.md": (
        "title: 河畔灯会在滨江公园开幕\nauthors: [袁小满, 苏禾]\ndate: 2024-02-20\n"
        "source: 文据样报\nsection: 要闻\npage: 第2版",
        "本届河畔灯会共展出彩灯416组，由滨江公园承办。\n\n灯会每晚七点亮灯，十点熄灯。",
    ),
    "lantern-b.md": (
        "title: 河畔灯会迎来首批游人\nauthors: [程雨]\ndate: 2024-02-21\n"
        "source: 江岸晚报\nsection: 副刊",
        "本届河畔灯会共展出彩灯380组，首日游人超过三万。",
    ),
}
"""Two articles of our own that give different figures."""

HOSTILE = (
    '红杉路共有路灯312盏<img src=x onerror="document.title=1"> javascript:alert(1) '
    "<script>document.title=2</script>。"
)

Opened = Callable[..., tuple[Page, Callable[..., str]]]


def matter(head: str, body: str) -> str:
    return f"---\n{head}\n---\n\n{body}\n"


SCANS = {"zh": ("江心渡口", "ferry.png"), "en": ("柳湾码头", "wharf.pdf")}
"""A picture with a line that is hardly to be read, and a PDF without text."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    for name, (head, body) in AGAINST.items():
        (folder / name).write_text(matter(head, body), encoding="utf-8")
    files = [str(ROOT / "articles" / name) for name in FILES] + [str(folder / n) for n in AGAINST]
    for name, file in SCANS.values() if INSTALLED else ():
        scan(browser, name, folder / file)
        files.append(str(folder / file))
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


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest) -> str:
    """Every test that asks for it is done in both."""
    return request.param


@pytest.fixture
def opened(browsing: Browsing, address: str, language: str) -> Opened:
    """Opens a page in that language; gives it and its words."""

    def open_at(path: str = "", **view: int) -> tuple[Page, Callable[..., str]]:
        page = browsing.open(f"{address}{path}", language=language, **view)
        return page, words(page)

    return open_at


def fetch(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 our own server
        return json.load(response)


def ask(page: Page, question: str) -> Locator:
    """Ask by keyboard and wait for the end; gives the newest turn."""
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    return ended(page)


def ended(page: Page) -> Locator:
    turn = page.locator(".turn").last
    expect(turn.locator(".turn-live")).to_have_attribute("aria-busy", "false", timeout=60_000)
    return turn


def answered(page: Page, question: str) -> Locator:
    turn = ask(page, question)
    expect(turn.get_by_role("alert")).to_have_count(0)
    return turn


def stored(page: Page) -> dict:
    """The newest answer, as the page keeps it."""
    chats = page.evaluate(
        "Object.keys(localStorage).filter(k => k.startsWith('wenju.chat.'))"
        ".map(k => JSON.parse(localStorage.getItem(k)))"
    )
    return max(chats, key=lambda chat: chat["updated"])["turns"][-1]["answer"]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


# --- asking ---------------------------------------------------------------------------------

WATCH = """() => { window.seen = [];
    const look = node => node.textContent && window.seen.push([node.className, node.textContent]);
    new MutationObserver(changes => { for (const change of changes)
        for (const node of change.addedNodes) if (node.nodeType === 1) look(node); })
        .observe(document.querySelector("#turns"), {childList: true, subtree: true}); }"""


def test_a_question_is_written_sent_and_its_steps_are_told(
    opened: Opened, address: str, language: str
) -> None:
    page, say = opened(width=1600)
    examples = fetch(f"{address}/v1/examples?language={language}")["questions"]
    expect(page.locator(".example")).to_have_text(examples)
    box = page.get_by_role("textbox", name=say("ask.label"))
    expect(box).to_be_focused()
    low = box.bounding_box()
    for line in range(3):
        box.press_sequentially(str(line))
        box.press("Shift+Enter")
    high = box.bounding_box()
    assert low is not None
    assert high is not None
    assert high["height"] > 1.8 * low["height"]
    session = page.context.new_cdp_session(page)
    composing = {"text": "jinyu", "selectionStart": 5, "selectionEnd": 5}
    session.send("Input.imeSetComposition", composing)
    enter = {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", enter)
    session.send("Input.insertText", {"text": "禁渔"})
    expect(box).to_have_value("0\n1\n2\n禁渔")
    expect(page.locator(".turn")).to_have_count(0)
    page.evaluate(WATCH)
    box.fill(ASKED[language])
    box.press("Enter")
    turn = ended(page)
    seen = page.evaluate("window.seen")
    steps = {text.partition(" · ")[0] for kind, text in seen if kind == "step"}
    assert {say("step.start"), say("step.retrieve"), say("step.answer")} <= steps
    coming = [text for kind, text in seen if kind == "prose answer-text"]
    assert len(coming) > 1  # the words come before the verified answer does
    expect(turn.locator(".claim").first).to_be_visible()
    page.get_by_role("button", name=say("chat.new")).click()
    page.locator(".example").first.click()
    expect(page.locator(".question")).to_have_text(examples[0])
    expect(ended(page).locator(".chip").first).to_be_visible()


def test_errors_say_what_to_do_and_are_retried(
    opened: Opened, browsing: Browsing, language: str
) -> None:
    browsing.allowed += ["400", "ERR_INTERNET_DISCONNECTED"]
    page, say = opened()
    turn = ask(page, "长" * 900)
    told = {"zh": say("error.bad_request"), "en": "shorten it to at most 512."}[language]
    expect(turn.get_by_role("alert")).to_contain_text(told)
    if language == "zh":
        assert (
            re.search("[a-zA-Z]", turn.get_by_role("alert").locator("p").first.inner_text()) is None
        )
    page.context.set_offline(True)
    turn = ask(page, ASKED[language])
    expect(turn.get_by_role("alert")).to_have_text(say("error.offline"))
    page.context.set_offline(False)
    turn.get_by_role("button", name=say("retry")).click()
    expect(ended(page).locator(".chip").first).to_be_visible()


def test_an_unknown_article_is_said_to_be_gone(opened: Opened, browsing: Browsing) -> None:
    browsing.allowed.append("404")
    page, say = opened("/articles/0000000000000000")
    expect(page.get_by_role("alert")).to_have_text(say("article.missing"))


# --- the answer -----------------------------------------------------------------------------


def test_every_chip_shows_its_source_and_opens_the_article_at_its_quote(
    opened: Opened, address: str, language: str
) -> None:
    page, say = opened()
    turn = answered(page, ASKED[language])
    answer = stored(page)
    assert answer["status"] == "answered"
    assert answer["citations"]
    chips = turn.locator(".answer-text button.chip")
    expect(chips).to_have_count(len(answer["citations"]))
    for n, citation in enumerate(answer["citations"]):
        source = citation["article"]
        chips.nth(n).hover()
        card = page.get_by_role("tooltip")
        expect(card.locator("q")).to_have_text(citation["quote"])
        place = say("article.paragraph", n=citation["paragraph"] + 1)
        year = source["published"][:4]
        for fact in [source["title"], *source["authors"], source["source"], year, place]:
            expect(card).to_contain_text(fact)
        expect(card).to_contain_text(say(f"support.{citation['support']}.note"))
        row = turn.locator(".sources li").nth(n)
        expect(row.locator(".support")).to_have_text(say(f"support.{citation['support']}"))
        chips.nth(n).click()
        mark = page.locator("mark.current")
        expect(mark.first).to_be_in_viewport()
        shown = mark.evaluate_all("nodes => nodes.map(n => n.textContent).join('')")
        assert shown == citation["quote"]
        article = fetch(f"{address}/v1/articles/{source['id']}")
        assert shown == article["text"][citation["start_char"] : citation["end_char"]]
        expect(page.locator(".reader-text .block-body")).to_have_count(article["paragraphs"])
        page.get_by_role("button", name=say("article.close")).click()


def test_a_page_put_together_shows_its_joints_and_why(
    opened: Opened, address: str, language: str
) -> None:
    listed = fetch(f"{address}/v1/articles?limit=100")["articles"]
    articles = [fetch(f"{address}/v1/articles/{a['id']}") for a in listed]
    joints = {a["id"]: [j for b in a["blocks"] for j in b["joints"]] for a in articles}
    most = max(joints, key=lambda i: len(joints[i]))
    page, say = opened(f"/articles/{most}")
    shown = page.locator(".reader-text .joint")
    expect(shown).to_have_count(len(joints[most]))
    percent = round(joints[most][0]["confidence"] * 100)
    expect(shown.first).to_have_accessible_name(say("joint.label", percent=percent))
    shown.first.hover()
    reasons = page.get_by_role("tooltip").get_by_role("listitem")
    expect(reasons).to_have_count(len(joints[most][0]["reasons"]))
    assert reasons.first.inner_text().isascii() == (language == "en")


def test_an_answer_is_copied_in_three_forms(opened: Opened, address: str, language: str) -> None:
    page, say = opened()
    turn = answered(page, ASKED[language])
    answer = stored(page)
    first = answer["citations"][0]
    parts = {
        "copy.plain": [answer["answer"], f"\n    {first['quote']}", *first["article"]["authors"]],
        "copy.markdown": [f"({address}{first['article']['url']})", f"  > {first['quote']}"],
        "copy.gbt": [f"{first['article']['title']}[N]. {first['article']['source']}, "],
    }
    for key, expected in parts.items():
        turn.get_by_text(say("copy.menu")).click()
        turn.get_by_role("button", name=say(key), exact=True).click()
        expect(page.get_by_role("status").filter(has_text=say("copy.done")).last).to_be_visible()
        copied = squeezed(page.evaluate("navigator.clipboard.readText()"))
        for part in expected:
            assert squeezed(part) in copied


def test_a_refusal_shows_what_was_searched_and_the_nearest(
    opened: Opened, address: str, language: str
) -> None:
    page, say = opened()
    turn = answered(page, UNANSWERED[language])
    expect(turn.get_by_text(say("status.no_evidence"))).to_be_visible()
    total = fetch(f"{address}/readyz")["passages"]
    expect(turn.locator(".coverage-line")).to_contain_text(say("coverage", n=total))
    rows = turn.get_by_role("list", name=say("coverage.nearest")).get_by_role("listitem")
    assert rows.count() > 0
    rows.first.get_by_role("button").click()
    expect(page.locator("mark.current").first).to_be_in_viewport()


def test_articles_that_disagree_stand_side_by_side(opened: Opened) -> None:
    page, say = opened()
    turn = answered(page, LANTERNS)
    expect(turn.locator(".status strong")).to_have_text(say("status.conflicting"))
    sides = turn.get_by_role("group", name=say("status.conflicting")).get_by_role("button")
    expect(sides).to_have_count(2)
    said = " ".join(sides.all_inner_texts())
    assert "416组" in said
    assert "380组" in said
    boxes = [sides.nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]  # type: ignore[index] # both are shown
    sides.nth(1).click()
    expect(page.locator("mark.current")).to_be_in_viewport()


def test_passages_show_their_rank_score_and_signals(opened: Opened, language: str) -> None:
    page, say = opened()
    turn = answered(page, ASKED[language])
    passages = stored(page)["passages"]
    turn.get_by_role("button", name=say("passages.show", n=len(passages))).click()
    rows = turn.get_by_role("list", name=say("passages.label")).get_by_role("listitem")
    expect(rows).to_have_count(len(passages))
    for n, passage in enumerate(passages):
        facts = rows.nth(n).locator(".passage-facts")
        expect(facts).to_contain_text(say("passages.rank", n=n + 1))
        expect(facts).to_contain_text(say("passages.score", score=f"{passage['score']:.2f}"))
        for signal in passage["found_by"]:
            expect(facts).to_contain_text(say(f"signal.{signal}"))
    expect(turn.locator(".receipt")).to_contain_text(stored(page)["receipt"]["model"])
    rows.last.get_by_role("button").click()
    expect(page.locator("mark.current").first).to_be_in_viewport()


@pytest.mark.skipif(not INSTALLED, reason="OCR is not installed: pip install .[ocr]")
def test_a_citation_shows_its_scan_and_tells_where_that_is_hard_to_read(
    opened: Opened, address: str, language: str
) -> None:
    page, say = opened()
    turn = answered(page, f"{SCANS[language][0]}每天有多少班渡船？")
    chip = turn.locator(".answer-text button.chip").first
    cited = stored(page)["citations"][0]
    assert "十二班" in cited["quote"]
    assert cited["scan"]["unsure"] is False
    assert cited["source_page"] == 1
    chip.hover()
    card = page.get_by_role("tooltip")
    picture = card.get_by_role("img", name=say("scan.alt", text=cited["quote"]))
    expect(picture).to_be_visible()
    expect(card.get_by_text(say("scan.caption"))).to_be_visible()
    expect(card.locator(".unsure")).to_have_count(0)
    assert card.evaluate("card => card.getBoundingClientRect().bottom <= innerHeight")
    wide, high = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert wide > 3 * high  # the cited lines, not the page
    chip.click()
    shown = page.locator("#reader .scan img")
    expect(shown).to_be_in_viewport()
    expect(page.locator("#reader .block-body:has(mark.current) + div .scan")).to_have_count(1)

    article = fetch(f"{address}/v1/articles/{cited['article']['id']}")
    assert article["scanned"] is True
    torn = article["blocks"][-1]
    page.goto(f"{address}/articles/{article['id']}#p{torn['paragraph']}")
    expect(page.locator(f"#reader #p{torn['paragraph']} + div .scan img")).to_be_visible()
    page.goto(address)
    turn = answered(page, "候船厅由什么改建？")
    unsure = next(c for c in stored(page)["citations"] if c["scan"] and c["scan"]["unsure"])
    assert unsure["scan"]["confidence"] < 0.9
    note = say("scan.unsure.note", percent=round(unsure["scan"]["confidence"] * 100))
    mark = turn.locator(".sources .unsure").first
    expect(mark).to_have_text(say("scan.unsure"))
    expect(mark).to_have_attribute("title", note)
    chip = turn.locator(".chip[data-unsure]").first
    expect(chip).to_have_accessible_name(re.compile(re.escape(say("scan.unsure"))))
    chip.hover()
    expect(card.get_by_text(note)).to_be_visible()
    chip.click()
    expect(page.locator("#reader").get_by_text(note)).to_be_visible()


# --- conversation ---------------------------------------------------------------------------


def test_a_conversation_goes_on_is_kept_and_exported(
    opened: Opened, address: str, language: str
) -> None:
    first, second, meant = FOLLOW_UP[language]
    page, say = opened(width=1600)
    answered(page, first)
    turn = answered(page, second)
    standalone = stored(page)["standalone_question"]
    assert meant in standalone
    expect(turn.get_by_text(say("turn.standalone", question=standalone))).to_be_visible()
    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    for kind, name in (("md", "chat.export.markdown"), ("json", "chat.export.json")):
        with page.expect_download() as exported:
            page.get_by_role("button", name=say(name)).click()
        assert exported.value.suggested_filename.endswith(f".{kind}")
        text = exported.value.path().read_text("utf-8")
        if kind == "md":
            assert f"## {first}\n\n" in text
            assert f"]({address}/articles/" in text
        else:
            assert [t["question"] for t in json.loads(text)["turns"]] == [first, second]
    page.get_by_role("button", name=say("chat.new")).click()
    expect(page.get_by_role("heading", name=say("welcome.title"))).to_be_visible()
    stop_the_clock(page)
    page.get_by_role("button", name=f"{say('chat.delete')}: {first}").click()
    expect(page.locator(".chats li")).to_have_count(0)
    page.get_by_role("button", name=say("undo")).click()
    page.get_by_role("button", name=first, exact=True).click()
    expect(page.locator(".turn")).to_have_count(2)


def test_a_rating_is_stored_and_withdrawn(opened: Opened, address: str, language: str) -> None:
    page, say = opened()
    bar = answered(page, ASKED[language]).get_by_role("group", name=say("feedback.label"))
    bar.get_by_role("button", name=say("feedback.up"), exact=True).click()
    expect(bar.get_by_role("status")).to_have_text(say("feedback.thanks"))
    bar.get_by_role("button", name=say("feedback.down")).click()
    bar.get_by_role("textbox", name=say("feedback.comment.down")).fill("太短 / too short")
    bar.get_by_role("button", name=say("feedback.send")).click()
    expect(bar.get_by_role("status")).to_have_text(say("feedback.noted"))
    answer = stored(page)
    listed = fetch(f"{address}/v1/feedback")
    given = listed["feedback"][0]
    assert (given["answer_id"], given["verdict"]) == (answer["id"], "down")
    assert (given["comment"], given["answer"]) == ("太短 / too short", answer["answer"])
    assert given["article_ids"][0] == answer["citations"][0]["article"]["id"]
    bar.get_by_role("button", name=say("undo")).click()
    expect(bar.get_by_role("status")).to_have_text(say("feedback.ask"))
    assert fetch(f"{address}/v1/feedback")["total"] == listed["total"] - 1


# --- the archive ----------------------------------------------------------------------------

CHOSEN = [
    ({"sources": "文据样报"}, "source=文据样报"),
    ({"sections": "副刊"}, "section=副刊"),
    ({"authors": "谭舟"}, "author=谭舟"),
    ({"from": "2024-01-01", "to": "2024-02-20"}, "date_from=2024-01-01&date_to=2024-02-20"),
    ({"languages": "en"}, "language=en"),
    ({"languages": "zh", "sources": "文据样报", "authors": "袁小满"}, "author=袁小满"),
]


def choose(page: Page, say: Callable[..., str], fields: dict[str, str]) -> None:
    """Clear the list's filters and set others, through its form."""
    archive = page.locator("#archive")
    toggle = archive.get_by_role("button", name=say("filters"), exact=True)
    if archive.locator(".filter-chip").count():
        toggle.click()
        archive.get_by_role("button", name=say("filters.clear")).click()
    toggle.click()
    for field, value in fields.items():
        if field == "languages":
            archive.get_by_role("combobox", name=say("filters.languages")).select_option(value)
        else:
            archive.get_by_label(say(f"filters.{field}"), exact=True).fill(value)
    archive.get_by_role("button", name=say("filters.apply")).click()


def test_the_archive_is_listed_searched_and_filtered_and_its_filters_are_asked_with(
    opened: Opened, address: str
) -> None:
    page, say = opened("/#archive")
    state = fetch(f"{address}/readyz")
    expect(page.locator(".index")).to_have_text(
        say("archive.index", **{k: state[k] for k in ("generation", "passages", "model")})
    )
    rows = page.locator(".article-row")
    expect(rows).to_have_count(state["articles"])
    search = page.get_by_role("searchbox", name=say("archive.search"))
    search.fill("灯会")
    expect(page.get_by_text(say("archive.found", n=2))).to_be_visible()
    expect(rows).to_have_count(2)
    search.fill("")
    expect(rows).to_have_count(state["articles"])
    for fields, query in CHOSEN:
        choose(page, say, fields)
        found = fetch(f"{address}/v1/articles?limit=100&{quote(query, safe='=&')}")
        assert 0 < found["total"] < state["articles"]
        expect(page.get_by_text(say("archive.found", n=found["total"]))).to_be_visible()
        expect(rows).to_have_count(found["total"])
        expect(page.locator("#archive .filter-chip")).to_have_count(len(fields))
    offered = page.locator("#list-authors option")
    facets = fetch(f"{address}/v1/facets")
    assert {o.get_attribute("value") for o in offered.all()} == {
        a["value"] for a in facets["authors"]
    }
    page.get_by_role("button", name=say("archive.ask")).click()
    chips = page.get_by_role("group", name=say("filters.active")).get_by_role("button")
    expect(chips).to_have_count(3)
    page.get_by_role("button", name=say("filters.remove", label=say("lang.zh"))).click()
    turn = answered(page, LANTERNS)
    limited = say("turn.limited", filters=say("and").join(["袁小满", "文据样报"]))
    expect(turn.get_by_text(limited)).to_be_visible()
    assert {c["article"]["title"] for c in stored(page)["citations"]} == {"河畔灯会在滨江公园开幕"}
    assert stored(page)["coverage"]["searched_passages"] == 2


def test_a_page_is_looked_at_added_asked_and_deleted(
    opened: Opened, address: str, language: str
) -> None:
    before = fetch(f"{address}/readyz")
    page, say = opened("/#archive")
    page.evaluate(WATCH.replace("#turns", "#archive"))
    text = (ROOT / "articles" / "page-b.txt").read_text("utf-8")
    data = page.evaluate_handle(
        """text => { const data = new DataTransfer();
            data.items.add(new File([text], "page-b.txt", {type: "text/plain"}));
            data.items.add(new File(["\\0\\0\\0"], "bad.txt", {type: "text/plain"}));
            return data; }""",
        text,
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": data})
    row, bad = page.locator(".upload-row").nth(0), page.locator(".upload-row").nth(1)
    expect(row.get_by_text(say("upload.preview"))).to_be_visible(timeout=60_000)
    shown = {text for _, text in page.evaluate("window.seen")}
    assert {say("upload.sending"), say("upload.reading")} <= shown
    articles = row.locator(".upload-articles > li")
    count = articles.count()
    assert count > 1
    expect(row).to_contain_text(say("upload.articles", n=count))
    row.locator(".seams summary").first.click()
    seams = row.locator(".seams").first.locator("li")
    expect(seams.locator(".joint").first).to_be_visible()
    assert re.search(r"\d+%", seams.first.inner_text())
    expect(bad).to_contain_text({"zh": "不是文本", "en": "is not text"}[language])
    assert fetch(f"{address}/readyz")["articles"] == before["articles"]
    row.get_by_role("button", name=say("upload.accept")).click()
    taken = re.compile(f"^({say('upload.added')}|{say('upload.replaced')})$")
    expect(row.locator(".upload-outcome")).to_have_text(taken, timeout=60_000)
    state = fetch(f"{address}/readyz")
    assert state["articles"] == before["articles"] + count
    assert state["generation"] > before["generation"]
    expect(page.locator(".index")).to_contain_text(
        say("archive.index", **{k: state[k] for k in ("generation", "passages", "model")})
    )
    links = row.locator(".upload-articles a")
    names = links.evaluate_all("nodes => nodes.map(n => n.dataset.article)")
    stop_the_clock(page)
    links.first.click()
    expect(page.locator(".reader-text .block-body").first).to_be_visible()
    page.get_by_role("button", name=say("article.close")).click()
    for n, name in enumerate(names):
        listed = page.locator(f'.article-row[data-article="{name}"]')
        listed.get_by_role("button").click()
        if n == 0:
            page.get_by_role("button", name=say("undo")).click()
            expect(listed).to_be_visible(timeout=60_000)
            assert fetch(f"{address}/readyz")["articles"] == state["articles"]
            listed.get_by_role("button").click()
        undo = page.locator(".toast", has=page.locator(".plain"))
        undo.get_by_role("button", name=say("close")).click()
    expect(page.locator(".count")).to_have_text(say("archive.count", n=before["articles"]))
    kept = ("articles", "passages")
    deadline = time.monotonic() + 60  # the list is ahead of the server, the corpus of the index
    while [fetch(f"{address}/readyz")[k] for k in kept] != [before[k] for k in kept]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


# --- readers without a mouse, and writers with bad intentions --------------------------------


def test_everything_is_done_by_keyboard_alone(
    opened: Opened, language: str, tmp_path: Path
) -> None:
    page, say = opened()
    key = page.keyboard

    def button(name: str) -> Locator:
        return page.get_by_role("button", name=name, exact=True)

    def press(wanted: Locator, direction: str = "Tab") -> None:
        tab_to(page, wanted, direction)
        key.press("Enter")

    key.type(ASKED[language])
    key.press("Enter")
    turn = ended(page)
    chip = turn.locator(".chip").first
    tab_to(page, chip, "Shift+Tab")
    expect(page.get_by_role("tooltip")).to_be_visible()
    key.press("Enter")
    expect(page.locator("mark.current").first).to_be_in_viewport()
    press(button(say("article.only")), "Shift+Tab")
    expect(page.locator(".filter-chip")).to_have_count(1)
    press(page.locator("#filter-chips .filter-chip"), "Shift+Tab")
    expect(page.locator(".filter-chip")).to_have_count(0)
    press(button(say("article.close")))
    press(turn.locator("summary", has_text=say("copy.menu")), "Shift+Tab")
    press(button(say("copy.gbt")))
    expect(page.get_by_text(say("copy.done"))).to_be_visible()
    press(turn.locator(".actions button[aria-expanded]"))
    expect(turn.locator(".passage").first).to_be_visible()
    press(button(say("feedback.up")))
    tab_to(page, turn.locator(".comment textarea"))
    key.type("好 good")
    press(button(say("feedback.send")))
    expect(turn.get_by_text(say("feedback.noted"))).to_be_visible()
    key.press("Enter")  # the focus is on "undo"
    expect(turn.get_by_text(say("feedback.ask"))).to_be_visible()
    press(page.locator("#filter-toggle"))
    tab_to(page, page.get_by_label(say("filters.sources"), exact=True))
    key.type("文据样报")
    key.press("Enter")
    expect(page.locator(".filter-chip")).to_have_count(1)
    press(page.locator("#rail-toggle"), "Shift+Tab")
    press(button(say("chat.new")))
    expect(page.locator("#question")).to_be_focused()
    press(page.locator("#to-archive"), "Shift+Tab")
    with page.expect_file_chooser() as chooser:
        press(button(say("upload.choose")))
    file = tmp_path / f"notice-{language}.md"
    file.write_text(matter(f"title: 通告 {language}", "滨江路夜间封闭施工。"), encoding="utf-8")
    chooser.value.set_files(file)
    expect(button(say("upload.accept"))).to_be_visible(timeout=60_000)
    press(button(say("upload.accept")))
    expect(page.get_by_text(say("upload.added"))).to_be_visible(timeout=60_000)
    tab_to(page, page.get_by_role("searchbox"))
    key.type("通告")
    expect(page.locator(".article-row")).to_have_count(1)
    press(page.locator(".article-row a"))
    expect(page.locator("#reader")).to_contain_text("滨江路夜间封闭施工。")
    key.press("Escape")
    undo = page.locator(".toast", has=page.locator(".plain"))
    stop_the_clock(page)
    press(page.locator(".article-row button"))
    press(undo.locator(".plain"))
    expect(page.locator(".article-row")).to_be_visible()
    press(page.locator(".article-row button"), "Shift+Tab")
    press(undo.get_by_role("button", name=say("close")))
    expect(page.get_by_text(say("archive.none", q="通告"))).to_be_visible()
    press(page.locator("#theme"), "Shift+Tab")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    press(page.locator("#language"), "Shift+Tab")
    other = {"zh": "en", "en": "zh-Hans"}[language]
    expect(page.locator("html")).to_have_attribute("lang", other)


def test_a_hostile_article_stays_text(opened: Opened, address: str, language: str) -> None:
    head = (
        'title: "<img src=x onerror=alert(1)>路灯"\nauthors: ["<b>某人</b>"]\nsource: "<i>报</i>"'
    )
    body = matter(head, f"{HOSTILE}\n\n{'长' * 5000}{'w' * 5000}")
    sent = json.dumps({"name": f"hostile-{language}.txt", "text": body, "restore": True}).encode()
    to = urllib.request.Request(  # noqa: S310 our own server
        f"{address}/v1/articles", sent, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(to, timeout=60) as response:  # noqa: S310 our own server
        (name,) = json.load(response)["files"][0]["articles"]
    page, _ = opened(width=360, height=740)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    title = page.title()
    turn = answered(page, "红杉路共有多少盏路灯？")
    expect(turn.locator(".answer-text")).to_contain_text('<img src=x onerror="document.title=1">')
    turn.locator(".chip").first.click()
    expect(page.locator("mark.current").first).to_be_visible()
    expect(page.locator(".reader-text")).to_contain_text("长" * 50)
    assert page.title() == title
    for tag in ("img", "main b", "main i", "body script", "a[href^=javascript]"):
        expect(page.locator(tag)).to_have_count(0)
    assert page.evaluate(
        """() => [document.documentElement, document.querySelector(".turns"),
            document.querySelector(".reader-scroll")].every(n => n.scrollWidth <= n.clientWidth)"""
    )
    gone = urllib.request.Request(f"{address}/v1/articles/{name}", method="DELETE")  # noqa: S310
    with urllib.request.urlopen(gone, timeout=60) as response:  # noqa: S310 our own server
        assert json.load(response) == {"deleted": name}


# --- last, since it fills the archive ---------------------------------------------------------


def test_of_a_file_with_many_articles_some_are_listed_and_all_counted(
    browsing: Browsing, address: str
) -> None:
    page = browsing.open(f"{address}/#archive", language="en")
    say = words(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    lines = [
        json.dumps({"title": f"Ledger {n}", "text": f"Entry {n} of the harbour ledger was kept."})
        for n in range(25)
    ]
    file = {"name": "many.jsonl", "mimeType": "text/plain", "buffer": "\n".join(lines).encode()}
    page.locator("#files").set_input_files([file])
    row = page.locator(".upload-row")
    for key, state in (("upload.accept", "upload.preview"), (None, "upload.added")):
        expect(row.get_by_text(say(state))).to_be_visible(timeout=60_000)
        expect(row.get_by_text(say("upload.articles", n=25))).to_be_visible()
        expect(row.locator(".upload-articles > li")).to_have_count(20)
        expect(row.get_by_text(say("upload.rest", n=5))).to_be_visible()
        if key:
            page.get_by_role("button", name=say(key)).click()
    assert sum(bool(re.search("/v1/articles/", url)) for url in asked) == 20
