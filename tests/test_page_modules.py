"""The chat page's pure modules, called in the browser and compared with what Python says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import started
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page
from stub_server import STATIC, Stub

from api.access import REFUSALS
from api.app import _HTTP_CODES, _STATUS
from rag.drafts import _SAYINGS
from rag.errors import UnreadableFile
from rag.readers import read_bytes

pytestmark = pytest.mark.browser

TEXTS = st.text(alphabet=st.sampled_from("文据ab1 。[]\n\u0301\u202e😀𠮷👩\u200d"), max_size=24)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    import threading

    with Stub() as stub, started() as browser:
        thread = threading.Thread(target=stub.serve_forever, daemon=True)
        thread.start()
        page = browser.new_page()
        page.goto(stub.url)
        yield page
        stub.shutdown()
        thread.join()


def call(page: Page, module: str, body: str, value: Any) -> Any:
    """Run `body` in the browser; the module's exports are `m`, the value is `v`."""
    script = f"async v => {{ const m = await import('/static/{module}.js'); {body} }}"
    return page.evaluate(script, value)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_offsets_slice_as_python_does(page: Page, text: str) -> None:
    spans = [(a, b) for a in range(len(text) + 1) for b in range(a, min(len(text), a + 6) + 1)]
    body = """const o = new m.Offsets(v.text);
        return [o.length, v.spans.map(([a, b]) => o.slice(a, b)),
            v.spans.map(([a]) => o.point(o.unit(a)))];"""
    length, slices, points = call(page, "text", body, {"text": text, "spans": spans})
    assert length == len(text)
    assert slices == [text[a:b] for a, b in spans]
    assert points == [a for a, _ in spans]


def test_offsets_outside_the_text_are_cut(page: Page) -> None:
    body = "const o = new m.Offsets(v); return [o.slice(-3, 1), o.slice(1, 99), o.point(1)];"
    assert call(page, "text", body, "𠮷祥") == ["𠮷", "祥", 0]


def cite(number: int, start: int, end: int) -> dict[str, int]:
    return {"number": number, "start": start, "end": end}


def segments(page: Page, text: str, citations: list[dict[str, int]]) -> list[Any]:
    body = """return m.segments(v[0], v[1]).map(s => s.kind === "chip" ? s.citation.number
        : [s.text, s.citations.map(c => c.number)]);"""
    found: list[Any] = call(page, "text", body, [text, citations])
    return found


@pytest.mark.parametrize(
    ("text", "citations", "expected"),
    [
        ("甲😀。[1]乙。[2]", [(1, 0, 3), (2, 6, 8)], [["甲😀。", [1]], 1, ["乙。", [2]], 2]),
        ("甲。[1][2]", [(1, 0, 2), (2, 0, 2)], [["甲。", [1, 2]], 1, 2]),
        ("甲[1]乙。[1]", [(1, 0, 6)], [["甲[1]乙。", [1]], 1]),
        ("见[1]。", [], [["见[1]。", []]]),
        ("甲。[7]", [(1, 0, 2)], [["甲。", [1]], 1, ["[7]", []]]),
        ("甲。 [1] 乙。[1]", [(1, 0, 2), (1, 7, 9)], None),
        ("甲。", [(1, 0, 2)], [["甲。", [1]], 1]),
        ("甲。[1]", [(1, 0, 99)], [["甲。[1]", [1]], 1]),
        ("", [], []),
    ],
)
def test_a_marker_becomes_a_chip_only_behind_its_sentence(
    page: Page, text: str, citations: list[tuple[int, int, int]], expected: list[Any] | None
) -> None:
    found = segments(page, text, [cite(*c) for c in citations])
    if expected is None:
        expected = [["甲。", [1]], [" ", []], 1, [" ", []], ["乙。", [1]], 1]
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_character_and_no_citation_of_an_answer_is_lost(page: Page, data: st.DataObject) -> None:
    text, citations = "", []
    for number, sentence in enumerate(data.draw(st.lists(TEXTS, max_size=5)), 1):
        start = len(text)
        text += sentence
        citations.append(cite(number, start, len(text)))
        text += f"[{number}]"
    found = segments(page, text, citations)
    plain = "".join(s[0] if isinstance(s, list) else f"[{s}]" for s in found)
    assert plain == text
    assert sorted(s for s in found if isinstance(s, int)) == [c["number"] for c in citations]


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, data=st.data())
def test_runs_tile_a_block_and_mark_what_is_cited(
    page: Page, text: str, data: st.DataObject
) -> None:
    place = st.integers(0, len(text))
    spans = st.tuples(place, place).map(sorted)
    start, end = data.draw(spans)
    marks = data.draw(st.lists(spans, max_size=3))
    joints = sorted(data.draw(st.sets(place, max_size=3)))
    body = """const runs = m.runs(new m.Offsets(v.text), {start: v.start, end: v.end,
            joints: v.joints.map(at => ({at}))}, v.marks.map(([start, end]) => ({start, end})));
        return runs.map(r => [r.text, Boolean(r.mark), r.joint ? r.joint.at : null]);"""
    value = {"text": text, "start": start, "end": end, "marks": marks, "joints": joints}
    found = call(page, "text", body, value)
    assert "".join(run for run, _, _ in found) == text[start:end]
    at = start
    for run, marked, joint in found:
        for offset in range(at, at + len(run)):
            assert marked == any(a <= offset < b for a, b in marks)
        assert joint == (at if at in joints and run else None)
        at += len(run)
    shown = [joint for _, _, joint in found if joint is not None]
    assert shown == [j for j in joints if start <= j < end]


