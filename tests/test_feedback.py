import json
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from fakes import LAB

from eval.cases import UNANSWERABLE, load_cases
from eval.errors import BadSet
from eval.feedback import drafts, lines
from rag.errors import FeedbackDamaged, HomeUnusable
from rag.feedback import Feedback, FeedbackStore

QUESTION = "重庆布局建设哪四大实验室？"


@pytest.fixture
def answer(client):
    added = client.post("/v1/articles", json={"name": "lab.md", "text": LAB}).json()
    assert added["files"][0]["outcome"] == "added"
    return client.post("/v1/ask", json={"question": QUESTION}).json()


def verdict(answer, up="up", **more):
    return {
        "answer_id": answer["id"],
        "question": answer["question"],
        "answer": answer["answer"],
        "verdict": up,
        "article_ids": [c["article"]["id"] for c in answer["citations"]],
        "passage_ids": [c["passage_id"] for c in answer["citations"]],
        **more,
    }


def test_a_verdict_is_stored_listed_replaced_and_withdrawn(client, answer, pipeline):
    assert client.get("/v1/feedback").json() == {"feedback": [], "total": 0}
    assert not (pipeline.config.home / "feedback.sqlite").exists()
    first = client.post("/v1/feedback", json=verdict(answer)).json()
    assert (first["verdict"], first["comment"]) == ("up", "")
    client.post("/v1/feedback", json=verdict(answer, "down", comment="  漏了一个。 "))
    other = {"answer_id": "other", "question": "别的？", "answer": "没有。", "verdict": "up"}
    client.post("/v1/feedback", json=other)
    listed = client.get("/v1/feedback").json()
    assert listed["total"] == 2
    newest, older = listed["feedback"]
    assert newest["answer_id"] == "other"
    assert (older["answer_id"], older["verdict"]) == (answer["id"], "down")
    assert older["comment"] == "漏了一个。"
    assert older["article_ids"] == [answer["citations"][0]["article"]["id"]]
    page = client.get("/v1/feedback?limit=1&offset=1").json()
    assert (page["feedback"], page["total"]) == ([older], 2)
    assert client.get("/v1/feedback?verdict=down").json() == {"feedback": [older], "total": 1}
    withdrawn = client.delete(f"/v1/feedback/{answer['id']}").json()
    assert withdrawn == {"answer_id": answer["id"], "withdrawn": True}
    assert client.delete(f"/v1/feedback/{answer['id']}").json()["withdrawn"] is False
    assert [f["answer_id"] for f in client.get("/v1/feedback").json()["feedback"]] == ["other"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "meh"},
        {"answer_id": "../x"},
        {"answer_id": ""},
        {"question": ""},
        {"question": "字" * 4097},
        {"answer": "字" * 65537},
        {"comment": "字" * 4001},
        {"article_ids": ["a"] * 101},
        {"passage_ids": ["x" * 97]},
        {"unknown": 1},
    ],
)
def test_what_is_too_large_or_unknown_is_refused(client, wrong, pipeline):
    body = {"answer_id": "a", "question": "问？", "answer": "答。", "verdict": "up", **wrong}
    response = client.post("/v1/feedback", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")
    assert FeedbackStore(pipeline.config.home).listing() == ([], 0)


def test_the_largest_verdict_that_is_allowed_passes(client):
    body = {
        "answer_id": "a" * 64,
        "question": "字" * 4096,
        "answer": "字" * 65536,
        "verdict": "down",
        "comment": "字" * 4000,
    }
    sent = json.dumps(body, ensure_ascii=False).encode()
    headers = {"content-type": "application/json"}
    assert client.post("/v1/feedback", content=sent, headers=headers).status_code == 200
    assert client.get("/v1/feedback").json()["feedback"][0]["comment"] == "字" * 4000


def test_a_file_that_is_no_database_is_said_so(client, pipeline):
    path = pipeline.config.home / "feedback.sqlite"
    path.write_bytes(b"not a database, and longer than its header of a hundred bytes" * 9)
    response = client.get("/v1/feedback")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "feedback_damaged")
    assert client.get("/v1/articles").status_code == 200


