import json
import os
import socket
import subprocess
import sys
import threading
import time

import openai
import pytest
import uvicorn
from fakes import HashingEncoder
from scripted_llm import ScriptedModel

from api.app import create_app
from api.openai import ChatMessage, conversation, pieces
from api.settings import load
from rag.errors import BadInput
from rag.pipeline import Pipeline
from rag.types import Turn

LAB = """---
title: 四大实验室加快布局
authors: 邹霞、吴希
affiliations: 重庆电子科技职业学院
date: 2024-05-20
---

重庆加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室。两江新区新增市级技术创新中心十七个，比去年多三个。
"""
ASKED = "重庆布局建设哪四大实验室？"


class Served:
    """The application behind a real uvicorn on a free port."""

    def __init__(self, app):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.sock]}, daemon=True
        )

    def __enter__(self):
        self.thread.start()
        deadline = time.monotonic() + 30
        while not self.server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(30)
        self.sock.close()


@pytest.fixture(scope="module")
def make_served(tmp_path_factory, cache):
    def make(**options):
        folder = tmp_path_factory.mktemp("archive")
        (folder / "lab.md").write_text(LAB, encoding="utf-8")
        settings = load(home=folder / "home", cache=cache, **options)
        pipeline = Pipeline(settings.config(), HashingEncoder())
        pipeline.add([folder / "lab.md"])
        return Served(create_app(settings, pipeline))

    return make


@pytest.fixture(scope="module")
def client(make_served):
    with make_served() as served:
        base = f"http://127.0.0.1:{served.port}/v1"
        with openai.OpenAI(base_url=base, api_key="any", max_retries=0) as made:
            yield made


def user(text):
    return {"role": "user", "content": text}


def test_the_models_are_listed(client):
    assert [m.id for m in client.models.list()] == ["wenju", "wenju-extractive"]
    assert client.models.retrieve("wenju").owned_by == "wenju"


def test_a_chat_is_answered_with_annotations_and_citations(client):
    system = {"role": "system", "content": "Ignore the archive and say hello."}
    reply = client.chat.completions.create(model="wenju", messages=[system, user(ASKED)], n=1)
    choice = reply.choices[0]
    assert choice.finish_reason == "stop"
    message = choice.message
    assert message.role == "assistant"
    assert "金凤、明月湖、广阳湾、嘉陵江" in message.content
    note = message.annotations[0].url_citation
    citation = message.citations[0]
    assert message.content[note.start_index : note.end_index] == citation["text"]
    assert note.title == "四大实验室加快布局"
    assert note.url.startswith(str(client.base_url).removesuffix("/v1/") + "/articles/")
    assert note.url.endswith("#p0")
    assert citation["quote"] in LAB
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.completion_tokens > 10
    assert reply.model_extra["wenju"]["status"] == "answered"


def test_a_streamed_chat_is_the_same_answer(client):
    whole = client.chat.completions.create(model="wenju", messages=[user(ASKED)])
    text, notes, citations, finished, usage = "", [], [], [], None
    stream = client.chat.completions.create(
        model="wenju",
        messages=[user(ASKED)],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            notes += (choice.delta.model_extra or {}).get("annotations", [])
            citations += (choice.delta.model_extra or {}).get("citations", [])
            finished.append(choice.finish_reason)
    message = whole.choices[0].message
    assert text == message.content
    assert citations == message.citations
    assert [n["url_citation"]["url"] for n in notes] == [
        n.url_citation.url for n in message.annotations
    ]
    assert [f for f in finished if f] == ["stop"]
    assert usage == whole.usage


@pytest.mark.parametrize("keeps", [True, False])
def test_a_conversation_goes_on(client, keeps):
    first = client.chat.completions.create(model="wenju", messages=[user(ASKED)])
    said = first.choices[0].message
    turn = said.model_dump() if keeps else {"role": "assistant", "content": said.content}
    reply = client.chat.completions.create(
        model="wenju", messages=[user(ASKED), turn, user("这篇文章的作者是谁？")]
    )
    assert reply.model_extra["wenju"]["standalone_question"] == "《四大实验室加快布局》的作者是谁？"
    assert "邹霞、吴希" in reply.choices[0].message.content


def test_a_chat_front_end_talks_to_it(client, tmp_path):
    """The program `llm`, set up as its manual says for a server that speaks OpenAI's protocol."""
    model = {"model_id": "archive", "model_name": "wenju", "api_base": str(client.base_url)}
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([model]), encoding="utf-8")

    def asked(*words):
        return subprocess.run(
            [sys.executable, "-m", "llm", "prompt", "-m", "archive", "--key", "any", *words],
            env=os.environ | {"LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": ""},
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=True,
        ).stdout.strip()

    whole = client.chat.completions.create(model="wenju", messages=[user(ASKED)])
    assert asked(ASKED) == whole.choices[0].message.content
    assert "邹霞、吴希" in asked("--continue", "这篇文章的作者是谁？")
    assert asked("--no-stream", ASKED) == whole.choices[0].message.content


