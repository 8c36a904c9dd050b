"""Retrieval: filters against brute force, both languages in one archive, translations."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from index.tokens import Tokenizer
from rag.retrieve import _evened
from rag.terms import plain, translated
from rag.types import Filters

TOKENS = Tokenizer().query_tokens
DATES = ["2023", "2023-11", "2024-01-05", "2024-02", "2024-02-28", "2024-05-20", None]


@pytest.fixture
def archive(pipeline, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(40):
        day = DATES[n % len(DATES)]
        head = [f"title: 第{n}号消息", f"authors: 记者{n % 3}", f"source: 报纸{n % 4}"]
        head += [f"date: {day}"] if day else []
        body = f"城市第{n}个项目开工，投资{n * 7}万元。\n\n居民说项目{n % 5}很重要。"
        if n % 5 == 0:
            body = (
                f"Project {n} of the city begins, at a cost of {n * 7} million.\n\nResidents agree."
            )
            head[0] = f"title: Report {n}"
        text = "---\n" + "\n".join(head) + f"\n---\n\n{body}\n"
        (folder / f"{n:02d}.md").write_text(text, encoding="utf-8")
    pipeline.add([folder])
    return pipeline


def last_day(written):
    return {4: f"{written}-12-31", 7: f"{written}-31", 10: written}[len(written)]


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(authors=("记者1",)), lambda a: "记者1" in a.authors),
        (Filters(sources=("报纸2", "报纸3")), lambda a: a.source in ("报纸2", "报纸3")),
        (Filters(languages=("en",)), lambda a: a.language == "en"),
        (Filters(languages=("zh",)), lambda a: a.language == "zh"),
        (
            Filters(date_from="2024-01-05", sources=("报纸1",)),
            lambda a: bool(a.published and a.published >= "2024-01-05") and a.source == "报纸1",
        ),
        *(
            (
                Filters(as_of=day),
                lambda a, day=day: bool(a.published) and last_day(a.published) <= last_day(day),
            )
            for day in ("2023", "2023-12-30", "2024-02-28", "2024-02", "2024-05-20", "2022-01-01")
        ),
    ],
)
def test_a_filtered_search_finds_what_brute_force_finds(archive, filters, passes):
    articles, _ = archive.corpus.listing(limit=1000)
    wanted = {a.id for a in articles if passes(a)}
    found = archive.search("城市的项目 project city", top_k=50, filters=filters)
    passages = {p.id for key in wanted for p in archive.corpus.passages_of(key)}
    assert {e.passage.id for e in found} <= passages
    # Of every passage that may be found the best fifty are there: none is lost to the filter.
    assert len(found) == min(50, len(passages))


def test_as_of_keeps_the_ranking_of_what_had_been_published(archive):
    day = date(2024, 2, 29).isoformat()
    articles, _ = archive.corpus.listing(limit=1000)
    known = tuple(a.id for a in articles if a.published and last_day(a.published) <= day)
    by_date = archive.search("第3个项目投资", filters=Filters(as_of=day))
    by_id = archive.search("第3个项目投资", filters=Filters(article_ids=known))
    assert [e.passage.id for e in by_date] == [e.passage.id for e in by_id]
    assert [e.score for e in by_date] == [e.score for e in by_id]


def test_each_language_is_among_the_candidates_of_a_mixed_archive(archive):
    for question in ("第10个项目花了多少钱？", "What did project 10 cost?"):
        assert {e.article.language for e in archive.search(question, top_k=50)} == {"zh", "en"}


def test_a_translation_finds_the_other_languages_paragraph(pipeline, tmp_path):
    file = tmp_path / "a.md"
    body = "湖边的实验室今年开工。\n\n大桥通车以后，居民过江只要五分钟。\n\n学校九月开学。"
    file.write_text(f"---\ntitle: 消息\n---\n\n{body}\n", encoding="utf-8")
    pipeline.add([file])
    found = pipeline.search("When does the school open?")
    assert found[0].passage.text == "学校九月开学。"
    assert found[0].signals["lexical"] > 0


def test_terms_hold_the_words_and_their_translations():
    assert plain("实验室的项目", TOKENS)[0] == {"实验": 1.0} or {"实验室": 1.0} in plain(
        "实验室的项目", TOKENS
    )
    [*_, term] = [t for t in translated("laboratory", "en", TOKENS) if "laboratory" in t]
    assert term["实验室"] == 1.0
    chinese = next(t for t in translated("实验室", "zh", TOKENS) if "实验室" in t)
    assert chinese["laboratory"] == 1.0
    numbers = translated("2024年的17个", "zh", TOKENS)
    assert any(t.get("2024") == 1.0 for t in numbers)
    assert all(0 < weight <= 1 for t in numbers for weight in t.values())


def test_languages_are_evened_by_their_best_and_one_chance_hit_little():
    scores = np.array([0.5] * 10 + [0.2] * 10 + [0.0], np.float32)
    languages = ["zh"] * 10 + ["en"] * 10 + ["fr"]
    out = _evened(scores, languages)
    assert out[:10] == pytest.approx(0.5)
    assert out[10:20] == pytest.approx(0.5)
    assert out[20] == pytest.approx(0.05)
    assert _evened(scores[:10], languages[:10]) == pytest.approx(0.5)
