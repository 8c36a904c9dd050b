"""Folding and cutting: one set of rules for questions and passages."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import BadInput
from index.tokens import LONGEST_TOKEN, STOP_WORDS, Tokenizer, fold


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


SHARED = Tokenizer()  # for Hypothesis, which may not use fixtures of a function


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＷＥＮＪＵ２０２４％", "wenju2024%"),
        ("臺灣著名的軟體", "台湾著名的软体"),
        ("Straße ÉCOLE", "strasse école"),
        ("㎞ Ⅳ ①", "km iv 1"),
        ("ﬁnance", "finance"),
        ("", ""),
        ("\ud800", "?"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_fold_twice_is_fold_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet="臺灣乾隆著名後面發展麵裏鬱徵於瞭馀餘干后台里"))
def test_fold_twice_is_fold_once_in_chinese(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_chinese_is_cut_into_words(tokenizer: Tokenizer) -> None:
    found = tokenizer.tokens("重庆的实验室")
    assert {"重庆", "实验室"} <= set(found)
    assert "的" not in found


def test_both_scripts_and_widths_give_the_same_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokens("臺灣的經濟增長２．５％") == tokenizer.tokens("台湾的经济增长2.5%")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("2.5%", ["2.5%"]),
        ("33,618", ["33618"]),
        ("33618", ["33618"]),
        ("1+N+X", ["1+n+x"]),
        ("5G C919", ["5g", "c919"]),
        ("COVID-19", ["covid", "19", "covid-19"]),
        ("R&D", ["r&d"]),
        ("cities' people’s classes buses status", ["city", "people", "classe", "buse", "status"]),
        ("state-of-the-art", ["state", "art"]),
        ("12,5", ["12", "5"]),
        ("2023-2024", ["2023", "2024", "2023-2024"]),
        ("Москва 東京タワー"[:6], ["москва"]),
    ],
)
def test_numbers_and_words(tokenizer: Tokenizer, text: str, tokens: list[str]) -> None:
    assert tokenizer.tokens(text) == tokens


@pytest.mark.parametrize("text", ["的", "的了吗", "什么是", "who is it", "How many?"])
def test_stop_words_stay_where_a_question_has_nothing_else(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.tokens(text) == []
    found = tokenizer.query_tokens(text)
    assert found
    assert set(found) & STOP_WORDS


def test_a_question_without_a_word_is_empty(tokenizer: Tokenizer) -> None:
    assert tokenizer.query_tokens("？？！ …") == []


@given(st.text())
@settings(deadline=None)
def test_what_has_a_letter_or_digit_is_never_empty(text: str) -> None:
    found = SHARED.query_tokens(text)
    assert found or not any(c.isalnum() for c in fold(text))
    assert all(0 < len(t) <= LONGEST_TOKEN for t in found)
    assert set(SHARED.tokens(text)).isdisjoint(STOP_WORDS)


@given(st.text(alphabet="重庆市的了在2.5%,a+N X-\n、。臺", max_size=60))
@settings(deadline=None)
def test_a_passage_and_the_same_question_share_their_tokens(text: str) -> None:
    found = SHARED.tokens(text)
    if found:
        assert SHARED.query_tokens(text) == found


@pytest.mark.parametrize("character", ["龘", "重", "a", "7", "1+", "a-", "ab,", "7,777"])
def test_long_runs_take_linear_time(tokenizer: Tokenizer, character: str) -> None:
    tokenizer.tokens(character * 10)  # loads the dictionary
    started = time.process_time()
    found = tokenizer.query_tokens(character * 50_000)
    assert time.process_time() - started < 10  # jieba's model alone needs more than 10 s for it
    assert found
    assert max(map(len, found)) <= LONGEST_TOKEN


def test_a_user_dictionary_keeps_its_words_whole(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("\ufeff巴渝數智谷 20000 n\n\n5G＋工业\n金鳳雲腦\n", encoding="utf-8")
    own = Tokenizer(words)
    assert "巴渝数智谷" in own.tokens("建设巴渝数智谷")
    assert "5g+工业" in own.tokens("推进5G+工业互联网")
    assert "金凤云脑" in own.tokens("金凤云脑发布")
    assert "巴渝数智谷" not in Tokenizer().tokens("建设巴渝数智谷")


def test_the_fingerprint_follows_the_dictionary(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("巴渝数智谷\n", encoding="utf-8")
    first = Tokenizer(words).fingerprint
    assert first == Tokenizer(words).fingerprint
    assert first != Tokenizer().fingerprint
    assert Tokenizer().fingerprint == Tokenizer().fingerprint
    words.write_text("巴渝数智谷 5\n", encoding="utf-8")
    assert Tokenizer(words).fingerprint != first


@pytest.mark.parametrize(
    "contents", ["词 -3\n".encode(), "词 0\n".encode(), "词 1e5\n".encode(), "词".encode("gb18030")]
)
def test_a_bad_dictionary_is_refused(tmp_path: Path, contents: bytes) -> None:
    words = tmp_path / "words.txt"
    words.write_bytes(contents)
    with pytest.raises(BadInput, match=r"words\.txt"):
        Tokenizer(words)


def test_a_missing_dictionary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Tokenizer(tmp_path / "none.txt")


def test_threads_share_one_tokenizer() -> None:
    own = Tokenizer()
    text = "重庆市正在布局建设四大实验室"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: own.tokens(text), range(64)))
    assert all(f == SHARED.tokens(text) for f in found)


def test_other_tokenizers_of_the_process_are_not_changed(tmp_path: Path) -> None:
    import jieba

    words = tmp_path / "words.txt"
    words.write_text("巴渝数智谷 20000\n", encoding="utf-8")
    Tokenizer(words).tokens("巴渝数智谷")
    assert "巴渝数智谷" not in jieba.dt.FREQ
