"""jieba's dictionary from the cache folder is jieba's own."""

from __future__ import annotations

import logging
from pathlib import Path

import jieba
import pytest

from index.words import frequencies


@pytest.fixture(scope="module")
def own() -> tuple[dict[str, int], int]:
    words, total = jieba.Tokenizer().gen_pfdict(jieba.Tokenizer().get_dict_file())
    return words, total


def test_what_is_kept_is_what_jieba_reads(tmp_path: Path, own: tuple[dict[str, int], int]) -> None:
    cache = tmp_path / "new" / "cache"
    assert frequencies(cache) == own
    [path] = cache.iterdir()
    assert frequencies(cache) == own
    assert frequencies(None) == own
    assert list(cache.iterdir()) == [path]


def test_a_damaged_file_is_made_again(
    tmp_path: Path, own: tuple[dict[str, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    frequencies(tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    for damaged in (
        whole[:1000],
        b"",
        whole[:-5000] + b"x" * 5000,
        whole[:900_000] + b"?" + whole[900_001:],
    ):
        path.write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            assert frequencies(tmp_path) == own
        assert "words_unreadable" in caplog.text
        caplog.clear()
        assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_only_time(
    tmp_path: Path, own: tuple[dict[str, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert frequencies(tmp_path / "file" / "cache") == own
    assert "words_not_kept" in caplog.text
