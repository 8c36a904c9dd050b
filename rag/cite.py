"""A draft becomes an answer whose every sentence is proved, or is marked as not proved.

A sentence that is a slice of its article is "verbatim". Any other sentence is "supported" only
when each number, quotation and name in it, and most of its wording, stand in what it cites; else
it is "unsupported" and shown as such. A claim whose proof does not exist is left out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from index.tokens import fold
from rag import across
from rag.numerals import numbers
from rag.types import Article, Block, BlockKind, Citation, Claim, Draft, Evidence, Span, Support

logger = logging.getLogger(__name__)

CONTEXT = 60
"""Characters shown before and after a quote."""

OPENING = 80
"""Characters of an article's first paragraph that may stand for its title where it has none."""

WORDING = 0.5
"""The share of a reworded sentence's own wording that must stand in its proof."""

_QUOTED = re.compile(r"《([^《》]+)》|“([^“”]+)”|「([^「」]+)」|\"([^\"]+)\"")
# A Latin name may stand among Chinese characters, which are letters too: \b does not see where.
_LATIN_NAME = re.compile(
    r"(?<!^)(?:\b[A-Z0-9]|(?<=[\u3400-\u9fff])[A-Z])(?:[^\W\u2e80-\u9fff]|[+&.-](?=\w))*"
)
_WORD = re.compile(r"[a-z]{3,}")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_ASCII_END = re.compile(r"[\x21-\x7e]$")
_ASCII_START = re.compile(r"^[\x21-\x7e]")


def verify(
    draft: Draft, articles: Mapping[str, Article], evidence: Sequence[Evidence]
) -> tuple[str, tuple[Citation, ...]]:
    """Check a draft's claims against the articles and put the answer together.

    Args:
        draft: what an answerer says; a claim's text is never changed, only checked.
        articles: by id, at least those that the claims name.
        evidence: what the draft was made from; `Claim.evidence` counts in it.

    Returns:
        The answer with a marker `[n]` after each sentence, and its citations in the order of the
        sentences. The same span of the same article keeps its number. Claims that name an
        unknown article or an impossible span are left out and logged; where nothing is
        left the text is `draft.reason` and there are no citations.
    """
    text, citations, numbered = "", list[Citation](), dict[tuple[str, Span], int]()
    for claim in draft.claims:
        article = articles.get(claim.article_id)
        said = claim.text.strip()
        if (
            article is None
            or not said
            or not 0 < len(claim.span) <= len(article.text) - claim.span.start
        ):
            logger.warning("claim without proof left out", extra={"article": claim.article_id})
            continue
        if text and (_ASCII_END.search(citations[-1].text) or _ASCII_START.search(said)):
            text += " "
        number = numbered.setdefault((article.id, claim.span), len(numbered) + 1)
        found = _passage_id(claim, evidence)
        citations.append(_citation(claim, article, number, len(text), said, found, articles))
        text += f"{said}[{number}]"
    return (text, tuple(citations)) if citations else (draft.reason, ())


def with_pages(
    citations: Sequence[Citation], page_of: Callable[[str, int], int | None]
) -> tuple[Citation, ...]:
    """The citations with the page of the PDF or scan on which each quote begins.

    Args:
        citations: of an answer.
        page_of: an article's id and a place in its source to a page, or None.
    """
    return tuple(
        replace(c, source_page=page_of(c.article.id, c.source_spans[0].start))
        if c.source_spans
        else c
        for c in citations
    )


def source_spans(article: Article, span: Span) -> tuple[Span, ...]:
    """Where a span of an article stands in the file it was read from.

    Args:
        article: the article.
        span: in `article.text`.

    Returns:
        Spans in `Document.text`, in the article's order, touching ones merged: several where the
        span crosses a closed column break or a block; characters that were not in the file
        (the blank lines between blocks) have none.
    """
    found: list[Span] = []
    for block in article.blocks:
        for part in block.parts:
            start = max(span.start, part.start)
            end = min(span.end, part.start + len(part.source))
            if start >= end:
                continue
            shift = part.source.start - part.start
            if found and found[-1].end == start + shift:
                found[-1] = Span(found[-1].start, end + shift)
            else:
                found.append(Span(start + shift, end + shift))
    return tuple(found)


