"""Pages, single articles and several articles come out whole."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from eval.make_pages import Recipe, make_page
from eval.page_scores import contract, joints, score, shares
from eval.stories import Story
from rag.pages import articles, explain
from rag.readers import read_bytes, read_path
from rag.types import BlockKind, Document

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the measuring data is not here")


def read(text: str, name: str = "file.txt") -> Document:
    return read_bytes(name, text.encode("utf-8"))


PAGE = """民生论坛

让老小区住得更舒心

□张三 李四

老旧小区改造是城市更新的重点，也是一项民生工程。要坚持先民生后发展，把群众的急难愁盼放在心上。

改造不能只刷墙。一要补齐养老、托育、助餐等设施短板，让居民在家门口就能办成事。二要完善社区服

□王五

长江禁渔三年来，沿江各地水生生物资源逐步恢复，江豚频频现身，退捕渔民的生活也有了新的着落。

务网络，引入物业企业，建立居民自治机制，让改造后的小区有人管、管得好。三要用好专项资金，严把工程质量

量关，不让好事办砸。

（作者单位：山城大学）

十年禁渔守住一江碧水

护好长江，还要织密监管网络。各地建起雷达、视频和无人机组成的巡护系统，非法捕捞的空间越来越小，渔政执法的效

率明显提高。

