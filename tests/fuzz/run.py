"""`python tests/fuzz/run.py TARGET SECONDS [CORPUS]`: a coverage-guided fuzzer on a target.

SECONDS: 0 runs what it is begun with alone.

TARGET: a name of `targets.TARGETS`, or "every". What makes it fail is written to the folder it runs
in, as `crash-…`; the exit status is then not 0. CORPUS: a folder where texts that reached something
new are kept, for the next run to go on from.
"""

import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "fuzz")]

with atheris.instrument_imports(include=["rag", "index", "api"]):
    import targets


def main(name: str, seconds: str, corpus: str = "") -> None:
    with tempfile.TemporaryDirectory() as own:
        folder = Path(corpus or own)
        folder.mkdir(exist_ok=True)
        for place, seed in enumerate(targets.seeds(name)):
            (folder / f"seed-{place}").write_bytes(seed)
        # What is told as this process's memory is, on Linux, its parent's where that had more.
        memory = "-rss_limit_mb=0"
        limit = f"-max_total_time={seconds}" if int(seconds) else "-runs=0"
        options = [limit, "-max_len=4096", "-timeout=20", memory]
        options.append("-verbosity=0")
        target = targets.TARGETS.get(name, targets.every)
        atheris.Setup([sys.argv[0], str(folder), *options, "-print_final_stats=1"], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
