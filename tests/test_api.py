import asyncio
import json
import socket
import threading

import pytest
from fakes import LAB


@pytest.fixture
def article_id(client):
    added = client.post("/v1/articles", json={"name": "lab.md", "text": LAB}).json()
    assert added["files"][0]["outcome"] == "added"
    return added["files"][0]["articles"][0]


def lines(response):
    return [json.loads(line) for line in response.text.splitlines()]


def test_an_answer_has_the_contracts_fields(client, article_id):
    answer = client.post("/v1/ask", json={"question": "重庆布局建设哪四大实验室？"}).json()
    assert set(answer) == {
        "id", "question", "standalone_question", "status", "answer", "short_answer",
        "short_answer_sure", "language", "citations", "passages", "coverage", "receipt",
        "timings_ms", "notices", "offset_unit",
    }  # fmt: skip
    assert answer["status"] == "answered"
    citation = answer["citations"][0]
    article = client.get(f"/v1/articles/{article_id}").json()
    assert article["text"][citation["start_char"] : citation["end_char"]] == citation["quote"]
    assert answer["answer"][citation["start"] : citation["end"]] == citation["text"]
    assert citation["article"]["url"] == f"/articles/{article_id}#p0"
    assert citation["article"]["authors"] == ["邹霞", "吴希"]
    assert answer["passages"][0]["rank"] == 1
    assert "dense" in answer["passages"][0]["found_by"]
    assert answer["offset_unit"] == "codepoint"


def test_a_stream_ends_with_the_verified_answer(client, article_id):
    body = {"question": "重庆布局建设哪四大实验室？", "stream": True}
    response = client.post("/v1/ask", json=body)
    assert response.headers["content-type"].startswith("application/jsonl")
    events = lines(response)
    kinds = [e["event"] for e in events]
    assert kinds == ["status", "passages", "status", "delta", "answer"]
    assert events[-1]["answer"]["answer"] == events[-2]["text"]


def test_a_late_error_is_an_event(client, pipeline, article_id):
    pipeline.encoder().fingerprint = "another model"
    events = lines(client.post("/v1/ask", json={"question": "实验室", "stream": True}))
    assert events[-1]["event"] == "error"
    assert events[-1]["error"]["code"] == "model_mismatch"
    assert events[-1]["error"]["request_id"]


def test_an_unforeseen_late_error_is_an_event_and_is_logged(client, pipeline, article_id, caplog):
    pipeline.encoder().encode_queries = None
    events = lines(client.post("/v1/ask", json={"question": "实验室", "stream": True}))
    error = events[-1]["error"]
    assert (events[-1]["event"], error["code"]) == ("error", "internal")
    assert error["request_id"]
    assert "NoneType" not in error["message"]
    assert [r.exc_info is not None for r in caplog.records if "streamed" in r.message] == [True]


def test_search_lists_passages(client, article_id):
    found = client.post("/v1/search", json={"question": "技术创新中心", "top_k": 1}).json()
    assert [p["paragraph"] for p in found["passages"]] == [1]
    assert found["passages"][0]["passage_id"] == f"{article_id}-1.0"


def test_articles_are_listed_shown_and_deleted(client, article_id):
    listed = client.get("/v1/articles", params={"q": "实验室"}).json()
    assert ([a["id"] for a in listed["articles"]], listed["total"]) == ([article_id], 1)
    blocks = client.get(f"/v1/articles/{article_id}").json()["blocks"]
    assert [b["paragraph"] for b in blocks if b["kind"] == "body"] == [0, 1]
    assert client.get("/v1/examples").json()["questions"]
    assert client.delete(f"/v1/articles/{article_id}").json() == {"deleted": article_id}
    assert client.get(f"/v1/articles/{article_id}").status_code == 404
    assert client.post("/v1/search", json={"question": "实验室"}).json()["passages"] == []


def test_uploads_are_reported_one_by_one(client):
    files = [
        ("files", ("good.txt", "今年全县建成试验田三十二块，产量翻了一番。".encode())),
        ("files", ("bad.txt", b"\x00\x01\x02" * 100)),
    ]
    reports = client.post("/v1/articles", files=files).json()["files"]
    assert [(r["file"], r["outcome"]) for r in reports] == [
        ("good.txt", "added"),
        ("bad.txt", "failed"),
    ]
    assert reports[1]["reason"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/ask", {"question": ""}, 400, "bad_request"),
        ("POST", "/v1/ask", {"question": "", "stream": True}, 400, "bad_request"),
        ("POST", "/v1/ask", {"question": "字" * 5000}, 400, "bad_request"),
        ("POST", "/v1/ask", {"question": "字" * 100_000}, 413, "too_large"),
        ("POST", "/v1/ask", {}, 422, "invalid_request"),
        ("POST", "/v1/ask", {"question": "a", "unknown": 1}, 422, "invalid_request"),
        ("POST", "/v1/search", {"question": "a", "top_k": 51}, 422, "invalid_request"),
        (
            "POST",
            "/v1/search",
            {"question": "a", "filters": {"date_from": "2025", "date_to": "2024"}},
            400,
            "bad_request",
        ),
        ("POST", "/v1/articles", {"name": "a.txt"}, 400, "bad_request"),
        ("GET", "/v1/articles/none", None, 404, "not_found"),
        ("DELETE", "/v1/articles/none", None, 404, "not_found"),
        ("GET", "/v1/articles?limit=0", None, 422, "invalid_request"),
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("PUT", "/v1/ask", None, 405, "method_not_allowed"),
    ],
)
def test_every_error_has_one_shape(client, method, path, body, status, code):
    response = client.request(method, path, json=body)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]


def test_an_unexpected_error_tells_nothing_of_the_inside(client, pipeline):
    pipeline.corpus.get = None
    response = client.get("/v1/articles/any")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "NoneType" not in response.text


def test_a_full_queue_refuses_at_once(make_client, pipeline, article_id):
    started, go = threading.Event(), threading.Event()
    retrieve = pipeline._retrieve

    def slow(*args):
        started.set()
        assert go.wait(20)
        return retrieve(*args)

    pipeline._retrieve = slow
    with make_client(concurrency=1, queue=0) as client:
        first = {}

        def ask():
            first["response"] = client.post("/v1/search", json={"question": "实验室"})

        thread = threading.Thread(target=ask)
        thread.start()
        assert started.wait(20)
        refused = client.post("/v1/search", json={"question": "实验室"})
        assert client.get("/healthz").status_code == 200
        go.set()
        thread.join(20)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    assert first["response"].status_code == 200


def test_the_page_and_the_docs_need_nothing_from_outside(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    docs = client.get("/docs").text
    assert "http://" not in docs.replace("http://127.0.0.1", "")
    assert "https://" not in docs
    assert "/v1/ask" in client.get("/openapi.json").json()["paths"]


def test_modules_are_asked_for_anew_each_time(client):
    module = client.get("/static/main.js")
    assert module.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": module.headers["etag"]}
    assert client.get("/static/main.js", headers=known).status_code == 304


def test_health(client, article_id):
    assert client.get("/healthz").json()["status"] == "ok"
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["passages"]) == ("ready", 2)


def test_answers_on_kept_connections_are_sent_at_once():
    """Without TCP_NODELAY each would wait 40 ms for the client's acknowledgement."""
    from api.server import _listen

    async def flag(listening):
        set_, got = asyncio.Event(), []

        async def connected(reader, writer):
            sock = writer.get_extra_info("socket")
            got.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            set_.set()

        async with await asyncio.start_server(connected, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
            await set_.wait()
            writer.close()
        return got

    assert asyncio.run(flag(_listen("127.0.0.1", 0))) == [1]
