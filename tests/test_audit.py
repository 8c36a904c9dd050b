"""Every write leaves a line in the home, whoever did it and however."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from fakes import HashingEncoder
from serving import WENJU
from starlette.testclient import TestClient

from api.app import create_app
from api.audit import FILE, audited, changed
from api.settings import load
from rag.errors import NotFound
from rag.pipeline import Pipeline
from rag.types import FileReport


def lines(home: Path) -> list[dict]:
    text = (home / FILE).read_text(encoding="ascii")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_the_command_line_and_the_server_leave_a_line_of_each_write(
    tmp_path: Path, cache: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "in"
    folder.mkdir()
    (folder / "a.md").write_text("# 试验田\n\n今年全县建成试验田三十二块。\n", encoding="utf-8")

    def wenju(*arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [*WENJU, *arguments, "--home", home], capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "WENJU_CACHE": str(cache), "LOGNAME": "desk"},
            check=False,
        )  # fmt: skip
        assert bool(done.returncode) == fails, done.stderr
        return done.stdout

    wenju("add", str(folder))
    key = wenju("keys", "create", "desk {}", "--json")
    wenju("delete", "0123456789abcdef", fails=True)
    wenju("backup", str(tmp_path / "b.tar"))
    app = create_app(load(home=home, cache=cache), Pipeline(load(home=home, cache=cache).config(),
                                                            HashingEncoder()))  # fmt: skip
    with TestClient(app, base_url="http://localhost") as client:
        assert client.delete("/v1/articles/0123456789abcdef").status_code == 404
        given = {"answer_id": "a1", "verdict": "up", "question": "问", "answer": "答"}
        assert client.post("/v1/feedback", json=given).status_code == 200
    wenju("restore", str(tmp_path / "b.tar"), "--force")
    held = lines(home)
    assert [one.get("command") or one["method"] for one in held] == [
        "wenju add", "wenju keys create", "wenju delete", "POST", "wenju restore",
    ]  # fmt: skip
    add, create, delete, verdict, restore = held
    assert (add["outcome"], add["files"], add["articles"]) == ("done", {"added": 1}, 1)
    assert len(add["first_articles"][0]) == 16
    assert add["user"] == "desk"
    assert (create["key_name"], create["scopes"]) == ("desk {}", ["read"])
    assert json.loads(key)["key"] not in (home / FILE).read_text()
    assert (delete["outcome"], delete["reason"]) == ("failed", "NotFound")
    assert (verdict["path"], verdict["status"], verdict["verdict"]) == ("/v1/feedback", 200, "up")
    assert restore["articles"] == 1
    assert all(one["event"] == "audit" and one["time"] for one in held)
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600


def test_a_command_that_fails_begins_no_home(tmp_path: Path) -> None:
    with pytest.raises(NotFound), audited(tmp_path, "restore"):
        raise NotFound("x")
    assert not list(tmp_path.iterdir())


def test_a_line_that_cannot_be_written_stops_nothing_and_is_told(tmp_path: Path, caplog) -> None:
    with audited(tmp_path / "absent", "add") as told:
        told["files"] = {}
    assert "No line could be written" in caplog.text


def test_of_many_articles_the_first_are_named() -> None:
    reports = [FileReport("a", "added", tuple(map(str, range(30))), more=5),
               FileReport("b", "failed", reason="is empty")]  # fmt: skip
    facts = changed(reports)
    assert facts["files"] == {"added": 1, "failed": 1}
    assert facts["articles"] == 35
    assert facts["first_articles"] == [str(n) for n in range(20)]
