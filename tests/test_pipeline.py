import hashlib

import pytest
from fakes import HashingEncoder

from index.lock import WriterLock
from rag.errors import ArchiveBusy, BadQuestion, ModelMismatch, NotFound
from rag.stores import LOCK
from rag.types import Filters

LAB = """---
title: 四大实验室加快布局
authors: 邹霞、吴希
date: 2024-05-20
source: 文据样报
---

重庆加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室。

两江新区新增市级技术创新中心十七个，比去年多三个。
"""
OLD_TOWN = """---
title: 老旧小区怎么改
authors: 陈艳丽
date: 2023-01-02
source: 山城晚报
---

老旧小区改造先改水电气管网，再改楼道和外墙。

居民议事会决定先加装电梯还是先修停车场。
"""


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "lab.md").write_text(LAB, encoding="utf-8")
    (folder / "old.md").write_text(OLD_TOWN, encoding="utf-8")
    return folder


def titles(evidence):
    return [e.article.title for e in evidence]


def test_an_added_article_is_found_and_cited(pipeline, files):
    reports = pipeline.add([files])
    assert [(r.outcome, len(r.articles), r.passages) for r in reports] == [("added", 1, 2)] * 2
    answer = pipeline.ask("重庆布局建设哪四大实验室？")
    assert answer.status == "answered"
    assert "金凤、明月湖、广阳湾、嘉陵江" in answer.text
    cited = answer.citations[0]
    assert cited.article.authors == ("邹霞", "吴希")
    assert cited.paragraph == 0
    assert cited.article.text[cited.span.start : cited.span.end] == cited.quote
    assert answer.text[cited.start : cited.end] == cited.text
    assert LAB[slice(cited.source_spans[0].start, cited.source_spans[0].end)] in cited.quote


def test_the_receipt_names_what_was_read(pipeline, files):
    pipeline.add([files])
    answer = pipeline.ask("老旧小区改造先改什么？")
    best = answer.evidence[0].passage
    assert answer.receipt["model"] == pipeline.encoder().fingerprint
    assert answer.receipt["generation"] == pipeline.snapshot().generation
    assert answer.receipt["passages"][best.id] == hashlib.sha256(best.text.encode()).hexdigest()
    assert answer.coverage.searched_passages == 4
    assert (answer.coverage.earliest, answer.coverage.latest) == ("2023-01-02", "2024-05-20")


def test_adding_again_encodes_nothing(make_pipeline, files):
    make_pipeline().add([files])
    encoder = HashingEncoder()
    again = make_pipeline(encoder=encoder)
    assert [r.outcome for r in again.add([files])] == ["unchanged"] * 2
    assert encoder.encoded == []


def test_a_changed_file_replaces_its_article(pipeline, files):
    pipeline.add([files])
    (files / "lab.md").write_text(LAB.replace("金凤、明月湖", "缙云山、明月湖"), encoding="utf-8")
    assert [r.outcome for r in pipeline.add([files])] == ["replaced", "unchanged"]
    texts = [e.passage.text for e in pipeline.search("金凤实验室在哪里布局？")]
    assert len(texts) == 4
    assert not any("金凤" in t for t in texts)


def test_a_deleted_article_is_gone_everywhere_and_stays_gone(make_pipeline, files):
    pipeline = make_pipeline()
    reports = pipeline.add([files])
    gone = reports[1].articles[0]
    pipeline.delete(gone)
    assert titles(pipeline.search("老旧小区")) == ["四大实验室加快布局"] * 2
    assert gone not in pipeline.snapshot().groups()
    with pytest.raises(NotFound):
        pipeline.delete(gone)
    assert [r.outcome for r in pipeline.add([files])] == ["unchanged"] * 2
    assert gone not in make_pipeline().corpus.ids()
    restored = pipeline.add([files / "old.md"], restore=True)
    assert restored[0].articles == (gone,)
    assert "老旧小区怎么改" in titles(pipeline.search("老旧小区"))


def test_what_the_index_lost_is_mended_from_the_corpus(make_pipeline, files):
    import shutil

    pipeline = make_pipeline()
    pipeline.add([files])
    shutil.rmtree(pipeline.config.home / "index")
    again = make_pipeline(encoder=HashingEncoder())
    again.add([])
    assert titles(again.search("实验室"))[0] == "四大实验室加快布局"


