"""SECURITY.md and OPERATIONS.md name what is there: tests, targets, settings, figures, commands."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command

from api.app import create_app
from api.cli import app
from api.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
OPERATIONS = (ROOT / "OPERATIONS.md").read_text("utf-8")
POINTS = {
    line.split()[1]: line.split("|")[3]
    for line in SECURITY.splitlines()
    if re.match(r"\| (API|LLM)\d+ ", line)
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def functions(module: str) -> set[str]:
    """The tests of a file of tests."""
    tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text("utf-8"))
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_point_of_both_lists_is_answered() -> None:
    lists = {f"API{n}" for n in range(1, 11)} | {f"LLM{n:02d}" for n in range(1, 11)}
    assert set(POINTS) == lists


@pytest.mark.parametrize("point", sorted(POINTS))
def test_every_point_names_a_test_that_exists(point: str) -> None:
    module, named = "", 0
    for name in re.findall(r"`([^`]+)`", POINTS[point]):
        if name.startswith("make "):
            assert name.removeprefix("make ") in TARGETS, name
            continue
        if name.startswith("…"):
            function = name.removeprefix("…")
        else:
            module, _, function = name.partition(": ")
        held = functions(module)
        assert function in held if function else any(one.startswith("test_") for one in held), name
        named += 1
    assert named, "only a tool that is run by hand"


def test_settings_that_are_named_exist() -> None:
    known = {f"WENJU_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"WENJU_[A-Z_]+[A-Z]", SECURITY + OPERATIONS))
    assert named - known == set()


def test_figures_that_are_named_are_given(pipeline) -> None:
    metrics = create_app(Settings(home=pipeline.config.home), pipeline).state.wenju.observer.metrics
    given = set(re.findall(r"^# TYPE (\w+)", metrics.text().decode(), re.MULTILINE))
    named = set(re.findall(r"`(wenju_\w+|process_\w+)", OPERATIONS))
    assert {n.removesuffix("_total") for n in named} <= {g.removesuffix("_total") for g in given}


def test_commands_that_are_named_exist() -> None:
    known = set(get_command(app).commands)
    named = set(re.findall(r"(?:^|[`· ])wenju ([a-z]+)\b(?= |`|$)", OPERATIONS, re.MULTILINE))
    assert {"backup", "keys", "doctor"} <= named
    assert named <= known, named - known
