"""Starting processes of their own: one that has just begun to answer, and what they inherit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from eval.errors import BenchFailed
from eval.run import Json
from rag.config import Config

_PATIENCE = 900.0  # seconds


def environment(config: Config) -> dict[str, str]:
    """The environment of a process that runs this code on an archive, whatever else is set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WENJU_")}
    root = str(Path(__file__).resolve().parents[1])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
    kept |= {"WENJU_CACHE": str(config.cache), "WENJU_THREADS": str(config.threads)}
    return kept | ({"WENJU_MODEL": config.model} if config.model else {})


def fresh(config: Config, questions: Sequence[str]) -> Json:
    """Start a process, let it answer the first question and search for the others.

    Args:
        config: of an archive.
        questions: at least one.

    Returns:
        `steps`: seconds by step, in order, "model" and "open" only of several questions; `total`:
        from starting the process to having the answer, the interpreter's own start included;
        `memory`: bytes after each step and after "searches"; `searches`: how many.

    Raises:
        BenchFailed: the process failed; the text holds the end of what it said.
    """
    given = {
        "home": str(config.home),
        "cache": str(config.cache),
        "model": config.model,
        "dictionary": str(config.dictionary) if config.dictionary else None,
        "threads": config.threads,
        "questions": list(questions),
    }
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "eval.bench_child"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(config),
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"A fresh process on {config.home} failed: {done.stderr[-500:].strip()}")
    found: Json = json.loads(done.stdout.splitlines()[-1])
    found["total"] = {
        "wall_s": round(found.pop("answered_at") - started, 4),
        "cpu_s": found.pop("answered_cpu"),
    }
    return found