（作者系江湾研究院研究员）
"""


def test_a_broken_page_comes_out_whole() -> None:
    found = contract(articles(read(PAGE)))["articles"]
    assert found == [
        {
            "title": "让老小区住得更舒心",
            "authors": ["张三", "李四"],
            "affiliations": ["山城大学"],
            "paragraphs": [
                "老旧小区改造是城市更新的重点，也是一项民生工程。要坚持先民生后发展，把群众的急难愁盼放在心上。",
                "改造不能只刷墙。一要补齐养老、托育、助餐等设施短板，让居民在家门口就能办成事。"
                "二要完善社区服务网络，引入物业企业，建立居民自治机制，让改造后的小区有人管、管得好。"
                "三要用好专项资金，严把工程质量关，不让好事办砸。",
            ],
        },
        {
            "title": "十年禁渔守住一江碧水",
            "authors": ["王五"],
            "affiliations": ["江湾研究院"],
            "paragraphs": [
                "长江禁渔三年来，沿江各地水生生物资源逐步恢复，江豚频频现身，退捕渔民的生活也有了新的着落。",
                "护好长江，还要织密监管网络。各地建起雷达、视频和无人机组成的巡护系统，"
                "非法捕捞的空间越来越小，渔政执法的效率明显提高。",
            ],
        },
    ]


def test_a_doubled_character_is_dropped_and_recorded() -> None:
    source = read(PAGE)
    dropped = [j for a in articles(source) for b in a.blocks for j in b.joints if j.dropped]
    assert [j.dropped for j in dropped] == ["量"]
    place = dropped[0].dropped_at
    assert place is not None
    assert source.text[place.start : place.start + 2] == "量关"


def test_joints_tell_why() -> None:
    report = explain(read(PAGE))
    assert report.kind == "page"
    joined = [j for j in report.joints if j.joined]
    assert [(j.before[-2:], j.after[:2]) for j in joined] == [
        ("区服", "务网"),
        ("质量", "量关"),
        ("的效", "率明"),
    ]
    assert all(j.reasons and 0 < j.confidence < 1 for j in joined)
    assert all(dict(j.evidence) for j in joined)


def test_the_slogan_is_the_section_and_is_kept() -> None:
    found = articles(read(PAGE))
    assert {a.section for a in found if a.paragraphs} == {"民生论坛"}
    assert [b.kind for b in found[-1].blocks] == [BlockKind.UNPLACED]
    assert found[-1].text == "民生论坛"


def test_front_matter_holds_for_every_article_of_a_page() -> None:
    head = "---\nsource: 山城日报\ndate: 2024-05-20\npage: 第7版\n---\n\n"
    found = articles(read(head + PAGE))
    assert {(a.source, a.published, a.page) for a in found if a.paragraphs} == {
        ("山城日报", "2024-05-20", "第7版")
    }


def test_a_running_head_dates_every_article() -> None:
    found = articles(read("山城日报 2024年5月20日 星期一 第5版\n\n" + PAGE))
    assert {(a.source, a.published, a.page) for a in found if a.paragraphs} == {
        ("山城日报", "2024-05-20", "第5版")
    }


def test_a_single_article_is_left_as_it_is() -> None:
    text = (
        "长江索道\n\n2024年5月20日 来源：山城日报\n\n张三\n\n第一段说的是历史。\n\n"
        "清单如下：\n\n第二段没有句号\n\n（作者单位：山城大学）"
    )
    (found,) = articles(read(text))
    assert (found.title, found.authors, found.affiliations) == (
        "长江索道",
        ("张三",),
        ("山城大学",),
    )
    assert found.published == "2024-05-20"
    assert [b.span.of(found.text) for b in found.paragraphs] == [
        "第一段说的是历史。",
        "清单如下：",
        "第二段没有句号",
    ]
    assert not any(b.joints for b in found.blocks)


def test_front_matter_wins_for_a_single_article() -> None:
    text = "---\ntitle: 新题\nauthors: [赵六]\nurl: https://example.org/1\n---\n\n旧题\n\n□张三\n\n正文在此。"
    (found,) = articles(read(text))
    assert (found.title, found.authors, found.url) == ("新题", ("赵六",), "https://example.org/1")
    assert found.text.startswith("旧题")  # nothing of the file is lost


def test_several_articles_in_one_file() -> None:
    text = "\n\n".join(
        f"第{n}篇文章的题目\n\n□张{n}\n\n这是第{n}篇的第一段，说明情况。\n\n这是第{n}篇的第二段，提出办法。"
        for n in "一二三"
    )
    found = articles(read(text))
    assert explain(read(text)).kind == "articles"
    assert [(a.title, a.authors, len(a.paragraphs)) for a in found] == [
        (f"第{n}篇文章的题目", (f"张{n}",), 2) for n in "一二三"
    ]


def test_rules_part_articles() -> None:
    text = "甲地新闻一则\n\n甲地下了雨。\n\n-----\n\n乙地新闻一则\n\n乙地出了太阳。"
    found = [a for a in articles(read(text)) if a.paragraphs]
    assert [(a.title, len(a.paragraphs)) for a in found] == [
        ("甲地新闻一则", 1),
        ("乙地新闻一则", 1),
    ]


def test_news_items_without_bylines_on_one_page() -> None:
    text = (
        "轨道交通延长线开通\n\n本报讯（记者 张三）昨天，轨道交通延长线开通运营，全长十二公里。\n\n"
        "菜市场改造完成\n\n本报讯（记者 李四）昨天，城东菜市场改造完成，摊位增加到八十个。"
    )
    found = articles(read(text))
    assert [(a.title, a.authors) for a in found] == [
        ("轨道交通延长线开通", ("张三",)),
        ("菜市场改造完成", ("李四",)),
    ]


def test_kind_can_be_said() -> None:
    assert len(articles(read(PAGE), kind="article")) == 1
    assert len(articles(read("---\nkind: article\n---\n\n" + PAGE))) == 1
    with pytest.raises(ValueError, match="page, article, articles"):
        articles(read(PAGE), kind="book")


def test_captions_and_turn_lines_are_kept_out_of_paragraphs() -> None:
    page = PAGE.replace("务网络，", "务网络，").replace(
        "量关，不让好事办砸。", "量关，不让好事办砸。（下转第三版）\n\n图为改造后的小区。王五 摄"
    )
    first = articles(read(page))[0]
    kinds = [b.kind for b in first.blocks]
    assert BlockKind.CAPTION in kinds
    assert [b.span.of(first.text) for b in first.blocks if b.kind is BlockKind.UNPLACED] == [
        "（下转第三版）"
    ]
    assert first.paragraphs[-1].span.of(first.text).endswith("不让好事办砸。")


def test_english_text_is_joined_with_a_blank() -> None:
    page = (
        "Rail Freight Grows Again\n\nBy Jane Doe\n\nThe number of trains between the two cities"
        " grew by a tenth last year, and the railway\n\nBy John Roe\n\nFarmers in the valley have"
        " planted more citrus trees than ever before, officials said.\n\ncompany expects it to grow"
        " again. New wagons are being built.\n"
    )
    found = articles(read(page), kind="page")
    texts = [b.span.of(a.text) for a in found for b in a.paragraphs]
    assert any("railway company expects" in text for text in texts)
    assert [a.language for a in found] == ["en", "en"]


def test_ids_depend_on_what_is_said_and_not_on_the_place() -> None:
    one = articles(read("题目在此\n\n正文在此。", "a.txt"))[0]
    same = articles(read("题目在此\n\n正文在此。", "b.txt"))[0]
    other = articles(read("题目在此\n\n正文在此！", "a.txt"))[0]
    assert one.id == same.id != other.id
    assert len(one.id) == 16


@needs_data
def test_the_real_page_is_put_right() -> None:
    folder = SHARED / "chongqing"
    truth = json.loads((folder / "articles.json").read_text(encoding="utf-8"))
    found = contract(articles(read_path(folder / "page.txt")))["articles"]
    keys = ("title", "authors", "affiliations", "paragraphs")
    assert found == [{key: article[key] for key in keys} for article in truth]


@needs_data
@pytest.mark.slow
def test_made_pages_of_other_texts() -> None:
    total: dict[str, Any] = score({"articles": []}, {"articles": []})
    for path in sorted((SHARED / "pages").glob("*.json")):
        gold = json.loads(path.read_text(encoding="utf-8"))
        system = contract(articles(read_path(path.with_suffix(".txt"))))
        total.update(score(gold, system))
    total.update(pages=1)
    result = shares(total)
    assert result["paragraph_f1"] >= 0.97
    assert result["attribution"] >= 0.98
    assert result["titles"] >= 0.95
    assert result["authors"] == 1.0


def test_an_uncut_made_page_is_read_without_a_fault() -> None:
    stories = [
        Story("城东建起新书店", ("书店开在老街上，一层卖书，二层喝茶。", "读者从早到晚不断。")),
        Story("江边修好步道", ("步道全长八公里，沿江而行。", "傍晚散步的人很多。")),
    ]
    recipe = Recipe(interleave=0, cut=0, late_title=0, no_title=0, furniture=0, heading=0, note=0)
    text, gold = make_page(stories, random.Random(3), recipe)  # noqa: S311 - a page, no secret
    source = read(text)
    found = articles(source, kind="page")
    counts = score(gold, contract(found))
    assert counts["hit"] == counts["true"] == counts["found"] == 4
    assert counts["titles"] == counts["authors"] == 2
    assert joints(source, found, gold)["followed"] == 4


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(["的一是在不了有和人这中大为上个国我以要他" * 2] * 10_000),
        "\n\n".join(["□张三"] * 3_000),
        "（" * 300_000,
        "\n\n".join(["“" * 300] * 400),
    ],
    ids=["no punctuation", "only bylines", "only brackets", "only quotes"],
)
def test_hostile_files_end_in_bounded_time(text: str) -> None:
    pieces = []
    at = 0
    for piece in text.split("\n\n"):
        pieces.append(piece)
        at += len(piece) + 2
    begun = time.process_time()
    articles(read(text), kind="page")
    assert time.process_time() - begun < 20
