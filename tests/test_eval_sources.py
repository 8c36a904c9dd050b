"""Published formats of question sets: what is read of them, and what hostile ones are told."""

from __future__ import annotations

import json

import pytest

from eval.cases import Proof, load_cases
from eval.errors import BadSet
from eval.sources import load
from rag.types import Turn


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def dump_lines(path, *rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def beir(folder, qrels="q1\td1\t2\nq1\td2\t0\nq1\td3\t1\nq2\td2\t0\n", **changes):
    (folder / "qrels").mkdir(parents=True)
    corpus = [
        {"_id": "d1", "title": "Ports", "text": "Guoyuan port opened.\nIt has sixteen berths."},
        {"_id": "d2", "title": "", "text": "Another text."},
        {"_id": "d3", "title": "题", "text": "果园港有十六个泊位。"},
        {"_id": "d4", "title": "empty", "text": ""},
    ]
    queries = [
        {"_id": "q1", "text": "How many berths?"},
        {"_id": "q2", "text": "谁？"},
        {"_id": "q3", "text": "Unjudged"},
    ]
    dump_lines(folder / "corpus.jsonl", *changes.get("corpus", corpus))
    dump_lines(folder / "queries.jsonl", *changes.get("queries", queries))
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + qrels, encoding="utf-8"
    )
    return folder


def test_a_beir_folder(tmp_path):
    found = load(beir(tmp_path / "ports"))
    assert found.cases.name == "ports-test"
    (case,) = found.cases.cases
    assert (case.id, case.type, case.language, case.searched) == ("q1", "search", "en", True)
    assert case.evidence == (
        Proof("d1", 0, "Guoyuan port opened.\nIt has sixteen berths.", 2),
        Proof("d3", 0, "果园港有十六个泊位。", 1),
    )
    assert [(a.title, a.paragraphs) for a in found.articles] == [
        ("Ports", ("Guoyuan port opened.", "It has sixteen berths.")),
        ("", ("Another text.",)),
        ("题", ("果园港有十六个泊位。",)),
    ]
    assert found.cases.notices == (
        "1 empty texts were left out.",
        "2 questions without a relevant text in test.tsv were left out.",
    )
    assert len(found.cases.digest) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qrels": "q9\td1\t1\n"}, "the question 'q9' is not in queries.jsonl"),
        ({"qrels": "q1\td9\t1\n"}, "the text 'd9' is not in corpus.jsonl"),
        ({"qrels": "q1\td1\n"}, "test.tsv: line 2: not a question, a text and a whole grade"),
        ({"qrels": "q1\td1\thigh\n"}, "line 2: not a question"),
        ({"qrels": "q1\td1\t1\nq1\td1\t1\n"}, "line 3: 'd1' is judged twice"),
        ({"qrels": "q1\td1\t0\n"}, "no question has a relevant text"),
        ({"corpus": [{"_id": "d1"}, {"_id": "d1"}]}, "corpus.jsonl: line 2: the id 'd1'"),
        ({"corpus": [{"_id": 1}]}, "corpus.jsonl: line 1: _id must be a text"),
        ({"corpus": [{"_id": "d1", "text": 3}]}, "line 1: text and title must be texts"),
        ({"queries": [{"_id": "q1", "text": " "}]}, "queries.jsonl: line 1: text must be a text"),
    ],
)
def test_a_wrong_beir_folder_is_told(tmp_path, changes, message):
    with pytest.raises(BadSet) as caught:
        load(beir(tmp_path / "set", **changes))
    assert message in str(caught.value)


def test_a_folder_that_is_no_beir_set(tmp_path):
    with pytest.raises(BadSet, match=r"it has no qrels/test.tsv or qrels/dev.tsv"):
        load(tmp_path)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text("head\n", encoding="utf-8")
    with pytest.raises(BadSet, match=r"corpus.jsonl: it cannot be read"):
        load(tmp_path)


