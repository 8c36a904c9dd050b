"""Wenju's question sets: JSON lines, one question each, and the gold articles beside them.

A line is an object with these fields; others are allowed, ignored and named in `CaseSet.ignored`.

    id                     unique in the set
    question, language     language: "zh", "zh-Hant" or "en"
    type                   "unanswerable", or any other word to report by ("factoid", "list" ...)
    answers                accepted answers, each right by itself; [] only for "unanswerable"
    must_include           for lists: items that together are right as well
    must_include_variants  for each item of must_include, the wordings that count for it
    article                label or labels of the gold articles
    evidence               [{"article": label, "paragraph": from 0, "quote": verbatim}]
    meta_evidence          [{"article": label, "field": one of FIELDS}], where the answer rests on
                           an article's head
    joint                  whether the evidence stands at a column break of a newspaper page
    history                [{"question", "answer", "article_ids"}], the turns before a follow-up;
                           without article_ids these are what the system cites for that turn
    draft                  true until a person has checked the line; drafts are asked and counted

Gold articles: a JSON list of {"id": label, "title", "authors", "affiliations", "paragraphs"}.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eval.errors import BadSet
from eval.fields import Fields, Wrong, parse, shown
from eval.gold import GoldArticle, load_gold, read_bytes
from eval.text import plain, scripts, squeeze
from rag.types import Turn

LANGUAGES = ("zh", "zh-Hant", "en")
FIELDS = ("title", "byline", "affiliation", "source", "published")
UNANSWERABLE = "unanswerable"
SEARCH = "search"
"""The type of a question that has relevant texts and no accepted answer: it is only searched."""

_KNOWN = frozenset(
    [
        "id",
        "question",
        "language",
        "type",
        "answers",
        "must_include",
        "must_include_variants",
        "article",
        "evidence",
        "meta_evidence",
        "joint",
        "history",
        "draft",
    ]
)


@dataclass(frozen=True, slots=True)
class Proof:
    """Where an answer stands: a verbatim quote of a paragraph (counted from 0) of an article.

    Attributes:
        grade: how relevant it is, from 1; only nDCG knows more than relevant or not.
    """

    article: str
    paragraph: int
    quote: str
    grade: int = 1


@dataclass(frozen=True, slots=True)
class Head:
    """A part of an article's head that an answer rests on; `field` is one of `FIELDS`."""

    article: str
    field: str


@dataclass(frozen=True, slots=True)
class Case:
    """One question and what a right answer to it is.

    Attributes:
        items: for lists: each item's wordings, one of which must be in the answer; () otherwise.
        articles: labels of the gold articles.
        line: where it stands in its file, from 1.
        history: the turns before it, oldest first; () for a question that stands alone.
        draft: whether nobody has checked it yet.
    """

    id: str
    question: str
    language: str
    type: str
    answers: tuple[str, ...]
    items: tuple[tuple[str, ...], ...] = ()
    articles: tuple[str, ...] = ()
    evidence: tuple[Proof, ...] = ()
    heads: tuple[Head, ...] = ()
    joint: bool = False
    line: int = 0
    history: tuple[Turn, ...] = ()
    draft: bool = False

    @property
    def answerable(self) -> bool:
        """Whether the archive holds an answer."""
        return self.type != UNANSWERABLE

    @property
    def searched(self) -> bool:
        """Whether it is only searched: it has relevant texts, and no answer can be told right."""
        return self.answerable and not self.answers and not self.items


@dataclass(frozen=True, slots=True)
class CaseSet:
    """A whole set.

    Attributes:
        name: the file's name.
        digest: SHA-256 of the file, hexadecimal.
        gold: gold articles by label; empty when there is no such file.
        ignored: fields that were met and not used, sorted.
        notices: what was left out, and what else a reader of the scores should know.
    """

    name: str
    digest: str
    cases: tuple[Case, ...]
    gold: Mapping[str, GoldArticle]
    ignored: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def load_cases(path: Path, gold: Path | None = None) -> CaseSet:
    """Read and check a set.

    Args:
        path: the questions.
        gold: the gold articles; None: "articles.json" beside the questions where there is one.

    Raises:
        BadSet: the file cannot be read, is empty, or a line is wrong; it names the line and says
            what is wrong with it, and how many more are wrong.
    """
    data = read_bytes(path)
    beside = path.parent / "articles.json"
    gold_path = gold or (beside if beside.is_file() else None)
    articles = load_gold(gold_path) if gold_path else {}
    cases: list[Case] = []
    problems: list[str] = []
    ignored: set[str] = set()
    seen: dict[str, int] = {}
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            fields = Fields(parse(raw))
            case = _case(fields, number)
            _check(case, articles)
            if case.id in seen:
                raise Wrong(f"the id {case.id!r} was used in line {seen[case.id]} already")
        except Wrong as wrong:
            problems.append(f"line {number}: {wrong}")
            continue
        seen[case.id] = number
        cases.append(case)
        ignored |= fields.values.keys() - _KNOWN
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise BadSet(path, f"{problems[0]}{more}")
    if not cases:
        raise BadSet(path, "it holds no questions; write one JSON object a line")
    digest = hashlib.sha256(data).hexdigest()
    drafts = sum(case.draft for case in cases)
    said = (f"{drafts} questions are drafts that nobody has checked.",) if drafts else ()
    return CaseSet(path.name, digest, tuple(cases), articles, tuple(sorted(ignored)), said)


