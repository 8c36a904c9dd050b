"""Whether a text file is a broken page, one article, or several one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rag.joints import ends_whole
from rag.ngrams import load
from rag.roles import Line, Role

KINDS = ("page", "article", "articles")
_LONG = 20  # characters from which a piece that ends in mid-sentence counts as broken
_BROKEN_SHARE = 0.06  # of the body's pieces, above which articles are taken for a page
_ALONE_SHARE = 0.2  # the same where nobody's name shows a second article
_RUNS_ON = 1.5  # log-odds at which a broken piece is surely continued by the next one


def kind_of(lines: Sequence[Line]) -> tuple[str, str]:
    """Say "page", "article" or "articles", and why, in one sentence.

    Articles are counted by what opens them (a byline with text below it, a title above a news
    lead) and closes them (affiliations). Among several, pieces that end in mid-sentence tell a
    page. One article alone is only taken for broken columns if its pieces clearly run on.
    """
    opened, closed = _openings(lines), sum(line.role is Role.AFFILIATION for line in lines)
    titles = sum(line.role is Role.TITLE for line in lines)
    rules = _ruled_articles(lines)
    body = [i for i, line in enumerate(lines) if line.role is Role.BODY]
    broken = [i for i in body if _is_broken(lines[i])]
    share = len(broken) / max(1, len(body))
    several = max(opened, closed, titles, rules)
    running = sum(_runs_on(lines, body, i) for i in broken)
    if opened and _text_above(lines):
        several += 1
    if several >= 2:
        if (running or share > _BROKEN_SHARE) and titles < 2:
            return "page", f"{several} articles, {len(broken)} of {len(body)} pieces broken off"
        return "articles", f"{several} articles, their paragraphs whole"
    listed = sum(lines[i].text[-1] in "；;" for i in broken)
    alone = running >= 2 and share >= _ALONE_SHARE and running >= 0.6 * len(broken)
    if alone and not listed:
        return "page", f"one article, {running} of {len(body)} pieces run on in the next"
    return "article", "nothing in it begins a second article"


def _openings(lines: Sequence[Line]) -> int:
    """How many bylines have text below them, and news leads a title above them."""
    count = 0
    for line, below in pairwise(lines):
        text = below.role is Role.BODY and (len(below.text) >= _LONG or not below.title)
        count += line.role is Role.BYLINE and (text or below.role is Role.DATELINE)
        count += line.role is Role.BODY and line.title >= 0.5 and below.lead
    return count


def _text_above(lines: Sequence[Line]) -> bool:
    """Whether an article's text stands above the title of the first signed one."""
    first = next((i for i, line in enumerate(lines) if line.role is Role.BYLINE), 0)
    titled = first >= 2 and lines[first - 1].title >= 0.5
    return titled and any(
        line.role is Role.BODY and len(line.text) >= 2 * _LONG and line.title < 0.5
        for line in lines[: first - 1]
    )


def _ruled_articles(lines: Sequence[Line]) -> int:
    """How many articles rules (-----, =====) part: a title stands below each rule."""
    below = [b for a, b in pairwise(lines) if a.role is Role.RULE]
    titled = sum(b.title >= 0.5 for b in below)
    return titled + 1 if titled and titled == len(below) else 0


def _is_broken(line: Line) -> bool:
    """Whether a piece ends in mid-sentence, as no paragraph does."""
    return (
        len(line.text) >= _LONG
        and line.title < 0.5
        and not ends_whole(line.text)
        and line.text[-1] not in "：:"
    )


def _runs_on(lines: Sequence[Line], body: Sequence[int], piece: int) -> bool:
    """Whether a broken piece is continued by the next piece of the body."""
    after = next((i for i in body if i > piece), None)
    if after is None:
        return False
    a, b = lines[piece].text, lines[after].text
    return b[0] in "，。、；：！？”’）》" or load().across(a[-2:], b[:2]) >= _RUNS_ON
