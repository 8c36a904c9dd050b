"""An article to passages: a paragraph each, or parts of one that the encoder cannot read whole.

Only paragraphs (blocks of kind BODY) become passages. Titles and the section go to the encoder
with each passage but are no part of it; captions, bylines and affiliations are found through
their article. A paragraph that is too long is cut at sentence ends, a sentence that is too long at
clause marks, and what has none between two characters; of all ways to cut it, the one with
the most even parts and the fewest cuts inside sentences is taken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.sentences import split_sentences
from rag.types import Article, Passage, Span, passage_name

CountTokens = Callable[[Sequence[str]], list[int]]

_CONTEXT = 100  # code points of title and section that the encoder is given
_LEAST_ROOM = 16  # tokens that must be left for a passage beside them
_LONGEST_RUN = 2_000  # code points; a run without any mark is first cut into pieces of this length
_NEAR = 64  # code points searched for a place to cut
_ATOMS = 48  # atoms a full passage is made of at most; more would only cost time
_CLAUSE = re.compile(r"[，、；：,;:](?=\D|$)[”’」』）)\]\"']*\s*|\s+")
_JOINERS = frozenset("\u200d\u034f")
# What a cut costs, beside the unevenness of the parts (0 for even ones, 1 for an empty one).
_SENTENCE, _CLAUSE_END, _RUN = 0.0, 0.5, 2.0


@dataclass(frozen=True, slots=True)
class _Atom:
    """The smallest unit of cutting.

    Attributes:
        end: where it ends in the paragraph.
        tokens: how many tokens it has by itself.
        cost: of cutting after it.
    """

    end: int
    tokens: int
    cost: float


def context_of(article: Article) -> str:
    """What is given to the encoder before each passage of an article; "" when it has no title.

    The title and the section, together about 100 code points at most, each as a sentence, because
    the tokenizer drops line ends. They change little either way. Questions whose paragraph came
    first, without and with them:
    20 and 22 of 50 on a real newspaper page (19 and 24 in another run), 110 and 108 of 171 on the
    sample articles, 669 and 672 of 695 on a part of CMRC 2018, 431 and 424 of 492
    on a part of DRCD.
    """
    stop = "。" if article.language == "zh" else ". "
    context = ""
    for part in (article.title, article.section):
        words = " ".join((part or "").split())
        if words and len(context) < _CONTEXT:
            if len(words) > _CONTEXT - len(context):
                room = _CONTEXT - len(context)
                words = words[: _safe_cut(words, Span(0, room + 1), room)]
            ended = words[-1] in "。！？!?.…"
            context += words + ((" " if stop == ". " else "") if ended else stop)
    return context


def encoder_text(article: Article, passage: Passage) -> str:
    """The passage as it is given to the encoder: title and section, then its text."""
    return context_of(article) + passage.text


def passages(article: Article, count_tokens: CountTokens, max_tokens: int) -> list[Passage]:
    """Cut an article into passages.

    Args:
        article: with blocks that lie within its text.
        count_tokens: texts → how many tokens the encoder makes of each, all that it adds included.
        max_tokens: what the encoder reads at most, in the same tokens.

    Returns:
        In reading order. The passages of a paragraph tile it; for each,
        `count_tokens([encoder_text(article, passage)]) <= [max_tokens]`.

    Raises:
        ValueError: `max_tokens` leaves fewer than 16 tokens beside the title and section.
    """
    context = context_of(article)
    used, bare = count_tokens([context, ""])
    if max_tokens - used < _LEAST_ROOM:
        raise ValueError(f"{max_tokens} tokens are too few: the title alone has {used}")
    blocks = article.paragraphs
    texts = [block.span.of(article.text) for block in blocks]
    counts = count_tokens([context + text for text in texts]) if texts else []
    found: list[Passage] = []
    for number, (block, text, tokens) in enumerate(zip(blocks, texts, counts, strict=True)):
        if tokens <= max_tokens:
            spans = [Span(0, len(text))] if text else []
        else:
            spans = _fitting(text, context, count_tokens, max_tokens, (used, bare))
        for part, span in enumerate(spans):
            place = Span(block.span.start + span.start, block.span.start + span.end)
            passage_id = passage_name(article.id, number, part)
            found.append(Passage(passage_id, article.id, number, place, place.of(article.text)))
    return found


def _fitting(
    text: str, context: str, count_tokens: CountTokens, max_tokens: int, used: tuple[int, int]
) -> list[Span]:
    """Spans that tile `text`, each within the limit when counted as the encoder will see it.

    `used`: the tokens of the context alone, and of an empty text (marks that are always added).
    """
    room = max_tokens - used[0]

    def net(texts: Sequence[str]) -> list[int]:
        return [max(1, count - used[1]) for count in count_tokens(texts)]

    spans = _cut(text, net, room)
    while True:
        counts = count_tokens([context + span.of(text) for span in spans])
        if max(counts) <= max_tokens:
            return spans
        # Tokens of parts do not quite add up: what came out too long is cut once more.
        again: list[Span] = []
        for span, tokens in zip(spans, counts, strict=True):
            if tokens <= max_tokens or len(span) == 1:
                again.append(span)
            else:
                middle = (span.start + span.end + 1) // 2
                middle = _safe_cut(text, span, middle) or middle
                again += [Span(span.start, middle), Span(middle, span.end)]
        if len(again) == len(spans):
            raise ValueError(f"one character alone has more than {room} tokens")
        spans = again


def _cut(text: str, net: CountTokens, room: int) -> list[Span]:
    atoms = _merged(_atoms(text, net, room), room // _ATOMS)
    ends = [atom.end for atom in _even(atoms, room)]
    starts = [0, *ends[:-1]]
    return [Span(a, b) for a, b in zip(starts, ends, strict=True)]


def _atoms(text: str, net: CountTokens, room: int) -> list[_Atom]:
    """Sentences; clauses of sentences that are too long; eighths of clauses that are too long."""
    atoms: list[_Atom] = []
    pending = [(span, 0, _SENTENCE) for span in split_sentences(text)]
    while pending:
        counts = net([span.of(text) for span, _, _ in pending])
        deeper: list[tuple[Span, int, float]] = []
        for (span, level, cost), tokens in zip(pending, counts, strict=True):
            if tokens <= (room if level < 2 else room // 8) or len(span) == 1:
                atoms.append(_Atom(span.end, tokens, cost))
                continue
            ends = _halves(text, span) if level else _clauses(text, span)
            if level and not ends:  # one character with all its marks
                if tokens <= room:
                    atoms.append(_Atom(span.end, tokens, cost))
                    continue
                ends = [(span.start + span.end) // 2]
            inner = _RUN if level else _CLAUSE_END
            for start, end in zip([span.start, *ends], [*ends, span.end], strict=True):
                last = end == span.end
                deeper.append((Span(start, end), level + 1, cost if last else inner))
        pending = deeper
    return sorted(atoms, key=lambda atom: atom.end)


def _clauses(text: str, span: Span) -> list[int]:
    """Where clauses end within a sentence."""
    found = (match.end() for match in _CLAUSE.finditer(text, span.start, span.end))
    return [end for end in found if span.start < end < span.end]


def _halves(text: str, span: Span) -> list[int]:
    """Where a run without marks is cut: in steps when very long, else in half; may be none."""
    if len(span) <= _LONGEST_RUN:
        middle = _safe_cut(text, span, (span.start + span.end + 1) // 2)
        return [] if middle is None else [middle]
    ends: list[int] = []
    at = span.start
    while span.end - at > _LONGEST_RUN:
        at = _safe_cut(text, Span(at, span.end), at + _LONGEST_RUN) or at + _LONGEST_RUN
        ends.append(at)
    return [end for end in ends if end < span.end]


def _safe_cut(text: str, span: Span, at: int) -> int | None:
    """The place nearest to `at`, strictly inside `span`, that parts no character from its marks.

    Looks at most 64 code points to each side; None where everything there combines.
    """
    for away in range(_NEAR):
        for place in (at - away, at + away):
            if span.start < place < span.end and not _combines(text, span.start, place):
                return place
    return None


def _combines(text: str, start: int, at: int) -> bool:
    """Whether the characters on both sides of `at` are seen as one; `start` is no such place."""
    before, after = text[at - 1], text[at]
    if before in _JOINERS or after in _JOINERS or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if _is_flag(after) and _is_flag(before):
        first = at - 1
        while first > start and _is_flag(text[first - 1]):
            first -= 1
        return (at - first) % 2 == 1
    return unicodedata.category(after) in ("Mn", "Mc", "Me")


def _is_flag(ch: str) -> bool:
    return "\U0001f1e6" <= ch <= "\U0001f1ff"


def _merged(atoms: Sequence[_Atom], least: int) -> list[_Atom]:
    """Put tiny atoms together, so that the number of ways to cut stays bounded."""
    merged: list[_Atom] = []
    tokens = 0
    for at, atom in enumerate(atoms):
        tokens += atom.tokens
        if tokens >= least or at == len(atoms) - 1:
            merged.append(_Atom(atom.end, tokens, atom.cost))
            tokens = 0
    return merged


def _even(atoms: Sequence[_Atom], room: int) -> list[_Atom]:
    """The atoms after which to cut: the least cost over all ways, by dynamic programming."""
    total = sum(atom.tokens for atom in atoms)
    target = total / max(1, -(-total // room))
    best = [0.0]
    came = [0]
    for end in range(1, len(atoms) + 1):
        load, lowest, origin = 0, float("inf"), end - 1
        for start in range(end - 1, -1, -1):
            load += atoms[start].tokens
            if load > room and start < end - 1:
                break
            cost = best[start] + (1 - load / target) ** 2 + atoms[end - 1].cost
            if cost < lowest:
                lowest, origin = cost, start
        best.append(lowest)
        came.append(origin)
    ends: list[_Atom] = []
    at = len(atoms)
    while at:
        ends.append(atoms[at - 1])
        at = came[at]
    return ends[::-1]
