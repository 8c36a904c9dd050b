"""RGB's files (Chen et al. 2024): a question, its answer, texts that hold it and texts that do not.

JSON lines with "id", "query", "answer", "positive" and "negative"; in the `_int` files "positive"
holds a list of texts for each part of the answer. All texts of a file go into one archive, so that
each question has to be found among the others' texts too. A list of answers asks for all of them,
and a list within it for any one of its wordings, as the published evaluation has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from eval.cases import Case, CaseSet, Proof
from eval.datasets import SquadArticle, language_tag
from eval.errors import BadSet
from eval.fields import Fields, Wrong, parse, shown
from eval.gold import read_bytes
from eval.text import plain

_KNOWN = frozenset(["id", "query", "answer", "positive", "negative"])


def load(path: Path) -> tuple[CaseSet, tuple[SquadArticle, ...]]:
    """Read and check a file.

    Returns:
        The cases, and an article for each distinct text.

    Raises:
        BadSet: the file cannot be read, is empty, or a line is wrong; it names the line.
    """
    data = read_bytes(path)
    cases: list[Case] = []
    texts: dict[str, str] = {}
    ignored: set[str] = set()
    seen: set[str] = set()
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            fields = Fields(parse(raw))
            case = _case(fields, texts, number)
            if case.id in seen:
                raise Wrong(f"the id {case.id!r} was used before")
        except Wrong as wrong:
            raise BadSet(path, f"line {number}: {wrong}") from None
        seen.add(case.id)
        cases.append(case)
        ignored |= fields.values.keys() - _KNOWN
    if not cases:
        raise BadSet(path, "it holds no questions")
    digest = hashlib.sha256(data).hexdigest()
    found = CaseSet(path.name, digest, tuple(cases), {}, tuple(sorted(ignored)))
    return found, tuple(SquadArticle("", (text,)) for text in texts)


def _case(fields: Fields, texts: dict[str, str], line: int) -> Case:
    question = fields.text("query")
    held = list(_texts(fields, "positive"))
    labels = [texts.setdefault(t, f"t{len(texts)}") for t in held]
    for text in _texts(fields, "negative"):
        texts.setdefault(text, f"t{len(texts)}")
    if not held:
        raise Wrong("positive holds no text")
    items = _items(fields.values.get("answer"))
    single = len(items) == 1
    return Case(
        id=str(fields.values.get("id", line)),
        question=question,
        language=language_tag(question),
        type="factoid" if single else "list",
        answers=items[0] if single else (),
        items=() if single else items,
        articles=tuple(dict.fromkeys(labels)),
        evidence=tuple(
            Proof(label, 0, text) for label, text in dict(zip(labels, held, strict=True)).items()
        ),
        line=line,
    )


def _texts(fields: Fields, name: str) -> Iterator[str]:
    """The texts of a list, or of a list of lists; empty ones are no texts."""
    value = fields.values.get(name, [])
    groups = value if isinstance(value, list) else [value]
    for group in groups:
        for text in group if isinstance(group, list) else [group]:
            if not isinstance(text, str):
                raise Wrong(f"{name} must hold texts, not {shown(text)}")
            if text.strip():
                yield text.strip()


def _items(answer: object) -> tuple[tuple[str, ...], ...]:
    """What has to be said, each with its wordings."""
    parts = answer if isinstance(answer, list) else [answer]
    items: list[tuple[str, ...]] = []
    for part in parts:
        given = part if isinstance(part, list) else [part]
        words = [w for w in given if isinstance(w, str) and plain(w)]
        if not words or len(words) < len(given):
            raise Wrong(f"answer must be texts with letters or digits, not {shown(answer)}")
        items.append(tuple(dict.fromkeys(words)))
    if not items:
        raise Wrong("answer must not be empty")
    return tuple(items)
