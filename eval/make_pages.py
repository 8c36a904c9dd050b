"""Make newspaper pages from whole articles, cut and interleaved as columns do, with the truth.

    python -m eval.make_pages ARTICLES OUT [--pages 100 --seed 1]

ARTICLES is a folder of articles that Wenju reads or of JSON lists of them (title, paragraphs), or
one large text file (.txt, .txt.xz) with a news text on each line. OUT gets `page-iii.txt` and
`page-iii.json`. The latter has the articles, `soft_breaks` (cuts at a sentence end, as
[paragraph, offset]) and `pieces`: for each piece of the page its role, article, paragraph, start
in the paragraph and whether its first character is printed twice.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from eval.page_heads import affiliation_line, byline_line, furniture_line, slogan
from eval.stories import SENTENCE_END, Story, read_stories


@dataclass(frozen=True, slots=True)
class Recipe:
    """How often a page does what. All are probabilities, 0 to 1.

    Attributes:
        interleave: that a page mixes its articles at all.
        switch: that another article goes on after a cut, on a page that mixes them.
        loose: that a page also goes from article to article between whole paragraphs.
        cut: that a sentence-long stretch of a paragraph is followed by a cut.
        soft: that a cut falls at a sentence end.
        doubled: that a cut prints its character twice.
        heading: that a subheading stands before a paragraph.
        late_title: that the title stands behind a cut, mostly the first.
        no_title: that no title is printed.
        no_affiliation: that no affiliation closes the article.
        slogan: that a slogan stands at the head.
        note: that an editor's note without a byline comes first.
        furniture: that a running head, caption or turn line stands somewhere.
    """

    interleave: float = 0.75
    switch: float = 0.45
    loose: float = 0.35
    cut: float = 0.9
    soft: float = 0.2
    doubled: float = 0.03
    heading: float = 0.02
    late_title: float = 0.2
    no_title: float = 0.1
    no_affiliation: float = 0.2
    slogan: float = 0.5
    note: float = 0.1
    furniture: float = 0.15


@dataclass(slots=True)
class _Piece:
    text: str
    role: str
    article: int | None
    paragraph: int | None = None
    start: int = 0
    doubled: bool = False
    cut: bool = False  # whether its paragraph goes on in another piece


@dataclass(slots=True)
class _Plan:
    """One article's lines, in order, and what the truth says of it."""

    truth: dict[str, object]
    head: list[_Piece] = field(default_factory=list)
    body: list[_Piece] = field(default_factory=list)
    late: _Piece | None = None
    foot: list[_Piece] = field(default_factory=list)
    at: int = 0


def make_page(
    stories: Sequence[Story], rng: random.Random, recipe: Recipe
) -> tuple[str, dict[str, object]]:
    """One page's text and its truth."""
    plans = [_plan(s, i, rng, recipe) for i, s in enumerate(stories)]
    if rng.random() < recipe.note and len(plans) > 1:
        plans[0] = _note(stories[0])
    mixed = recipe.switch if rng.random() < recipe.interleave else 0.0
    loose = 0.5 * mixed if rng.random() < recipe.loose else 0.0
    pieces = _interleave(plans, rng, mixed, loose)
    if rng.random() < recipe.slogan and plans[0].truth["authors"]:
        pieces.insert(0, _Piece(slogan(rng), "stray", None))
    if rng.random() < recipe.furniture:
        line, at_head = furniture_line(rng)
        pieces.insert(0 if at_head else len(pieces), _Piece(line, "stray", None))
    gold = {
        "articles": [p.truth for p in plans],
        "pieces": [
            {
                "role": p.role,
                "article": p.article,
                "paragraph": p.paragraph,
                "start": p.start,
                "doubled": p.doubled,
            }
            for p in pieces
        ],
    }
    return "\n\n".join(p.text for p in pieces) + "\n", gold


def _plan(story: Story, number: int, rng: random.Random, recipe: Recipe) -> _Plan:
    """Cut one story into pieces and give it a head and a foot."""
    authors, byline = byline_line(rng)
    shown = story.title if story.title and rng.random() >= recipe.no_title else None
    affiliations: list[str] = []
    foot: list[_Piece] = []
    if rng.random() >= recipe.no_affiliation:
        affiliations, line = affiliation_line(rng)
        foot.append(_Piece(line, "affiliation", number))
    truth: dict[str, object] = {
        "title": shown,
        "authors": authors,
        "affiliations": affiliations,
        "paragraphs": list(story.paragraphs),
    }
    body: list[_Piece] = []
    soft: list[list[int]] = []
    for index, paragraph in enumerate(story.paragraphs):
        if index and rng.random() < recipe.heading:
            body.append(_Piece(_subheading(paragraph, rng), "heading", number))
        body.extend(_cut(paragraph, number, index, rng, recipe, soft))
    truth["soft_breaks"] = soft
    plan = _Plan(truth, [_Piece(byline, "byline", number)], body, None, foot)
    if shown:
        title = _Piece(shown, "title", number)
        if rng.random() < recipe.late_title and any(p.cut for p in body):
            plan.late = title
        else:
            plan.head.insert(0, title)
    return plan


