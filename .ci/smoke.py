"""Run with the built wheel installed by itself: the command, the page, an article, a question."""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from starlette.testclient import TestClient

import api
from api.app import create_app
from api.settings import load

site = Path(sysconfig.get_path("purelib")).resolve()
assert Path(api.__file__).resolve().is_relative_to(site), f"{api.__file__} is not the wheel's"

command = Path(sysconfig.get_path("scripts")) / "wenju"
shown = subprocess.run([command, "--help"], check=True, capture_output=True, text=True).stdout
assert "serve" in shown

with (
    tempfile.TemporaryDirectory() as home,
    TestClient(create_app(load(home=Path(home))), "http://127.0.0.1") as client,
):
    page = client.get("/")
    assert page.status_code == 200
    assert "文据" in page.text
    text = "# 试验田\n\n本报记者 王一\n\n今年全县建成试验田三十二块。\n"
    added = client.post("/v1/articles", json={"name": "a.md", "text": text}).json()
    assert added["files"][0]["outcome"] == "added", added
    answer = client.post("/v1/ask", json={"question": "建成了多少块试验田？"}).json()
    assert "三十二" in answer["answer"], answer
    assert answer["citations"][0]["article"]["authors"] == ["王一"], answer
print(f"the wheel works ({sys.version.split()[0]})")
