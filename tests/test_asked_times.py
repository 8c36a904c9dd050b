"""去年, 上个月 and "last year" in a question, counted from the day of asking."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from fakes import HashingEncoder
from hypothesis import given
from hypothesis import strategies as st

from rag import answer
from rag.asked_times import Stand, asked_times
from rag.config import Config
from rag.dates import _RELATIVE, Date, Relative, relatives
from rag.exact import Candidate, exact, folded, named
from rag.pipeline import Pipeline
from rag.types import Draft, Filters

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31)).map(date.isoformat)
WORDS = st.sampled_from([row[0] for row in _RELATIVE])
OTHERS = (Candidate("江上修了一座桥。", (), "2026-03-02"), Candidate("学校九月开学。"))


@pytest.mark.parametrize(
    ("question", "day", "expected"),
    [
        ("去年重庆新增了多少企业", "2026-03-10", Date(2025, None)),
        ("去年底重庆新增了多少企业", "2026-03-10", Date(2025, 12)),
        ("去年年末有多少企业", "2026-03-10", Date(2025, 12)),
        ("去年十二月发生了什么", "2026-03-10", Date(2025, 12)),
        ("今年的3月发生了什么", "2026-03-10", Date(2026, 3)),
        ("今年上半年完成了多少投资", "2026-08-01", Date(2026, None)),
        ("前年有多少人", "2024-02-29", Date(2022, None)),
        ("大前年有多少人", "2024-02-29", Date(2021, None)),
        ("明年建成什么", "2026-03-10", Date(2027, None)),
        ("上个月发生了什么", "2026-01-15", Date(2025, 12)),
        ("上個月發生了什麼", "2026-01-15", Date(2025, 12)),
        ("上月发生了什么", "2024-03-31", Date(2024, 2)),
        ("下个月发生什么", "2025-12-31", Date(2026, 1)),
        ("昨天发生了什么", "2024-03-01", Date(2024, 2)),
        ("昨天发生了什么", "2026-01-01", Date(2025, 12)),
        ("前天发生了什么", "2024-03-02", Date(2024, 2)),
        ("前天发生了什么", "2023-03-02", Date(2023, 2)),
        ("上週發生了什麼", "2026-03-05", Date(2026, 2)),
        ("本周发生了什么", "2026-03-05", Date(2026, 3)),
        ("What did the city announce last month?", "2026-01-31", Date(2025, 12)),
        ("What did the city announce last year?", "2026-01-31", Date(2025, None)),
        ("What opened in December last year?", "2026-01-31", Date(2025, 12)),
        ("What opened at the end of last year?", "2026-01-31", Date(2025, 12)),
        ("What did the mayor last year open?", "2026-01-31", Date(2025, None)),
        ("What opened the year before last?", "2026-01-31", Date(2024, None)),
        ("What happened the day before yesterday?", "2024-03-02", Date(2024, 2)),
        ("What happened last week?", "2026-03-05", Date(2026, 2)),
        ("上个月发生了什么", "2024-01", Date(2023, 12)),
        ("去年发生了什么", "2024", Date(2023, None)),
    ],
)
def test_it_counts_from_the_day_of_asking(question, day, expected):
    [time] = asked_times(folded(question), Stand(day))
    assert time.dates == (expected,)


def test_a_day_that_is_not_precise_enough_gives_no_date():
    assert Relative("month", -1).spoken("2024") is None
    assert Relative("day", -1).spoken("2024-05") is None
    assert Relative("day", -1).spoken("2024-02-30") is None
    assert Relative("day", -1).spoken("0001-01-01") is None
    [time] = asked_times("昨天", Stand("2024-05", "2024-04-30"))
    assert time.held("昨天通车。", "2020-01-01")
    assert not time.held("2024年5月通车。", "2024-05-02")


@pytest.mark.parametrize(
    "text",
    [
        "目前年产多少", "过去年代的人", "六十岁以上年龄", "如今年轻人", "日本年均降水",
        "文明年代", "资本周转", "一年以上周期", "前天津市长", "what is it called today",
        "今天的重庆", "近三年",
    ],
)  # fmt: skip
def test_other_words_are_no_dates(text):
    assert not relatives(text)


@given(st.text("去上今本明前大昨这下个年月周星期天日底末12十月 lastyermonhwk", max_size=30))
def test_looking_for_the_words_first_loses_nothing(text):
    for key, pattern, _, _ in _RELATIVE:
        assert bool(pattern.search(text)) <= (key in text)


@given(WORDS)
def test_every_word_is_read(word):
    assert relatives(word)


def scores(question, stand, *candidates):
    return exact(named(question, stand), [*candidates, *OTHERS])


def test_a_passage_of_that_time_is_moved_up_however_it_says_so():
    stand = Stand("2026-03-10", "2026-03-09")
    held = scores(
        "去年重庆新增了多少企业？",
        stand,
        Candidate("去年新增三家。", (), "2026-02-01"),
        Candidate("2025年新增三家。", (), "2026-02-01"),
        Candidate("今年新增三家。", (), "2025-12-30"),
        Candidate("Three were added last year.", (), "2026-02-01"),
        Candidate("去年新增三家。", (), "2021-02-01"),
        Candidate("2024年新增三家。", (), "2026-02-01"),
        Candidate("去年新增三家。"),
    )
    assert [score > 0 for score in held] == [True] * 4 + [False] * 2 + [True] + [False] * 2
    assert len(set(held)) == 2


def test_yesterday_is_held_by_what_was_printed_in_its_month():
    stand = Stand("2026-03-10", "2026-03-09")
    yesterday = Candidate("大桥昨日通车。", (), "2026-03-09")
    long_ago = Candidate("大桥昨日通车。", (), "2025-03-09")
    assert scores("昨天什么通车了？", stand, yesterday, long_ago)[:2] == [1.0, 0.0]


def test_a_passage_that_fits_far_worse_is_moved_by_a_date_named_outright_only():
    stand = Stand("2026-03-10", "2026-03-09")
    far = Candidate("2025年通车。", (), "2026-03-09", close=False)
    assert scores("去年什么通车了？", stand, far)[0] == 0.0
    assert scores("2025年什么通车了？", stand, far)[0] == 1.0


def test_where_no_candidate_holds_it_nothing_is_scored():
    stand = Stand("2026-03-10", "2026-03-09")
    assert scores("去年什么通车了？", stand, Candidate("大桥通车。", (), "2025-03-09")) == [0.0] * 3


def test_in_an_archive_that_ended_before_the_papers_own_last_year_will_do():
    held = scores(
        "去年底新增了多少企业？",
        Stand("2026-03-10", "2023-05-20"),
        Candidate("去年底新增三家。", (), "2023-05-20"),
        Candidate("2022年12月新增三家。", (), "2023-01-04"),
        Candidate("去年年底新增三家。", (), "2019-05-20"),
        Candidate("到2025年底新增三家。", (), "2023-05-20"),
        Candidate("去年新增三家。", (), "2023-05-20"),
    )
    assert held[0] == held[1] == held[2] == held[3] > 0
    assert held[4:] == [0.0] * 3


@pytest.mark.parametrize(
    ("question", "day", "newest", "anywhere"),
    [
        ("去年", "2026-01-05", "2025-12-30", False),
        ("今年", "2026-01-05", "2025-12-30", True),
        ("明年", "2026-03-05", "2026-03-01", False),
        ("去年底", "2026-01-05", "2025-03-30", False),
        ("上个月", "2026-01-05", "2025-12-30", False),
        ("上个月", "2026-02-05", "2025-12-30", True),
        ("上个月", "2026-02-05", "2026", True),
        ("去年", "2026-02-05", "2025", False),
        ("去年", "2026-02-05", None, False),
    ],
)
def test_an_archive_is_old_where_it_ends_before_the_time_meant(question, day, newest, anywhere):
    assert asked_times(question, Stand(day, newest))[0].anywhere is anywhere


def test_beside_a_date_or_in_a_title_it_counts_from_something_else():
    stand = Stand("2026-03-10")
    assert [t.dates for t in named("2023年比上年增长多少？", stand).times] == [(Date(2023, None),)]
    assert named("《去年的雪》是谁写的？", stand).times == ()
    assert named("去年谁写了《今年的雪》？", stand).times[0].dates == (Date(2025, None),)
    assert named("去年发生了什么？").times == ()


@given(WORDS, DAYS)
def test_what_was_printed_on_the_day_of_asking_means_the_same(word, day):
    [time] = asked_times(word, Stand(day, day))
    assert time.held(word, day)


@given(WORDS, DAYS, DAYS, DAYS)
def test_the_same_words_are_never_below_others_in_an_archive_that_ended(word, day, newest, printed):
    [time] = asked_times(word, Stand(day, newest))
    assert time.held(word, printed) or not time.anywhere
    assert time.held(word, None)


@given(st.from_regex(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", fullmatch=True), WORDS, DAYS)
def test_no_date_is_too_strange(day, word, newest):
    for stand in (Stand(day, newest), Stand(newest, day)):
        for time in asked_times(word, stand):
            time.held(word, day)


@given(DAYS, st.integers(-40, 40))
def test_months_are_counted_as_a_calendar_does(day, shift):
    there = Relative("month", shift).spoken(day)
    assert Relative("month", -shift).spoken(f"{there.year:04}-{there.month:02}") == Date(
        int(day[:4]), int(day[5:7])
    )
    at = date.fromisoformat(day) - timedelta(1)
    assert Relative("day", -1).spoken(day) == Date(at.year, at.month)


TEXTS = {
    "甲": ("2024-03-01", "重庆去年新增企业三百家。"),
    "乙": ("2025-03-01", "重庆去年新增企业四百家。"),
    "丙": ("2026-03-01", "重庆去年新增企业五百家。"),
    **{f"第{n}号": ("2022-01-01", f"第{n}条江上修了一座桥。") for n in range(20)},
}


@pytest.fixture
def asked(tmp_path, cache, monkeypatch):
    # By a real model's vectors these three lie closer together.
    monkeypatch.setattr("rag.retrieve.CLOSE", 0.6)
    folder = tmp_path / "in"
    folder.mkdir()
    for title, (day, text) in TEXTS.items():
        page = f"---\ntitle: {title}\ndate: {day}\n---\n\n{text}\n"
        (folder / f"{title}.md").write_text(page, encoding="utf-8")
    today = [date(2026, 3, 10)]
    config = Config(home=tmp_path / "home", cache=cache)
    pipeline = Pipeline(config, HashingEncoder(), today=lambda: today[0])
    pipeline.add([folder])

    def ask(question, day, **filters):
        today[0] = date.fromisoformat(day)
        if not filters.pop("search", True):
            return list(pipeline.stream(question))
        found = pipeline.search(question, filters=Filters(**filters))
        return {e.article.title: e for e in found}

    yield ask
    pipeline.close()


QUESTION = "去年重庆新增企业多少家？"


@pytest.mark.parametrize(
    ("day", "filters", "expected"),
    [
        ("2026-03-10", {}, ["丙"]),
        ("2025-12-31", {}, ["乙"]),
        ("2026-03-10", {"as_of": "2025-06-01"}, ["乙"]),
        ("2026-03-10", {"as_of": "2024"}, ["甲"]),
        ("2026-03-10", {"date_to": "2025-12-31"}, []),
    ],
)
def test_the_article_of_the_readers_time_is_moved_up(asked, day, filters, expected):
    found = asked(QUESTION, day, **filters)
    assert [title for title, e in found.items() if "exact" in e.signals] == expected
    plain = list(asked(QUESTION, "2020-01-01", **filters))
    for title in expected:
        assert list(found).index(title) <= plain.index(title)
    if not expected:
        assert list(found) == plain


def test_an_archive_that_ended_keeps_its_order(asked):
    found = asked(QUESTION, "2029-03-10")
    assert len({found[title].signals["exact"] for title in "甲乙丙"}) == 1
    assert list(found) == list(asked(QUESTION, "2020-01-01"))


def test_what_is_answered_without_the_day_is_not_refused_with_it(asked, monkeypatch):
    real, drafts = answer.draft, []

    def strict(question, evidence, *args, **kwargs):
        drafts.append([e.article.title for e in evidence])
        moved = any("exact" in e.signals for e in evidence)
        return Draft(()) if moved else real(question, evidence, *args, **kwargs)

    monkeypatch.setattr(answer, "draft", strict)
    plain = asked(QUESTION, "2020-01-01", search=False)[-1].answer
    events = asked(QUESTION, "2026-03-10", search=False)
    last = events[-1].answer
    assert (last.status, last.text) == (plain.status, plain.text) != ("no_evidence", "")
    assert [e.passage.id for e in last.evidence] == [e.passage.id for e in plain.evidence]
    assert [e.evidence for e in events if e.evidence is not None][-1] == last.evidence
    assert drafts[-1] == drafts[0]
    monkeypatch.setattr(answer, "draft", lambda *args, **kwargs: Draft((), status="no_evidence"))
    assert asked(QUESTION, "2026-03-10", search=False)[-1].answer.status == "no_evidence"
