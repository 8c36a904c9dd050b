"""Sentences of Chinese, English and mixed text; languages and scripts."""

from __future__ import annotations

import lzma
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.language import is_traditional, language_of
from rag.sentences import split_sentences

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def sentences(text: str, **options: bool) -> list[str]:
    return [span.of(text) for span in split_sentences(text, **options)]


# Each case is written with | where a sentence must end, and nowhere else.
CHINESE = [
    "今天很好。|明天更好！|真的吗？|真的。",
    "他说：“今天很好。明天更好。”|他走了。",
    "“重庆真好！”他说。|“我喜欢这里。”她道。",
    "“今天是好日子。”王先生在现场告诉记者。|下一句。",
    "他高呼“加油！”然后走了。|她没有。",
    "他问：“好吗？”|没有人答。",
    "重庆市长说：“要把‘双城记’唱好！”|会议还指出，要加快。",
    "「真的嗎？」他問。|「是的。」|大家都笑了。",
    "真的吗？！|是的……我走了。",
    "他慢慢走远了……|我留在原地。",
    "甲、乙……等都来了。|我……我不知道。",
    "《你好，李焕英！》上映了。|票房很高。",
    "产量增长3.5%，达到1.2万辆。|出口增长。",
    "正文。|(本报记者摄。)|下一句（注：昨天。）继续。",
    "一要加快；二要提速；三要增效。|完毕。",
    "标题没有句号\n|正文开始。\n\u3000\u3000|第二段。",
    "1. 第一点。|2. 第二点。",
    "GDP增长3.5%.|重庆领先.|完.",
    "他说：“好。",
    "会议强调，“要坚持创新。”|与会者表示赞同。",
]

ENGLISH = [
    "Mr. Smith paid $3.5 million to Acme Inc. in Jan. 2024. |The firm agreed.",
    "He came from the U.S. in May. |She left the U.S. The rest stayed.".replace(
        "U.S. The", "U.S. |The"
    ),
    'The mayor said, "We are done." |He left at 5 p.m. on Monday.',
    '"Why?" he asked. |"Go!" |She went.',
    "J. K. Rowling wrote it. |No. 5 is alive. |He said no. |Then he went.",
    "Visit www.a.com or https://a.b/c?x=1. |Mail a.b@c.com. |Done!",
    "See e.g. this one, i.e. that. |He slept... |Then he woke.",
    "1. First item. |2. Second item.",
    "So did I. |Then we left.",
    "Growth was 5.3 percent. |It rose (by a lot. Really.) in March. |End",
    "Dr. Wang of Univ. Hospital met Gov. Lee on Sept. 3. |They talked.",
    "They sell tools, books, etc. |The shop is open. |Prices vary.",
    "Yahoo! said it would. |What now? |nothing".replace("|nothing", "nothing"),
]

MIXED = [
    "他说“OK.”然后走了。|The end. |谢谢！",
    "重庆（Chongqing, pop. 32 million）很大。|It is big.",
    "iPhone 15发布了。|Version 2.0 is out. |价格为5,999元。",
]


@pytest.mark.parametrize("marked", CHINESE + ENGLISH + MIXED)
def test_sentences_end_where_marked_and_nowhere_else(marked):
    assert sentences(marked.replace("|", "")) == marked.split("|")


def test_semicolons_end_sentences_only_when_asked():
    text = "一要加快；二要提速；“三要；增效”。"
    assert sentences(text) == [text]
    assert sentences(text, semicolons=True) == ["一要加快；", "二要提速；", "“三要；增效”。"]


def test_a_long_quotation_is_cut_inside():
    text = "他说：“" + "今天的天气很好。" * 40 + "”"
    parts = sentences(text)
    assert len(parts) == 40
    assert parts[1] == "今天的天气很好。"
    assert parts[-1] == "今天的天气很好。”"


def test_an_open_quotation_shelters_nothing():
    assert sentences("“甲说得对。乙说得错。") == ["“甲说得对。", "乙说得错。"]


def test_no_text_has_no_sentence_and_blanks_have_one():
    assert split_sentences("") == []
    assert sentences("  \t") == ["  \t"]


@settings(deadline=None, max_examples=400)
@given(
    st.text(st.sampled_from("天地AbI. 。！？…“”‘’（）()\"'；;\n3,，、《》🙂\u0301Mr"), max_size=120)
    | st.text(max_size=120)
)
def test_sentences_tile_the_text(text):
    for semicolons in (False, True):
        spans = split_sentences(text, semicolons=semicolons)
        assert "".join(span.of(text) for span in spans) == text
        assert all(a.end == b.start for a, b in pairwise(spans))
        assert all(len(span) for span in spans)
        assert not any(span.of(text)[0].isspace() for span in spans[1:])


@pytest.mark.parametrize(
    "unit",
    ["。", "(", '"', "“", "“。", "(。", "a. ", "……", "\n", "'", "(a. )", "“。”", "；", "A.",
     " ", "1. ", "”", "…a", '"a. ', "《。", "。'"],
)  # fmt: skip
def test_hostile_text_takes_linear_time(unit):
    began = time.process_time()
    length = 1_000_000 if len(unit) == 1 else 150_000
    split_sentences(unit * (length // len(unit)), semicolons=True)
    assert time.process_time() - began < 40  # a few seconds on an idle machine


def test_real_news_gives_sentences_of_sane_length():
    path = DATA / "news-zh.txt.xz"
    if not path.exists():
        pytest.skip(f"no {path.name} beside the repository")
    lengths = []
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for _, line in zip(range(300), file, strict=False):
            spans = split_sentences(line.strip())
            assert "".join(span.of(line.strip()) for span in spans) == line.strip()
            lengths += [len(span) for span in spans]
    lengths.sort()
    assert 25 <= lengths[len(lengths) // 2] <= 70
    assert lengths[int(len(lengths) * 0.99)] < 400


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("重庆正在布局建设哪四大实验室？", "zh"),
        ("老舊小區改造的文章是誰寫的", "zh"),
        ("How many municipal technology innovation centres are planned?", "en"),
        ("What does 新质生产力 mean?", "en"),
        ("How many districts are in 重庆市渝中区和江北区?", "en"),
        ("ChatGPT是什么", "zh"),
        ("《The Lord of the Rings》的作者是谁", "zh"),
        ("Apple发布iPhone", "zh"),
        ("重庆 GDP 2023", "zh"),
        ("33618？", "zh"),
        ("", "zh"),
        ("OK", "en"),
        ("The plan of Chongqing (重庆) names twelve projects. " * 20, "en"),
        ("重庆的 Smart City 项目由 Huawei 与 Tencent 承建。" * 20, "zh"),
    ],
)
def test_language(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "traditional"),
    [("臺灣", True), ("老舊小區改造的文章是誰寫的", True), ("重庆市的实验室", False),
     ("中山", False), ("", False), ("English", False)],
)  # fmt: skip
def test_script(text, traditional):
    assert is_traditional(text) is traditional
