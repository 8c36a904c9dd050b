"""The candidates for a short answer: every run of words within a clause, with its features.

A feature is the name of something that holds of a span: what it is made of, what stands right
before and after it, also set beside what stands around the question's own question word, and how
much of it the question says already. `rag.spans` weighs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag.bilingual import to_chinese, to_english
from rag.names import is_name
from rag.question import Analysis
from rag.types import Span

Words = Callable[[str], list[str]]
"""Cuts a text into words and marks; joined they are the text again."""

LONGEST = 12
"""Words of a span."""

MOST_CHARACTERS = 40
"""Characters of a span: what is longer is a sentence."""

MOST_WORDS = 400
"""Words of a sentence that are looked at."""

_ALIKE = re.compile(r"\d[\d.,]*|[a-z][a-z0-9-]+")
"""What is written the same in both languages."""

_STOPS = frozenset("，。；：！？,;:!?…—\n\t")
_OPEN, _CLOSE = frozenset("“‘《「『(（[【\"'"), frozenset("”’》」』)）]】\"'")
_MARK = re.compile(r"^[\W_]+$")
HAN = re.compile(r"[\u3400-\u9fff]")
_ASKED_ZH = re.compile(
    r"哪[一几二两三四五六七八九十]{0,2}"
    r"(?:方面|[个座家位名种类条所本部项支首年天些里儿国省市县州族朝代大])?"
    r"|什么|谁|何[时地处人]?|多少|几|怎样|怎么样?|如何|为何"
)
_ASKED_EN = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how(?: many| much)?)\b", re.I
)
_DATE = re.compile(
    r"^(?:公元)?前?\d{1,4}年代?(?:\d{1,2}月)?(?:\d{1,2}[日号])?[初末底]?$"
    r"|^\d{1,2}月(?:\d{1,2}[日号])?$|^\d{1,2}世纪|^[一二三四五六七八九十〇零]{2,4}年"
    r"|^\d{4}$|^[A-Z][a-z]+ (?:\d{1,2}, )?\d{4}$"
)
_QUANTITY = re.compile(
    r"^[约近超]?[\d,.]+[万亿千百多余]*(?:%|％|[^\W\d_]{1,4})?$|^[一二三四五六七八九十百千万两]+[\u4e00-\u9fff]$"
    r"|^(?:[$£€])?[\d,.]+(?: (?:million|billion|percent|%|[a-z]+))*$"
)
_ENDS = {
    "place": re.compile(
        r"(?:[省市区县镇乡村州国岛街路湾山河江湖海港城洲]|地区|半岛|大陆|车站|机场)$"
    ),
    "body": re.compile(
        r"(?:大学|学院|学校|中学|小学|公司|集团|银行|医院|法院|委员会|协会|组织"
        r"|[部局院队党会社军馆所])$"
    ),
    "person": re.compile(r"(?:[人者家师帝王]|皇后|总统|主席|书记|教授|将军)$"),
    "work": re.compile(r"(?:[奖杯赛节书片剧歌曲法论学语教]|主义|制度|计划|政策|工程|系统)$"),
}


def _listed(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_LEFT = {
    "is": _listed(
        "是 为 即 叫 叫做 称为 称 作 作为 成为 名为 改名 命名 被称为",
        "is was are were called named",
    ),
    "at": _listed(
        "在 于 位于 至 到 向 往 从 自 由",
        "in at to from on into near within across throughout towards",
    ),
    "by": _listed("由 被 与 和 跟 同 给 对 向", "by with and of"),
    "has": _listed(
        "有 达 达到 共 共有 约 近 超过 以 用 通过 因 因为 由于 包括", "has had about because for"
    ),
    "the": _listed("的 了", "the a an"),
}  # fmt: skip
_RIGHT = {
    "of": _listed("的 之", "'s of"),
    "and": _listed("和 与 及 、", "and or"),
    "does": _listed("是 为 在 有 等 等等 担任 出任", "is was are were has had have can will would"),
    "at": _listed("in at on to from by for with as during after before since until when while"),
    "that": _listed("that which who whose where"),
    "verb": _listed(
        "成立 建立 发表 出版 举行 进行 开始",
        "创办 建成 获得 提出 发现 率领 领导",
    ),
}
_LOOSE = _listed(
    "的 了 在 是 和 与 及 等 也 都 就 而 但 其 这 那 该 他 她 它 他们",
    "之 为 于 以 并 且 或 由 被 从 对 把 将 着 过",
    "the a an of in on at to and or but is was are were by with for that which it its his her",
    "this these those their there they he she as from into than then when while where who whom",
    "whose be been being has have had do does did not no also however after before during between",
    "because through over under about against more most many much some such other another each",
    "both all any can could may might must will would should if so very only just even up out off",
)
_WITHIN_NAMES = _listed("of the and for de la du van von der - ' & .")
"""What stands between the capitalised words of one English name."""

_STEM = 5
"""English words that begin with as many of the same letters are forms of one."""

_SIZES = ((1, "1"), (2, "2"), (4, "4"), (7, "7"), (11, "11"), (18, "18"), (30, "30"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the features need of a question.

    Attributes:
        pairs: pairs of neighbouring characters that stand in it.
        words: its words, or what these may be in the sentence's language.
        noun: what stands behind its question word, "城市" of 哪座城市; may be "".
        before: what stands right before its question word.
        after: what stands behind the question word.
    """

    analysis: Analysis
    pairs: frozenset[str]
    words: frozenset[str]
    noun: str
    before: str
    after: str

    @classmethod
    def of(cls, analysis: Analysis, words: Words, language: str) -> Asked:
        """Take a question apart further.

        Args:
            analysis: the question.
            words: cuts into words.
            language: "zh" or "en", of the sentence that is looked at.
        """
        folded = analysis.folded
        if language != analysis.language:
            return cls(analysis, *_translated(analysis, words), "", "", "")
        pattern = _ASKED_ZH if analysis.language == "zh" else _ASKED_EN
        match = pattern.search(folded)
        start, end = match.span() if match else (len(folded), len(folded))
        run = folded if language == "zh" else ""  # pairs of letters stand in every English word
        pairs = frozenset(run[i : i + 2] for i in range(len(run) - 1))
        cut = words(folded)
        behind = [w for w in words(folded[end:].strip()) if w.strip() and not _MARK.match(w)]
        noun = behind[0] if match and behind and behind[0] not in _LOOSE else ""
        return cls(
            analysis,
            pairs,
            frozenset(w for w in cut if not _MARK.match(w) and w not in _LOOSE),
            noun,
            folded[:start].rstrip("，,“”《》 "),
            folded[end:].strip("？?。 "),
        )


