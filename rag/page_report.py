"""What is told about a page that was put right: every joint, with what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.assemble import Draft, Join
from rag.chains import NAMES
from rag.choices import Choices
from rag.drafts import Decision
from rag.roles import Line
from rag.types import BlockKind

_SHOWN = 20  # characters on either side of a joint


@dataclass(frozen=True, slots=True)
class JointReport:
    """One piece of a page's body and why it stands where it was put.

    Attributes:
        piece: its number in the file, from 0.
        article: the number of its article in what `articles` gives.
        follows: the number of the piece that it was put behind, or None for an article's first.
        joined: whether both are one paragraph.
        before: up to 20 characters before the joint.
        after: up to 20 characters after it.
        confidence: 0 to 1, higher is surer.
        dropped: the character printed twice that was left out, or "".
        reasons: why, strongest first.
        evidence: log-odds by the number that gave them; positive speaks for the joint.
        others: what else the piece may be, with confidence, likeliest first.
    """

    piece: int
    article: int
    follows: int | None
    joined: bool
    before: str
    after: str
    confidence: float
    dropped: str
    reasons: tuple[str, ...]
    evidence: tuple[tuple[str, float], ...]
    others: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a file was read.

    Attributes:
        kind: "page", "article" or "articles".
        why: what made it be taken for that, one sentence.
        joints: one for each piece of a page's body, in page order; () when not a page.
    """

    kind: str
    why: str
    joints: tuple[JointReport, ...]


def reports(
    lines: Sequence[Line],
    choices: Choices,
    found: Sequence[Decision],
    drafts: Sequence[Draft],
) -> list[JointReport]:
    """A report for each piece of the articles' bodies, in page order."""
    decided = {d.step.piece: d for d in found}
    made: list[JointReport] = []
    for number, draft in enumerate(drafts):
        before: int | None = None
        for block in draft.blocks:
            if block.kind is not BlockKind.BODY:
                continue
            for join, piece in zip((None, *block.joins), block.pieces, strict=True):
                decision = decided[piece]
                made.append(_report(lines, choices, decision, number, before, join))
                before = piece
    return sorted(made, key=lambda r: r.piece)


def _report(
    lines: Sequence[Line],
    choices: Choices,
    decision: Decision,
    number: int,
    before: int | None,
    join: Join | None,
) -> JointReport:
    piece = decision.step.piece
    spoken = [(NAMES[i], round(v * choices.weights[i], 2)) for i, v in decision.step.vector]
    return JointReport(
        piece=piece,
        article=number,
        follows=before,
        joined=join is not None,
        before=lines[before].text[-_SHOWN:] if before is not None else "",
        after=lines[piece].text[:_SHOWN],
        confidence=join.confidence if join else decision.confidence,
        dropped=lines[piece].text[0] if join and join.doubled else "",
        reasons=join.reasons if join else decision.reasons,
        evidence=tuple(sorted((s for s in spoken if s[1]), key=lambda s: -abs(s[1]))),
        others=tuple((_said(what, tail), share) for (what, tail), share in decision.others),
    )


def _said(what: str, tail: int) -> str:
    """Another choice in words."""
    return f"follows piece {tail}" if what == "go_on" and tail >= 0 else what
