"""Texts to vectors: one protocol, the bundled model and any sentence-transformers model behind it.

Similarity is always the inner product of rows of length 1, that is the cosine: higher is better.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from index import bundled
from index.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

_POSITIONS = 512  # what the bundled model reads, special tokens and prompt included


class Encoder(Protocol):
    """Turns texts into vectors. Its methods may be called by several threads at once.

    Attributes:
        fingerprint: identifies model, weights, pooling, quantisation and prompts; encoders of equal
            fingerprints give interchangeable vectors.
        name: for people.
        dim: length of a vector.
        max_tokens: tokens that a passage may have before its end would be left out; the prompt and
            the special tokens are already counted off.
    """

    fingerprint: str
    name: str
    dim: int
    max_tokens: int

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, float32, (n, dim), rows of length 1; no texts give (0, dim)."""
        ...

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Vectors of passages, float32, (n, dim), rows of length 1; no texts give (0, dim).

        A text longer than `max_tokens` is encoded without its end, and a warning is logged.

        Args:
            texts: may repeat; see `index.vectors` for encoding each once.
            progress: gets the number of texts just done.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as a passage, to be compared with `max_tokens`."""
        ...


class Tokens(NamedTuple):
    """What a model makes of a text's tokens, n of them.

    Attributes:
        ids: int64, (n,); equal ids are equal pieces of text.
        spans: where in the text each begins and ends, in characters, int32, (n, 2); (0, 0) for
            those that the model adds.
        states: float32, (n, layers, dim).
    """

    ids: NDArray[np.int64]
    spans: NDArray[np.int32]
    states: NDArray[np.float32]


@runtime_checkable
class TokenEncoder(Protocol):
    """An encoder that tells what it makes of each token, too."""

    def tokens(self, text: str) -> Tokens:
        """A text, as it is and without a prompt; of a longer one than it reads, its beginning."""
        ...


def load_encoder(
    model: str | None = None,
    *,
    cache_dir: Path,
    threads: int = 2,
    progress: Callable[[str], None] | None = None,
) -> Encoder:
    """Opens the bundled model, or any other through sentence-transformers.

    Args:
        model: None for the bundled model, else a hub id or a folder of sentence-transformers.
        cache_dir: where the bundled model is built on first use.
        threads: most processor threads that encoding uses, 1 or more.
        progress: gets a sentence when something slow starts or ends.

    Raises:
        ModelUnavailable: it cannot be built, found or loaded; the text says what to do.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}; at least 1 is needed")
    if model is None:
        return BundledEncoder(bundled.ensure_bundled(cache_dir, progress), threads)
    return TransformersEncoder(model, threads)


