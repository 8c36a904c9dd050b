"""BM25 against its formula, written out here once more, and against the library bm25s."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import bm25s
import numpy as np
import pytest

import index.lexical
from index.lexical import CONTEXT, K1, B
from index.snapshot import Snapshot
from index.store import Store
from index.tokens import Tokenizer
from index.types import Batch, Entry, Hit

TOKENIZER = Tokenizer()

TEXTS = [
    "重庆布局建设金凤、嘉陵江、明月湖、广阳湖四大实验室。",
    "老旧小区改造惠及居民，重庆今年改造老旧小区2.5万户。",
    "成渝双城经济圈建设加快，重庆和四川合作。",
    "The city plans 17 technology innovation centres.",
    "The laboratories of the city: laboratories, laboratories.",
    "重庆重庆重庆重庆，山城的夜景。",
    "四川的实验室与重庆的实验室签约，增长2.5%。",
    "一带一路与西部陆海新通道。",
]
QUESTIONS = ["重庆的实验室", "老旧小区改造2.5万", "laboratory", "重庆 重庆 四川", "增长2.5%", "the"]


def entry(place: int, text: str) -> Entry:
    return Entry(f"id{place:02d}", f"g{place % 3}", text, "重庆 日报" if place % 2 else "")


ROWS = [entry(i, t) for i, t in enumerate(TEXTS)]


def written(rows: Sequence[Entry], question: str) -> dict[str, float]:
    """The formula, as the module's docstring has it."""
    counts, lengths = [], []
    for row in rows:
        text, context = Counter(TOKENIZER.tokens(row.text)), Counter(TOKENIZER.tokens(row.context))
        counts.append({t: text[t] + CONTEXT * context[t] for t in text | context})
        lengths.append(text.total() + CONTEXT * context.total())
    mean = sum(lengths) / len(rows)
    out = {}
    for row, count, length in zip(rows, counts, lengths, strict=True):
        score = 0.0
        for token in TOKENIZER.query_tokens(question):
            df = sum(token in c for c in counts)
            tf = count.get(token, 0)
            if tf:
                idf = math.log(1 + (len(rows) - df + 0.5) / (df + 0.5))
                score += idf * tf / (tf + K1 * (1 - B + B * length / mean))
        if score > 0:
            out[row.id] = score
    return out


def assert_formula(hits: Sequence[Hit], expected: dict[str, float]) -> None:
    assert {h.id: h.score for h in hits} == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert list(hits) == sorted(hits, key=lambda h: (-h.score, h.id))


def add(store: Store, rows: Sequence[Entry], remove: Sequence[str] = ()) -> Snapshot:
    vectors = np.tile(np.array([1, 0], np.float32), (len(rows), 1))
    return store.commit(Batch(rows, vectors), remove_groups=remove, model="m")


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_as_the_written_formula(tmp_path: Path, question: str) -> None:
    snapshot = add(Store(tmp_path / "index", TOKENIZER), ROWS)
    assert_formula(snapshot.lexical(question, 100), written(ROWS, question))


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_as_bm25s(tmp_path: Path, question: str) -> None:
    rows = [Entry(r.id, r.group, r.text) for r in ROWS]
    snapshot = add(Store(tmp_path / "index", TOKENIZER), rows)
    library = bm25s.BM25(method="lucene", k1=K1, b=B, backend="numpy")
    library.index([TOKENIZER.tokens(r.text) for r in rows], show_progress=False)
    known = [t for t in TOKENIZER.query_tokens(question) if t in library.vocab_dict]
    scores = library.get_scores(known) if known else np.zeros(len(rows))
    expected = {r.id: float(s) for r, s in zip(rows, scores, strict=True) if s > 0}
    assert_formula(snapshot.lexical(question, 100), expected)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("cuts", [[3], [1, 2, 3, 4, 5, 6, 7], [5, 6]])
def test_scores_do_not_depend_on_how_rows_are_spread(
    tmp_path: Path, question: str, cuts: list[int]
) -> None:
    store = Store(tmp_path / "index", TOKENIZER)
    for start, end in zip([0, *cuts], [*cuts, len(ROWS)], strict=True):
        add(store, ROWS[start:end])
    whole = add(Store(tmp_path / "whole", TOKENIZER), ROWS)
    assert store.open().lexical(question, 100) == whole.lexical(question, 100)


@pytest.mark.parametrize("question", QUESTIONS)
def test_deleted_rows_leave_the_statistics_at_once(tmp_path: Path, question: str) -> None:
    store = Store(tmp_path / "index", TOKENIZER)
    filler = [Entry(f"x{i}", "keep", f"另外{i}条消息") for i in range(20)]
    add(store, [*ROWS, *filler])
    snapshot = add(store, [], remove=["g1"])
    assert snapshot.stats()["deleted"] == 3  # few enough that they are still on the disk
    left = [r for r in [*ROWS, *filler] if r.group != "g1"]
    assert_formula(snapshot.lexical(question, 100), written(left, question))


@pytest.mark.parametrize("question", QUESTIONS)
def test_many_small_commits_equal_one(tmp_path: Path, question: str) -> None:
    """Merging keeps words, counts and contexts, and drops the dead."""
    store = Store(tmp_path / "index", TOKENIZER)
    rows = [Entry(f"r{i:02d}", f"g{i}", TEXTS[i % 8] + str(i), "题" * (i % 3)) for i in range(40)]
    for i, row in enumerate(rows):
        add(store, [row], remove=[f"g{i - 3}"] if i % 5 == 0 else [])
        store.merge(nullcontext)
    left = [r for i, r in enumerate(rows) if (i + 3) % 5 or i + 3 >= len(rows)]
    snapshot = store.open()
    assert snapshot.size == len(left)
    assert len(snapshot.stats()["segments"]) < 8  # type: ignore[arg-type]
    assert_formula(snapshot.lexical(question, 100), written(left, question))
    assert snapshot.groups() == {r.group for r in left}


