"""From the decisions about a page's pieces to drafts of whole articles.

Here it is settled whether two pieces of an article are one paragraph, with what confidence, and
what a person is told about why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.assemble import Draft, Join, Paragraph
from rag.chains import NAMES, Step, steps_of
from rag.choices import Choices, counts_on
from rag.furniture import iso_date
from rag.joints import Evidence
from rag.order import name_authors
from rag.roles import Line, Role
from rag.types import BlockKind
from rag.weave import beam, ending

LEAST_CONFIDENCE = 0.4  # below it a broken piece stays a paragraph of its own
_SUREST = 0.999  # no joint is surer than this
_SPEAKS = 0.15  # log-odds above which a number is given as a reason
_SOFT_CONFIDENCE = 0.6  # of a joint at a sentence end that an enumeration crosses


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of the best reading of a page, with what speaks for and against it.

    Attributes:
        confidence: 0 to 1, the share of the best readings of the page that make this step.
        reasons: strongest first, for a person to read.
        others: what else it may be, with confidence, likeliest first: "go_on" and the piece that
            it would follow, "title", "late" …
    """

    step: Step
    confidence: float
    reasons: tuple[str, ...]
    others: tuple[tuple[tuple[str, int], float], ...] = ()


def decisions(choices: Choices) -> list[Decision]:
    """The best reading of a page, step by step in page order."""
    hypotheses = beam(choices)
    scores = [state.score + ending(choices, state) for state in hypotheses]
    top = max(scores)
    readings = [steps_of(state) for state in hypotheses]
    shares: list[dict[tuple[str, int], float]] = [{} for _ in readings[0]]
    for score, steps in zip(scores, readings, strict=True):
        for share, link in zip(shares, _links(steps), strict=True):
            share[link] = share.get(link, 0.0) + math.exp(score - top)
    total = sum(math.exp(score - top) for score in scores)
    best = readings[scores.index(top)]
    found: list[Decision] = []
    for step, link, share in zip(best, _links(best), shares, strict=True):
        ranked = sorted(((v, k) for k, v in share.items() if k != link), reverse=True)
        others = [(k, round(v / total, 3)) for v, k in ranked[:3]]
        confidence = round(min(_SUREST, share[link] / total), 3)
        found.append(Decision(step, confidence, _reasons(step, choices.weights), tuple(others)))
    return found


def _links(steps: Sequence[Step]) -> list[tuple[str, int]]:
    """For each step what it is and which piece it follows in its article (-1: none)."""
    tails: dict[int, int] = {}
    links: list[tuple[str, int]] = []
    for step in steps:
        links.append((step.what, tails.get(step.chain, -1)))
        if step.what in ("begin", "go_on"):
            tails[step.chain] = step.piece
    return links


_SAYINGS = {
    "pair.runs_on": "the characters run on across the joint",
    "pair.runs_on_whole": "the next sentence fits the one before",
    "pair.on_page": "the words across the joint stand elsewhere on the page",
    "pair.doubled": "the last character is printed twice",
    "pair.fresh": "the piece does not begin as a sentence does",
    "pair.latin_lower": "it goes on in small letters",
    "go_on.broken.near": "it stands right below the broken piece",
    "go_on.whole.near": "it stands right below",
    "go_on.alike_share": "it shares more rare words with this article than with the others",
    "go_on.closes": "it closes a quote or bracket left open",
    "go_on.next_number": "an enumeration goes on",
    "go_on.after_title": "the article's title stands right above",
    "go_on.fresh_whole": "it begins as a sentence does",
}


def _reasons(step: Step, weights: Sequence[float]) -> tuple[str, ...]:
    """What spoke for a step, strongest first."""
    if step.what != "go_on":
        return ()
    spoken = [(value * weights[i], NAMES[i]) for i, value in step.vector]
    strong = sorted((s for s in spoken if s[0] > _SPEAKS), reverse=True)
    return tuple(_SAYINGS[name] for _, name in strong if name in _SAYINGS)


def drafts_of(
    lines: Sequence[Line], evidence: Evidence, found: Sequence[Decision]
) -> tuple[list[Draft], Draft]:
    """Articles in the order in which they begin, and a last draft of what belongs to none."""
    parts: list[_Parts] = []
    loose: list[int] = []
    by_piece = {d.step.piece: d for d in found}
    near = -1
    waiting: int | None = None
    for piece, line in enumerate(lines):
        decision = by_piece.get(piece)
        if decision is None:
            if near >= 0 and line.role not in (Role.HEADER, Role.RULE):
                parts[near].middle.append((piece, _FURNITURE[line.role], None))
            else:
                loose.append(piece)
            continue
        what, chain = decision.step.what, decision.step.chain
        if what == "title":
            waiting = piece
            continue
        if what == "stray":
            loose.append(piece)
            continue
        if what == "begin":
            parts.append(_Parts())
            near = chain = len(parts) - 1
            parts[near].title, waiting = waiting, None
        _put(parts[chain], decision, line)
        near = chain if what != "late" else near
    section = _slogan(lines, parts, loose)
    drafts = [_draft(p, lines, evidence, section) for p in parts]
    strays = Draft(blocks=[Paragraph(BlockKind.UNPLACED, [i]) for i in loose])
    return drafts, strays


