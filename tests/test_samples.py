"""The sample articles, the gold of the two sample pages, and the questions on them agree."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eval.cases import load_cases
from eval.score import accepted

ROOT = Path(__file__).resolve().parents[1]
ARTICLES = sorted(path for path in (ROOT / "articles").iterdir() if path.suffix in {".md", ".txt"})
PAGES = ("page-a", "page-b")
SINGLE = [path for path in ARTICLES if path.stem not in PAGES]
QUESTIONS = ROOT / "eval" / "data" / "sample-questions.jsonl"
TYPES = {
    "factoid",
    "list",
    "definition",
    "how_why",
    "attribution",
    "multi_article",
    "unanswerable",
}
LANGUAGES = {"zh", "zh-Hant", "en"}
CHINESE_KEYS = {"标题": "title", "作者": "authors", "日期": "date", "来源": "source"}


def parts_of(text: str) -> tuple[str, str]:
    """The front matter and the body of a file."""
    _, matter, body = re.split(r"^---$", text, maxsplit=2, flags=re.MULTILINE)
    return matter, body.strip()


def squash(text: str) -> str:
    return re.sub(r"\s+", "", text)


@cache
def metadata(path: Path) -> dict[str, Any]:
    raw = yaml.safe_load(parts_of(path.read_text(encoding="utf8"))[0])
    keys = {**CHINESE_KEYS, "author": "authors", "栏目": "section"}
    return {keys.get(key, key): value for key, value in raw.items()}


@cache
def body(path: Path) -> list[str]:
    """The body's paragraphs: no headings, no indentation, hard-wrapped Latin lines joined."""
    blocks = re.split(r"\n\s*\n", parts_of(path.read_text(encoding="utf8"))[1])
    joined = (" ".join(line.strip("　 ") for line in block.splitlines()) for block in blocks)
    return [block for block in joined if block and not block.startswith("#")]


@cache
def gold(page: str) -> list[dict[str, Any]]:
    text = (ROOT / "tests" / "data" / f"{page}.json").read_text(encoding="utf8")
    return json.loads(text)["articles"]


@cache
def page_pieces(page: str) -> list[str]:
    text = (ROOT / "articles" / f"{page}.txt").read_text(encoding="utf8")
    return [p for p in re.split(r"\n\s*\n", parts_of(text)[1]) if p.strip()]


def paragraphs_of(article: str) -> list[str]:
    page, _, number = article.partition(":")
    if number:
        return gold(page)[int(number) - 1]["paragraphs"]
    path = next((path for path in SINGLE if path.stem == article), None)
    assert path is not None, f"no sample article is called {article}"
    return body(path)


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf8").splitlines()]


def test_there_are_enough_articles_in_each_language() -> None:
    english = [path for path in SINGLE if path.stem.startswith("en-")]
    assert len(SINGLE) - len(english) >= 12
    assert len(english) >= 4


@pytest.mark.parametrize("path", SINGLE, ids=lambda path: path.stem)
def test_a_sample_article_says_who_wrote_it_when_and_where(path: Path) -> None:
    meta = metadata(path)
    assert {"title", "authors", "date", "source"} <= meta.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(meta["date"]))
    assert re.search("样报|样刊|樣報|Sample", str(meta["source"]))
    assert 4 <= len(body(path)) <= 9


def test_the_reprint_holds_only_sentences_of_the_original() -> None:
    reprint = body(ROOT / "articles" / "china-europe-100000-reprint.txt")
    original = "".join(body(ROOT / "articles" / "china-europe-100000.md"))
    sentences = [s for p in reprint for s in re.findall(r"[^。]+。", p)]
    assert [sentence for sentence in sentences if sentence not in original] == []
    assert len("".join(reprint)) < len(original)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_exactly_the_characters_of_its_gold_and_the_doubled_ones(page: str) -> None:
    articles = gold(page)
    true = Counter[str]()
    for article in articles:
        heads = (article["title"], article["byline"], article["affiliation_line"])
        true.update(squash("".join(filter(None, (*heads, *article["paragraphs"])))))
        true.update(article["paragraphs"][at][cut - 1] for at, cut in article["doubled"])
    assert Counter(squash("".join(page_pieces(page)))) == true


