"""Plots as inline SVG: lines and bars, in the page's own colours, readable without a script.

Widths are in the SVG's own units and scale with the page. Colours are CSS variables of
`report.html`, so that the plots follow light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 14, 44
BAR, GAP = 20, 8

Xy = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        label: what it counts, with its unit.
        end: its largest value, above 0; it starts at 0.
        ticks: the values written beside it.
        digits: of a written value.
    """

    label: str
    end: float
    ticks: Sequence[float]
    digits: int = 1


SHARE = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""The ticks of an axis of shares."""


def line(
    title: str,
    points: Sequence[Xy],
    x: Axis,
    y: Axis,
    *,
    dots: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """A line through points.

    Args:
        title: read out in place of the picture.
        points: from left to right, within the axes.
        x: the horizontal axis.
        y: the vertical one.
        dots: also show each point, with its value.
        marks: upright lines at values of `x`, each with a word.
    """
    at = [(_x(px, x), _y(py, y)) for px, py in points]
    parts = [_frame(x, y)]
    for number, (value, word) in enumerate(marks):
        left, low = _x(value, x), _y(0, y)
        parts.append(
            f'<line class="mark" x1="{left:.1f}" y1="{TOP}" x2="{left:.1f}" y2="{low:.1f}"/>'
            f'<text class="value" x="{left + 4:.1f}" y="{low - 8 - 16 * number:.1f}">'
            f"{escape(word)}</text>"
        )
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in at)
    parts.append(f'<polyline class="line" points="{path}"/>')
    if dots:
        for (left, top), (px, py) in zip(at, points, strict=True):
            parts.append(
                f'<circle class="dot" cx="{left:.1f}" cy="{top:.1f}" r="3.5">'
                f"<title>{_number(px, x.digits)}: {py:.3f}</title></circle>"
            )
    return _svg(title, HEIGHT, parts)


def bars(title: str, rows: Sequence[tuple[str, float, int]]) -> str:
    """Bars from 0 to 1, one a row.

    Args:
        title: read out in place of the picture.
        rows: name, value and how many questions it is over; a name longer than its room is cut.
    """
    left, room = 150, WIDTH - 150 - 96
    parts: list[str] = []
    for number, (name, value, count) in enumerate(rows):
        top = TOP + number * (BAR + GAP)
        shown = name if len(name) <= 20 else name[:19] + "…"
        parts.append(
            f'<text class="name" x="{left - 8}" y="{top + 14}">{escape(shown)}</text>'
            f'<rect class="empty" x="{left}" y="{top}" width="{room}" height="{BAR}"/>'
            f'<rect class="bar" x="{left}" y="{top}" width="{value * room:.1f}" height="{BAR}"/>'
            f'<text class="value" x="{left + room + 8}" y="{top + 14}">{value:.3f}'
            f" (n {count})</text>"
        )
    return _svg(title, TOP * 2 + len(rows) * (BAR + GAP), parts)


def ticks(most: float) -> list[float]:
    """Four to seven round values from 0 to at least `most`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(most))
    step = next(s for f in (0.2, 0.25, 0.5, 1.0, 2.0) if most <= 6 * (s := power * f))
    return [step * i for i in range(math.ceil(most / step) + 1)]


def _x(value: float, axis: Axis) -> float:
    return LEFT + value / axis.end * (WIDTH - LEFT - RIGHT)


def _y(value: float, axis: Axis) -> float:
    return HEIGHT - BOTTOM - value / axis.end * (HEIGHT - TOP - BOTTOM)


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def _frame(x: Axis, y: Axis) -> str:
    """Grid, values and names of both axes."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts: list[str] = []
    for value in y.ticks:
        top = _y(value, y)
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{top:.1f}" x2="{right}" y2="{top:.1f}"/>'
            f'<text class="tick end" x="{LEFT - 6}" y="{top + 4:.1f}">'
            f"{_number(value, y.digits)}</text>"
        )
    for value in x.ticks:
        left = _x(value, x)
        parts.append(
            f'<line class="grid" x1="{left:.1f}" y1="{TOP}" x2="{left:.1f}" y2="{bottom}"/>'
            f'<text class="tick middle" x="{left:.1f}" y="{bottom + 16}">'
            f"{_number(value, x.digits)}</text>"
        )
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text class="axis middle" x="{(LEFT + right) / 2}" y="{HEIGHT - 6}">'
        f"{escape(x.label)}</text>"
        f'<text class="axis middle" x="12" y="{middle}" transform="rotate(-90 12 {middle})">'
        f"{escape(y.label)}</text>"
    )
    return "".join(parts)


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
