"""Question sets: what is read, and what hostile files are told."""

from __future__ import annotations

import json

import pytest

from eval.cases import Head, Proof, load_cases
from eval.datasets import case_of, crossed, load_squad, sample
from eval.errors import BadSet
from eval.gold import load_gold

GOLD = [
    {
        "id": "A",
        "title": "题",
        "authors": ["张三"],
        "affiliations": ["某校"],
        "paragraphs": ["第一段。", "全市建成 17 个中心。"],
    }
]


def line(**changes):
    base = {
        "id": "q1",
        "question": "建成多少个？",
        "language": "zh",
        "type": "factoid",
        "answers": ["17个"],
        "article": "A",
        "evidence": [{"article": "A", "paragraph": 1, "quote": "建成17个中心"}],
    }
    return {k: v for k, v in (base | changes).items() if v is not ...}


def unanswerable(**changes):
    return line(
        **({"type": "unanswerable", "answers": [], "article": [], "evidence": []} | changes)
    )


def written(tmp_path, *lines, gold=None):
    path = tmp_path / "set.jsonl"
    rows = [x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in lines]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    if gold is not None:
        (tmp_path / "articles.json").write_text(json.dumps(gold), encoding="utf-8")
    return path


def test_a_good_set(tmp_path):
    path = written(
        tmp_path,
        line(joint=True, style="keyword", note="x"),
        "",
        unanswerable(id="q2"),
        line(
            id="q3",
            type="list",
            must_include=["甲", "乙"],
            must_include_variants=[["甲", "甲方"], ["乙"]],
            meta_evidence=[{"article": "A", "field": "byline"}],
        ),
        gold=GOLD,
    )
    found = load_cases(path)
    assert [c.id for c in found.cases] == ["q1", "q2", "q3"]
    assert found.cases[0].evidence == (Proof("A", 1, "建成17个中心"),)
    assert found.cases[0].joint
    assert found.cases[0].articles == ("A",)
    assert not found.cases[1].answerable
    assert found.cases[1].line == 3
    assert found.cases[2].items == (("甲", "甲方"), ("乙",))
    assert found.cases[2].heads == (Head("A", "byline"),)
    assert found.gold["A"].authors == ("张三",)
    assert found.ignored == ("note", "style")
    assert found.name == "set.jsonl"
    assert len(found.digest) == 64


def test_items_without_variants_are_their_own(tmp_path):
    path = written(tmp_path, line(must_include=["甲", "乙"]))
    assert load_cases(path).cases[0].items == (("甲",), ("乙",))


def test_no_gold_file_is_fine_and_another_can_be_named(tmp_path):
    path = written(tmp_path, line())
    assert load_cases(path).gold == {}
    other = tmp_path / "gold.json"
    other.write_text(json.dumps(GOLD), encoding="utf-8")
    assert list(load_cases(path, other).gold) == ["A"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "it holds no questions"),
        (["{"], "line 1: it is not JSON"),
        (["[]"], "line 1: it is not a JSON object"),
        ([line(), line(id="q2", question=7)], "line 2: question must be a text"),
        ([line(), line()], "line 2: the id 'q1' was used in line 1 already"),
        ([line(id="")], "line 1: id must be a text that is not empty"),
        ([line(question=...)], "question must be a text that is not empty, not missing"),
        ([line(language="fr")], "language must be one of zh, zh-Hant, en, not 'fr'"),
        ([line(answers="17")], "answers must be a list of texts"),
        ([line(answers=[17])], "answers must be a list of texts"),
        ([line(answers=["……"])], "the answer '……' has no letter or digit"),
        ([line(answers=[])], "needs answers or must_include"),
        ([line(article=[])], "needs an article"),
        ([line(article=3)], "article must be a list of texts"),
        ([line(evidence=[])], "needs evidence"),
        ([line(evidence=["x"])], "evidence must be a list of objects"),
        ([line(evidence=[{"article": "A", "paragraph": -1, "quote": "x"}])], "paragraph must be"),
        ([line(evidence=[{"article": "A", "paragraph": True, "quote": "x"}])], "paragraph must be"),
        (
            [line(evidence=[{"article": "B", "paragraph": 0, "quote": "x"}])],
            "names the article 'B'",
        ),
        ([line(must_include=["甲"], must_include_variants=[])], "a list for each of must_include"),
        ([line(must_include=["甲"], must_include_variants=["甲"])], "an entry of must_include_v"),
        ([line(meta_evidence=[{"article": "A", "field": "x"}])], "field must be one of title"),
        ([line(joint="yes")], "joint must be true or false"),
        ([unanswerable(answers=["17"])], "an unanswerable question has no answers"),
        (["{", "{", "{"], "line 1: it is not JSON (Expecting"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message):
    with pytest.raises(BadSet) as caught:
        load_cases(written(tmp_path, *lines))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_how_many_more_lines_are_wrong_is_told(tmp_path):
    with pytest.raises(BadSet, match=r"line 1.*\(and 2 more\)"):
        load_cases(written(tmp_path, "{", "{", "{", line()))


