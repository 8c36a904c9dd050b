"""Dates that a question names, and whether a text speaks of them.

A newspaper says 去年底 and means the December before its own date; asked about 2023年底, that text
is the one to read. The few expressions that papers use are listed here: the libraries that know
them (dateparser, jionlp) read a whole text for every date it may hold, far too slow for a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

_HAN_DIGITS = str.maketrans("零〇一二三四五六七八九", "00123456789")
_YEAR = r"(?<![\d.])(?P<year>(?:1[5-9]|20)\d\d|[一二][零〇一二三四五六七八九]{3})"
_MONTH = "(?P<month>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])月"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAME = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?,?"
)
_CHINESE = re.compile(rf"{_YEAR}年(?:{_MONTH}|(?P<end>年?[底末]))?")
_ISO = re.compile(r"(?<!\d)(?P<year>(?:1[5-9]|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?!\d)")
_ENGLISH = re.compile(
    rf"\b(?:{_NAME}(?: \d{{1,2}},?)? )?(?<!-)(?P<year>(?:1[5-9]|20)\d\d)\b(?!-\d)"
)
_HAN_YEAR = re.compile("[一二][零〇一二三四五六七八九]{3}年")
_YEARS = {
    # Not 目前年产, 过去年代, 以上年龄, 如今年轻, 日本年均, 文明年代.
    -3: ("大前年",),
    -2: ("(?<![大目之以此])前年", r"\bthe year before last\b"),
    -1: (
        "(?<!过)去年", "(?<![以网线晚史])上年(?![龄轻货纪])", r"\blast year\b", r"\ba year ago\b",
        r"\ba year earlier\b",
    ),
    0: ("(?<!如)今年(?!轻)", "(?<![日资基成])本年", r"\bthis year\b"),
    1: ("(?<![文说声证])明年", r"\bnext year\b"),
}  # fmt: skip
_MONTHS_AWAY = {
    -1: ("上月", "上个月", r"\blast month\b"),
    0: ("(?<![日资基成])本月", "这个月", r"\bthis month\b"),
    1: ("下月", "下个月", r"\bnext month\b"),
}
_DAYS = {
    # 今天 and "today" mostly mean nowadays. Not 以上周期, 资本周转, 天下周刊, 前天津市长.
    -7: ("(?<!以)上周(?![期边转岁年])", "上星期", "上个星期", r"\blast week\b"),
    -2: ("(?<![目之以此])前天(?!津)", r"\bthe day before yesterday\b"),
    -1: ("昨天", "昨日", "昨晚", "昨夜", r"(?<!before )\byesterday\b", r"\blast night\b"),
    0: (
        "(?<![日资基成])本周(?![期边转岁年])",
        "这周(?!边)",
        "这星期",
        "这个星期",
        r"\bthis week\b",
    ),
    7: ("(?<![以天])下周(?![期边转岁年刊])", "下星期", "下个星期", r"\bnext week\b"),
}
_RELATIVE = tuple(
    (re.sub(r"\([^()]*\)|\\b", "", pattern), re.compile(pattern), unit, shift)
    for unit, table in (("year", _YEARS), ("month", _MONTHS_AWAY), ("day", _DAYS))
    for shift, patterns in table.items()
    for pattern in patterns
)
"""The words alone, which a text is looked through for far sooner, and with what must not stand
beside them; what they mean."""
_AFTER_YEAR = re.compile(f"的?(?:{_MONTH}|年?[底末])")
_BEFORE_YEAR = re.compile(rf"\b(?:{_NAME}|end of|late) $")
_BESIDE = 20
"""Characters before and after a year in which its month may stand."""


@dataclass(frozen=True, slots=True)
class Date:
    """A year, or a month of one (1 to 12; None: the year alone)."""

    year: int
    month: int | None


@dataclass(frozen=True, slots=True)
class Relative:
    """A time by its distance from the day on which somebody speaks of it.

    Attributes:
        unit: "year", "month", or "day", of which a week has seven.
        shift: so many later.
        month: of that year, 1 to 12; None: the year alone, and always with another unit.
    """

    unit: str
    shift: int
    month: int | None = None

    def spoken(self, day: str) -> Date | None:
        """The year or month that is meant.

        Args:
            day: on which it is spoken of, ISO, as precise as it is known.

        Returns:
            None where that is not precise enough.
        """
        if self.unit == "year":
            return Date(int(day[:4]) + self.shift, self.month)
        if self.unit == "month":
            if len(day) < 7:
                return None
            months = int(day[:4]) * 12 + int(day[5:7]) - 1 + self.shift
            return Date(months // 12, months % 12 + 1)
        try:
            at = date.fromisoformat(day[:10]) + timedelta(days=self.shift)
        except (ValueError, OverflowError):  # "2024-05" is no day, and no day is before the first
            return None
        return Date(at.year, at.month)


def asked_dates(folded: str) -> tuple[Date, ...]:
    """The years and months that a folded question names outright, each once."""
    return tuple(_named(folded))


def _named(folded: str, start: int = 0, end: int | None = None) -> dict[Date, None]:
    end = len(folded) if end is None else end
    found: dict[Date, None] = {}
    for match in _CHINESE.finditer(folded, start, end):
        month = 12 if match["end"] else _month(match["month"])
        found[Date(int(match["year"].translate(_HAN_DIGITS)), month)] = None
    for match in _ISO.finditer(folded, start, end):
        found[Date(int(match["year"]), int(match["month"]))] = None
    for match in _ENGLISH.finditer(folded, start, end):
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


def relatives(folded: str) -> dict[Relative, None]:
    """The times that a text names by when it was written or asked, each once."""
    found: dict[Relative, None] = {}
    for key, pattern, unit, shift in _RELATIVE:
        for match in pattern.finditer(folded) if key in folded else ():
            month = _month_of(folded, match.start(), match.end()) if unit == "year" else None
            found[Relative(unit, shift, month)] = None
    return found


def _month_of(folded: str, start: int, end: int) -> int | None:
    """The month that is named with a 去年 or "last year", after the one or before the other."""
    after = _AFTER_YEAR.match(folded, end)
    if after:
        return _month(after["month"]) or 12
    before = _BEFORE_YEAR.search(folded, max(0, start - _BESIDE), start)
    if before is None:
        return None
    return _MONTHS.index(before["name"][:3]) + 1 if before["name"] else 12


def holds_date(asked: Date, folded: str, published: str | None) -> bool:
    """Whether a text speaks of a date.

    Args:
        asked: the date that was asked about.
        folded: the text.
        published: when it was printed, ISO, as precise as it is known; None leaves only dates
            that are written out.
    """
    return names_date(asked, folded) or tells_date(asked, relatives(folded), published)


def names_date(asked: Date, folded: str) -> bool:
    """Whether a text names a date outright."""
    if _HAN_YEAR.search(folded):
        return any(_within(asked, other) for other in _named(folded))
    at = folded.find(str(asked.year))
    while at >= 0:
        near = _named(folded, max(0, at - _BESIDE), at + _BESIDE)
        if any(_within(asked, other) for other in near):
            return True
        at = folded.find(str(asked.year), at + 1)
    return False


def tells_date(asked: Date, told: Iterable[Relative], published: str | None) -> bool:
    """Whether one of the times that a text tells by its own is a date; `holds_date` has more."""
    if not published:
        return False
    # Everything happens on some day: only where a month is asked for does 昨天 tell it.
    dates = (r.spoken(published) for r in told if asked.month or r.unit != "day")
    return any(_within(asked, other) for other in dates if other)


def names_a_year(folded: str) -> bool:
    """Whether a text names a year, or one by the time it was printed."""
    return bool(_named(folded)) or any(told.unit == "year" for told in relatives(folded))


def _within(asked: Date, held: Date) -> bool:
    """A month answers for its year; a year says nothing about a month."""
    return asked.year == held.year and asked.month in (None, held.month)
