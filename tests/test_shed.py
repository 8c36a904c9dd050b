"""Who is sent away before anything is done for him, and connections that end rightly."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn

from api.admission import Gate
from api.connection import Connection
from api.logs import Aside, JsonLines, request_id
from api.security import Guard
from api.shed import Shed

ASK = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


def body(_request, code, message):
    return {"error": {"code": code, "message": message, "request_id": ""}}


async def sent(app, method: str, path: str, receive=None, host: str = "127.0.0.1"):
    """The status, headers and body of an answer."""
    said = []

    async def nothing():
        raise AssertionError("the body was read")

    async def send(message):
        said.append(message)

    scope = {"type": "http", "method": method, "path": path, "state": {}, "query_string": b"",
             "http_version": "1.1", "headers": [(b"host", host.encode())]}  # fmt: skip
    await app(scope, receive or nothing, send)
    headers = {k.decode(): v.decode() for k, v in said[0]["headers"]}
    return said[0]["status"], headers, b"".join(m.get("body", b"") for m in said[1:])


async def well(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(
    ("method", "path", "full", "open_"),
    [
        ("POST", "/v1/ask", "questions", "/v1/articles"),
        ("POST", "/v1/search", "questions", "/v1/facets"),
        ("POST", "/v1/chat/completions", "questions", "/healthz"),
        ("POST", "/v1/articles", "writes", "/v1/facets"),
        ("DELETE", "/v1/articles/0123456789abcdef", "writes", "/v1/articles"),
        ("GET", "/v1/articles", "reads", "/healthz"),
        ("GET", "/v1/facets", "reads", "/metrics"),
        ("POST", "/v1/feedback", "reads", "/"),
    ],
)
def test_what_comes_too_many_is_sent_away_before_its_body_is_read(method, path, full, open_):
    gates = {name: Gate(1, 0) for name in ("questions", "writes", "reads")}
    app = Shed(well, **gates, error_body=body)

    async def main():
        assert (await sent(app, method, path))[0] == 200
        async with gates[full].place():
            status, headers, text = await sent(app, method, path)
            assert status == 503
            assert 1 <= int(headers["retry-after"]) <= 4
            assert json.loads(text)["error"]["code"] == "overloaded"
            assert (await sent(app, "GET", open_))[0] == 200
        assert (await sent(app, method, path))[0] == 200
        assert all(gate.inside == 0 for gate in gates.values())

    anyio.run(main)


def test_a_body_that_does_not_come_is_not_waited_for():
    async def reads(_scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await receive()  # until the client goes away: this may take any time
        await well(_scope, receive, send)

    async def slow(pieces: list[bytes]):
        if not pieces:
            await anyio.sleep(0.3)
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": pieces != [] or more}

    async def main():
        nonlocal more
        from starlette.middleware.exceptions import ExceptionMiddleware

        app = Guard(ExceptionMiddleware(reads), 1000, body, lambda *_: None, patience=0.1)
        left = [b"{", b"}"]
        assert (await sent(app, "POST", "/v1/ask", lambda: slow(left)))[0] == 200
        more, left = True, [b"{"]
        status, headers, _ = await sent(app, "POST", "/v1/ask", lambda: slow(left))
        assert (status, headers["connection"]) == (408, "close")

    more = False
    anyio.run(main)


class Hasty(Connection):
    head_seconds = 0.2


@asynccontextmanager
async def listening(protocol, keep: float) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """uvicorn in this very loop."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200,
                        "headers": [(b"content-length", b"2")]})  # fmt: skip
            await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(
        app, port=0, http=protocol, timeout_keep_alive=keep, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    server.capture_signals = lambda: io.StringIO()  # the tests' process keeps its own
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


def test_a_request_that_has_come_to_an_idle_connection_is_answered_and_not_cut_off():
    async def main():
        async with listening(Connection, keep=60) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ASK)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            held = next(iter(server.server_state.connections))
            writer.write(ASK)  # it goes out at once, and the loop has not read it
            held.timeout_keep_alive_handler()
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            held.timeout_keep_alive_handler()  # nothing has come now
            assert await reader.read() == b""
            writer.close()

    asyncio.run(main())


def test_a_request_that_never_becomes_whole_is_not_waited_for():
    async def main():
        async with listening(Hasty, keep=60) as (server, port):
            begun = []
            for first in (b"", b"POST /v1/ask HTTP/1.1\r\nHost:"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(first)
                begun.append((reader, writer))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ASK)
            await reader.readuntil(b"ok")
            await asyncio.sleep(0.4)
            writer.write(ASK)  # an idle connection is another thing
            await reader.readuntil(b"ok")
            writer.write(b"GET / HTTP/1.1\r\n")  # and this one never ends
            begun.append((reader, writer))
            said = []
            for reader, writer in begun:
                said.append(await reader.read())
                writer.close()
            assert said[0] == b""  # nothing had been sent, nothing is said
            for one in said[1:]:
                assert one.startswith(b"HTTP/1.1 408 ")
                assert json.loads(one.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"
            await asyncio.sleep(0.05)
            assert not server.server_state.connections

    asyncio.run(main())


class Stalled(io.StringIO):
    """Somebody who reads nothing until he is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.asked = threading.Event()

    def write(self, text: str) -> int:
        self.asked.set()
        self.go.wait(20)
        return super().write(text)


def logger_to(stream) -> logging.Logger:
    handler = Aside(stream, patience=20)
    handler.setFormatter(JsonLines())
    logger = logging.Logger("wenju.test", logging.INFO)  # noqa: LOG001 known to nobody else
    logger.addHandler(handler)
    return logger


def test_the_log_is_whole_in_order_and_knows_its_request():
    stream = io.StringIO()
    logger = logger_to(stream)
    token = request_id.set("r1")
    for number in range(1200):
        logger.info("event", extra={"number": number})
    request_id.reset(token)
    logger.warning("last")  # waited for
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["number"] for line in lines[:-1]] == list(range(1200))
    assert {line.get("request_id") for line in lines[:-1]} == {"r1"}
    assert lines[-1]["event"] == "last"
    assert "request_id" not in lines[-1]


def test_warnings_and_audit_lines_are_written_before_the_request_goes_on():
    stream = io.StringIO()
    logger = logger_to(stream)
    logger.info("audit")
    assert "audit" in stream.getvalue()
    logger.warning("careful")
    assert "careful" in stream.getvalue()


def test_a_log_that_nobody_reads_stops_nobody_and_tells_what_it_left_out():
    stream = Stalled()
    logger = logger_to(stream)
    logger.info("first")
    stream.asked.wait(20)
    for _ in range(10_007):
        logger.info("event")
    stream.go.set()
    logger.info("audit")  # never left out, and waited for
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [line for line in lines if line["event"] == "log_lines_lost"]
    assert [line["lines"] for line in told] == [7]
    assert len(lines) == 1 + 10_000 + 1 + 1
