"""Dates that a question names, and whether a text speaks of them.

A newspaper says 去年底 and means the December before its own date; asked about 2023年底, that text
is the one to read. The few expressions that papers use are listed here: the libraries that know
them (dateparser, jionlp) read a whole text for every date it may hold, far too slow for a search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HAN_DIGITS = str.maketrans("零〇一二三四五六七八九", "00123456789")
_YEAR = r"(?<![\d.])(?P<year>(?:1[5-9]|20)\d\d|[一二][零〇一二三四五六七八九]{3})"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_CHINESE = re.compile(
    rf"{_YEAR}年(?:(?P<month>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])月|(?P<end>年?底|末))?"
)
_ISO = re.compile(r"(?<!\d)(?P<year>(?:1[5-9]|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?!\d)")
_ENGLISH = re.compile(
    r"\b(?:(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?,?(?: \d{1,2},?)? )?"
    r"(?<!-)(?P<year>(?:1[5-9]|20)\d\d)\b(?!-\d)"
)
_RELATIVE = (
    (re.compile("大前年"), -3),
    (re.compile("(?<!大)前年"), -2),
    (re.compile(r"去年|上年|\blast year\b|\ba year (?:ago|earlier)\b"), -1),
    (re.compile(r"今年|本年度?|\bthis year\b"), 0),
    (re.compile(r"明年|\bnext year\b"), 1),
)
_RELATIVE_MONTHS = (
    (re.compile(r"上个?月|\blast month\b"), -1),
    (re.compile(r"本月|这个月|\bthis month\b"), 0),
    (re.compile(r"下个?月|\bnext month\b"), 1),
)
_AFTER_YEAR = re.compile("(?:年?底|末)|的?(1[0-2]|0?[1-9])月")


@dataclass(frozen=True, slots=True)
class Date:
    """A year, or a month of one (1 to 12; None: the year alone)."""

    year: int
    month: int | None


def asked_dates(folded: str) -> tuple[Date, ...]:
    """The years and months that a folded question names, each once."""
    return tuple(_named(folded))


def _named(folded: str) -> dict[Date, None]:
    found: dict[Date, None] = {}
    for match in _CHINESE.finditer(folded):
        month = 12 if match["end"] else _month(match["month"])
        found[Date(int(match["year"].translate(_HAN_DIGITS)), month)] = None
    for match in _ISO.finditer(folded):
        found[Date(int(match["year"]), int(match["month"]))] = None
    for match in _ENGLISH.finditer(folded):
        name = match["name"]
        found[Date(int(match["year"]), _MONTHS.index(name[:3]) + 1 if name else None)] = None
    return found


def _month(written: str | None) -> int | None:
    if not written:
        return None
    if written.isdecimal():
        return int(written)
    _, ten, one = written.rpartition("十")
    return (10 if ten else 0) + int(one.translate(_HAN_DIGITS) or 0)


def holds_date(date: Date, folded: str, published: str | None) -> bool:
    """Whether a text speaks of a date.

    Args:
        date: that was asked about.
        folded: the text.
        published: when it was printed, ISO, as precise as it is known; None leaves only dates
            that are written out.
    """
    held = _named(folded)
    if published:
        held |= _relative(folded, published)
    return any(_within(date, other) for other in held)


def names_a_year(folded: str) -> bool:
    """Whether a text names a year, or one by the time it was printed."""
    return bool(_named(folded)) or any(pattern.search(folded) for pattern, _ in _RELATIVE)


def _within(asked: Date, held: Date) -> bool:
    """A month answers for its year; a year says nothing about a month."""
    return asked.year == held.year and asked.month in (None, held.month)


def _relative(folded: str, published: str) -> dict[Date, None]:
    """The dates that a text names by the time it was printed."""
    year = int(published[:4])
    found: dict[Date, None] = {}
    for pattern, shift in _RELATIVE:
        for match in pattern.finditer(folded):
            after = _AFTER_YEAR.match(folded, match.end())
            month = None if after is None else int(after[1]) if after[1] else 12
            found[Date(year + shift, month)] = None
    if len(published) >= 7:
        here = year * 12 + int(published[5:7]) - 1
        for pattern, shift in _RELATIVE_MONTHS:
            if pattern.search(folded):
                found[Date((here + shift) // 12, (here + shift) % 12 + 1)] = None
    return found
