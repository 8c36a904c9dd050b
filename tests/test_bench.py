"""The benchmark on tiny archives: its values and counts, never its times."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from eval import bench, bench_copies, bench_search, bench_show
from eval.__main__ import app
from eval.bench_archive import (
    VECTORS,
    Setup,
    chosen,
    held_back,
    prepare,
    truly_encoded,
    vectors_of,
)
from eval.bench_clock import Timing, memory, peak
from eval.bench_lexical import overlap
from eval.bench_measure import Lines, spread
from eval.bench_questions import Deck, question_of, read_sets
from eval.bench_vectors import Mixed
from eval.documents import news
from eval.errors import BadSet
from index.vectors import VectorCache
from rag.config import Config
from rag.corpus import Corpus
from rag.errors import ModelMismatch
from rag.pipeline import Pipeline

DRAW = random.Random(0)  # noqa: S311 no secret
ROOT = Path(__file__).resolve().parents[1]
PLACES = ("金凤区", "明月湖", "嘉陵江", "两江新区", "缙云山", "铜梁", "永川", "璧山")
WORKS = ("隧道", "水库", "实验室", "博物馆", "码头", "高速公路", "粮仓", "气象站")


def line(number):
    place, work = PLACES[number % 8], WORKS[number // 8 % 8]
    return (
        f"2023-08-{number % 28 + 1:02d} 18:24:57，正文：{place}第{number}号{work}今天正式开工，"
        f"预计{number + 2}个月以后完成。负责人介绍，{work}将为{place}的居民带来方便。"
    )


@pytest.fixture
def setup(tmp_path, cache):
    path = tmp_path / "small.txt"
    path.write_text("\n".join(line(i) for i in range(40)) + "\n", encoding="utf-8")
    config = Config(home=tmp_path / "home", cache=cache, threads=1)
    return Setup(config=config, news=path, articles=24, more=6, clients=3, asked=6, lines=Lines())


def run(setup, *parts, encoder=None, out=None):
    return bench.run(setup, frozenset(parts), out, encoder or HashingEncoder())


def test_every_part_within_this_process_says_what_it_found(setup, tmp_path, capsys):
    out = tmp_path / "bench.json"
    report = run(setup, "lexical", "dense", "search", "build", "add", "delete", out=out)
    parts = report["parts"]
    assert (
        report["settings"] | {"articles": 24, "vectors": "real", "vectors_filled": 0}
        == (report["settings"])
    )
    engines = parts["lexical"]["part"]["engines"]
    assert parts["lexical"]["part"]["passages"] == report["settings"]["passages"] == 24
    assert engines["rank_bm25"]["overlap"] == 1.0
    assert engines["wenju"]["overlap"] > 0.9
    assert engines["sqlite_fts5"]["overlap"] > 0.9
    assert parts["dense"]["recall@10"] == 1.0
    assert parts["search"]["alone"]["n"] == 6
    assert parts["search"]["busy"]["n"] == 12
    assert parts["build"]["articles"] == 24
    assert parts["build"]["characters"] == report["settings"]["characters"]
    assert parts["build"]["peak_bytes"] > 50e6
    added = parts["add"]
    assert (added["articles"], added["searchable"]) == (6, 6)
    assert added["passages"] >= 6
    assert added["encoded"] >= 6
    assert parts["delete"]["articles"] == 5
    assert parts["delete"]["found_after"] == 0
    assert json.loads(out.read_text(encoding="utf-8")) == report
    # What was added and deleted was so in a copy, and nothing of that is left.
    corpus = Corpus(setup.config.home / "small-24" / "corpus.sqlite")
    assert len(corpus.ids()) == 24
    corpus.close()
    assert {p.name for p in setup.config.home.iterdir()} == {"small-24", VECTORS}
    bench_show.show(report)
    shown = capsys.readouterr().out
    assert "merge, from" in shown
    assert "rank_bm25" in shown
    assert "24 articles" in shown


def test_copies_make_a_sound_archive_so_many_times_over(setup):
    setup = replace(setup, copies=3)
    report = run(setup, "dense", "search", "add", "delete")
    settings, parts = report["settings"], report["parts"]
    assert (settings["articles"], settings["passages"], settings["copies"]) == (72, 72, 3)
    assert set(settings["made"]) == {"corpus", "index", "merge"}
    assert (parts["dense"]["rows"], parts["dense"]["recall@10"]) == (72, 1.0)
    assert parts["add"]["searchable"] == 6
    assert parts["delete"]["found_after"] == 0
    merge = parts["add"]["merge"]
    before, after = merge["segments"]
    assert merge["done"]
    assert len(after) < len(before)
    pipeline = Pipeline(replace(setup.config, home=setup.config.home / "small-24-x3"))
    assert pipeline.corpus.check() == []
    assert pipeline.store.verify() == []
    snapshot = pipeline.snapshot()
    assert snapshot.groups() == pipeline.corpus.ids()
    source = Corpus(setup.config.home / "small-24" / "corpus.sqlite")
    first = min(source.ids())
    [passage] = source.passages_of(first)
    source.close()
    copies = [bench_copies.renamed(passage.id, n) for n in (1, 2)]
    original = [key for key in snapshot.groups() if key[4:] == first[4:]]
    assert len(original) == 3
    assert {h.id for h in snapshot.dense(snapshot.vectors(copies[:1])[0], 1)} == {copies[0]}
    pipeline.close()


def test_a_second_run_encodes_nothing_again(setup):
    first, second = HashingEncoder(), HashingEncoder()
    prepare(setup, first, 24)
    assert first.encoded
    assert prepare(setup, second, 24).articles == 24
    made = prepare(setup, second, 20)  # another size has the same vectors
    assert (made.articles, second.encoded) == (20, [])


class Interrupted(HashingEncoder):
    """Ctrl-C while so many texts have been encoded."""

    def encode_passages(self, texts, progress=None):
        if len(self.encoded) + len(texts) > 30:
            raise KeyboardInterrupt
        return super().encode_passages(texts, progress)


def test_an_interrupted_run_goes_on_where_it_was(setup):
    cut, rest = Interrupted(), HashingEncoder()
    texts = [a.text for _, a in news(setup.news, 40)]
    with pytest.raises(KeyboardInterrupt):
        VectorCache(setup.config.home / VECTORS).encode(cut, texts, batch=10)
    with pytest.raises(KeyboardInterrupt):
        prepare(setup, cut, 24)
    assert len(cut.encoded) == 30
    archive = prepare(setup, rest, 24)
    assert (archive.articles, archive.passages) == (24, 24)
    assert rest.encoded
    assert not set(cut.encoded) & set(rest.encoded)


def test_lines_are_held_back_for_adding(setup):
    from dataclasses import replace

    assert chosen(setup) == 24
    assert chosen(replace(setup, articles=None)) == 34
    assert chosen(replace(setup, articles=1000)) == 34
    more = held_back(setup, 34)
    assert [a.text for a in more] == [a.text for _, a in news(setup.news)][34:]
    with pytest.raises(BadSet, match="more than 99 are needed"):
        chosen(replace(setup, more=99))
    with pytest.raises(BadSet, match="cannot be read"):
        chosen(replace(setup, news=setup.news.with_name("none.txt")))


def test_synthetic_vectors_never_mix_with_real_ones(setup):
    from dataclasses import replace

    real = HashingEncoder()
    some = replace(setup, synthetic=True)
    archive = prepare(some, real, 34)
    kept = VectorCache(setup.config.home / VECTORS)
    # The mixtures are made of the first 300 articles: here these are all, so fill some by hand.
    assert archive.filled == _filled(archive, setup, real)
    before = kept.size()
    source, filler = vectors_of(some, real)
    VectorCache(source).encode(filler, ["从未见过的句子", "另一个句子"])
    assert kept.size() == before
    assert kept.holds(real.fingerprint, ["从未见过的句子"]) == [False]
    assert VectorCache(source).holds(real.fingerprint, ["从未见过的句子"]) == [True]


def _filled(archive, setup, encoder):
    """Clauses: they are no base of the mixtures, so they alone are filled."""
    (path,) = setup.config.home.glob("vectors-synthetic-*.sqlite")
    began = int(path.stem.rpartition("-")[2])
    return VectorCache(path).size()[encoder.fingerprint] - began


def test_articles_with_a_synthetic_passage_are_told_apart(setup):
    encoder = HashingEncoder()
    archive = prepare(setup, encoder, 24)
    assert len(truly_encoded(setup, archive, encoder.fingerprint)) == 24
    pipeline = Pipeline(archive.config, encoder)
    passage = next(iter(pipeline.corpus.passages_of(min(pipeline.corpus.ids()))))
    pipeline.close()
    VectorCache(setup.config.home / VECTORS).forget([passage.text])
    left = truly_encoded(setup, archive, encoder.fingerprint)
    assert len(left) == 23
    assert passage.article_id not in left
    assert truly_encoded(setup, archive, "another model") == set()


def test_mixtures_have_length_one_and_depend_on_the_text_alone():
    encoder = HashingEncoder()
    base = encoder.encode_passages(PLACES + WORKS)
    mixed = Mixed(encoder, base)
    told = []
    rows = mixed.encode_passages(["甲", "乙", "甲"], told.append)
    assert told == [3]
    assert mixed.texts == 3
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[1:2], Mixed(encoder, base).encode_passages(["乙"]))
    assert mixed.encode_passages([]).shape == (0, encoder.dim)
    assert (mixed.fingerprint, mixed.dim) == (encoder.fingerprint, encoder.dim)
    assert mixed.count_tokens(["甲乙"]) == [2]


def test_questions_are_the_same_every_time_and_not_dealt_twice(setup):
    archive = prepare(setup, HashingEncoder(), 24)
    corpus = Corpus(archive.config.home / "corpus.sqlite")
    asked = [f"人的问题{i}？" for i in range(50)]
    one, two, other = (Deck(corpus, asked, 30, seed) for seed in (1, 1, 2))
    first = one.deal(20)
    assert first == two.deal(20)
    assert first != other.deal(20)
    assert (one.given, one.made) == (15, 15)
    assert len(set(first + one.deal(10))) == 30
    assert one.again == 0
    assert one.deal(5) == first[:5]
    assert one.again == 5
    corpus.close()


def test_a_made_question_begins_with_words_of_its_article(setup):
    for _, article in news(setup.news, 10):
        question = question_of(article, DRAW)
        clause = question.removesuffix("，情况如何？")
        assert len(clause) >= 6
        assert clause in article.text


def test_an_article_without_sentences_gives_no_question(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("短文。\n", encoding="utf-8")
    ((_, article),) = news(path)
    assert question_of(article, DRAW) is None


def test_question_sets_of_both_kinds_are_read(tmp_path):
    squad = tmp_path / "set.json"
    qas = [{"id": "1", "question": "研究什么？", "answers": [{"text": "健康"}]}]
    squad.write_text(
        json.dumps({"data": [{"paragraphs": [{"context": "研究健康。", "qas": qas}]}]}),
        encoding="utf-8",
    )
    sets, texts = read_sets([ROOT / "eval" / "data" / "sample-questions.jsonl", squad])
    assert [s.name for s in sets] == ["set"]
    assert texts[-1] == "研究什么？"
    assert len(texts) > 200
    with pytest.raises(BadSet):
        read_sets([tmp_path / "none.jsonl"])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40),
    st.integers(1, 10),
    st.randoms(use_true_random=False),
)
def test_recall_counts_what_is_as_good_as_the_exact_best(scores, depth, draw):
    exact = np.array(sorted(scores, reverse=True)[:depth], np.float32)
    shuffled = [float(x) for x in exact]
    draw.shuffle(shuffled)
    assert bench_search.recall(shuffled, exact) == 1.0
    assert bench_search.recall([], exact) == 0.0
    worse = [x - 1e-3 for x in map(float, exact)]
    expected = sum(x >= exact[-1] - 1e-5 for x in worse) / len(exact)
    assert bench_search.recall(worse, exact) == pytest.approx(expected)


def test_overlap_is_a_share_of_the_reference():
    assert overlap([["a", "b"], ["c"]], [["b", "d"], ["c"]]) == 0.75
    assert overlap([["a"], ["b"]], [[], ["b"]]) == 1.0
    assert overlap([["a"]], [[]]) is None


def test_spread_is_in_milliseconds():
    row = spread([Timing(n / 1000, 0.002) for n in range(1, 101)])
    assert (row["n"], row["p50"], row["p95"], row["p99"]) == (100, 50.0, 95.0, 99.0)
    assert (row["mean"], row["cpu"]) == (50.5, 2.0)


def test_the_peak_is_that_of_the_work_alone():
    def fill():
        with mmap(-1, 80_000_000) as fresh:  # pages of its own: malloc may hand out resident ones
            for _ in range(80):
                fresh.write(bytes(1_000_000))

    fill()
    with peak() as idle:
        pass
    with peak() as busy:
        fill()
    assert busy[0] - idle[0] > 70e6
    assert abs(idle[0] - sum(memory().values())) < 20e6


def test_every_question_of_many_clients_is_asked_once():
    asked = []
    row = bench_search.together(asked.append, [str(n) for n in range(50)], 4)
    assert sorted(asked, key=int) == [str(n) for n in range(50)]
    assert row["n"] == 50
    assert row["a_second"] > 0


def test_a_failing_client_is_not_passed_over():
    def fail(question):
        raise ModelMismatch("one", "other")

    with pytest.raises(ModelMismatch):
        bench_search.together(fail, ["a", "b"], 2)


def test_wrong_usage_names_what_there_is(setup):
    done = CliRunner().invoke(app, ["bench", "--news", str(setup.news), "--only", "speed,dense"])
    assert done.exit_code == 2
    said = " ".join(done.output.replace("│", " ").split())
    assert "speed; there are encode, lexical" in said
    done = CliRunner().invoke(app, ["bench", "--news", str(setup.news), "--vectors", "made"])
    assert done.exit_code == 2


@pytest.mark.model
@pytest.mark.slow
def test_the_parts_that_start_processes(setup, tmp_path):
    out = tmp_path / "bench.json"
    lines = [line(i) for i in range(140)]
    setup.news.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "eval", "bench", "--news", str(setup.news)),
            *("--home", str(setup.config.home), "--articles", "8", "--only", "http,open,memory"),
            *("--asked", "4", "--clients", "2", "--json", str(out)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = json.loads(out.read_text(encoding="utf-8"))["parts"]
    assert sorted(parts) == ["http", "memory", "open"]
    assert parts["http"]["busy"]["n"] == 8
    assert [parts["http"][k]["failed"] for k in ("alone", "busy", "several")] == [0, 0, 0]
    assert list(parts["open"]["steps"]) == ["import", "model", "open", "answer"]
    assert parts["memory"]["passages"] == 8
    held = parts["memory"]["memory"]
    assert held["searches"]["anon"] >= held["model"]["anon"] > 50e6
    assert "corpus.sqlite" in parts["memory"]["disk"]
