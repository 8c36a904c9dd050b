"""Articles to passages: tiling, limits, balance."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.chunk import encoder_text, passages
from rag.types import Article, Block, BlockKind, Span


def article(*blocks: str | tuple[BlockKind, str], **fields: str) -> Article:
    pairs = [(BlockKind.BODY, b) if isinstance(b, str) else b for b in blocks]
    placed, at = [], 0
    for kind, text in pairs:
        placed.append(Block(kind, Span(at, at + len(text))))
        at += len(text) + 2
    return Article("0123456789abcdef", "\n\n".join(t for _, t in pairs), tuple(placed), **fields)


def count(texts: Sequence[str]) -> list[int]:
    """Like a subword tokenizer: two per long Latin word, one per other character, none for ''."""
    word = re.compile(r"[A-Za-z]{1,6}|\S")
    return [len(word.findall(text)) for text in texts]


def texts(found) -> list[str]:
    return [passage.text for passage in found]


def test_a_paragraph_that_fits_is_one_passage_and_only_paragraphs_are():
    made = article(
        (BlockKind.TITLE, "标题"),
        (BlockKind.BYLINE, "□张三"),
        "第一段。还有一句。",
        (BlockKind.HEADING, "小标题"),
        "第二段。",
        (BlockKind.CAPTION, "图为现场。"),
        (BlockKind.AFFILIATION, "（作者单位：某大学）"),
        title="标题",
        section="理论",
    )
    found = passages(made, count, 60)
    assert [(p.id, p.article_id, p.paragraph, p.text) for p in found] == [
        ("0123456789abcdef-0.0", "0123456789abcdef", 0, "第一段。还有一句。"),
        ("0123456789abcdef-1.0", "0123456789abcdef", 1, "第二段。"),
    ]
    assert all(p.span.of(made.text) == p.text for p in found)


def test_the_encoder_is_given_the_title_and_section_too():
    made = article("正文。", title="标题", section="理论")
    (passage,) = passages(made, count, 60)
    assert encoder_text(made, passage) == "标题。理论。正文。"
    assert encoder_text(article("正文。"), passage) == "正文。"
    asked = article("正文。", title="怎么  办？")
    assert encoder_text(asked, passage) == "怎么 办？正文。"
    english = article("Text.", title="A plan", section="City", language="en")
    assert encoder_text(english, passages(english, count, 60)[0]) == "A plan. City. Text."
    long = article("正文。", title="长" * 400)
    assert len(encoder_text(long, passage)) < 110


def test_long_paragraphs_are_cut_at_sentence_ends_into_even_parts():
    made = article("今天天气很好。" * 20)
    found = passages(made, count, 60)
    assert texts(found) == [
        "今天天气很好。" * 7,
        "今天天气很好。" * 7,
        "今天天气很好。" * 6,
    ] or sorted(len(t) for t in texts(found)) == [42, 49, 49]
    assert all(t.endswith("。") for t in texts(found))
    assert [p.id.rpartition("-")[2] for p in found] == ["0.0", "0.1", "0.2"]


def test_no_short_tail_is_left():
    sentences = ["句" * 29 + "。"] * 2 + ["尾巴。"]
    assert texts(passages(article("".join(sentences)), count, 60)) == [
        sentences[0],
        sentences[1] + sentences[2],
    ]


def test_a_sentence_that_is_too_long_is_cut_at_clause_marks():
    found = texts(passages(article("一二三四五，" * 30), count, 50))
    assert all(t.endswith("，") for t in found)
    assert all(len(t) <= 50 for t in found)
    assert max(map(len, found)) - min(map(len, found)) <= 6


def test_numbers_are_not_cut_at_their_commas():
    found = texts(passages(article("共1,234,567元" * 12), count, 40))
    assert all(not re.search(r"\d,$", t) for t in found)


def test_a_run_without_marks_is_cut_between_characters_into_full_parts():
    found = texts(passages(article("我们" * 300), count, 64))
    assert len(found) <= 12
    assert min(map(len, found)) >= 40


@pytest.mark.parametrize("unit", ["👨‍👩‍👧", "e\u0301", "🇨🇳", "👍🏽", "各\U000e0100"])
def test_what_is_seen_as_one_character_is_not_parted(unit):
    found = texts(passages(article(unit * 60), lambda ts: [len(t) for t in ts], 17))
    assert "".join(found) == unit * 60
    assert all(len(t) % len(unit) == 0 for t in found)


def test_a_limit_without_room_is_refused():
    with pytest.raises(ValueError, match="too few"):
        passages(article("正文。", title="标题" * 20), count, 50)
    with pytest.raises(ValueError, match="one character alone"):
        passages(article("正" * 5), lambda ts: [100 * len(t) for t in ts], 50)


BODY = st.text(
    st.sampled_from("天地玄黄，。！？；“”（）ab cd. 3,4\n🙂👍🏽👨\u200d👩\u0301é🇨🇳𠀀"), max_size=400
)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(BODY, max_size=4),
    st.text("标题天地", max_size=12),
    st.integers(30, 120),
    st.sampled_from([count, lambda ts: [len(t.encode()) // 2 for t in ts]]),
)
def test_passages_tile_their_paragraphs_within_the_limit(bodies, title, limit, counter):
    made = article(*bodies, title=title or None)
    if limit - counter([title + "。"])[0] < 16:
        return
    found = passages(made, counter, limit)
    assert len({p.id for p in found}) == len(found)
    for number, body in enumerate(bodies):
        own = [p for p in found if p.paragraph == number]
        assert "".join(p.text for p in own) == body
        assert [p.span.start for p in own][:1] in ([], [made.paragraphs[number].span.start])
    for passage in found:
        assert passage.text == passage.span.of(made.text)
        assert passage.text
        assert counter([encoder_text(made, passage)])[0] <= limit


@pytest.mark.parametrize("unit", ["。a", "a", "，", "a b ", "字", "\u0301", "👨‍👩‍👧", "“"])
def test_hostile_paragraphs_take_bounded_time(unit):
    body = unit * (60_000 // len(unit))
    began = time.process_time()
    found = passages(article(body, title="t"), lambda ts: [len(t) for t in ts], 508)
    assert time.process_time() - began < 60
    assert "".join(texts(found)) == body
    assert max(len(p.text) for p in found) <= 506