def support_of(said: str, quote: str, article: Article, names: Iterable[str] = ()) -> Support:
    """How far a quote supports a sentence.

    Args:
        said: the sentence.
        quote: the slice of the article that it cites.
        article: whose head (title, authors, affiliations, source, date, page, opening words) may
            name what the sentence is about.
        names: names to look for in the sentence: those in it must stand in quote or head.

    Returns:
        VERBATIM, SUPPORTED (every number, quotation and name stands there, and `WORDING` of the
        rest; see `rag.across` where they are of two languages) or UNSUPPORTED.
    """
    if said.strip() in quote:
        return Support.VERBATIM
    told_of = (article.title, *article.authors, *article.affiliations, article.source)
    told_of += (article.published, article.page, article.section)
    head = "\n".join(filter(None, told_of))
    first = article.paragraphs[0].span.of(article.text)[:OPENING] if article.paragraphs else ""
    proof, folded = fold(f"{quote}\n{head}\n{first}"), fold(said)
    if across.differ(said, quote):
        named = all(fold(n) in proof for n in names if n in said)
        told = named and across.supported(said, proof)
        return Support.SUPPORTED if told else Support.UNSUPPORTED
    # A title may hold numbers: they are proved with it, as a quotation.
    quoted = [fold(next(filter(None, m.groups()))) for m in _QUOTED.finditer(said)]
    rest = _QUOTED.sub(" ", said)
    held = {n.value for n in numbers(f"{quote}\n{head}")}
    asserted = [n for n in numbers(rest) if n.written != "han" or len(n.span) > 1 or n.unit]
    proved = (
        all(q.rstrip("….") in proof for q in quoted)
        and all(n.value in held for n in asserted)
        and all(fold(m[0]) in proof for m in _LATIN_NAME.finditer(rest))
        and all(fold(n) in proof for n in names if n in said)
    )
    return Support.SUPPORTED if proved and _wording(folded, proof) else Support.UNSUPPORTED


def _wording(said: str, proof: str) -> bool:
    """Whether enough of a sentence's wording stands in its proof.

    Chinese counts by characters in pairs or longer runs, other sentences by their words.
    """
    runs = _HAN.findall(said)
    if runs:
        total = sum(map(len, runs))
        return sum(_covered(run, proof) for run in runs) >= WORDING * total
    words = _WORD.findall(said)
    return bool(words) and sum(w in proof for w in words) >= WORDING * len(words)


def _covered(run: str, proof: str) -> int:
    """How many characters of a run stand in the proof with a neighbour."""
    covered = [False] * len(run)
    for i in range(len(run) - 1):
        if run[i : i + 2] in proof:
            covered[i] = covered[i + 1] = True
    return sum(covered)


def _passage_id(claim: Claim, evidence: Sequence[Evidence]) -> str | None:
    """The passage that a claim was drawn from, if its span is really in it."""
    index = claim.evidence
    if index is None or not 0 <= index < len(evidence):
        return None
    passage = evidence[index].passage
    inside = passage.span.start <= claim.span.start and claim.span.end <= passage.span.end
    return passage.id if inside and passage.article_id == claim.article_id else None


def _citation(
    claim: Claim,
    article: Article,
    number: int,
    start: int,
    said: str,
    passage_id: str | None,
    articles: Mapping[str, Article],
) -> Citation:
    span, text = claim.span, article.text
    quote = span.of(text)
    first = _block_at(article, span.start)
    last = _block_at(article, span.end - 1)
    before = text[max(first.span.start if first else 0, span.start - CONTEXT) : span.start]
    after = text[span.end : min(last.span.end if last else len(text), span.end + CONTEXT)]
    paragraph = None
    if first is not None and first.kind is BlockKind.BODY:
        paragraph = article.paragraphs.index(first)
    names = [n for a in articles.values() for n in (*a.authors, *a.affiliations)]
    return Citation(
        number=number,
        start=start,
        end=start + len(said),
        text=said,
        article=article,
        paragraph=paragraph,
        passage_id=passage_id,
        quote=quote,
        before=before,
        after=after,
        span=span,
        source_spans=source_spans(article, span),
        support=support_of(said, quote, article, names),
        score=min(1.0, max(0.0, claim.score)),
    )


def _block_at(article: Article, offset: int) -> Block | None:
    return next((b for b in article.blocks if b.span.start <= offset < b.span.end), None)
