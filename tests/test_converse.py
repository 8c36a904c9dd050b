from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.dialogues import read, read_articles, right, score_rules
from rag.converse import REMEMBERED, depends, standalone
from rag.mentions import kind_of, mentions, replaced_by, subject
from rag.types import Article, Block, BlockKind, Span, Turn

SAMPLES = Path(__file__).resolve().parent.parent / "articles"


def article(key, title, text="三峡工程正常蓄水位175米，总库容393亿立方米。"):
    body = Block(BlockKind.BODY, Span(0, len(text)))
    return Article(key, text, (body,), title=title, authors=("陈艳丽", "金科"))


ARTICLES = {
    "a": article("a", "大桥十年"),
    "b": article("b", "大桥的一天"),
    "c": article("c", None),
}
BRIDGE = Turn("港珠澳大桥全长多少公里？", "大桥全长55公里。[1]另一篇说约55公里。[2]", ("a", "b"))


def after(question, *turns):
    return standalone(question, turns, ARTICLES.get)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("它是哪年通车的？", "港珠澳大桥是哪年通车的？"),
        ("这座大桥花了多少钱？", "港珠澳大桥花了多少钱？"),
        ("花了多少钱？", "港珠澳大桥花了多少钱？"),
        ("那杭州湾大桥呢？", "杭州湾大桥全长多少公里？"),
        ("工期呢？", "港珠澳大桥的工期是多少？"),
        ("还有呢？", "港珠澳大桥全长多少公里？还有哪些？"),
        ("第二篇的作者是谁？", "《大桥的一天》的作者是谁？"),
        ("谁写的", "《大桥十年》是谁写的？"),
        ("最后一篇是什么时候发表的？", "《大桥的一天》是什么时候发表的？"),
        ("Who wrote it?", "Who wrote the article “大桥十年”?"),
        ("Who wrote the second article?", "Who wrote the article “大桥的一天”?"),
    ],
)
def test_a_follow_up_gets_what_it_points_back_to(question, expected):
    assert after(question, BRIDGE) == expected


@pytest.mark.parametrize(
    ("last", "question", "expected"),
    [
        ("特斯拉2023年交付了多少辆车？", "2022年呢？", "特斯拉2022年交付了多少辆车？"),
        ("浙江省有多少个自然村？", "那江苏呢", "江苏有多少个自然村？"),
        ("中国队得了几枚金牌？", "银牌呢？", "中国队得了几枚银牌？"),
        ("上海2020年有几条地铁？", "成都2021年的呢？", "成都2021年有几条地铁？"),
        ("What is the population of Berlin?", "And Paris?", "What is the population of Paris?"),
        ("What is the area of Berlin?", "What about its cost?", "What is the cost of Berlin?"),
        ("How far is it from Chengdu to Wuhan?", "And to Lodz?",
         "How far is it from Chengdu to Lodz?"),
        ("How many stations does Line 2 have?", "What about Line 3?",
         "How many stations does Line 3 have?"),
        ("Who founded Huawei?", "When?", "Who founded Huawei? When?"),
        ("Where is the canal?", "How long is it?", "How long is the canal?"),
        ("Where is the canal?", "What are its locks?", "What are the canal's locks?"),
    ],
)  # fmt: skip
def test_another_thing_takes_the_place_of_its_like(last, question, expected):
    assert after(question, Turn(last, "")) == expected


@pytest.mark.parametrize(
    "question",
    [
        "中国的首都是哪里？",
        "那重庆火锅为什么辣？",
        "其他城市的房价怎么样？",
        "乡村振兴促进法是哪年施行的，它规定了什么？",
        "谢谢",
        "重庆　２０２２年　汽车产量",
        "Is there a subway in Beijing?",
        "How long does it take from Beijing to Tianjin?",
        "What is the largest lake in China and how deep is it?",
        "Which companies sell their cars abroad?",
        "Who wrote the Dream of the Red Chamber?",
    ],
)
def test_a_new_topic_is_not_dragged_back(question):
    assert after(question, BRIDGE) == question
    assert not depends(question, [BRIDGE], ARTICLES.get)


