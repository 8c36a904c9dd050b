"""The JSON of the HTTP API and of the command line's --json: one shape for both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.errors import BadFilter
from rag.feedback import Feedback
from rag.types import (
    Answer,
    Article,
    Citation,
    Evidence,
    Filters,
    Span,
    Turn,
)

Json = dict[str, Any]

DATE = r"^\d{4}(-\d{2}(-\d{2})?)?$"
"""An ISO date, as precise as it is known."""

_Name = Annotated[str, Field(max_length=500)]
_ArticleId = Annotated[str, Field(max_length=64)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilterBody(_Strict):
    """Which articles may answer; what is left out does not restrict."""

    authors: list[_Name] = Field(default=[], max_length=50)
    sources: list[_Name] = Field(default=[], max_length=50)
    sections: list[_Name] = Field(default=[], max_length=50)
    languages: list[Literal["zh", "en"]] = Field(default=[], max_length=2)
    article_ids: list[_ArticleId] = Field(default=[], max_length=1000)
    date_from: str | None = Field(None, pattern=DATE)
    date_to: str | None = Field(None, pattern=DATE)
    as_of: str | None = Field(None, pattern=DATE)

    def filters(self) -> Filters:
        """As the pipeline takes them.

        Raises:
            BadFilter: the dates are the wrong way round.
        """
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise BadFilter("The filter's date_from is after its date_to; change them round.")
        return Filters(
            authors=tuple(self.authors),
            sources=tuple(self.sources),
            sections=tuple(self.sections),
            languages=tuple(self.languages),
            article_ids=tuple(self.article_ids),
            date_from=self.date_from,
            date_to=self.date_to,
            as_of=self.as_of,
        )


class TurnBody(_Strict):
    """An earlier question and its answer."""

    question: str = Field(max_length=4096)
    answer: str = Field(default="", max_length=65536)
    article_ids: list[_ArticleId] = Field(default=[], max_length=100)

    def turn(self) -> Turn:
        """As the pipeline takes it."""
        return Turn(self.question, self.answer, tuple(self.article_ids))


class SearchBody(_Strict):
    """POST /v1/search."""

    # What the schema says here the pipeline checks, so that blanks are told like no question.
    question: str = Field(json_schema_extra={"minLength": 1, "pattern": r"\S"})
    top_k: int | None = Field(None, ge=1, le=50)
    filters: FilterBody = Field(default_factory=lambda: FilterBody.model_validate({}))


class AskBody(SearchBody):
    """POST /v1/ask."""

    history: list[TurnBody] = Field(default=[], max_length=50)
    stream: bool = Field(default=False, strict=True)
    mode: Literal["auto", "extractive"] = "auto"
    language: Literal["zh", "en"] | None = None


class FeedbackBody(_Strict):
    """POST /v1/feedback: what a reader thinks of one answer."""

    answer_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    question: str = Field(min_length=1, max_length=4096)
    answer: str = Field(max_length=65536)
    verdict: Literal["up", "down"]
    comment: str = Field(default="", max_length=4000)
    article_ids: list[_ArticleId] = Field(default=[], max_length=100)
    passage_ids: list[Annotated[str, Field(max_length=96)]] = Field(default=[], max_length=100)

    def feedback(self, now: str) -> Feedback:
        """As it is stored; `now` is an ISO 8601 time."""
        return Feedback(
            answer_id=self.answer_id,
            verdict=self.verdict,
            question=self.question,
            answer=self.answer,
            comment=self.comment.strip(),
            article_ids=tuple(dict.fromkeys(self.article_ids)),
            passage_ids=tuple(dict.fromkeys(self.passage_ids)),
            at=now,
        )


class ArticleBody(_Strict):
    """POST /v1/articles as JSON: one article, or a file's text."""

    name: str = Field("article.md", max_length=255, description="names the article's file")
    text: str = Field(max_length=32 * 1024 * 1024)
    kind: Literal["page", "article", "articles"] | None = None
    dry_run: bool = Field(
        False, strict=True, description="show what would be read, and store nothing"
    )
    restore: bool = Field(
        False, strict=True, description="bring back articles that had been deleted"
    )


