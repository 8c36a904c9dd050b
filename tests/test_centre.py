"""Means by language: taken off, kept, and made again when they are lost."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import HashingEncoder
from hypothesis import given
from hypothesis import strategies as st

from rag.centre import LANGUAGES, SHARE, centred, centred_cosines, load_centres


def test_a_share_of_the_mean_is_taken_off_and_the_length_is_one():
    rows = np.array([[1, 0], [0, 1]], np.float32)
    mean = np.array([0.5, 0.5], np.float32)
    left = centred(rows, mean)
    by_hand = np.array([1 - SHARE / 2, -SHARE / 2]) / np.hypot(1 - SHARE / 2, SHARE / 2)
    assert left[0] == pytest.approx(by_hand)
    assert left[1] == pytest.approx(by_hand[::-1])
    assert centred(rows[0], mean) == pytest.approx(by_hand)


def test_a_vector_that_is_its_mean_gives_numbers_still():
    mean = np.array([1 / SHARE, 0], np.float32)
    assert np.isfinite(centred(np.array([1, 0], np.float32), mean)).all()


def test_means_are_made_once_and_kept(tmp_path):
    encoder = HashingEncoder()
    first = load_centres(encoder, tmp_path / "cache")
    assert len(encoder.encoded) == 200
    again = load_centres(encoder, tmp_path / "cache")
    assert len(encoder.encoded) == 200
    for language in LANGUAGES:
        assert np.array_equal(first.question[language], again.question[language])
        assert np.array_equal(first.passage[language], again.passage[language])
        assert np.linalg.norm(first.passage[language]) < 1


def test_another_model_has_its_own_and_a_damaged_file_is_replaced(tmp_path):
    load_centres(HashingEncoder(), tmp_path)
    [file] = tmp_path.glob("centres-*.npz")
    other = HashingEncoder(dim=32)
    assert load_centres(other, tmp_path).question["zh"].shape == (32,)
    assert len(list(tmp_path.glob("centres-*.npz"))) == 2
    file.write_bytes(b"PK\x03\x04 no archive")
    encoder = HashingEncoder()
    load_centres(encoder, tmp_path)
    assert len(encoder.encoded) == 200
    load_centres(encoder, tmp_path)
    assert len(encoder.encoded) == 200


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert load_centres(HashingEncoder(), tmp_path / "file").question["en"].shape == (64,)


@given(st.integers(0, 2**32 - 1))
def test_cosines_without_centring_each_row_are_those_with_it(seed):
    rng = np.random.default_rng(seed)
    rows, means = rng.normal(size=(20, 8)), rng.normal(size=(3, 8)) / 4
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    means, vector = means.astype(np.float32), rows[7]
    which = rng.integers(0, 3, 20)
    expected = centred(rows, means[which]) @ vector
    np.testing.assert_allclose(centred_cosines(rows, vector, means, which), expected, atol=2e-5)
