"""What a client gets instead of an answer: nothing outside the contract."""

import asyncio
import json
import threading
import time

import anyio
import pytest
from starlette.testclient import TestClient
from test_shed import ASK, listening, sent

from api import access, app, openai
from api.app import create_app
from api.connection import Connection
from api.faults import ERRORS
from api.settings import Settings
from index.lock import WriterLock
from rag.stores import LOCK

TEXT = {"name": "a.txt", "text": "试验田建成\n\n本报记者 王一\n\n今年全县建成试验田三十二块。\n"}


@pytest.fixture
def client(pipeline):
    settings = Settings(home=pipeline.config.home)
    with TestClient(create_app(settings, pipeline), "http://127.0.0.1") as made:
        yield made


def test_every_status_that_is_given_is_in_the_docs(client):
    given = {status for _, status, _ in app._STATUS} | set(access.REFUSALS.values())
    given |= set(app._HTTP_CODES) | {500}
    # To 405 there is no operation, and 499 is told to nobody.
    assert given - {405, 499} == set(ERRORS) == set(openai.ERRORS)
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            assert {str(status) for status in ERRORS} <= set(operation["responses"]), path
            for status in ("409", "429", "503"):
                assert "Retry-After" in operation["responses"][status]["headers"]
            schema = operation["responses"]["408"]["content"]["application/json"]["schema"]
            assert "message" in schema["properties"]["error"]["properties"]


def test_a_write_beside_another_writer_is_told_who_it_is_and_when_to_come_again(client, pipeline):
    pipeline.archive.patience = 0.05
    added = client.post("/v1/articles", json=TEXT).json()["files"][0]["articles"][0]
    with WriterLock(pipeline.config.home / LOCK):
        for reply in (
            client.post("/v1/articles", json={**TEXT, "name": "b.txt", "text": TEXT["text"] * 2}),
            client.delete(f"/v1/articles/{added}"),
        ):
            assert reply.status_code == 409
            assert int(reply.headers["retry-after"]) >= 1
            error = reply.json()["error"]
            assert error["code"] == "archive_busy"
            assert "process" in error["message"]
            assert error["request_id"] == reply.headers["x-request-id"]
        assert client.post("/v1/ask", json={"question": "建成了多少块？"}).status_code == 200
    assert client.get("/v1/articles").json()["total"] == 1
    assert client.delete(f"/v1/articles/{added}").status_code == 200


def test_a_write_waits_for_a_merge_that_has_the_lock_for_a_moment(client, pipeline):
    taken, go = threading.Event(), threading.Event()

    def merge() -> None:
        with WriterLock(pipeline.config.home / LOCK):
            taken.set()
            go.wait(30)

    pipeline.archive.patience = 60.0
    merging = threading.Thread(target=merge)
    merging.start()
    assert taken.wait(30)
    soon = threading.Timer(0.3, go.set)
    soon.start()
    begin = time.monotonic()
    assert client.post("/v1/articles", json=TEXT).status_code == 200
    assert time.monotonic() - begin >= 0.2
    merging.join()


def test_what_is_no_http_is_refused_in_the_shape_of_all_errors():
    async def main():
        async with listening(Connection, keep=60) as (_, port):
            for first in (b"\0\1\2", b"GET / HTTP/1.1", b"GET /\xff HTTP/1.1\r\nHost: x"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(first + b"\r\n\r\n")
                said = await reader.read()
                writer.close()
                head, _, body = said.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 400 ")
                assert b"nosniff" in head
                error = json.loads(body)["error"]
                assert error["code"] == "bad_request"
                assert error["request_id"].encode() in head
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ASK)  # and whoever comes next is answered
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/articles", "/v1/chat/completions"])
def test_a_body_that_stops_coming_is_told_and_the_connection_closed(pipeline, path):
    asked = create_app(Settings(home=pipeline.config.home), pipeline)
    guard = next(m for m in asked.user_middleware if m.cls.__name__ == "Guard")
    guard.kwargs["patience"] = 0.1

    async def slow():
        await anyio.sleep(30)

    status, headers, said = anyio.run(sent, asked, "POST", path, slow)
    assert (status, headers["connection"]) == (408, "close")
    assert json.loads(said)["error"]["code"] == "too_slow"
