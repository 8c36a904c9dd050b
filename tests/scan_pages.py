"""Pages as a scanner gives them, one with a line that is hardly to be read, for tests of scans."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser

INSTALLED = importlib.util.find_spec("rapidocr") is not None
"""Whether scans can be read here."""

CLEAR = "{name}停航三年之后重新开通，每天有十二班渡船往返两岸，票价两元。"
TORN = "渡口的候船厅由旧粮仓改建，可以同时容纳九十名乘客避雨。"
WHOLE = "码头的石阶用青石砌成，涨水时会没过最低的七级。"
_PAGE = """<meta charset="utf-8"><style>body{margin:40px;width:640px;background:white;
font:20px/1.6 "Noto Serif CJK SC"} h1{font-size:40px;margin:0 0 16px}
p{margin:0;text-indent:2em}</style><h1>%s恢复通航</h1><p style="text-indent:0">□谭书遥</p>
<p>%s</p><p>%s</p>"""


def scan(browser: Browser, name: str, path: Path) -> None:
    """Photograph a page about a ferry and keep it as a PDF without text, or torn as a picture."""
    torn = path.suffix != ".pdf"
    page = browser.new_page(viewport={"width": 720, "height": 300}, device_scale_factor=1.5)
    page.set_content(_PAGE % (name, CLEAR.format(name=name), TORN if torn else WHOLE))
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L")).copy()
    page.close()
    inked = np.flatnonzero((pixels < 128).any(axis=1))
    top = inked[np.flatnonzero(np.diff(inked) > 3)[-1] + 1]  # of the last line
    height = inked[-1] - top
    if torn:  # its feet are torn off
        pixels[inked[-1] - int(0.55 * height) : inked[-1] + 1, 416:] = 255
    Image.fromarray(pixels).save(path)