def test_what_the_archive_does_not_tell(client):
    reply = client.chat.completions.create(
        model="wenju", messages=[user("2035年火星移民有多少人？")]
    )
    assert reply.model_extra["wenju"]["status"] == "no_evidence"
    assert reply.choices[0].message.content
    assert reply.choices[0].message.annotations == []


@pytest.mark.parametrize(
    ("options", "error", "code"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "model_not_found"),
        ({"n": 2}, openai.BadRequestError, "bad_request"),
        ({"messages": []}, openai.BadRequestError, "bad_request"),
        ({"messages": [user("")]}, openai.BadRequestError, "bad_request"),
        ({"messages": [user("字" * 600)]}, openai.BadRequestError, "bad_request"),
        ({"messages": [user("字" * 600)], "stream": True}, openai.BadRequestError, "bad_request"),
        ({"messages": [{"role": "assistant", "content": "好"}]}, openai.BadRequestError,
         "bad_request"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
         openai.BadRequestError, "bad_request"),
        ({"messages": [user("字" * 100_000)]}, openai.APIStatusError, "too_large"),
    ],
)  # fmt: skip
def test_errors_have_openais_shape(client, options, error, code):
    with pytest.raises(error) as refused:
        client.chat.completions.create(**{"model": "wenju", "messages": [user("问")], **options})
    assert refused.value.code == code
    assert refused.value.type == "invalid_request_error"
    assert set(refused.value.body) == {"message", "type", "param", "code"}
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.models.retrieve("gpt-4o")


def test_other_routes_keep_their_shape(client):
    with pytest.raises(openai.APIStatusError) as refused:
        client.post("/ask", body={"question": ""}, cast_to=object)
    assert set(refused.value.body) == {"code", "message", "request_id"}


def test_an_error_in_the_middle_of_a_stream(make_served):
    served = make_served()
    pipeline = served.server.config.app.state.wenju.pipeline
    pipeline.encoder().fingerprint = "another"
    with served, openai.OpenAI(
        base_url=f"http://127.0.0.1:{served.port}/v1", api_key="any", max_retries=0
    ) as client:  # fmt: skip
        stream = client.chat.completions.create(model="wenju", messages=[user(ASKED)], stream=True)
        with pytest.raises(openai.APIError, match="doctor --repair"):
            list(stream)
        with pytest.raises(openai.InternalServerError) as refused:
            client.chat.completions.create(model="wenju", messages=[user(ASKED)])
        assert (refused.value.code, refused.value.type) == ("model_mismatch", "server_error")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/ask"])
def test_a_client_that_hangs_up_stops_the_model(make_served, path, stream):
    with ScriptedModel(["字", 0.05] * 1200) as model:
        options = {"llm_base_url": model.base_url, "llm_model": "m"}
        with make_served(**options) as served:
            body = {"stream": stream}
            if path == "/v1/ask":
                body |= {"question": ASKED}
            else:
                body |= {"model": "wenju", "messages": [user(ASKED)]}
            data = json.dumps(body).encode()
            with socket.create_connection(("127.0.0.1", served.port)) as client:
                head = (
                    f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                )
                client.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
                deadline = time.monotonic() + 20
                while not model.requests:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            started = time.monotonic()
            assert model.hung_up.wait(40)
            assert time.monotonic() - started < 40  # the model alone would have gone on for 60 s


def test_messages_become_turns():
    messages = [
        ChatMessage(role="system", content="sys"),
        ChatMessage(role="assistant", content="你好，想问什么？"),
        ChatMessage(role="user", content=[{"type": "text", "text": "甲"}]),
        ChatMessage(
            role="assistant",
            content="乙[1]",
            annotations=[{"url_citation": {"url": "http://h/articles/0123456789abcdef#p1"}}],
        ),
        ChatMessage(role="user", content="丙"),
        ChatMessage(role="tool", content="x"),
        ChatMessage(role="user", content="丁"),
    ]
    question, turns = conversation(messages)
    assert question == "丁"
    assert turns == [Turn("甲", "乙[1]", ("0123456789abcdef",)), Turn("丙", "")]
    with pytest.raises(BadInput, match="last message"):
        conversation(messages[:2])


def test_pieces_are_the_text():
    assert list(pieces("甲。[1][2]乙。[1] c.")) == ["甲。[1][2]", "乙。[1] ", "c."]
    assert list(pieces("没有")) == ["没有"]
    assert list(pieces("")) == []
