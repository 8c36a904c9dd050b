"""Evidence for "this piece goes on in that one": what a joint shows, in numbers.

A piece of a broken column is looked at from both sides: how it begins, how it ends, which quotes
and brackets stay open, which enumeration it is in, what words it shares with others. Numbers that
need only the two pieces stand here; those that need the whole article so far are put in by
`rag.weave`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.language import language_of
from rag.ngrams import Ngrams

_TERMINAL = "。！？!?…"
_CLOSERS = "”’」』）)】》〉\"'"
_OPEN = {"“": "”", "‘": "’", "「": "」", "『": "』", "（": "）", "《": "》", "【": "】", "(": ")"}
_CLOSE = {right: left for left, right in _OPEN.items()}
_NO_START = "。，、；：！？”’」』）》】…,;:!?)]}%％℃"
_SIGNED_OFF = re.compile(r"[（(](?:完|[^（()）]{0,8}(?:记者|供图|编译|摄)[^（()）]{0,12})[）)]$")
_LATIN_END = re.compile(r"[.!?][\"')\]]*$")
_NUMERAL = {c: i + 1 for i, c in enumerate("一二三四五六七八九十")}
_ENUMERATION = re.compile(
    r"(?<![^。；，：！？“”\s])(?P<cn>[一二三四五六七八九十])(?P<kind>[是要、])"
    r"|(?<![^。；，：！？“”\s])第(?P<nth>[一二三四五六七八九十])[，,、]"
    r"|[（(](?P<bracket>[一二三四五六七八九十]|\d{1,2})[）)]"
    r"|(?P<circle>[①-⑩])"
    r"|(?<![\d.])(?P<digit>\d{1,2})[.．、](?!\d)"
    r"|(?P<word>首先|其次|再次|最后)[，,]"
)
_WORDS = {"首先": 1, "其次": 2, "再次": 3, "最后": 4}
_COMMON = 60  # pieces: pairs of characters that stand in more say nothing of an article
_SIMILAR_TO = 1500  # pieces at most that are compared all with all
_READ = 400_000  # characters of a page that are counted
_TELLING = 12  # characters from which a piece's script is told
_NEAR = 30  # characters that show the script around a piece's end
_EDGE = 4000  # characters at a piece's edges that are searched for signs
PAIR_NAMES = (
    "runs_on",
    "runs_on_whole",
    "breaks_off",
    "on_page",
    "doubled",
    "doubled_chance",
    "fresh",
    "hard_start",
    "alike",
    "latin_lower",
)


@dataclass(frozen=True, slots=True)
class Side:
    """What a piece shows by itself.

    Attributes:
        text: without blanks at its ends.
        whole: whether it ends as a sentence does.
        hard_start: whether it begins with a sign that cannot begin a paragraph.
        fresh: log-odds that its first two characters begin a sentence; higher is likelier.
        ends: log-odds that its last two characters end a sentence; higher is likelier.
        closing: closing quotes and brackets that it does not open itself, by their opening sign.
        opening: those that it opens and leaves open.
        first: the first number of each enumeration in it, by the enumeration's kind.
        last: the last number of each.
        starts_counted: whether it begins with an enumeration's sign.
        latin: whether it is mostly Latin script; None when it is too short to tell.
    """

    text: str
    whole: bool
    hard_start: bool
    fresh: float
    ends: float
    closing: Counter[str]
    opening: Counter[str]
    first: Mapping[str, int]
    last: Mapping[str, int]
    starts_counted: bool
    latin: bool | None


def side(text: str, ngrams: Ngrams) -> Side:
    """Look at one piece by itself."""
    text = text.strip()
    closing, opening = _balance(text)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    counted = False
    for found in _ENUMERATION.finditer(text[:_EDGE]):
        kind, number = _numbered(found)
        first.setdefault(kind, number)
        last[kind] = number
        counted = counted or found.start() == 0
    return Side(
        text,
        ends_whole(text),
        not text or text[0] in _NO_START,
        _freshness(text, ngrams),
        ngrams.across(text[-2:], "。") if text else 0.0,
        closing,
        opening,
        first,
        last,
        counted,
        language_of(text[:200]) == "en" if len(text) >= _TELLING else None,
    )


def _freshness(text: str, ngrams: Ngrams) -> float:
    """How likely a text begins a sentence, log-odds; Latin letters tell by their case."""
    if text and _is_letter(text[0]):
        return 2.0 if text[0].isupper() else -4.0
    return ngrams.across("。", text[:2]) if text else 0.0


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalpha()


def ends_whole(text: str) -> bool:
    """Whether a text ends as a sentence does: a full stop, perhaps inside a quote or bracket."""
    bare = text.rstrip().rstrip(_CLOSERS)
    if not bare or _SIGNED_OFF.search(text[-30:]):
        return True
    if bare[-1] in _TERMINAL:
        return True
    near = text.rstrip()[-_NEAR:]
    figure = not bare[-2:-1].isalpha() and re.search(r"[㐀-鿿]", near)  # 114.|5 cut in Chinese text
    return bool(_LATIN_END.search(near)) and not figure


def _numbered(found: re.Match[str]) -> tuple[str, int]:
    """The kind of an enumeration sign and its number, from 1."""
    if found["cn"]:
        return found["kind"], _NUMERAL[found["cn"]]
    if found["nth"]:
        return "nth", _NUMERAL[found["nth"]]
    if found["circle"]:
        return "circle", ord(found["circle"]) - ord("①") + 1
    if found["word"]:
        return "word", _WORDS[found["word"]]
    if found["digit"]:
        return "digit", int(found["digit"])
    inner = found["bracket"]
    return ("bracket", int(inner)) if inner.isdigit() else ("bracket_cn", _NUMERAL[inner])


def _balance(text: str) -> tuple[Counter[str], Counter[str]]:
    """Closing signs without their opening ones, and opening ones left open."""
    closing: Counter[str] = Counter()
    opening: Counter[str] = Counter()
    if len(text) > 2 * _EDGE:
        return _balance(text[:_EDGE])[0], _balance(text[-_EDGE:])[1]
    for char in text:
        if char in _OPEN:
            opening[char] += 1
        elif char in _CLOSE:
            left = _CLOSE[char]
            if opening[left]:
                opening[left] -= 1
            else:
                closing[left] += 1
    return closing, +opening


class Evidence:
    """The numbers of a page's pieces and of each pair of them.

    Args:
        texts: the pieces, in page order.
        ngrams: character statistics.

    Attributes:
        sides: one for each piece.
        alike: float32, (n, n): the cosine of rare character pairs, 0 to 1, higher is more alike;
            all 0 for pages of more than 1,500 pieces.
    """

    def __init__(self, texts: Sequence[str], ngrams: Ngrams) -> None:
        self._ngrams = ngrams
        self.sides = [side(t, ngrams) for t in texts]
        read = min(6000, _READ // max(1, len(texts)))
        self._grams = Counter(
            s.text[i : i + size]
            for s in self.sides
            for size in (3, 4)
            for i in range(min(len(s.text), read) - size + 1)
        )
        self.alike = _likeness([s.text[:read] for s in self.sides], ngrams)
        self._pairs: dict[tuple[int, int], NDArray[np.float64]] = {}

    def pair(self, before: int, after: int) -> NDArray[np.float64]:
        """The numbers of a pair of pieces, in the order of `PAIR_NAMES`."""
        known = self._pairs.get((before, after))
        if known is None:
            known = self._pairs[before, after] = self._measure(before, after)
        return known

    def is_doubled(self, before: int, after: int) -> bool:
        """Whether the first character of `after` more likely repeats the last of `before`."""
        values = self.pair(before, after)
        return bool(values[4] > 0.5)

    def _measure(self, before: int, after: int) -> NDArray[np.float64]:
        a, b = self.sides[before], self.sides[after]
        values = np.zeros(len(PAIR_NAMES))
        if not a.text or not b.text:
            return values
        odds = self._across(a, b)
        if _may_double(a, b):
            without = self._ngrams.across(a.text[-2:], b.text[1:3])
            values[5] = 1.0
            if without > odds - 1.0:
                values[4], odds = 1.0, without
        odds = max(-6.0, min(8.0, odds))
        values[0 if not a.whole else 1] = odds
        values[2] = not a.whole
        values[3] = self._seen(a.text, b.text[int(values[4]) :]) if not a.whole else 0.0
        values[6] = max(-5.0, min(5.0, b.fresh))
        values[7] = b.hard_start
        values[8] = self.alike[before, after] if len(self.alike) else 0.0
        values[9] = a.text[-1].isascii() and b.text[0].isascii() and b.text[0].islower()
        return values

    def _across(self, a: Side, b: Side) -> float:
        """How likely the characters run on, log-odds; between Latin words only case tells."""
        if a.latin is not None and b.latin is not None and a.latin != b.latin:
            return -6.0
        if b.latin and _is_letter(b.text[0]):
            return 1.5 if b.text[0].islower() else -0.5
        return self._ngrams.across(a.text[-2:], b.text[:2])

    def _seen(self, left: str, right: str) -> float:
        """How well the characters across a joint are known from elsewhere on the page, 0 to 3."""
        best = 0.0
        for size in (3, 4):
            for cut in range(1, size):
                gram = left[-cut:] + right[: size - cut]
                if len(gram) == size and cut <= len(left) and self._grams.get(gram):
                    rare = self._ngrams.rarity(gram[:2]) + self._ngrams.rarity(gram[-2:])
                    best = max(best, (size - 2) * rare / 16.0)
        return min(best, 3.0)


def _may_double(a: Side, b: Side) -> bool:
    """Whether a character may be printed twice at a joint: a Chinese one, no letter or figure."""
    char = a.text[-1]
    return char == b.text[0] and "㐀" <= char <= "鿿" and len(b.text) > 1 and not a.whole


def _likeness(texts: Sequence[str], ngrams: Ngrams) -> NDArray[np.float32]:
    """Cosine of tf-idf vectors over pairs of Chinese characters and Latin words, (n, n)."""
    count = len(texts)
    if count > _SIMILAR_TO:
        return np.zeros((0, 0), dtype=np.float32)
    where: dict[str, dict[int, float]] = defaultdict(dict)
    for number, text in enumerate(texts):
        for gram, times in Counter(_terms(text)).items():
            where[gram][number] = 1.0 + np.log(times)
    rows: list[int] = []
    columns: list[int] = []
    weights: list[float] = []
    column = 0
    for gram, found in where.items():
        if len(found) > _COMMON:
            continue
        rare = ngrams.rarity(gram) / 8.0 * np.log(1.0 + count / len(found))
        for number, weight in found.items():
            rows.append(number)
            columns.append(column)
            weights.append(weight * rare)
        column += 1
    from scipy import sparse  # a quarter of a second, only for pages

    matrix = sparse.csr_matrix(
        (np.array(weights), (rows, columns)), shape=(count, max(1, column)), dtype=np.float64
    )
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    norms[norms == 0] = 1.0
    matrix = sparse.diags(1.0 / norms) @ matrix
    return np.asarray((matrix @ matrix.T).todense(), dtype=np.float32)


def _terms(text: str) -> list[str]:
    """Overlapping pairs of Chinese characters, and whole Latin words or numbers."""
    terms: list[str] = []
    for run in re.findall(r"[㐀-鿿]+|[A-Za-z][A-Za-z-]+|\d[\d.%]*", text):
        if run[0] > "㐀":
            terms.extend(run[i : i + 2] for i in range(len(run) - 1))
        elif len(run) > 2:
            terms.append(run.lower())
    return terms
