"""Answers about articles themselves: who wrote them, where they work, when and where they appeared.

The frame of the sentence is Wenju's; every name in it stands in the head that it cites.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.asked_heads import Head
from rag.types import Article, BlockKind, Claim, Span

OPENING = 18
"""Characters of its first paragraph that name an article without a title."""


def tells(article: Article, head: Head) -> bool:
    """Whether an article's head tells any of what is asked."""
    return bool(
        (head.authors and article.authors)
        or (head.affiliations and article.affiliations)
        or (head.published and article.published)
        or (head.source and article.source)
        or (head.title and (article.title or article.authors))
    )


def tells_all(article: Article, head: Head) -> bool:
    """Whether an article's head tells everything that is asked."""
    return not (
        (head.authors and not article.authors)
        or (head.affiliations and not article.affiliations)
        or (head.published and not article.published)
        or (head.source and not article.source)
    )


def claims(article: Article, head: Head, language: str, score: float) -> list[Claim]:
    """Sentences that tell what is asked of an article's head, each with the block it stands in.

    Args:
        article: the article meant.
        head: what is asked.
        language: "zh" or "en", of the frame; names stay as printed.
        score: of the claims, 0 to 1.

    Returns:
        None where the head tells nothing of it.
    """
    found: list[Claim] = []
    byline = _place(article, BlockKind.BYLINE)
    if (head.authors or head.title or head.affiliations) and article.authors:
        text = _authors(article, language)
        found.append(Claim(text, article.id, byline, None, score))
    elif head.title and article.title:
        named = _named(article, language)
        text = f"出自{named}。" if language == "zh" else f"It stands in {named}."
        found.append(Claim(text, article.id, _place(article, BlockKind.TITLE), None, score))
    if (head.affiliations or head.authors) and article.affiliations:
        text = _affiliations(article, language)
        found.append(Claim(text, article.id, _place(article, BlockKind.AFFILIATION), None, score))
    if (head.published and article.published) or (head.source and article.source):
        text = _appeared(article, head, language)
        found.append(Claim(text, article.id, _place(article, BlockKind.TITLE), None, score))
    return found


def short(articles: Sequence[Article], head: Head) -> str | None:
    """What is asked for by itself: the names, institutions, dates, papers or titles."""
    found: list[str] = []
    for article in articles:
        if head.authors:
            found.append(_listed(article.authors))
        if head.affiliations:
            found.append(_listed(article.affiliations))
        if head.published:
            found.append(article.published or "")
        if head.source:
            found.append(article.source or "")
        if head.title and article.title:
            found.append(f"《{article.title}》")
    return "；".join(dict.fromkeys(filter(None, found))) or None


def _place(article: Article, kind: BlockKind) -> Span:
    """The block of a kind; else the byline, the title or the first block there is."""
    for wanted in (kind, BlockKind.BYLINE, BlockKind.TITLE):
        block = article.first(wanted)
        if block is not None:
            return block.span
    return article.blocks[0].span


def _named(article: Article, language: str) -> str:
    """An article by its title, or by its first words."""
    if article.title:
        return f"《{article.title}》" if language == "zh" else f"the article “{article.title}”"
    first = article.paragraphs[0].span.of(article.text) if article.paragraphs else article.text
    words = first[:OPENING].strip()
    if article.language == "en" and " " in words:
        words = first[: OPENING * 3].rsplit(" ", 1)[0]
    # An inner quotation mark would close the outer one too early.
    words = words.split("“")[0].split("”")[0] or words.strip("“”")
    return f"以“{words}…”开头的文章" if language == "zh" else f"the article that opens “{words}…”"


def _listed(names: Sequence[str]) -> str:
    """Names as they are printed side by side in their own script."""
    return (", " if all(name.isascii() for name in names) else "、").join(names)


def _joined(names: Sequence[str], language: str) -> str:
    # Chinese names stay together as Chinese prints them, in an English sentence too.
    if language == "zh" or not all(name.isascii() for name in names):
        return "、".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


def _authors(article: Article, language: str) -> str:
    names = _joined(article.authors, language)
    if language == "zh":
        return f"{_named(article, language)}的作者是{names}。"
    named = _named(article, language)
    return f"{named[0].upper()}{named[1:]} was written by {names}."


def _affiliations(article: Article, language: str) -> str:
    if language == "zh":
        return f"作者单位：{'、'.join(article.affiliations)}。"
    return f"Affiliation: {'; '.join(article.affiliations)}."


def _appeared(article: Article, head: Head, language: str) -> str:
    named, source = _named(article, language), article.source
    if language == "zh":
        where = f"刊于{source}" if source and (head.source or head.published) else ""
        when = f"{_date(article.published)}" if article.published else ""
        return f"{named}{when}{where or '发表'}。"
    where = f" in {source}" if source else ""
    when = f" on {article.published}" if article.published and len(article.published) == 10 else ""
    if article.published and not when:
        when = f" in {article.published}"
    return f"{named[0].upper()}{named[1:]} appeared{where}{when}."


def _date(published: str | None) -> str:
    """2024-05-20 → 2024年5月20日, as far as it is known."""
    parts = (published or "").split("-")
    units = ("年", "月", "日")
    return "".join(f"{int(p)}{u}" for p, u in zip(parts, units, strict=False) if p.isdigit())


def named_in(
    folded: str, articles: Sequence[Article], fold: Callable[[str], str]
) -> dict[str, str]:
    """Articles that a question names by author, institution or title.

    Args:
        folded: the question, folded.
        articles: those that may be meant.
        fold: width, case and script folding.

    Returns:
        Their ids with the words of the question that name them (财经职院 for 重庆财经职业学院),
        in the order of the question; an institution that several articles share names none.
    """
    found: dict[str, str] = {}
    for article in articles:
        names = [fold(n) for n in article.authors if len(n) >= 2]
        if article.title:
            names.append(fold(article.title))
        for affiliation in article.affiliations:
            if not _shared(affiliation, article, articles):
                names.append(_abbreviated(folded, fold(affiliation)))
        named = [n for n in names if n and n in folded]
        if named:
            found[article.id] = max(named, key=len)
    return dict(sorted(found.items(), key=lambda item: folded.find(item[1])))


def _shared(affiliation: str, article: Article, articles: Sequence[Article]) -> bool:
    return any(affiliation in a.affiliations for a in articles if a.id != article.id)


def _abbreviated(folded: str, institution: str) -> str:
    """The words by which a question names an institution, whole or shortened; "" for none.

    A short form has at least four characters in the institution's order, the first two of
    them neighbours there, and ends as an institution does.
    """
    for size in range(min(len(institution), 12), 3, -1):
        for start in range(len(folded) - size + 1):
            window = folded[start : start + size]
            if window[-1] in _INSTITUTION_ENDS and _is_short_form(window, institution):
                return window
    return ""


_INSTITUTION_ENDS = "学院校局会社司所厅委部馆中心大"


def _is_short_form(window: str, institution: str) -> bool:
    at = institution.find(window[:2])
    if at < 0 or window[:2] in _PLACES:
        return False
    at += 2
    for character in window[2:]:
        at = institution.find(character, at) + 1
        if at == 0:
            return False
    return True


_PLACES = frozenset("重庆 四川 成都 北京 上海 天津 广东 广州 中国 西南".split())
"""Short forms that begin with a place alone name too many institutions."""
