"""Near-identical articles are found when they are added and folded when they are found."""

from __future__ import annotations

import numpy as np

from rag.reprints import Reprints, signature
from rag.types import Article, Block, BlockKind, Span

BODY = (
    "重庆加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室，吸引了一批科研人员前来工作。"
    "记者昨日从市科技局获悉，今年以来新增市级技术创新中心十七个，比去年同期多三个，"
    "其中两江新区占了将近一半，涉及智能汽车、新材料和生物医药等多个领域。"
)
OTHER = (
    "老旧小区改造先改水电气管网，再改楼道和外墙，居民议事会决定先加装电梯还是先修停车场。"
    "社区干部说，改造方案公示了三次，共收到意见一百二十条，大多数已经写进了最后的图纸里。"
)


def markdown(title, source, body):
    return f"---\ntitle: {title}\nsource: {source}\ndate: 2024-05-20\n---\n\n{body}\n"


def added(pipeline, tmp_path, **files):
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return {r.uri.rsplit("/", 1)[-1]: r.articles[0] for r in pipeline.add([folder])}


def test_a_reprint_is_listed_with_its_paper_and_shown_once(pipeline, tmp_path):
    ids = added(
        pipeline,
        tmp_path,
        a=markdown("四大实验室", "重庆日报", BODY),
        b=markdown("重庆布局实验室", "山城晚报", "本报讯 " + BODY),
        c=markdown("老旧小区", "山城晚报", OTHER),
    )
    found = pipeline.search("四大实验室新增多少技术创新中心")
    assert len(found) == 2
    assert [e.rank for e in found] == [1, 2]
    first = found[0]
    [reprint] = first.reprints
    assert {first.article.id, reprint.article_id} == {ids["a.md"], ids["b.md"]}
    assert {first.article.source, reprint.source} == {"重庆日报", "山城晚报"}
    assert found[1].article.id == ids["c.md"]
    assert found[1].reprints == ()


def test_a_deleted_reprint_is_listed_no_more(pipeline, tmp_path):
    ids = added(
        pipeline,
        tmp_path,
        a=markdown("四大实验室", "重庆日报", BODY),
        b=markdown("重庆布局实验室", "山城晚报", BODY),
    )
    assert len(set(pipeline.reprints.families(list(ids.values())).values())) == 1
    pipeline.delete(ids["b.md"])
    assert pipeline.reprints.families(list(ids.values())) == {}
    [only] = pipeline.search("四大实验室")
    assert (only.article.id, only.reprints) == (ids["a.md"], ())


def test_a_family_outlives_the_article_that_it_is_named_after(pipeline, tmp_path):
    ids = added(
        pipeline,
        tmp_path,
        a=markdown("四大实验室", "重庆日报", BODY),
        b=markdown("重庆布局实验室", "山城晚报", BODY),
        c=markdown("实验室布局", "巴渝晨报", BODY),
    )
    (first,) = set(pipeline.reprints.families(list(ids.values())).values())
    pipeline.delete(first)
    left = sorted(set(ids.values()) - {first})
    assert pipeline.reprints.families(list(ids.values())) == dict.fromkeys(left, left[0])
    assert pipeline.reprints.check(pipeline.corpus) == []


def test_a_lost_file_is_made_again(pipeline, tmp_path):
    ids = added(
        pipeline,
        tmp_path,
        a=markdown("四大实验室", "重庆日报", BODY),
        b=markdown("重庆布局实验室", "山城晚报", BODY),
    )
    before = pipeline.reprints.families(list(ids.values()))
    again = Reprints(tmp_path / "again.sqlite")
    assert again.sync(pipeline.corpus) == 2
    assert again.families(list(ids.values())) == before
    assert again.sync(pipeline.corpus) == 0


def article(text):
    return Article("0" * 16, text, (Block(BlockKind.BODY, Span(0, len(text))),))


def test_signatures_estimate_the_resemblance():
    one, other = signature(article(BODY)), signature(article(OTHER))
    cut = signature(article(BODY + OTHER[:20]))
    assert float(np.mean(one == other)) < 0.1
    assert 0.7 < float(np.mean(one == cut)) < 1
    assert signature(article("会议通知")) is None


def test_script_width_and_marks_do_not_matter():
    written = BODY.replace("，", ", ").replace("实验室", "實驗室")
    assert np.array_equal(signature(article(BODY)), signature(article(written)))
