"""Scans: pages photographed by Chromium, skewed and speckled, and what is no image."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from browsing import chromium
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from rapidfuzz.distance import Levenshtein

from rag import pages
from rag.errors import UnreadableFile
from rag.readers import read_bytes
from rag.readers.scans import angle_of, upright
from rag.types import Article

pytest.importorskip("rapidocr", reason="OCR is not installed: pip install .[ocr]")

TITLE = "新能源汽车产量增长"
BODY = [
    "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长，一批重点项目陆续开工。",
    "专家建议，下一步要在零部件配套上多下功夫，让更多的企业留在本地，也让工人在家门口就业。",
    "记者在江津的车间里看到，流水线上每两分钟就有一辆新车下线，检测设备都由本地的企业生产。",
]
PAGE = f"""<meta charset="utf-8"><style>body{{margin:40px;width:640px;background:white;
font:20px/1.6 "Noto Serif CJK SC"}} h1{{font-size:40px;margin:0 0 16px}}
p{{margin:0;text-indent:2em;text-align:justify}}</style><h1>{TITLE}</h1>
<div style="columns:2;column-gap:40px"><p style="text-indent:0">□谭书遥</p>
{"".join(f"<p>{p}</p>" for p in BODY)}</div>"""


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    with sync_playwright() as playwright:
        browser: Browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 720, "height": 560}, device_scale_factor=1.5)
        page.set_content(PAGE)
        data = page.screenshot()
        browser.close()
    return Image.open(io.BytesIO(data)).convert("L")


def worn(image: Image.Image, degrees: float) -> Image.Image:
    """The page as a poor scanner gives it: turned a little, with specks."""
    turned = image.rotate(degrees, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(turned).copy()
    pixels[np.random.default_rng(7).random(pixels.shape) < 0.001] = 0
    return Image.fromarray(pixels)


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def check(article: Article) -> None:
    assert article.title == TITLE
    assert article.authors == ("谭书遥",)
    assert article.page == "1"
    body = "".join(p.span.of(article.text) for p in article.paragraphs)
    assert Levenshtein.normalized_distance(body.replace(" ", ""), "".join(BODY)) < 0.03


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "degrees"), [("png", 0.0), ("png", 1.2), ("pdf", -0.8)])
def test_a_scanned_page_is_read_by_its_columns(photograph, kind, degrees):
    document = read_bytes(f"scan.{kind}", saved(worn(photograph, degrees), kind.upper()))
    (article,) = pages.articles(document)
    check(article)
    assert any("read by OCR" in notice for notice in document.metadata["notices"])


def test_what_is_no_image_is_told():
    with pytest.raises(UnreadableFile, match="no image"):
        read_bytes("a.png", b"no image at all")
    whole = saved(Image.new("L", (400, 400), 255), "PNG")
    with pytest.raises(UnreadableFile, match="no image"):
        read_bytes("a.png", whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match="no text"):
        read_bytes("a.png", whole)


def test_an_image_too_large_is_refused_before_it_is_unpacked():
    bomb = saved(Image.new("1", (12_000, 12_000), 1), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(UnreadableFile, match="million pixels"):
        read_bytes("bomb.png", bomb)


@settings(deadline=None)
@given(st.floats(-3, 3))
def test_turned_lines_are_set_upright(degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    lines = [(100, 100 + 30 * row, 500, 120 + 30 * row) for row in range(5)]
    turned = [
        [(x * cos - y * sin, x * sin + y * cos) for x, y in ((a, b), (c, b), (c, d), (a, d))]
        for a, b, c, d in lines
    ]
    angle = angle_of(turned)
    assert math.degrees(angle) == pytest.approx(degrees)
    found = upright(turned, angle, ["一行字"] * 5, [0.9] * 5)
    for box, (a, b, c, d) in zip(found, lines, strict=True):
        assert (box.left, box.top, box.right, box.bottom) == pytest.approx((a, b, c, d))
