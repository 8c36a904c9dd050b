"""Which language and which Chinese script a text is in."""

from __future__ import annotations

import re
from functools import cache

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN_LETTER = re.compile("[A-Za-z\u00c0-\u024f]")
_LATIN_WORD = re.compile("[A-Za-z\u00c0-\u024f]+")
_QUOTED = re.compile('《[^《》]{0,100}》|“[^“”]{0,100}”|「[^「」]{0,100}」|"[^"]{0,100}"')
_ENGLISH_FRAME = re.compile(
    r"\b(?:the|a|an|of|in|on|at|to|for|and|or|is|are|was|were|do|does|did|has|have|what|which|who"
    r"|whom|whose|when|where|why|how|many|much|by|from|with|about|tell|me|that|this|it|its|can)\b",
    re.IGNORECASE,
)
_CHINESE_FRAME = re.compile("[的是了吗嗎呢谁誰哪么麼什几幾吧有在被和与與为為请請]")
_SHORT = 300  # code points up to which a text may be one question


def language_of(text: str) -> str:
    """The language of a text, by its script: "zh" or "en".

    One Han character says about as much as three Latin letters. A question counts by the words
    that frame it rather than by the names in it: "What does 新质生产力 mean?" is English and
    ChatGPT是什么 Chinese. A text without letters is taken for Chinese.
    """
    han = len(_HAN.findall(text))
    latin = len(_LATIN_LETTER.findall(text))
    if not han:
        return "en" if latin else "zh"
    if not latin:
        return "zh"
    if len(text) <= _SHORT:
        frame = _QUOTED.sub(" ", text)
        english = len(_ENGLISH_FRAME.findall(frame))
        chinese = len(_CHINESE_FRAME.findall(frame))
        if english != chinese:
            return "en" if english > chinese else "zh"
        return "zh" if han >= len(_LATIN_WORD.findall(frame)) else "en"
    return "zh" if 3 * han >= latin else "en"


def is_traditional(text: str) -> bool:
    """Whether a Chinese text is in traditional script.

    Counts characters that only one script has: those that Big5 knows and GB 2312 does not are
    traditional, the reverse simplified. A text without either is not traditional.
    """
    balance = sum(_lean(ch) for ch in _HAN.findall(text[:20_000]))
    return balance > 0


@cache
def _lean(ch: str) -> int:
    """1 for a traditional character, -1 for a simplified one, 0 for one that both scripts use."""
    return _known(ch, "big5") - _known(ch, "gb2312")


def _known(ch: str, encoding: str) -> int:
    try:
        ch.encode(encoding)
    except UnicodeEncodeError:
        return 0
    return 1
