"""Runs that are stopped and go on, that ask several questions at once, that cost and are judged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from eval_runs import TEXT, Counting, case, reply, result
from fakes import HashingEncoder
from scripted_llm import ScriptedModel

from eval.cases import CaseSet
from eval.cost import Meter, Tokens
from eval.journal import Journal, beside
from eval.judge import Judge, judged, messages
from eval.result import risk_coverage
from eval.run import evaluate, write
from eval.score import Matcher
from eval.sources import Source
from eval.target import Archive, config_of
from rag.config import ModelServer
from rag.errors import WenjuError
from rag.generate import ChatModel, GenerationFailed
from rag.pipeline import Pipeline
from rag.prompts import count_tokens
from rag.types import Turn

CASES = [case(i) for i in range(20)]


def test_the_order_is_the_sets_however_many_are_asked_at_once():
    one = evaluate(CASES, Counting(failing={"问题3"}), Matcher({}))
    many = evaluate(CASES, Counting(failing={"问题3"}), Matcher({}), jobs=8)
    assert many == one
    assert [o.case.id for o in many] == [f"q{i}" for i in range(20)]


def test_a_system_that_cannot_be_asked_stops_all_at_once():
    target = Counting(broken_at=3)
    with pytest.raises(WenjuError, match="disk"):
        evaluate(CASES, target, Matcher({}), jobs=2)
    assert len(target.asked) < len(CASES)


def test_a_stopped_run_goes_on(tmp_path):
    path = beside(tmp_path / "r.json")
    journal = Journal(path, {"set": "s"})
    with pytest.raises(WenjuError):
        evaluate(CASES, Counting(failing={"问题1"}, broken_at=6), Matcher({}), journal=journal)
    journal.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": "q9", "repl')  # the machine stopped here
    journal = Journal(path, {"set": "s"})
    assert sorted(journal.replies) == ["q0", "q2", "q3", "q4"]
    target = Counting()
    seen = []
    outcomes = evaluate(
        CASES, target, Matcher({}), lambda *at: seen.append(at), jobs=3, journal=journal
    )
    assert len(target.asked) == 16
    assert seen[-1] == (20, 20)
    assert outcomes == evaluate(CASES, Counting(), Matcher({}))
    journal.close()
    journal = Journal(path, {"set": "s"})
    assert len(journal.replies) == 20
    journal.done()


def test_a_journal_of_another_run_is_given_up(tmp_path):
    first = Journal(tmp_path / "j", {"set": "s"})
    first.put("q0", reply(tokens=Tokens(1, 2, 3)))
    first.close()
    again = Journal(tmp_path / "j", {"set": "s"})
    assert again.replies == {"q0": reply(tokens=Tokens(1, 2, 3))}
    assert not again.other
    again.close()
    other = Journal(tmp_path / "j", {"set": "t"})
    assert (other.replies, other.other) == ({}, True)
    other.done()
    assert list(tmp_path.iterdir()) == []


def test_the_result_says_what_was_asked_of_what(tmp_path):
    searched = case(1, id="s", type="search", answers=())
    cases = [case(20), case(3), searched, case(4, type="unanswerable", answers=(), evidence=())]
    outcomes = evaluate(cases, Counting(failing={"问题3"}), Matcher({}))
    found = result(cases, outcomes)
    assert found["fingerprint"] == {"model": "m", "index": "x"}
    assert (found["model"], found["notices"]) == ("m", ["a notice"])
    right, failed, search, wrong = found["questions"]
    assert (right["confidence"], right["places"], right["gold"]) == (0.2, [1], 1)
    assert (failed["status"], failed["error"]) == ("failed", "busy")
    assert failed["accepted"] == ["17个"]
    assert (search["status"], search["scores"]["hit@1"]) == ("searched", 1.0)
    assert "correct" not in search["scores"]
    assert wrong["scores"] == {"refused": 0.0, "correct": 0.0}
    # the searched one has no answer to be right or wrong
    assert found["risk_coverage"] == {
        "questions": 3,
        "area": pytest.approx((0 + 0.5) / 2),
        "coverage": pytest.approx(2 / 3),
        "risk": 0.5,
    }
    write(tmp_path / "r.json", found)
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(found))
    assert sum(line.startswith('  {"id"') for line in text.splitlines()) == 4


class Talking(Counting):
    """Remembers the conversations it had."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def ask(self, question, history=()):
        self.heard.append((question, tuple(history)))
        return super().ask(question, history)


