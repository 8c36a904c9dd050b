"""The real server as a process: killed, ended, written to while it answers."""

import os
import signal
import threading
import time
from pathlib import Path

import httpx2
import pytest
from serving import serving

from eval.torture_archive import change, name_of, opened, question_of, text_of


@pytest.fixture
def home(tmp_path: Path, cache: Path) -> Path:
    with opened(tmp_path / "home", cache) as pipeline:
        for number in (1, 2):
            change(pipeline, "add", number)
    return tmp_path / "home"


def found(client: httpx2.Client, number: int) -> bool:
    asked = {"question": question_of(number), "top_k": 1}
    passages = client.post("/v1/search", json=asked).json()["passages"]
    return bool(passages) and f"k{number}x1" in passages[0]["text"]


def verdict(number: int) -> dict[str, object]:
    return {"answer_id": f"a{number}", "verdict": "up", "question": "问", "answer": "答"}


def test_what_was_acknowledged_survives_a_kill_and_what_was_left_is_finished(
    home: Path, cache: Path
) -> None:
    uploaded: list[int] = []
    judged: list[int] = []
    with (
        serving(home, cache) as (address, pid),
        httpx2.Client(base_url=address, timeout=60) as client,
    ):

        def write() -> None:
            try:
                for number in range(10, 200):
                    body = {"name": name_of(number), "text": text_of(number)}
                    if client.post("/v1/articles", json=body).status_code == 200:
                        uploaded.append(number)
                    if client.post("/v1/feedback", json=verdict(number)).status_code == 200:
                        judged.append(number)
            except httpx2.TransportError:
                return

        writer = threading.Thread(target=write)
        writer.start()
        while len(uploaded) < 3 and writer.is_alive():
            time.sleep(0.05)
        time.sleep(0.13)
        os.kill(pid, signal.SIGKILL)
        writer.join()
    assert len(uploaded) >= 3
    with opened(home, cache) as pipeline:  # as a writer leaves it that is killed in between
        lost = set(sorted(pipeline.corpus.ids())[:2])
        pipeline.store.commit(remove_groups=lost, model=pipeline.encoder().fingerprint)
    with (
        serving(home, cache) as (address, _),
        httpx2.Client(base_url=address, timeout=60) as client,
    ):
        for _ in range(300):  # the server finishes it beside its first answers
            if all(found(client, number) for number in (1, 2, *uploaded)):
                break
            time.sleep(0.1)
        assert all(found(client, number) for number in (1, 2, *uploaded))
        held = client.get("/v1/feedback", params={"limit": 500}).json()["feedback"]
        assert {f["answer_id"] for f in held} >= {f"a{n}" for n in judged}


def writes_beside_readers(home: Path, cache: Path, address: str) -> list[int]:
    """The statuses of searches while another process adds, merges, deletes and rebuilds."""
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=address, timeout=30) as client:
            while not stop.is_set():
                asked = {"question": question_of(1)}
                statuses.append(client.post("/v1/search", json=asked).status_code)

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for reader in readers:
        reader.start()
    with opened(home, cache) as pipeline:
        for number in range(20, 30):
            change(pipeline, "add", number)
        change(pipeline, "merge", 0)
        change(pipeline, "delete", 25)
        change(pipeline, "rebuild", 0)
    stop.set()
    for reader in readers:
        reader.join()
    return statuses


def test_generations_change_and_the_server_ends_without_a_lost_request(
    home: Path, cache: Path
) -> None:
    slow = serving(home, cache, FAKE_SLOW="1.5", WENJU_DRAIN="1")
    with slow as (address, pid), httpx2.Client(base_url=address, timeout=30) as client:
        statuses = writes_beside_readers(home, cache, address)
        assert len(statuses) > 10
        assert set(statuses) == {200}
        assert found(client, 29)
        assert not found(client, 25)
        assert client.get("/readyz").status_code == 200
        answers: list[httpx2.Response] = []
        asked = [
            threading.Thread(
                target=lambda body=body: answers.append(
                    httpx2.post(f"{address}/v1/ask", json=body, timeout=30)
                )
            )
            for body in ({"question": "慢一点？"}, {"question": "再慢一点？", "stream": True})
        ]
        for thread in asked:
            thread.start()
        time.sleep(0.4)
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["error"]["code"]) == (503, "ending")
        assert client.get("/healthz").status_code == 200
        for thread in asked:
            thread.join()
        assert [a.status_code for a in answers] == [200, 200]
        assert sum('"event": "answer"' in a.text for a in answers) == 1
        for _ in range(100):
            try:
                httpx2.get(f"{address}/healthz")
            except httpx2.TransportError:
                break
            time.sleep(0.1)
        else:
            pytest.fail("it serves on")