def test_earlier_follow_ups_are_made_to_stand_alone_first():
    first = Turn("浙江省有多少个自然村？", "")
    assert after("2021年呢？", first, Turn("那江苏呢？", "")) == "2021年江苏有多少个自然村？"


def test_people_are_the_authors_spoken_of():
    asked = Turn("《大桥十年》的作者是谁？", "《大桥十年》的作者是陈艳丽、金科。[1]", ("a",))
    assert after("他们在哪里工作？", asked) == "《大桥十年》的作者在哪里工作？"


def test_what_a_which_question_found_is_spoken_of():
    asked = Turn("哪座村子入选了名录？", "2022年，荆竹村入选了名录。[1]", ("a",))
    assert after("它有多少人口？", asked) == "荆竹村有多少人口？"


def test_an_article_without_a_title_is_named_by_its_first_words():
    turn = Turn("三峡水位多高？", "175米。[1]", ("c",))
    assert after("这篇的作者是谁？", turn) == "以“三峡工程正常蓄水位175米”开头的文章的作者是谁？"


def test_a_reference_to_nothing_stays_as_it_was():
    assert after("第五篇的作者是谁？", BRIDGE) == "第五篇的作者是谁？"
    assert after("谁写的？", Turn("你好", "没有找到。")) != "谁写的？你好"
    assert standalone("它呢？", []) == "它呢？"


def test_a_refusal_between_does_not_hide_the_articles():
    refused = Turn("大桥的钢材产自哪国？", "档案里没有。", ())
    assert after("第一篇是谁写的？", BRIDGE, refused) == "《大桥十年》是谁写的？"


def test_only_so_many_turns_are_remembered():
    long_ago = [Turn("浙江省有多少个自然村？", "")] * 500
    assert REMEMBERED < 500
    assert standalone("那江苏呢？", long_ago) == "江苏有多少个自然村？"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("平陆运河全长多少公里？", "平陆运河"),
        ("上海地铁有几条线？", "上海地铁"),
        ("谁发明了造纸术？", ""),
        ("What is the population of Berlin?", "the population of Berlin"),
        ("Why did the first train leave Chongqing?", "the first train leave Chongqing"),
    ],
)
def test_the_subject_of_a_question(question, expected):
    assert subject(question) == expected


def test_things_are_told_by_their_form():
    text = "2021年《规划纲要》提出，重庆5号线的第二期"
    assert [(m.kind, m.span.of(text)) for m in mentions(text)] == [
        ("time", "2021年"), ("title", "《规划纲要》"), ("place", "重庆"), ("line", "5号线"),
        ("ordinal", "第二期"),
    ]  # fmt: skip
    assert kind_of("四川") == "place"
    assert kind_of("渔民") is None
    place = replaced_by("重庆有多少渔船上岸？", "四川")
    assert place is not None
    assert place.of("重庆有多少渔船上岸？") == "重庆"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_turns_give_a_question(last, answer, question):
    assert isinstance(after(question, Turn(last, answer, ("a",))), str)


@given(st.sampled_from("它呢还那?？的第一篇谁 it and in 2021 四川"), st.integers(1, 300))
def test_long_questions_take_no_time(character, count):
    after(character * count, Turn(character * count, character * count, ("a",)))


def test_the_dialogues_are_rewritten():
    articles = read_articles(SAMPLES)
    rows = score_rules(read(), articles)
    assert len({case.id.split(".")[0] for case, *_ in rows}) >= 40
    for split, least in (("tune", 0.95), ("held_out", 0.85)):
        own = [good for case, _, good in rows if case.split == split]
        assert sum(own) / len(own) >= least, split
    fresh = [good for case, _, good in rows if case.kind == "new_topic"]
    assert all(fresh)


def test_the_references_are_right_by_the_same_measure():
    assert [c.id for c in read() if not right(c, c.reference)] == []
