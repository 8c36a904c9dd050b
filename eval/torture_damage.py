"""Flipped bits: found and named, and mended as `wenju doctor --repair` does, in every file."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from eval.torture_archive import change, disagreement, numbers, opened, text_of
from rag import salvage
from rag.errors import WenjuError

Json = dict[str, Any]

DOCUMENTS = 24
_DATABASES = ("corpus.sqlite", "reprints.sqlite", "vectors.sqlite")


def damage(folder: Path, cache: Path, flips: int, seed: int = 1, files: int | None = None) -> Json:
    """Flip one bit at a time, look, mend, look again.

    Args:
        folder: an empty folder.
        cache: of what all archives share.
        flips: in each of the three databases.
        seed: of where they are.
        files: flip one in each of so many files of the index; None for all of them.

    Returns:
        `flips`: by file (files of the index together); `found` and `harmless`: those that were
        named, and those after which every row is as it was; `lost`: documents that could not be
        saved, all of them named; `problems`: each thing found wrong.
    """
    chance = random.Random(seed)  # noqa: S311 no secret
    spare = folder / "spare"
    with opened(spare, cache) as pipeline:
        for number in range(1, DOCUMENTS + 1):
            change(pipeline, "add", number)
    index = sorted(p for p in (spare / "index").rglob("*") if p.is_file() and p.stat().st_size)
    index = [p for p in index if p.suffix != ".lock"]
    chosen = index if files is None else chance.sample(index, min(files, len(index)))
    targets = [p.relative_to(spare) for p in chosen]
    targets += [Path(name) for name in _DATABASES for _ in range(flips)]
    came: Counter[str] = Counter()
    found: list[str] = []
    lost = 0
    for target in targets:
        home = folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(spare, home)
        where = _flip(home / target, chance)
        said = _named(home, cache)
        same = target.name in _DATABASES and _rows(home / target) == _rows(spare / target)
        came["found" if said else "harmless" if same else "missed"] += 1
        if not said and not same:
            found.append(f"{target}, {where}: not found")
        if said and not any(target.name in line or target.name[:6] in line for line in said):
            found.append(f"{target}, {where}: not named: {said}")
        missing, wrong = _mended(home, cache)
        lost += missing
        if missing and target.name != "corpus.sqlite":
            wrong.append("documents are lost though the corpus is sound")
        found += [f"{target}, {where}: {line}" for line in wrong]
    count = Counter(t.name if t.name in _DATABASES else "index" for t in targets)
    return {"flips": dict(count), **dict(came), "lost": lost, "problems": found}


def _flip(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    at, bit = chance.randrange(len(data)), chance.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at}"


def _named(home: Path, cache: Path) -> list[str]:
    """What the checks of `wenju doctor` say."""
    try:
        with opened(home, cache) as pipeline:
            return [
                *(f"corpus: {line}" for line in pipeline.corpus.check()),
                *pipeline.reprints.check(pipeline.corpus),
                *pipeline.vectors.check(),
                *pipeline.store.verify(),
            ]
    except WenjuError as error:
        return [str(error)]


def _rows(path: Path) -> list[list[tuple[object, ...]]] | None:
    """Every row of every table; None where they cannot be read."""
    try:
        with closing(sqlite3.connect(path)) as db:
            db.text_factory = bytes
            names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return [
                db.execute(f"SELECT * FROM {name.decode()} ORDER BY 1, 2").fetchall()  # noqa: S608 its own names
                for (name,) in sorted(names)
            ]
    except sqlite3.Error:
        return None


def _mended(home: Path, cache: Path) -> tuple[int, list[str]]:
    """Repair, and how many documents are lost; then what is wrong still."""
    wrong: list[str] = []
    try:
        saved = salvage.mend(home)
        with opened(home, cache) as pipeline:
            pipeline.vectors.mend()
            if pipeline.reprints.check(pipeline.corpus):
                pipeline.reprints.forget()
            pipeline.rebuild()
            wrong += disagreement(pipeline)
            held = numbers(pipeline)
            for number, article in held.items():
                if pipeline.corpus.get(article).text != text_of(number).strip():
                    wrong.append(f"document {number} has other words now")
        missing = DOCUMENTS - len(held)
        told = saved and (saved.unread or missing <= len(saved.files) + saved.unnamed)
        if missing and not told:
            wrong.append(f"{missing} documents are lost and not named")
    except WenjuError as error:  # refused in words that say what to do; nothing wrong is served
        return DOCUMENTS, [] if "corpus" in str(error) else [f"cannot be mended: {error}"]
    wrong += _named(home, cache)
    return missing, wrong
