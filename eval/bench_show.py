"""The benchmark's results as one table: Wenju, the peer, their ratio, and the aim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from eval.run import Json

_PER = 100_000
"""Passages that memory is told for."""

_PEERS = {
    "rank_bm25": "rank_bm25",
    "sqlite_fts5": "SQLite FTS5",
}


class Row(NamedTuple):
    """A line of the table; "" where there is nothing to say.

    Attributes:
        ratio: how many times better than the peer.
    """

    what: str
    wenju: str
    peer: str = ""
    ratio: str = ""
    aim: str = ""


def show(report: Json) -> None:
    """Print what was measured."""
    from eval.show import print_table

    settings, machine = report["settings"], report["machine"]
    print(
        f"{settings['articles']:,} articles, {settings['passages']:,} passages of "
        f"{settings['news']}; commit {report['commit']}; {machine['cores']} cores of "
        f"{machine['processor']}; load average {machine['load_average']} at the start; questions: "
        f"{report['questions']['given']} given, {report['questions']['made']} made, "
        f"{report['questions']['again']} asked again"
    )
    for step, took in settings["made"].items():
        print(f"made of {settings['copies']} varied copies: {step} {took['wall_s']:.0f} s")
    if settings["vectors"] == "synthetic":
        print(
            f"SYNTHETIC VECTORS: {settings['vectors_filled']:,} vectors of passages and their "
            "parts are mixtures of real ones; speed and memory alone can be read from this."
        )
    print_table(("what", "Wenju", "peer", "better by", "aim"), rows(report["parts"]))


def rows(parts: Json) -> Iterator[Row]:
    """The table of those parts that were measured."""
    for name, of in (
        ("encode", _encode),
        ("lexical", _lexical),
        ("dense", _dense),
        ("search", _search),
        ("http", _http),
        ("build", _build),
        ("open", _open),
        ("memory", _memory),
        ("add", _add),
        ("delete", _delete),
    ):
        if name in parts:
            yield from of(parts[name])


def _encode(part: Json) -> Iterator[Row]:
    torch, served = part["timings"]["torch"], part["timings"]["served"]
    for label, key, aim in (
        ("encode one question: ms p50", "question", "5x"),
        ("encode one question: processor ms", "question_cpu", ""),
    ):
        a, b = 1e3 * served[key], 1e3 * torch[key]
        yield Row(label, f"{a:.1f}", f"{b:.1f} torch", _times(b, a), aim)
    for label, key, aim in (
        ("encode: paragraphs a second", "passage", "4x"),
        ("encode: paragraphs a processor second", "passage_cpu", ""),
    ):
        a, b = 1 / served[key], 1 / torch[key]
        yield Row(label, f"{a:.1f}", f"{b:.1f} torch", _times(a, b), aim)
    for name, found in part.get("recall_at_1", {}).items():
        a, b = found["served"], found["torch"]
        yield Row(
            f"encode: recall@1, {name}", f"{a:.3f}", f"{b:.3f} torch", f"{a - b:+.4f}", "-.003"
        )


def _lexical(part: Json) -> Iterator[Row]:
    for one in part.values():
        engines = one["engines"]
        ours = engines["wenju"]
        words = f"words of {one['passages']:,} passages"
        for name in (n for n in _PEERS if n in engines):
            peer = engines[name]
            for key, what in (("p50", "ms p50"), ("p95", "ms p95"), ("cpu", "processor ms")):
                a, b = ours["ms"][key], peer["ms"][key]
                yield Row(f"{words}: {what}", f"{a:.2f}", f"{b:.2f} {_PEERS[name]}", _times(b, a))
            for key, what in (
                ("build_s", "build, s"),
                ("memory", "memory, bytes each"),
                ("disk", "disk, bytes each"),
            ):
                if key in ours and key in peer:
                    a, b = ours[key], peer[key]
                    other = f"{b:,.1f} {_PEERS[name]}"
                    yield Row(f"{words}: {what}", f"{a:,.1f}", other, _times(b, a))
        if ours.get("overlap") is not None:
            yield Row(f"{words}: ten best shared", f"{ours['overlap']:.3f}", "1 rank_bm25")


def _dense(part: Json) -> Iterator[Row]:
    ours, peer = part["wenju"], part["faiss_flat"]
    label = f"{part['rows']:,} vectors ({part['kind']})"
    for key in ("p50", "p95"):
        a, b = ours[key], peer[key]
        yield Row(f"{label}: ms {key}", f"{a:.2f}", f"{b:.2f} FAISS Flat", _times(b, a))
    if part["recall@10"] is not None:
        some = "all" if part["recall_rows"] == part["rows"] else "real"
        label = f"recall@10 among {part['recall_rows']:,} vectors ({some})"
        yield Row(label, f"{part['recall@10']:.4f}", "1 exact", "", ".99")


def _search(part: Json) -> Iterator[Row]:
    alone, busy, asked = part["alone"], part["busy"], part["ask"]
    yield Row("search alone: ms p50", f"{alone['p50']:.1f}", aim="25")
    yield Row("search alone: ms p95", f"{alone['p95']:.1f}", aim="60")
    yield Row("search alone: ms p99", f"{alone['p99']:.1f}")
    yield Row("search alone: processor ms", f"{alone['cpu']:.1f}")
    yield from _busy("search", part["clients"], busy)
    yield Row("answer alone: ms p50, p95", f"{asked['p50']:.1f}, {asked['p95']:.1f}")
    for one in part.get("filtered", {}).values():
        yield Row(
            f"search of {one['articles']:,} articles by a filter: ms, the first, then p50",
            f"{one['first']:.1f}, {one['then']['p50']:.1f}",
        )


def _busy(name: str, clients: int, busy: Json) -> Iterator[Row]:
    aim = "40" if name == "search" else ""
    yield Row(f"{name}, {clients} clients: a second", f"{busy['a_second']:.1f}", aim=aim)
    yield Row(f"{name}, {clients} clients: ms p50, p95", f"{busy['p50']:.1f}, {busy['p95']:.1f}")


def _http(part: Json) -> Iterator[Row]:
    alone = part["alone"]
    yield Row("search over HTTP: ms p50, p95", f"{alone['p50']:.1f}, {alone['p95']:.1f}")
    yield from _busy("search over HTTP", part["clients"], part["busy"])
    failed = alone["failed"] + part["busy"]["failed"]
    if several := part.get("several"):
        failed += several["failed"]
        yield from _busy(f"HTTP, {several['processes']} processes", part["clients"], several)
    yield Row("search over HTTP: failed", str(failed), aim="0")


def _build(part: Json) -> Iterator[Row]:
    took, bare = part["corpus"]["wall_s"] + part["index"]["wall_s"], part["encoder"]["wall_s"]
    yield Row("build: s", f"{took:.1f}", f"{bare:.1f} encoder")
    yield Row("build: share of the encoder's time", f"{part['all_share']:.1%}", aim="10 %")
    yield Row("build: share, index alone", f"{part['index_share']:.1%}")
    yield Row("build: share, processor time", f"{part['all_share_cpu']:.1%}")
    yield Row("build: MB of the process at most", f"{part['peak_bytes'] / 1e6:,.0f}")


def _open(part: Json) -> Iterator[Row]:
    total = part["total"]
    yield Row("start to first answer: s", f"{total['wall_s']:.2f}", aim="2")
    yield Row("start to first answer: processor s", f"{total['cpu_s']:.2f}")
    for name, step in part["steps"].items():
        yield Row(f"  {name}: s, processor s", f"{step['wall_s']:.2f}, {step['cpu_s']:.2f}")


def _memory(part: Json) -> Iterator[Row]:
    held = part["memory"]
    scale = _PER / part["passages"] / 1e6
    own, mapped = (
        (held["searches"][kind] - held["model"][kind]) * scale for kind in ("anon", "file")
    )
    yield Row(
        f"memory a {_PER:,} passages: MB, own + mapped", f"{own:.0f} + {mapped:.0f}", aim="250"
    )
    for kind, label in (("anon", "own"), ("file", "mapped")):
        grown = ", ".join(f"{at[kind] / 1e6:.0f}" for at in held.values())
        yield Row(f"  {label} MB after {', '.join(held)}", grown)
    disk = part["disk"]
    yield Row("disk: bytes a passage", f"{sum(disk.values()):,.0f}")
    for name, size in list(disk.items())[:6]:
        yield Row(f"  {name}", f"{size:,.0f}")
    if "disk_vectors" in part:
        yield Row("  vectors kept by text, beside the archive", f"{part['disk_vectors']:,.0f}")


def _add(part: Json) -> Iterator[Row]:
    label = f"add {part['articles']} articles: s"
    yield Row(f"{label} in all", f"{part['all']['wall_s']:.1f}")
    yield Row(f"{label} beyond their encoding", f"{part['rest']['wall_s']:.1f}", aim="5")
    yield Row("  of it processor time", f"{part['rest']['cpu_s']:.1f}")
    yield Row("  in the index, of so many", f"{part['searchable']} of {part['articles']}")
    if merge := part.get("merge"):
        before, after = (len(some) for some in merge["segments"])
        yield Row(f"merge, from {before} segments to {after}: s", f"{merge['wall_s']:.1f}")


def _delete(part: Json) -> Iterator[Row]:
    yield Row("delete an article: ms p50", f"{part['ms']['p50']:.0f}")
    yield Row("  until another reader sees it, ms", f"{part['seen_by_reader_ms']['p50']:.0f}")
    yield Row("  found afterwards", str(part["found_after"]), aim="0")


def _times(worse: float, better: float) -> str:
    return f"{worse / better:.1f}x" if better > 0 else ""