@pytest.mark.parametrize("groups", [["g0"], ["g1", "g2"], ["none"], []])
def test_a_filter_removes_hits_and_changes_no_score(tmp_path: Path, groups: list[str]) -> None:
    snapshot = add(Store(tmp_path / "index", TOKENIZER), ROWS)
    group = {r.id: r.group for r in ROWS}
    for question in QUESTIONS:
        kept = [h for h in snapshot.lexical(question, 100) if group[h.id] in groups]
        for k in (1, 2, 100):
            assert snapshot.lexical(question, k, groups) == kept[:k]


def test_the_best_k_are_the_first_of_all(tmp_path: Path) -> None:
    snapshot = add(Store(tmp_path / "index", TOKENIZER), ROWS)
    everything = snapshot.lexical("重庆实验室改造", 100)
    assert len(everything) > 4
    for k in range(1, 12):
        assert snapshot.lexical("重庆实验室改造", k) == everything[:k]


def test_ties_are_ordered_by_id(tmp_path: Path) -> None:
    store = Store(tmp_path / "index", TOKENIZER)
    names = [f"{i:03d}" for i in np.random.default_rng(0).permutation(100)]
    for start in range(0, 100, 30):
        add(store, [Entry(n, "g", "重庆夜景") for n in names[start : start + 30]])
    for k in (1, 10, 100):
        assert [h.id for h in store.open().lexical("夜景", k)] == sorted(names)[:k]


@pytest.mark.parametrize("question", ["", "？！", "饕餮鼎", "zzzz", "\ud800", "的" * 3])
def test_unknown_words_find_nothing(tmp_path: Path, question: str) -> None:
    assert add(Store(tmp_path / "index", TOKENIZER), ROWS).lexical(question, 10) == []


def test_rows_without_a_word_can_be_indexed(tmp_path: Path) -> None:
    rows = [
        Entry("a", "g", ""),
        Entry("b", "g", "？？"),
        Entry("c", "g", "的"),
        Entry("d", "g", ""),
    ]
    snapshot = add(Store(tmp_path / "index", TOKENIZER), rows)
    assert snapshot.size == 4
    assert snapshot.lexical("重庆", 5) == []
    assert [h.id for h in snapshot.dense(np.array([1, 0], np.float32), 9)] == ["a", "b", "c", "d"]


def test_the_context_is_found_too(tmp_path: Path) -> None:
    rows = [Entry("a", "g", "夜景很美", "山城重庆"), Entry("b", "g", "夜景很美", "成都")]
    snapshot = add(Store(tmp_path / "index", TOKENIZER), rows)
    assert [h.id for h in snapshot.lexical("重庆", 5)] == ["a"]


def test_the_tokens_of_one_term_count_as_one_word(tmp_path):
    texts = ["重庆 市", "重庆 重庆", "渝州 城", "成都 市", "成都 平原", "武汉 长江"]
    rows = [Entry(f"r{i}", f"g{i}", text) for i, text in enumerate(texts)]
    snapshot = add(Store(tmp_path / "index", TOKENIZER), rows)
    hits = {h.id: h.score for h in snapshot.terms([{"重庆": 1.0, "渝州": 0.5}], 10)}

    def by_hand(tf, length):
        mean = sum(len(TOKENIZER.tokens(t)) for t in texts) / len(texts)
        idf = math.log(1 + (6 - 3 + 0.5) / (3 + 0.5))
        return idf * tf / (tf + K1 * (1 - B + B * length / mean))

    lengths = [len(TOKENIZER.tokens(t)) for t in texts]
    assert hits == pytest.approx(
        {
            "r0": by_hand(1, lengths[0]),
            "r1": by_hand(2, lengths[1]),
            "r2": by_hand(0.5, lengths[2]),
        },
        abs=1e-5,
    )
    assert snapshot.terms([{"无此词": 1.0}], 10) == []
    assert [h.id for h in snapshot.terms([{"渝州": 1.0}, {"城": 1.0}], 10, {"g2"})] == ["r2"]


def test_words_with_many_translations_are_summed_alike_both_ways(tmp_path: Path) -> None:
    """Rare tokens are read together, frequent ones one by one, several of a word over all rows."""
    rng = np.random.default_rng(3)
    words = ["重庆", "四川", "湖北", "夜景", "江水"]
    rows = [
        Entry(f"r{i:03d}", "g", "，".join(rng.choice(words, rng.integers(1, 6))))
        for i in range(300)
    ]
    rows.append(Entry("rare", "g", "灯塔，山村"))
    snapshot = add(Store(tmp_path / "index", TOKENIZER), rows)
    terms = [
        {"重庆": 1.0, "四川": 0.5, "湖北": 0.7},
        {"灯塔": 1.0, "山村": 0.5},
        {"夜景": 1.0, "无": 1.0},
        {"江水": 0.6, "灯塔": 0.9},
    ]
    found = {}
    for limit in (0, 1, 100, 10_000):
        with patch.object(index.lexical, "_FEW", limit):
            found[limit] = snapshot.terms(terms, 400)
    for hits in found.values():
        assert hits == found[0]
    assert len(found[0]) > 200
    assert found[0][0].id == "rare"
