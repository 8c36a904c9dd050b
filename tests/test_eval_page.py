"""The HTML page: its figures, its escaping, its plots, and how it looks in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from eval_runs import Counting, case, reply, result
from hypothesis import given
from hypothesis import strategies as st

from eval.cases import Proof
from eval.errors import BadSet
from eval.page import html, read
from eval.plots import SHARE, Axis, bars, line, ticks
from eval.run import evaluate, write
from eval.score import Matcher

EVIL = '<img src=x onerror="document.title=1"></script><script>document.title=2</script>'


class Evil(Counting):
    """Says what a page must not believe."""

    def ask(self, question, history=()):
        return replace(reply(score=0.5), text=EVIL + "[1]", passages=(EVIL, "第二段"), ms=250.0)


def made(target=None, cases=None, **changes):
    cases = cases or [
        case(1),
        case(2, question=EVIL, answers=("没有这个", EVIL + "x")),
        case(3, type="unanswerable", answers=(), evidence=(), language="en"),
        case(4, type="list", evidence=(Proof("A", 0, "别处的一整句话"),), answers=("不在此处",)),
    ]
    outcomes = evaluate(cases, target or Counting(failing={"问题4"}), Matcher({}))
    return json.loads(json.dumps(result(cases, outcomes, **changes)))


def test_every_failure_stands_beside_its_evidence():
    page = html(made())
    articles = re.findall(r"<article.*?</article>", page, re.DOTALL)
    assert [re.search(r'id="q-(\w+)"', a).group(1) for a in articles] == ["q2", "q3", "q4"]
    assert "answered, though the archive does not tell" in articles[1]
    assert "failed: busy" in articles[2]
    assert '<blockquote class="gold">别处的一整句话</blockquote>' in articles[2]
    assert 'class="gold">全市建成17个' in articles[0]  # the passage that holds the gold quote
    assert 'Failures: <span id="count">3</span> of 4' in page


def test_the_figures_are_the_files():
    found = made()
    page = html(found)
    mean = found["summary"]["all"]["measures"]["correct"]["mean"]
    assert f"<b>{mean:.3f}</b>right: answer contained" in page
    assert "a notice" in page
    assert page.count("<svg ") == 5
    assert "(n 2)" in page  # two factoid questions


def test_what_others_say_is_text():
    page = html(made(Evil()))
    assert "<img" not in page
    assert page.count("<script>") == 1
    assert "&lt;img src=x" in page


def test_a_brief_result_still_lists_the_failures():
    found = made()
    for question in found["questions"]:
        for key in ("accepted", "evidence", "answer", "citations", "passages", "short_answer"):
            question.pop(key, None)
    page = html(found)
    assert "The run was made with --brief" in page
    assert page.count("<article") == 3


def test_a_search_set_and_a_judge(tmp_path):
    cases = [case(1, type="search", answers=()), case(2, type="search", answers=())]
    judge = {
        "model": "m",
        "prompt": {"zh": "判", "en": "mark"},
        "marked": 1,
        "unclear": 1,
        "agreement": 0.5,
        "kappa": None,
        "disputed": [{"id": "q1", "judge": None, "strings": True, "said": "<b>maybe</b>"}],
    }
    page = html(made(cases=cases, judge=judge))
    assert "A gold paragraph comes first." in page
    assert "Risk and coverage" not in page
    assert "judge unclear, strings right (&lt;b&gt;maybe&lt;/b&gt;)" in page
    assert "<pre>mark</pre>" in page


def test_only_results_of_run_make_a_page(tmp_path):
    path = tmp_path / "r.json"
    write(path, made())
    assert read(path)["kind"] == "run"
    for text, message in (
        ("{", "it is no result file"),
        ('{"kind": "comparison"}', "only results of `python -m eval run`"),
        ('{"kind": "run", "format": 0}', "of another version"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadSet, match=message):
            read(path)


@given(st.floats(0.001, 1e7))
def test_ticks_are_few_and_reach_the_end(most):
    found = ticks(most)
    assert found[0] == 0
    assert 3 <= len(found) <= 7
    assert found[-1] >= most > found[-2]


def test_a_line_goes_through_its_points():
    axis = Axis("x", 2.0, (0, 1, 2), 0)
    svg = line("t & u", [(0, 0), (1, 0.5), (2, 1)], axis, Axis("y", 1.0, SHARE))
    assert 'aria-label="t &amp; u"' in svg
    assert 'points="52.0,236.0 244.0,125.0 436.0,14.0"' in svg


def test_bars_are_as_long_as_their_values():
    svg = bars("t", [("a" * 30, 0.5, 7), ("b", 1.0, 2)])
    widths = [float(w) for w in re.findall(r'class="bar"[^>]* width="([\d.]+)"', svg)]
    assert widths == [107.0, 214.0]
    assert "a" * 19 + "…" in svg
    assert "0.500 (n 7)" in svg


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_the_window_and_filters(tmp_path, width):
    from browsing import started

    path = tmp_path / "r.html"
    path.write_text(html(made(Evil())), encoding="utf-8")
    with started() as browser:
        page = browser.new_page(viewport={"width": width, "height": 800})
        problems = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.title() == "s.jsonl: evaluation"
        page.select_option("#type", "unanswerable")
        assert page.locator("article:visible").count() == 1
        assert page.inner_text("#count") == "1"
        assert problems == []