class BundledEncoder:
    """The bundled multilingual-e5-small on ONNX Runtime, int8; imports no torch.

    Each text is a call of its own on one thread, and several texts run side by side. So nothing is
    padded, no thread waits for another, and a vector depends on its text alone (`index.graph` says
    why that matters for int8).
    """

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """Loads the folder that `index.bundled.ensure_bundled` built.

        Raises:
            ModelUnavailable: the files are there but cannot be loaded.
        """
        import onnxruntime as ort

        from index.pieces import load_pieces

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(folder / bundled.MODEL_FILE), options, providers=["CPUExecutionProvider"]
            )
            kept_as = folder.with_name(f"{folder.name}-pieces.npz")
            self._pieces = load_pieces(folder / bundled.TOKENIZER_FILE, kept_as)
        except Exception as error:  # both libraries raise bare ones
            raise ModelUnavailable(
                f"The embedding model in {folder} cannot be loaded ({error}); "
                "remove that folder, it will be built again."
            ) from error
        self._threads = threads
        self.fingerprint = bundled.bundled_fingerprint()
        self.name = f"{bundled.NAME} (bundled, int8)"
        outputs = self._session.get_outputs()
        self.dim = int(outputs[0].shape[1])
        self._layers = [output.name for output in outputs[1:]]
        self._overhead = len(self._pieces.ids(bundled.PASSAGE_PROMPT))
        self.max_tokens = _POSITIONS - self._overhead

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Encoder.encode_queries`."""
        return self._encode(bundled.QUERY_PROMPT, texts, None)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As `Encoder.encode_passages`."""
        return self._encode(bundled.PASSAGE_PROMPT, texts, progress)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As `Encoder.count_tokens`."""
        ids = self._pieces.ids
        return [max(0, len(ids(bundled.PASSAGE_PROMPT + t)) - self._overhead) for t in texts]

    def tokens(self, text: str) -> Tokens:
        """As `TokenEncoder.tokens`."""
        ids, spans = self._pieces.cut(text)
        held = np.array(ids[:_POSITIONS], dtype=np.int64)
        layers = self._session.run(self._layers, {"input_ids": held[None]})
        states = np.stack([layer[0] for layer in layers], axis=1)
        return Tokens(held, np.array(spans[:_POSITIONS], dtype=np.int32), states)

    def _encode(
        self, prompt: str, texts: Sequence[str], progress: Callable[[int], None] | None
    ) -> NDArray[np.float32]:
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        cut = 0
        for place, (vector, whole) in enumerate(self._side_by_side(prompt, texts)):
            rows[place] = vector
            cut += not whole
            if progress is not None:
                progress(1)
        _warn_of_cuts(cut, len(texts), self.max_tokens)
        return rows

    def _side_by_side(
        self, prompt: str, texts: Sequence[str]
    ) -> Iterator[tuple[NDArray[np.float32], bool]]:
        if self._threads == 1 or len(texts) < 2:
            yield from (self._one(prompt, text) for text in texts)
            return
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="encode")
        try:
            yield from pool.map(lambda text: self._one(prompt, text), texts)
        finally:  # an interruption does not wait for the texts that have not begun
            pool.shutdown(cancel_futures=True)

    def _one(self, prompt: str, text: str) -> tuple[NDArray[np.float32], bool]:
        """The text's vector, (dim,), and whether all of it was read."""
        ids = self._pieces.ids(prompt + text)
        whole = len(ids) <= _POSITIONS
        if not whole:
            ids = [*ids[: _POSITIONS - 1], ids[-1]]
        output = self._session.run(["embedding"], {"input_ids": np.array([ids], dtype=np.int64)})
        return output[0][0], whole


def _warn_of_cuts(cut: int, texts: int, limit: int) -> None:
    if cut:
        logger.warning("texts_cut", extra={"cut": cut, "texts": texts, "max_tokens": limit})


class TransformersEncoder:
    """Any sentence-transformers model, with the prompts that it brings.

    A model that names no prompts but belongs to the e5 family gets that family's.
    """

    def __init__(self, model: str, threads: int = 2) -> None:
        """Loads a hub id or a folder.

        Raises:
            ModelUnavailable: it cannot be found or loaded.
        """
        advice = (
            "set WENJU_MODEL to a sentence-transformers folder or hub id, "
            "or leave it unset for the bundled model"
        )
        if Path(model).is_absolute() and not Path(model).is_dir():
            raise ModelUnavailable(f"There is no folder {model}; {advice}.")
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)  # there is no other way to bound it
        try:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self._model: SentenceTransformer = SentenceTransformer(model, device=device)
        except Exception as error:  # it raises whatever its loaders raise
            raise ModelUnavailable(
                f"The embedding model {model} cannot be loaded ({error}); {advice}."
            ) from error
        self._lock = threading.Lock()  # its tokenizer may not be used by two threads at once
        self._query, self._passage = _prompts(model, dict(self._model.prompts))
        self.name = model
        self.dim = self._model.encode([""], show_progress_bar=False).shape[1]
        window = int(self._model.max_seq_length or _POSITIONS)
        self._overhead = self._length(self._passage)
        self.max_tokens = window - self._overhead
        self.fingerprint = self._describe()

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Encoder.encode_queries`."""
        return self._encode(self._query, texts, None)

    def encode_passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As `Encoder.encode_passages`."""
        _warn_of_cuts(
            sum(n > self.max_tokens for n in self.count_tokens(texts)), len(texts), self.max_tokens
        )
        return self._encode(self._passage, texts, progress)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As `Encoder.count_tokens`."""
        with self._lock:
            return [max(0, self._length(self._passage + t) - self._overhead) for t in texts]

    def _length(self, text: str) -> int:
        ids = self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"]
        return len(ids)

    def _encode(
        self, prompt: str, texts: Sequence[str], progress: Callable[[int], None] | None
    ) -> NDArray[np.float32]:
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), 64):
            batch = list(texts[start : start + 64])
            with self._lock:
                rows[start : start + 64] = self._model.encode(
                    batch,
                    prompt=prompt,
                    batch_size=16,
                    normalize_embeddings=True,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
            if progress is not None:
                progress(len(batch))
        return rows

    def _describe(self) -> str:
        """A hash of every weight and of all that shapes a vector besides."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self._model.state_dict().items()):
            if ".pooler." in name:  # not read, and random where the model's files lack it
                continue
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().contiguous().view(-1).float().numpy().tobytes())
        shape = [repr(self._model), self._query, self._passage, str(self._model.max_seq_length)]
        digest.update("\n".join(shape).encode())
        return f"{Path(self.name).name}-{digest.hexdigest()[:12]}"


def _prompts(model: str, own: dict[str, str]) -> tuple[str, str]:
    """The prompts of questions and of passages; the model's own come first."""
    query = own.get("query", "")
    passage = own.get("passage", "") or own.get("document", "")
    if query or passage:
        return query, passage
    name = Path(model).name.lower()
    if "e5" not in name.replace("_", "-").split("-"):
        return "", ""
    if "instruct" in name:
        task = "Given a web search query, retrieve relevant passages that answer the query"
        return f"Instruct: {task}\nQuery: ", ""
    return bundled.QUERY_PROMPT, bundled.PASSAGE_PROMPT
