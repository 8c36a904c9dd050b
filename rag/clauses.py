"""A long sentence to clauses, each with a vector of its own.

Newspaper sentences run to 200 characters and tell ten things; a question asks for one. The
vector of one clause finds it where the sentence's own vector is near everything and nothing.
"""

from __future__ import annotations

import re

SHORTEST = 8
"""Chinese characters that a clause has at least; Latin letters count a third each."""

_MARKS = re.compile(r"[，；：。！？；!?]+[”’」』）》]*|[,;:](?=\s)|——+")
_EDGE = " \t\n，；：。,;:、—"
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")


def clauses(sentence: str) -> list[str]:
    """Cut a sentence at its commas, semicolons and colons.

    Args:
        sentence: one sentence.

    Returns:
        Its clauses in order, without the marks between them; short ones are joined to the next.
        A sentence with one clause comes back as it is, so that it needs no second vector.
    """
    ends = [m.end() for m in _MARKS.finditer(sentence) if m.end() < len(sentence)]
    found: list[str] = []
    start = 0
    for end in ends:
        if _weight(sentence[start:end]) >= SHORTEST and _weight(sentence[end:]) >= SHORTEST:
            found.append(sentence[start:end].strip(_EDGE))
            start = end
    if not found:
        return [sentence]
    return [*found, sentence[start:].strip(_EDGE)]


def _weight(text: str) -> float:
    """How long a text is in Chinese characters."""
    han = len(_HAN.findall(text))
    return han + (len(text.strip(_EDGE)) - han) / 3
