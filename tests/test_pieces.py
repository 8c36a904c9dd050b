"""The bundled tokeniser's ids, from the few pieces that stand in a text, against all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from index import bundled
from index.pieces import Pieces, load_pieces

TOKENIZER = bundled._locate(bundled._TOKENIZER)


@pytest.fixture(scope="module")
def whole() -> Tokenizer:
    return Tokenizer.from_file(str(TOKENIZER))


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Pieces:
    return load_pieces(TOKENIZER, tmp_path_factory.mktemp("cache") / "pieces.npz")


ODD = "重庆市2023年，。 aBcé１Ａ臺𠀀<s>/mask▁\u200b\n"


@given(text=st.text(max_size=60) | st.text(ODD, max_size=40))
@example("")
@example("  ")
@example("query: 全市今年计划新建多少个社区食堂？")
@example("passage: When will the second phase open？ <mask> </s><s><unk>x")
@example("﷽ﬁ①㎏ e\u0301")
def test_a_text_is_cut_as_by_the_whole_vocabulary(
    pieces: Pieces, whole: Tokenizer, text: str
) -> None:
    assert pieces.ids(text) == whole.encode(text).ids


def test_they_are_kept_and_made_again_when_damaged(tmp_path: Path) -> None:
    kept_as = tmp_path / "new" / "pieces.npz"
    first = load_pieces(TOKENIZER, kept_as).ids("重庆")
    raw = bytearray(kept_as.read_bytes())
    assert load_pieces(tmp_path / "none", kept_as).ids("重庆") == first
    raw[len(raw) // 2] ^= 1
    kept_as.write_bytes(raw)
    assert load_pieces(TOKENIZER, kept_as).ids("重庆") == first
    assert load_pieces(tmp_path / "none", kept_as).ids("重庆") == first


@pytest.mark.parametrize("change", [{"type": "BPE"}, {"byte_fallback": True}])
def test_another_kind_of_tokeniser_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    facts = {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]} | change}
    (tmp_path / "tokenizer.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="unigram"):
        load_pieces(tmp_path / "tokenizer.json", tmp_path / "pieces.npz")
