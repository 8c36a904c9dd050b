"""Anybody's bytes give a result or one of our errors: by Hypothesis, and by a guided fuzzer."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parent / "fuzz"
sys.path.insert(0, str(FOLDER))

from targets import TARGETS, seeds  # noqa: E402 beside this folder's tests


def changed(name: str) -> st.SearchStrategy[bytes]:
    """A seed with some of it cut out, put in or written over."""

    def change(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for at, long, new in edits:
            at %= len(seed) + 1
            seed = seed[:at] + new + seed[at + long :]
        return seed

    edit = st.tuples(st.integers(0, 500), st.integers(0, 8), st.binary(max_size=6))
    return st.builds(change, st.sampled_from(seeds(name)), st.lists(edit, max_size=6))


@pytest.mark.parametrize("name", list(TARGETS))
def test_whatever_bytes_come_nothing_breaks(name: str) -> None:
    target = TARGETS[name]
    for seed in seeds(name):
        target(seed)

    @settings(max_examples=60, deadline=None)
    @given(changed(name) | st.binary(max_size=200))
    def held(data: bytes) -> None:
        target(data)

    held()


@pytest.mark.slow
def test_the_guided_fuzzer_of_make_torture_runs_what_it_is_begun_with(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it has no wheel for this Python or system")
    command = [sys.executable, str(FOLDER / "run.py"), "every", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    ran = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert ran is not None
    assert int(ran[1]) > 10
