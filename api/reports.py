"""The JSON of files: what became of them, what would, and the articles of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from api.schemas import Json, head_json
from rag.types import Article, FileReport

_AROUND = 16
"""Characters shown on each side of a joint in a preview."""


def report_json(report: FileReport) -> Json:
    """What became of one file."""
    return {
        "file": report.uri,
        "outcome": report.outcome,
        "articles": list(report.articles),
        "more_articles": report.more,
        "passages": report.passages,
        "reason": report.reason,
        "notices": list(report.notices),
    }


def reports_json(reports: Sequence[FileReport]) -> Json:
    """What became of some files, and how many there were of each outcome."""
    counts = Counter(report.outcome for report in reports)
    return {"files": [report_json(r) for r in reports], "counts": dict(sorted(counts.items()))}


def preview_json(report: FileReport, articles: Sequence[Article]) -> Json:
    """What would become of one file: its articles as they were read, none of them stored."""
    return {**report_json(report), "articles": [_read_json(a) for a in articles]}


def _read_json(article: Article) -> Json:
    """An article that is not stored: its head, and each joint with the words around it."""
    text = article.text
    return {
        **{k: v for k, v in head_json(article).items() if k not in ("id", "url")},
        "unplaced": sum(b.kind.value == "unplaced" for b in article.blocks),
        "joints": [
            {
                "paragraph": number,
                "before": text[max(block.span.start, j.at - _AROUND) : j.at],
                "after": text[j.at : min(block.span.end, j.at + _AROUND)],
                "confidence": round(j.confidence, 4),
                "dropped": j.dropped,
                "reasons": list(j.reasons),
            }
            for number, block in enumerate(article.paragraphs)
            for j in block.joints
        ],
    }


def page_json(articles: Sequence[Article]) -> Json:
    """The articles of a file as `wenju pages --json` prints them."""
    return {
        "articles": [
            {
                "title": a.title,
                "authors": list(a.authors),
                "affiliations": list(a.affiliations),
                "section": a.section,
                "published": a.published,
                "page": a.page,
                "paragraphs": [b.span.of(a.text) for b in a.paragraphs],
                "captions": [b.span.of(a.text) for b in a.blocks if b.kind.value == "caption"],
                "unplaced": [b.span.of(a.text) for b in a.blocks if b.kind.value == "unplaced"],
                "joints": [
                    {
                        "paragraph": number,
                        "at": j.at - block.span.start,
                        "confidence": round(j.confidence, 4),
                        "dropped": j.dropped,
                    }
                    for number, block in enumerate(a.paragraphs)
                    for j in block.joints
                ],
            }
            for a in articles
            if a.paragraphs
        ],
        # Pieces that belong to no article: nothing of the file is left out.
        "unplaced": [b.span.of(a.text) for a in articles if not a.paragraphs for b in a.blocks],
    }
