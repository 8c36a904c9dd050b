"""A whole archive in PostgreSQL: several processes, and a server that is lost and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from in_engines import database
from losing import ASKED, error, lost
from serving import serving

from eval.hashed import Hashed
from eval.pg_server import PgServer, running
from eval.torture_archive import change, numbers, question_of, text_of
from rag.config import Config
from rag.pipeline import Pipeline


@pytest.fixture(scope="module")
def server() -> Iterator[PgServer]:
    with running({"fsync": "off"}) as server:
        yield server


@pytest.fixture
def url(server: PgServer) -> str:
    return database(server)


@contextmanager
def opened(home: Path, cache: Path, url: str) -> Iterator[Pipeline]:
    config = Config(home=home, cache=cache, threads=1, store=url)
    pipeline = Pipeline(config, Hashed())
    try:
        yield pipeline
    finally:
        pipeline.close()


def test_machines_share_one_truth(tmp_path: Path, cache: Path, url: str) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2, 3):
        (tmp_path / "in" / f"d{number}.txt").write_text(text_of(number), encoding="utf-8")
    with opened(tmp_path / "one", cache, url) as one, opened(tmp_path / "two", cache, url) as two:
        assert [r.outcome for r in one.add([tmp_path / "in"])] == ["added"] * 3
        assert [r.outcome for r in two.add([tmp_path / "in"])] == ["unchanged"] * 3
        answer = two.ask(question_of(2))
        assert answer.status == "answered"
        assert "编号k2x1" in answer.text
        assert answer.coverage.searched_passages == one.snapshot().size > 3
        assert answer.receipt["generation"] == one.snapshot().generation
        gone = answer.citations[0].article.id
        one.delete(gone)
        assert all(e.article.id != gone for e in two.search(question_of(2)))
        assert [r.outcome for r in two.add([tmp_path / "in"])] == ["unchanged"] * 3
        assert gone not in one.corpus.ids()
        size = one.snapshot().size
        assert two.rebuild() == size
        assert one.search(question_of(3))[0].passage.text == question_of(3)
        for pipeline in (one, two):
            assert pipeline.store.verify() == pipeline.corpus.check() == []
            assert pipeline.reprints.check(pipeline.corpus) == []


def test_a_lost_server_is_a_clear_503_and_comes_back(
    tmp_path: Path, cache: Path, url: str, server: PgServer
) -> None:
    with opened(tmp_path / "filler", cache, url) as pipeline:
        for number in (1, 2):
            change(pipeline, "add", number)
    home = tmp_path / "home"
    with (
        serving(home, cache, FAKE_SLOW="1", WENJU_STORE=url, WENJU_QUEUE="9") as (address, _),
        httpx2.Client(base_url=address, timeout=60) as client,
    ):
        upload = {"name": "d3.txt", "text": text_of(3)}
        with lost(client, server.stop, server.start):
            assert error(client.get("/readyz")) == (503, "engine_lost")
            assert error(client.post("/v1/articles", json=upload)) == (503, "engine_lost")
            lines = client.post("/v1/ask", json={**ASKED, "stream": True}).text.splitlines()
            assert '"code": "engine_lost"' in lines[-1]
            assert client.get("/healthz").status_code == 200
        assert client.post("/v1/articles", json=upload).status_code < 300
    with opened(tmp_path / "filler", cache, url) as pipeline:
        assert set(numbers(pipeline)) == {1, 2, 3}
        assert pipeline.store.verify() == []
