"""What an archive withstands: `python -m eval torture`, the long form of the tests of safety.

Each part makes archives of its own in a temporary folder and tells what it found wrong; nothing
wrong is what is wanted. Figures of the parts that are run take the place of the earlier ones in
the result file.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from eval import torture_adding, torture_damage, torture_kills, torture_load, torture_soak
from eval.bench_measure import machine
from eval.run import commit, write
from rag import __version__

Json = dict[str, Any]

KILLS = 200
"""Kills of the long form."""

PARTS = ("kills", "faults", "damage", "load", "adding", "soak")
"""In the order in which they are run."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How much is tried.

    Attributes:
        kills: kill -9 at random moments.
        every: of the calls that may fail, each so-maniest.
        flips: bits flipped in each database, one at a time.
        seconds: of twice what the server can do; a fifth of that of five times.
        requests: of the soak.
        cache: folder of the bundled model, for the parts that serve.
        articles: folder of the articles that these answer from.
        seed: of what is left to chance.
        minutes: of the soak, at most.
        server: of the soak, in place of `wenju serve`; it is given the home and the cache.
        added: articles that are added while others ask.
    """

    kills: int = KILLS
    every: int = 1
    flips: int = 100
    seconds: int = 300
    requests: int = 100_000
    cache: Path = field(default_factory=lambda: Path(platformdirs.user_cache_dir("wenju")))
    articles: Path = Path("articles")
    seed: int = 1
    minutes: int = 600
    server: tuple[str, ...] = ()
    added: int = 1000


def run(setup: Setup, parts: Sequence[str], out: Path | None, say: Callable[[str], None]) -> Json:
    """Run some parts.

    Args:
        setup: how much is tried.
        parts: of `PARTS`.
        out: the result file; what it holds of other parts stays.
        say: told what is going on.

    Returns:
        The result file's contents; a part's `problems` is what was found wrong.
    """
    report = _kept(out)
    for name in PARTS:
        if name not in parts:
            continue
        say(f"{name} ...")
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="wenju-torture-") as folder:
            found = _measured(name, setup, Path(folder))
        report["parts"][name] = found | {
            "seconds": round(time.perf_counter() - started, 1),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
        }
        say(f"{name}: {len(found['problems'])} problems")
        if out is not None:
            write(out, report)
    return report


def _measured(name: str, setup: Setup, folder: Path) -> Json:
    cache = folder / "cache"
    if name == "kills":
        return torture_kills.kills(setup.kills, folder, cache, setup.seed)
    if name == "damage":
        return torture_damage.damage(folder, cache, setup.flips, setup.seed)
    if name == "load":
        load = torture_load.Load(twice=setup.seconds, five_times=setup.seconds // 5)
        return torture_load.load(folder, setup.cache, setup.articles, _questions(), load)
    if name == "adding":
        how = torture_adding.Adding(articles=setup.added)
        return torture_adding.adding(folder, setup.cache, setup.articles, _questions(), how)
    if name == "soak":
        command = (*setup.server, str(folder / "home"), str(setup.cache)) if setup.server else ()
        found = torture_soak.soak(
            folder,
            setup.cache,
            setup.articles,
            _questions(),
            setup.requests,
            setup.seed,
            command,
            60 * setup.minutes,
        )
        return {"server": " ".join(setup.server) or "wenju serve", **found}
    return torture_kills.faults(folder, cache, setup.every)


def _questions() -> list[str]:
    """Those of the sample questions."""
    text = (Path(__file__).parent / "data" / "sample-questions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["question"] for line in text.splitlines() if line.strip()]


def _kept(out: Path | None) -> Json:
    """The report so far, with what it belongs to."""
    head = {"kind": "torture", "wenju": __version__, "machine": machine()}
    if out is not None and out.exists():
        held: Json = json.loads(out.read_text(encoding="utf-8"))
        return {**held, **head}
    return {**head, "parts": {}}
