"""The served encoder beside sentence-transformers on torch, float32, in one run.

Milliseconds a question (encoded alone), paragraphs a second (in bulk), the ratios of both, how near
the vectors are, and recall at rank 1 on question sets that are given: each question against all
paragraphs of its set. Slices of the two are timed in turns, so that whatever else the machine does
falls on both alike; processor time is given too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.bench_measure import Lines
from eval.datasets import SquadSet, crossed
from index import bundled
from index.encode import BundledEncoder

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
_ROUNDS = 4
_TIMED = 80  # questions and paragraphs that are timed, at most


def _torch(folder: Path, threads: int) -> tuple[Encode, Encode]:
    """Questions and passages on sentence-transformers as its users call it, batches of 32."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(folder), device="cpu")

    def encode(prompt: str) -> Encode:
        def run(texts: Sequence[str]) -> NDArray[np.float32]:
            rows: NDArray[np.float32] = model.encode(
                list(texts), prompt=prompt, batch_size=32, show_progress_bar=False
            )
            return rows

        return run

    return encode(bundled.QUERY_PROMPT), encode(bundled.PASSAGE_PROMPT)


def _in_turns(
    encoders: dict[str, tuple[Encode, Encode]], questions: Sequence[str], passages: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Timings by encoder: seconds of the wall and of the processor, a question and a passage."""
    single: dict[str, list[tuple[float, float]]] = {name: [] for name in encoders}
    bulk: dict[str, list[tuple[float, float]]] = {name: [] for name in encoders}
    for turn in range(_ROUNDS):
        some = passages[turn::_ROUNDS]
        for name, (query, passage) in encoders.items():
            query(questions[:1])
            for question in questions[turn::_ROUNDS]:
                single[name].append(_seconds(query, [question]))
            wall, processor = _seconds(passage, some)
            bulk[name].append((wall / len(some), processor / len(some)))
    return {
        name: {
            "question": float(np.median([wall for wall, _ in single[name]])),
            "question_p95": float(np.quantile([wall for wall, _ in single[name]], 0.95)),
            "question_cpu": float(np.median([cpu for _, cpu in single[name]])),
            "passage": float(np.median([wall for wall, _ in bulk[name]])),
            "passage_cpu": float(np.median([cpu for _, cpu in bulk[name]])),
        }
        for name in encoders
    }


def _seconds(encode: Encode, texts: Sequence[str]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    encode(texts)
    return time.perf_counter() - wall, time.process_time() - processor


def measure(
    questions: Sequence[str],
    paragraphs: Sequence[str],
    sets: Sequence[SquadSet],
    cache_dir: Path,
    threads: int,
    lines: Lines,
) -> dict[str, Any]:
    """All figures, seconds and shares of 1.

    Args:
        questions: to be timed; at least one a round.
        paragraphs: to be timed; at least one a round.
        sets: encoded whole by both, which takes minutes: for recall and nearness.
        cache_dir: where the two models are built.
        threads: for both encoders.
        lines: told what is going on.
    """
    start = time.perf_counter()
    served = BundledEncoder(bundled.ensure_bundled(cache_dir), threads)
    load = time.perf_counter() - start
    start = time.perf_counter()
    encoders = {"torch": _torch(bundled.ensure_torch_folder(cache_dir), threads)}
    torch_load = time.perf_counter() - start
    encoders["served"] = (served.encode_queries, served.encode_passages)
    lines.say("encode: torch and the served encoder in turns")
    timings = _in_turns(encoders, _some(questions), _some(paragraphs))
    timings["served"]["load"], timings["torch"]["load"] = load, torch_load
    figures: dict[str, Any] = {"threads": threads, "timings": timings}
    if sets:
        figures |= _quality(encoders, sets, lines)
    return figures


def _some(texts: Sequence[str]) -> Sequence[str]:
    """Enough of them, from all over."""
    return texts[:: max(len(texts) // _TIMED, 1)][:_TIMED]


def _quality(
    encoders: dict[str, tuple[Encode, Encode]], sets: Sequence[SquadSet], lines: Lines
) -> dict[str, Any]:
    """Recall at rank 1 by set and encoder, also across sets that share ids; cosines of the two."""
    tasks = [(one.name, one) for one in sets]
    for asked, searched in itertools.permutations(sets, 2):
        both = crossed(asked, searched)
        if both.questions:
            tasks.append((f"{asked.name} → {searched.name}", both))
    recall: dict[str, dict[str, float]] = {}
    rows: dict[tuple[str, str], NDArray[np.float32]] = {}

    def encoded(name: str, kind: int, texts: Sequence[str]) -> NDArray[np.float32]:
        missing = [t for t in dict.fromkeys(texts) if (name + str(kind), t) not in rows]
        made = encoders[name][kind](missing)
        rows.update({(name + str(kind), t): r for t, r in zip(missing, made, strict=True)})
        return np.stack([rows[name + str(kind), t] for t in texts])

    for label, task in tasks:
        lines.say(f"encode: quality on {label}")
        paragraphs = list(dict.fromkeys(p for a in task.articles for p in a.paragraphs))
        places = {text: place for place, text in enumerate(paragraphs)}
        gold = np.array([places[q.paragraph] for q in task.questions])
        texts = [q.question for q in task.questions]
        recall[label] = {
            name: round(float((np.argmax(q @ p.T, axis=1) == gold).mean()), 4)
            for name in encoders
            for q, p in [(encoded(name, 0, texts), encoded(name, 1, paragraphs))]
        }
    keys = [text for kind, text in rows if kind == "torch1"]
    near = [float(rows["torch1", t] @ rows["served1", t]) for t in keys]
    return {"recall_at_1": recall, "cosine": {"mean": float(np.mean(near)), "least": min(near)}}