def test_earlier_turns_are_asked_for_the_articles_that_they_cite():
    target = Talking()
    history = (Turn("问题7", "答七。"), Turn("问题8", "答八。", ("known",)))
    evaluate([case(9, history=history)], target, Matcher({}))
    first = Turn("问题7", "答七。", ("a",))
    assert target.heard == [("问题7", ()), ("问题9", (first, history[1]))]


def test_no_curve_without_confidence():
    outcomes = evaluate([case(1)], Counting(), Matcher({}))
    unsure = [replace(o, reply=reply(score=None)) for o in outcomes]
    assert risk_coverage(unsure) is None


class Scripted:
    """A generator that says what it is told to."""

    name = "scripted"

    def __init__(self, *said):
        self.said = list(said)
        self.sent = []

    def generate(self, messages, *, tokens, until):
        self.sent.append(messages)
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        yield from said

    def close(self):
        pass


def test_a_judge_by_hand():
    cases = [case(i) for i in range(5)]
    cases.append(case(9, type="unanswerable", answers=(), evidence=()))
    outcomes = evaluate(cases, Counting(failing={"问题4"}), Matcher({}))
    outcomes[3] = replace(outcomes[3], scores={**outcomes[3].scores, "correct": 0.0})
    model = Scripted("对", "<think>错吗？</think>\n**错**", "也许", GenerationFailed("slow"))
    marked, found = judged(outcomes, Judge(model))
    assert [o.scores.get("judged") for o in marked] == [1.0, 0.0, None, None, 0.0, None]
    assert "judged" not in marked[5].scores
    assert (found["marked"], found["unclear"], found["agreement"]) == (2, 2, 0.5)
    assert [(d["id"], d["judge"]) for d in found["disputed"]] == [
        ("q1", False),
        ("q2", None),
        ("q3", None),
    ]
    assert found["prompt"]["zh"] == model.sent[0][0].content


def test_the_judge_sees_question_answers_and_answer_and_nothing_else():
    asked = case(1, language="en", answers=("17", "seventeen"), items=(("a", "b"), ("c",)))
    system, user = messages(asked, "There are 17.[1]")
    assert "right, or wrong" in system.content
    assert user.content == (
        "Question: 问题1\n\nAccepted answers, any one of which is right:\n- 17\n- seventeen\n"
        "- a、c\n\nAnswer to mark:\nThere are 17."
    )


def test_a_judge_on_a_server():
    with ScriptedModel(["r", "ight"]) as server:
        model = ChatModel(ModelServer(server.base_url, "m"))
        assert Judge(model, 10).right(case(1, language="en"), "17") == (True, "right")
        assert server.requests[0]["temperature"] == 0.0
        model.close()


def test_tokens_are_counted_by_question(tmp_path):
    page = tmp_path / "a.md"
    page.write_text(f"---\ntitle: 实验室\n---\n\n{TEXT}\n", encoding="utf-8")
    model = Scripted("建成17个[1]。", "建成17个[1]。")
    meter = Meter(model)
    pipeline = Pipeline(config_of(tmp_path, tmp_path, None, None, 1), HashingEncoder(), meter)
    pipeline.add([page])
    target = Archive(pipeline, meter)
    first = target.ask("全市建成多少个市级技术创新中心？")
    sent = sum(count_tokens(m.content) for m in model.sent[0])
    assert first.tokens == Tokens(sent, count_tokens("建成17个[1]。"), 1)
    outcomes = evaluate([case(1, question="全市建成多少个市级技术创新中心？")], target, Matcher({}))
    found = result([case(1)], outcomes)
    assert found["summary"]["all"]["tokens"]["calls"] == 1
    assert found["summary"]["all"]["worded"] == 1
    assert found["summary"]["all"]["tokens"]["prompt"] == pytest.approx(sent, abs=8)  # the fence
    assert target.fingerprint()["language_model"] == "scripted"
    pipeline.close()


def test_a_set_that_brings_its_texts_is_asked_of_an_archive_of_them(tmp_path, make_pipeline):
    from eval.datasets import SquadArticle
    from eval.retrieval import build

    source = Source(
        CaseSet("s.json", "d" * 64, (case(1),), {}), (SquadArticle("题", (TEXT, "第二段。")),)
    )
    config = config_of(tmp_path / "built", tmp_path, None, None, 1)
    built = build(config, source.as_set(), True, None, make_pipeline().encoder())
    assert built.corpus.stats()["articles"] == 1
    assert Archive(built).search("市级技术创新中心").passages[0] == TEXT
    assert Archive(built).fingerprint()["passages"] == 2
    built.close()