def _translated(analysis: Analysis, words: Words) -> tuple[frozenset[str], frozenset[str]]:
    """Pairs and words that a question may have in the other language."""
    if analysis.language == "en":
        found = [t for _, chinese in to_chinese(analysis.core) for t in chinese]
        pairs = frozenset(t[i : i + 2] for t in found for i in range(len(t) - 1))
    else:
        asked = [w for w in words(analysis.core) if not _MARK.match(w)]
        found = [w for _, phrases in to_english(asked) for p in phrases for w in p.split()]
        pairs = frozenset()
    same = _ALIKE.findall(analysis.folded)
    return pairs, frozenset(found) - _LOOSE | frozenset(same)


def as_looked_at(sentence: str, folded: str) -> str:
    """A sentence as spans are cut from it: folded, but English with its capitals."""
    return folded if len(folded) == len(sentence) and HAN.search(folded) else sentence


def candidates(asked: Asked, text: str, words: Words) -> Iterator[tuple[Span, list[str]]]:
    """Every span of a sentence with the names of the features that it has."""
    pieces, ends = _pieces(words(text))
    low = [piece.lower() for piece in pieces]
    stems = {word[:_STEM] for word in asked.words if word.isascii() and len(word) >= _STEM}
    held = [
        any(text[i : i + 2] in asked.pairs for i in range(end - len(p), end - 1))
        or p in asked.words
        or (len(p) >= _STEM and p[:_STEM] in stems)
        for p, end in zip(low, ends, strict=True)
    ]
    clauses = _clauses(pieces)
    for first, last in clauses:
        said = sum(held[first:last])
        share = said / max(last - first, 1)
        around = f"said:{min(said, 4)}:{round(share * 3)}"
        for start in range(first, last):
            if not _may_edge(pieces[start], _OPEN):
                continue
            for end in range(start + 1, min(start + LONGEST, last) + 1):
                span = Span(ends[start] - len(pieces[start]), ends[end - 1])
                if len(span) > MOST_CHARACTERS:
                    break
                if not _may_edge(pieces[end - 1], _CLOSE):
                    continue
                where = _Place(pieces, held, first, last, start, end)
                yield span, [around, *_features(asked, text, span, where)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Words `start` to `end` of a clause that is words `first` to `last`."""

    pieces: Sequence[str]
    held: Sequence[bool]
    first: int
    last: int
    start: int
    end: int


def _pieces(cut: Sequence[str]) -> tuple[list[str], list[int]]:
    """The words and marks that are not blank, at most MOST_WORDS, and where each ends.

    A number is one word with the commas between its digits.
    """
    pieces: list[str] = []
    ends: list[int] = []
    end = 0
    for piece in cut:
        end += len(piece)
        if not piece.strip(" "):
            continue
        beside = ends[-2:-1] == [end - len(piece) - 1] and pieces[-1] == ","
        if beside and piece[0].isdigit() and pieces[-2][-1].isdigit():
            piece = f"{pieces[-2]},{piece}"
            del pieces[-2:], ends[-2:]
        pieces.append(piece)
        ends.append(end)
    return pieces[:MOST_WORDS], ends[:MOST_WORDS]


def _clauses(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """First and past-the-last word of each clause."""
    found, start = [], 0
    for place, piece in enumerate([*pieces, "。"]):
        if piece.strip(" ") in _STOPS or (piece and piece[0] in _STOPS):
            if place > start:
                found.append((start, place))
            start = place + 1
    return found


def _may_edge(piece: str, marks: frozenset[str]) -> bool:
    return bool(piece.strip()) and (not _MARK.match(piece) or piece in marks or piece in "%％℃")


def _features(asked: Asked, text: str, span: Span, at: _Place) -> Iterator[str]:
    cut = span.of(text)
    inner = at.pieces[at.start : at.end]
    yield from _made_of(cut, inner, asked)
    # What of it the question says already.
    said = sum(at.held[at.start : at.end])
    share = said / len(inner)
    yield f"in:{'all' if share == 1 else 'half' if share >= 0.5 else 'some' if said else 'none'}"
    if cut in asked.analysis.folded:
        yield "in:whole"
    # What stands around it.
    left = at.pieces[at.start - 1].lower() if at.start > at.first else "^"
    right = at.pieces[at.end].lower() if at.end < at.last else "$"
    yield from _beside("left", left, _LEFT, at.start > at.first and at.held[at.start - 1])
    yield from _beside("right", right, _RIGHT, at.end < at.last and at.held[at.end])
    if left == "^" and right == "$":
        yield "clause"
    yield from _capitals(at)
    before, after = text[: span.start].rstrip(" “《"), text[span.end :].lstrip(" ”》")
    for size in (2, 1):
        if len(asked.before) >= size and before.endswith(asked.before[-size:]):
            yield f"blank:before{size}"
            break
    for size in (2, 1):
        if len(asked.after) >= size and after.startswith(asked.after[:size]):
            yield f"blank:after{size}"
            break
    near = sum(at.held[max(at.start - 3, at.first) : at.start])
    near += sum(at.held[at.end : min(at.end + 3, at.last)])
    yield f"near:{min(near, 4)}"


def _capitals(at: _Place) -> Iterator[str]:
    """Whether an English span is a whole run of capitalised words, or a part of one."""
    inner = at.pieces[at.start : at.end]
    if not inner[0][:1].isascii() or not inner[0][:1].isupper():
        return
    if all(_capital(w) or w in _WITHIN_NAMES for w in inner):
        ahead = at.start > at.first and _capital(at.pieces[at.start - 1])
        behind = at.end < at.last and _capital(at.pieces[at.end])
        yield "capitals:part" if ahead or behind else "capitals:whole"
        if at.start == at.first == 0:
            yield "capitals:first"
    else:
        yield "capitals:some"


def _capital(word: str) -> bool:
    return word[:1].isascii() and word[:1].isupper()


def _beside(
    side: str, piece: str, groups: Mapping[str, frozenset[str]], held: bool
) -> Iterator[str]:
    if held:
        yield f"{side}:asked"
    if piece in "^$":
        yield f"{side}:end"
    elif piece in _OPEN or piece in _CLOSE:
        yield f"{side}:quote"
    elif _MARK.match(piece):
        yield f"{side}:mark"
    for name, words in groups.items():
        if piece in words:
            yield f"{side}:{name}"


def _made_of(cut: str, inner: Sequence[str], asked: Asked) -> Iterator[str]:
    size = len(cut) if HAN.search(cut) else len(cut) // 3 + 1
    yield "size:" + next((name for most, name in _SIZES if size <= most), "more")
    yield f"words:{min(len(inner), 6)}"
    yield from _marks(inner)
    yield from (name for name, holds in _TESTS.items() if holds(cut, inner))
    for name, pattern in _ENDS.items():
        if pattern.search(cut):
            yield f"ends:{name}"
    if asked.noun:
        if cut.endswith(asked.noun):
            yield "noun:whole"
        elif cut.endswith(asked.noun[-1]) and HAN.match(asked.noun[-1]):
            yield "noun:last"


def _marks(inner: Sequence[str]) -> Iterator[str]:
    """Whether quotation or title marks stand around a span, or within it."""
    marked = inner[0] in _OPEN, inner[-1] in _CLOSE
    if any(marked):
        yield "marks:both" if all(marked) else "marks:one"
    elif any(w in _OPEN or w in _CLOSE for w in inner):
        yield "marks:inside"


_JOINING = frozenset(("和", "与", "及", "and"))
_TESTS: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
    "begins:loose": lambda cut, inner: inner[0].lower() in _LOOSE,
    "ends:loose": lambda cut, inner: inner[-1].lower() in _LOOSE,
    "digit": lambda cut, inner: any(c.isdigit() for c in cut),
    "date": lambda cut, inner: bool(_DATE.match(cut)),
    "quantity": lambda cut, inner: bool(_QUANTITY.match(cut)),
    "latin": lambda cut, inner: cut[0].isascii() and cut[0].islower(),
    "latin:capital": lambda cut, inner: cut[0].isascii() and cut[0].isupper(),
    "name": lambda cut, inner: "·" in cut or is_name(cut),
    "has:of": lambda cut, inner: "的" in inner[1:-1],
    "has:and": lambda cut, inner: "、" in cut or not _JOINING.isdisjoint(inner[1:-1]),
}
"""What a span is made of: its text and its words tell."""
