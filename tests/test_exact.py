"""Quotations, names, numbers and dates of a question, found exactly however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.dates import Date, asked_dates, holds_date, names_date
from rag.exact import Candidate, exact, named
from rag.quantities import asked_quantities, pattern, spelled


def held(question, *texts):
    return exact(named(question), [Candidate(text) for text in texts])


OTHERS = ("江上修了一座桥。", "学校九月开学。", "这里没有数字。")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("投资1.2万亿元的是什么？", "总投资12000亿元。"),
        ("投资1.2万亿元的是什么？", "总投资一万二千亿元。"),
        ("投资12000亿元的是什么？", "总投资1.2万亿元。"),
        ("投资１２０００亿元的是什么？", "总投資1.2萬億元。"),
        ("哪里有17个实验室？", "那里有十七个实验室。"),
        ("哪里有十七个实验室？", "那里有17个实验室。"),
        ("哪里有3万名学生？", "在校学生30,000名。"),
        ("哪里占2.5%？", "占比２.５％。"),
        ("二〇二四年发生了什么？", "2024年，大桥通车。"),
        ("2024年发生了什么？", "二〇二四年五月，大桥通车。"),
        ("2024年5月发生了什么？", "二零二四年五月，大桥通车。"),
        ("What happened in May 2021?", "The bridge opened on 3 May 2021."),
        ("“一核两翼”指什么？", "形成一核两翼的格局。"),
        ("《大桥》讲什么？", "電影《大橋》上映。"),
        ('Who said "never again"?', "He said Never Again to the crowd."),
    ],
)
def test_the_same_thing_in_another_writing_is_held(question, text):
    assert held(question, text, *OTHERS) == pytest.approx([1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("哪里有17个实验室？", "2017个和170个，3.17个，17.5个，17万个，第一百十七个。"),
        ("投资3亿元的是什么？", "投资13亿元、3.5亿元、三十亿元。"),
        ("2024年发生了什么？", "2023年，12024号房。"),
        ("2024年5月发生了什么？", "2024年，2023年5月。"),
        ("实验室在哪里？", "实验室在湖边。"),
    ],
)
def test_another_number_or_date_is_not(question, text):
    assert held(question, text, *OTHERS) == [0.0] * 4


def test_a_number_with_another_unit_counts_half():
    assert held("哪里有17个实验室？", "有17家工厂。", *OTHERS) == pytest.approx([0.5, 0, 0, 0])


def test_what_few_hold_counts_more():
    rare, common = "共17个。", "共29人。"
    scores = held("17个29人在哪里？", rare, common, common, common, "无。")
    assert scores[0] > scores[1] == scores[2] > scores[4] == 0


@pytest.mark.parametrize(
    ("asked", "text", "published", "expected"),
    [
        ("2023年发生了什么", "去年，大桥通车。", "2024-05-20", True),
        ("2023年底发生了什么", "去年底，大桥通车。", "2024-05-20", True),
        ("2023年12月发生了什么", "去年12月，大桥通车。", "2024", True),
        ("2023年11月发生了什么", "去年底，大桥通车。", "2024-05-20", False),
        ("2024年4月发生了什么", "上月，大桥通车。", "2024-05", True),
        ("2023年12月发生了什么", "上个月，大桥通车。", "2024-01-02", True),
        ("2023年12月发生了什么", "上个月，大桥通车。", "2024", False),
        ("2024年发生了什么", "今年，大桥通车。", "2024-05-20", True),
        ("2025年发生了什么", "明年，大桥通车。", "2024-05-20", True),
        ("2022年发生了什么", "前年，大桥通车。", "2024-05-20", True),
        ("2021年发生了什么", "大前年，大桥通车。", "2024-05-20", True),
        ("2022年发生了什么", "大前年，大桥通车。", "2024-05-20", False),
        ("What happened in 2023?", "the bridge opened last year.", "2024-05-20", True),
        ("2023年发生了什么", "去年，大桥通车。", None, False),
        ("2023年12月发生了什么", "去年十二月，大桥通车。", "2024", True),
        ("2023年底发生了什么", "去年年末，大桥通车。", "2024", True),
        ("2023年12月发生了什么", "the bridge opened late last year.", "2024", True),
        ("2023年12月发生了什么", "the bridge opened in june last year.", "2024", False),
        ("2024年5月发生了什么", "昨日，大桥通车。", "2024-05-20", True),
        ("2024年4月发生了什么", "昨日，大桥通车。", "2024-05-01", True),
        ("2024年4月发生了什么", "昨日，大桥通车。", "2024-05", False),
        ("2024年发生了什么", "昨日，大桥通车。", "2024-05-20", False),
        ("2022年发生了什么", "目前年产三万吨。", "2024-05-20", False),
    ],
)
def test_a_text_is_read_against_its_own_date(asked, text, published, expected):
    [date] = asked_dates(asked.lower())
    assert holds_date(date, text, published) is expected


def test_dates_are_read_in_every_writing():
    assert asked_dates("二〇一九年十二月和1998年3月、2020-11") == (
        Date(2019, 12),
        Date(1998, 3),
        Date(2020, 11),
    )
    assert asked_dates("in september 2001 and 1999") == (Date(2001, 9), Date(1999, None))
    assert asked_dates("共2024个，电话 10086") == ()


@given(
    st.lists(
        st.sampled_from(
            [
                *"2024 2023 1 12 3 年 月 底 年底 - . 一 二〇二四年 二零二三年 五 may".split(),
                *"十二月 mayor december september 江上修了一座桥".split(),
                *(" ", ", ", " "),
            ]
        ),
        max_size=12,
    ).map("".join),
    st.sampled_from([2023, 2024]),
    st.sampled_from([None, 5, 12]),
)
def test_looking_beside_the_year_only_loses_no_date(text, year, month):
    asked = Date(year, month)
    everywhere = any(d.year == year and month in (None, d.month) for d in asked_dates(text))
    assert names_date(asked, text) is everywhere


def test_the_author_and_the_title_count():
    candidates = [
        Candidate("桥修好了。", ("大桥十年", "张三")),
        Candidate("桥修好了。", ("别的", "李四")),
        Candidate("张三来了。", ()),
        Candidate("没有人。", ()),
    ]
    scores = exact(named("张三说了什么？"), candidates)
    assert scores[0] == scores[2] > scores[1] == scores[3] == 0
    assert exact(named("《大橋十年》是谁写的？"), candidates)[0] == 1.0


def test_a_question_that_names_nothing_scores_nothing():
    assert held("为什么？", "因为。", "所以。") == [0.0, 0.0]
    assert exact(named("“一核两翼”指什么？"), []) == []


def test_the_year_is_a_date_and_not_a_quantity_too():
    assert asked_quantities("2024年的17个") == asked_quantities("17个")
    assert asked_quantities("covid-19和一体化") == ()


@given(st.integers(0, 10**13))
def test_every_spelling_is_found_where_it_stands_alone_only(value):
    found = pattern(float(value))
    for spelling in spelled(float(value)):
        assert found.search(f"共{spelling}个")
        assert not found.search(f"共9{spelling}个")
        assert not found.search(f"共{spelling}9个")
