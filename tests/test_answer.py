import numpy as np
import pytest
from fakes import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from index.tokens import Tokenizer, fold
from rag.answer import Tools, draft
from rag.asked_heads import Head
from rag.attribution import claims, named_in
from rag.bilingual import to_chinese, to_english
from rag.cite import verify
from rag.overlap import Overlap
from rag.select import announces, step_of
from rag.types import Article, Block, BlockKind, Evidence, Part, Passage, Question, Span, Support

ENCODER = HashingEncoder()
TOKENIZER = Tokenizer()
TOOLS = Tools(
    ENCODER.encode_passages,
    TOKENIZER.query_tokens,
    ENCODER.encode_queries,
    fold,
    TOKENIZER.words,
)

SCIENCE = (
    "科技创新能够催生新产业，是发展新质生产力的核心要素。"
    "重庆正在布局建设金凤、明月湖、广阳湾、嘉陵江四大重庆实验室，"
    "布局建设工业大数据等领域的17个市级技术创新中心。企业是现代产业体系建设的主体。"
)
HOUSING = (
    "老旧小区改造是一项民生工程。一是营造生活圈。聚焦群众急难愁盼，丰富养老、托育、助餐等服务。"
    "二是厘清改造主线。通过走访了解居民所需。三是创新服务举措。引入新业态。"
)
ENERGY = (
    "川渝要设立联合办公室，深化能源合作。"
    "重庆氢谷项目已经启动，2023年全市新能源装机容量达到420万千瓦。"
)


def make_article(key, title, authors, affiliations, body, **fields):
    blocks, text = [], ""
    byline = "□" + " ".join(authors) if authors else ""
    unit = f"（作者单位：{'、'.join(affiliations)}）" if affiliations else ""
    pieces = [(BlockKind.TITLE, title), (BlockKind.BYLINE, byline)]
    pieces += [(BlockKind.BODY, body), (BlockKind.AFFILIATION, unit)]
    for kind, piece in pieces:
        if not piece:
            continue
        text += "\n\n" if text else ""
        span = Span(len(text), len(text) + len(piece))
        text += piece
        blocks.append(Block(kind, span, (Part(span.start, span),)))
    return Article(key, text, tuple(blocks), title, authors, affiliations, **fields)


LAB = make_article("lab", "加快建设实验室", ("邹霞", "吴希"), ("重庆理工大学",), SCIENCE)
OLD = make_article("old", None, ("陈艳丽",), ("重庆财经职业学院",), HOUSING, published="2024-05-20")
POWER = make_article("power", "能源一体化", (), (), ENERGY, source="文据样报")


def evidence_for(question, *articles):
    """All paragraphs, best first by the share of the question's characters."""
    vector = ENCODER.encode_queries([question])[0]
    found = []
    for article in articles:
        span = article.paragraphs[0].span
        passage = Passage(f"{article.id}-0.0", article.id, 0, span, span.of(article.text))
        dense = float(ENCODER.encode_passages([passage.text])[0] @ vector)
        found.append((dense, passage, article))
    found.sort(key=lambda f: -f[0])
    return [
        Evidence(passage, article, i + 1, max(dense, 0.0), {"dense": dense, "lexical": 1.0})
        for i, (dense, passage, article) in enumerate(found)
    ]


def ask(text, *articles, language="zh"):
    articles = articles or (LAB, OLD, POWER)
    evidence = evidence_for(text, *articles)
    question = Question(text, ENCODER.encode_queries([text])[0])
    drafted = draft(question, evidence, TOOLS, language=language)
    words, citations = verify(drafted, {a.id: a for a in articles}, evidence)
    return drafted, words, citations


def test_the_sentence_that_answers_is_quoted():
    drafted, words, citations = ask("重庆布局建设哪四大实验室？")
    assert drafted.status == "answered"
    assert "金凤、明月湖、广阳湾、嘉陵江" in words
    assert citations[0].article.id == "lab"
    assert {c.support for c in citations} == {Support.VERBATIM}
    assert "金凤" in drafted.short_answer
    assert "嘉陵江" in drafted.short_answer


def test_a_number_is_answered_with_its_unit():
    drafted, words, _ = ask("重庆布局建设多少个市级技术创新中心？")
    assert "17个市级技术创新中心" in words
    assert drafted.short_answer == "17个"


def test_traditional_script_and_wide_digits_are_understood():
    drafted, words, _ = ask("重慶佈局建設多少個市級技術創新中心？")
    assert drafted.status == "answered"
    assert "17个市级技术创新中心" in words


def test_a_list_over_sentences_comes_whole_and_in_order():
    drafted, words, citations = ask("老旧小区改造是民生工程，要做哪三项？")
    starts = [words.index(step) for step in ("一是营造", "二是厘清", "三是创新")]
    assert starts == sorted(starts)
    assert drafted.status == "answered"
    assert [c.span.start for c in citations] == sorted(c.span.start for c in citations)


