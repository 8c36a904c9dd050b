"""Reads the weight file of the bundled model, a BERT encoder in 4-bit blocks.

The file's layout (little endian): magic `E5S1`, u32 version, seven i32 (hidden, layers, heads, ffn,
vocabulary, positions, types), f32 epsilon, i32 block; five i32 (pieces, bos, eos, pad, unk), u64
length of the pieces, u32 offsets [pieces + 1], f32 scores, the pieces in UTF-8; i32 count and u32
length of a normalisation table, the table; i32 tensor count, then for each: u16 length and name, u8
type (0 f32, 1 Q4_0), u32 elements, u64 offset, u64 bytes. Q4_0: a block of 32 weights is an f16
scale d and 16 bytes; byte j holds weight j in its low and weight j + 16 in its high nibble, and
value = (nibble - 8) * d.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
_BLOCK_BYTES = 2 + BLOCK // 2
_MAGIC = b"E5S1"
_F32, _Q4_0 = 0, 1


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers that make the network; `epsilon` is its layer normalisations'."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class _Tensor:
    kind: int
    elements: int
    offset: int
    size: int


class WeightFile:
    """The weights of one file, mapped, not copied.

    Attributes:
        shape: the network's numbers.
        pieces: the tokenizer's pieces by id, in UTF-8.
        special: ids of bos, eos, pad and unk, in that order.
    """

    def __init__(self, path: Path) -> None:
        """Reads the directory of `path`.

        Raises:
            ValueError: it is not such a file, or it is cut short.
            OSError: it cannot be read.
        """
        self._data: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 0
        self._read_head()

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size].tobytes()
        if len(taken) != size:
            raise ValueError("the weight file is cut short")
        self._at += size
        return taken

    def _unpack(self, layout: str) -> tuple[float, ...]:
        return struct.unpack("<" + layout, self._take(struct.calcsize("<" + layout)))

    def _ints(self, layout: str) -> list[int]:
        return [int(value) for value in self._unpack(layout)]

    def _read_head(self) -> None:
        if self._take(len(_MAGIC)) != _MAGIC:
            raise ValueError("not a weight file: its magic is wrong")
        (version,) = self._ints("I")
        numbers = self._ints("7i")
        (epsilon,) = self._unpack("f")
        (block,) = self._ints("i")
        if version != 1 or block != BLOCK:
            raise ValueError(f"weight file version {version}, block {block} is not known")
        hidden, layers, heads, ffn, vocabulary, positions, types = numbers
        self.shape = Shape(hidden, layers, heads, ffn, vocabulary, positions, types, epsilon)
        self.pieces = self._read_pieces()
        _, table = self._ints("iI")
        self._take(table)
        self._tensors: dict[str, _Tensor] = {}
        for _ in range(self._ints("i")[0]):
            (length,) = self._ints("H")
            name = self._take(length).decode()
            self._tensors[name] = _Tensor(*self._ints("BIQQ"))
        if any(t.offset + t.size > len(self._data) for t in self._tensors.values()):
            raise ValueError("the weight file is cut short")

    def _read_pieces(self) -> list[bytes]:
        count, *special = self._ints("5i")
        self.special = tuple(special)
        (length,) = self._ints("Q")
        offsets = np.frombuffer(self._take(4 * (count + 1)), "<u4")
        self._take(4 * count)  # the scores; tokenizer.json has them too
        text = self._take(length)
        return [text[a:b] for a, b in itertools.pairwise(offsets)]

    def _raw(self, name: str, kind: int) -> NDArray[np.uint8]:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.kind != kind:
            raise ValueError(f"the weight file has no tensor {name} of type {kind}")
        return self._data[tensor.offset : tensor.offset + tensor.size]

    def vector(self, name: str) -> NDArray[np.float32]:
        """An unquantised tensor, float32, flat."""
        return np.array(self._raw(name, _F32).view("<f4"), dtype=np.float32)

    def blocks(self, name: str, columns: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """A quantised matrix, still in blocks.

        Args:
            name: of the tensor.
            columns: its row length, a multiple of `BLOCK`.

        Returns:
            the nibbles, uint8, (rows, columns / BLOCK, BLOCK), each 0 to 15, and the scales,
            float32, (rows, columns / BLOCK): weight = (nibble - 8) * scale.
        """
        raw = self._raw(name, _Q4_0).reshape(-1, columns // BLOCK, _BLOCK_BYTES)
        scales = raw[:, :, :2].copy().view("<f2")[:, :, 0].astype(np.float32)
        packed = raw[:, :, 2:]
        return np.concatenate([packed & 15, packed >> 4], axis=2), scales

    def matrix(self, name: str, columns: int) -> NDArray[np.float32]:
        """A quantised matrix as float32, (rows, columns); a linear layer's rows are its outputs."""
        nibbles, scales = self.blocks(name, columns)
        values = (nibbles.astype(np.float32) - 8.0) * scales[:, :, None]
        return values.reshape(-1, columns)
