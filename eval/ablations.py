"""What each signal and each step across languages brings: `python -m eval retrieval --ablations`.

The product's own pipeline ranks every question again with one thing changed at a time, over the
same archive and the same question vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eval.run import Json
from index.encode import Encoder
from rag.fusion import Method
from rag.language import language_of
from rag.pipeline import Pipeline


class Remembering:
    """An encoder that encodes no question twice.

    Attributes:
        fingerprint, name, dim, max_tokens: the encoder's own.
    """

    def __init__(self, encoder: Encoder) -> None:
        """Stand before an encoder."""
        self.fingerprint = encoder.fingerprint
        self.name = encoder.name
        self.dim = encoder.dim
        self.max_tokens = encoder.max_tokens
        self._encoder = encoder
        self._held: dict[str, NDArray[np.float32]] = {}

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows of length 1, float32, (n, dim)."""
        for text in texts:
            if text not in self._held:
                self._held[text] = self._encoder.encode_queries([text])[0]
        return np.stack([self._held[text] for text in texts])

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Rows of length 1, float32, (n, dim); `progress` gets the number just done."""
        return self._encoder.encode_passages(texts, progress)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the encoder counts them."""
        return self._encoder.count_tokens(texts)


def measured(
    pipeline: Pipeline, questions: Sequence[str], measure: Callable[[Pipeline], Json]
) -> list[Json]:
    """An archive's measures with one thing changed at a time.

    Args:
        pipeline: the archive.
        questions: what `measure` asks; their languages decide what can be changed.
        measure: the measures of a pipeline.

    Returns:
        For each change: "changed", what, and "measures".
    """
    asked = {language_of(question) for question in questions}
    encoder = Remembering(pipeline.encoder())
    found: list[Json] = []
    for changed, method in methods(bool(set(pipeline.corpus.languages()) - asked)):
        variant = Pipeline(pipeline.config, encoder, method=method)
        try:
            found.append({"changed": changed, "measures": measure(variant)})
        finally:
            variant.close()
    return found


def methods(across: bool) -> Iterator[tuple[str, Method]]:
    """The product's method with one thing changed, and what was changed.

    Args:
        across: whether the archive has paragraphs in another language than the questions; then
            the steps that are taken only there are left out too.
    """
    product = Method()
    names = tuple(product.across if across else product.weights)
    for name in names:
        yield f"without {name}", _weighed(product, {name: 0.0})
    for name in names:
        if name == "exact":  # it only looks through what the others found best
            continue
        yield f"{name} alone", _weighed(product, {n: 0.0 for n in names if n != name})
    yield "reciprocal ranks, same weights", replace(product, by_rank=True)
    yield (
        "reciprocal ranks, equal weights",
        _weighed(replace(product, by_rank=True), dict.fromkeys(names, 1.0)),
    )
    if across:
        yield "vectors not centred", replace(product, centred=False)
        yield "words not translated", replace(product, translated=False)
        yield "languages not evened", replace(product, evened=False)
        yield (
            "none of the three",
            replace(product, centred=False, translated=False, evened=False),
        )


def _weighed(method: Method, changed: Mapping[str, float]) -> Method:
    """A method with some of its weights replaced."""
    return replace(
        method, weights={**method.weights, **changed}, across={**method.across, **changed}
    )
