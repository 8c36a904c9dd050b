"""One tokeniser for questions and passages: folding, Chinese words, Latin words, numbers.

Both sides of a search go through the same rules, so whatever is folded here is folded for both.
Nothing of it reaches what a person sees.
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import jieba
import opencc

from index.errors import BadInput
from index.words import frequencies

# Raise it whenever a rule below changes what `tokens` gives: stored token ids are then outdated.
RULES = 1

# jieba's word graph is kept this short; its hidden Markov model, quadratic in the length of what it
# is given (44 s at 100,000 characters), is not used at all.
LONGEST_RUN = 1_000
# A longer "word" is noise (base64, a row of letters); both sides cut it alike.
LONGEST_TOKEN = 64

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)*%?|\d+(?:\.\d+)+%?|\d+%"
_PIECES = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    rf"|(?P<number>(?:{_NUMBER})(?![^\W{_HAN}]))"
    # A compound: 1+n+x, covid-19, r&d, u.s, people's.
    rf"|(?P<word>[^\W_{_HAN}]+(?:['’+&/._-][^\W_{_HAN}]+)*)"
)
_PART = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’](?:s|t|d|m|re|ve|ll)$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Particles, pronouns, prepositions, conjunctions and question words.
STOP_WORDS = _words("""
    的 了 着 地 得 之 所 者 们 吗 呢 吧 啊 呀 嘛 哦 么 与 和 及 以及 并 并且 而 而且 或 或者 但
    但是 却 则 且 是 为 在 于 由 从 向 往 对 对于 关于 把 被 将 让 使 给 以 因 因为 因此 所以 如果
    虽然 即 即使 若 也 都 还 又 就 才 很 更 最 太 再 已 已经 曾 曾经 正在 其 其中 其他 该 此 这 那
    这个 那个 这些 那些 这样 那样 这里 那里 它 他 她 我 你 您 我们 你们 他们 她们 它们 自己 什么
    哪 哪个 哪些 哪里 哪儿 哪位 哪种 谁 怎么 怎样 如何 为何 为什么 多少 几 几个 是否 有 会 能 可
    可以 请问 请 来 去 到 时 时候 后 前 中 上 下 里 等 个 一个 一种 某 某个
    a an the and or but if of at by for with about into through to from in on as is are was were
    be been being am do does did doing have has had having it its this that these those he she
    they them his her their theirs we us our you your i me my what which who whom whose when
    where why how there here than then so such not no nor only own same too very can will just
    should would could may might must also many much
""")


@lru_cache(maxsize=1)
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def _fold_once(text: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # opencc reads C strings in UTF-8: a lone surrogate cannot pass it.
    text = text.encode("utf-8", "replace").decode("utf-8")
    converted: str = _converter().convert(text)
    return converted


def fold(text: str) -> str:
    """Text as the index compares it: width and compatibility forms, case, simplified characters.

    Args:
        text: anything, also lone surrogates (they become "?").

    Returns:
        NFKC, case-folded, traditional characters turned into simplified ones by OpenCC (t2s, by
        phrases: 臺灣 becomes 台湾, 乾隆 stays). `fold(fold(x)) == fold(x)`. Offsets are not kept.
    """
    for _ in range(4):
        folded = _fold_once(text)
        if folded == text:
            break
        text = folded
    return text


def _singular(word: str) -> str:
    """An English plural's singular (the S stemmer of Harman, 1991, How effective is suffixing?)."""
    if len(word) < 4 or not word.isascii() or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


QUESTIONS_KEPT = 256
"""Texts of which `query_tokens` is remembered: a search asks for its question's three times."""


