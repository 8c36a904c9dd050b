"""Comparing engines: an archive that is brought over is the same one, whatever engine it is in."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from fakes import HashingEncoder

from eval.engines import show
from eval.engines_archive import Other, archive_in_both
from eval.server_memory import family, memory_of
from eval.torture_archive import change, question_of
from rag.config import Config
from rag.pipeline import Pipeline


def test_an_archive_brought_over_finds_the_same(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = HashingEncoder()
    one = Pipeline(Config(home=tmp_path / "one", cache=cache, threads=1), encoder)
    two = Pipeline(Config(home=tmp_path / "two", cache=cache, threads=1), encoder)
    sizes = iter((1_000, 3_000))
    other = Other("twin", lambda _: {}, lambda: next(sizes), lambda: 7)
    with closing(one), closing(two):
        for number in range(1, 5):
            change(one, "add", number)
        asked = [question_of(n) for n in range(1, 5)]
        found = archive_in_both(one, two, other, encoder, asked, lambda _: None)
        assert two.snapshot().size == one.snapshot().size == found["passages"]
        assert two.corpus.ids() == one.corpus.ids()
    assert found["server_memory_bytes"] == {"empty": 1_000, "full": 3_000}
    assert found["server_disk_bytes"] == 7
    for row in found["dense_search"]:
        assert row["embedded"]["recall@10"] == row["twin"]["recall@10"] == 1.0
    assert found["keyword_search"]["agreement@10"] == 1.0
    assert set(found["questions_ms"]) == {"embedded", "twin"}
    show({"kind": "engines", "twin": {"sets": [], "archive": found}})
    assert "twin: archive server_disk_bytes: 7" in capsys.readouterr().out


def test_memory_is_that_of_a_process_and_its_children() -> None:
    assert os.getpid() in set(family(os.getpid()))
    assert memory_of(os.getpid()) > 10_000_000
    with pytest.raises(OSError, match="No such"):
        memory_of(2**22 - 1)
