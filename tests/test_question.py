import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.tokens import fold
from rag.asked_heads import about
from rag.fitness import definition_fit, fit, number_fit, series
from rag.numerals import numbers, values
from rag.question import Wanted, analyse


def asked(text, language="zh"):
    return analyse(text, fold, language)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("大桥是哪一年通车的？", Wanted.TIME),
        ("全市有多少个社区食堂？", Wanted.NUMBER),
        ("谁是总工程师？", Wanted.PERSON),
        ("新机场位于哪座城市？", Wanted.PLACE),
        ("改造包括哪些内容？", Wanted.LIST),
        ("为什么要禁渔？", Wanted.REASON),
        ("怎样申请补贴？", Wanted.MANNER),
        ("什么叫绿色电力？", Wanted.DEFINITION),
        ("科技创新被界定为什么？", Wanted.DEFINITION),
        ("新建的桥叫什么名字？", Wanted.THING),
    ],
)
def test_the_kind_of_answer_asked_for(question, wanted):
    assert asked(question).wanted is wanted


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How old was she when the bridge opened?", Wanted.NUMBER),
        ("In what year did the port open?", Wanted.TIME),
        ("Which five services are offered?", Wanted.LIST),
        ("Why was fishing banned?", Wanted.REASON),
    ],
)
def test_english_asks_with_its_first_question_word(question, wanted):
    assert asked(question, "en").wanted is wanted


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("重庆有哪四大实验室？", 4),
        ("三个革命各指什么？", 3),
        ("要朝哪「四化」邁進？", 4),
        ("３个产业集群都有谁？", 3),
        ("哪些部门参加？", None),
        ("六耳铃的花期是什么时候？", None),
    ],
)
def test_how_many_items_are_asked_for(question, count):
    assert asked(question).count == count


def test_what_the_question_itself_states():
    analysis = asked("“双倍增”计划要求２０２７年高新技术企业达到多少家？")
    assert analysis.asserted == ((2027.0, "年"),)
    assert analysis.quoted == ("双倍增",)
    assert analysis.unit == "家"


@pytest.mark.parametrize(
    ("question", "language", "fields"),
    [
        ("讲老旧小区的文章是谁写的？", "zh", {"authors"}),
        ("這篇文章的作者是誰？", "zh", {"authors"}),
        ("文章的作者在哪里工作？", "zh", {"affiliations"}),
        ("“新路”出现在谁写的哪篇文章里？", "zh", {"authors", "title"}),
        ("这篇文章是哪一天发表的？", "zh", {"published"}),
        ("Who wrote the article on ports?", "en", {"authors"}),
        ("Which institutions do the two authors come from?", "en", {"affiliations"}),
        ("When was the article on ports published?", "en", {"published"}),
    ],
)
def test_questions_about_articles(question, language, fields):
    head = asked(question, language).head
    names = ("authors", "affiliations", "published", "source", "title")
    assert {n for n in names if getattr(head, n)} == fields


@pytest.mark.parametrize(
    "question", ["在作者看来，因地制宜是什么方法？", "作者认为有哪六大优势？", "谁提出了这个计划？"]
)
def test_questions_that_only_mention_an_author(question):
    assert asked(question).head is None


def test_what_an_attribution_question_is_about():
    assert "老旧小区改造" in about(asked("老旧小区改造的文章是谁写的？").core)
    assert "谁" not in about(asked("老旧小区改造的文章是谁写的？").core)


@given(st.text(max_size=80), st.sampled_from(["zh", "en"]))
def test_any_question_can_be_taken_apart(text, language):
    analysis = analyse(text, fold, language)
    assert bool(analysis.core.strip()) >= bool(analysis.folded.strip() and not analysis.core)
    assert analysis.count is None or 2 <= analysis.count <= 30


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17个", 17),
        ("十七个", 17),
        ("１７个", 17),
        ("三百二十米", 320),
        ("二〇二一年", 2021),
        ("33,618家", 33618),
        ("3.5万亿元", 3.5e12),
        ("两家", 2),
        ("seventeen", 17),
        ("the ninth", 9),
    ],
)
def test_numbers_by_value(text, value):
    assert value in values(text)


def test_where_a_number_stands_and_what_follows_it():
    (number,) = numbers("共17个中心")
    assert (number.span.start, number.span.end, number.unit) == (1, 3, "个中")


@pytest.mark.parametrize(
    ("sentence", "sizes"),
    [
        ("与企业、科研机构等合作开展技术研发、技术创新和社会服务", [2, 3]),
        ("打造共谋、共建、共管、共评、共享的治理模式", [5]),
        ("科学化、专业化、智能化和精细化", [4]),
        ("只有一句话", []),
    ],
)
def test_how_many_items_a_series_has(sentence, sizes):
    assert series(sentence) == sizes


def test_a_number_must_have_the_asked_unit():
    question = asked("再贷款的利率是多少？")
    assert number_fit(question, "利率为1.75%") == 1.0
    assert fit(asked("有多少个中心？"), "布局建设17个中心") == 1.0
    assert number_fit(asked("投资多少元？"), "建设17个中心") == 0.5


def test_a_definition_says_what_its_subject_is():
    question = asked("什么叫新质生产力？")
    assert definition_fit(question, "新质生产力是先进生产力质态") == 1.0
    assert definition_fit(question, "发展是硬道理") == 0.5
    assert definition_fit(question, "要加快发展新质生产力") == 0.0


@pytest.mark.parametrize(
    ("question", "language", "authors"),
    [
        ("By whom was the article on the port written?", "en", True),
        ("Which article tells of the ban, and by whom was it written?", "en", True),
        ("When was the new area approved, and by whom?", "en", False),
        ("这篇报道出自谁手？", "zh", True),
        ("“菜单”的比喻出自哪位记者？", "zh", True),
        ("“四个革命”的提法出自哪份文件？", "zh", False),
        ("这篇文章是谁著的？", "zh", True),
        ("参赛者中谁最著名？", "zh", False),
    ],
)
def test_only_what_is_written_has_an_author(question, language, authors):
    head = asked(question, language).head
    assert bool(head and head.authors) is authors
