"""Vectors without what their language adds to them, so that both languages can be compared.

A multilingual encoder's vectors crowd by language and by kind (question or passage): an English
question is nearer to most English paragraphs than to the Chinese one that answers it. Taking the
mean of its language and kind from each vector removes most of that (Libovický et al., 2020, On
the Language Neutrality of Pre-trained Multilingual Representations). The means are those of a few
general questions and statements shipped with Wenju, so that they need nothing from the archive and
do not move with it: on XQuAD the archive's own means rank no better.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.kept import Arrays, kept

logger = logging.getLogger(__name__)

Vector = NDArray[np.float32]

SHARE = 0.7
"""How much of a mean is taken off. .5 to 1 rank alike across languages; within one, 1 costs up to
.009."""

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """The means by language, each float32, (dim,).

    Attributes:
        question: of questions, as the encoder reads questions.
        passage: of statements, as it reads passages.
    """

    question: Mapping[str, Vector]
    passage: Mapping[str, Vector]


def centred(rows: Vector, mean: Vector) -> Vector:
    """Vectors less a share of their mean, brought back to length 1.

    Args:
        rows: float32, (n, dim) or (dim,), rows of length 1.
        mean: float32, (dim,).
    """
    moved = rows - np.float32(SHARE) * mean
    length = np.linalg.norm(moved, axis=-1, keepdims=True)
    unit: Vector = (moved / np.maximum(length, np.float32(1e-6))).astype(np.float32)
    return unit


def centred_cosines(
    rows: Vector, vector: Vector, means: Vector, which: NDArray[np.integer]
) -> Vector:
    """The inner products of a vector with rows that are centred, without centring each of them.

    Args:
        rows: float32, (n, dim), of length 1.
        vector: float32, (dim,).
        means: float32, (k, dim).
        which: the mean of each row, (n,), below k.

    Returns:
        `centred(rows, means[which]) @ vector`, float32, (n,).
    """
    share = np.float32(SHARE)
    along = np.einsum("ij,kj->ik", rows, means)[np.arange(len(rows)), which]
    lengths = 1 - 2 * share * along + share * share * (means * means).sum(axis=1)[which]
    moved = np.einsum("ij,j->i", rows, vector) - share * (means @ vector)[which]
    found: Vector = moved / np.sqrt(np.maximum(lengths, np.float32(1e-12)))
    return found


def load_centres(encoder: Encoder, cache: Path) -> Centres:
    """An encoder's means: from the cache folder, or made there once (200 short texts are encoded).

    Args:
        encoder: whose means are wanted; they are kept by its fingerprint.
        cache: the folder; it is made when it is missing.
    """
    data = resources.files("rag").joinpath("centre_texts.json").read_bytes()
    key = hashlib.sha256(encoder.fingerprint.encode() + b"\0" + data).hexdigest()[:16]
    texts = json.loads(data)

    def read(held: Arrays) -> Centres:
        return _read(held, encoder.dim)

    return kept(cache / f"centres-{key}.npz", "centres", read, lambda: _made(encoder, texts))


def _made(encoder: Encoder, texts: Mapping[str, Mapping[str, list[str]]]) -> Arrays:
    rows: dict[str, Vector] = {}
    for k in LANGUAGES:
        asked = encoder.encode_queries(texts["questions"][k])
        said = encoder.encode_passages(texts["statements"][k])
        rows[f"question_{k}"] = np.asarray(asked.mean(axis=0), np.float32)
        rows[f"passage_{k}"] = np.asarray(said.mean(axis=0), np.float32)
    return rows


def _read(held: Arrays, dim: int) -> Centres:
    kinds = [{k: held[f"{kind}_{k}"] for k in LANGUAGES} for kind in ("question", "passage")]
    for vector in (v for kind in kinds for v in kind.values()):
        if vector.shape != (dim,) or vector.dtype != np.float32 or not np.isfinite(vector).all():
            raise ValueError("not the means of this encoder")
    return Centres(*kinds)
