"""Small archives to be killed, damaged and flooded: numbered documents, and what must hold of them.

A document's number stands in its name and in its text as a word of its own, so that it can be told
from outside whether the archive still has it, and asked for. The encoder is a stand-in: these
tests are about what is kept, not about what is understood.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eval.hashed import Hashed
from rag.config import Config
from rag.errors import WenjuError
from rag.pipeline import Pipeline

KINDS = ("add", "delete", "merge", "rebuild")
"""The ways in which an archive changes."""

_SUBJECTS = ("大桥", "水库", "实验室", "港口", "学校", "医院", "粮库", "电站")
_WORDS_SAID = ("投资", "完成", "计划", "施工", "标段", "验收", "居民", "道路", "照明", "绿化",
               "检修", "桥面", "机组", "泵房", "仓容", "床位", "课桌", "码头", "航道", "吊装",
               "混凝土", "监测", "培训", "补助", "招标", "竣工", "隧洞", "闸门")  # fmt: skip


@contextmanager
def opened(home: Path, cache: Path) -> Iterator[Pipeline]:
    """An archive, as a process that has just begun opens it."""
    pipeline = Pipeline(Config(home=home, cache=cache, threads=1), Hashed())
    try:
        yield pipeline
    finally:
        pipeline.close()


def name_of(number: int) -> str:
    """The name that a document is added under."""
    return f"d{number}.txt"


def text_of(number: int, paragraphs: int = 3) -> str:
    """A document: a title and paragraphs so unlike all others that none is taken for a reprint."""
    chance = random.Random(number)  # noqa: S311 no secret
    lines = [f"{chance.choice(_SUBJECTS)}工程第{number}号通报"]
    for place in range(paragraphs):
        said = "，".join("".join(chance.choices(_WORDS_SAID, k=4)) for _ in range(6))
        lines.append(f"编号k{number}x{place}的{chance.choice(_SUBJECTS)}工程本月通报：{said}。")
    return "\n\n".join(lines) + "\n"


def question_of(number: int) -> str:
    """What only this document says."""
    return text_of(number).split("\n\n")[2].strip()


def numbers(pipeline: Pipeline) -> dict[int, str]:
    """The documents that the corpus holds, by number, each with its article's id."""
    found: dict[int, str] = {}
    for article in pipeline.corpus.ids():
        for uri in pipeline.corpus.uris(article):
            found[int(Path(uri).stem.removeprefix("d"))] = article
    return found


def change(pipeline: Pipeline, kind: str, number: int) -> None:
    """Do one of `KINDS`.

    Args:
        pipeline: the archive.
        kind: what to do.
        number: of the document that is added or deleted.

    Raises:
        WenjuError: it could not be done.
    """
    if kind == "add":
        report = pipeline.add_upload(name_of(number), text_of(number).encode())
        if report.outcome == "failed":
            raise WenjuError(report.reason)
    elif kind == "delete":
        pipeline.delete(numbers(pipeline)[number])
    elif kind == "merge":
        pipeline.tidy()
    else:
        pipeline.rebuild()


@dataclass(frozen=True, slots=True)
class Expected:
    """What was promised of an archive.

    Attributes:
        held: numbers of the documents whose adding was acknowledged.
        gone: of those whose deletion was.
        open: the document of a change that was cut off: it may be there or not.
    """

    held: frozenset[int]
    gone: frozenset[int] = frozenset()
    open: int | None = None


def problems(home: Path, cache: Path, expected: Expected, asked: Sequence[int] = ()) -> list[str]:
    """What is wrong with an archive after a kill or a fault; it is only read.

    Args:
        home: its folder.
        cache: of what all archives share.
        expected: what must be in it, in corpus and index, and what must not.
        asked: documents that are searched for; each must be found first.
    """
    found: list[str] = []
    try:
        with opened(home, cache) as pipeline:
            snapshot = pipeline.snapshot()
            if fell_back := snapshot.stats()["fell_back"]:
                found.append(f"fell back: {fell_back}")
            found += [f"index: {problem}" for problem in pipeline.store.verify()]
            found += [f"corpus: {problem}" for problem in pipeline.corpus.check()]
            held = numbers(pipeline)
            indexed = snapshot.groups()
            sure = expected.held - {expected.open}
            found += [f"lost by the corpus: {n}" for n in sorted(sure - set(held))]
            missing = sorted(n for n in sure & set(held) if held[n] not in indexed)
            found += [f"lost by the index: {n}" for n in missing]
            known = expected.held | {expected.open}
            found += [f"came from nowhere: {n}" for n in sorted(set(held) - known)]
            for number in asked:
                first = pipeline.search(question_of(number), top_k=1)
                if not first or first[0].article.id != held.get(number):
                    found.append(f"not answered: {number}")
    except WenjuError as error:
        found.append(f"does not open: {error}")
    return found


def disagreement(pipeline: Pipeline) -> list[str]:
    """What the index and the corpus do not agree on."""
    ids, groups = pipeline.corpus.ids(), pipeline.snapshot().groups()
    return [f"not in the index: {i}" for i in sorted(ids - groups)] + [
        f"only in the index: {i}" for i in sorted(groups - ids)
    ]
