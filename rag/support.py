"""A language model's text is taken apart: its markers, its sentences, and what proves each.

Markers of passages that were never offered are taken out and counted. A sentence is proved by the
smallest run of sentences of a passage that `cite.support_of` accepts, in the passages it names
first and then in all; places and dates that it names must stand there too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from index.tokens import STOP_WORDS, fold
from rag import across
from rag.cite import support_of
from rag.mentions import mentions
from rag.sentences import split_sentences
from rag.types import Citation, Claim, Evidence, Span, Support

LONGEST_MARKER = 32
"""Characters of a marker that is held back while its end has not come."""

_NUMBERS = r"[\d０-９]{1,3}(?:\s*(?:[,，、;；和]|and|-|–|~|至)\s*[\d０-９]{1,3})*"
_MARKER = re.compile(
    rf"[\[［【]\s*(?:\^|材料|来源|來源|资料|資料|passages?|sources?|no\.?)?\s*"
    rf"(?P<numbers>{_NUMBERS})\s*\^?\s*[\]］】]",
    re.IGNORECASE,
)
_PLAIN_MARKER = re.compile(r"\[(\d{1,3})\]")
_OPENERS = "[［【"
_CLOSERS = "]］】"
_THOUGHT = re.compile(r"<think>.*?</think>\s*", re.DOTALL)
_THOUGHT_OPEN = "<think>"
_DECORATION = re.compile(r"^\s*(?:[-*•·]\s+|#{1,6}\s+|>\s+|\d{1,2}[.、)]\s+)|\*\*|__", re.MULTILINE)
_LETTER = re.compile(r"[^\W\d_]")
_NOT = re.compile(
    r"不(?!仅|但|断|只|少|同|过|久|止)|没有|沒有|未(?!来|來)|无法|無法|\bnot\b|n't\b|\bnever\b"
)
# A sentence about the passages themselves; what they print may hold the same words.
_ABOUT_PASSAGES = re.compile(r"\bpassages?\b|材料|文中", re.IGNORECASE)
_CONTENT_WORD = re.compile(r"[a-z]{3,}")
_STEM = 5  # letters that an English word and its other forms have in common
CONTENT = 0.6
"""The share of an English sentence's content words that must stand in its proof."""
_UNFINISHED = re.compile(r"[^。！？.!?…”’」』)）\]\s][\s]*$")
_WINDOWS = (1, 2, 3)
"""Sentences of a passage that may prove one sentence together, tried in this order, then all."""


class Markers:
    """Brings the markers of a stream to the form [n], whatever pieces they come in.

    Args:
        offered: markers 1 to `offered` are known.

    Attributes:
        unknown: markers taken out because no such passage was offered.
    """

    def __init__(self, offered: int) -> None:
        self.offered = offered
        self.unknown = 0
        self._held = ""
        self._thinking: bool | None = None  # None until the first letters tell

    def feed(self, piece: str) -> str:
        """The text that is sure after one more piece."""
        self._held += piece
        if self._thinking is not False and not self._thought():
            return ""
        at = max(self._held.rfind(c) for c in _OPENERS)
        is_open = at >= 0 and not any(c in self._held[at:] for c in _CLOSERS)
        if is_open and len(self._held) - at <= LONGEST_MARKER:
            sure, self._held = self._held[:at], self._held[at:]
        else:
            sure, self._held = self._held, ""
        return self._plain(sure)

    def end(self) -> str:
        """What was still held back."""
        sure, self._held = self._held, ""
        return "" if self._thinking else self._plain(sure)

    def _thought(self) -> bool:
        """Whether a model that thinks aloud first has come to its answer."""
        start = self._held.lstrip()
        if len(start) < len(_THOUGHT_OPEN) and _THOUGHT_OPEN.startswith(start):
            return False
        self._thinking = start.startswith(_THOUGHT_OPEN) and "</think>" not in start
        if self._thinking:
            return False
        self._held = _THOUGHT.sub("", start, count=1)
        return True

    def _plain(self, text: str) -> str:
        return _MARKER.sub(self._one, text)

    def _one(self, match: re.Match[str]) -> str:
        written = unicodedata.normalize("NFKC", match["numbers"])
        numbers: list[int] = []
        for part in re.split(r"(?:(?<!\s)\s+)?(?:[,、;和]|and)\s*", written):
            ends = [int(n) for n in re.findall(r"\d+", part)]
            if len(ends) == 2 and ends[0] <= ends[1] <= ends[0] + 20:
                numbers += range(ends[0], ends[1] + 1)
            else:
                numbers += ends
        known = [n for n in numbers if 1 <= n <= self.offered]
        self.unknown += len(numbers) - len(known)
        return "".join(f"[{n}]" for n in dict.fromkeys(known))


@dataclass(frozen=True, slots=True)
class Checked:
    """A text whose sentences have been held against the evidence.

    Attributes:
        claims: its sentences in order, each with the best proof there is.
        unproved: the numbers of those claims, from 0, that no passage proves.
        moved: sentences proved by another passage than the one they named, or that named none.
        repeated: sentences left out because they had been said before.
    """

    claims: tuple[Claim, ...]
    unproved: frozenset[int] = field(default=frozenset())
    moved: int = 0
    repeated: int = 0


