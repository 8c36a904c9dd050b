"""BEIR folders (Thakur et al. 2021): texts, questions, and which texts are relevant to which.

    corpus.jsonl      {"_id", "title", "text"} a line
    queries.jsonl     {"_id", "text"} a line
    qrels/NAME.tsv    a head line, then question, text and grade (0: not relevant), parted by tabs

A question is only searched: there is no answer to hold against. A text longer than the encoder
reads is several passages of the archive; it counts at its first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from eval.cases import SEARCH, Case, CaseSet, Proof
from eval.datasets import SquadArticle, language_tag
from eval.errors import BadSet
from eval.fields import Fields, Wrong, parse
from eval.gold import read_bytes

SPLITS = ("test", "dev", "train")
"""The judgements used: the first of these that is there."""


def load(folder: Path) -> tuple[CaseSet, tuple[SquadArticle, ...]]:
    """Read and check a folder.

    Returns:
        A case for each judged question, and an article for each text. Questions without a
        relevant text are left out, as the published evaluation has it, and counted; so are empty
        texts.

    Raises:
        BadSet: a file is missing or wrong, or no question has a relevant text; the error names
            the line.
    """
    qrels = next((p for s in SPLITS if (p := folder / "qrels" / f"{s}.tsv").is_file()), None)
    if qrels is None:
        raise BadSet(folder, f"it has no qrels/{' or qrels/'.join(f'{s}.tsv' for s in SPLITS)}")
    corpus = _lines(folder / "corpus.jsonl", empty=True)
    queries = _lines(folder / "queries.jsonl", empty=False)
    grades = _grades(qrels)
    unknown = [q for q in grades if q not in queries]
    if unknown:
        raise BadSet(qrels, f"the question {unknown[0]!r} is not in queries.jsonl")
    cases: list[Case] = []
    for key, relevant in grades.items():
        missing = [t for t in relevant if t not in corpus]
        if missing:
            raise BadSet(qrels, f"the text {missing[0]!r} is not in corpus.jsonl")
        held = {t: g for t, g in relevant.items() if g > 0 and corpus[t].paragraphs}
        if held:
            cases.append(_case(key, queries[key].paragraphs[0], held, corpus))
    if not cases:
        raise BadSet(qrels, "no question has a relevant text")
    digest = hashlib.sha256()
    for path in (folder / "corpus.jsonl", folder / "queries.jsonl", qrels):
        digest.update(hashlib.sha256(read_bytes(path)).digest())
    empty = sum(not article.paragraphs for article in corpus.values())
    said = [f"{empty} empty texts were left out."] if empty else []
    if left := len(queries) - len(cases):
        said.append(f"{left} questions without a relevant text in {qrels.name} were left out.")
    name = f"{folder.resolve().name}-{qrels.stem}"
    found = CaseSet(name, digest.hexdigest(), tuple(cases), {}, (), tuple(said))
    return found, tuple(a for a in corpus.values() if a.paragraphs)


def _case(key: str, question: str, held: dict[str, int], corpus: dict[str, SquadArticle]) -> Case:
    return Case(
        id=key,
        question=question,
        language=language_tag(question),
        type=SEARCH,
        answers=(),
        articles=tuple(held),
        evidence=tuple(Proof(t, 0, "\n".join(corpus[t].paragraphs), g) for t, g in held.items()),
    )


def _lines(path: Path, *, empty: bool) -> dict[str, SquadArticle]:
    """The texts of a file by id, cut at line breaks; `empty`: whether one may have no text."""
    found: dict[str, SquadArticle] = {}
    for number, raw in enumerate(read_bytes(path).split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            fields = Fields(parse(raw))
            key = fields.text("_id")
            if key in found:
                raise Wrong(f"the id {key!r} was used before")
            if not empty:
                fields.text("text")
            text, title = (fields.values.get(name) or "" for name in ("text", "title"))
            if not isinstance(text, str) or not isinstance(title, str):
                raise Wrong("text and title must be texts")
        except Wrong as wrong:
            raise BadSet(path, f"line {number}: {wrong}") from None
        parts = tuple(line.strip() for line in text.split("\n") if line.strip())
        found[key] = SquadArticle(" ".join(title.split()), parts)
    return found


def _grades(path: Path) -> dict[str, dict[str, int]]:
    """Each question's texts with their grades."""
    found: dict[str, dict[str, int]] = {}
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadSet(path, "it is not UTF-8") from None
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != 3 or not cells[2].strip().lstrip("-").isdigit():
            raise BadSet(
                path, f"line {number}: not a question, a text and a whole grade, parted by tabs"
            )
        texts = found.setdefault(cells[0].strip(), {})
        if cells[1].strip() in texts:
            raise BadSet(path, f"line {number}: {cells[1].strip()!r} is judged twice")
        texts[cells[1].strip()] = int(cells[2])
    return found
