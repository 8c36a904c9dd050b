"""Disks that are full or read only, and rights that go away: what is said; nothing is lost.

And a clock that jumps, for which the tests' own process is enough.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from fakes import HashingEncoder
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import load
from rag.pipeline import Pipeline

SCRIPT = Path(__file__).parent / "hardships.py"


def played(scene: str, tmp_path: Path, cache: Path, within: list[str]) -> dict:
    """What came of a scene, in a process of its own kind."""
    folder = tmp_path / "disk"
    folder.mkdir()
    tried = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"{within[0]} is not allowed here: {tried.stderr.strip()}")
    command = [*within, sys.executable, str(SCRIPT), scene, str(folder), str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def namespace() -> list[str]:
    """Where mounting changes nothing for others, and ends with the process."""
    if not (sys.platform == "linux" and shutil.which("unshare")):
        pytest.skip("mounting in a namespace of one's own needs Linux' unshare")
    enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "-r"]
    return [*enter, "sh", "-c", 'mount -t tmpfs tmpfs /mnt && exec "$@"', "sh"]


def judge(found: dict, advice: str) -> None:
    """Reading goes on, writing is refused with what to do, and all is kept."""
    assert found["before"]["status"] == 0, found["before"]
    for when in ("served", "again"):
        said = found[when]
        assert (said["search"], said["ask"], said["ready"]) == (200, 200, 200), said
        assert "k1x1" in said["first"]
    assert found["served"]["add"] == 503
    assert advice in found["served"]["error"]["message"]
    assert (found["again"]["add"], found["again"]["outcome"]) == (200, "added"), found["again"]
    commands = found["commands"]
    assert commands["articles"]["status"] == commands["ask"]["status"] == 0, commands
    assert "k1x1" in commands["ask"]["out"].replace("\n", "")
    for name in ("add", "delete", "keys", "backup"):
        done = commands[name]
        if advice == "room" and done["status"] == 0:
            continue  # some bytes had room still
        assert done["status"] == 1, (name, done)
        assert advice in done["err"], (name, done)
        assert len(done["err"].splitlines()) == 1
    assert commands["add"]["status"] == 1
    assert found["after"]["status"] == 0, found["after"]
    assert found["problems"] == []


def test_on_a_full_disk_answers_go_on_and_nothing_is_lost(tmp_path: Path, cache: Path) -> None:
    judge(played("full", tmp_path, cache, namespace()), "room")


def test_on_a_disk_that_can_only_be_read_answers_are_given(tmp_path: Path, cache: Path) -> None:
    judge(played("read_only", tmp_path, cache, namespace()), "mount it for writing")


def test_a_right_that_is_lost_is_named_and_used_again_when_it_is_back(
    tmp_path: Path, cache: Path
) -> None:
    within = ["env"]
    if os.geteuid() == 0:  # root may write everything, unless that is taken away
        if not shutil.which("setpriv"):
            pytest.skip("setpriv is not installed; root may write everything")
        within = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    judge(played("permission", tmp_path, cache, within), "give this user the right to write")


def article(number: int) -> dict[str, str]:
    return {"name": f"{number}.txt", "text": f"第{number}号通报\n\n本月第{number}座大桥竣工。\n"}


def test_a_clock_that_jumps_stops_no_question_and_mixes_up_no_order(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(home=tmp_path / "home", cache=cache, rate_address=30, deadline=1)
    app = create_app(settings, Pipeline(settings.config(), HashingEncoder()))
    moments = [datetime(year, 5, 20, tzinfo=UTC) for year in (2026, 2031, 2019, 2026, 1990)]
    generations, times = [], []
    with TestClient(app, base_url="http://localhost") as client, caplog.at_level(logging.INFO):
        for number, moment in enumerate(moments):
            with time_machine.travel(moment, tick=True):
                added = client.post("/v1/articles", json=article(number))
                assert added.json()["files"][0]["outcome"] == "added"
                asked = client.post("/v1/ask", json={"question": f"第{number}座大桥怎么了？"})
                assert asked.status_code == 200
                generations.append(asked.json()["receipt"]["generation"])
                given = {
                    "answer_id": f"a{number}",
                    "verdict": "up",
                    "question": "问",
                    "answer": "答",
                }
                assert client.post("/v1/feedback", json=given).status_code == 200
                assert client.get("/readyz").json()["status"] == "ready"
        assert generations == sorted(set(generations))
        held = client.get("/v1/feedback").json()["feedback"]
        assert {f["answer_id"] for f in held} == {f"a{n}" for n in range(len(moments))}
        audited = [r for r in caplog.records if r.message == "audit"]
        times = [datetime.fromtimestamp(r.created, UTC).year for r in audited]
        assert times == [m.year for m in moments for _ in range(2)]  # as the clock said, in order
        assert all(0 <= r.seconds < 60 for r in audited)
        passed = 0
        with time_machine.travel(moments[1], tick=True):  # no jump gives a new minute
            while client.get("/v1/facets").status_code == 200:
                passed += 1
                assert passed < 30
        with time_machine.travel(moments[2], tick=True):
            refused = client.get("/v1/facets")
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 60