class Tokenizer:
    """Text to index tokens. Safe to share between threads.

    jieba's dictionary (and the user's) is read on first use.

    Attributes:
        fingerprint: 16 hexadecimal digits; equal fingerprints give equal tokens.
    """

    fingerprint: str

    def __init__(self, user_dictionary: Path | None = None, cache: Path | None = None) -> None:
        """Remember the dictionaries.

        Args:
            user_dictionary: UTF-8, one `word [frequency [tag]]` a line, as jieba's; words are
                folded as texts are. None for jieba's words alone.
            cache: a folder for what is quicker to read than jieba's list, see `index.words`.

        Raises:
            BadInput: the user dictionary cannot be read.
        """
        self._words = _read_dictionary(user_dictionary) if user_dictionary else {}
        self._cache = cache
        self._lock = threading.Lock()
        self._jieba: jieba.Tokenizer | None = None
        rules = f"{RULES} {jieba.__version__} {opencc.__version__} {sorted(self._words.items())}"
        self.fingerprint = hashlib.sha256(rules.encode()).hexdigest()[:16]
        # jieba is given Han characters only, so a user's word with other characters (T恤, 5G基站)
        # is found before it is called.
        mixed = [w for w in self._words if not re.fullmatch(f"[{_HAN}]+", w)]
        mixed.sort(key=len, reverse=True)
        self._mixed = re.compile("|".join(map(re.escape, mixed))) if mixed else None
        self._asked = lru_cache(maxsize=QUESTIONS_KEPT)(self._query_tokens)

    def tokens(self, text: str) -> list[str]:
        """The tokens of a passage, in order, stop words left out.

        Args:
            text: any length; runs of Chinese are cut every 1,000 characters.

        Returns:
            Folded Chinese words (long ones after their parts), Latin words in the singular,
            numbers whole (2.5%, 33618), compounds whole and in parts; each at most 64 characters.
        """
        return [t for t in self._all(fold(text)) if t not in STOP_WORDS]

    def query_tokens(self, text: str) -> list[str]:
        """As `tokens`; but where nothing else is left, the stop words stay.

        Returns:
            Empty only when the text has no letter, digit or character of a script at all.
        """
        return list(self._asked(text))

    def _query_tokens(self, text: str) -> tuple[str, ...]:
        found = tuple(self._all(fold(text)))
        return tuple(t for t in found if t not in STOP_WORDS) or found

    def words(self, text: str) -> list[str]:
        """A text cut into words and marks, for finding where words begin and end.

        Unknown words are guessed by jieba's hidden Markov model, LONGEST_RUN characters at a time.

        Returns:
            Pieces that joined are the text again.
        """
        known = self._loaded()
        runs = (text[i : i + LONGEST_RUN] for i in range(0, len(text), LONGEST_RUN))
        return [word for run in runs for word in known.cut(run)]

    def _all(self, folded: str) -> Iterator[str]:
        """Every token of folded text, stop words too."""
        if self._mixed is None:
            yield from self._plain(folded)
            return
        end = 0
        for match in self._mixed.finditer(folded):
            yield from self._plain(folded[end : match.start()])
            yield match.group()[:LONGEST_TOKEN]
            end = match.end()
        yield from self._plain(folded[end:])

    def _plain(self, folded: str) -> Iterator[str]:
        """Every token of folded text without the user's mixed words."""
        for match in _PIECES.finditer(folded):
            piece = match.group()
            if match.lastgroup == "han":
                for start in range(0, len(piece), LONGEST_RUN):
                    yield from self._chinese(piece[start : start + LONGEST_RUN])
            elif match.lastgroup == "number":
                yield piece.replace(",", "")[:LONGEST_TOKEN]
            else:
                yield from _latin(piece)

    def _chinese(self, run: str) -> Iterator[str]:
        """The words of a run, the shorter words in them, and the pairs between them.

        A pair of neighbouring characters that is no word of the dictionary is a token too, unless
        a stop word has part in it: so names and other unknown words are found whole. Recall at
        rank 1 against jieba's search mode with its hidden Markov model (K1 1, B 0.5): XQuAD zh
        .927 against .922, CMRC .977 against .967, DRCD .939 against .935.
        """
        known = self._loaded()
        plain = [True] * len(run)  # whether the pair that starts here is still to be given
        at = 0
        for word in known.cut(run, HMM=False):
            for length in (2, 3):
                for i in range(len(word) - length + 1 if len(word) > length else 0):
                    if known.FREQ.get(word[i : i + length]):
                        yield word[i : i + length]
                        if length == 2:
                            plain[at + i] = False
            yield word[:LONGEST_TOKEN]
            end = at + len(word)
            if word in STOP_WORDS:
                plain[max(at - 1, 0) : end] = [False] * (end - max(at - 1, 0))
            elif len(word) == 2:
                plain[at] = False
            at = end
        yield from (run[i : i + 2] for i in range(len(run) - 1) if plain[i])

    def _loaded(self) -> jieba.Tokenizer:
        """Our own jieba, loaded once."""
        if self._jieba is None:
            with self._lock:
                if self._jieba is None:
                    own = _jieba(self._cache) if self._words else _shared(self._cache)
                    for word, frequency in self._words.items():
                        own.add_word(word, frequency)
                    self._jieba = own
        return self._jieba


def _jieba(cache: Path | None) -> jieba.Tokenizer:
    """A jieba of our own with its dictionary."""
    own = jieba.Tokenizer()
    own.FREQ, own.total = frequencies(cache)
    own.initialized = True
    return own


@lru_cache(maxsize=1)
def _shared(cache: Path | None) -> jieba.Tokenizer:
    """The one that all tokenisers without words of their own use; nobody adds a word to it."""
    return _jieba(cache)


def _latin(piece: str) -> Iterator[str]:
    """A word or compound in a script other than Han."""
    piece = _POSSESSIVE.sub("", piece)
    parts = _PART.findall(piece)
    if len(parts) == 1:
        yield _singular(parts[0][:LONGEST_TOKEN])
    elif "+" in piece or "&" in piece:
        yield piece[:LONGEST_TOKEN]
    else:
        yield from (_singular(p[:LONGEST_TOKEN]) for p in parts)
        if any(c.isdigit() for c in piece):  # covid-19, gpt-4o: the whole says more than the parts
            yield piece[:LONGEST_TOKEN]


def _read_dictionary(path: Path) -> dict[str, int | None]:
    """Folded words and their frequencies (None: let jieba choose one that keeps the word whole)."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The word list {path} cannot be read as UTF-8 text ({error}).") from error
    words: dict[str, int | None] = {}
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        frequency = fields[1] if len(fields) > 1 and not fields[1].isalpha() else None
        if frequency is not None and not (frequency.isdecimal() and 0 < int(frequency) < 10**9):
            raise BadInput(
                f"Line {number} of the word list {path}: a frequency is a whole number above 0, "
                f"not {frequency!r}."
            )
        words[fold(fields[0])] = int(frequency) if frequency else None
    return words