@pytest.mark.parametrize(
    ("article", "expected"),
    [
        (
            {
                "title": "某题",
                "authors": ["甲", "乙", "丙", "丁"],
                "source": "某报",
                "page": "第03版",
            },
            "甲, 乙, 丙, 等. 某题[N]. 某报(03).",
        ),
        (
            {"title": "Lifts", "language": "en", "source": "News", "published": "2023-11"},
            "Lifts[N]. News, 2023-11.",
        ),
        ({"title": None, "language": "zh", "authors": ["甲"]}, "甲. 无题[Z]. [出版者不详]."),
        (
            {"title": "T", "authors": ["A", "B", "C", "D"], "language": "en", "published": "2020"},
            "A, B, C, et al. T[Z]. [s.n.], 2020.",
        ),
    ],
)
def test_references_follow_gbt_7714(page: Page, article: dict[str, Any], expected: str) -> None:
    assert call(page, "references", "return m.gbt7714(v);", article) == expected


@pytest.mark.parametrize(
    ("iso", "expected"),
    [
        ("2024-05-20", ["2024年5月20日", "20 May 2024"]),
        ("2024-05", ["2024年5月", "May 2024"]),
        ("2024", ["2024年", "2024"]),
        ("spring", ["spring", "spring"]),
        (None, ["日期不详", "no date"]),
    ],
)
def test_dates_are_as_precise_as_they_are_known(
    page: Page, iso: str | None, expected: list[str]
) -> None:
    body = """m.setLanguage("zh"); const zh = m.date(v); m.setLanguage("en");
        return [zh, m.date(v)];"""
    assert call(page, "i18n", body, iso) == expected


def test_both_languages_have_the_same_words(page: Page) -> None:
    zh, en = call(page, "words", "return [m.zh, m.en];", None)
    assert set(zh) == {key for key in en if not key.endswith(".one")}
    assert all(value.strip() for value in [*zh.values(), *en.values()])
    for key, words in zh.items():
        assert set(re.findall(r"\{(\w+)\}", words)) == set(re.findall(r"\{(\w+)\}", en[key])), key


def test_every_reason_for_a_joint_has_chinese_words(page: Page) -> None:
    body = 'm.setLanguage("zh"); return v.map(r => m.reasonWords(r));'
    said_all = list(_SAYINGS.values())
    for said, shown in zip(said_all, call(page, "i18n", body, said_all), strict=True):
        assert shown != said
        assert not shown.isascii()
    assert call(page, "i18n", body, ["字号与栏宽相同"]) == ["字号与栏宽相同"]


NAMES = r"Wenju|JSON|wenju \w+(?: \w+)?|--\w+|Enter|Shift|Markdown|GB/T|PDF|Word|English|EN"


def test_nothing_in_the_chinese_interface_is_english(page: Page) -> None:
    for key, said in call(page, "words", "return m.zh;", None).items():
        rest = re.sub(rf"\{{\w+\}}|{NAMES}", "", said)
        assert not re.search("[A-Za-z]", rest), key


CODES = {code for _, _, code in _STATUS} | set(_HTTP_CODES.values()) | set(REFUSALS)
CODES |= {"internal", "invalid_request", "http_error"}


def test_every_code_of_the_server_has_words_in_both_languages(page: Page) -> None:
    zh, en = call(page, "words", "return [m.zh, m.en];", None)
    for code in CODES:
        assert re.search(r"[\u4e00-\u9fff]", zh[f"error.{code}"]), code
        assert en[f"error.{code}"].isascii(), code