def test_who_wrote_it_is_answered_from_the_head():
    drafted, words, citations = ask("讲老旧小区改造的文章是谁写的？")
    assert "陈艳丽" in words
    assert drafted.short_answer == "陈艳丽"
    head = next(c for c in citations if c.paragraph is None)
    assert head.quote == "□陈艳丽"
    assert head.support is Support.SUPPORTED
    assert any(c.paragraph == 0 and c.support is Support.VERBATIM for c in citations)


def test_where_the_author_works_in_english():
    text = "Which institutions do the authors of the article on 老旧小区改造 come from?"
    drafted, words, citations = ask(text, language="en")
    assert "重庆财经职业学院" in words
    assert "written by 陈艳丽" in words
    assert drafted.short_answer == "重庆财经职业学院"
    assert all(c.support is not Support.UNSUPPORTED for c in citations)


def test_when_it_was_published():
    _, words, _ = ask("讲老旧小区改造的文章是什么时候发表的？")
    assert "2024年5月20日" in words


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("2019年全市新能源装机容量达到多少万千瓦？", "2019年"),
        ("《西部大开发规划》提出老旧小区改造要做什么？", "西部大开发规划"),
        ("重庆氢谷项目投资多少元？", "所问的数字"),
        ("四川省委书记怎么看老旧小区改造？", "四川省委"),
        ("老旧小区改造是哪一天完成的？", "所问的时间"),
    ],
)
def test_what_the_archive_does_not_hold_is_refused(question, missing):
    drafted, words, citations = ask(question)
    assert drafted.status == "no_evidence"
    assert drafted.claims == ()
    assert citations == ()
    assert missing in words
    assert words == drafted.reason


def test_a_question_about_nothing_here_is_refused_in_its_language():
    drafted, words, _ = ask("How do penguins sleep?", language="en")
    assert drafted.status == "no_evidence"
    assert words.startswith("The archive does not tell")


def test_no_evidence_at_all_is_a_refusal():
    question = Question("重庆？", np.zeros(64, np.float32))
    drafted = draft(question, [], TOOLS, language="zh")
    assert drafted.status == "no_evidence"
    assert drafted.reason


def test_articles_that_disagree_on_a_figure_are_both_shown():
    early = make_article("x", "早报", (), (), "去年全市建成社区食堂120家，方便老人就餐。")
    late = make_article("y", "晚报", (), (), "今年全市建成社区食堂260家，老人就餐更方便。")
    drafted, words, citations = ask("全市建成社区食堂多少家？", early, late)
    assert drafted.status == "conflicting"
    assert "120家" in words
    assert "260家" in words
    assert {c.article.id for c in citations} == {"x", "y"}


def test_english_articles_that_disagree_are_both_shown():
    early = make_article("x", "Morning", (), (), "The port opened 12 new barge berths in 2023.")
    late = make_article("y", "Evening", (), (), "In 2023 the port opened 15 new barge berths.")
    question = "How many new barge berths did the port open in 2023?"
    drafted, words, citations = ask(question, early, late, language="en")
    assert drafted.status == "conflicting"
    assert "12 new barge berths" in words
    assert "15 new barge berths" in words
    assert {c.article.id for c in citations} == {"x", "y"}


def test_figures_of_two_years_do_not_conflict():
    early = make_article("x", "Morning", (), (), "The port opened 12 new barge berths in 2022.")
    late = make_article("y", "Evening", (), (), "In 2023 the port opened 15 new barge berths.")
    question = "How many new barge berths did the port open in 2023?"
    drafted, _, _ = ask(question, early, late, language="en")
    assert drafted.status == "answered"


def test_articles_that_agree_do_not_conflict():
    one = make_article("x", "早报", (), (), "全市建成社区食堂120家，方便老人就餐。")
    two = make_article("y", "晚报", (), (), "全市建成社区食堂一百二十家，老人说好。")
    drafted, _, _ = ask("全市建成社区食堂多少家？", one, two)
    assert drafted.status == "answered"


def test_a_reprint_is_not_quoted_twice():
    copy = make_article("copy", "转载", (), (), SCIENCE)
    _, words, _ = ask("重庆布局建设哪四大实验室？", LAB, copy)
    assert words.count("金凤、明月湖") == 1


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["zh", "en"]))
def test_whatever_is_asked_every_claim_is_proved(text, language):
    drafted, words, citations = ask(text, language=language)
    assert drafted.status in {"answered", "partial", "conflicting", "no_evidence"}
    assert bool(drafted.claims) == (drafted.status != "no_evidence")
    assert bool(words)
    for citation in citations:
        assert citation.support is not Support.UNSUPPORTED
        assert words[citation.start : citation.end] == citation.text


