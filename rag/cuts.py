"""The cut of a scan in which a quote stands: its lines on the page's picture, marked.

Lines that follow each other in a column are one piece; pieces of other columns and pages come
below, as a reader would hold the clippings under each other.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from rag.errors import NoScan, ScansDamaged
from rag.readers.pictures import MOST_PIXELS
from rag.scans import Scans
from rag.types import UNSURE, Article, Place, Span

WIDEST, HIGHEST = 1_200, 1_600
"""Pixels of a cut; a larger one is made smaller."""

_MARGIN = 1.0  # heights of a line around the marked lines
_APART = 1.5  # heights of a line between two lines of one piece, at most
_GAP = 16  # pixels between two pieces
_SURE_INK, _UNSURE_INK = (255, 240, 150), (255, 205, 170)
_QUALITY = 80


def cut(scans: Scans, article: Article, span: Span) -> bytes:
    """A picture, JPEG, of the lines that a span of an article was read from, these marked.

    Args:
        scans: of the archive.
        article: an article.
        span: in its text; lines that it only touches are shown whole.

    Raises:
        NoScan: the span was not read from a scan, or its picture is not held.
        ScansDamaged: the scans are damaged.
    """
    printed = scans.printed(article, span)
    if printed is None:
        raise NoScan(article.id)
    clippings: list[Any] = []
    for page, run in _runs(printed.places):
        if page in printed.pictures:
            clippings.append(_clipping(_opened(scans, printed.pictures[page]), run))
    if not clippings:
        raise NoScan(article.id)
    return _jpeg(_below_each_other(clippings))


def _runs(places: Sequence[Place]) -> Iterator[tuple[int, list[Place]]]:
    """Lines that stand right below each other, with their page."""
    run = [places[0]]
    for before, place in pairwise(places):
        height = before.bottom - before.top
        follows = (
            place.page == before.page
            and before.top <= place.top <= before.bottom + _APART * height
            and place.left < before.right
            and before.left < place.right
        )
        if not follows:
            yield run[0].page, run
            run = []
        run.append(place)
    yield run[0].page, run


def _opened(scans: Scans, digest: str) -> Any:  # noqa: ANN401 untyped
    """A page's picture: only what a reader of ours made is unpacked."""
    from PIL import Image

    picture = scans.picture(digest)
    if picture is None or picture.width * picture.height > MOST_PIXELS:
        raise ScansDamaged(scans.path, f"picture {digest[:8]} is not there as it was written")
    image = Image.open(io.BytesIO(picture.data), formats=("WEBP",))
    if image.size != (picture.width, picture.height):
        raise ScansDamaged(scans.path, f"picture {digest[:8]} has another size than is said of it")
    return image.convert("RGB")


def _clipping(image: Any, run: Sequence[Place]) -> Any:  # noqa: ANN401 untyped
    """A part of a page with its lines marked; those that OCR is unsure of in another colour."""
    from PIL import Image, ImageChops

    for place in run:
        box = (place.left, place.top, place.right, place.bottom)
        part = image.crop(box)
        ink = _UNSURE_INK if place.sure < UNSURE else _SURE_INK
        image.paste(ImageChops.multiply(part, Image.new("RGB", part.size, ink)), box)
    margin = round(_MARGIN * median(place.bottom - place.top for place in run))
    return image.crop(
        (
            max(0, min(place.left for place in run) - margin),
            max(0, min(place.top for place in run) - margin),
            min(image.width, max(place.right for place in run) + margin),
            min(image.height, max(place.bottom for place in run) + margin),
        )
    )


def _below_each_other(clippings: Sequence[Any]) -> Any:  # noqa: ANN401 untyped
    """Clippings on one sheet, not larger than is shown."""
    from PIL import Image

    width = max(c.width for c in clippings)
    height = sum(c.height for c in clippings) + _GAP * (len(clippings) - 1)
    scale = min(1.0, WIDEST / width, HIGHEST / height)
    sheet = Image.new("RGB", (max(1, int(width * scale)), max(1, int(height * scale))), "white")
    top = 0.0
    for clipping in clippings:
        size = max(1, int(clipping.width * scale)), max(1, int(clipping.height * scale))
        sheet.paste(clipping if scale == 1.0 else clipping.resize(size), (0, int(top)))
        top += (clipping.height + _GAP) * scale
    return sheet


def _jpeg(image: Any) -> bytes:  # noqa: ANN401 untyped
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
