"""Dates as papers print them, to ISO 8601, as precise as they are given.

The general date parsers either fill in what is missing (a month becomes today's day of it) or do
not know 二〇二四年五月, so the dozen forms that papers use are read here.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_CHINESE = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_MONTHS = {
    name: number
    for number, name in enumerate(
        "jan feb mar apr may jun jul aug sep oct nov dec".split(),
        start=1,
    )
}
_YEAR_CN = re.compile(
    r"(?P<y>[0-9〇零○一二三四五六七八九]{4})年"
    r"(?:(?P<m>[0-9一二三四五六七八九十]{1,3})月(?:(?P<d>[0-9一二三四五六七八九十]{1,3})[日号號]?)?)?"
)
_NUMERIC = re.compile(
    r"(?P<y>[0-9]{4})(?:(?P<s>[-/.])(?P<m>[0-9]{1,2})(?:(?P=s)(?P<d>[0-9]{1,2}))?)?"
)
_COMPACT = re.compile(r"(?P<y>[12][0-9]{3})(?P<m>[0-9]{2})(?P<d>[0-9]{2})")
_MONTH_FIRST = re.compile(
    r"(?P<m>[a-z]{3,9})\.? +(?:(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?,? +)?(?P<y>[0-9]{4})"
)
_DAY_FIRST = re.compile(
    r"(?P<d>[0-9]{1,2})(?:st|nd|rd|th)? +(?P<m>[a-z]{3,9})\.?,? +(?P<y>[0-9]{4})"
)
_AROUND = re.compile(  # what may stand before or after: a weekday, a time of day
    r"^(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[.,]? +)"
    r"|(?:(?:(?<![ ,，])[ ,，]+)?[(]?(?:星期|周|週|礼拜|禮拜)[一二三四五六日天][)]?)$"
    r"|(?:t|(?<! ) +)[0-9]{1,2}[:时時][0-9]{0,2}.{0,20}$"
)


def parse_date(text: str) -> str | None:
    """Read one date.

    Args:
        text: the date alone, with at most a weekday or a time of day beside it:
            "2024年5月20日 星期一", "二〇二四年五月", "2024-05-20T08:00:00+08:00", "2024/5/20",
            "2024.5", "20240520", "May 20, 2024", "20 May 2024", "May 2024", "2024".

    Returns:
        "2024", "2024-05" or "2024-05-20"; None when it is not one of these forms or no such day
        exists. Orders that cannot be told apart (05/06/2024) are not read.
    """
    plain = unicodedata.normalize("NFKC", text[:100]).strip().lower()
    for _ in range(2):
        plain = _AROUND.sub("", plain).strip()
    for form in (_YEAR_CN, _COMPACT, _NUMERIC, _MONTH_FIRST, _DAY_FIRST):
        found = form.fullmatch(plain)
        if found:
            return _iso(found["y"], found["m"], found["d"])
    return None


def _iso(year: str, month: str | None, day: str | None) -> str | None:
    y = int(year.translate(_CHINESE))
    m, d = _number(month), _number(day)
    try:
        full = date(y, 1 if month is None else m, 1 if day is None else d)
    except ValueError:
        return None
    return full.isoformat()[: 4 if month is None else 7 if day is None else 10]


def _number(text: str | None) -> int:
    """A month or day in digits, Chinese numerals (十二, 三十一) or an English name; else 0."""
    if text is None:
        return 0
    if text.isascii():
        return int(text) if text.isdigit() else _MONTHS.get(text[:3], 0)
    tens, ten, ones = text.rpartition("十")
    if not ten:
        digits = text.translate(_CHINESE)
        return int(digits) if digits.isdigit() else 0
    left, right = (tens or "1").translate(_CHINESE), (ones or "0").translate(_CHINESE)
    return int(left) * 10 + int(right) if left.isdigit() and right.isdigit() else 0
