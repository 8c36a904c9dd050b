"""A process that has just begun: `python -m eval.bench_child`, started by `eval.bench_fresh`.

Reads the archive's settings and the questions from standard input, as JSON, and prints as JSON what
each step to the first answer took and how much memory the process had after each. Asked one
question it does as the product does, which loads the model beside the index and the dictionaries;
asked several it takes one step after the other, so that each one's memory can be told apart. It
imports nothing of the evaluation that the product would not import.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from eval.bench_clock import Timing, memory, timed


def _measured(given: dict[str, Any]) -> dict[str, Any]:
    """Every step in this process."""
    first, *others = given["questions"]
    steps: dict[str, Timing] = {}
    held: dict[str, dict[str, int]] = {}
    with timed() as steps["import"]:
        from rag import processors
        from rag.config import Config
        from rag.pipeline import Pipeline
    processors.share()
    dictionary = Path(given["dictionary"]) if given["dictionary"] else None
    config = Config(
        home=Path(given["home"]),
        cache=Path(given["cache"]),
        model=given["model"],
        dictionary=dictionary,
        threads=given["threads"],
    )
    pipeline = Pipeline(config)
    if others:
        with timed() as steps["model"]:
            pipeline.encoder()
        held["model"] = memory()
        with timed() as steps["open"]:
            pipeline.snapshot()
        held["open"] = memory()
    with timed() as steps["answer"]:
        answer = pipeline.ask(first)
    at, cpu = time.time(), time.process_time()
    held["answer"] = memory()
    for question in others:
        pipeline.search(question)
    held["searches"] = memory()
    measured = {
        "answered_at": at,
        "answered_cpu": round(cpu, 4),
        "steps": {name: timing.json() for name, timing in steps.items()},
        "memory": held,
        "searches": len(others),
        "passages": pipeline.snapshot().size,
        "status": answer.status,
    }
    pipeline.close()
    return measured


if __name__ == "__main__":
    print(json.dumps(_measured(json.load(sys.stdin))))
