"""Paragraph retrieval over small SQuAD-format sets, through the product's own pipeline."""

from __future__ import annotations

import json

import pytest
from fakes import HashingEncoder

from eval.ablations import Remembering, measured, methods
from eval.compare import compare, load_results
from eval.datasets import load_squad
from eval.errors import BadSet
from eval.retrieval import build, report, run_task, tasks_of
from eval.run import write

PARAGRAPHS = (
    "金凤实验室位于重庆高新区，主要研究生命健康。",
    "明月湖畔的实验室研究智能科技与新材料。",
    "嘉陵江上游正在修建新的航电枢纽工程。",
)


def written(tmp_path, name, questions, texts=PARAGRAPHS, split=1):
    paragraphs = [
        {
            "context": text,
            "qas": [
                {"id": f"{i}", "question": asked, "answers": [{"text": text[:3]}]}
                if asked
                else {"id": f"{i}", "question": "？无", "is_impossible": True, "answers": []}
            ],
        }
        for i, (text, asked) in enumerate(zip(texts, questions, strict=True))
    ]
    parts = [paragraphs[:split], paragraphs[split:]]
    value = {"data": [{"title": f"题目{n}", "paragraphs": p} for n, p in enumerate(parts)]}
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return load_squad(path)


ASKED = ("金凤实验室研究什么？", "明月湖畔研究什么？", "嘉陵江修建什么枢纽？")


@pytest.fixture
def config(tmp_path, cache):
    from rag.config import Config

    return Config(home=tmp_path / "homes", cache=cache)


def test_every_paragraph_is_found(tmp_path, config):
    source = written(tmp_path, "small", ASKED)
    [task] = tasks_of([source], None)
    encoder = HashingEncoder()
    pipeline = build(config, source, titles=False, encoder=encoder)
    try:
        row = run_task(task, pipeline, answers=True, tick=None)
    finally:
        pipeline.close()
    assert (row["paragraphs"], row["questions"], row["unanswerable"]) == (3, 3, 0)
    assert row["measures"]["recall@1"] == {"mean": 1.0, "n": 3}
    assert row["measures"]["mrr@10"] == {"mean": 1.0, "n": 3}
    assert row["answers"]["all"]["questions"] == 3
    assert {"hit@1", "contained"} <= row["outcomes"][0]["scores"].keys()
    # Built once: a second time nothing is encoded, and the archive is the same.
    before = len(encoder.encoded)
    again = build(config, source, titles=False, encoder=encoder)
    assert again.snapshot().size == 3
    assert len(encoder.encoded) == before
    again.close()


def test_paragraphs_are_kept_as_they_are(tmp_path, config):
    source = written(tmp_path, "small", ASKED, texts=("甲\n\n乙。 ", "二", " 三\n"), split=2)
    for titles, title in ((False, None), (True, "题目0")):
        pipeline = build(config, source, titles=titles, encoder=HashingEncoder())
        articles = pipeline.corpus.get_many(sorted(pipeline.corpus.ids()))
        held = sorted(b.span.of(a.text) for a in articles.values() for b in a.paragraphs)
        assert held == sorted(("甲\n\n乙。 ", "二", " 三\n"))
        assert title in {a.title for a in articles.values()}
        pipeline.close()


def test_equal_paragraphs_are_one(tmp_path, config):
    source = written(tmp_path, "twice", ASKED[:2], texts=(PARAGRAPHS[0],) * 2)
    pipeline = build(config, source, titles=False, encoder=HashingEncoder())
    [task] = tasks_of([source], None)
    row = run_task(task, pipeline, answers=False, tick=None)
    pipeline.close()
    assert row["measures"]["recall@1"]["mean"] == 1.0


def test_unanswerable_questions_and_samples_are_counted(tmp_path, config):
    source = written(tmp_path, "some", (ASKED[0], "", ASKED[2]))
    [task] = tasks_of([source], 1)
    assert (len(task.questions), task.unanswerable, task.left_out) == (1, 1, 1)
    pipeline = build(config, source, titles=False, encoder=HashingEncoder())
    row = run_task(task, pipeline, answers=True, tick=None)
    pipeline.close()
    assert row["measures"]["recall@1"]["n"] == 1
    assert row["answers"]["all"]["questions"] in (1, 2)  # half of one unanswerable question


def test_a_question_that_fails_scores_0_and_is_counted(tmp_path, config):
    source = written(tmp_path, "long", (ASKED[0], "长" * 5000, ASKED[2]))
    pipeline = build(config, source, titles=False, encoder=HashingEncoder())
    [task] = tasks_of([source], None)
    row = run_task(task, pipeline, answers=False, tick=None)
    pipeline.close()
    assert (row["failed"], row["ms"]["n"]) == (1, 2)
    assert row["measures"]["recall@1"] == {"mean": pytest.approx(2 / 3), "n": 3}