def check(text: str, evidence: Sequence[Evidence]) -> Checked:
    """Hold every sentence of a text against the passages that were offered.

    Args:
        text: with markers [n] as `Markers` gives them; n counts in `evidence` from 1.
        evidence: the passages that were offered.

    Returns:
        A claim for each sentence that was finished; its score is the share of its wording that
        stands in its proof.
    """
    claims: list[Claim] = []
    unproved: set[int] = set()
    sentences = marked_sentences(text)
    if len(sentences) > 1 and _UNFINISHED.search(text):
        sentences.pop()  # the reply was cut at its longest
    moved, repeated, said_before = 0, 0, set[str]()
    for said, named in sentences:
        key = fold(said)
        if key in said_before:
            repeated += 1
            continue
        said_before.add(key)
        found = _proof(said, [n - 1 for n in named], evidence)
        if found is None:  # only without evidence
            continue
        claim, proved = found
        moved += proved and claim.evidence not in [n - 1 for n in named]
        if not proved:
            unproved.add(len(claims))
        claims.append(claim)
    return Checked(tuple(claims), frozenset(unproved), moved, repeated)


def marked_sentences(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """The sentences of a text, without markers and decoration, and the markers of each.

    A marker belongs to the sentence that it stands in or directly behind.
    """
    text = _DECORATION.sub("", text)
    plain, places, end = "", list[tuple[int, int]](), 0
    for match in _PLAIN_MARKER.finditer(text):
        plain += text[end : match.start()]
        places.append((len(plain.rstrip()), int(match[1])))
        end = match.end()
    plain += text[end:]
    found: list[tuple[str, tuple[int, ...]]] = []
    for span in split_sentences(plain):
        own = [n for at, n in places if span.start < at <= span.end]
        said = " ".join(span.of(plain).split())
        # A blank before a marker is left before the full stop.
        said = re.sub(r" (?=[。.!?！？,，]$)", "", said)
        if _LETTER.search(said):
            found.append((said, tuple(dict.fromkeys(own))))
    return found


def _proof(
    said: str, named: Sequence[int], evidence: Sequence[Evidence]
) -> tuple[Claim, bool] | None:
    """The best proof of a sentence, and whether it is one."""
    order = [i for i in named if i < len(evidence)]
    others = [i for i in range(len(evidence)) if i not in order]
    best: Claim | None = None
    for group in (order, others):
        proofs = [_in_passage(said, i, evidence[i]) for i in group]
        proved = [c for c, good in proofs if good]
        if proved:
            return max(proved, key=lambda c: c.score), True
        if best is None and proofs:
            best = max((c for c, _ in proofs), key=lambda c: c.score)
    return (best, False) if best is not None else None


def _in_passage(said: str, index: int, found: Evidence) -> tuple[Claim, bool]:
    """The smallest run of a passage's sentences that proves a sentence; else the nearest one."""
    passage, article = found.passage, found.article
    spans = split_sentences(passage.text) or [Span(0, len(passage.text))]
    nearest: Claim | None = None
    for size in sorted({min(n, len(spans)) for n in (*_WINDOWS, len(spans))}):
        proved: list[Claim] = []
        for first in range(len(spans) - size + 1):
            start = passage.span.start + spans[first].start
            span = Span(start, passage.span.start + spans[first + size - 1].end)
            quote = span.of(article.text)
            claim = Claim(said, article.id, span, index, overlap(said, quote))
            names = [*article.authors, *article.affiliations]
            if support_of(said, quote, article, names) is not Support.UNSUPPORTED and agrees(
                said, quote, f"{article.title} {article.published} {article.source}"
            ):
                proved.append(claim)
            if size == 1 and (nearest is None or claim.score > nearest.score):
                nearest = claim
        if proved:
            return max(proved, key=lambda c: c.score), True
    assert nearest is not None  # noqa: S101 there is always a run of one sentence
    return nearest, False


def agrees(said: str, quote: str, head: str = "") -> bool:
    """Whether a sentence's places and content words stand in its proof, and its denials too."""
    proof = fold(f"{quote} {head}")
    if any(fold(m[0]) not in proof for m in _ABOUT_PASSAGES.finditer(said)):
        return False
    denies, denied = bool(_NOT.search(said)), bool(_NOT.search(quote))
    if across.differ(said, quote):  # its words are looked up by `support_of`
        return denies <= denied
    words = [w for w in _CONTENT_WORD.findall(fold(said)) if w not in STOP_WORDS]
    if words and sum(w[:_STEM] in proof for w in words) < CONTENT * len(words):
        return False
    named = [m.span.of(said) for m in mentions(said) if m.kind in ("place", "country")]
    if any(fold(n).removesuffix("省").removesuffix("市") not in proof for n in named):
        return False
    return denies <= denied


def overlap(said: str, quote: str) -> float:
    """The share of a sentence's character pairs that stand in a quote, 0 to 1.

    Of what can be translated, where the two are of two languages.
    """
    if across.differ(said, quote):
        return across.share(said, fold(quote))
    one, other = (re.sub(r"\W+", "", fold(t)) for t in (said, quote))
    pairs = {one[i : i + 2] for i in range(len(one) - 1)} or {one}
    return sum(p in other for p in pairs) / len(pairs)


def marked(citations: Sequence[Citation], unproved: frozenset[int]) -> tuple[Citation, ...]:
    """Citations of a draft's claims, those of unproved claims shown as unsupported.

    Args:
        citations: one for each claim, in order.
        unproved: see `Checked.unproved`.
    """
    return tuple(
        replace(c, support=Support.UNSUPPORTED) if i in unproved else c
        for i, c in enumerate(citations)
    )
