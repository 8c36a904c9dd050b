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
import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.files import replace_file

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

    A cache folder that cannot be written costs only that they are made again by the next process.

    Args:
        encoder: whose means are wanted; they are kept by its fingerprint.
        cache: the folder; it is made when it is missing.
    """
    data = resources.files("rag").joinpath("centre_texts.json").read_bytes()
    key = hashlib.sha256(encoder.fingerprint.encode() + b"\0" + data).hexdigest()[:16]
    path = cache / f"centres-{key}.npz"
    try:
        return _read(path, encoder.dim)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("centres_unreadable", extra={"path": str(path), "why": str(error)})
    centres = _made(encoder, json.loads(data))
    try:
        _write(path, centres)
    except OSError as error:
        logger.warning("centres_not_kept", extra={"path": str(path), "why": str(error)})
    return centres


def _made(encoder: Encoder, texts: Mapping[str, Mapping[str, list[str]]]) -> Centres:
    def mean(rows: Vector) -> Vector:
        return np.asarray(rows.mean(axis=0), np.float32)

    return Centres(
        {k: mean(encoder.encode_queries(texts["questions"][k])) for k in LANGUAGES},
        {k: mean(encoder.encode_passages(texts["statements"][k])) for k in LANGUAGES},
    )


def _read(path: Path, dim: int) -> Centres:
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
        kinds = [{k: held[f"{kind}_{k}"] for k in LANGUAGES} for kind in ("question", "passage")]
    for vector in (v for kind in kinds for v in kind.values()):
        if vector.shape != (dim,) or vector.dtype != np.float32 or not np.isfinite(vector).all():
            raise ValueError("not the means of this encoder")
    return Centres(*kinds)


def _write(path: Path, centres: Centres) -> None:
    """Put the file there as one act: a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {f"question_{k}": v for k, v in centres.question.items()}
    rows |= {f"passage_{k}": v for k, v in centres.passage.items()}
    packed = io.BytesIO()
    np.savez(packed, **rows)
    replace_file(path, packed.getvalue())