def test_crossings(tmp_path):
    zh = written(tmp_path, "zh", ASKED)
    en = written(tmp_path, "en", ("What?", "Which?", "Where?"))
    names = [t.name for t in tasks_of([zh, en], None, crossings=True)]
    assert names == ["zh", "en", "zh → en", "en → zh"]
    crossing = tasks_of([zh, en], None, crossings=True)[3]
    assert crossing.questions[0].question == "What?"
    assert crossing.questions[0].paragraph == PARAGRAPHS[0]
    with pytest.raises(BadSet, match="shares its question ids"):
        tasks_of([zh], None, crossings=True)


ENGLISH = ("Jinfeng studies health.", "Mingyue studies materials.", "A dam is being built.")


def test_mixtures_hold_each_paragraph_in_one_language(tmp_path, config):
    zh = written(tmp_path, "zh", ASKED)
    en = written(tmp_path, "en", ("Jinfeng?", "Mingyue?", "A dam?"), texts=ENGLISH)
    tasks = tasks_of([zh, en], None, mixtures=True)[2:]
    assert {t.set.name for t in tasks} == {"zh+en"}
    # The first article, with the first paragraph, is held in Chinese, the second in English.
    held = {p for a in tasks[0].set.articles for p in a.paragraphs}
    assert held == {PARAGRAPHS[0], *ENGLISH[1:]}
    asked = {t.name: [(q.question, q.paragraph) for q in t.questions] for t in tasks}
    assert asked == {
        "zh → zh, mixed": [(ASKED[0], PARAGRAPHS[0])],
        "zh → en, mixed": [(ASKED[1], ENGLISH[1]), (ASKED[2], ENGLISH[2])],
        "en → zh, mixed": [("Jinfeng?", PARAGRAPHS[0])],
        "en → en, mixed": [("Mingyue?", ENGLISH[1]), ("A dam?", ENGLISH[2])],
    }
    pipeline = build(config, tasks[0].set, titles=False, encoder=HashingEncoder())
    row = run_task(tasks[3], pipeline, answers=False, tick=None)
    pipeline.close()
    assert (row["paragraphs"], row["measures"]["recall@1"]["mean"]) == (3, 1.0)


def test_retrieval_results_can_be_compared(tmp_path, config):
    source = written(tmp_path, "small", ASKED)
    [task] = tasks_of([source], None)
    pipeline = build(config, source, titles=False, encoder=HashingEncoder())
    row = run_task(task, pipeline, answers=False, tick=None)
    pipeline.close()
    write(tmp_path / "r.json", report([row], {}))
    results = load_results(tmp_path / "r.json")
    found = compare(results, results)
    assert found["questions"] == 3
    assert found["measures"]["recall@1"]["difference"] == 0.0
    assert found["changed"] == []


def test_a_brief_report_leaves_the_questions_out():
    rows = [{"name": "a", "outcomes": [1]}]
    assert report(rows, {}, brief=True)["rows"] == [{"name": "a"}]
    assert report(rows, {})["rows"] == rows


def test_each_change_is_measured_on_the_same_archive(tmp_path, config):
    source = written(tmp_path, "small", ASKED)
    pipeline = build(config, source, titles=False, encoder=HashingEncoder())

    def recall(variant):
        hits = [variant.search(q.question)[0].passage.text == q.paragraph for q in source.questions]
        return {"recall@1": {"mean": sum(hits) / len(hits), "n": len(hits)}}

    rows = measured(pipeline, ASKED, recall)
    pipeline.close()
    found = {row["changed"]: row["measures"] for row in rows}
    assert found["without lexical"]["recall@1"]["n"] == 3
    assert found["lexical alone"]["recall@1"]["mean"] == 1.0
    assert "vectors not centred" not in found  # nothing is in another language
    assert found.keys() == dict(methods(False)).keys()


def test_a_change_changes_one_thing_and_only_for_the_measurement():
    changes = dict(methods(True))
    assert changes["without dense"].across["dense"] == 0.0
    assert changes["without dense"].across["lexical"] > 0
    assert {k for k, v in changes["dense alone"].across.items() if v} == {"dense"}
    assert not changes["vectors not centred"].centred
    assert changes["vectors not centred"].translated


def test_questions_are_encoded_once():
    encoder = HashingEncoder()
    held = Remembering(encoder)
    first, second = held.encode_queries(["问", "答"]), held.encode_queries(["答", "问"])
    assert (first == second[::-1]).all()
    assert encoder.encoded == ["问", "答"]
    assert held.count_tokens(["问答"]) == [2]
    assert held.encode_passages(["问"]).shape == (1, encoder.dim)
