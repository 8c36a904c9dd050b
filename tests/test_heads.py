"""Bylines, affiliations, page furniture and titles, each judged from one line."""

from __future__ import annotations

import pytest

from rag.furniture import (
    is_caption,
    is_editors_note,
    is_turn_line,
    iso_date,
    parse_page_header,
    title_score,
)
from rag.heads import inline_authors, parse_affiliation, parse_byline


@pytest.mark.parametrize(
    ("line", "authors"),
    [
        ("□邹霞 吴希", ("邹霞", "吴希")),
        ("■ 何红、董思梅", ("何红", "董思梅")),
        ("◎欧阳修", ("欧阳修",)),
        ("□张 三 李 四", ("张三", "李四")),
        ("本报记者 张三 通讯员 李四", ("张三", "李四")),
        ("新华社记者 王五", ("王五",)),
        ("记者 买买提·艾力", ("买买提·艾力",)),
        ("（记者 张三）", ("张三",)),
        ("文/张三 图/李四", ("张三",)),
        ("文/图 张三", ("张三",)),
        ("作者：宋秀志 潘怡梓", ("宋秀志", "潘怡梓")),
        ("张三 李四", ("张三", "李四")),
        ("张三和李四", ("张三", "李四")),
        ("本报评论员", ("本报评论员",)),
        ("By Jane Doe and John Roe, Staff Writers", ("Jane Doe", "John Roe")),
        ("By LI WEI in Beijing", ("Li Wei",)),
    ],
)
def test_bylines_name_their_authors(line: str, authors: tuple[str, ...]) -> None:
    byline = parse_byline(line)
    assert byline is not None
    assert byline.authors == authors


@pytest.mark.parametrize(
    "line",
    [
        "",
        "高质量发展",
        "国家 人民",
        "本报讯",
        "By the end of the year",
        "重庆日报记者 周尤 摄",
        "新征程·新答卷",
        "□高质量发展是新时代的硬道理，也是首要任务。",
        "记者从市水利局获悉，今年汛期来得早",
        "□" * 40,
    ],
)
def test_other_lines_are_no_bylines(line: str) -> None:
    assert parse_byline(line) is None


def test_bare_names_are_not_sure() -> None:
    byline = parse_byline("张三 李四")
    assert byline is not None
    assert not byline.sure


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("(作者单位：重庆理工大学，本文为重庆市教委人文社科研究项目成果)", ("重庆理工大学",)),
        ("(作者单位分别为甲学院、广州大学，本文为项目成果)", ("甲学院", "广州大学")),
        ("（作者系重庆大学教授）", ("重庆大学",)),
        ("（作者分别系重庆大学教授、西南大学副教授）", ("重庆大学", "西南大学")),
        ("(作者为市委党校教授、博士生导师)", ("市委党校",)),
        ("作者单位：重庆工商大学", ("重庆工商大学",)),
        ("(The author is a professor at Chongqing University.)", ("Chongqing University",)),
    ],
)
def test_affiliations_name_the_places(line: str, places: tuple[str, ...]) -> None:
    found = parse_affiliation(line)
    assert found is not None
    assert found.places == places


def test_the_same_place_twice_stays_twice() -> None:
    found = parse_affiliation("（作者单位分别为天府研究院、天府研究院）")
    assert found is not None
    assert found.places == ("天府研究院", "天府研究院")


def test_an_affiliation_may_name_the_authors() -> None:
    found = parse_affiliation("（张三系重庆大学教授，李四系西南政法大学讲师）")
    assert found is not None
    assert (found.authors, found.places) == (("张三", "李四"), ("重庆大学", "西南政法大学"))


@pytest.mark.parametrize(
    "line", ["（来源：新华社）", "（完）", "(2024年5月20日)", "作者的观点很新"]
)
def test_other_brackets_are_no_affiliations(line: str) -> None:
    assert parse_affiliation(line) is None


def test_a_running_head_gives_paper_date_and_page() -> None:
    header = parse_page_header("重庆日报 2024年5月20日 星期一 第5版")
    assert header is not None
    assert (header.source, header.published, header.page) == ("重庆日报", "2024-05-20", "第5版")


def test_an_imprint_is_furniture_and_a_sentence_is_not() -> None:
    assert parse_page_header("责任编辑：张三 美编：李四") is not None
    assert parse_page_header("人民日报发表评论") is None
    assert parse_page_header("2024年5月20日，重庆日报第5版刊登了这篇文章。") is None


@pytest.mark.parametrize(
    "line", ["（下转第三版）", "上接第一版", "下转3版 >", "Continued on page 4"]
)
def test_turn_lines(line: str) -> None:
    assert is_turn_line(line)


def test_a_sentence_about_turning_is_no_turn_line() -> None:
    assert not is_turn_line("上接天线，下接地气，这是好作风的模样。")


def test_captions() -> None:
    assert is_caption("图为工人在作业。重庆日报记者 张三 摄")
    assert is_caption("▲题图：长江索道")
    assert not is_caption("图书馆里坐满了读者。")


def test_editors_notes_say_so() -> None:
    assert is_editors_note("【编者按】党的二十大以来……")
    assert not is_editors_note("编者说过的话")


def test_titles_score_higher_than_pieces_of_text() -> None:
    titles = ["推进老旧小区改造要坚持“民生为大”", "西安，成功入选!", "Ten Years of Rail Freight"]
    pieces = [
        "的文艺节目，为广大市民送上一场催人奋进",
        "，双方约定第二天来取车时付款。",
        "有村民接受记者采访时感叹道：“现在的生活条件越",
        "市民和田里的稻草人合影。音乐会落幕",
    ]
    assert min(map(title_score, titles)) > 0.8
    assert max(map(title_score, pieces)) <= 0.5


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024年5月20日 星期一", "2024-05-20"),
        ("发布时间：2023-08-16 18:24", "2023-08-16"),
        ("2024年5月", "2024-05"),
        ("2024年13月1日", None),
        ("没有日期", None),
    ],
)
def test_dates(text: str, date: str | None) -> None:
    assert iso_date(text) == date


def test_authors_named_inside_the_text() -> None:
    assert inline_authors("本报讯（记者 张三 通讯员 李四）昨天，……", "完。") == ("张三", "李四")
    assert inline_authors("昨天，会议召开。", "效果良好。（记者王五）") == ("王五",)
    assert inline_authors("会议（全称某某会议）召开。", "效果良好。") == ()
