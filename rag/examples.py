"""Questions that an archive can be asked, drawn from its own articles."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Article

_FORMS = {
    "zh": ("《{title}》的作者是谁？", "《{title}》提出了哪些举措？", "{title}的主要内容是什么？"),
    "en": (
        "Who wrote “{title}”?",
        "What measures does “{title}” propose?",
        "What is “{title}” about?",
    ),
}


def examples(articles: Sequence[Article], language: str, count: int = 4) -> list[str]:
    """A few questions, in a language, on articles with a title, those in that language first.

    Args:
        articles: where to draw from, the most interesting first.
        language: "zh" or "en".
        count: at most so many.
    """
    titled = [a for a in articles if a.title]
    titled.sort(key=lambda a: a.language != language)
    forms = _FORMS[language]
    return [forms[i % len(forms)].format(title=a.title) for i, a in enumerate(titled[:count])]
