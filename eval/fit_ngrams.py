"""Count the character statistics that `rag/ngrams.py` ships with.

    python -m eval.fit_ngrams NEWS.txt.xz rag/page_ngrams.npz [--pairs 10 --triples 30 --half]

The corpus has one text a line. Only counts of n-grams that stand often enough are kept, each as a
32-bit hash and one byte: no text can be read back from them.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.stories import news_lines
from rag.ngrams import OFFSET, STEPS, key

_SINGLES = 20


def count(texts: Iterable[str], pairs: int, triples: int) -> tuple[dict[str, int], int]:
    """N-grams of one to three characters and how often each stands; and the characters read.

    Args:
        texts: without blanks.
        pairs: the least count at which a pair is kept.
        triples: the same for triples; single characters are kept from 20 on.
    """
    codes = np.frombuffer("\n".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    codes = codes[codes < 0x10000]
    kept: dict[str, int] = {}
    for size, least in ((1, _SINGLES), (2, pairs), (3, triples)):
        grams: NDArray[np.int64] = codes[: len(codes) - size + 1].copy()
        for step in range(1, size):
            grams = (grams << 16) | codes[step : len(codes) - size + 1 + step]
        values, counts = np.unique(grams, return_counts=True)
        often = counts >= least
        for value, number in zip(values[often].tolist(), counts[often].tolist(), strict=True):
            gram = "".join(chr(value >> 16 * s & 0xFFFF) for s in reversed(range(size)))
            if "\n" not in gram:
                kept[gram] = number
    return kept, len(codes)


def save(counts: dict[str, int], total: int, pairs: int, path: Path) -> int:
    """Write the table; returns its size in bytes."""
    hashed: dict[int, int] = {}
    for gram, number in counts.items():
        hashed[key(gram)] = max(hashed.get(key(gram), 0), number)
    steps: list[int] = []
    values: list[int] = []
    last = 0
    for code in sorted(hashed):
        step = code - last
        while step > 0xFFFF:  # a filler entry, value 0
            steps.append(0xFFFF)
            values.append(0)
            step -= 0xFFFF
        steps.append(step)
        values.append(max(1, min(255, round(STEPS * float(np.log2(hashed[code]))) - OFFSET)))
        last = code
    np.savez_compressed(
        path,
        steps=np.array(steps, dtype=np.uint16),
        values=np.array(values, dtype=np.uint8),
        total=np.int64(total),
        unseen_pair=np.float64(pairs),
    )
    return path.stat().st_size


def main() -> None:
    """Count and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--triples", type=int, default=60)
    parser.add_argument("--half", action="store_true", help="only the texts for fitting")
    options = parser.parse_args()
    texts = [t for t in news_lines(options.corpus) if not options.half or is_for_fitting(t)]
    counts, total = count(texts, options.pairs, options.triples)
    size = save(counts, total, options.pairs, options.table)
    print(f"texts {len(texts)} characters {total} n-grams {len(counts)} bytes {size}")


def is_for_fitting(text: str) -> bool:
    """Whether a text belongs to the half that weights are fitted on; the rest measures."""
    return zlib.crc32(text[:60].encode("utf-8")) % 2 == 0


if __name__ == "__main__":
    main()