@dataclass(slots=True)
class _Parts:
    """The pieces of one article, by what they are."""

    title: int | None = None
    byline: list[int] = field(default_factory=list)
    middle: list[tuple[int, BlockKind, Decision | None]] = field(default_factory=list)
    affiliation: list[int] = field(default_factory=list)


_FURNITURE = {
    Role.CAPTION: BlockKind.CAPTION,
    Role.TURN: BlockKind.UNPLACED,
    Role.DATELINE: BlockKind.BYLINE,
}


def _put(parts: _Parts, decision: Decision, line: Line) -> None:
    """Put a decided piece where it belongs in its article."""
    piece, what = decision.step.piece, decision.step.what
    if what == "late":
        parts.title = piece
    elif line.role is Role.BYLINE:
        parts.byline.append(piece)
    elif what == "close":
        parts.affiliation.append(piece)
    else:
        kind = BlockKind.HEADING if what == "heading" else BlockKind.BODY
        parts.middle.append((piece, kind, decision))


def _slogan(lines: Sequence[Line], parts: Sequence[_Parts], loose: list[int]) -> str | None:
    """The page's slogan, or None; one right above an unsigned first article is its title."""
    above = [i for i in loose if lines[i].role is Role.BODY or lines[i].role is Role.TITLE]
    if not above or not parts:
        return None
    first = parts[0]
    unsigned = first.title is None and not first.byline and bool(first.middle)
    if unsigned and first.middle[0][0] == above[-1] + 1:
        first.title = above.pop()
        loose.remove(first.title)
    return lines[above[0]].text if above else None


def _draft(parts: _Parts, lines: Sequence[Line], evidence: Evidence, section: str | None) -> Draft:
    """One article's blocks and head."""
    draft = Draft(section=section)
    if parts.title is not None:
        draft.title = lines[parts.title].text
        draft.blocks.append(Paragraph(BlockKind.TITLE, [parts.title]))
    for piece in parts.byline:
        byline = lines[piece].byline
        draft.authors = draft.authors or (byline.authors if byline else ())
        draft.blocks.append(Paragraph(BlockKind.BYLINE, [piece]))
    draft.blocks.extend(_paragraphs(parts, lines, evidence))
    for piece in parts.affiliation:
        affiliation = lines[piece].affiliation
        if affiliation is not None:
            draft.affiliations = (*draft.affiliations, *affiliation.places)
            draft.authors = draft.authors or affiliation.authors
        draft.blocks.append(Paragraph(BlockKind.AFFILIATION, [piece]))
    for piece, kind, _ in parts.middle:
        if kind is BlockKind.BYLINE:
            draft.published = draft.published or iso_date(lines[piece].text)
    name_authors(draft, lines)
    return draft


def _paragraphs(parts: _Parts, lines: Sequence[Line], evidence: Evidence) -> list[Paragraph]:
    """The middle of an article: pieces that are one paragraph put together."""
    blocks: list[Paragraph] = []
    open_: Paragraph | None = None
    for piece, kind, decision in parts.middle:
        if kind is not BlockKind.BODY:
            blocks.append(Paragraph(kind, [piece]))
            open_ = None if kind is BlockKind.HEADING else open_
            continue
        join = _join(evidence, open_.pieces, piece, decision) if open_ else None
        if open_ is not None and join is not None:
            open_.pieces.append(piece)
            open_.joins.append(join)
        else:
            open_ = Paragraph(BlockKind.BODY, [piece])
            blocks.append(open_)
    return blocks


def _join(
    evidence: Evidence, paragraph: Sequence[int], piece: int, decision: Decision | None
) -> Join | None:
    """How a piece goes on in a paragraph; None when it begins the next one."""
    tail = evidence.sides[paragraph[-1]]
    side = evidence.sides[piece]
    if not tail.whole:
        confidence = decision.confidence if decision else 0.0
        if confidence < LEAST_CONFIDENCE:
            return None
        return Join(
            confidence,
            decision.reasons if decision else (),
            evidence.is_doubled(paragraph[-1], piece),
        )
    counted: dict[str, int] = {}
    for part in paragraph:
        counted.update(evidence.sides[part].last)
    fits, _ = counts_on(counted, {k: n for k, n in side.first.items() if k in "是要"})
    if side.hard_start:
        return Join(_SOFT_CONFIDENCE, ("it begins with a sign that cannot begin a paragraph",))
    if fits and not side.starts_counted:
        return Join(_SOFT_CONFIDENCE, ("an enumeration goes on across the joint",))
    return None
