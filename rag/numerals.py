"""Numbers as they stand in text: 17, 3.5%, 33,618, 十七, 二〇二一, 三百二十, ３, "seventeen".

A value is compared, never its spelling, so that 17 and 十七 are the same number.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rag.types import Span

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {
    "〇": 0, "○": 0, "两": 2, "兩": 2, "壹": 1, "贰": 2, "叁": 3,
}  # fmt: skip
_SCALES = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "hundred": 100,
    "thousand": 1000,
    "both": 2,
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth".split(), start=1
    )
}

_HAN = "零〇○一二三四五六七八九两兩壹贰叁十百千"
_NUMBER = re.compile(
    rf"(?P<arabic>\d+(?:,\d{{3}})*(?:\.\d+)?)(?P<large>[万萬亿億]+)?"
    rf"|(?P<han>[{_HAN}]+)(?P<hanlarge>[万萬亿億]+)?"
    r"|(?P<word>\b(?:" + "|".join([*_WORDS, *_ORDINALS]) + r")\b)",
    re.IGNORECASE,
)
_UNIT = re.compile(r"\s*(%|％|‰|℃|[a-zA-Z]+|[\u4e00-\u9fff]{1,2})?")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        span: of its digits and 万, 亿; in the text it was found in.
        value: with 万 and 亿 multiplied in.
        unit: what directly follows it, up to two characters or one Latin word; "" for nothing.
        written: "digits", "han" or "word".
    """

    span: Span
    value: float
    unit: str
    written: str


def numbers(text: str) -> list[Number]:
    """Every number in a text, in order.

    Full-width digits count as digits. Chinese numerals inside words (一体化, 统一) are found too,
    as the numbers they are written with; `written` tells them from digits.
    """
    plain = "".join(unicodedata.normalize("NFKC", c) if "０" <= c <= "ｚ" else c for c in text)
    found: list[Number] = []
    for match in _NUMBER.finditer(plain):
        value = _value(match)
        if value is None:
            continue
        unit = _UNIT.match(plain, match.end())
        written = "digits" if match["arabic"] else "han" if match["han"] else "word"
        follows = (unit[1] or "") if unit else ""
        found.append(Number(Span(*match.span()), value, follows.lower(), written))
    return found


def _value(match: re.Match[str]) -> float | None:
    if match["arabic"]:
        return float(match["arabic"].replace(",", "")) * _multiplier(match["large"])
    if match["han"]:
        value = _chinese(match["han"])
        return None if value is None else value * _multiplier(match["hanlarge"])
    word = match["word"].lower()
    return float(_WORDS[word] if word in _WORDS else _ORDINALS[word])


def _multiplier(large: str | None) -> float:
    factor = 1.0
    for character in large or "":
        factor *= _LARGE[character]
    return factor


def _chinese(text: str) -> float | None:
    """三百二十 → 320, 二〇二一 → 2021, 十七 → 17; None for a lone 百 or 千."""
    if not any(c in _SCALES for c in text):
        return float("".join(str(_DIGITS[c]) for c in text))
    if text[0] in "百千":
        return None
    total, digit = 0, None
    for character in text:
        if character in _SCALES:
            total += (1 if digit is None else digit) * _SCALES[character]
            digit = None
        else:
            digit = _DIGITS[character]
    return float(total + (digit or 0))


def values(text: str) -> frozenset[float]:
    """The values of all numbers in a text, digits inside longer names (5G, 1+N+X) too."""
    return frozenset(n.value for n in numbers(text))
