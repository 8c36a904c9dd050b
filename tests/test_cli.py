import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from serving import WENJU

ROOT = Path(__file__).resolve().parent.parent


def wenju(*args, home=None, program=(sys.executable, "-m", "api.cli"), **env):
    command = [*program, *map(str, args)]
    if home is not None:
        command += ["--home", str(home)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **env}, check=False
    )


def test_help_is_instant_and_loads_nothing_heavy():
    heavy = ("torch", "faiss", "jieba", "numpy")
    code = f"import sys, api.cli; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
    assert "doctor" in wenju("--help").stdout


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["ask"], 2, "Missing argument 'question'"),
        (["nonsense"], 2, "nonsense"),
        (["ask", "重庆", "--top-k", "99"], 2, "WENJU_TOP_K"),
        (["ask", ""], 1, "empty"),
        (["ask", "q" * 100_000], 1, "at most 512"),
        (["delete", "0123"], 1, "There is no article 0123"),
        (["pages", "/no/such/file.txt"], 1, "/no/such/file.txt"),
        (["serve", "--port", "70000"], 2, "WENJU_PORT"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(tmp_path, args, status, said):
    home = None if args[0] in ("pages", "nonsense") else tmp_path
    done = wenju(*args, home=home)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_debug_shows_the_traceback(tmp_path):
    done = wenju("ask", "", "--debug", home=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_unknown_setting_is_wrong_usage(tmp_path):
    done = wenju("articles", home=tmp_path, WENJU_HOMES="x")
    assert (done.returncode, "WENJU_HOMES" in done.stderr) == (2, True)


@pytest.mark.model
def test_a_page_is_added_asked_listed_and_deleted(tmp_path):
    home, folder = tmp_path / "home", tmp_path / "in"
    folder.mkdir()
    (folder / "a.md").write_text(
        "---\ntitle: 试验田\nauthors: 王一\ndate: 2024-05-20\n---\n\n"
        "今年全县建成试验田三十二块。\n",
        encoding="utf-8",
    )
    added = wenju("add", folder, "--json", home=home)
    assert added.returncode == 0, added.stderr
    assert added.stderr == ""  # no progress bar where there is no terminal
    article = json.loads(added.stdout)["files"][0]["articles"][0]

    asked = json.loads(wenju("ask", "建成了多少块试验田？", "--json", home=home).stdout)
    assert "三十二" in asked["answer"]
    plain = wenju("ask", "建成了多少块试验田？", home=home).stdout
    assert "[1] 《试验田》 · 王一 · 2024-05-20 · 第1段" in plain

    found = json.loads(wenju("search", "试验田", "--json", home=home).stdout)
    assert found["passages"][0]["article"]["id"] == article
    assert article in wenju("articles", home=home).stdout

    checked = json.loads(wenju("doctor", "--json", home=home).stdout)["findings"]
    assert {f["name"] for f in checked} >= {"versions", "model", "index", "corpus", "agreement"}
    assert all(f["good"] for f in checked), checked

    assert wenju("delete", article, home=home).stdout == f"deleted {article}\n"
    assert json.loads(wenju("articles", "--json", home=home).stdout) == {"articles": [], "total": 0}


def test_a_cut_index_is_named_and_repaired(tmp_path, cache):
    fake = partial(wenju, program=WENJU, WENJU_CACHE=str(cache))
    home, source = tmp_path / "home", tmp_path / "a.txt"
    source.write_text("今年全县建成试验田三十二块，产量翻了一番。", encoding="utf-8")
    assert fake("add", source, home=home).returncode == 0
    for path in (home / "index").rglob("*"):
        if path.is_file() and path.stat().st_size > 100:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    broken = fake("ask", "建成了多少块试验田？", home=home)
    assert broken.returncode == 1
    assert "wenju doctor --repair" in broken.stderr
    assert fake("doctor", home=home).returncode == 1
    assert fake("doctor", "--repair", home=home).returncode == 0
    assert "三十二" in fake("ask", "建成了多少块试验田？", home=home).stdout


def test_what_cannot_be_read_is_reported_and_the_rest_is_added(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "empty.txt").touch()
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 50)
    (folder / "line.txt").write_bytes("长".encode() * (50 * 1024 * 1024 // 3))
    done = wenju("add", folder, tmp_path / "missing", "--json", home=tmp_path / "home")
    assert done.returncode == 1
    reports = {Path(r["file"]).name: r for r in json.loads(done.stdout)["files"]}
    assert set(reports) == {"empty.txt", "binary.txt", "line.txt", "missing"}
    assert all(r["outcome"] == "failed" and r["reason"] for r in reports.values())


def test_a_closed_pipe_ends_quietly(tmp_path):
    command = f"{sys.executable} -m api.cli articles --home {tmp_path} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.model
def test_the_server_answers_and_ends_gracefully(tmp_path):
    import urllib.request

    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve", "--home", tmp_path / "home", "--port", "0"],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 90
            while "http://" not in log.read_text():
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            address = log.read_text().split("Open ")[1].split()[0]
            with urllib.request.urlopen(f"{address}/readyz", timeout=20) as response:  # noqa: S310 ours
                assert json.load(response)["status"] == "ready"
            server.terminate()
            assert server.wait(30) == 0, log.read_text()
        finally:
            server.kill()
            server.wait()
    assert "Traceback" not in log.read_text()