@pytest.mark.parametrize("page", PAGES)
def test_the_pieces_of_a_page_tile_the_paragraphs_in_order(page: str) -> None:
    pieces = page_pieces(page)
    breaks = 0
    for article in gold(page):
        doubled = {(at, cut) for at, cut in article["doubled"]}
        last = -1
        for at, paragraph in enumerate(article["paragraphs"]):
            cut = 0
            while cut < len(paragraph):
                lead = paragraph[cut - 1] if (at, cut) in doubled else ""
                found = [
                    (number, piece)
                    for number, piece in enumerate(pieces)
                    if (lead + paragraph[cut:]).startswith(piece)
                ]
                assert len(found) == 1, paragraph[cut : cut + 20]
                number, piece = found[0]
                assert number > last
                last = number
                cut += len(piece) - len(lead)
                breaks += cut < len(paragraph)
    assert breaks >= 10


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_difficulties_of_a_real_one(page: str) -> None:
    articles = gold(page)
    assert sum(article["title"] is None for article in articles) == 1
    assert any(article["doubled"] for article in articles)
    assert any(article["soft_breaks"] for article in articles)
    for article in articles:
        for at, cut in article["soft_breaks"]:
            assert article["paragraphs"][at][cut - 1] in "。！？；”"
        for author in article["authors"]:
            assert author in article["byline"]
        for affiliation in article["affiliations"]:
            assert affiliation in article["affiliation_line"]
    pieces = page_pieces(page)
    late = [
        article
        for article in articles
        if article["title"]
        and article["byline"]
        and pieces.index(article["title"]) > pieces.index(article["byline"]) + 1
    ]
    assert late, "one title stands after the start of its body"


def test_the_questions_are_many_and_their_ids_unique() -> None:
    asked = questions()
    assert len(asked) >= 120
    assert len({question["id"] for question in asked}) == len(asked)
    assert len({question["question"] for question in asked}) == len(asked)
    assert {question["type"] for question in asked} == TYPES
    assert {question["language"] for question in asked} == LANGUAGES
    silent = sum(question["type"] == "unanswerable" for question in asked)
    assert 0.2 <= silent / len(asked) <= 0.3


def test_every_quote_is_verbatim_in_its_paragraph() -> None:
    for question in questions():
        for evidence in question["evidence"]:
            paragraph = paragraphs_of(evidence["article"])[evidence["paragraph"]]
            assert evidence["quote"] in paragraph, question["id"]


def test_a_question_names_the_articles_of_its_evidence() -> None:
    for question in questions():
        named = question["article"]
        evidence = {evidence["article"] for evidence in question["evidence"]}
        assert ({named} if isinstance(named, str) else set(named)) == evidence, question["id"]
        if question["type"] == "unanswerable":
            assert (question["answers"], evidence) == ([], set()), question["id"]
            assert question["note"], question["id"]
        else:
            assert question["answers"], question["id"]
            assert evidence, question["id"]
        if question["type"] == "multi_article":
            assert len(evidence) >= 2, question["id"]


def test_a_right_answer_by_quotation_is_accepted() -> None:
    for case in load_cases(QUESTIONS).cases:
        if not case.answerable:
            continue
        stands = [paragraphs_of(proof.article)[proof.paragraph] for proof in case.evidence]
        heads = [_head(head.article) for head in case.heads]
        assert accepted(case, "\n".join(stands + heads)), case.id


def _head(article: str) -> str:
    page, _, number = article.partition(":")
    if number:
        entry = gold(page)[int(number) - 1]
        return " ".join([entry["title"] or "", *entry["authors"], *entry["affiliations"]])
    path = next(path for path in SINGLE if path.stem == article)
    return " ".join(str(value) for value in metadata(path).values())


def test_what_must_be_included_stands_in_the_evidence_or_the_heads() -> None:
    for question in questions():
        if "must_include_variants" not in question or question.get("meta_evidence"):
            continue
        quotes = squash("".join(evidence["quote"] for evidence in question["evidence"]))
        firsts = [variants[0] for variants in question["must_include_variants"]]
        assert firsts == question["must_include"], question["id"]
        if question["type"] in {"list", "factoid"} and question["language"] != "en":
            for variants in question["must_include_variants"]:
                assert any(squash(variant) in quotes for variant in variants), question["id"]


def test_evidence_at_a_joint_is_marked() -> None:
    for question in questions():
        marks = question.get("joint_at", {})
        assert question["joint"] == bool(marks), question["id"]
        for between, how in marks.items():
            before, after = map(int, between.split("+"))
            assert before < after
            sides = _sides(question, before)
            if how == "spans":
                assert "across" in sides, question["id"]
            elif how == "both_sides":
                assert sides == {"before", "after"}, question["id"]
            else:
                assert (how, sides) == ("after_joint", {"after"}), question["id"]


def _sides(question: dict[str, Any], before: int) -> set[str]:
    """On which side of the joint after piece `before` of its page each quote stands."""
    sides = set()
    for evidence in question["evidence"]:
        page, _, number = evidence["article"].partition(":")
        paragraph = paragraphs_of(evidence["article"])[evidence["paragraph"]]
        piece = page_pieces(page)[before] if number else ""
        if not piece or piece not in paragraph:
            continue
        cut = paragraph.index(piece) + len(piece)
        start = paragraph.index(evidence["quote"])
        end = start + len(evidence["quote"])
        sides.add("before" if end <= cut else "after" if start >= cut else "across")
    return sides