def _case(fields: Fields, line: int) -> Case:
    article = fields.values.get("article", [])
    if isinstance(article, str):
        fields.values["article"] = [article]
    return Case(
        id=fields.text("id"),
        question=fields.text("question"),
        language=fields.text("language", LANGUAGES),
        type=fields.text("type"),
        answers=fields.texts("answers"),
        items=_items(fields),
        articles=fields.texts("article"),
        evidence=tuple(
            Proof(e.text("article"), e.count("paragraph"), e.text("quote"))
            for e in fields.objects("evidence")
        ),
        heads=tuple(
            Head(e.text("article"), e.text("field", FIELDS))
            for e in fields.objects("meta_evidence")
        ),
        joint=fields.truth("joint"),
        line=line,
        history=tuple(
            Turn(t.text("question"), t.text("answer"), t.texts("article_ids"))
            for t in fields.objects("history")
        ),
        draft=fields.truth("draft"),
    )


def _items(fields: Fields) -> tuple[tuple[str, ...], ...]:
    """Each item with its variants."""
    items = fields.texts("must_include")
    variants = fields.values.get("must_include_variants")
    if variants is None:
        return tuple((item,) for item in items)
    if not isinstance(variants, list) or len(variants) != len(items):
        raise Wrong("must_include_variants must be a list with a list for each of must_include")
    named = "an entry of must_include_variants"
    return tuple(
        tuple(dict.fromkeys((item, *Fields({named: words}).texts(named))))
        for item, words in zip(items, variants, strict=True)
    )


def _check(case: Case, gold: Mapping[str, GoldArticle]) -> None:
    """What fields must hold of one another."""
    given = case.answers or case.items or case.evidence or case.heads or case.articles
    if not case.answerable:
        if given:
            raise Wrong("an unanswerable question has no answers, article or evidence")
        return
    needed = {
        "answers or must_include": case.answers or case.items,
        "an article": case.articles,
        "evidence with a verbatim quote": case.evidence,
    }
    for name, value in needed.items():
        if not value:
            raise Wrong(f"an answerable question needs {name}")
    for answer in (*case.answers, *(w for words in case.items for w in words)):
        if not plain(answer):
            raise Wrong(f"the answer {answer!r} has no letter or digit")
    for label in (*(e.article for e in case.evidence), *(h.article for h in case.heads)):
        if label not in case.articles:
            raise Wrong(f"evidence names the article {label!r}, which `article` does not")
    _check_scripts(case)
    if gold:
        _check_gold(case, gold)


def _check_scripts(case: Case) -> None:
    """An accepted answer in letters that neither question nor evidence have helps nobody."""
    known = scripts(" ".join([case.question, *(e.quote for e in case.evidence)]))
    accepted = [*case.answers, *(w for words in case.items for w in words)]
    found = [scripts(answer) for answer in accepted]
    if case.heads or any(not letters or letters & known for letters in found):
        return
    raise Wrong(
        f"the answer {shown(accepted[0])} is in another script ({', '.join(sorted(found[0]))}) "
        f"than question and evidence ({', '.join(sorted(known)) or 'no letters'})"
    )


def _check_gold(case: Case, gold: Mapping[str, GoldArticle]) -> None:
    for label in case.articles:
        if label not in gold:
            raise Wrong(f"the gold articles hold no {label!r}")
    for proof in case.evidence:
        paragraphs = gold[proof.article].paragraphs
        held = proof.paragraph < len(paragraphs) and squeeze(proof.quote) in squeeze(
            paragraphs[proof.paragraph]
        )
        if not held:
            raise Wrong(
                f"the quote {shown(proof.quote)} does not stand in paragraph {proof.paragraph}"
                f" (from 0) of the gold article {proof.article!r}"
            )
