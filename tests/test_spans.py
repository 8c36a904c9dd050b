import json
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.tokens import Tokenizer, fold
from rag.question import analyse
from rag.short_answer import short_answer
from rag.span_features import LONGEST, MOST_CHARACTERS, Asked, candidates
from rag.spans import best_span

TOKENIZER = Tokenizer()


def short(question, sentence, language="zh"):
    found = short_answer(analyse(question, fold, language), [sentence], fold, TOKENIZER.words)
    return found.text if found and found.sure else None


@pytest.mark.parametrize(
    ("question", "sentence", "answer"),
    [
        ("大桥由谁主持设计？", "大桥由工程师周明远主持设计，全长三公里。", "工程师周明远"),
        ("博物馆坐落在哪座城市？", "博物馆坐落在遂宁市，占地八十亩。", "遂宁市"),
        ("他的老师叫什么名字？", "他的老师名叫沈怀安。", "沈怀安"),
        ("总部设在哪里？", "公司成立于1998年，总部设在杭州。", "杭州"),
        ("为什么推迟开幕？", "由于连日暴雨，开幕式推迟到五月。", "连日暴雨"),
        (
            "Where is the museum?",
            "The museum is located in Suining, north of the river.",
            "Suining",
        ),
    ],
)
def test_what_is_asked_is_cut_out_of_its_sentence(question, sentence, answer):
    assert short(question, sentence, "zh" if "？" in question else "en") == answer


def test_nothing_is_given_where_no_span_is_sure():
    sentence = "天气晴好，花开满园，人们三三两两散步，聊着家常，看着孩子在树下跑来跑去。"
    assert short("这件事由什么引起？", sentence) is None


@settings(deadline=None, max_examples=60)
@given(
    st.text(alphabet="重庆市长江大桥由王明设计，。、《》“” ab1234年", max_size=60),
    st.text(alphabet="谁什么哪座城市长江大桥设计年？", min_size=1, max_size=15),
)
def test_a_span_is_a_run_of_whole_words_within_a_clause(sentence, question):
    words = TOKENIZER.words(sentence)
    assert "".join(words) == sentence
    edges = {0}
    for word in words:
        edges.add(max(edges) + len(word))
    asked = Asked.of(analyse(question, fold, "zh"), TOKENIZER.words, "zh")
    for span, names in candidates(asked, sentence, TOKENIZER.words):
        text = span.of(sentence)
        assert {span.start, span.end} <= edges
        assert text == text.strip()
        assert not set("，。") & set(text)
        assert len(text) <= MOST_CHARACTERS
        assert len([w for w in TOKENIZER.words(text) if w.strip()]) <= 2 * LONGEST
        assert names


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80), st.text(min_size=1, max_size=20))
def test_any_text_has_a_most_likely_span_or_none(sentence, question):
    analysis = analyse(question, fold, "zh")
    found = best_span(analysis, sentence, fold(sentence), TOKENIZER.words)
    if found is not None:
        assert 0 < found.probability <= 1
        assert 0 <= found.span.start < found.span.end <= len(sentence)


def test_the_weights_are_of_features_that_spans_can_have():
    text = resources.files("rag").joinpath("span_weights.json").read_text(encoding="utf-8")
    tables = json.loads(text)
    assert tables.keys() == {"zh-zh", "en-en", "zh-en", "en-zh"}
    for languages, table in tables.items():
        assert "any" in table, languages
        assert {"in:all", "in:none"} <= table["any"].keys()


def features(question, sentence, text):
    analysis = analyse(question, fold, "en")
    asked = Asked.of(analysis, TOKENIZER.words, "en")
    found = candidates(asked, sentence, TOKENIZER.words)
    return next(names for span, names in found if span.of(sentence) == text)


def test_an_english_name_is_a_whole_run_of_capitals():
    asked = "Who opened the harbour?"
    sentence = "Later the harbour was opened by Anna Maria Lind, the mayor."
    assert "capitals:whole" in features(asked, sentence, "Anna Maria Lind")
    assert "capitals:part" in features(asked, sentence, "Maria Lind")
    assert "capitals:first" in features(asked, sentence, "Later")
    assert not [n for n in features(asked, sentence, "mayor") if n.startswith("capitals")]
    found = best_span(analyse(asked, fold, "en"), sentence, fold(sentence), TOKENIZER.words)
    assert found.span.of(sentence) == "Anna Maria Lind"


def test_forms_of_an_english_word_are_said_by_the_question():
    names = features("Who builds bridges?", "A guild had built or repaired the bridge.", "guild")
    assert "in:none" in names
    assert "in:all" in features("Which bridges?", "They crossed a bridge.", "bridge")
