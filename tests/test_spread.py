"""Encoding on a Ray cluster of this machine's own: in a process of its own, as Ray stays in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eval.hashed import Hashed
from eval.torture_archive import opened, text_of
from index.spread import PIECE, at_once

SCRIPT = Path(__file__).parent / "encode_by_ray.py"


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_repeats_little(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(40):
        (folder / f"d{number}.txt").write_text(text_of(number, 8), encoding="utf-8")
    command = [sys.executable, SCRIPT, tmp_path / "home", cache, folder, tmp_path / "calls"]
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "HOME": str(tmp_path)},  # Ray keeps a key of its cluster in it
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["outcomes"] == ["added"] * 40
    assert told["workers"] == 3  # two, and the one in the place of the killed one
    assert told["again"] == 0  # what has a vector is not encoded again
    with opened(tmp_path / "plain", cache) as plain, opened(tmp_path / "home", cache) as spread:
        plain.add([folder])
        assert spread.snapshot().size == told["passages"] == plain.snapshot().size
        ids = sorted(p.id for key in plain.corpus.ids() for p in plain.corpus.passages_of(key))
        for one, two in zip(
            plain.snapshot().vectors_and_parts(ids),
            spread.snapshot().vectors_and_parts(ids),
            strict=True,
        ):
            np.testing.assert_array_equal(one, two)
        texts = plain.vectors.size()[Hashed().fingerprint]
    # What the killed one had in hand, and what lay ready for it.
    assert texts <= told["encoded"] <= texts + 2 * PIECE


def test_without_ray_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from eval.hashed import Hashed\nfrom index.spread import RayEncoder\n"
        "RayEncoder(Hashed, 'local', 2)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'wenju[ray]'" in done.stderr


def test_an_encoder_here_is_given_as_many_texts_as_before() -> None:
    assert at_once(Hashed()) == 256
