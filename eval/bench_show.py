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
        ("encode: one question, ms p50 (torch fp32)", "question", "5x"),
        ("encode: one question, processor ms", "question_cpu", ""),
    ):
        a, b = 1e3 * served[key], 1e3 * torch[key]
        yield Row(label, f"{a:.1f}", f"{b:.1f}", _times(b, a), aim)
    for label, key, aim in (
        ("encode: paragraphs a second (torch fp32)", "passage", "4x"),
        ("encode: paragraphs a processor second", "passage_cpu", ""),
    ):
        a, b = 1 / served[key], 1 / torch[key]
        yield Row(label, f"{a:.1f}", f"{b:.1f}", _times(a, b), aim)
    for name, found in part.get("recall_at_1", {}).items():
        a, b = found["served"], found["torch"]
        yield Row(f"encode: recall@1, {name}", f"{a:.3f}", f"{b:.3f}", f"{a - b:+.4f}", "-.003")


def _lexical(part: Json) -> Iterator[Row]:
    for one in part.values():
        engines = one["engines"]
        ours = engines["wenju"]
        for name in (n for n in _PEERS if n in engines):
            peer = engines[name]
            label = f"({_PEERS[name]}, {one['passages']:,} passages)"
            for key in ("p50", "p95", "cpu"):
                a, b = ours["ms"][key], peer["ms"][key]
                what = "processor ms" if key == "cpu" else f"ms {key}"
                row = Row(f"words: {what} {label}", f"{a:.2f}", f"{b:.2f}", _times(b, a))
                yield row
            for key, what, unit in (
                ("build_s", "build, s", 1.0),
                ("memory", "memory, bytes a passage", 1.0),
                ("disk", "disk, bytes a passage", 1.0),
            ):
                if key in ours and key in peer:
                    a, b = unit * ours[key], unit * peer[key]
                    yield Row(f"words: {what} {label}", f"{a:,.1f}", f"{b:,.1f}", _times(b, a))
        if ours.get("overlap") is not None:
            yield Row("words: ten best shared with rank_bm25", f"{ours['overlap']:.3f}", "1")


def _dense(part: Json) -> Iterator[Row]:
    a, b = part["wenju"], part["faiss_flat"]
    where = f"{part['rows']:,} {'real ' if part['only_real'] else ''}vectors, {part['kind']}"
    for key in ("p50", "p95"):
        what = f"vectors: ms {key} (FAISS Flat; {where})"
        yield Row(what, f"{a[key]:.2f}", f"{b[key]:.2f}", _times(b[key], a[key]))
    yield Row("vectors: recall@10 of exact", f"{part['recall@10']:.4f}", "1", "", ".99")


def _search(part: Json) -> Iterator[Row]:
    alone, busy, asked = part["alone"], part["busy"], part["ask"]
    yield Row("search alone: ms p50", f"{alone['p50']:.1f}", aim="25")
    yield Row("search alone: ms p95", f"{alone['p95']:.1f}", aim="60")
    yield Row("search alone: ms p99", f"{alone['p99']:.1f}")
    yield Row("search alone: processor ms", f"{alone['cpu']:.1f}")
    yield from _busy("search", part["clients"], busy)
    yield Row("answer alone: ms p50, p95", f"{asked['p50']:.1f}, {asked['p95']:.1f}")


def _busy(name: str, clients: int, busy: Json) -> Iterator[Row]:
    aim = "40" if name == "search" else ""
    yield Row(f"{name}, {clients} clients: a second", f"{busy['a_second']:.1f}", aim=aim)
    yield Row(f"{name}, {clients} clients: ms p50, p95", f"{busy['p50']:.1f}, {busy['p95']:.1f}")


def _http(part: Json) -> Iterator[Row]:
    alone = part["alone"]
    yield Row("search over HTTP: ms p50, p95", f"{alone['p50']:.1f}, {alone['p95']:.1f}")
    yield from _busy("search over HTTP", part["clients"], part["busy"])
    failed = alone["failed"] + part["busy"]["failed"]
    yield Row("search over HTTP: failed", str(failed), aim="0")


def _build(part: Json) -> Iterator[Row]:
    took, bare = part["corpus"]["wall_s"] + part["index"]["wall_s"], part["encoder"]["wall_s"]
    yield Row("build: s, beside the encoder's own", f"{took:.1f}", f"{bare:.1f}")
    yield Row("build: share of the encoder's time", f"{part['all_share']:.1%}", aim="10 %")
    yield Row("build: share, index alone", f"{part['index_share']:.1%}")
    yield Row("build: share, processor time", f"{part['all_share_cpu']:.1%}")


def _open(part: Json) -> Iterator[Row]:
    total = part["total"]
    yield Row("start to first answer: s", f"{total['wall_s']:.2f}", aim="2")
    yield Row("start to first answer: processor s", f"{total['cpu_s']:.2f}")
    took = part["steps"].items()
    steps = ", ".join(f"{k} {s['wall_s']:.2f} ({s['cpu_s']:.2f})" for k, s in took)
    yield Row("  its steps (processor)", steps)


def _memory(part: Json) -> Iterator[Row]:
    held = part["memory"]
    scale = _PER / part["passages"] / 1e6
    grown = {
        kind: (held["searches"][kind] - held["model"][kind]) * scale for kind in ("anon", "file")
    }
    label = f"memory: MB a {_PER:,} passages after {part['searches']} searches"
    yield Row(f"{label}, own + mapped", f"{grown['anon']:.0f} + {grown['file']:.0f}", aim="250")
    whole = {k: v / 1e6 for k, v in held["searches"].items()}
    yield Row("memory: MB of the whole process", f"{whole['anon']:.0f} + {whole['file']:.0f}")
    before = {k: v / 1e6 for k, v in held["model"].items()}
    yield Row("  of it before the index", f"{before['anon']:.0f} + {before['file']:.0f}")
    disk = part["disk"]
    yield Row("disk: bytes a passage", f"{sum(disk.values()):,.0f}")
    most = ", ".join(f"{name} {size:,.0f}" for name, size in list(disk.items())[:4])
    yield Row("  of it", most)
    yield Row("disk: bytes a passage, vectors kept", f"{part['disk_vectors']:,.0f}")


def _add(part: Json) -> Iterator[Row]:
    label = f"add {part['articles']} articles: s"
    yield Row(f"{label} in all", f"{part['all']['wall_s']:.1f}")
    yield Row(f"{label} beyond their encoding", f"{part['rest']['wall_s']:.1f}", aim="5")
    yield Row("  of it processor time", f"{part['rest']['cpu_s']:.1f}")
    yield Row("  in the index, of so many", f"{part['searchable']} of {part['articles']}")


def _delete(part: Json) -> Iterator[Row]:
    yield Row("delete an article: ms p50", f"{part['ms']['p50']:.0f}")
    yield Row("  until another reader sees it, ms", f"{part['seen_by_reader_ms']['p50']:.0f}")
    yield Row("  found afterwards", str(part["found_after"]), aim="0")


def _times(worse: float, better: float) -> str:
    return f"{worse / better:.1f}x" if better > 0 else ""
