"""The files that others run: names in them exist, and they take no rights that are not needed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from api.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
UNIT = (ROOT / "deploy" / "wenju.service").read_text("utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")


def test_every_setting_that_they_name_exists():
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = set(re.findall(r"\bWENJU_[A-Z_]+", DOCKERFILE + UNIT + COMPOSE))
    assert named - known == set()
    assert {"WENJU_HOME", "WENJU_CACHE"} <= named


def test_the_image_runs_without_rights():
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.M)
    assert "/readyz" in DOCKERFILE
    service = yaml.safe_load(COMPOSE)["services"]["wenju"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_what_is_copied_into_the_image_is_let_in():
    let_in = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text("utf-8"), re.M))
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.M)
    assert {name for line in copied for name in line.split()} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_systemd_reads_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "wenju.service"
    unit.write_text(UNIT.replace("/opt/wenju/bin/wenju", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "wenju.service" not in done.stderr, done.stderr


def test_the_security_page_names_tests_that_exist():
    said = (ROOT / "SECURITY.md").read_text("utf-8")
    for name in set(re.findall(r"`(test_\w+)", said)):
        assert (ROOT / "tests" / f"{name}.py").is_file(), name
    tests = "".join(p.read_text("utf-8") for p in (ROOT / "tests").glob("test_*.py"))
    for name in set(re.findall(r"(?:: |…)(test_\w+)", said)):
        assert f"def {name}(" in tests, name