def test_other_encodings_and_missing_files_are_told(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_bytes('{"id": "题"}'.encode("gb18030"))
    with pytest.raises(BadSet, match="line 1: it is not UTF-8"):
        load_cases(path)
    with pytest.raises(BadSet, match="it cannot be read"):
        load_cases(tmp_path / "nowhere.jsonl")
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line()).encode())
    assert load_cases(path).cases[0].id == "q1"


def test_evidence_must_stand_in_the_gold_article(tmp_path):
    wrong = {"article": "A", "paragraph": 0, "quote": "建成17个中心"}
    with pytest.raises(BadSet, match="does not stand in paragraph 0"):
        load_cases(written(tmp_path, line(evidence=[wrong]), gold=GOLD))
    beyond = {"article": "A", "paragraph": 9, "quote": "建成17个中心"}
    with pytest.raises(BadSet, match="does not stand in paragraph 9"):
        load_cases(written(tmp_path, line(evidence=[beyond]), gold=GOLD))
    named = line(article="Z", evidence=[{"article": "Z", "paragraph": 0, "quote": "x"}])
    with pytest.raises(BadSet, match="the gold articles hold no 'Z'"):
        load_cases(written(tmp_path, named, gold=GOLD))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "not a JSON list"),
        ([3], "article 1: it is not an object"),
        ([{"id": "A", "paragraphs": []}], "article 1: paragraphs must not be empty"),
        ([GOLD[0], GOLD[0]], "article 2: the id 'A' was used before"),
        ([GOLD[0] | {"title": 3}], "article 1: title must be a text or null"),
    ],
)
def test_wrong_gold_articles_are_told(tmp_path, value, message):
    path = tmp_path / "gold.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(BadSet, match=message):
        load_gold(path)


def squad(tmp_path, name="set.json", paragraphs=("甲文。",), **question):
    asked = {
        "id": "1",
        "question": "谁？",
        "answers": [{"text": "甲", "answer_start": 0}],
    } | question
    entry = [
        {"context": text, "qas": [asked | {"id": f"{asked['id']}.{i}"}]}
        for i, text in enumerate(paragraphs)
    ]
    path = tmp_path / name
    value = {"data": [{"title": "T", "paragraphs": entry}]}
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_squad_format(tmp_path):
    found = load_squad(squad(tmp_path, paragraphs=("甲文。", "乙文。")))
    assert found.articles[0].title == "T"
    assert found.articles[0].paragraphs == ("甲文。", "乙文。")
    assert [q.paragraph for q in found.questions] == ["甲文。", "乙文。"]
    assert found.questions[0].answers == ("甲",)
    case = case_of(found.questions[0], "p")
    assert (case.language, case.type, case.evidence) == (
        "zh",
        "factoid",
        (Proof("p", 0, "甲文。"),),
    )


def test_unanswerable_squad_questions(tmp_path):
    plausible = squad(tmp_path, is_impossible=True, answers=[{"text": "甲"}])
    question = load_squad(plausible).questions[0]
    assert question.answers == ()
    assert not case_of(question, "p").answerable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "not in SQuAD's format"),
        ("{}", "it holds no questions"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', r"data\[0\].paragraphs\[0\]: context"),
        (
            '{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "1", "question": "y"}]}]}]}',
            r"data\[0\].paragraphs\[0\].qas\[0\]: .* needs answers",
        ),
        (
            '{"data": [{"paragraphs": [{"context": "x", "qas": ['
            '{"id": "1", "question": "y", "is_impossible": true},'
            '{"id": "1", "question": "z", "is_impossible": true}]}]}]}',
            r"qas\[1\]: the id '1' was used before",
        ),
    ],
)
def test_wrong_squad_files_are_told(tmp_path, text, message):
    path = tmp_path / "set.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSet, match=message):
        load_squad(path)


def test_an_empty_question_is_kept(tmp_path):
    assert load_squad(squad(tmp_path, question="")).questions[0].question == ""


def test_crossing_by_shared_ids(tmp_path):
    zh = load_squad(squad(tmp_path, "zh.json", ("甲文。", "乙文。")))
    en = load_squad(
        squad(tmp_path, "en.json", ("Text A.",), question="Who?", answers=[{"text": "A"}])
    )
    both = crossed(en, zh)
    assert [(q.id, q.question, q.answers, q.paragraph) for q in both.questions] == [
        ("1.0", "Who?", ("A", "甲"), "甲文。")
    ]
    assert both.articles == zh.articles
    other = load_squad(squad(tmp_path, "other.json", id="9"))
    assert crossed(other, zh).questions == ()


def test_a_sample_is_the_same_every_time_and_in_order(tmp_path):
    questions = load_squad(squad(tmp_path, paragraphs=[f"文{i}。" for i in range(50)])).questions
    first = sample(questions, 10)
    assert first == sample(questions, 10)
    assert len(first) == 10
    assert list(first) == [q for q in questions if q in first]
    assert sample(questions, None) == questions
    assert sample(questions, 99) == questions
