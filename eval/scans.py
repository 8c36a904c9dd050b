"""How well scanned pages are read: newspaper pages set by Chromium, photographed, and worn.

    python -m eval.scans [--dpi 100 150 200 --out eval/results/formats.json]

Two A4 pages of the sample articles, in two and three columns of 10.5 and 9 points, are photographed
as a scanner of so many dots an inch would, straight, and turned by 1.2 degrees with specks on one
pixel in a thousand. Of each picture:

- `error`: edit distance between what was read, in its order, and what was set, a character set;
- `missed`: the share of the characters set that were not read anywhere, whatever the order;
- `right`: the share of articles whose title is exact and whose text has at most .03 of `error`;
- `seconds`: of reading and putting the page together.

All of it with the lines' boxes as they are detected, and drawn in to their ink (`tight`), as is
always done. Straight pages are measured at the lowest resolution only. `lines` tells of how many of
the lines that are misread, and of the others, OCR is less sure than some bounds.

It needs Debian's chromium, playwright and Noto's Chinese fonts, and the extra `ocr`.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from eval.parts import keep
from rag import pages
from rag.readers import printed, scans
from rag.readers.extract import document
from rag.types import UNSURE, Article

_ARTICLES = Path(__file__).resolve().parent.parent / "articles"
_PAGES = (
    (2, 10.5, ("rail-transit", "fishing-ban")),
    (3, 9.0, ("uhv-hami-chongqing", "tianfu-opening", "land-sea-corridor")),
)
_STYLE = """<meta charset="utf-8"><style>body{margin:0;padding:12mm;width:186mm;height:273mm;
overflow:hidden;font:%spt/1.55 "Noto Serif CJK SC"} h1{margin:3mm 0;font-size:200%%}
p{margin:0;text-indent:2em;text-align:justify} .by{text-indent:0}
div{columns:%d;column-gap:8mm}</style>"""
_TURN, _SPECKS = 1.2, 0.001
_RIGHT = 0.03


@dataclass(frozen=True, slots=True)
class Set:
    """An article as it was set: its title, its byline and its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """What became of a line that OCR gave: how sure it was, and whether it is what was set."""

    sure: float
    right: bool


def articles_of(names: Sequence[str], characters: int) -> list[Set]:
    """Sample articles, each cut after the paragraph with which it is long enough."""
    found = []
    for name in names:
        text = (_ARTICLES / f"{name}.md").read_text("utf-8")
        title = re.search(r"(?m)^title: (.*)$", text)
        body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
        kept: list[str] = []
        for paragraph in (p.strip() for p in body.split("\n\n")):
            if paragraph and paragraph[0] != "#" and sum(map(len, kept)) < characters:
                kept.append(paragraph)
        found.append(Set(title[1] if title else name, tuple(kept)))
    return found


def photographs(dpi: Sequence[int]) -> Iterator[tuple[str, int, list[Set], Any]]:
    """Each page at each resolution: layout, dots an inch, what is set, and a Pillow image."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for columns, points, names in _PAGES:
            held = articles_of(names, 1_500 // len(names))
            body = "".join(
                f'<h1>{s.title}</h1><div><p class="by">□谭书遥</p>'
                + "".join(f"<p>{p}</p>" for p in s.paragraphs)
                + "</div>"
                for s in held
            )
            for dots in dpi:
                page = browser.new_page(
                    viewport={"width": 794, "height": 1123}, device_scale_factor=dots / 96
                )
                page.set_content(_STYLE % (points, columns) + body)
                image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                page.close()
                yield f"{columns} columns, {points} pt", dots, held, image
        browser.close()


def worn(image: Any) -> Any:  # noqa: ANN401 untyped
    """A picture as a poor scanner gives it."""
    from PIL import Image

    turned = image.rotate(_TURN, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(turned).copy()
    pixels[np.random.default_rng(7).random(pixels.shape[:2]) < _SPECKS] = 0
    return Image.fromarray(pixels)


def measure(dpi: Sequence[int]) -> dict[str, Any]:
    """Every picture, read once, and laid out with boxes as detected and drawn in to their ink."""
    rows: list[dict[str, Any]] = []
    lines: list[Line] = []
    for layout, dots, held, image in photographs(dpi):
        turned = [("worn", worn(image))]
        for state, picture in [*turned, ("straight", image)] if dots == min(dpi) else turned:
            since = time.perf_counter()
            read = scans.recognised("scan.png", picture)
            seconds = time.perf_counter() - since
            truth = _bare("".join(s.title + "□谭书遥" + "".join(s.paragraphs) for s in held))
            lines += [
                Line(sure, _bare(text) in truth)
                for text, sure in zip(read.texts, read.sure, strict=True)
            ]
            for tight in (False, True):
                since = time.perf_counter()
                found = articles_on(picture, read, tight=tight)
                took = seconds + time.perf_counter() - since
                row = {"layout": layout, "dpi": dots, "state": state, "tight": tight}
                rows.append(row | _scored(found, held, truth) | {"seconds": round(took, 1)})
                print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    return {"pictures": rows, "lines": _told(lines)}


def articles_on(image: Any, read: scans.Recognised, *, tight: bool) -> list[Article]:  # noqa: ANN401 untyped
    """The articles of a page that was recognised."""
    page = scans.laid_out(image, read, 1, tight=tight)
    found: list[Article] = []
    for extract in printed.extracts([page], {}, [], "scan"):
        found += pages.articles(document("scan.png", extract, "0" * 64))
    return found


def _scored(found: Sequence[Article], held: Sequence[Set], truth: str) -> dict[str, float]:
    got = _bare("".join(article.text for article in found))
    missed = sum((Counter(truth) - Counter(got)).values())
    right = sum(
        any(
            article.title == one.title
            and _error(_bare(article.text), _bare(f"{one.title}□谭书遥{''.join(one.paragraphs)}"))
            <= _RIGHT
            for article in found
        )
        for one in held
    )
    return {
        "error": round(_error(got, truth), 4),
        "missed": round(missed / len(truth), 4),
        "right": round(right / len(held), 3),
    }


def _error(got: str, truth: str) -> float:
    return Levenshtein.distance(got, truth) / len(truth)


def _bare(text: str) -> str:
    return "".join(text.split())


def _told(lines: Sequence[Line]) -> dict[str, Any]:
    """Of the lines that are misread and of the others, the share told as unsure at some bounds."""
    wrong = [line.sure for line in lines if not line.right]
    right = [line.sure for line in lines if line.right]
    return {
        "misread": len(wrong),
        "right": len(right),
        "told": {
            str(bound): {
                "misread": round(sum(s < bound for s in wrong) / max(1, len(wrong)), 3),
                "right": round(sum(s < bound for s in right) / max(1, len(right)), 4),
            }
            for bound in (0.8, UNSURE, 0.95, 0.98)
        },
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m eval.scans")
    parser.add_argument("--dpi", type=int, nargs="+", default=[100, 150, 200])
    parser.add_argument("--out", type=Path, help="result file; its other parts are kept")
    parser.add_argument("--note", default="", help="about the machine, kept with the figures")
    given = parser.parse_args()
    found = measure(given.dpi)
    found["command"] = f"python -m eval.scans --dpi {' '.join(map(str, given.dpi))}"
    found["note"] = given.note
    if given.out is not None:
        keep(given.out, "scans", found)


if __name__ == "__main__":
    main()