def test_an_error_is_said_in_the_language_of_the_page(page: Page) -> None:
    body = """const i = await import("/static/i18n.js");
        return v.map(([language, code, message]) => { i.setLanguage(language);
            return m.faultWords({code, message, status: 400}); });"""
    said = [
        ("zh", "not_found", "There is no article x."),
        ("en", "not_found", "There is no article x."),
        ("zh", "unreadable_file", "a: b.txt: is empty; nothing was added"),
        ("zh", "a_new_code", "Something else."),
        ("en", "a_new_code", "Something else."),
        ("en", "internal", "Traceback"),
    ]
    assert call(page, "faults", body, said) == [
        "要找的内容已不在资料库里，请刷新列表。",
        "There is no article x.",
        "这个文件读不了：a: b.txt：是空的，没有加入",
        "这个请求没有被接受。",
        "Something else.",
        "Something went wrong in Wenju. Try again; if it goes on, look at the server's log.",
    ]


def test_english_without_chinese_words_is_folded_away_and_named(page: Page) -> None:
    body = """const i = await import("/static/i18n.js"); i.setLanguage("zh");
        const note = m.errorNote({code: "corpus_damaged", message: "Page 3 is torn."});
        document.body.append(note);
        const seen = note.innerText; note.querySelector("details").open = true;
        return [seen, note.innerText, note.querySelector("[lang=en]").textContent];"""
    seen, opened, told = call(page, "faults", body, None)
    assert re.sub(r"[^a-zA-Z]", "", seen) == ""
    assert "服务器的原话（英文）" in seen
    assert "Page 3 is torn." in opened
    assert told == "Page 3 is torn."


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"", "是空的，没有加入"),
        ("a.txt", b"\0" * 40, "不是文本（含有空字节），请另存为 UTF-8 文本后再加入"),
        ("a.txt", b"\x01" * 40, "不是文本（有 40 个控制字符），请另存为 UTF-8 文本后再加入"),
        ("a.md", b"---\ntitle: x\n---\n", "文件头之后没有正文，没有加入"),
        ("a.xyz", b"text", "后缀是 .xyz，只读这几种"),
        ("a", b"text", "没有后缀，只读这几种"),
        ("a.docx", b"text", "已损坏或与后缀不符"),
        ("a.rtf", b"text", "不是 RTF，请核对后缀"),
        ("a.pdf", b"text", "不是 PDF，或已损坏"),
        ("a.json", b"{", "不是 JSON"),
        ("a.html", b"<p></p>", "没有文字，没有加入"),
        ("a.png", b"text", "不是能读的图片"),
    ],
)
def test_why_a_file_is_not_read_is_said_in_chinese(
    page: Page, name: str, data: bytes, said: str
) -> None:
    with pytest.raises(UnreadableFile) as refused:
        read_bytes(name, data)
    shown = call(page, "told", "return m.toldInChinese(v);", str(refused.value))
    assert shown is not None, str(refused.value)
    assert shown.startswith(f"{name}：{said}")


def test_every_word_is_used_and_every_used_word_exists(page: Page) -> None:
    zh = call(page, "words", "return m.zh;", None)
    sources = "\n".join(p.read_text("utf-8") for p in STATIC.glob("*.js") if p.name != "words.js")
    sources += (STATIC / "index.html").read_text("utf-8")
    used = set(re.findall(r'\bt\(\s*(?:[\w.]+ \? )?"([^"]+)"', sources))
    used |= set(re.findall(r'data-(?:t|label|placeholder)="([^"]+)"', sources))
    assert used <= set(zh)
    patterns = [re.escape(p).replace("\\$\\{X\\}", ".+") for p in _templates(sources)]
    unused = [
        key
        for key in zh
        if f'"{key}"' not in sources and not any(re.fullmatch(p, key) for p in patterns)
    ]
    assert unused == []


def _templates(sources: str) -> list[str]:
    """Keys that are put together: `support.${support}.note`."""
    found = re.findall(r"`([\w.]*\$\{[^`]+)`", sources)
    return [re.sub(r"\$\{[^}]*\}", "${X}", t) for t in found]


def test_no_module_makes_html_from_text() -> None:
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    )
    for path in sorted(STATIC.glob("*.js")):
        assert not banned.search(path.read_text("utf-8")), path.name
    index = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(
        r"\son\w+=|\sstyle=|<style|<script(?![^>]*src=)|//", index.split("<head>")[1]
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("javascript:alert(1)", None),
        (" JavaScript:alert(1)", None),
        ("data:text/html,x", None),
        ("https://example.org/a", "https://example.org/a"),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_only_web_addresses_become_links(page: Page, url: object, expected: str | None) -> None:
    assert call(page, "dom", "return m.safeHref(v);", url) == expected
