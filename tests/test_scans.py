"""Scans in the home: where a quote is printed, its cut, and what is kept no longer than it may."""

from __future__ import annotations

import io
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from api.app import create_app
from api.doctor import examine
from api.settings import Settings
from rag.backup import backup, restore
from rag.cuts import HIGHEST, WIDEST, cut
from rag.errors import NoScan, ScansDamaged
from rag.readers import pictures
from rag.readers.boxes import Box
from rag.readers.extract import Extract, Paragraph, document, from_json, to_json
from rag.types import Document, Picture, Place, Span

ROWS = ("今年前三季度全市新能源汽车产量", "达到二十三万辆，同比增长。", "零部件配套率升至六成。")
SURE = (0.97, 0.62, 0.93)


def picture(page: int = 1, size: tuple[int, int] = (400, 300)) -> Picture:
    """Black boxes where the lines stand, on white."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row in range(3):
        draw.rectangle((60, 50 + 40 * row, 200, 60 + 40 * row), fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90)
    return Picture(page, *size, buffer.getvalue())


def scanned(name: str = "scan.png", title: str = "产量", pictured: bool = True) -> Document:
    places = tuple(Place(1, 40, 40 + 40 * n, 220, 70 + 40 * n, sure) for n, sure in enumerate(SURE))
    paragraphs = (Paragraph(ROWS[:2], page=1, places=places[:2]),
                  Paragraph(ROWS[2:], page=1, places=places[2:]))  # fmt: skip
    shown = (picture(),) if pictured else ()
    extract = Extract(
        paragraphs, {"title": title, "kind": "article", "page": "第3版"}, "scan", pictures=shown
    )
    return document(name, from_json(to_json(extract)), name.encode().hex())


def held(pipeline, *documents: Document) -> list[str]:
    intake = pipeline.archive._intake(None, False, None)
    reports = [intake.put_file(d.uri, [d]) for d in documents]
    pipeline.sync()
    return [i for r in reports for i in r.articles]


def counts(pipeline) -> tuple[int, int]:
    with closing(sqlite3.connect(pipeline.scans.path)) as db:
        return tuple(
            db.execute(f"SELECT count(*) FROM {t}").fetchone()[0]  # noqa: S608 our own names
            for t in ("pages", "pictures")
        )  # type: ignore[return-value]


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    return image.convert("RGB")


def test_a_quote_tells_how_sure_its_lines_are(pipeline):
    (name,) = held(pipeline, scanned())
    article = pipeline.corpus.get(name)
    both, last = (p.span for p in article.paragraphs)
    lines = {span: pipeline.scans.printed(article, span).places for span in (both, last)}
    assert [place.sure for place in lines[both]] == [0.97, 0.62]
    assert [place.top for place in lines[last]] == [120]
    first = Span(both.start, both.start + 4)
    assert [p.sure for p in pipeline.scans.printed(article, first).places] == [0.97]
    said = {}
    for question in ("新能源汽车产量达到多少万辆？", "零部件配套率升至多少？"):
        for c in pipeline.ask(question).citations:
            said[c.quote] = (c.scan.confidence, c.scan.unsure)
    assert said[ROWS[0] + ROWS[1]] == (0.62, True)
    assert said[ROWS[2]] == (0.93, False)


def test_what_is_no_scan_says_nothing_of_one(pipeline, tmp_path):
    path = tmp_path / "a.md"
    path.write_text("---\ntitle: 甲\n---\n\n老旧小区改造先改水电气管网。\n")
    (report,) = pipeline.add([path])
    assert not pipeline.scans.path.exists()
    held(pipeline, scanned())
    (cited, *_) = pipeline.ask("老旧小区改造先改什么？").citations
    assert cited.scan is None
    article = pipeline.corpus.get(report.articles[0])
    with pytest.raises(NoScan):
        cut(pipeline.scans, article, Span(0, 3))


def test_the_cut_shows_the_lines_marked(pipeline):
    (name,) = held(pipeline, scanned())
    article = pipeline.corpus.get(name)
    both, last = (p.span for p in article.paragraphs)
    image = opened(cut(pipeline.scans, article, last))
    assert image.size == (180 + 2 * 30, 30 + 2 * 30)
    yellow = image.getpixel((200, 45))  # on the line, beside its letters
    assert yellow[2] < 190 < 230 < yellow[0]
    assert image.getpixel((100, 45))[0] < 60  # its letters stay black
    assert min(image.getpixel((200, 10))) > 240  # what is around it is not marked
    image = opened(cut(pipeline.scans, article, both))
    sure, unsure = image.getpixel((200, 45)), image.getpixel((200, 85))
    assert sure[1] - unsure[1] > 20  # the unsure line in another colour


def test_columns_stand_below_each_other_and_a_large_cut_is_made_smaller(pipeline):
    places = (Place(1, 0, 0, 1500, 200, 1.0), Place(1, 0, 210, 1500, 410, 1.0),
              Place(1, 1550, 0, 1950, 200, 1.0))  # fmt: skip
    paragraphs = (Paragraph(ROWS, page=1, places=places),)
    shown = (picture(size=(2000, 1500)),)
    extract = Extract(paragraphs, {"kind": "article"}, "scan", pictures=shown)
    (name,) = held(pipeline, document("wide.png", extract, "0" * 8))
    article = pipeline.corpus.get(name)
    image = opened(cut(pipeline.scans, article, Span(0, len(article.text))))
    assert image.width <= WIDEST
    assert image.height <= HIGHEST
    scale = image.width / (1500 + 200)  # the right margin; the left one is off the page
    assert image.height == pytest.approx(((410 + 200) + 16 + (200 + 200)) * scale, abs=3)


def test_a_scan_goes_with_its_last_article(pipeline):
    first, second = held(pipeline, scanned("a.png", "甲"), scanned("b.png", "乙"))
    assert counts(pipeline) == (2, 1)  # the same picture is held once
    pipeline.delete(first)
    assert counts(pipeline) == (1, 1)
    pipeline.delete(second)
    assert counts(pipeline) == (0, 0)


def test_only_the_scans_that_are_named_are_looked_at(pipeline):
    held(pipeline, scanned("a.png", "甲"), scanned("b.png", "乙"))
    pipeline.corpus.forget(["a.png", "b.png"])
    assert pipeline.scans.tidy([]) == 0
    assert pipeline.scans.tidy(["a.png", "unknown.png"]) == 1
    assert counts(pipeline) == (1, 1)
    assert pipeline.scans.tidy() == 1
    assert counts(pipeline) == (0, 0)


def test_a_file_that_is_no_scan_any_more_loses_its_pictures(pipeline):
    held(pipeline, scanned("a.pdf"))
    text = Extract((Paragraph(ROWS, page=1),), {"kind": "article"}, "pdf")
    held(pipeline, document("a.pdf", text, "1" * 8))
    assert counts(pipeline) == (0, 0)


def test_what_a_killed_writer_left_is_taken_out(pipeline):
    (name,) = held(pipeline, scanned())
    pipeline.scans.put(scanned("never-stored.png"))
    assert counts(pipeline) == (2, 1)
    pipeline.tidy()
    assert counts(pipeline) == (1, 1)
    assert cut(pipeline.scans, pipeline.corpus.get(name), Span(0, 3))


@pytest.mark.parametrize("scan_first", [True, False])
def test_places_of_another_file_are_not_taken_for_those_of_the_scan(pipeline, scan_first):
    scan = scanned()
    pieces = tuple(
        replace(p, parts=tuple(replace(q, source=moved(q.source)) for q in p.parts))
        for p in scan.pieces
    )
    typed = replace(
        scan, uri="typed.txt", text="=" * 7 + scan.text, pieces=pieces, format="text",
        lines=(), pictures=(),
    )  # fmt: skip
    first, second = (scan, typed) if scan_first else (typed, scan)
    assert held(pipeline, first) == held(pipeline, second)
    (article,) = pipeline.corpus.listing()[0]
    found = pipeline.scans.printed(article, article.paragraphs[0].span)
    assert (found is not None) == scan_first


def moved(span: Span) -> Span:
    return Span(span.start + 7, span.end + 7)


def test_a_backup_brings_the_scans_along(pipeline, make_pipeline, tmp_path):
    (name,) = held(pipeline, scanned())
    before = cut(pipeline.scans, pipeline.corpus.get(name), Span(0, 20))
    backup(pipeline.config.home, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "other")
    other = make_pipeline(tmp_path / "other")
    assert cut(other.scans, other.corpus.get(name), Span(0, 20)) == before


def test_damage_is_told_and_harms_no_answer(pipeline):
    (name,) = held(pipeline, scanned())
    scans = pipeline.scans
    assert scans.check() == []
    with closing(sqlite3.connect(scans.path, isolation_level=None)) as db:
        db.execute("UPDATE pictures SET data = zeroblob(length(data))")
    (said,) = scans.check()
    assert "1 pictures changed" in said
    with pytest.raises(ScansDamaged, match="changed"):
        cut(scans, pipeline.corpus.get(name), Span(0, 3))
    scans.path.write_bytes(b"no database at all" * 100)
    for ending in ("-wal", "-shm"):
        scans.path.with_name(scans.path.name + ending).unlink(missing_ok=True)
    assert "scans" in scans.check()[0]
    cited = pipeline.ask("零部件配套率升至多少？").citations
    assert cited
    assert {c.scan for c in cited} == {None}
    assert scans.forget().exists()
    assert scans.check() == []


@pytest.mark.model
def test_the_doctor_names_damaged_scans_and_puts_them_aside(tmp_path, cache):
    home = Settings(home=tmp_path / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "scans.sqlite").write_bytes(b"no database at all" * 100)
    told = {f.name: f for f in examine(home)}
    assert not told["caches"].good
    assert "--restore" in told["caches"].advice
    repaired = {f.name: f for f in examine(home, repair=True)}
    assert "damaged scans are now" in repaired["repair"].text
    assert repaired["caches"].good


@pytest.fixture
def client(pipeline) -> Iterator[TestClient]:
    app = create_app(Settings(home=pipeline.config.home), pipeline)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def test_the_api_tells_and_shows_scans(pipeline, client):
    (name,) = held(pipeline, scanned())
    assert client.get(f"/v1/articles/{name}").json()["scanned"] is True
    asked = client.post("/v1/ask", json={"question": "新能源汽车产量达到多少万辆？"}).json()
    (cited,) = (c for c in asked["citations"] if "二十三万" in c["quote"])
    assert cited["scan"]["confidence"] == 0.62
    assert cited["scan"]["unsure"] is True
    shown = client.get(cited["scan"]["cut"])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert shown.headers["x-content-type-options"] == "nosniff"
    article = pipeline.corpus.get(name)
    span = Span(cited["start_char"], cited["end_char"])
    assert shown.content == cut(pipeline.scans, article, span)


def test_the_api_refuses_what_it_cannot_cut(pipeline, client):
    (name,) = held(pipeline, scanned(pictured=False))
    for path, status in (
        (f"/v1/articles/{name}/scan?start=0&end=5", 404),  # the picture is not kept
        ("/v1/articles/0000000000000000/scan?start=0&end=5", 404),
        (f"/v1/articles/{name}/scan?start=5&end=5", 400),
        (f"/v1/articles/{name}/scan?start=900&end=905", 404),
        (f"/v1/articles/{name}/scan?start=-1&end=5", 422),
        (f"/v1/articles/{name}/scan", 422),
        ("/v1/articles/..%2f..%2fetc%2fpasswd/scan?start=0&end=5", 404),
    ):
        refused = client.get(path)
        assert (refused.status_code, path) == (status, path)
        assert set(refused.json()["error"]) == {"code", "message", "request_id"}


# The page's picture


@settings(deadline=None, max_examples=20)
@given(angle=st.floats(-0.05, 0.05), letter=st.floats(10, 80))
def test_lines_lie_on_the_picture_where_their_letters_are(angle, letter):
    image = Image.new("RGB", (900, 600), "white")
    cos, sin = math.cos(angle), math.sin(angle)
    upright = Box("一行字", 300.0, 200.0, 500.0, 230.0, letter, 0.9)
    corners = [(300, 200), (500, 200), (500, 230), (300, 230)]
    ImageDraw.Draw(image).polygon(
        [(x * cos - y * sin, x * sin + y * cos) for x, y in corners], fill="black"
    )
    shown = pictures.shown(image, angle, letter, 3)
    assert (shown.picture.page, shown.scale) == (3, pytest.approx(min(1, 24 / letter)))
    page = Image.open(io.BytesIO(shown.picture.data))
    assert page.size == (shown.picture.width, shown.picture.height)
    assert page.mode == "RGB"  # WebP knows no grey
    place = shown.on_picture(upright).place(3)
    assert place is not None
    middle = ((place.left + place.right) // 2, (place.top + place.bottom) // 2)
    away = round(30 * shown.scale) + 4
    assert page.getpixel(middle)[0] < 60
    for x, y in (
        (middle[0], place.top - away), (middle[0], place.bottom + away),
        (place.left - away, middle[1]), (place.right + away, middle[1]),
    ):  # fmt: skip
        assert page.getpixel((x, y))[0] > 200


@pytest.mark.parametrize(("size", "noisy"), [((6000, 5000), False), ((3000, 2600), True)])
def test_a_picture_is_bounded_in_pixels_and_bytes(size, noisy):
    image = Image.new("RGB", size, "white")
    if noisy:
        levels = np.random.default_rng(5).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        image = Image.fromarray(levels)
    shown = pictures.shown(image, 0.0, 20.0, 1)
    assert shown.picture.width * shown.picture.height <= pictures.MOST_PIXELS
    assert len(shown.picture.data) <= pictures.MOST_BYTES
    page = Image.open(io.BytesIO(shown.picture.data))
    assert page.size == (shown.picture.width, shown.picture.height)
    assert shown.scale == pytest.approx(page.width / size[0], rel=0.01)
    assert shown.scale < 1