def test_another_model_is_refused_with_what_to_do(make_pipeline, files):
    make_pipeline().add([files])
    other = make_pipeline(encoder=HashingEncoder(fingerprint="another"))
    for act in (lambda: other.search("实验室"), lambda: other.ask("实验室")):
        with pytest.raises(ModelMismatch, match="wenju doctor --repair"):
            act()
    (files / "new.md").write_text("一篇新的文章，讲轨道交通。\n", encoding="utf-8")
    with pytest.raises(ModelMismatch):
        other.add([files])
    other.rebuild()
    assert titles(other.search("四大实验室"))[0] == "四大实验室加快布局"


def test_filters_restrict_who_may_answer(pipeline, files):
    pipeline.add([files])
    only = Filters(sources=("山城晚报",))
    assert set(titles(pipeline.search("四大实验室", filters=only))) == {"老旧小区怎么改"}
    answer = pipeline.ask("老旧小区改造先改什么？", filters=only)
    assert answer.coverage.searched_passages == 2
    assert answer.coverage.latest == "2023-01-02"


@pytest.mark.parametrize("question", ["", "  \n ", "字" * 513])
def test_an_unusable_question_is_refused(pipeline, question):
    with pytest.raises(BadQuestion):
        pipeline.ask(question)
    with pytest.raises(BadQuestion):
        pipeline.search(question)


def test_an_empty_archive_has_no_evidence(pipeline):
    answer = pipeline.ask("重庆有几个实验室？")
    assert (answer.status, answer.citations, answer.evidence) == ("no_evidence", (), ())
    assert answer.text
    assert pipeline.search("重庆") == ()


def test_a_home_that_another_is_writing_to_is_busy(pipeline, files):
    with WriterLock(pipeline.config.home / LOCK), pytest.raises(ArchiveBusy, match="process"):
        pipeline.add([files])


def test_every_file_is_reported(pipeline, files):
    (files / "empty.txt").write_text("", encoding="utf-8")
    (files / "binary.txt").write_bytes(bytes(range(256)) * 10)
    (files / "film.mp4").write_bytes(b"\xff\xd8")
    reports = {r.uri.rsplit("/")[-1]: r for r in pipeline.add([files, files / "missing.txt"])}
    assert {name: r.outcome for name, r in reports.items()} == {
        "lab.md": "added", "old.md": "added", "empty.txt": "failed", "binary.txt": "failed",
        "film.mp4": "skipped", "missing.txt": "failed",
    }  # fmt: skip
    assert all(r.reason for r in reports.values() if r.outcome in ("failed", "skipped"))


def test_a_question_asked_again_is_not_encoded_again(make_pipeline, files):
    encoder = HashingEncoder()
    pipeline = make_pipeline(encoder=encoder)
    pipeline.add([files])
    first = pipeline.search("四大实验室是哪几个？")
    encoded = len(encoder.encoded)
    assert pipeline.search("四大实验室是哪几个？") == first
    pipeline.search("四大实验室是哪几个？", filters=Filters(authors=("陈艳丽",)))
    assert len(encoder.encoded) == encoded
    pipeline.search("老旧小区怎么改？")
    assert len(encoder.encoded) == encoded + 1


def test_a_search_reads_no_sentence_from_the_vector_file(make_pipeline, files):
    pipeline = make_pipeline()
    pipeline.add([files])
    before = pipeline.search("四大实验室是哪几个？")
    (pipeline.config.home / "vectors.sqlite").unlink()
    assert pipeline.search("四大实验室是哪几个？") == before


def test_many_additions_leave_few_segments_and_lose_nothing(make_pipeline, tmp_path):
    pipeline = make_pipeline()
    for n in range(12):
        path = tmp_path / f"{n}.md"
        path.write_text(f"---\ntitle: 第{n}号\n---\n\n第{n}个城市项目开工了。\n", encoding="utf-8")
        [report] = pipeline.add([path])
        assert report.outcome == "added"
    stats = pipeline.snapshot().stats()
    assert stats["groups"] == 12
    assert len(stats["segments"]) < 4
    assert not pipeline.tidy()
