import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from fakes import LAB
from mcp import Client, StdioServerParameters

from api.mcp import server

ROOT = Path(__file__).resolve().parent.parent
ASKED = "重庆布局建设哪四大实验室？"


@pytest.fixture
def article_id(pipeline, tmp_path):
    (tmp_path / "lab.md").write_text(LAB, encoding="utf-8")
    return pipeline.add([tmp_path / "lab.md"])[0].articles[0]


def call(where, work):
    async def run():
        async with Client(where) as client:
            return await work(client)

    return anyio.run(run)


def test_the_tools_say_what_they_want(pipeline):
    async def work(client):
        return await client.list_tools()

    tools = {t.name: t for t in call(server(pipeline), work).tools}
    assert set(tools) == {"search", "ask", "get_article"}
    assert tools["search"].input_schema["required"] == ["question"]
    assert tools["search"].input_schema["properties"]["top_k"]["maximum"] == 50
    assert all(t.description and t.annotations.read_only_hint for t in tools.values())


def test_an_agent_searches_asks_and_reads(pipeline, article_id):
    async def work(client):
        found = await client.call_tool("search", {"question": "技术创新中心", "top_k": 1})
        answered = await client.call_tool("ask", {"question": ASKED})
        read = await client.call_tool("get_article", {"article_id": article_id})
        history = [{"question": ASKED, "answer": "四大实验室。", "article_ids": [article_id]}]
        more = await client.call_tool("ask", {"question": "作者是谁？", "history": history})
        return [r.structured_content for r in (found, answered, read, more)]

    found, answered, read, more = call(server(pipeline), work)
    assert [p["paragraph"] for p in found["passages"]] == [1]
    assert "金凤、明月湖、广阳湾、嘉陵江" in answered["answer"]
    citation = answered["citations"][0]
    assert read["text"][citation["start_char"] : citation["end_char"]] == citation["quote"]
    assert read["authors"] == ["邹霞", "吴希"]
    assert "邹霞" in more["answer"]


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("ask", {"question": ""}, "empty"),
        ("get_article", {"article_id": "none"}, "no article none"),
        ("search", {"question": "a", "top_k": 99}, "less than or equal to 50"),
        ("search", {"question": "a", "filters": {"date_from": "2025", "date_to": "2024"}}, "date"),
    ],
)
def test_errors_are_told_to_the_agent(pipeline, tool, arguments, words):
    async def work(client):
        return await client.call_tool(tool, arguments)

    result = call(server(pipeline), work)
    assert result.is_error
    assert words in result.content[0].text


def command(home, *more):
    return [sys.executable, "-m", "api.cli", "mcp", "--home", str(home), *more]


def environment():
    return {k: v for k, v in os.environ.items() if not k.startswith("WENJU_")}


def test_the_command_speaks_on_standard_streams(pipeline, article_id):
    pipeline.close()
    program, *arguments = command(pipeline.config.home)
    parameters = StdioServerParameters(
        command=program, args=arguments, env=environment(), cwd=str(ROOT)
    )

    async def work(client):
        read = await client.call_tool("get_article", {"article_id": article_id})
        return read.structured_content

    assert call(parameters, work)["title"] == "四大实验室加快布局"


def test_the_command_speaks_http(pipeline, article_id, tmp_path):
    pipeline.close()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

    async def work(client):
        read = await client.call_tool("get_article", {"article_id": article_id})
        return read.structured_content

    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command(pipeline.config.home, "--http", "--port", str(port)),
            stdout=log, stderr=log, env=environment(), cwd=ROOT,
        )  # fmt: skip
        try:
            wait_for(port, process, tmp_path / "log")
            read = call(f"http://127.0.0.1:{port}/mcp", work)
        finally:
            process.terminate()
            process.wait(20)
    assert read["authors"] == ["邹霞", "吴希"]


def wait_for(port, process, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(log.read_text())