def crud_entry(**changes):
    return {
        "ID": "a",
        "event": "e",
        "questions": "港口有几个泊位？",
        "answers": "十六个泊位。",
        "news1": "2023-07-28，果园港\n有十六个泊位。",
        "news2": "另一篇新闻。",
    } | changes


def test_a_crud_rag_file(tmp_path):
    value = {
        "event_summary": [{"text": "x"}],
        "questanswer_1doc": [crud_entry(), crud_entry(questions="", answers="")],
        "questanswer_2docs": [crud_entry()],
    }
    found = load(dump(tmp_path / "split_merged.json", value))
    one, two = found.cases.cases
    assert (one.id, one.type, one.answers) == ("questanswer_1doc.0", "1doc", ("十六个泊位。",))
    assert one.evidence == (Proof("n0", 0, "2023-07-28，果园港\n有十六个泊位。"),)
    assert (two.type, two.articles) == ("2docs", ("n0", "n1"))
    assert found.articles[0].paragraphs == ("2023-07-28，果园港", "有十六个泊位。")
    assert len(found.articles) == 2
    assert found.cases.ignored == ("event_summary",)
    assert found.cases.notices == ("1 entries without question, answer or text were left out.",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"questanswer_1doc": []}, "it holds no questions under questanswer_1doc"),
        ({"questanswer_1doc": "x"}, "questanswer_1doc must be a list of objects"),
        ({"questanswer_1doc": [crud_entry(questions=3)]}, r"questanswer_1doc[0]: questions must"),
        ({"questanswer_2docs": [crud_entry(news2=None)]}, r"questanswer_2docs[0]: news2 must be"),
    ],
)
def test_a_wrong_crud_rag_file_is_told(tmp_path, value, message):
    with pytest.raises(BadSet) as caught:
        load(dump(tmp_path / "crud.json", value))
    assert message in str(caught.value)


def rgb_line(**changes):
    return {
        "id": 0,
        "query": "宣誓和开会各在哪天？",
        "answer": ["1月3日", ["1月12日", "12日"]],
        "positive": [["宣誓在1月3日。"], ["开会在1月12日。", "宣誓在1月3日。"]],
        "negative": ["无关。"],
    } | changes


def test_an_rgb_file(tmp_path):
    second = rgb_line(id=1, answer="70", positive=["共70席。"], negative=[], fakeanswer="170")
    found = load(dump_lines(tmp_path / "zh_int.json", rgb_line(), second))
    one, two = found.cases.cases
    assert (one.id, one.type, one.answers) == ("0", "list", ())
    assert one.items == (("1月3日",), ("1月12日", "12日"))
    assert [e.quote for e in one.evidence] == ["宣誓在1月3日。", "开会在1月12日。"]
    assert (two.type, two.answers, two.items) == ("factoid", ("70",), ())
    texts = [a.paragraphs for a in found.articles]
    assert texts == [("宣誓在1月3日。",), ("开会在1月12日。",), ("无关。",), ("共70席。",)]
    assert found.cases.ignored == ("fakeanswer",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([rgb_line(), rgb_line()], "line 2: the id '0' was used before"),
        ([rgb_line(positive=[])], "line 1: positive holds no text"),
        ([rgb_line(positive=[3])], "line 1: positive must hold texts, not 3"),
        ([rgb_line(answer=[])], "line 1: answer must not be empty"),
        ([rgb_line(answer=["……"])], "line 1: answer must be texts with letters"),
        ([rgb_line(query="")], "line 1: query must be a text"),
    ],
)
def test_a_wrong_rgb_file_is_told(tmp_path, lines, message):
    with pytest.raises(BadSet) as caught:
        load(dump_lines(tmp_path / "zh.json", *lines))
    assert message in str(caught.value)


