"""CRUD-RAG's question answering (Lyu et al. 2024): news texts and questions over one to three.

One JSON object whose "questanswer_1doc", "…_2docs" and "…_3docs" list entries with "ID",
"questions", "answers" and "news1" to "news3". Its other tasks (summaries, continuations,
corrections) ask for texts to be written and are left out; so are entries that the published file
leaves empty. All are counted.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from eval.cases import Case, CaseSet, Proof
from eval.datasets import SquadArticle, language_tag
from eval.errors import BadSet
from eval.fields import Fields, Wrong
from eval.gold import parsed, read_bytes
from eval.text import plain

TASKS = {"questanswer_1doc": 1, "questanswer_2docs": 2, "questanswer_3docs": 3}
"""The tasks read, and the news texts of an entry."""


def load(path: Path) -> tuple[CaseSet, tuple[SquadArticle, ...]]:
    """Read and check a file.

    Returns:
        The cases, typed "1doc", "2docs" and "3docs", and an article for each distinct news text.

    Raises:
        BadSet: the file cannot be read, holds no questions, or an entry is wrong; it is named as
            in questanswer_1doc[3].
    """
    data = read_bytes(path)
    value = parsed(path, data)
    if not isinstance(value, dict):
        raise BadSet(path, "it is not an object with CRUD-RAG's tasks")
    labels: dict[str, str] = {}
    cases: list[Case] = []
    empty = 0
    where = ""
    try:
        for task, count in TASKS.items():
            for number, entry in enumerate(Fields(value).objects(task)):
                where = f"{task}[{number}]: "
                case = _case(entry, f"{task}.{number}", count, labels)
                empty += case is None
                cases += [case] if case else []
            where = ""
    except Wrong as wrong:
        raise BadSet(path, f"{where}{wrong}") from None
    if not cases:
        raise BadSet(path, f"it holds no questions under {', '.join(TASKS)}")
    said = (f"{empty} entries without question, answer or text were left out.",) if empty else ()
    ignored = tuple(sorted(value.keys() - TASKS.keys()))
    found = CaseSet(path.name, hashlib.sha256(data).hexdigest(), tuple(cases), {}, ignored, said)
    return found, tuple(SquadArticle("", _paragraphs(text)) for text in labels)


def _case(entry: Fields, key: str, count: int, labels: dict[str, str]) -> Case | None:
    """The entry as a case; None for an empty one."""
    named = {n: entry.values.get(n, "") for n in ("questions", "answers")}
    news = [entry.values.get(f"news{n}", "") for n in range(1, count + 1)]
    for name, text in [*named.items(), *((f"news{n}", t) for n, t in enumerate(news, start=1))]:
        if not isinstance(text, str):
            raise Wrong(f"{name} must be a text")
    question, answer = named["questions"].strip(), named["answers"].strip()
    texts = [text for text in news if text.strip()]
    if not question or not plain(answer) or not texts:
        return None
    held = list(dict.fromkeys(labels.setdefault(text, f"n{len(labels)}") for text in texts))
    quotes = {labels[text]: text for text in texts}
    return Case(
        id=key,
        question=question,
        language=language_tag(question),
        type=key.partition("_")[2].partition(".")[0],
        answers=(answer,),
        articles=tuple(held),
        evidence=tuple(Proof(label, 0, quotes[label]) for label in held),
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())
