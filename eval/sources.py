"""Any question set by its own format: Wenju's lines, SQuAD's, BEIR's, CRUD-RAG's, RGB's, dialogues.

A set of the published formats brings the texts that it is asked of; an archive is made of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval import beir, crud, rgb
from eval.cases import UNANSWERABLE, Case, CaseSet, load_cases
from eval.datasets import SquadArticle, SquadSet, case_of, load_squad
from eval.errors import BadSet
from eval.gold import read_bytes

FORMATS = (
    'Wenju\'s JSON lines ("question" …), SQuAD ("data"), CRUD-RAG ("questanswer_1doc" …), RGB '
    '("query", "positive"), dialogues ("turns"), a BEIR folder (corpus.jsonl, queries.jsonl)'
)


@dataclass(frozen=True, slots=True)
class Source:
    """A question set and the texts that it brings.

    Attributes:
        articles: of which an archive is to be made; () where the set is asked of one that exists.
    """

    cases: CaseSet
    articles: tuple[SquadArticle, ...] = ()

    def as_set(self) -> SquadSet:
        """The texts as `eval.retrieval.build` takes them."""
        return SquadSet(Path(self.cases.name).stem, self.cases.digest, self.articles, ())


def load(path: Path, gold: Path | None = None) -> Source:
    """Read and check a set, whatever its format.

    Args:
        path: a file, or a BEIR folder.
        gold: gold articles for Wenju's own format, see `load_cases`.

    Raises:
        BadSet: it cannot be read, is of no known format, holds no questions, or is wrong.
    """
    if path.is_dir():
        return Source(*beir.load(path))
    kind = _kind(path)
    if kind == "squad":
        return _squad(path)
    if kind == "crud":
        return Source(*crud.load(path))
    if kind == "rgb":
        return Source(*rgb.load(path))
    if kind == "dialogues":
        return Source(_dialogues(path))
    return Source(load_cases(path, gold))


def _kind(path: Path) -> str:
    """The format, by the first value of the file; Wenju's own names what is wrong with the rest."""
    data = read_bytes(path)
    first = next((line for line in data.split(b"\n") if line.strip()), b"")
    value = _object(first)
    if value is None and path.suffix == ".json":
        value = _object(data)
        if value is None:
            raise BadSet(path, f"it is not JSON, nor JSON lines; known are {FORMATS}")
    if value is None:
        return "cases"
    if "data" in value:
        return "squad"
    if value.keys() & set(crud.TASKS):
        return "crud"
    if "query" in value and "positive" in value:
        return "rgb"
    if "turns" in value:
        return "dialogues"
    if path.suffix == ".json" and "question" not in value:
        raise BadSet(path, f"its format is not known; known are {FORMATS}")
    return "cases"


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _squad(path: Path) -> Source:
    found = load_squad(path)
    names = {
        text: f"{number}.{place}"
        for number, article in enumerate(found.articles)
        for place, text in enumerate(article.paragraphs)
    }
    cases = tuple(case_of(q, names[q.paragraph]) for q in found.questions)
    empty = sum(not case.question.strip() for case in cases)
    said = (f"{empty} questions are empty: they fail.",) if empty else ()
    return Source(CaseSet(path.name, found.digest, cases, {}, (), said), found.articles)


def _dialogues(path: Path) -> CaseSet:
    """Each follow-up with the turns before it as they should have been.

    The labels of their articles are not the archive's ids and are left to the system to tell.
    """
    from eval import dialogues  # the pipeline with it

    cases = tuple(
        Case(
            follow.id,
            follow.question,
            follow.language,
            follow.kind if follow.accept else UNANSWERABLE,
            follow.accept,
            history=tuple(replace(turn, article_ids=()) for turn in follow.history),
        )
        for follow in dialogues.read(path)
    )
    if not cases:
        raise BadSet(path, "it holds no follow-ups; a dialogue needs two turns")
    return CaseSet(path.name, hashlib.sha256(read_bytes(path)).hexdigest(), cases, {})
