"""`wenju serve --workers 2`: real processes behind one socket, over one home."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from api.settings import load
from api.workers import share

PATIENCE = 120.0


@dataclass
class Served:
    process: subprocess.Popen[str]
    address: str

    def children(self) -> set[int]:
        """The server processes: those of the supervisor's children that serve."""
        found = set()
        for line in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = line.read_text().rpartition(")")[2].split()
                command = line.with_name("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == self.process.pid and b"spawn_main" in command:
                found.add(int(line.parent.name))
        return found

    def search(self, question: str) -> list[str]:
        """The texts found, over a connection of its own."""
        reply = httpx2.post(
            f"{self.address}/v1/search", json={"question": question}, timeout=PATIENCE
        )
        reply.raise_for_status()
        return [p["text"] for p in reply.json()["passages"]]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def begin(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "api.cli", "serve", "--workers", "2", "--port", "0"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WENJU_") or k == "WENJU_CACHE"}
    return subprocess.Popen(
        [*command, "--home", str(home)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=kept | {"PYTHONUNBUFFERED": "1", "WENJU_DEADLINE": "100"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    process = begin(tmp_path_factory.mktemp("workers") / "home")
    said = ""
    for line in process.stdout or ():
        said += line
        if match := re.search(r"Open (http://\S+)", line):
            break
    else:
        pytest.fail(said)
    with process:
        yield Served(process, match[1])
        process.kill()


def test_what_one_process_is_given_all_of_them_find(served: Served) -> None:
    until(lambda: len(served.children()) == 2)
    text = "鹿鸣镇今年新开了三家图书馆。"
    reply = httpx2.post(
        f"{served.address}/v1/articles",
        json={"name": "a.txt", "text": text},
        timeout=PATIENCE,
    )
    assert reply.status_code < 300, reply.text
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(served.search, ["鹿鸣镇开了几家图书馆？"] * 24))
    assert found == [[text]] * 24
    figures = httpx2.get(f"{served.address}/metrics", timeout=PATIENCE).text
    counted = re.findall(
        r'^wenju_requests_total\{method="POST",route="/v1/search",status="200"\} (\S+)$',
        figures, re.MULTILINE,
    )  # fmt: skip
    assert [float(n) for n in counted] == [24.0]
    assert re.findall(r"^wenju_passages (\S+)$", figures, re.MULTILINE) == ["1.0"]


def test_a_process_that_dies_is_replaced_and_the_others_go_on(served: Served) -> None:
    until(lambda: len(served.children()) == 2)
    before = served.children()
    dead = min(before)
    os.kill(dead, signal.SIGKILL)
    assert served.search("图书馆") is not None
    until(lambda: len(served.children() - {dead}) == 2)
    assert len(served.children() & before) == 1
    assert served.search("图书馆") is not None


def test_a_signal_ends_them_all(served: Served) -> None:
    until(lambda: len(served.children()) == 2)
    children = served.children()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(PATIENCE) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_what_keeps_a_process_from_beginning_is_told_and_ends_them_all(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    process = begin(tmp_path / "home")
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "home" in said
    assert "Traceback" not in said


def test_the_processes_share_what_the_settings_allow() -> None:
    settings = load(workers=4, threads=2, concurrency=8, rate_key=601, rate_address=0)
    own = share(settings)
    assert (own.threads, own.at_work, own.rate_key, own.rate_of_address) == (1, 2, 151, 0)
