"""A small reader: which words of a sentence answer a question, and whether any do.

The bundled encoder reads question and sentence as one text, so that each word is seen in the light
of the question, in either language. Two transformer layers (Vaswani et al. 2017, here 128 wide,
normalised before) are put on what it makes of the tokens in three of its layers, which stays as it
is. They give every token of the sentence a probability of beginning the answer, and one of ending
it (Devlin et al. 2019, for SQuAD), and the pair of texts one of being question and answer.
`eval/fit_reader.py` finds their weights.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from index.encode import TokenEncoder, Tokens
from rag.types import Span

Floats = NDArray[np.floating]

WIDTH = 128
HEADS = 4
LAYERS = 2

POSITIONS = 512
"""Tokens of question and sentence together; of longer ones the beginning is read."""

_EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Input:
    """A question and a sentence as the reader takes them, n tokens.

    Attributes:
        states: what the encoder makes of each token, each layer normalised, float32, (n, layers x
            dim).
        place: 0 for tokens of the question, 1 for the sentence's, int64, (n,).
        match: 1 for tokens of the sentence that stand in the question, int64, (n,).
        spans: where in the sentence each begins and ends, in characters, (n, 2); those that are
            not of it are empty.
    """

    states: Floats
    place: NDArray[np.int64]
    match: NDArray[np.int64]
    spans: NDArray[np.int32]

    @property
    def within(self) -> NDArray[np.bool_]:
        """Which tokens stand in the sentence."""
        return self.spans[:, 1] > self.spans[:, 0]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of a sentence.

    Attributes:
        answers: log-odds that the sentence answers the question; higher is better.
        spans: of the sentence's tokens, in characters, (n, 2).
        starts: log-probability of each token to begin the answer, (n,), if the sentence has it.
        ends: the same for ending it.
    """

    answers: float
    spans: NDArray[np.int32]
    starts: Floats
    ends: Floats

    def scores(self, spans: Sequence[Span]) -> Floats:
        """Log-probabilities of spans, (spans,); a boundary within a token is that token's.

        What was not read any more, in a very long sentence, is as unlikely as anything in it.
        """
        if not len(self.spans):
            return np.zeros(len(spans))
        edges = np.array([(span.start, span.end) for span in spans], np.int32).reshape(-1, 2)
        first = np.searchsorted(self.spans[:, 1], edges[:, 0], side="right")
        last = np.searchsorted(self.spans[:, 0], edges[:, 1], side="left") - 1
        read = edges[:, 1] <= self.spans[-1, 1]
        first = np.minimum(first, len(self.spans) - 1)
        likely: Floats = self.starts[first] + self.ends[last]
        return np.where(read, likely, self.starts.min() + self.ends.min())


Read = Callable[[str], Reading]
"""What a question makes of a sentence."""


def joined(question: str, sentence: str) -> tuple[str, int]:
    """The text that the encoder reads, and where in it the sentence begins."""
    before = f"query: {question} passage: "
    return before + sentence, len(before)


def as_input(tokens: Tokens, begins: int) -> Input:
    """A joined text's tokens as the reader takes them; `begins` is where the sentence does."""
    spans = tokens.spans - begins
    inside = (spans[:, 1] > 0) & (tokens.spans[:, 1] > tokens.spans[:, 0])
    spans = np.where(inside[:, None], np.maximum(spans, 0), 0)
    asked = tokens.ids[~inside]
    return Input(
        standard(tokens.states).reshape(len(spans), -1),
        inside.astype(np.int64),
        (np.isin(tokens.ids, asked) & inside).astype(np.int64),
        spans,
    )


def standard(x: Floats) -> Floats:
    """Rows of mean 0 and variance 1."""
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    standardised: Floats = (x - mean) / np.sqrt(variance + _EPSILON)
    return standardised


class Reader:
    """Reads with the bundled encoder. Threads may share one."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder

    def asked(self, question: str) -> Read:
        """How a question reads sentences: each once, however often it is asked for."""
        return cache(lambda sentence: self.read(question, sentence))

    def read(self, question: str, sentence: str) -> Reading:
        """What the sentence says to the question; one call of the encoder."""
        text, begins = joined(question, sentence)
        given = as_input(self._encoder.tokens(text), begins)
        answers, starts, ends = forward(given, weights())
        held = given.within
        return Reading(
            answers,
            given.spans[held],
            _log_softmax(starts[held]),
            _log_softmax(ends[held]),
        )


def forward(given: Input, table: dict[str, Floats]) -> tuple[float, Floats, Floats]:
    """The three logits: of the pair, and of each token to begin and to end the answer, (n,)."""
    x: Floats = given.states @ table["inward.weight"].T + table["inward.bias"]
    x = x + table["place.weight"][given.place] + table["match.weight"][given.match]
    x = x + table["position.weight"][: len(x)]
    for layer in range(LAYERS):
        x = _layer(x, table, f"layers.{layer}.")
    logits = x @ table["span.weight"].T + table["span.bias"]
    answers = x[0] @ table["pair.weight"][0] + table["pair.bias"][0]
    return float(answers), logits[:, 0], logits[:, 1]


def _layer(x: Floats, table: dict[str, Floats], name: str) -> Floats:
    """One transformer layer, normalised before its parts."""
    y = _normalised(x, table, f"{name}norm1")
    query, key, value = np.split(
        y @ table[f"{name}self_attn.in_proj_weight"].T + table[f"{name}self_attn.in_proj_bias"],
        3,
        axis=1,
    )
    size = WIDTH // HEADS
    heads = []
    for start in range(0, WIDTH, size):
        part = slice(start, start + size)
        likeness = query[:, part] @ key[:, part].T / np.float32(size**0.5)
        heads.append(np.exp(_log_softmax(likeness)) @ value[:, part])
    mixed = np.concatenate(heads, axis=1)
    x = x + mixed @ table[f"{name}self_attn.out_proj.weight"].T
    x = x + table[f"{name}self_attn.out_proj.bias"]
    y = _normalised(x, table, f"{name}norm2")
    inner = np.maximum(y @ table[f"{name}linear1.weight"].T + table[f"{name}linear1.bias"], 0)
    return x + inner @ table[f"{name}linear2.weight"].T + table[f"{name}linear2.bias"]


def _normalised(x: Floats, table: dict[str, Floats], name: str) -> Floats:
    return standard(x) * table[f"{name}.weight"] + table[f"{name}.bias"]


def _log_softmax(x: Floats) -> Floats:
    if not x.size:  # the question alone is longer than what is read
        return x
    x = x - x.max(axis=-1, keepdims=True)
    likely: Floats = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return likely


@lru_cache(maxsize=1)
def weights() -> dict[str, Floats]:
    """The fitted weights, float32, by their names in `eval.fit_reader.Net`."""
    raw = resources.files("rag").joinpath("reader_weights.npz").read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as held:
        return {name: held[name].astype(np.float32) for name in held.files}