def _subheading(paragraph: str, rng: random.Random) -> str:
    """A subheading in the words of the paragraph below it."""
    clauses = [c for c in re.split(r"[，。！？；、：“”（）()…]", paragraph) if 4 <= len(c) <= 16]
    clause = rng.choice(clauses) if clauses else "背景"
    number = rng.choice("一二三四五")
    return rng.choice(("{}", "{}", f"{number}、{{}}", f"（{number}）{{}}")).format(clause)


def _note(story: Story) -> _Plan:
    """An editor's note: a heading over one paragraph, nobody's name."""
    text = story.paragraphs[0]
    title = story.title or "编者按"
    truth: dict[str, object] = {
        "title": title,
        "authors": [],
        "affiliations": [],
        "paragraphs": [text],
        "soft_breaks": [],
    }
    return _Plan(truth, [_Piece(title, "title", 0)], [_Piece(text, "body", 0, 0)])


def _cut(
    text: str,
    number: int,
    index: int,
    rng: random.Random,
    recipe: Recipe,
    soft: list[list[int]],
) -> list[_Piece]:
    """Cut a paragraph at random places, some of them sentence ends (noted in `soft`)."""
    places: set[int] = set()
    wanted = sum(rng.random() < recipe.cut * min(1.0, len(text) / 260) for _ in range(2))
    if len(text) > 450:
        wanted += rng.randrange(0, len(text) // 300)
    ends = [m.end() for m in SENTENCE_END.finditer(text) if 0 < m.end() < len(text)]
    for _ in range(wanted):
        if ends and rng.random() < recipe.soft:
            places.add(rng.choice(ends))
        elif len(text) > 4:
            places.add(_between_words(text, rng.randrange(1, len(text))))
    bounds = [0, *sorted(places), len(text)]
    pieces = []
    for start, end in pairwise(bounds):
        doubled = start > 0 and rng.random() < recipe.doubled and text[start - 1] >= "㐀"
        if start in ends:
            soft.append([index, start])
            doubled = False
        shown = (text[start - 1] if doubled else "") + text[start:end]
        if shown.strip():
            pieces.append(_Piece(shown, "body", number, index, start, doubled, cut=end < len(text)))
    return pieces


def _between_words(text: str, place: int) -> int:
    """The place, or behind the Latin word that it would cut: columns break those at blanks."""
    while place < len(text) - 1 and text[place - 1].isascii() and not text[place - 1].isspace():
        if not text[place].isascii():
            break
        place += 1
    return place


def _interleave(
    plans: Sequence[_Plan], rng: random.Random, mixed: float, loose: float
) -> list[_Piece]:
    """Set the articles' pieces: at a break, or when an article ends, another may go on.

    Args:
        plans: the articles.
        rng: chance.
        mixed: how likely another goes on after a cut.
        loose: how likely another goes on after a whole paragraph.
    """
    out: list[_Piece] = []
    waiting = list(range(len(plans)))
    broken: list[int] = []
    current = waiting.pop(0)
    while True:
        plan = plans[current]
        if plan.at == 0:
            out.extend(plan.head)
        elif plan.late is not None and plan.body[plan.at - 1].cut and rng.random() < 0.6:
            out.append(plan.late)
            plan.late = None
        piece = plan.body[plan.at]
        plan.at += 1
        out.append(piece)
        done = plan.at == len(plan.body)
        if done:
            if plan.late is not None:
                plan.truth["title"] = None
            out.extend(plan.foot)
        elif rng.random() >= (mixed if piece.cut else loose):
            continue
        if not waiting and not broken:
            if done:
                return out
            continue
        follow = (
            waiting.pop(0)
            if waiting and (not broken or rng.random() < 0.55)
            else broken.pop(rng.randrange(len(broken)))
        )
        if not done:
            broken.append(current)
        current = follow


def make_pages(
    stories: Iterable[Story], pages: int, seed: int, recipe: Recipe
) -> Iterator[tuple[str, dict[str, object]]]:
    """Pages of two to five stories each, every story used once; fewer when the stories run out.

    One page in three gathers stories that share words, as pages on one subject do.
    """
    rng = random.Random(seed)  # noqa: S311 - pages, not secrets
    supply = iter(stories)
    for _ in range(pages):
        size = rng.choice((2, 3, 3, 3, 4, 5, 5))
        themed = rng.random() < 0.33
        pool = [s for _, s in zip(range(size * (8 if themed else 1)), supply, strict=False)]
        if len(pool) < size:
            return
        if themed:
            first = pool[0]
            pool.sort(key=lambda s, first=first: -_overlap(first, s))  # type: ignore[misc]
        yield make_page(pool[:size], rng, recipe)


def _overlap(a: Story, b: Story) -> float:
    left, right = ({p[i : i + 2] for p in s.paragraphs for i in range(len(p) - 1)} for s in (a, b))
    return len(left & right) / (len(left | right) or 1)


def main() -> None:
    """Write pages into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    stories = read_stories(options.articles, random.Random(options.seed))  # noqa: S311 - as above
    made = make_pages(stories, options.pages, options.seed, Recipe())
    for number, (text, gold) in enumerate(made):
        target = options.out / f"page-{number:03d}"
        target.with_suffix(".txt").write_text(text, encoding="utf-8")
        target.with_suffix(".json").write_text(
            json.dumps(gold, ensure_ascii=False, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
