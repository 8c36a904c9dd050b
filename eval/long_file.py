"""One very long file of records into a corpus: memory on the way, killed in the middle, gone on.

    python -m eval.long_file FOLDER [--gigabytes 2 --keep --out eval/results/formats.json]

FOLDER gets the file (JSON Lines, made here, no two records the same) and the archive; both are
removed at the end, but the file stays with `--keep`, and one that is there is used. The records
are read, put together and stored; nothing is encoded or indexed, whose memory `python -m eval
bench` measures. The reading process is killed (-9) once half of the file is read, and another one
goes on. Memory is what the system holds of that process (VmRSS), in MB.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eval.parts import keep

_PLACES = "江心渡口 柳湾码头 东山水库 北站广场 石桥镇 南湖公园 西门菜场 云岭林场".split()
_SUBJECTS = "候船厅 灌溉渠 老粮仓 步行桥 图书室 观测站 停车场 水文站".split()
_DONE = "完成改建 重新开放 通过验收 停用检修 增设照明 接入管网 扩大规模 交付使用".split()
_PARAGRAPHS, _SENTENCES = 12, 9
_STOCK = 50_000  # sentences that records are put together of
_STEPS = 20  # places at which memory is looked at
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A place in the file, in bytes, and the process when it came there."""

    byte: int
    seconds: float
    rss_mb: float


@cache
def _stock() -> tuple[str, ...]:
    """Sentences; always the same."""
    chance = random.Random(0)  # noqa: S311 no secret

    def sentence() -> str:
        place, subject, done = (chance.choice(words) for words in (_PLACES, _SUBJECTS, _DONE))
        return (
            f"{place}{chance.randint(1, 999)}号{subject}于{chance.randint(1, 12)}月"
            f"{chance.randint(1, 28)}日{done}，投入{chance.randint(10, 99_999)}元。"
        )

    return tuple(sentence() for _ in range(_STOCK))


def record(number: int) -> str:
    """A record of some ten kilobytes; always the same one for a number."""
    chance = random.Random(number)  # noqa: S311 no secret
    paragraphs = ["".join(chance.choices(_stock(), k=_SENTENCES)) for _ in range(_PARAGRAPHS)]
    article = {"title": f"第{number}号简报", "date": "2024-05-20", "paragraphs": paragraphs}
    return json.dumps(article, ensure_ascii=False) + "\n"


def write(path: Path, size: int) -> None:
    """Write records up to a size in bytes."""
    number = written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            line = record(number)
            file.write(line)
            written += len(line.encode())
            number += 1


def read(path: Path, home: Path, steps: int) -> None:
    """The child: put the file into a corpus, and print a line at the first record and each step."""
    from rag import readers
    from rag.corpus import Corpus
    from rag.intake import Intake
    from rag.unfinished import Unfinished

    since, size = time.monotonic(), path.stat().st_size
    home.mkdir(exist_ok=True)
    corpus = Corpus(home / "corpus.sqlite")
    run = Unfinished(home, corpus).begin(path, str(path))
    told = -1

    def at(_: int) -> None:
        nonlocal told
        step = run.reached.byte * steps // size
        if step > told:
            told = step
            seen = Seen(run.reached.byte, time.monotonic() - since, _rss_mb())
            print(json.dumps(asdict(seen)), flush=True)

    found = readers.read_every(path, None, at, run.reached)
    report = Intake(corpus).put_file(str(path), found, run=run)
    seen = Seen(size, time.monotonic() - since, _rss_mb())
    last = {
        **asdict(seen),
        "articles": len(report.articles) + report.more,
        "notices": report.notices,
    }
    print(json.dumps(last | corpus.stats()), flush=True)
    corpus.close()


def _rss_mb() -> float:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / _MB


def _child(path: Path, home: Path, until: int | None) -> list[dict[str, Any]]:
    """What a reading process said; it is killed at the first step behind a place."""
    command = [sys.executable, "-m", "eval.long_file", str(path), "--read", str(home)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        assert child.stdout is not None  # noqa: S101 a pipe was asked for
        try:
            for line in child.stdout:
                said.append(json.loads(line))
                if until is not None and said[-1]["byte"] >= until:
                    break
        finally:
            if until is not None or sys.exc_info()[0]:
                child.send_signal(signal.SIGKILL)
    if until is None and child.returncode:
        raise RuntimeError(f"the reading process ended with {child.returncode}")
    return said


def measure(folder: Path, size: int, *, keep_file: bool) -> dict[str, Any]:
    """Make the file, read it, kill that in the middle, go on; what was seen."""
    path, home = folder / "long.jsonl", folder / "home"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        since = time.monotonic()
        if not path.exists():
            write(path, size)
        made = time.monotonic() - since
        with path.open("rb") as file:
            count = sum(1 for _ in file)
        size = path.stat().st_size
        first = _child(path, home, size // 2)
        second = _child(path, home, None)
        end = second[-1]
        if end["articles"] != count or end["documents"] != count:
            raise RuntimeError(f"of {count} records {end['documents']} are in the corpus")
        corpus = (home / "corpus.sqlite").stat().st_size
        return {
            "file_bytes": path.stat().st_size,
            "records": count,
            "articles": end["articles"],
            "seconds_to_make": round(made, 1),
            "first_run": _rounded(first),
            "killed_at_byte": first[-1]["byte"],
            "second_run": _rounded(second),
            "went_on_at_byte": second[0]["byte"],
            "seconds_of_both": round(first[-1]["seconds"] + end["seconds"], 1),
            "corpus_bytes": corpus,
        }
    finally:
        shutil.rmtree(home, ignore_errors=True)
        if not keep_file:
            shutil.rmtree(folder, ignore_errors=True)


def _rounded(said: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    return [
        {"byte": s["byte"], "seconds": round(s["seconds"], 1), "rss_mb": round(s["rss_mb"], 1)}
        for s in said
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m eval.long_file")
    parser.add_argument("folder", type=Path, help="for file and archive")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--keep", action="store_true", help="leave the file for another run")
    parser.add_argument("--out", type=Path, help="result file; its other parts are kept")
    parser.add_argument("--note", default="", help="about the machine, kept with the figures")
    parser.add_argument("--read", type=Path, metavar="HOME", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.folder, given.read, _STEPS)
        return
    found = measure(given.folder, int(given.gigabytes * 1e9), keep_file=given.keep)
    found["command"] = f"python -m eval.long_file FOLDER --gigabytes {given.gigabytes:g}"
    found["note"] = given.note
    if given.out is None:
        print(json.dumps(found, indent=1))
    else:
        keep(given.out, "long_file", found)


if __name__ == "__main__":
    main()
