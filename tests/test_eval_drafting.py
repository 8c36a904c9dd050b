"""Drafts of questions: clozes by hand, what a model may write, how the evaluation reads them."""

from __future__ import annotations

import json

import pytest
from eval_runs import TEXT
from hypothesis import given
from hypothesis import strategies as st
from scripted_llm import ScriptedModel

from eval.__main__ import app
from eval.cloze import LONGEST, clozes
from eval.drafting import by_model, make
from eval.sources import load
from rag.errors import HomeUnusable
from rag.generate import GenerationFailed

PAGE = """---
title: 实验室
authors: [邹霞]
---

全市布局建设四大重庆实验室，到2024年已经建成17个市级技术创新中心，研发投入强度达到2.5%左右，比上年有所提高。

2010年6月18日，重庆两江新区挂牌成立，这是中国内陆第一个国家级开发开放新区，此后十年里，工厂一家接一家地在这里落户生根。
"""


def asked(text, language="zh"):
    return [(c.question, c.answers) for c in clozes(text, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, [("全市建成多少个市级技术创新中心？", ("17个", "17"))]),
        (
            "红岩村站是换乘站，埋深116米，很深。",
            [("红岩村站是换乘站，埋深多少米？", ("116米", "116"))],
        ),
        (
            "郑渝高速铁路全长1,292公里，投资超过4200亿美元。",
            [
                ("郑渝高速铁路全长多少公里？", ("1,292公里", "1,292")),
                ("郑渝高速铁路全长1,292公里，投资超过多少美元？", ("4200亿美元", "4200亿")),
            ],
        ),
        ("2005年6月18日，轨道交通2号线正式开通。", []),  # the date's own clause asks nothing
        (
            "轨道交通2号线于2005年6月18日正式开通。",
            [
                ("轨道交通2号线于哪一天正式开通？", ("2005年6月18日",)),
            ],
        ),
        ("全社会研发投入强度达到2.5%左右。", [("全社会研发投入强度达到百分之几左右？", ("2.5%",))]),
        ("其中新能源汽车产量达到36.52万辆。", []),  # points back
        ("重庆有17个中心，成都也有17个中心。", []),  # the fact stands there twice
        ("共17个。", []),  # nothing is left to ask by
        ("他说：“全市共建成17个中心，还要再建。”", []),  # a quotation torn apart
        ("20世纪90年代以来，这里变化很大很大。", []),
    ],
)
def test_chinese_clozes(text, expected):
    assert asked(text) == expected


def test_english_clozes():
    text = "Chongqing built 953,200 vehicles in 2024, up 90.5 per cent. It grew by 7 points."
    assert asked(text, "en") == [
        (
            "Fill the gap: Chongqing built ____ vehicles in 2024, up 90.5 per cent.",
            ("953,200",),
        ),
        (
            "Fill the gap: Chongqing built 953,200 vehicles in ____, up 90.5 per cent.",
            ("2024",),
        ),
        (
            "Fill the gap: Chongqing built 953,200 vehicles in 2024, up ____ per cent.",
            ("90.5",),
        ),
    ]


@given(st.text(alphabet="甲乙丙年月日个万。，；“”%0123456789 ", max_size=80))
def test_a_cloze_quotes_its_paragraph_and_does_not_give_the_answer_away(text):
    for found in clozes(text, "zh"):
        assert text[found.start : found.start + len(found.quote)] == found.quote
        assert all(answer in found.quote for answer in found.answers)
        assert found.answers[0] not in found.question
        assert len(found.question) <= LONGEST["zh"]


@pytest.fixture
def home(tmp_path, pipeline):
    page = tmp_path / "a.md"
    page.write_text(PAGE, encoding="utf-8")
    assert pipeline.add([page])[0].outcome == "added"
    return pipeline.config.home


def test_drafts_are_read_by_the_evaluation(home, tmp_path, capsys):
    first, again = make(home, 10), make(home, 10)
    assert first == again
    (line,) = first.lines  # the other paragraph's date asks nothing
    assert line["draft"] is True
    assert line["made_by"] == "cloze"
    out = tmp_path / "drafts.jsonl"
    arguments = ["make-questions", "--home", str(home), "--count", "1", "--out", str(out)]
    app(arguments, standalone_mode=False)
    assert "1 drafts, none of them checked" in capsys.readouterr().err
    found = load(out).cases
    assert found.notices == ("1 questions are drafts that nobody has checked.",)
    assert json.loads(out.read_text(encoding="utf-8")) == line


class Says:
    name = "m"

    def __init__(self, said):
        self.said = said

    def generate(self, messages, *, tokens, until):
        if isinstance(self.said, Exception):
            raise self.said
        yield self.said

    def close(self):
        pass


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (
            '<think>{}</think>好：{"question": "两江新区哪天成立？", "answer": "2010年6月18日"}',
            None,
        ),
        ('{"question": "两江新区哪天成立？", "answer": "2010年6月"}', None),
        ('{"question": "两江新区哪天成立？", "answer": "2011年"}', "not in the paragraph"),
        (
            '{"question": "2010年6月18日成立了什么？", "answer": "2010年6月18日"}',
            "gives the answer",
        ),
        ('{"question": "谁？", "answer": "重庆"}', "too short"),
        ('{"question": 3, "answer": "重庆"}', "no question and answer"),
        ("两江新区哪天成立？", "no JSON object"),
        ("{两江新区}", "no JSON object"),
        (GenerationFailed("slow"), "failed (slow)"),
    ],
)
def test_what_a_model_writes_is_checked(home, pipeline, said, result):
    (article,) = pipeline.corpus.listing()[0]
    made = by_model(article, 1, Says(said))
    if result is not None:
        assert isinstance(made, str)
        assert result in made
        return
    assert made["question"] == "两江新区哪天成立？"
    assert made["evidence"][0]["paragraph"] == 1
    assert made["evidence"][0]["quote"].startswith("2010年6月18日，重庆两江新区挂牌成立")
    assert made["made_by"] == "m"


def test_a_model_on_a_server(home, tmp_path, capsys):
    good = '{"question": "讲的是哪座城市的事？", "answer": "重庆"}'
    with ScriptedModel(["no"], [good]) as server:
        options = ["--llm-url", server.base_url, "--llm-model", "m"]
        app(["make-questions", "--home", str(home), *options], standalone_mode=False)
        told = capsys.readouterr()
    (line,) = [json.loads(line) for line in told.out.splitlines()]
    assert (line["answers"], line["made_by"]) == (["重庆"], "m")
    assert "1 drafts, none of them checked\neval: not used, 1 times: no JSON object" in told.err
    sent = [request["messages"][1]["content"] for request in server.requests]
    assert sorted(sent) == sorted(PAGE.strip().split("\n\n")[1:])


def test_no_archive(tmp_path):
    with pytest.raises(HomeUnusable, match="it holds no archive"):
        make(tmp_path, 1)
