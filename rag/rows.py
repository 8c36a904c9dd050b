"""Articles as rows of a database, and the conditions that filters are in its SQL.

The SQL is such that SQLite and PostgreSQL read it alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from rag.types import Article, Block, BlockKind, Filters, Joint, Part, Span

COLUMNS = (
    "id, title, authors, affiliations, published, source, page, section, language, url, text,"
    " blocks"
)
"""What `article_of_row` reads, in its order."""


def marks(values: Sequence[object]) -> str:
    """A place for each value, for an IN (…)."""
    return ",".join("?" * len(values))


def article_of_row(row: Sequence[str]) -> Article:
    """The article that stands in a row of COLUMNS."""
    return Article(
        id=row[0],
        title=row[1],
        authors=tuple(json.loads(row[2])),
        affiliations=tuple(json.loads(row[3])),
        published=row[4],
        source=row[5],
        page=row[6],
        section=row[7],
        language=row[8],
        url=row[9],
        text=row[10],
        blocks=_load_blocks(row[11]),
    )


def row_of_article(a: Article) -> tuple[str | int | None, ...]:
    """Its columns, as `rag.checksums.TABLES` orders them."""
    return (
        a.id,
        a.title,
        json.dumps(a.authors, ensure_ascii=False),
        json.dumps(a.affiliations, ensure_ascii=False),
        a.published,
        a.source,
        a.page,
        a.section,
        a.language,
        a.url,
        a.text,
        _dump_blocks(a.blocks),
        len(a.paragraphs),
    )


def _dump_blocks(blocks: Sequence[Block]) -> str:
    return json.dumps(
        [
            [
                b.kind.value,
                b.span.start,
                b.span.end,
                [[p.start, p.source.start, p.source.end] for p in b.parts],
                [
                    [j.at, j.confidence, j.dropped, j.reasons]
                    + ([j.dropped_at.start, j.dropped_at.end] if j.dropped_at else [])
                    for j in b.joints
                ],
            ]
            for b in blocks
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _load_blocks(text: str) -> tuple[Block, ...]:
    return tuple(
        Block(
            BlockKind(kind),
            Span(start, end),
            tuple(Part(at, Span(a, b)) for at, a, b in parts),
            tuple(
                Joint(at, confidence, dropped, tuple(reasons), Span(*where) if where else None)
                for at, confidence, dropped, reasons, *where in joints
            ),
        )
        for kind, start, end, parts, joints in json.loads(text)
    )


def conditions(filters: Filters) -> tuple[str, list[object]]:
    """What a row of `articles` must fulfil to pass, and the values for its marks."""
    where = ["TRUE"]
    values: list[object] = []
    for column, wanted in (
        ("source", filters.sources),
        ("section", filters.sections),
        ("language", filters.languages),
        ("id", filters.article_ids),
    ):
        if wanted:
            where.append(f"{column} IN ({marks(wanted)})")
            values += wanted
    if filters.authors:
        where.append(
            "EXISTS (SELECT 1 FROM json_each(articles.authors)"
            f" WHERE value IN ({marks(filters.authors)}))"
        )
        values += filters.authors
    if filters.date_from:
        where.append("published >= ?")
        values.append(filters.date_from)
    if filters.date_to:
        # "2024" and "2024-05" are as precise as it is known: they pass a later day of that time,
        # and as the last date they let all of that time pass: "~" sorts behind every character.
        where.append("published <= ?")
        values.append(filters.date_to + "~")
    if filters.as_of:
        # Only what had surely been published: of "2024-05" that can be said from 31 May on.
        where.append("published || substr('-12-31', 1 + length(published) - 4) <= ?")
        values.append(last_day(filters.as_of))
    return " AND ".join(where), values


def last_day(date: str) -> str:
    """The last day that a date may mean, with 31 days a month: "2024-05-31" for "2024-05"."""
    return date + "-12-31"[len(date) - 4 :]