def head_json(article: Article) -> Json:
    """An article without its text."""
    return {
        "id": article.id,
        "title": article.title,
        "authors": list(article.authors),
        "affiliations": list(article.affiliations),
        "published": article.published,
        "source": article.source,
        "page": article.page,
        "section": article.section,
        "language": article.language,
        "url": f"/articles/{article.id}",
        "original_url": article.url,
        "paragraphs": len(article.paragraphs),
    }


def article_json(article: Article) -> Json:
    """An article with its canonical text and its blocks; offsets count code points of `text`."""
    blocks: list[Json] = []
    paragraph = 0
    for block in article.blocks:
        is_body = block.kind.value == "body"
        blocks.append(
            {
                "kind": block.kind.value,
                "start": block.span.start,
                "end": block.span.end,
                "paragraph": paragraph if is_body else None,
                "source_spans": [_span(p.source) for p in block.parts],
                "joints": [
                    {
                        "at": j.at,
                        "confidence": round(j.confidence, 4),
                        "dropped": j.dropped,
                        "reasons": list(j.reasons),
                    }
                    for j in block.joints
                ],
            }
        )
        paragraph += is_body
    return {**head_json(article), "text": article.text, "blocks": blocks}


def _span(span: Span) -> list[int]:
    return [span.start, span.end]


def evidence_json(evidence: Evidence) -> Json:
    """One ranked passage."""
    passage = evidence.passage
    return {
        "rank": evidence.rank,
        "passage_id": passage.id,
        "article": _place(evidence.article, passage.paragraph),
        "paragraph": passage.paragraph,
        "text": passage.text,
        "start_char": passage.span.start,
        "end_char": passage.span.end,
        "score": round(evidence.score, 6),
        "signals": {k: round(v, 6) for k, v in sorted(evidence.signals.items())},
        "found_by": list(evidence.found_by),
        "reprints": [{"article_id": r.article_id, "source": r.source} for r in evidence.reprints],
    }


def _place(article: Article, paragraph: int | None) -> Json:
    """An article's head, its address leading to a paragraph."""
    head = head_json(article)
    if paragraph is not None:
        head["url"] += f"#p{paragraph}"
    return head


def citation_json(citation: Citation) -> Json:
    """One verified citation."""
    return {
        "number": citation.number,
        "start": citation.start,
        "end": citation.end,
        "text": citation.text,
        "article": _place(citation.article, citation.paragraph),
        "paragraph": citation.paragraph,
        "passage_id": citation.passage_id,
        "quote": citation.quote,
        "before": citation.before,
        "after": citation.after,
        "start_char": citation.span.start,
        "end_char": citation.span.end,
        "source_spans": [_span(s) for s in citation.source_spans],
        "source_page": citation.source_page,
        "scan": _scan(citation),
        "support": citation.support.value,
        "score": round(citation.score, 4),
    }


def _scan(citation: Citation) -> Json | None:
    """How sure OCR was of a citation's lines, and the cut of the scan that shows them."""
    if citation.scan is None:
        return None
    span = f"start={citation.span.start}&end={citation.span.end}"
    return {
        "confidence": round(citation.scan.confidence, 3),
        "unsure": citation.scan.unsure,
        "cut": f"/v1/articles/{citation.article.id}/scan?{span}",
    }


def answer_json(answer: Answer) -> Json:
    """A whole answer."""
    return {
        "id": answer.id,
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "status": answer.status,
        "answer": answer.text,
        "short_answer": answer.short_answer,
        "short_answer_sure": answer.short_sure,
        "language": answer.language,
        "citations": [citation_json(c) for c in answer.citations],
        "passages": [evidence_json(e) for e in answer.evidence],
        "coverage": {
            "searched_passages": answer.coverage.searched_passages,
            "from": answer.coverage.earliest,
            "to": answer.coverage.latest,
            "nearest": list(answer.coverage.nearest),
        },
        "receipt": dict(answer.receipt),
        "timings_ms": dict(answer.timings_ms),
        "notices": list(answer.notices),
        "offset_unit": "codepoint",
    }


def feedback_json(feedback: Feedback) -> Json:
    """One stored verdict."""
    return {
        "answer_id": feedback.answer_id,
        "verdict": feedback.verdict,
        "question": feedback.question,
        "answer": feedback.answer,
        "comment": feedback.comment,
        "article_ids": list(feedback.article_ids),
        "passage_ids": list(feedback.passage_ids),
        "at": feedback.at,
    }
