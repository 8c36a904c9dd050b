"""`python tests/encode_by_ray.py HOME CACHE FOLDER CALLS`: add a folder with two workers of Ray.

One of them is killed in the middle. Each call of a worker's encoder adds a line to CALLS. What is
printed is a JSON object.
"""

import json
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from eval.hashed import Hashed
from index.spread import LOCAL, RayEncoder
from rag.config import Config
from rag.pipeline import Pipeline


class Noted(Hashed):
    """Takes its time, and says so."""

    def __init__(self, calls: str) -> None:
        super().__init__()
        self.calls = calls

    def encode_passages(self, texts, progress=None):
        with Path(self.calls).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {len(texts)}\n")
        time.sleep(0.05)
        return super().encode_passages(texts, progress)


def main() -> None:
    home, cache, folder, calls = sys.argv[1:]
    encoder = RayEncoder(partial(Noted, calls), LOCAL, 2)
    victim = encoder._ray.get(encoder.workers[0].process.remote())

    def kill() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not any(
            line.startswith(f"{victim} ") for line in read(calls)
        ):
            time.sleep(0.005)
        os.kill(victim, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    pipeline = Pipeline(Config(home=Path(home), cache=Path(cache)), encoder)
    reports = pipeline.add([Path(folder)])
    thread.join()
    lines = read(calls)
    counts = [int(line.split()[1]) for line in lines]
    again = Pipeline(Config(home=Path(home), cache=Path(cache)), encoder)
    again.rebuild()
    sys.stdout.write(
        json.dumps(
            {
                "victim": victim,
                "workers": len({line.split()[0] for line in lines}),
                "encoded": sum(counts),
                "again": len(read(calls)) - len(lines),
                "outcomes": [r.outcome for r in reports],
                "passages": pipeline.snapshot().size,
            }
        )
    )
    pipeline.close()
    again.close()
    encoder.close()


def read(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
