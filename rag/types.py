"""The vocabulary, on one screen. Everything is frozen.

Offsets are half-open and count Unicode code points. `Article.text` is canonical: it is made once,
when a file is read, and never rewritten. A quote is always a slice of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors: float32, (n, dim), rows of length 1."""


class Vocabulary(Protocol):
    """The words of an archive's index, as its tokeniser cuts them."""

    def known(self, tokens: Iterable[str]) -> frozenset[str]:
        """Those of some tokens that stand in the archive."""
        ...

    def beginning(self, prefix: str, shortest: int, longest: int) -> list[str]:
        """The tokens that begin so, of so many bytes in UTF-8, in the order of code points."""
        ...

    def holding(self, part: str, most: int) -> list[str]:
        """Tokens, at most so many, that hold a part."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code points, `start <= end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: {self.start}, {self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, text: str) -> str:
        """The characters of `text` in this span."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Part:
    """A run of characters copied from the source file.

    `article.text[start : start + len(source)] == document.text[source.start : source.end]`.
    """

    start: int
    source: Span


class BlockKind(StrEnum):
    """What a block of an article is."""

    TITLE = "title"
    BYLINE = "byline"
    HEADING = "heading"
    BODY = "body"
    CAPTION = "caption"
    AFFILIATION = "affiliation"
    UNPLACED = "unplaced"


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph-like piece of a file, before it is known which article it belongs to.

    Attributes:
        text: the piece with hard line breaks and indentation taken out.
        parts: where its characters stand in `Document.text`; offsets `Part.start` count in `text`.
            A character that stands in no part (a blank put in where Latin lines were joined)
            was not in the file.
        kind: what the format itself says (a Markdown heading), or None.
        breaks: offsets in `text` at which it goes on in another column or on another page, where
            the layout of a printed page says so.
    """

    text: str
    parts: tuple[Part, ...]
    kind: BlockKind | None = None
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line is printed on a scanned page, in pixels of the page's `Picture`, y downwards.

    Attributes:
        page: its number, from 1.
        sure: 0 to 1, how sure OCR is of what the line says.
    """

    page: int
    left: int
    top: int
    right: int
    bottom: int
    sure: float


@dataclass(frozen=True, slots=True)
class ScanLine:
    """A line of a scan: its characters in `Document.text`, and where they are printed."""

    span: Span
    place: Place


