"""How answers and quotes are compared, and the measures of SQuAD and CMRC, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.text import (
    best,
    cmrc_exact,
    cmrc_f1,
    contains,
    holds,
    plain,
    squad_exact,
    squad_f1,
    squeeze,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("“１＋Ｎ＋Ｘ”", "1+n+x"),
        ("1 + N + X policy system", "1+n+x policy system"),
        ("科學化、專業化、智能化和精細化", "科学化专业化智能化和精细化"),
        ("Guang'an, Sichuan", "guangan sichuan"),
        ("re-lending", "re lending"),
        ("10,000 家；2.5 ％", "10000家2.5%"),
        ("第 九 次", "第九次"),
        ("《》……", ""),
    ],
)
def test_plain(text, folded):
    assert plain(text) == folded


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("建设17个市级技术创新中心。", "17", True),
        ("建设17个市级技术创新中心。", "17 个", True),
        ("到2017年", "17", False),
        ("共170家", "17", False),
        ("增长17.5%", "17", False),
        ("增长3.17%", "17", False),
        ("到2017年，建成17个", "17", True),
        ("growth of 17.", "17", True),
        ("他们强调共謀、共建", "共谋", True),
        ("an explanation", "plan", False),
        ("to plan and build", "plan", True),
        ("evaluation and sharing", "evaluat", True),
        ("in Guang’an", "Guang'an", True),
        ("基于5G网络", "5G", True),
        ("anything", "……", False),
        ("", "17", False),
    ],
)
def test_contains(text, answer, found):
    assert contains(text, answer) is found


@given(
    st.text(max_size=30), st.text(alphabet="甲乙丙丁", min_size=1, max_size=5), st.text(max_size=30)
)
def test_a_chinese_answer_is_found_in_any_text_that_holds_it(before, answer, after):
    assert contains(f"{before}。{answer}。{after}", answer)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_full_width_and_capitals_do_not_count(text):
    wide = "".join(chr(ord(c) + 0xFEE0) for c in text)
    assert plain(wide) == plain(text) == plain(text.upper())


def test_squeeze_keeps_case_and_script():
    assert squeeze("Ａ 臺\n灣 b") == "A臺灣b"


QUOTE = "一是推进先进制造业科技创新，二是推进现代农业"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (f"前文。{QUOTE}，后文。", True),
        ("一是推进先进制造业 科技创新，\n二是推进现代农业", True),
        ("先进制造业科技创新", True),  # a piece that stands in the quote
        ("制造业", False),  # too short to prove anything
        ("前文很长。一是推进先进制造业科技创新，", True),  # the border runs through the quote
        ("前文很长。一是推进先进制", False),  # less than half of it
        ("制造业科技创新，二是推进现代农业。后文很长很长。", True),
        ("现代农业。后文很长很长。", False),
        ("完全是另外的一段文字", False),
        ("", False),
    ],
)
def test_holds(found, expected):
    assert holds(found, QUOTE) is expected


@given(st.text(alphabet="abcdefghij", min_size=12, max_size=40), st.data())
def test_a_quote_cut_in_two_is_held_by_one_side(quote, data):
    cut = data.draw(st.integers(0, len(quote)))
    assert holds("前文前文" + quote[:cut], quote) or holds(quote[cut:] + "后文后文", quote)


@pytest.mark.parametrize(
    ("prediction", "answer", "exact", "f1"),
    [
        ("The Norman dynasty!", "norman dynasty", 1.0, 1.0),
        ("in the 10th and 11th centuries", "10th and 11th centuries", 0.0, 8 / 9),
        ("France", "Germany", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("France", "", 0.0, 0.0),
        ("a b b", "b b c", 0.0, 2 * 2 / (2 + 3)),  # "a" is an article
    ],
)
def test_squad(prediction, answer, exact, f1):
    assert squad_exact(prediction, answer) == exact
    assert squad_f1(prediction, answer) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("prediction", "answer", "exact", "f1"),
    [
        ("《战国无双3》", "战国无双3", 1.0, 1.0),
        ("光荣和ω-force公司", "光荣和ω-force", 0.0, 2 * 4 / (6 + 4)),
        ("1990年12月", "12月1990年", 0.0, 2 * 2 / (4 + 4)),  # only the longest common run counts
        ("美国", "法兰西", 0.0, 0.0),
        ("New York", "new york", 1.0, 1.0),
        ("", "甲", 0.0, 0.0),
    ],
)
def test_cmrc(prediction, answer, exact, f1):
    assert cmrc_exact(prediction, answer) == exact
    assert cmrc_f1(prediction, answer) == pytest.approx(f1)


def test_best_is_the_closest_accepted_answer():
    assert best(cmrc_f1, "北京市", ["上海", "北京"]) == pytest.approx(0.8)
    assert best(cmrc_f1, "北京市", []) == 0.0
