"""Questions that an archive can be asked, drawn from its own articles."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.types import Article

_NESTING = re.compile(r"""[《》〈〉“”‘’「」『』"]|\B'|'\B""")
_COMPOSED = re.compile("[，：；！？]")
_LONGEST = {"zh": 32, "en": 90}
"""Code points: a longer title makes no question that a person would ask."""

_PLANS = {
    "zh": re.compile("推进|推动|加快|加强|实施|建设|打造|行动|方案|规划|措施|办法|意见|纲要|改革"),
    "en": re.compile(
        r"\b(?:plan|policy|measures|reform|programme|program|scheme|strategy|outline|ban)s?\b", re.I
    ),
}
_Form = tuple[str, Callable[[Article, str], bool]]
_FORMS: dict[str, list[_Form]] = {
    "zh": [
        ("《{title}》提出了哪些举措？", lambda a, language: _plans(a, language)),
        ("《{title}》的作者是谁？", lambda a, _: bool(a.authors)),
        ("《{title}》讲了什么？", lambda _, __: True),
        ("《{title}》的作者在哪里工作？", lambda a, _: bool(a.authors and a.affiliations)),
    ],
    "en": [
        ("What measures does “{title}” describe?", lambda a, language: _plans(a, language)),
        ("Who wrote “{title}”?", lambda a, _: bool(a.authors)),
        ("What is “{title}” about?", lambda _, __: True),
        (
            "Where do the authors of “{title}” work?",
            lambda a, _: len(a.authors) > 1 and bool(a.affiliations),
        ),
    ],
}


def _plans(article: Article, language: str) -> bool:
    """Whether the title announces something that is to be done."""
    return bool(_PLANS[language].search(article.title or ""))


def examples(articles: Sequence[Article], language: str, count: int = 4) -> list[str]:
    """A few questions, in a language, on articles with a title; each form as rarely as can be.

    Titles in that language are used alone where there are any. A title with quotation marks of its
    own is left out, since the question quotes it, and so is one that is very long.

    Args:
        articles: where to draw from, the most interesting first.
        language: "zh" or "en".
        count: at most so many.
    """
    titled = [a for a in articles if a.title and _suits(a.title, a.language)]
    own = [a for a in titled if a.language == language] or titled
    own.sort(key=lambda a: bool(_COMPOSED.search(a.title or "")))  # plain titles first
    used = dict.fromkeys(range(len(_FORMS[language])), 0)
    found = []
    for article in own[:count]:
        fitting = [n for n, (_, fits) in enumerate(_FORMS[language]) if fits(article, language)]
        form = min(fitting, key=lambda n: (used[n], n))
        used[form] += 1
        found.append(_FORMS[language][form][0].format(title=article.title))
    return found


def _suits(title: str, language: str) -> bool:
    return len(title) <= _LONGEST[language] and not _NESTING.search(title)