@dataclass(frozen=True, slots=True)
class Picture:
    """A scanned page, set upright: made by its reader, never the bytes of the file.

    Attributes:
        page: its number, from 1.
        width: in pixels.
        height: in pixels.
        data: WebP.
    """

    page: int
    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """One file or upload as it was read.

    Attributes:
        uri: where it came from: the resolved path, or the name of the upload.
        text: the decoded text, NFC, line ends as line feeds, without a byte order mark.
        pieces: the body's pieces, in reading order.
        metadata: front matter, keys in lower case, values as strings or tuples of strings.
        format: "text", "markdown" …
        encoding: the encoding it was decoded from.
        content_hash: SHA-256, hexadecimal, of the bytes.
        lines: of a scan, in the order of the text.
        pictures: the scanned pages that the lines stand on.
    """

    uri: str
    text: str
    pieces: tuple[Piece, ...]
    metadata: Mapping[str, str | tuple[str, ...]]
    format: str
    encoding: str
    content_hash: str
    lines: tuple[ScanLine, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Joint:
    """A place where two pieces of a broken paragraph were put together.

    Attributes:
        at: offset in `Article.text` of the first character after the joint.
        confidence: 0 to 1, higher is surer.
        dropped: a character that the page printed twice here and that was left out, or "".
        reasons: why the pieces were joined, strongest first, for a person to read.
        dropped_at: where the dropped character stands in `Document.text`; None when none was.
    """

    at: int
    confidence: float
    dropped: str = ""
    reasons: tuple[str, ...] = ()
    dropped_at: Span | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A title, byline, paragraph … of an article.

    Attributes:
        span: in `Article.text`.
        parts: where its characters stand in `Document.text`; `Part.start` counts in `Article.text`.
        joints: where a column break was closed, in order.
    """

    kind: BlockKind
    span: Span
    parts: tuple[Part, ...] = ()
    joints: tuple[Joint, ...] = ()


@dataclass(frozen=True, slots=True)
class Article:
    """One article.

    Attributes:
        id: 16 hexadecimal digits, a hash of everything that the article says about itself.
        text: title, byline, body and affiliation, in reading order, blocks parted by a blank
            line; canonical.
        blocks: they tile `text` but for the blank lines between them.
        title: None when none was printed.
        published: ISO 8601, as precise as it is known ("2024", "2024-05", "2024-05-20").
        source: the paper or publisher.
        page: the page or edition it stood on.
        section: the column or slogan it stood under.
        language: "zh" or "en", by its script.
        url: where it can be read elsewhere, or None.
    """

    id: str
    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    authors: tuple[str, ...] = ()
    affiliations: tuple[str, ...] = ()
    published: str | None = None
    source: str | None = None
    page: str | None = None
    section: str | None = None
    language: str = "zh"
    url: str | None = None

    @property
    def paragraphs(self) -> tuple[Block, ...]:
        """The body's paragraphs; a citation's `paragraph` counts in this, from 0."""
        return tuple(b for b in self.blocks if b.kind is BlockKind.BODY)

    @property
    def name(self) -> str:
        """The title, or the first words of the text where none was printed."""
        if self.title:
            return self.title
        body = next(iter(self.paragraphs), None)
        words = body.span.of(self.text) if body else self.text
        return words if len(words) <= 20 else words[:20] + "…"

    def first(self, kind: BlockKind) -> Block | None:
        """The first block of a kind, or None."""
        return next((b for b in self.blocks if b.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Passage:
    """What is searched: a paragraph, or a part of one that is longer than the encoder reads.

    `text == article.text[span.start:span.end]`. A passage never crosses a paragraph, and an
    article's passages cover every character of its paragraphs once.

    Attributes:
        id: "{article_id}-{paragraph}.{part}".
        paragraph: counts in `Article.paragraphs`, from 0.
    """

    id: str
    article_id: str
    paragraph: int
    span: Span
    text: str


def passage_name(article_id: str, paragraph: int, part: int) -> str:
    """The id of a passage: its article, its paragraph and which part of this it is."""
    return f"{article_id}-{paragraph}.{part}"


def article_of(passage_id: str) -> str:
    """The id of the article that a passage is of."""
    return passage_id.rpartition("-")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question as it is searched for.

    Attributes:
        text: as it was asked, or made to stand alone.
        vector: float32, (dim,), length 1.
    """

    text: str
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reprint:
    """The same text in another article."""

    article_id: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that was found for a question.

    Attributes:
        rank: from 1, best first.
        score: the fused score, 0 to 1, higher is better; comparable within one question only.
        signals: each signal's own score, higher is better: "dense" is the cosine (about .75 to .95
            for the bundled model), "lexical" is BM25 (0 and up), "exact" what it holds of
            the question's quotations, names, numbers and dates (0 to 1). A signal that did not find
            the passage is absent.
    """

    passage: Passage
    article: Article
    rank: int
    score: float
    signals: Mapping[str, float]
    reprints: tuple[Reprint, ...] = ()

    @property
    def found_by(self) -> tuple[str, ...]:
        """The signals that found it, by name."""
        return tuple(sorted(self.signals))


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer draft and the evidence that it is drawn from.

    Attributes:
        text: as it will be shown, without markers.
        article_id: of the article that proves it.
        span: the proof, in `Article.text`.
        evidence: index into the evidence given to the answerer; None for an article's head
            that was not itself found.
        score: 0 to 1, higher is better.
    """

    text: str
    article_id: str
    span: Span
    evidence: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answerer says before it is verified. No claims: a refusal, and `reason` says why."""

    claims: tuple[Claim, ...]
    short_answer: str | None = None
    short_sure: bool = True
    reason: str = ""
    status: str = "answered"


class Support(StrEnum):
    """How a citation supports its sentence."""

    VERBATIM = "verbatim"
    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"


UNSURE = 0.9
"""Lines of which OCR is less sure than this may be misread."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """That a quote was read from a scan.

    Attributes:
        confidence: 0 to 1, of that of the quote's lines of which OCR is least sure.
    """

    confidence: float

    @property
    def unsure(self) -> bool:
        """Whether the quote may be misread."""
        return self.confidence < UNSURE


@dataclass(frozen=True, slots=True)
class Citation:
    """A verified proof of one sentence of the answer.

    Attributes:
        number: the n of its [n] in the answer; the same quote has the same number.
        start: where the supported sentence starts in `Answer.text`.
        end: where it ends, the marker left out.
        text: that sentence: `answer.text[start:end]`.
        paragraph: counts in `Article.paragraphs`, from 0; None for the head (byline …).
        passage_id: None for the head.
        quote: `article.text[span.start:span.end]`.
        before: up to 60 characters before the quote in its block.
        after: up to 60 characters after it.
        source_spans: the quote's places in the source file; several across a closed column break.
        score: 0 to 1, higher is better.
        source_page: the page of the PDF or scan on which the quote begins, from 1; None where the
            file has no pages.
        scan: what OCR read the quote from; None where the file is no scan.
    """

    number: int
    start: int
    end: int
    text: str
    article: Article
    paragraph: int | None
    passage_id: str | None
    quote: str
    before: str
    after: str
    span: Span
    source_spans: tuple[Span, ...]
    support: Support
    score: float
    source_page: int | None = None
    scan: Scanned | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was searched. `earliest` and `latest` are ISO dates of the articles searched."""

    searched_passages: int
    earliest: str | None
    latest: str | None
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified answer.

    Attributes:
        status: "answered", "partial", "conflicting" or "no_evidence".
        text: the answer with its [n] markers; for "no_evidence" a sentence that says so.
        short_answer: the number, name, date, list or words asked for, where they could be told.
        short_sure: whether these are rather right than wrong; a guess is not shown in large type.
        receipt: generation, model fingerprint and the SHA-256 of each passage used.
        timings_ms: milliseconds by step.
        notices: what the reader should know (a fallback was used …).
    """

    id: str
    question: str
    standalone_question: str
    status: str
    text: str
    short_answer: str | None
    short_sure: bool
    language: str
    citations: tuple[Citation, ...]
    evidence: tuple[Evidence, ...]
    coverage: Coverage
    receipt: Mapping[str, object]
    timings_ms: Mapping[str, float]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which articles may answer. Empty fields do not restrict.

    Attributes:
        date_from: ISO date, included; an article without a date does not pass.
        date_to: ISO date, included.
        as_of: ISO date; only what had been published by then, that day included. An article dated
            by its month or year passes when all of that time had gone by. A question's 去年
            counts from it.
    """

    authors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    article_ids: tuple[str, ...] = ()
    date_from: str | None = None
    date_to: str | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question and its answer."""

    question: str
    answer: str
    article_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file or upload.

    Attributes:
        outcome: "added", "unchanged", "replaced", "skipped" or "failed"; where a folder is synced
            also "gone" (no longer on disk, but still in the archive) and "removed".
        reason: why it was skipped, failed or is gone; "" otherwise.
        articles: ids of the articles now in the archive from this file, the first 10,000.
        more: how many articles there are besides these.
        notices: what was left out or guessed, for a person to read.
    """

    uri: str
    outcome: str
    articles: tuple[str, ...] = ()
    passages: int = 0
    reason: str = ""
    notices: tuple[str, ...] = field(default=())
    more: int = 0
