"""Made-up bylines, affiliations, slogans and page furniture for made pages."""

from __future__ import annotations

import random

_FAMILY = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹彭曾肖田董潘袁蔡蒋余"
    "杜叶程魏苏吕丁沈任姚卢傅钟姜崔谭廖范汪陆金"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂文辉玲飞鑫波斌宇浩凯健俊帆帅旭宁龙林"
    "瑞雪晨欣怡佳思雨子轩梓涵志国建春海红梅兰"
)
_TOWN = "山城江湾云溪石桥南湖东岭北川西平龙泉青浦白沙松岗柳河安宁乐康"
_HOUSE = (
    "大学",
    "师范大学",
    "理工学院",
    "社会科学院",
    "日报社",
    "研究院",
    "行政学院",
    "委党校",
    "职业技术学院",
)
_FACULTY = ("", "", "经济学院", "法学院", "新闻学院", "公共管理学院", "马克思主义学院")
_SLOGANS = (
    "学习贯彻{}精神", "{}周刊", "{}观察", "{}论坛", "新征程·新{}", "热点·{}",
    "深入推进{}建设", "{}进行时", "{}一线", "{}大家谈", "聚焦{}", "{}",
    "今日{}", "{}之窗", "奋进新时代 谱写{}新篇章",
)  # fmt: skip
_SUBJECTS = (
    "理论", "民生", "思想", "改革", "文化", "法治",
    "乡村", "科技", "城市", "教育", "全会", "智库",
    "时评", "经济", "生态",
)  # fmt: skip
_REMARKS = ("", "", "，本文为市社科规划项目成果", "，本文系省教育厅研究项目阶段性成果")


def name(rng: random.Random) -> str:
    """A Chinese name of two or three characters."""
    return rng.choice(_FAMILY) + "".join(rng.choices(_GIVEN, k=rng.choice((1, 2, 2))))


def byline_line(rng: random.Random) -> tuple[list[str], str]:
    """Authors and the line that names them."""
    authors = list(dict.fromkeys(name(rng) for _ in range(rng.choice((1, 1, 2, 2, 3)))))
    joined = rng.choice((" ", " ", "、")).join(authors)
    form = rng.choice(
        ("□{}", "□{}", "■{}", "◎{}", "● {}", "本报记者 {}", "记者 {}", "文/{}", "作者：{}",
         "本报通讯员 {}", "（记者 {}）", "文 | {}")
    )  # fmt: skip
    return authors, form.format(joined)


def affiliation_line(rng: random.Random) -> tuple[list[str], str]:
    """Institutions and the line that closes an article with them."""
    places = [
        "".join(rng.choices(_TOWN, k=2)) + rng.choice(_HOUSE) + rng.choice(_FACULTY)
        for _ in range(rng.choice((1, 1, 2)))
    ]
    link = rng.choice(("作者单位：", "作者单位:", "作者系", "作者为"))
    if len(places) > 1 and rng.random() < 0.4:
        link = rng.choice(("作者单位分别为", "作者分别系"))
    left, right = rng.choice(("（）", "()"))
    return places, f"{left}{link}{'、'.join(places)}{rng.choice(_REMARKS)}{right}"


def slogan(rng: random.Random) -> str:
    """A column's name or a slogan."""
    return rng.choice(_SLOGANS).format(rng.choice(_SUBJECTS))


def furniture_line(rng: random.Random) -> tuple[str, bool]:
    """A running head or an imprint, and whether it stands at the page's head."""
    day = f"2024年{rng.randint(1, 12)}月{rng.randint(1, 28)}日"
    town = "".join(rng.choices(_TOWN, k=2))
    if rng.random() < 0.5:
        return f"{town}日报 {day} 星期{rng.choice('一二三四五六日')} 第{rng.randint(1, 16)}版", True
    return f"责任编辑：{name(rng)} 美编：{name(rng)} 校对：{name(rng)}", False
