"""A scanned page as a picture to be shown beside what was read from it.

It is made anew from the pixels, here in the reader's process with its limits, so that no byte of a
file that somebody sent is ever unpacked where the archive is served: set upright as the lines are,
as large as is needed to read its letters, and bounded in pixels and bytes.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.readers.boxes import Box
from rag.types import Picture

MOST_PIXELS = 16_000_000
MOST_BYTES = 2 * 1024 * 1024

_LONGEST_SIDE = 8_000
_LETTER = 24.0  # pixels of a letter's height, at which small type is easily read
_QUALITY = 50
_SMALLEST_TURN = 0.0005  # radians: two pixels over the longest side
_COLOURED = 12.0  # levels between the channels, on the average: paper that is yellow has fewer


@dataclass(frozen=True, slots=True)
class Shown:
    """A page's picture and how the upright page lies on it.

    Attributes:
        scale: pixels of the picture to one of the page.
        left: of the picture's left edge on the upright page, in the page's pixels.
        top: of its top edge.
        pixels: of the picture, uint8, (height, width), 0 is black.
    """

    picture: Picture
    scale: float
    left: float
    top: float
    pixels: NDArray[np.uint8] = field(repr=False)

    def on_picture(self, box: Box) -> Box:
        """A line of the upright page in pixels of the picture."""
        s = self.scale
        return replace(
            box,
            left=(box.left - self.left) * s, right=(box.right - self.left) * s,
            top=(box.top - self.top) * s, bottom=(box.bottom - self.top) * s, size=box.size * s,
        )  # fmt: skip


def shown(image: Any, angle: float, letter: float, page: int) -> Shown:  # noqa: ANN401 untyped
    """The picture of a page.

    Args:
        image: the page, a Pillow image in RGB.
        angle: of its lines, in radians, clockwise as y grows downwards; they are set level.
        letter: height of its usual letters, in pixels.
        page: its number, from 1.
    """
    from PIL import Image

    turned = angle if abs(angle) > _SMALLEST_TURN else 0.0
    left, top, width, height = _upright_size(image.width, image.height, turned)
    scale = min(
        1.0,
        _LETTER / letter if letter > 0 else 1.0,
        math.sqrt(MOST_PIXELS / (width * height)),
        _LONGEST_SIDE / max(width, height),
    )
    grey = image if _is_coloured(image) else image.convert("L")
    size = max(1, int(width * scale)), max(1, int(height * scale))
    if turned:
        cos, sin = math.cos(turned), math.sin(turned)
        # A pixel of the picture to the one of the page that it shows.
        way = (
            cos / scale, -sin / scale, cos * left - sin * top,
            sin / scale, cos / scale, sin * left + cos * top,
        )  # fmt: skip
        white = 255 if grey.mode == "L" else (255, 255, 255)
        upright = grey.transform(
            size, Image.Transform.AFFINE, way, Image.Resampling.BICUBIC, fillcolor=white
        )
    else:
        upright = grey if scale == 1.0 else grey.resize(size, Image.Resampling.LANCZOS)
    data, kept, smaller = _encoded(upright)
    picture = Picture(page, kept.width, kept.height, data)
    return Shown(picture, scale * smaller, left, top, np.asarray(kept.convert("L")))


def _upright_size(width: int, height: int, angle: float) -> tuple[float, float, float, float]:
    """Left, top, width and height of a page after it was turned back by an angle."""
    cos, sin = math.cos(-angle), math.sin(-angle)
    corners = [(x * cos - y * sin, x * sin + y * cos) for x in (0, width) for y in (0, height)]
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    return left, top, max(x for x, _ in corners) - left, max(y for _, y in corners) - top


def _is_coloured(image: Any) -> bool:  # noqa: ANN401 untyped
    """Whether a page has pictures in colour, and not paper that has turned yellow only."""
    small = image.copy()
    small.thumbnail((256, 256))
    pixels = np.asarray(small, dtype=np.int16)
    apart = pixels - np.median(pixels, axis=(0, 1)).astype(np.int16)
    return bool((apart.max(axis=2) - apart.min(axis=2)).mean() > _COLOURED)


def _encoded(image: Any) -> tuple[bytes, Any, float]:  # noqa: ANN401 untyped
    """WebP of a page, made smaller until it is small enough; the page then, and how much."""
    smaller = 1.0
    while True:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=_QUALITY, method=2)
        data = buffer.getvalue()
        if len(data) <= MOST_BYTES:
            return data, image, smaller
        smaller *= 0.7
        image = image.resize((int(image.width * 0.7), int(image.height * 0.7)))
