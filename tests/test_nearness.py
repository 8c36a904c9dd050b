import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.tokens import Tokenizer, fold
from rag.fitness import asked_numbers, number_fit, series
from rag.nearness import answers_in, nearness
from rag.overlap import Overlap
from rag.question import LASTING, Wanted, analyse
from rag.relevance import FEATURES, Candidate, Ranking
from rag.short_answer import short_answer
from rag.types import Span

TOKENIZER = Tokenizer()


def short_of(analysis, sentences):
    found = short_answer(analysis, sentences, fold, TOKENIZER.words)
    return found.text if found and found.sure else None


def asked(text, language="zh"):
    return analyse(text, fold, language)


def told(question, sentence, language="zh"):
    """The numbers of a sentence that can answer a question."""
    return [
        sentence[n.span.start : n.span.end]
        for n in asked_numbers(asked(question, language), sentence)
    ]


@pytest.mark.parametrize(
    ("question", "sentence", "numbers"),
    [
        ("沿线有多少座加氢站？", "2021年11月，首批3辆物流车开上了走廊。", []),
        ("沿线有多少座加氢站？", "2021年11月，走廊上建成5座站。", ["5"]),
        ("用了多少张金箔？", "造像有830只手。", []),
        ("搬迁了多少户居民？", "开挖土石方5700多万立方米。", []),
        ("搬迁了多少户居民？", "涉及居民近700万户。", ["700万"]),
        ("新区有多少人口？", "2020年12月29日，新区设立。", []),
        ("新区常住人口有多少？", "新区住着12.6万人，共5个镇。", ["12.6万"]),
        ("线路总投资是多少？", "全长2290公里，投资286亿元。", ["286亿"]),
        ("要下厂多久？", "2023年起每五年不少于六个月。", ["五", "六"]),
        ("总产量是多少万台？", "年产量3000万台，工厂6家。", ["3000万"]),
    ],
)
def test_a_number_answers_only_with_the_asked_unit(question, sentence, numbers):
    assert told(question, sentence) == numbers


def test_a_year_is_no_count_in_english_either():
    assert told("How many passengers does it carry?", "it opened in 2022.", "en") == []
    assert told("How many passengers does it carry?", "it carries 4,200 a day.", "en") == ["4,200"]


def test_a_date_alone_fits_a_question_for_a_number_half():
    assert number_fit(asked("有多少座加氢站？"), "2021年11月启动。") == 0.5
    assert number_fit(asked("有多少座加氢站？"), "至今启动。") == 0.0


@pytest.mark.parametrize(
    ("question", "wanted", "unit", "language"),
    [
        ("管委会主任叫什么名字？", Wanted.PERSON, "", "zh"),
        ("Which architect designed the station?", Wanted.PERSON, "", "en"),
        ("What starting salary do they earn?", Wanted.NUMBER, "元", "en"),
        ("首届签约金额是多少？", Wanted.NUMBER, "元", "zh"),
        ("覆盖率达到多少？", Wanted.NUMBER, "%", "zh"),
        ("修了多长时间？", Wanted.NUMBER, LASTING, "zh"),
        ("每人领到多少补偿款？", Wanted.NUMBER, "元", "zh"),
        ("有多少消费者受到影响？", Wanted.NUMBER, "消费", "zh"),
        ("一共推出多少款新车？", Wanted.NUMBER, "款新", "zh"),
        ("一共推出多少新款？", Wanted.NUMBER, "新款", "zh"),
        ("草案有多少条款？", Wanted.NUMBER, "条款", "zh"),
        ("每年发多少奖金？", Wanted.NUMBER, "元", "zh"),
        ("When did the bridge open?", Wanted.TIME, "", "en"),
        ("What happens when many people are arrested?", Wanted.THING, "", "en"),
        ("When many people are arrested, what do they do?", Wanted.THING, "", "en"),
    ],
)
def test_what_a_question_asks_for_and_in_what_unit(question, wanted, unit, language):
    analysis = asked(question, language)
    assert analysis.wanted is wanted
    if wanted is Wanted.NUMBER:
        assert analysis.unit == unit


def test_steps_counted_out_in_one_sentence_are_a_series():
    assert 3 in series("一是有技术,二是不依赖客户,三是敢让干部当家。")
    assert series("一是有技术。") == []


@pytest.mark.parametrize(
    ("question", "sentence", "found"),
    [
        ("桥是哪一天通车的？", "桥在2015年通车,12月26日庆祝。", ["12月26"]),
        ("桥是哪年通车的？", "桥在2015年12月26日通车。", ["2015年"]),
        ("2015年的桥什么时候通车？", "2015年的桥由市里修建。", []),
        ("2015年的桥什么时候通车？", "2015年的桥在春天开工。", ["春天"]),
        ("他何时登基？", "进入战国时代后成为习俗。", ["时代"]),
        ("他于何年登基？", "正德十六年新皇帝继位。", ["正德十六年"]),
        ("In what year did warming begin?", "warming began about 13,000 bp.", ["13,000 bp"]),
        ("燕军在哪一天入关？", "十月廿一,入松亭关。", ["十月廿"]),
        ("观景平台是哪年修的？", "平台上常年站满游客。", []),
    ],
)
def test_a_date_is_as_exact_as_is_asked(question, sentence, found):
    spans = answers_in(asked(question), sentence)
    assert [s.of(sentence) for s in spans] == found


