"""Scans to lines with boxes: PP-OCR, by RapidOCR on ONNX Runtime, whose models are in its wheel.

The page is set upright by the angle of its lines; the boxes then go the way of a PDF's lines, so
that `rag.pages` puts a scanned newspaper page together from its columns. How sure the reader was
is told in the notices.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from statistics import median
from typing import Any

from rag.errors import UnreadableFile
from rag.readers import ink, pictures, printed
from rag.readers.boxes import Box
from rag.readers.extract import Extract
from rag.readers.printed import Page
from rag.types import UNSURE

MOST_PAGES = 24
"""Pages of a file that are read by OCR: twenty seconds each on a slow core."""

LACKS = "ocr"
"""What an `Extract` lacks whose scans could not be read."""

_MOST_PIXELS = 120_000_000  # A3 at 600 dpi has 70 million
_LONGEST_SIDE = 4_000  # pixels that the detector sees
_POINTS = 10.0  # about the usual size of a newspaper's letters
_INK = 0.92  # of their height that Chinese letters fill


@dataclass(frozen=True, slots=True)
class Recognised:
    """The lines that OCR found on a page, as it lies.

    Attributes:
        corners: of each line, from top left clockwise, in pixels.
        texts: what they say.
        sure: 0 to 1, how sure OCR is of each.
    """

    corners: list[list[list[float]]]
    texts: list[str]
    sure: list[float]


def parse(name: str, data: bytes) -> list[Extract]:
    """The documents of an image, or of a TIFF of several pages.

    Raises:
        UnreadableFile: OCR is not installed, the image is damaged or too large, or without text.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError

    engine(name)
    notices: list[str] = []
    pages: list[Page] = []
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "TIFF", "BMP", "WEBP")) as image:
            for number, frame in enumerate(ImageSequence.Iterator(image)):
                if number == MOST_PAGES:
                    notices.append(f"only the first {MOST_PAGES} pages were read by OCR")
                    break
                if frame.width * frame.height > _MOST_PIXELS:
                    most = f"{_MOST_PIXELS // 1_000_000} million pixels"
                    raise UnreadableFile(name, f"has more than {most}; make it smaller")
                pages.append(page_of(name, _as_seen(frame), number + 1, notices))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, OSError) as error:
        raise UnreadableFile(name, f"is no image that can be read ({error}); check it") from error
    if not any(page.boxes for page in pages):
        raise UnreadableFile(name, "holds no text that OCR can read")
    return printed.extracts(pages, {}, notices, "scan")


def _as_seen(frame: Any) -> Any:  # noqa: ANN401 untyped
    """A page in RGB as programs show it: the way up that a camera noted, paper for what is clear.

    Sixteen bits a pixel, as scanners may give them, become eight.
    """
    import numpy as np
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(frame)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB")


def installed() -> bool:
    """Whether scans can be read here; the engine is not loaded."""
    try:
        return find_spec("rapidocr") is not None
    except ImportError:
        return False


@cache
def _loaded() -> Any:  # noqa: ANN401 untyped
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": _LONGEST_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 2,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def engine(name: str) -> Any:  # noqa: ANN401 untyped
    """The OCR engine, loaded once in a process.

    Raises:
        UnreadableFile: it is not installed; says how it is.
    """
    try:
        return _loaded()
    except ImportError as error:
        reason = "is a scan; to read it install OCR: pip install 'rapidocr>=3.10'"
        raise UnreadableFile(name, reason) from error


def page_of(name: str, image: Any, number: int, notices: list[str]) -> Page:  # noqa: ANN401 untyped
    """Read one page.

    Args:
        name: of the file, for messages.
        image: a Pillow image in RGB.
        number: of the page, from 1.
        notices: receives what was read with little confidence.
    """
    read = recognised(name, image)
    if not read.texts:
        notices.append(f"page {number} holds no text that OCR can read")
        return Page([], float(image.height), 0.0)
    unsure = [t for t, s in zip(read.texts, read.sure, strict=True) if s < UNSURE]
    told = f"page {number} was read by OCR: {len(read.texts)} lines"
    if unsure:
        told += f", {len(unsure)} of them unsure ({'、'.join(unsure[:3])})"
    notices.append(told)
    return laid_out(image, read, number)


def recognised(name: str, image: Any) -> Recognised:  # noqa: ANN401 untyped
    """What OCR reads on a page, a Pillow image in RGB; `name` is for messages."""
    import numpy as np

    pixels = np.asarray(image)[:, :, ::-1]  # the engine takes blue first, as OpenCV does
    found = engine(name)(pixels, use_cls=False)
    if found.txts is None:
        return Recognised([], [], [])
    corners = [np.asarray(box).tolist() for box in found.boxes]
    return Recognised(corners, list(found.txts), [float(score) for score in found.scores])


def laid_out(image: Any, read: Recognised, number: int, *, tight: bool = True) -> Page:  # noqa: ANN401 untyped
    """A page set upright, its lines on its picture.

    Args:
        image: as `recognised` took it.
        read: what that gave.
        number: of the page, from 1.
        tight: draw the lines' boxes in to their ink, as is always done but to measure what for.
    """
    angle = angle_of(read.corners)
    boxes = upright(read.corners, angle, read.texts, read.sure)
    if not boxes:
        return Page([], float(image.height), 0.0)
    shown = pictures.shown(image, angle, median(box.size for box in boxes), number)
    boxes = [shown.on_picture(box) for box in boxes]
    boxes = _evened(ink.tightened(boxes, shown.pixels) if tight else boxes)
    size = median(box.size for box in boxes)
    shorter = min(image.width, image.height) * shown.scale / (size / _INK) * _POINTS
    return Page(boxes, float(shown.picture.height), shorter, shown.picture)


def angle_of(corners: Sequence[Sequence[Sequence[float]]]) -> float:
    """The angle of a page's lines in radians, clockwise as y grows downwards.

    Args:
        corners: of each line, from top left clockwise, in pixels.
    """
    angles = [
        math.atan2(b[1] - a[1], b[0] - a[0])
        for a, b, _, d in corners
        if b[0] - a[0] > 5 * abs(d[1] - a[1])
    ]
    return median(angles) if angles else 0.0


def upright(
    corners: Sequence[Sequence[Sequence[float]]],
    angle: float,
    texts: Sequence[str],
    sure: Sequence[float],
) -> list[Box]:
    """Lines as boxes of an upright page, turned back about its top left corner.

    Args:
        corners: as `angle_of` takes them.
        angle: what it gave.
        texts: what the lines say.
        sure: 0 to 1, how sure the reader is of each.
    """
    cos, sin = math.cos(-angle), math.sin(-angle)
    boxes = []
    for quad, text, certain in zip(corners, texts, sure, strict=True):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = [
            (x * cos - y * sin, x * sin + y * cos) for x, y in quad
        ]
        top, bottom = (ay + by) / 2, (cy + dy) / 2
        if text.strip() and bottom > top:
            bare = " ".join(text.split())
            left, right = (ax + dx) / 2, (bx + cx) / 2
            boxes.append(Box(bare, left, top, right, bottom, bottom - top, certain))
    return boxes


def _evened(boxes: list[Box]) -> list[Box]:
    """Sizes near the usual one made equal: a box is as high as the letters in it happen to be."""
    usual = median(box.size for box in boxes) if boxes else 0.0
    return [
        replace(box, size=usual) if abs(box.size - usual) < 0.3 * usual else box for box in boxes
    ]
