"""Scans: pages photographed by Chromium, skewed and speckled, and what is no image."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pypdfium2
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

ROOT = Path(__file__).resolve().parent.parent
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


WITHOUT_OCR = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "rapidocr":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
"""
ADD = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from fakes import HashingEncoder
from rag.config import Config
from rag.pipeline import Pipeline

home, cache, file = map(Path, sys.argv[1:])
pipeline = Pipeline(Config(home=home, cache=cache), HashingEncoder())
(report,) = pipeline.add([file])
print(report.outcome, *report.notices)
pipeline.close()
"""


@pytest.mark.browser
@pytest.mark.slow
def test_scans_of_a_pdf_are_read_once_ocr_is_there(photograph, make_pipeline, tmp_path, cache):
    path = tmp_path / "mixed.pdf"
    path.write_bytes(with_text_before(photograph))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_OCR)

    def add_without() -> str:
        command = [sys.executable, "-c", ADD, tmp_path / "home", cache, path]
        paths = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert re.match("added .*install OCR", add_without())
    assert add_without() == "unchanged"
    pipeline = make_pipeline(tmp_path / "home")
    (report,) = pipeline.add([path])
    assert report.outcome == "replaced"
    text = "".join(a.text for a in pipeline.corpus.listing()[0])
    assert "老旧小区改造" in text
    assert "新能源汽车产量" in text
    assert pipeline.add([path])[0].outcome == "unchanged"


def with_text_before(image: Image.Image) -> bytes:
    """A PDF with a page of text and, behind it, a scan."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page()
        page.set_content("<h1>小区改造</h1><p>老旧小区改造先改水电气管网，再改楼道和外墙。</p>")
        first = page.pdf()
        browser.close()
    whole, scan = pypdfium2.PdfDocument(first), pypdfium2.PdfDocument(saved(image, "PDF"))
    whole.import_pages(scan)
    buffer = io.BytesIO()
    whole.save(buffer)
    scan.close()
    whole.close()
    return buffer.getvalue()
