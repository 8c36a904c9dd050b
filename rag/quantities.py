"""Numbers that a question states, found however a text writes them.

1.2万亿, 12000亿 and 一万二千亿 are one number; 2024年 is 二〇二四年. The spellings of a number are
made from its value (Chinese ones by the library cn2an), because reading every number of every
candidate would take longer than the search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.numerals import Number, numbers

_LARGE = ((10**12, "万亿"), (10**8, "亿"), (10**4, "万"))
_LARGEST = 10**16
_TELLING = 10  # 三家, 5个 and the like say nothing
_NAME_BEFORE = re.compile("[a-z]-?$")  # covid-19, b2b
_EDGE = r"\d零〇一二三四五六七八九十百千万亿两点"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is looked for.

    Attributes:
        pattern: matches any of its spellings where they stand alone.
        unit: the first character of what follows it; "" for nothing.
    """

    pattern: re.Pattern[str]
    unit: str

    def held(self, text: str) -> tuple[bool, bool]:
        """Whether it stands in a folded text, and whether it does with its unit."""
        places = [match.end() for match in self.pattern.finditer(text)]
        alike = (text.startswith(self.unit, place) for place in places)
        return bool(places), bool(places) and (not self.unit or any(alike))


def asked_quantities(folded: str) -> tuple[Quantity, ...]:
    """The numbers that a folded question states, but for the small ones that stand everywhere."""
    stated = [n for n in numbers(folded) if _states(n, folded)]
    found = {(n.value, n.unit[:1].strip()): None for n in stated}
    return tuple(Quantity(pattern(value), unit) for value, unit in found)


def _states(number: Number, folded: str) -> bool:
    if number.written == "word" or number.value >= _LARGEST:
        return False
    if number.unit[:1] == "年" and 1500 <= number.value < 2100:  # a date, see rag.dates
        return False
    before = folded[: number.span.start]
    if _NAME_BEFORE.search(before) or (before.endswith("年") and number.unit[:1] == "月"):
        return False
    small = number.value < _TELLING and number.value == int(number.value)
    return not small or number.unit[:1] in ("%", "％")


def pattern(value: float) -> re.Pattern[str]:
    """A pattern of all spellings of a number, none of them inside a longer number."""
    spellings = sorted(set(spelled(value)), key=lambda s: (-len(s), s))
    arabic = "|".join(re.escape(s) for s in spellings if s[0].isascii())
    chinese = "|".join(re.escape(s) for s in spellings if not s[0].isascii())
    alone = rf"(?<![\d.,])(?:{arabic})(?![百千万亿]|,\d|\.?\d)"
    if not chinese:
        return re.compile(alone)
    return re.compile(rf"{alone}|(?<![{_EDGE}])(?:{chinese})(?![{_EDGE}])")


def spelled(value: float) -> Iterator[str]:
    """The ways to write a number, folded.

    Args:
        value: 0 and up, below 10 to the 16th.
    """
    import cn2an

    for factor, name in ((1, ""), *_LARGE):
        share = value / factor
        if factor > 1 and (share < 0.1 or round(share, 4) != share):
            continue
        plain = f"{share:.4f}".rstrip("0").rstrip(".")
        yield plain + name
        whole, point, rest = plain.partition(".")
        if len(whole) > 3:
            yield f"{int(whole):,}{point}{rest}{name}"
        chinese = cn2an.an2cn(plain, "low") + name
        yield chinese
        yield re.sub("二(?=[千万亿])", "两", chinese)
    if value == int(value) and 1000 <= value <= 2999:
        digits: str = cn2an.an2cn(str(int(value)), "direct")
        yield digits
        yield digits.replace("零", "〇")