def test_another_format_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "feedback.sqlite") as db:
        db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(FeedbackDamaged, match="its format is 9, not 1"):
        FeedbackStore(tmp_path).listing()


def test_threads_share_a_store(tmp_path):
    store = FeedbackStore(tmp_path)

    def give(name):
        for n in range(10):
            store.put(Feedback(f"{name}-{n}", "up", "问？", "答。"))

    threads = [threading.Thread(target=give, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, total = store.listing(limit=100)
    assert (len(found), total) == (40, 40)


WRITER = """
import sys
from pathlib import Path
from rag.feedback import Feedback, FeedbackStore
store = FeedbackStore(Path(sys.argv[1]))
n = 0
while True:
    store.put(Feedback(f"a{n}", "up", "问？", "答。" * 500, passage_ids=(str(n),)))
    print(n, flush=True)
    n += 1
"""


def test_a_killed_writer_loses_no_verdict_that_it_confirmed(tmp_path):
    for wanted in (1, 7, 20):
        home = tmp_path / str(wanted)
        home.mkdir()
        command = [sys.executable, "-c", WRITER, str(home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            said = [int(writer.stdout.readline()) for _ in range(wanted)]
            writer.send_signal(signal.SIGKILL)
            said += [int(line) for line in writer.stdout.read().splitlines() if line]
        found, total = FeedbackStore(home).listing(limit=10_000)
        assert {f"a{n}" for n in said} <= {f.answer_id for f in found}
        assert total - len(said) in (0, 1)  # one more may be done that it could not say
        assert all(f.answer == "答。" * 500 for f in found)


def test_verdicts_are_exported_as_drafts_that_the_evaluation_reads(
    client, answer, pipeline, tmp_path
):
    client.post("/v1/feedback", json=verdict(answer, comment="好"))
    refusal = {"answer_id": "r", "question": "誰是市長？", "answer": "没有说明。", "verdict": "up"}
    client.post("/v1/feedback", json=refusal)
    home = pipeline.config.home
    found = drafts(home)
    liked, refused = found.cases
    assert found.lost == 0
    article = answer["citations"][0]["article"]["id"]
    assert liked["question"] == QUESTION
    assert (liked["draft"], liked["verdict"], liked["comment"]) == (True, "up", "好")
    assert "[1]" not in liked["answers"][0]
    assert liked["evidence"][0] == {
        "article": article,
        "paragraph": 0,
        "quote": "重庆加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室。",
    }
    assert (refused["type"], refused["answers"], refused["evidence"]) == (UNANSWERABLE, [], [])
    assert refused["language"] == "zh-Hant"
    path = tmp_path / "drafts.jsonl"
    path.write_text(lines(found), encoding="utf-8")
    cases = load_cases(path)
    assert [c.id for c in cases.cases] == [f"fb-{answer['id']}", "fb-r"]
    assert all(case.draft for case in cases.cases)


def test_a_disliked_answer_waits_for_a_person(client, answer, pipeline, tmp_path):
    gone = verdict(answer, "down", passage_ids=["gone-0.0"])
    client.post("/v1/feedback", json=gone)
    client.post("/v1/feedback", json={**gone, "answer_id": "b", "verdict": "up"})
    found = drafts(pipeline.config.home, "down")
    assert [c["id"] for c in found.cases] == [f"fb-{answer['id']}"]
    assert (found.cases[0]["answers"], found.cases[0]["given"]) == ([], answer["answer"])
    assert found.lost == 1
    path = tmp_path / "drafts.jsonl"
    path.write_text(lines(found), encoding="utf-8")
    with pytest.raises(BadSet, match="needs answers"):
        load_cases(path)


def test_the_command_prints_json_lines(client, answer, pipeline, tmp_path):
    client.post("/v1/feedback", json=verdict(answer))
    home = pipeline.config.home
    command = [sys.executable, "-m", "eval", "feedback", "--home"]
    done = subprocess.run([*command, str(home)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["draft"] for line in done.stdout.splitlines()] == [True]
    assert "1 drafts" in done.stderr
    with pytest.raises(HomeUnusable):
        drafts(tmp_path / "nowhere")
