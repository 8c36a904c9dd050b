"""A follow-up question and the turns before it become a question that stands alone.

A first rule, without a model: a question that points back (它, 该文, 那四川呢, "who wrote it")
is searched together with the question before it; any other question is left as it is, so that a
new topic is not dragged back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.types import Turn

_POINTS_BACK = re.compile(
    r"^[那还]|呢[？?]?$|[它牠]们?|[他她]们?|^[这该其]|[这该]篇|[这该][个些项种]|上述|第[一二三四五]篇"
    r"|\b(it|its|they|them|their|he|she|his|her|that|those|this|these|there)\b"
    r"|^(and|what about|how about)\b",
    re.IGNORECASE,
)
_LONG = 40  # characters; a longer question names what it is about


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question as it should be searched.

    Args:
        question: as it was asked.
        history: earlier turns, oldest first.

    Returns:
        The question itself, or the last question and it.
    """
    if not history or len(question) > _LONG or not _POINTS_BACK.search(question):
        return question
    return f"{history[-1].question} {question}"
