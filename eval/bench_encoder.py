"""Measures the served encoder beside sentence-transformers on torch, float32, in one run.

`python -m eval.bench_encoder` prints: milliseconds a question (encoded alone), paragraphs a second
(in bulk), the ratios of both, how near the vectors are, and recall at rank 1 on XQuAD (each
question against the 240 Chinese paragraphs) where its files are found. Slices of the two are timed
in turns, so that whatever else the machine does falls on both alike; processor time is given too.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from index import bundled
from index.encode import BundledEncoder

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "qa"
_ROUNDS = 4


def _read(path: Path) -> tuple[list[str], list[str], NDArray[np.int64]]:
    """Paragraphs, questions and each question's paragraph, of a file in SQuAD's format."""
    paragraphs: list[str] = []
    questions: list[str] = []
    gold: list[int] = []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            paragraphs.append(paragraph["context"])
            for question in paragraph["qas"]:
                questions.append(question["question"])
                gold.append(len(paragraphs) - 1)
    return paragraphs, questions, np.array(gold)


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


def measure(data: Path, cache_dir: Path, threads: int, quality: bool) -> dict[str, Any]:
    """All figures, seconds and shares of 1.

    Args:
        data: folder with `xquad.zh.json` and `xquad.en.json`.
        cache_dir: where the two models are built.
        threads: for both encoders.
        quality: also encode everything twice for recall and nearness, which takes minutes.

    Raises:
        OSError: the data cannot be read.
    """
    paragraphs, questions, gold = _read(data / "xquad.zh.json")
    _, english, _ = _read(data / "xquad.en.json")
    start = time.perf_counter()
    served = BundledEncoder(bundled.ensure_bundled(cache_dir), threads)
    load = time.perf_counter() - start
    start = time.perf_counter()
    encoders = {"torch": _torch(bundled.ensure_torch_folder(cache_dir), threads)}
    torch_load = time.perf_counter() - start
    encoders["served"] = (served.encode_queries, served.encode_passages)
    timings = _in_turns(encoders, questions[::10], paragraphs[::2])
    timings["served"]["load"], timings["torch"]["load"] = load, torch_load
    figures: dict[str, Any] = {"threads": threads, "timings": timings}
    if quality:
        rows = {n: (p(paragraphs), q(questions), q(english)) for n, (q, p) in encoders.items()}
        figures["recall_at_1"] = {
            name: {
                "zh": float((np.argmax(zh @ passages.T, axis=1) == gold).mean()),
                "en_to_zh": float((np.argmax(en @ passages.T, axis=1) == gold).mean()),
            }
            for name, (passages, zh, en) in rows.items()
        }
        near = [(a * b).sum(axis=1) for a, b in zip(*rows.values(), strict=True)]
        figures["cosine"] = {"mean": float(np.mean(near[0])), "least": float(np.min(near[1]))}
    return figures


def _table(figures: dict[str, Any]) -> str:
    torch, served = figures["timings"]["torch"], figures["timings"]["served"]
    lines = [
        f"{figures['threads']} threads; load average {os.getloadavg()[0]:.1f}",
        f"{'':32}{'torch fp32':>12}{'served':>12}{'ratio':>8}",
    ]
    for label, key, factor in (
        ("a question alone, ms, p50", "question", 1e3),
        ("a question alone, ms, p95", "question_p95", 1e3),
        ("a question, processor ms", "question_cpu", 1e3),
        ("load, s", "load", 1.0),
    ):
        a, b = torch[key] * factor, served[key] * factor
        lines.append(f"{label:32}{a:12.1f}{b:12.1f}{a / b:7.1f}x")
    for label, key in (
        ("paragraphs a second", "passage"),
        ("paragraphs a processor second", "passage_cpu"),
    ):
        a, b = 1 / torch[key], 1 / served[key]
        lines.append(f"{label:32}{a:12.1f}{b:12.1f}{b / a:7.1f}x")
    for name, label in (("zh", "recall@1, zh"), ("en_to_zh", "recall@1, en question, zh text")):
        if "recall_at_1" in figures:
            a, b = (figures["recall_at_1"][encoder][name] for encoder in ("torch", "served"))
            lines.append(f"{label:32}{a:12.4f}{b:12.4f}{b - a:+8.4f}")
    if "cosine" in figures:
        near = figures["cosine"]
        lines.append(
            f"cosine to torch: paragraphs {near['mean']:.5f} on average, "
            f"questions {near['least']:.5f} at least"
        )
    return "\n".join(lines)


def main() -> None:
    """Prints the table, or with --json the figures."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench_encoder", description=__doc__)
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of xquad.{zh,en}.json")
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("wenju"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-quality", action="store_true", help="only speed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.data / "xquad.zh.json").is_file():
        parser.error(f"{options.data} holds no xquad.zh.json; give its folder with --data")
    figures = measure(options.data, options.cache, options.threads, not options.no_quality)
    print(json.dumps(figures) if options.json else _table(figures))


if __name__ == "__main__":
    main()
