"""What a search that asks many machines costs, from the times that one machine takes.

    python -m eval.fanout RESULT.json [--out FILE]

A search that is sent to n shards is answered when the slowest has. The times of one are drawn from
those that `python -m eval bench --only search` measured, as if shards and replicas were slow
independently of each other and nobody waited for a processor; a machine that stays slow for a
while is worse than this. Three ways to ask a shard that has two replicas or more (Dean & Barroso,
2013, The Tail at Scale):

    one     one replica
    hedged  one, and after the time that `HEDGE` of all searches take another; the first counts
    twice   two at once; the first counts

Of n shards the p-quantile is the p^(1/n)-quantile of one: of 128 shards the p99 is the .99992 one.
So few times tell little about many shards: where that quantile lies behind all but the slowest
time that was measured, the figure is that slowest time, and marked as not told by the measurement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from eval.run import FORMAT, Json, commit, write
from eval.show import print_table

SHARDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
SHARES = (0.5, 0.95, 0.99)
HEDGE = 0.95
"""The share of searches that are answered before a second replica is asked."""

WAYS = ("one", "hedged", "twice")
_DRAWN = 20_000  # searches that are simulated
_AT_ONCE = 4_000_000  # draws held in memory

Times = NDArray[np.float64]


def asked(
    times: Times, shape: tuple[int, int], way: str, draw: np.random.Generator
) -> tuple[Times, float]:
    """What shards take, each asked in some way.

    Args:
        times: of one replica, any unit, (n,).
        shape: searches, and shards of each.
        way: of WAYS.
        draw: the source of chance.

    Returns:
        The times, of `shape`, and how many requests each shard got on average, 1 to 2.
    """
    first = draw.choice(times, shape)
    if way == "one":
        return first, 1.0
    second = draw.choice(times, shape)
    if way == "twice":
        return np.minimum(first, second), 2.0
    delay = quantile(times, HEDGE)
    late = first > delay
    return np.where(late, np.minimum(first, delay + second), first), 1.0 + float(late.mean())


def slowest(times: Times, shards: int, way: str = "one", seed: int = 1) -> Json:
    """Quantiles of the time of a search that waits for the slowest of some shards.

    Args:
        times: of one replica, any unit, (n,).
        shards: 1 and up.
        way: how each is asked, of WAYS.
        seed: of the draws.

    Returns:
        "p50", "p95", "p99"; `requests`: to each shard, on average; `untold`: the names of quantiles
        of which the measured times say only that they are the slowest or more.
    """
    draw = np.random.default_rng(seed)
    rows = max(1, min(_DRAWN, _AT_ONCE // shards))
    most, requests = [], []
    for start in range(0, _DRAWN, rows):
        found, each = asked(times, (min(rows, _DRAWN - start), shards), way, draw)
        most.append(found.max(axis=1))
        requests.append(each)
    together = np.concatenate(most)
    names = {share: f"p{share:.0%}".rstrip("%") for share in SHARES}
    told = {name: quantile(together, share) for share, name in names.items()}
    return {
        **{name: round(value, 3) for name, value in told.items()},
        "requests": round(float(np.mean(requests)), 3),
        "untold": [name for name, value in told.items() if value >= times.max() and shards > 1],
    }


def quantile(times: Times, share: float) -> float:
    """The smallest time that so large a share is at most."""
    return float(np.quantile(times, share, method="inverted_cdf"))


def report(result: Json) -> Json:
    """The simulation from a result of `python -m eval bench`.

    Raises:
        KeyError: the result has no times of searches.
    """
    times = np.array(result["parts"]["search"]["times"], float)
    shares = np.linspace(0, 1, 1001)
    return {
        "kind": "fanout",
        "format": FORMAT,
        "commit": commit(),
        "of": {k: result.get(k) for k in ("made", "commit", "machine")},
        "passages": result["settings"]["passages"],
        "measured": len(times),
        "quantiles_ms": [round(quantile(times, share), 3) for share in shares],
        "hedged_after_ms": round(quantile(times, HEDGE), 3),
        "slowest_of": {way: {n: slowest(times, n, way) for n in SHARDS} for way in WAYS},
    }


def show(found: Mapping[str, Json]) -> None:
    """The figures for a person."""
    names = [f"p{share:.0%}".rstrip("%") for share in SHARES]
    rows = []
    for shards in found["slowest_of"][WAYS[0]]:
        row = [str(shards)]
        for way in WAYS:
            part = found["slowest_of"][way][shards]
            marked = [f"{part[n]:.1f}{'+' if n in part['untold'] else ''}" for n in names]
            row.append(" / ".join(marked))
        rows.append(tuple(row))
    heads = [f"{way}: {' / '.join(names)} ms" for way in WAYS]
    print_table(("shards (simulated)", *heads), rows)


def main(
    result: Annotated[Path, typer.Argument(help="Result of `python -m eval bench`.")],
    out: Annotated[Path | None, typer.Option(help="Write the figures here, as JSON.")] = None,
) -> None:
    """Simulate a search over several shards, with replicas and hedged requests."""
    found = report(json.loads(result.read_text(encoding="utf-8")))
    if out is not None:
        write(out, found)
    print(f"{found['measured']} searches of {found['passages']:,} passages were measured.")
    show(found)


if __name__ == "__main__":
    typer.run(main)
