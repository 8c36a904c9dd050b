"""Readers' verdicts as drafts of a question set, in the layout that `eval.cases` reads.

A draft is no gold: a person has to check it. Every line says `"draft": true` and carries the
verdict, the comment and the answer that was given. An answer that was liked brings its own words
as the accepted answer and its cited paragraphs as evidence; a refusal that was liked becomes an
unanswerable question. An answer that was not liked brings no accepted answer, and `eval run`
refuses the set until somebody has written one in, or has taken the line out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.cases import UNANSWERABLE
from rag.corpus import Corpus
from rag.errors import HomeUnusable
from rag.feedback import Feedback, FeedbackStore
from rag.language import is_traditional, language_of
from rag.types import Passage

TYPE = "feedback"
"""What drafts are reported by until a person gives them a type."""

_PAGE = 500
_MARKER = re.compile(r"\[\d{1,4}\]")


@dataclass(frozen=True, slots=True)
class Drafts:
    """Drafts, oldest verdict first.

    Attributes:
        cases: one JSON object a question.
        lost: cited passages that the archive no longer holds and that are left out.
    """

    cases: tuple[dict[str, Any], ...]
    lost: int


def drafts(home: Path, verdict: str | None = None) -> Drafts:
    """The drafts of a home's verdicts.

    Args:
        home: folder of the archive.
        verdict: only "up" or only "down".

    Raises:
        HomeUnusable: there is no archive there, or it cannot be read.
        FeedbackDamaged: the verdicts cannot be read.
    """
    if not (home / "corpus.sqlite").is_file():
        raise HomeUnusable(home, "it holds no archive")
    corpus = Corpus(home / "corpus.sqlite")
    try:
        cases, lost = [], 0
        for feedback in reversed(list(_all(FeedbackStore(home), verdict))):
            found = corpus.passages(feedback.passage_ids)
            lost += len(set(feedback.passage_ids) - found.keys())
            cases.append(draft(feedback, found))
    finally:
        corpus.close()
    return Drafts(tuple(cases), lost)


def _all(store: FeedbackStore, verdict: str | None) -> Iterator[Feedback]:
    offset = 0
    while True:
        found, _ = store.listing(limit=_PAGE, offset=offset, verdict=verdict)
        yield from found
        offset += _PAGE
        if len(found) < _PAGE:
            return


def draft(feedback: Feedback, passages: Mapping[str, Passage]) -> dict[str, Any]:
    """One verdict as a line of a question set.

    Args:
        feedback: the verdict.
        passages: the cited passages that still exist, by id.
    """
    liked = feedback.verdict == "up"
    refused = not feedback.article_ids and not feedback.passage_ids
    cited = [passages[i] for i in feedback.passage_ids if i in passages]
    articles = dict.fromkeys([*feedback.article_ids, *(p.article_id for p in cited)])
    return {
        "id": f"fb-{feedback.answer_id}",
        "question": feedback.question,
        "language": _language(feedback.question),
        "type": UNANSWERABLE if liked and refused else TYPE,
        "answers": [_words(feedback.answer)] if liked and not refused else [],
        "article": list(articles),
        "evidence": [
            {"article": p.article_id, "paragraph": p.paragraph, "quote": p.text} for p in cited
        ],
        "joint": False,
        "draft": True,
        "verdict": feedback.verdict,
        "comment": feedback.comment,
        "given": feedback.answer,
        "at": feedback.at,
    }


def _language(question: str) -> str:
    language = language_of(question)
    return "zh-Hant" if language == "zh" and is_traditional(question) else language


def _words(answer: str) -> str:
    """An answer without its markers."""
    return _MARKER.sub("", answer).strip()


def lines(found: Drafts) -> str:
    """The drafts as JSON lines."""
    return "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in found.cases)
