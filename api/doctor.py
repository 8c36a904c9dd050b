"""`wenju doctor`: checks the model, the index, the corpus and the versions, and says what to do."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from api.settings import Settings
from rag import __version__, salvage
from rag.errors import IndexDamaged, WenjuError
from rag.indexing import Progress
from rag.pipeline import Pipeline

_LIBRARIES = ("faiss-cpu", "jieba", "onnxruntime", "sentence-transformers", "fastapi")
_SAVE = "`wenju restore FILE` puts back a backup; `wenju doctor --repair` saves what can be read."
_LITTLE_DISK = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do about a bad one."""

    name: str
    good: bool
    text: str
    advice: str = ""

    def json(self) -> dict[str, object]:
        """As --json prints it."""
        return {"name": self.name, "good": self.good, "text": self.text, "advice": self.advice}


def examine(
    settings: Settings, *, repair: bool = False, progress: Progress | None = None
) -> list[Finding]:
    """Look at everything that an archive needs to answer.

    Args:
        settings: where it is.
        repair: rebuild the index from the corpus first.
        progress: called as a repair goes on.
    """
    findings = [_versions(), _disk(settings)]
    if repair and settings.store is None:
        saved = _try("salvage", lambda: _salvaged(settings))
        findings += [saved] if saved.text else []
    try:
        pipeline = Pipeline(settings.config())
    except WenjuError as error:
        return [*findings, Finding("home", False, str(error))]
    try:
        if repair:
            findings.append(_try("repair", lambda: _repair(pipeline, progress)))
        checks: list[tuple[str, Callable[[], Finding]]] = [
            ("corpus", lambda: _corpus(pipeline)),
            ("caches", lambda: _caches(pipeline)),
            ("model", lambda: _model(pipeline)),
            ("index", lambda: _index(pipeline)),
            ("agreement", lambda: _agreement(pipeline)),
        ]
        findings += [_try(name, check) for name, check in checks]
    finally:
        pipeline.close()
    return findings


def _try(name: str, check: Callable[[], Finding]) -> Finding:
    """A check that cannot be made is a finding too: the error's own words say what to do."""
    try:
        return check()
    except WenjuError as error:
        return Finding(name, False, str(error))


def _versions() -> Finding:
    found = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    return Finding(
        "versions", True, f"wenju {__version__}, Python {platform.python_version()}, {found}"
    )


def _disk(settings: Settings) -> Finding:
    place = next(p for p in (settings.home, *settings.home.resolve().parents) if p.exists())
    free = shutil.disk_usage(place).free
    text = f"{settings.home}, {free / 2**30:.1f} GiB free"
    return Finding(
        "home", free > _LITTLE_DISK, text, "" if free > _LITTLE_DISK else "Free some disk space."
    )


def _salvaged(settings: Settings) -> Finding:
    """What became of a damaged corpus; no text where it is sound. Bad where something is lost."""
    saved = salvage.mend(settings.home)
    if saved is None:
        return Finding("salvage", True, "")
    text = f"{saved.articles:,} articles were saved; the damaged file is {saved.aside}"
    if saved.lost:
        text += f"; lost: {', '.join(saved.lost)}"
    if saved.unread:
        text += f"; not read to their end: {', '.join(saved.unread)}"
    if not (saved.files or saved.unnamed or saved.unread):
        return Finding("salvage", True, text, "Start `wenju serve` again.")
    names = list(saved.files) + ([f"{saved.unnamed} more"] if saved.unnamed else [])
    told = ", ".join(names) or "those that `wenju articles` does not show"
    return Finding("salvage", False, text, f"Add these files again: {told}.")


def _caches(pipeline: Pipeline) -> Finding:
    problems = pipeline.reprints.check(pipeline.corpus) + pipeline.vectors.check()
    scans = pipeline.scans.check()
    if problems or scans:
        advice = "`wenju doctor --repair` makes them anew."
        if scans:
            advice += " Scans it puts aside: `wenju add --restore` reads them again."
        return Finding("caches", False, "; ".join(problems + scans), advice)
    return Finding("caches", True, "reprints and vectors are as they were written")


def _repair(pipeline: Pipeline, progress: Progress | None) -> Finding:
    pipeline.vectors.mend()
    if pipeline.reprints.check(pipeline.corpus):
        pipeline.reprints.forget()
    aside = pipeline.scans.forget() if pipeline.scans.check() else None
    count = pipeline.rebuild(progress)
    text = f"the index was rebuilt with {count:,} passages"
    if aside is None:
        return Finding("repair", True, text)
    advice = "`wenju add --restore` with the scans' files reads them again."
    return Finding("repair", False, f"{text}; damaged scans are now {aside}", advice)


def _corpus(pipeline: Pipeline) -> Finding:
    problems = pipeline.corpus.check()
    stats = pipeline.corpus.stats()
    text = ", ".join(f"{count:,} {name}" for name, count in stats.items())
    if problems:
        return Finding("corpus", False, "; ".join(problems), _SAVE)
    advice = "" if stats["articles"] else "`wenju add PATH` adds articles."
    return Finding("corpus", True, text, advice)


def _model(pipeline: Pipeline) -> Finding:
    encoder = pipeline.encoder()
    text = f"{encoder.name}, {encoder.dim} dimensions, {encoder.max_tokens} tokens a passage"
    return Finding("model", True, f"{text}, fingerprint {encoder.fingerprint}")


def _index(pipeline: Pipeline) -> Finding:
    problems = list(_problems(pipeline))
    if problems:
        return Finding("index", False, "; ".join(problems), "`wenju doctor --repair` rebuilds it.")
    stats = pipeline.snapshot().stats()
    dense: list[Mapping[str, object]] = stats.pop("dense")  # type: ignore[assignment]
    text = ", ".join(f"{k} {v}" for k, v in stats.items())
    return Finding("index", True, f"{text}, vectors {_searched(dense)}")


def _searched(segments: Sequence[Mapping[str, object]]) -> str:
    """How each segment's vectors are searched, and what share of the best that finds."""
    said = [
        f"{facts['rows']:,} by {facts['kind']} (depth {facts['depth']}, recall@10 "
        f"{facts['recall@10']}, recall@50 {facts['recall@50']})"
        for facts in segments
        if facts["kind"] != "exact"
    ]
    exact = sum(int(str(facts["rows"])) for facts in segments if facts["kind"] == "exact")
    return "; ".join([*said, *([f"{exact:,} exactly"] if exact else [])]) or "none"


def _problems(pipeline: Pipeline) -> Iterator[str]:
    try:
        yield from pipeline.store.verify()
        snapshot = pipeline.snapshot()
    except IndexDamaged as error:
        yield str(error)
        return
    fingerprint = pipeline.encoder().fingerprint
    if snapshot.generation and snapshot.model != fingerprint:
        yield f"it was made with the model {snapshot.model}, but {fingerprint} is configured"


def _agreement(pipeline: Pipeline) -> Finding:
    indexed, held = pipeline.snapshot().groups(), pipeline.corpus.ids()
    missing, extra = len(held - indexed), len(indexed - held)
    if missing or extra:
        text = f"{missing} articles are not in the index, {extra} in it are not in the corpus"
        return Finding("agreement", False, text, "`wenju doctor --repair` mends it.")
    return Finding("agreement", True, "the index holds just the corpus's articles")