def ranking_of(sentences, words):
    candidates = tuple(Candidate(0, i, Span(0, len(s)), s, s) for i, s in enumerate(sentences))
    overlap = Overlap.of([(w, (w,)) for w in words], [*sentences, "别的话", "再一句"])
    count = len(sentences)
    cut = Overlap(overlap.terms, overlap.weights[:, :count], overlap.held[:, :count])
    return Ranking(
        candidates, np.zeros(count), np.zeros((count, len(FEATURES))), np.zeros(count), cut
    )


def test_the_asked_kind_counts_only_where_the_questions_words_stand():
    sentences = ["加氢站还没有建成。", "走廊上跑着50座巴士,全长300公里。"]
    ranking = ranking_of(sentences, ["走廊", "加氢站"])
    question = asked("走廊有多少座加氢站？")
    found = nearness(question, ranking, [0], "", sentences[0])
    assert found.none
    assert found.sentence == found.clause == 0.0
    found = nearness(question, ranking, [1, 0], "", "".join(sentences))
    assert not found.none
    assert found.sentence == pytest.approx(1.0)  # the sentence before names the stations
    assert 0.0 < found.clause < found.sentence
    assert found.article == pytest.approx(1.0)


@given(st.text(alphabet="走廊站座年月日0123456789，。", max_size=40))
def test_shares_stay_between_none_and_all(sentence):
    ranking = ranking_of([sentence], ["走廊", "站"])
    found = nearness(asked("走廊有几座站？"), ranking, [0], "", sentence)
    assert all(
        0.0 <= share <= 1.0 + 1e-9 for share in (found.sentence, found.clause, found.article)
    )


@pytest.mark.parametrize(
    ("question", "sentence", "short"),
    [
        (
            "首脑会议是什么时候举行的？",
            "2006年5月11日至13日，首脑会议在首都举行。",
            "2006年5月11日至13日",
        ),
        ("气炉什么时候走向商业化？", "至1880年代，气炉才走向商业化。", "1880年代"),
        ("什么时候升为京畿路？", "崇宁五年又将开封府升为京畿路。", "崇宁五年"),
        (
            "高铁是哪一天开通运营的？",
            "2015年12月26日，高铁开通运营；2020年12月24日完成改造。",
            "2015年12月26日",
        ),
        ("哪一年再次参选？", "曾于2002年参选失利，2008年再次参选并胜出。", "2008年"),
        ("最长可以停留多久？", "最长可以停留12个月。", "12个月"),
        ("背吸盘有多少对鳍瓣？", "背吸盘有16至20对鳍瓣。", "16至20对"),
        ("有多少人投票？", "第三届选举有178万多人投票。", "178万多人"),
        ("站里有几个出口？", "这是一个地下车站。", None),
        ("排名多少？", "富豪榜上排名第51。", "第51"),
    ],
)
def test_the_short_answer_is_the_whole_number_or_date(question, sentence, short):
    assert short_of(asked(question), [sentence]) == short


@pytest.mark.parametrize(
    ("question", "sentence", "numbers"),
    [
        ("How many stops has the line?", "The line is 18 kilometres long and has 21 stops.", "21"),
        ("How long is the line?", "The line has 21 stops and is 18 kilometres long.", "18"),
        ("How long did it take?", "The line is 18 kilometres long; it took 30 months.", "30"),
        ("What did the line cost?", "Begun in 2019, it cost 240 million crowns.", "240"),
        ("线路有多长？", "全线设21座车站，长18公里。", "18"),
    ],
)
def test_an_asked_number_counts_or_measures_what_is_asked(question, sentence, numbers):
    language = "zh" if "？" in question else "en"
    assert told(question, fold(sentence), language) == [numbers]


def test_a_number_may_stand_in_a_further_sentence_of_the_answer():
    sentences = ["车站为混合式站台设计。", "全站有4个出口。"]
    assert short_of(asked("车站有几个出口？"), sentences) == "4个"


@pytest.mark.parametrize(
    ("question", "sentence", "short"),
    [
        (
            "建了哪四座变电站？",
            "工程新建甘泉、南岭、东山、铜门4座变电站。",
            "甘泉、南岭、东山、铜门",
        ),
        (
            "难在哪三处？",
            "难在老小区：一是容量不够，二是车位紧张，三是居民不愿。",
            "一是容量不够，二是车位紧张，三是居民不愿",
        ),
        (
            "双圈是哪两个圈？",
            "所谓双圈，指江东都市圈和江西都市圈；纲要已经写明。",
            "江东都市圈和江西都市圈",
        ),
        ("哪些楼先修？", "旧楼、危楼的事以后再说，二要快。", "旧楼、危楼的事以后再说"),
    ],
)
def test_a_list_is_cut_from_its_sentence_without_what_leads_to_it(question, sentence, short):
    assert short_of(asked(question), [sentence]) == short


def test_an_english_list_is_cut_from_its_sentence():
    sentence = "The other four are Anshan, Tiger Park, Rain Forest and Wushan."
    short = short_of(asked("Which four are the others?", "en"), [sentence])
    assert short == "Anshan, Tiger Park, Rain Forest and Wushan"


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("写高新区那篇，通讯员叫什么？", "zh"),
        ("谈老厂房的那篇署的是谁的名？", "zh"),
        ("这条线由谁报道过？", "zh"),
        ("Who are the reporters behind the piece on the outline?", "en"),
        ("Which two journalists wrote the piece on laptop makers?", "en"),
    ],
)
def test_reporters_are_authors(question, language):
    head = asked(question, language).head
    assert head is not None
    assert head.authors
