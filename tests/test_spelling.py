"""Questions as people type them: other regions' words, pinyin, wrong characters, single ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.tokens import Tokenizer
from rag.pinyin import alike, plain_letters, syllables, words_of
from rag.spelling import MEANT, mended
from rag.terms import plain

TOKENIZER = Tokenizer()
TEXTS = (
    "重庆狮子山的软件公司。",
    "出租车司机都来了。",
    "西部陆海新通道有三条主通道。",
    "The laboratory studies materials.",
    "拱桥和石桥修好了。",
)


class Words:
    """A vocabulary in memory."""

    def __init__(self, *texts):
        self.held = sorted({token for text in texts for token in TOKENIZER.tokens(text)})

    def known(self, tokens):
        return frozenset(tokens) & frozenset(self.held)

    def beginning(self, prefix, shortest, longest):
        sizes = range(shortest, longest + 1)
        return [t for t in self.held if t.startswith(prefix) and len(t.encode()) in sizes]

    def holding(self, part, most):
        return [token for token in self.held if part in token][:most]


WORDS = Words(*TEXTS)


def asked(question):
    terms = plain(question, TOKENIZER.query_tokens)
    return mended(question, terms, WORDS, TOKENIZER.query_tokens)


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("軟體公司", "软件"),
        ("软体公司", "软件"),
        ("計程車", "出租车"),
        ("计程车", "出租车"),
        ("chongqing", "重庆"),
        ("chóngqìng", "重庆"),
        ("ｃｈｏｎｇｑｉｎｇ", "重庆"),
        ("chong qing shizishan", "狮子"),
        ("chongqing shi zi shan", "子山"),
        ("师子山在哪里", "狮子"),
        ("西部路海新通道", "陆海"),
        ("西部绿海新通道", "陆海"),
        ("labortory", "laboratory"),
        ("laboratroy", "laboratory"),
        ("桥", "拱桥"),
    ],
)
def test_what_was_meant_is_looked_for_too(question, meant):
    assert any(term.get(meant) in (1.0, MEANT) for term in asked(question))


@pytest.mark.parametrize(
    "question",
    ["重庆狮子山的软件", "出租车司机", "materials", "西部陆海新通道", "2024年", "？", ""],
)
def test_a_question_in_the_archives_words_stays_as_it_is(question):
    terms = plain(question, TOKENIZER.query_tokens)
    known = [t for t in terms if WORDS.known(t)]
    assert mended(question, terms, WORDS, TOKENIZER.query_tokens)[: len(terms)] == terms
    if known == terms:
        assert asked(question) == terms


def test_a_word_that_nothing_is_like_stays_alone():
    assert asked("xylophone") == [{"xylophone": 1.0}]
    assert asked("的了吗") == [{"的": 1.0}, {"了": 1.0}, {"吗": 1.0}]


def test_pinyin_is_cut_into_syllables():
    assert syllables("chongqing") == ["chong", "qing"]
    assert syllables("chóngqìng") == ["chong", "qing"]
    assert syllables("xian") == ["xian"]
    assert syllables("lǜse") == ["lv", "se"] == syllables("lvse")
    assert syllables("shizishan") == ["shi", "zi", "shan"]
    for word in ("laboratory", "covid", "5g", "重庆", ""):
        assert syllables(word) == []
    assert plain_letters("chóngqìng") == "chongqing"


def test_pairs_that_make_no_whole_are_left_out():
    held = Words("狮子山", "十字", "自删")
    assert words_of(["shi", "zi", "shan"], held) == [["狮子"], ["子山"]]
    assert words_of(["shi", "zi"], held) == [["十字", "狮子"]]
    assert words_of(["shi"], held) == []


def test_characters_that_sound_alike():
    assert "狮" in alike("师")
    assert "师" not in alike("师")
    assert alike("〇") == frozenset() or "零" in alike("〇")


@settings(deadline=None)  # dictionaries are read on the first question
@given(st.text(max_size=40))
def test_any_question_keeps_its_words(question):
    terms = plain(question, TOKENIZER.query_tokens)
    found = mended(question, terms, WORDS, TOKENIZER.query_tokens)
    assert bool(found) == bool(terms)
    assert all(term and all(0 < weight <= 1 for weight in term.values()) for term in found)


def archive_of(pipeline, tmp_path):
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.md").write_text(
            f"---\ntitle: 第{number}篇\n---\n\n{text}\n", "utf-8"
        )
    pipeline.add([tmp_path / f"{number}.md" for number in range(len(TEXTS))])
    return pipeline


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("狮子山", 0),
        ("軟體", 0),
        ("chongqing", 0),
        ("shizishan", 0),
        ("师子山", 0),
        ("計程車", 1),
        ("“西部陆海新通道”", 2),
        ("西部路海新通道", 2),
        ("ＬＡＢＯＲＡＴＯＲＹ", 3),
        ("labortory", 3),
        ("桥", 4),
    ],
)
def test_the_archive_is_found_by_what_was_meant(pipeline, tmp_path, question, first):
    found = archive_of(pipeline, tmp_path).search(question)
    # The stand-in for an encoder knows nothing of meanings, so its vectors do not count here.
    best = max(found, key=lambda e: e.signals.get("lexical", 0.0))
    assert best.signals["lexical"] > 0
    assert best.passage.text == TEXTS[first]


@pytest.mark.parametrize("question", ["的了吗", "什么", "the", "？！", "zzzz", "𠮷"])
def test_a_question_without_words_is_answered_by_vectors_alone(pipeline, tmp_path, question):
    assert archive_of(pipeline, tmp_path).search(question)


def test_the_index_knows_its_words(pipeline, tmp_path):
    snapshot = archive_of(pipeline, tmp_path).snapshot()
    assert snapshot.known(["重庆", "laboratory", "没有", "重庆"]) == {"重庆", "laboratory"}
    assert snapshot.known([]) == frozenset()
    assert snapshot.beginning("labo", 9, 11) == ["laboratory"]
    assert snapshot.beginning("labo", 1, 9) == snapshot.beginning("没", 1, 9) == []
    assert snapshot.beginning("狮", 6, 6) == ["狮子"]
    assert snapshot.holding("桥", 10) == sorted(w for w in Words(*TEXTS).held if "桥" in w)
    assert len(snapshot.holding("桥", 1)) == 1
