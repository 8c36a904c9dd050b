"""The bundled model's tokeniser in 4 MB: of its vocabulary, only what stands in a text is built.

A unigram model (Kudo, 2018, Subword Regularization) cuts a text into those pieces of its vocabulary
whose scores add up to most. Opening all 250,000 takes `tokenizers` a second and 300 MB. But only
pieces that stand in the text can be chosen. So the vocabulary is kept as a trie (MARISA), which
finds them, and `tokenizers` cuts the text with those few. The ids are the same: nothing decides
them but the pieces, their scores and the lowest score of all, by which unknown characters count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import marisa_trie
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from index.kept import Arrays, kept


class Pieces:
    """Cuts texts just as the tokeniser does that it was made of. Threads may share it."""

    def __init__(self, arrays: Arrays) -> None:
        """Open what `_arrays` made.

        Raises:
            KeyError: an array is missing.
            ValueError: the trie is not one.
        """
        self._frame = Tokenizer.from_str(arrays["frame"].tobytes().decode())
        self._numbers: NDArray[np.int64] = arrays["numbers"]
        self._scores: NDArray[np.float64] = arrays["scores"]
        self._special = [t for _, t in sorted(self._frame.get_added_tokens_decoder().items())]
        self._always = [*map(str, self._special), arrays["lowest"].tobytes().decode()]
        self._unknown = int(arrays["unknown"])
        self._longest = int(arrays["longest"])
        self._split = re.compile("|".join(re.escape(str(t)) for t in self._special))
        self._trie = marisa_trie.Trie()
        try:
            self._trie.frombytes(arrays["trie"].tobytes())
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    def ids(self, text: str) -> list[int]:
        """The ids of a text's pieces, with those that the model puts before and after."""
        return self.cut(text)[0]

    def cut(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """As `ids`, and of each piece where in the text it begins and ends, in characters.

        What the model puts before and after stands nowhere: (0, 0).
        """
        pieces = list(dict.fromkeys([*self._always, *self._standing(text)]))
        places = np.array([self._trie[piece] for piece in pieces])
        scored = list(zip(pieces, self._scores[places].tolist(), strict=True))
        few = Tokenizer(models.Unigram(scored, self._unknown))
        few.normalizer = self._frame.normalizer
        few.pre_tokenizer = self._frame.pre_tokenizer
        few.post_processor = self._frame.post_processor
        few.add_special_tokens(self._special)
        encoded = few.encode(text)
        ids: list[int] = self._numbers[places[encoded.ids]].tolist()
        return ids, encoded.offsets

    def _standing(self, text: str) -> Iterable[str]:
        """The vocabulary's pieces that stand in a text."""
        longest, trie = self._longest, self._trie
        for part in self._split.split(text):
            normal = self._frame.normalizer.normalize_str(part)
            for word, _ in self._frame.pre_tokenizer.pre_tokenize_str(normal):
                for start in range(len(word)):
                    yield from trie.prefixes(word[start : start + longest])


def load_pieces(tokenizer: Path, kept_as: Path) -> Pieces:
    """The pieces of a tokeniser's file; kept in another, as making them takes a second.

    Raises:
        OSError: the tokeniser cannot be read.
        ValueError: it is not a unigram model whose special tokens it knows.
    """
    return kept(kept_as, "pieces", Pieces, lambda: _arrays(tokenizer))


def _arrays(path: Path) -> Arrays:
    """What `Pieces` opens: the tokeniser but for its vocabulary, and that as a trie."""
    frame = json.loads(path.read_text(encoding="utf-8"))
    model = frame["model"]
    if model["type"] != "Unigram" or model.get("byte_fallback"):
        raise ValueError(f"{path} is no plain unigram model")
    pieces, scores = [str(piece) for piece, _ in model["vocab"]], [s for _, s in model["vocab"]]
    # In the frame the special tokens are the vocabulary, numbered as they will be in a text's own.
    special = {token["content"]: place for place, token in enumerate(frame["added_tokens"])}
    unknown = special[pieces[model["unk_id"]]]
    for token in frame["added_tokens"]:
        token["id"] = special[token["content"]]
    for token in frame["post_processor"]["special_tokens"].values():
        token["ids"] = [special[name] for name in token["tokens"]]
    model |= {"vocab": [[name, 0.0] for name in special], "unk_id": unknown}
    trie = marisa_trie.Trie(pieces)
    order = np.array([trie[piece] for piece in pieces])
    by_place, numbers = np.empty(len(pieces)), np.empty(len(pieces), np.int64)
    by_place[order], numbers[order] = scores, np.arange(len(pieces))
    return {
        "frame": _bytes(json.dumps(frame).encode()),
        "trie": _bytes(trie.tobytes()),
        "scores": by_place,
        "numbers": numbers,
        "lowest": _bytes(pieces[int(np.argmin(scores))].encode()),
        "unknown": np.array(unknown),
        "longest": np.array(max(map(len, pieces))),
    }


def _bytes(raw: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(raw, np.uint8)
