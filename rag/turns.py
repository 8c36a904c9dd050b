"""The turns of a conversation as a follow-up question sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rag.types import Article, Turn

Articles = Callable[[str], Article | None]
"""An article by its id; None where there is none."""

OPENING = 20
"""Characters of its first paragraph that name an article without a title."""

_MARKER = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Context:
    """The turns before, their questions standing alone, newest last."""

    turns: tuple[Turn, ...]
    articles: Articles

    @property
    def question(self) -> str:
        """The last question."""
        return self.turns[-1].question

    @property
    def answer(self) -> str:
        """The last answer, without its markers."""
        return _MARKER.sub("", self.turns[-1].answer)

    def cited(self) -> tuple[Article, ...]:
        """The articles cited by the newest turn that cites any."""
        for turn in reversed(self.turns):
            found = tuple(a for i in turn.article_ids if (a := self.articles(i)) is not None)
            if found:
                return found
        return ()


def named(article: Article, *, chinese: bool) -> str:
    """An article by its title, or by its first words, as a question names it."""
    if article.title:
        return f"《{article.title}》" if chinese else f"the article “{article.title}”"
    paragraphs = article.paragraphs
    first = (paragraphs[0].span.of(article.text) if paragraphs else article.text)[: 2 * OPENING]
    opening = re.split(r"(?<=.{8})[，,]|[。！？；“”]", first)[0][:OPENING].strip("，,、 ")
    return f"以“{opening}”开头的文章" if chinese else f"the article that opens “{opening}”"