def test_a_squad_file(tmp_path):
    asked = [
        {"id": "1", "question": "谁？", "answers": [{"text": "甲"}]},
        {"id": "2", "question": "", "is_impossible": True, "answers": []},
    ]
    value = {"data": [{"title": "T", "paragraphs": [{"context": "甲文。", "qas": asked}]}]}
    found = load(dump(tmp_path / "dev.json", value))
    assert [c.type for c in found.cases.cases] == ["factoid", "unanswerable"]
    assert found.cases.cases[0].evidence == (Proof("0.0", 0, "甲文。"),)
    assert found.cases.notices == ("1 questions are empty: they fail.",)
    assert found.as_set().articles[0].title == "T"
    assert found.as_set().name == "dev"


def test_dialogues(tmp_path):
    turn = {"kind": "pronoun", "standalone": "s", "must": [], "must_not": [], "articles": ["a"]}
    turns = [
        {"question": "谁写的？", "answer": "张三。", "articles": ["a"]},
        {"question": "他还写了什么？", "answer": "某文。", "accept": ["某文"], **turn},
        {"question": "何时？", "answer": "没有说。", "accept": [], **turn},
    ]
    path = dump_lines(
        tmp_path / "d.jsonl", {"id": "d1", "split": "tune", "language": "zh", "turns": turns}
    )
    first, second = load(path).cases.cases
    assert (first.id, first.type, first.answers) == ("d1.2", "pronoun", ("某文",))
    assert first.history == (Turn("谁写的？", "张三。"),)
    assert (second.type, len(second.history)) == ("unanswerable", 2)
    assert load(path).articles == ()


def test_history_and_drafts_in_own_lines(tmp_path):
    line = {
        "id": "1",
        "question": "那渔民呢？",
        "language": "zh",
        "type": "factoid",
        "answers": ["10489"],
        "article": "A",
        "evidence": [{"article": "A", "paragraph": 0, "quote": "10489名渔民"}],
        "history": [{"question": "多少渔船？", "answer": "5342艘。"}],
        "draft": True,
    }
    found = load(dump_lines(tmp_path / "set.jsonl", line))
    assert found.cases.cases[0].history == (Turn("多少渔船？", "5342艘。"),)
    assert found.cases.notices == ("1 questions are drafts that nobody has checked.",)
    wrong = dump_lines(tmp_path / "wrong.jsonl", line | {"history": [{"question": "x"}]})
    with pytest.raises(BadSet, match="line 1: answer must be a text"):
        load(wrong)


@pytest.mark.parametrize(
    ("question", "answers", "quote", "wrong"),
    [
        ("建成多少个？", ["семнадцать"], "建成十七个", "another script (CYRILLIC)"),
        ("建成多少个？", ["seventeen"], "建成十七个", "another script (LATIN)"),
        ("How many?", ["seventeen"], "建成十七个", None),
        ("建成多少个？", ["17"], "建成十七个", None),
        ("建成多少個？", ["十七個", "seventeen"], "建成十七个", None),
        ("用什么网络？", ["ＧＰＲＳ"], "用GPRS网络", None),
    ],
)
def test_an_answer_in_another_script_is_told(tmp_path, question, answers, quote, wrong):
    line = {
        "id": "1",
        "question": question,
        "language": "zh",
        "type": "factoid",
        "answers": answers,
        "article": "A",
        "evidence": [{"article": "A", "paragraph": 0, "quote": quote}],
    }
    path = dump_lines(tmp_path / "set.jsonl", line)
    if wrong is None:
        assert len(load_cases(path).cases) == 1
        return
    with pytest.raises(BadSet) as caught:
        load_cases(path)
    assert wrong in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "not json", "it is not JSON, nor JSON lines; known are"),
        ("a.json", '{"version": 2}', "its format is not known; known are"),
        ("a.jsonl", "not json", "line 1: it is not JSON"),
        ("a.jsonl", "", "it holds no questions"),
        ("a.jsonl", '{"query": "x"}', "line 1: id must be a text"),
    ],
)
def test_unknown_formats_are_told(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSet) as caught:
        load(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
