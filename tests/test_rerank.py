"""The second stage reorders what the first found."""

from __future__ import annotations

import numpy as np
import pytest

from rag.errors import ModelUnavailable
from rag.rerank import DEPTH, CrossEncoderReranker, rerank
from rag.types import Article, Evidence, Passage, Span


class ByLength:
    """A longer text is a better one."""

    name = "by length"

    def __init__(self):
        self.read = []

    def scores(self, question, texts):
        self.read += texts
        return np.array([len(t) for t in texts], np.float32)


class Broken(ByLength):
    def scores(self, question, texts):
        return np.full(len(texts), np.nan, np.float32)


def piece(rank, text, score):
    article = Article(f"{rank:016d}", text, (), "题")
    passage = Passage(f"{rank}-0.0", article.id, 0, Span(0, len(text)), text)
    return Evidence(passage, article, rank, score, {"dense": 0.8})


def test_the_order_is_the_rerankers_and_the_scores_stay_in_order():
    evidence = [piece(1, "短", 0.9), piece(2, "最长的一段", 0.6), piece(3, "中等的", 0.2)]
    moved = rerank("问", evidence, ByLength())
    assert [e.passage.text for e in moved] == ["最长的一段", "中等的", "短"]
    assert [e.rank for e in moved] == [1, 2, 3]
    assert [e.score for e in moved] == [0.9, 0.6, 0.2]
    assert moved[0].signals == {"dense": 0.8, "rerank": 7.0}  # the title and a line end count


def test_only_the_best_are_read_again():
    evidence = [piece(i, "文" * i, 1 - i / 100) for i in range(1, DEPTH + 3)]
    reranker = ByLength()
    moved = rerank("问", evidence, reranker)
    assert len(reranker.read) == DEPTH
    assert [e.passage.id for e in moved[:2]] == [f"{DEPTH}-0.0", f"{DEPTH - 1}-0.0"]
    assert [e.passage.id for e in moved[DEPTH:]] == [f"{DEPTH + 1}-0.0", f"{DEPTH + 2}-0.0"]
    assert [e.rank for e in moved] == list(range(1, DEPTH + 3))


def test_scores_that_are_no_numbers_change_nothing():
    evidence = [piece(1, "短", 0.9), piece(2, "长一些", 0.6)]
    assert rerank("问", evidence, Broken()) == evidence
    assert rerank("问", [], ByLength()) == []


def test_a_folder_without_a_model_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(ModelUnavailable, match="WENJU_RERANKER"):
        CrossEncoderReranker(str(tmp_path))


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    """Makes a CrossEncoder as small as one can be, with random weights, in a folder."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    def made(labels):
        folder = tmp_path_factory.mktemp("cross-encoder")
        characters = sorted(set("实验室在重庆湖边没有房子只很长的路题哪里，。"))
        vocabulary = folder / "vocab.txt"
        vocabulary.write_text(
            "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]), "utf-8"
        )
        torch.manual_seed(0)
        shape = BertConfig(
            vocab_size=5 + len(characters),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
            num_labels=labels,
        )
        BertForSequenceClassification(shape).save_pretrained(folder)
        BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=64).save_pretrained(folder)
        CrossEncoder(str(folder), device="cpu")  # it can be loaded as it is
        return folder

    return made


@pytest.mark.slow
def test_a_real_cross_encoder_is_loaded_by_its_setting(cross_encoder, tmp_path, cache):
    from fakes import HashingEncoder

    from rag.config import Config
    from rag.pipeline import Pipeline

    folder = cross_encoder(1)
    file = tmp_path / "a.md"
    file.write_text(
        "---\ntitle: 题\n---\n\n实验室在重庆。\n\n湖边没有房子，只有很长的路。\n", "utf-8"
    )
    config = Config(home=tmp_path / "home", cache=cache, reranker=str(folder))
    pipeline = Pipeline(config, HashingEncoder())
    try:
        pipeline.add([file])
        found = pipeline.search("实验室在哪里")
    finally:
        pipeline.close()
    texts = [f"题\n{e.passage.text}" for e in found]
    alone = CrossEncoderReranker(str(folder)).scores("实验室在哪里", texts)
    assert alone.dtype == np.float32
    assert [e.signals["rerank"] for e in found] == pytest.approx(alone.tolist(), abs=1e-4)
    assert list(alone) == sorted(alone, reverse=True)
    assert len(set(alone.tolist())) == 2  # it does tell them apart


@pytest.mark.slow
def test_one_with_several_outputs_is_refused(cross_encoder):
    with pytest.raises(ModelUnavailable, match="gives 3 scores a pair"):
        CrossEncoderReranker(str(cross_encoder(3)))


@pytest.mark.slow
def test_a_damaged_one_is_refused(cross_encoder):
    folder = cross_encoder(1)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelUnavailable, match="WENJU_RERANKER"):
        CrossEncoderReranker(str(folder))


def test_the_pipeline_uses_it(tmp_path, cache):
    from fakes import HashingEncoder

    from rag.config import Config
    from rag.pipeline import Pipeline

    file = tmp_path / "a.md"
    file.write_text(
        "---\ntitle: 题\n---\n\n实验室在重庆。\n\n湖边没有房子，只有很长的路。\n", "utf-8"
    )
    config = Config(home=tmp_path / "home", cache=cache)
    pipeline = Pipeline(config, HashingEncoder(), reranker=ByLength())
    try:
        pipeline.add([file])
        found = pipeline.search("实验室在哪里")
        assert [e.passage.paragraph for e in found] == [1, 0]
    finally:
        pipeline.close()