def test_authors_are_found_by_a_short_form_of_their_institution():
    named = named_in("理工大学和财经职院的作者怎么说", [LAB, OLD, POWER], fold)
    assert named == {"lab": "理工大学", "old": "财经职院"}


def test_an_article_without_a_title_goes_by_its_first_words():
    (first, *_) = claims(OLD, Head(authors=True), "zh", 1.0)
    assert first.text == "以“老旧小区改造是一项民生工程。一是营造…”开头的文章的作者是陈艳丽。"
    assert first.span.of(OLD.text) == "□陈艳丽"


def test_a_head_that_does_not_tell_gives_no_claim():
    assert claims(POWER, Head(authors=True), "zh", 1.0) == []
    (told,) = claims(POWER, Head(source=True), "zh", 1.0)
    assert told.text == "《能源一体化》刊于文据样报。"


@pytest.mark.parametrize(
    ("sentence", "item"),
    [
        ("一是营造", 1),
        ("三要聚焦", 3),
        ("其次，要", 2),
        ("第四，做好", 4),
        ("(五)建设", 5),
        ("一体化", None),
    ],
)
def test_which_item_a_sentence_opens(sentence, item):
    assert step_of(sentence) == item


def test_headings_announce_and_sentences_do_not():
    assert announces("一是做实“党社联合”。")
    assert not announces("通过将社区划分为多个网格，建立网格党支部，实现治理。")


def test_rarer_terms_weigh_more():
    overlap = Overlap.of([("重庆", ("重庆",)), ("实验", ("实验",))], ["重庆实验", "重庆", "重庆"])
    assert overlap.weights[0, 0] < overlap.weights[1, 0]
    assert overlap.share()[0] == pytest.approx(1.0)
    assert overlap.share()[1] < 0.5


def test_words_are_found_across_languages():
    chinese = dict(to_chinese("What interest rate applies to laboratories?"))
    assert "利率" in chinese["interest rate"]
    assert "实验室" in chinese["laboratories"]
    assert "laboratory" in dict(to_english(["实验室"]))["实验室"]
    assert dict(to_english(["无此词条"])) == {"无此词条": ()}


def test_a_measure_word_is_told_from_the_noun_after_it():
    from rag.fitness import asked_numbers
    from rag.question import analyse

    question = analyse("建成了多少块试验田？", fold, "zh")
    found = asked_numbers(question, "今年全县建成试验田三十二块。")
    assert [number.value for number in found] == [32]
    assert asked_numbers(question, "今年全县建成试验田，走了三十二公里。") == []


def test_a_title_printed_full_width_is_found_among_the_heads():
    article = make_article(
        "wind",
        "疆電入渝：戈壁的風",
        ["冉启鸣"],
        [],
        "哈密至重庆的线路全长两千多公里，戈壁的风点亮山城的灯。",
    )
    found = ask("《疆電入渝：戈壁的風》的作者是谁？", article)[0]
    assert found.status == "answered", found.reason
    assert found.short_answer == "冉启鸣"


def test_of_two_figures_the_one_whose_clause_was_asked_about_is_the_short_answer():
    from rag.question import analyse
    from rag.short_answer import short_answer

    text = "加快创建2个国家技术创新中心，布局建设人工智能等领域的17个市级技术创新中心。"
    asked = [
        ("要布局建设多少个市级技术创新中心？", "zh", "17个"),
        ("要创建多少个国家技术创新中心？", "zh", "2个"),
        ("How many national technology innovation centres will there be?", "en", "2个"),
        ("How many centres are there?", "en", None),
    ]
    for question, language, wanted in asked:
        found = short_answer(analyse(question, fold, language), [text], fold, TOKENIZER.words)
        assert (found and found.text) == wanted, question


SAID = "开放没有完成时，内陆的门开得越大，越要练好门里的功夫。"


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("“越要练好门里的功夫”这句话是谁说的？", "zh"),
        ("“越要练好门里的功夫”是谁的话？", "zh"),
        ("Who said “越要练好门里的功夫”?", "en"),
    ],
)
def test_words_that_nobody_is_quoted_for_are_their_authors(question, language):
    article = make_article("s1", "内陆开放", ("骆千帆",), ("某大学",), SAID)
    assert ask(question, article, language=language)[0].short_answer == "骆千帆"


@pytest.mark.parametrize("before", ["港务负责人卢旺说：“", "卢旺表示，", "“"])
def test_words_of_somebody_quoted_are_not_the_authors(before):
    article = make_article("s1", "内陆开放", ("骆千帆",), ("某大学",), before + SAID)
    drafted, _, _ = ask("“越要练好门里的功夫”这句话是谁说的？", article)
    assert drafted.short_answer != "骆千帆"
    assert SAID[:-1] in drafted.claims[0].text
