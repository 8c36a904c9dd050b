"""`rag.reader`: the numbers against torch, places in the text, and what it reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.datasets import SquadArticle, SquadQuestion, SquadSet
from eval.fit_reader import Example, Row, examples
from eval.fit_reader import row as row_of
from index.encode import BundledEncoder, Tokens, load_encoder
from index.tokens import Tokenizer, fold
from rag.overlap import Overlap
from rag.question import analyse
from rag.reader import Reader, Reading, as_input, forward, joined, weights
from rag.relevance import FEATURES, Candidate, Ranking
from rag.select import ACROSS, MOST_TOLD, read_across
from rag.select import READ as READ_MOST
from rag.short_answer import _closed, short_answer
from rag.span_features import Asked, candidates
from rag.types import Article, Evidence, Passage, Span

TOKENIZER = Tokenizer()
EXAMPLE = Example("own", False, "谁浇水？", "林知远浇水。", "near")


@pytest.fixture(scope="module")
def encoder(models: Path) -> BundledEncoder:
    encoder = load_encoder(cache_dir=models)
    assert isinstance(encoder, BundledEncoder)
    return encoder


def given_tokens(count: int, seed: int = 0) -> Tokens:
    """Tokens of two characters each."""
    draw = np.random.default_rng(seed)
    places = np.arange(count, dtype=np.int32)
    spans = np.stack([2 * places, 2 * places + 2], axis=1)
    spans[0] = spans[-1] = 0
    ids = draw.integers(0, 9, count)
    return Tokens(ids, spans, draw.normal(size=(count, 3, 384)).astype(np.float32))


@pytest.mark.parametrize(("count", "asked"), [(3, 1), (9, 4), (60, 20)])
def test_the_numbers_are_those_of_torch(count: int, asked: int) -> None:
    import torch

    from eval.reader_net import Net, batched

    table = {name: torch.from_numpy(value) for name, value in weights().items()}
    net = Net(table["inward.weight"].shape[1])
    net.load_state_dict(table)  # neither lacks a weight nor has one too many
    net.eval()
    taken = as_input(given_tokens(count), 2 * asked)
    other = as_input(given_tokens(count + 7, seed=1), 2 * asked)  # beside it, padded
    rows = [Row(EXAMPLE, one, ()) for one in (taken, other)]
    with torch.no_grad():
        spans, pairs = net(batched(rows))
    answers, starts, ends = forward(taken, weights())
    size = len(taken.place)
    assert answers == pytest.approx(pairs[0].item(), abs=1e-4)
    np.testing.assert_allclose(starts, spans[0, :size, 0].numpy(), atol=1e-4)
    np.testing.assert_allclose(ends, spans[0, :size, 1].numpy(), atol=1e-4)


def test_a_token_of_the_sentence_that_the_question_has_is_a_match() -> None:
    ids = np.array([0, 5, 6, 7, 6, 8, 2])
    spans = np.array([[0, 0], [0, 2], [2, 4], [4, 6], [6, 7], [7, 9], [0, 0]], np.int32)
    taken = as_input(Tokens(ids, spans, np.zeros((7, 3, 4), np.float32)), 4)
    assert taken.place.tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert taken.match.tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert taken.spans[taken.within].tolist() == [[0, 2], [2, 3], [3, 5]]


@pytest.mark.model
@settings(deadline=None, max_examples=40)
@given(
    st.text(alphabet="谁什么城市Who is重庆？ ", min_size=1, max_size=20),
    st.text(alphabet="重庆市长江大桥由王明设计，。Built in 1998“”", min_size=1, max_size=60),
)
def test_the_tokens_tile_the_sentence(
    encoder: BundledEncoder, question: str, sentence: str
) -> None:
    text, begins = joined(question, sentence)
    assert text[begins:] == sentence
    taken = as_input(encoder.tokens(text), begins)
    held = taken.spans[taken.within]
    assert "".join("".join(sentence[a:b] for a, b in held).split()) == "".join(sentence.split())
    assert (held[1:, 0] >= held[:-1, 1]).all()


@pytest.mark.model
def test_a_text_s_vector_is_the_mean_of_its_last_layer(encoder: BundledEncoder) -> None:
    for question in ("长江十年禁渔从什么时候开始？", "Who designed the bridge?"):
        mean = encoder.tokens(f"query: {question}").states[:, -1].mean(axis=0)
        vector = encoder.encode_queries([question])[0]
        np.testing.assert_allclose(mean / np.linalg.norm(mean), vector, atol=1e-5)


def test_spans_are_scored_by_the_tokens_that_hold_their_ends() -> None:
    spans = np.array([[0, 2], [2, 5], [6, 9]], np.int32)
    starts, ends = np.array([-1.0, -2.0, -4.0]), np.array([-8.0, -16.0, -32.0])
    reading = Reading(0.5, spans, starts, ends)
    asked = [Span(0, 2), Span(1, 4), Span(2, 9), Span(5, 9), Span(6, 7), Span(6, 12)]
    assert reading.scores(asked).tolist() == [-9.0, -17.0, -34.0, -36.0, -36.0, -36.0]
    assert Reading(0.5, spans[:0], starts[:0], ends[:0]).scores(asked).tolist() == [0.0] * 6


READ = [
    ("站台的顶棚用的是哪种材料？", "新站台的顶棚改用竹钢，比旧顶棚轻了三成。", "竹钢", "zh"),
    ("谁为图书馆捐出了藏书？", "退休教师郑望川为镇图书馆捐出了四千册藏书。", "郑望川", "zh"),
    ("Which river does the new bridge cross?", "新桥横跨龙溪河，全长六百米。", "龙溪河", "en"),
    (
        "Who repaired the old mill?",
        "The old mill was repaired by the carpenter Tom Hale.",
        "Tom Hale",
        "en",
    ),
    ("哪座城市是公司的总部所在？", "公司生产碗、盘、杯，总部设在杭州市。", "杭州", "zh"),
    ("谁修好了老磨坊？", "The old mill was repaired by the carpenter Tom Hale.", "Tom Hale", "zh"),
]
"""Written for this; the answer stands in what is cut out."""


@pytest.mark.model
@pytest.mark.parametrize(("question", "sentence", "answer", "language"), READ)
def test_it_finds_the_words_that_answer(
    encoder: BundledEncoder, question: str, sentence: str, answer: str, language: str
) -> None:
    analysis, reader = analyse(question, fold, language), Reader(encoder)
    found = short_answer(analysis, [sentence], fold, TOKENIZER.words, reader.asked(question))
    assert found is not None
    assert answer in found.text
    assert len(found.text) <= len(answer) + 12


TELLING = [
    (
        "索道是哪年建成的？",
        "商场在1996年扩建过一次。",
        "这条索道1987年10月建成，全长1166米。",
        "1987年",
    ),
    (
        "When was the lighthouse built?",
        "The harbour was dredged in 1931.",
        "灯塔建于1874年，由港务局管理。",
        "1874年",
    ),
    ("灯塔建于哪年？", "1931年疏浚了港口。", "The lighthouse was built in 1874.", "1874"),
    ("图书馆有多少册藏书？", "图书馆每天接待读者三百人。", "图书馆共有藏书42万册。", "42万册"),
    (
        "How many square kilometres does the reserve cover?",
        "The road to it is 12 kilometres long.",
        "The reserve covers about 22,000 square kilometres.",
        "22,000 square kilometres",
    ),
]
"""Of two sentences with a figure the second one is asked for."""


@pytest.mark.model
@pytest.mark.parametrize(("question", "other", "sentence", "answer"), TELLING)
def test_of_several_figures_that_of_the_sentence_that_answers_is_taken(
    encoder: BundledEncoder, question: str, other: str, sentence: str, answer: str
) -> None:
    analysis = analyse(question, fold, "zh" if "？" in question else "en")
    for told in ([other, sentence], [sentence, other]):
        found = short_answer(analysis, told, fold, TOKENIZER.words, Reader(encoder).asked(question))
        assert found is not None
        assert found.text in (answer, f"about {answer}")


def test_a_number_is_one_word_with_its_commas() -> None:
    sentence = "It covers 1,204,500 hectares, 12, 13 and 11,179公里."
    asked = Asked.of(analyse("How large?", fold, "en"), TOKENIZER.words, "en")
    spans = {span.of(sentence) for span, _ in candidates(asked, sentence, TOKENIZER.words)}
    assert {"1,204,500", "1,204,500 hectares", "11,179公里"} <= spans
    assert not {"1", "204", "500", "500 hectares", "179公里", "12, 13"} & spans


def test_a_quotation_mark_without_its_other_half_is_left_out() -> None:
    cut = [_closed(t) for t in ("教育结构”", "“一杆”", "《条例》第三条", "（试行", "“", "a”b")]
    assert cut == ["教育结构", "“一杆”", "《条例》第三条", "试行", "", "a”b"]


@pytest.mark.model
def test_a_very_long_sentence_is_read_to_where_the_model_ends(encoder: BundledEncoder) -> None:
    sentence = "河边种了一棵树，" * 300 + "最后由林知远浇水。"
    reading = Reader(encoder).read("谁浇水？", sentence)
    assert len(reading.spans) < 512
    far, near = reading.scores([Span(len(sentence) - 5, len(sentence) - 2), Span(0, 4)])
    assert np.isfinite([far, near]).all()
    assert far <= near


@pytest.mark.model
def test_a_question_longer_than_what_is_read_leaves_nothing_of_the_sentence(
    encoder: BundledEncoder,
) -> None:
    question, sentence = "谁？ who? " * 200, "最后由林知远浇水。"
    reading = Reader(encoder).read(question, sentence)
    assert np.isfinite(reading.answers)
    assert len(reading.spans) == 0
    found = short_answer(
        analyse(question, fold, "zh"),
        [sentence],
        fold,
        TOKENIZER.words,
        Reader(encoder).asked(question),
    )
    assert found is None or found.text in sentence


def ranked(scores: list[float]) -> Ranking:
    candidates = tuple(
        Candidate(0, i, Span(0, 1), f"sentence {i}", f"sentence {i}") for i in range(len(scores))
    )
    nothing = np.zeros(len(scores))
    words = Overlap.of([], [c.text for c in candidates])
    features = np.zeros((len(scores), len(FEATURES)))
    return Ranking(candidates, np.array(scores), features, nothing, words)


def in_language(language: str) -> list[Evidence]:
    text = {"zh": "桥由周明远设计。", "en": "The bridge was designed by Anna Lind."}[language]
    passage = Passage("p", "a", 0, Span(0, len(text)), text)
    return [Evidence(passage, Article("a", text, (), language=language), 1, 1.0, {})]


def test_what_is_read_orders_foreign_sentences_and_no_others() -> None:
    told = {f"sentence {i}": value for i, value in enumerate([-9.0, 3.0, -2.0, 0.0, 1.0, 9.0])}
    asked: list[str] = []

    def read(sentence: str) -> Reading:
        asked.append(sentence)
        nothing = np.zeros(0)
        return Reading(told[sentence], np.zeros((0, 2), np.int32), nothing, nothing)

    scores = [5.0, 4.5, 4.0, 3.0, 2.0, 1.0]
    analysis = analyse("Who designed the bridge?", fold, "en")
    assert read_across(analysis, ranked(scores), in_language("en"), read).scores.tolist() == scores
    assert asked == []
    found = read_across(analysis, ranked(scores), in_language("zh"), read)
    assert len(asked) == READ_MOST == 5  # the sixth is not read, and as if it read worst
    expected = [
        5.0 - MOST_TOLD * ACROSS,
        4.5 + 3 * ACROSS,
        4.0 - 2 * ACROSS,
        3.0,
        2.0 + ACROSS,
        1.0 - MOST_TOLD * ACROSS,
    ]
    assert found.scores.tolist() == pytest.approx(expected)
    assert found.best()[0] == 1
    long = ranked(scores)
    long = replace(
        long, candidates=(replace(long.candidates[0], text="long " * 60), *long.candidates[1:])
    )
    asked.clear()
    found = read_across(analysis, long, in_language("zh"), read)
    assert len(asked) == 4
    assert found.scores[0] == 5.0


def test_a_question_reads_a_sentence_once() -> None:
    class Counting:
        calls = 0

        def tokens(self, text: str) -> Tokens:
            self.calls += 1
            return given_tokens(12)

    encoder = Counting()
    read = Reader(encoder).asked("谁设计了桥？")
    assert read("桥由周明远设计。") is read("桥由周明远设计。")
    assert encoder.calls == 1


PARAGRAPHS = (
    "桥由周明远设计。桥长三公里。桥边有一座公园。",
    "集市每周六开放。集市上卖瓷器。",
    "山顶有一座气象站。气象站建于1958年。",
)


@pytest.mark.model
def test_each_question_is_shown_its_sentence_and_others(encoder: BundledEncoder) -> None:
    questions = tuple(
        SquadQuestion(f"q{n}", text, answers, PARAGRAPHS[place])
        for n, (text, answers, place) in enumerate(
            [("桥由谁设计？", ("周明远",), 0), ("集市卖什么？", ("瓷器",), 1), ("谁建的？", (), 2)]
        )
    )
    source = SquadSet("own", "", (SquadArticle("own", PARAGRAPHS),), questions)
    found = list(examples(source, encoder, frozenset({"own"})))
    shown = {(e.kind, e.sentence) for e in found}
    assert {("answer", "桥由周明远设计。"), ("answer", "集市上卖瓷器。")} <= shown
    assert all(e.held_out for e in found)
    for example in found:
        taken = row_of(example, encoder)
        if example.kind == "answer":
            ((first, last),) = taken.right
            cut = example.sentence[taken.given.spans[first, 0] : taken.given.spans[last, 1]]
            assert example.answers[0] in cut
        else:
            assert not taken.right
            assert not any(a in example.sentence for q in questions for a in q.answers)
    assert [e.sentence in PARAGRAPHS[2] for e in found if e.kind == "unanswerable"] == [True]
