"""The bundled model as an ONNX graph, made straight from the weight file.

A BERT encoder (Devlin et al. 2019), mean pooling, rows of length 1, built for ONNX Runtime, so that
neither torch nor a network is needed. Linear layers are int8: weights symmetric with one scale an
output, activations with one range a call, found as the call runs. Two things follow.

A range spans everything in a call, so a call holds ONE text: then a text's vector depends on the
text alone, and no time goes into padding. Batches were slower besides.

A few channels of the activations are ten times as large as the others and would take all of the
range. So each channel is divided by a factor and the weights that it meets are multiplied by it
(SmoothQuant, Xiao et al. 2023, arXiv 2211.10438); `index.quantise` chooses the factors.

The table of word vectors keeps the 4-bit blocks of the weight file; it is not rounded again.

Input: `input_ids`, int64, (1, tokens), 1 to 512 tokens with the special ones. Outputs: `embedding`,
float32, (1, hidden), length 1; and after it what the layers of `read_layers` make of each token,
float32, (1, tokens, hidden). ONNX Runtime works out only those that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from index.weights import BLOCK, WeightFile

Factors = Mapping[str, NDArray[np.float32]]
"""What each channel of a linear layer's input is divided by, (columns,), by the input's name."""

_FUSED = "com.microsoft"
_OPSET = 20
_IR = 10


class _Graph:
    """Collects nodes and constants; every node has one output, and the output's name."""

    def __init__(self, weights: WeightFile, factors: Factors | None) -> None:
        self.weights = weights
        self.factors = factors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.linear_inputs: dict[str, tuple[str, ...]] = {}

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(
        self, op: str, inputs: Sequence[str], name: str, domain: str = "", **attributes: object
    ) -> str:
        self.nodes.append(
            helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def linears(self, x: str, names: Sequence[str], columns: int) -> list[str]:
        """`x` through several linear layers of the weight file, biases included."""
        matrices = [self.weights.matrix(f"{name}.w", columns) for name in names]
        if self.factors is None:
            self.linear_inputs[x] = tuple(names)
            return [self._float(x, *pair) for pair in zip(names, matrices, strict=True)]
        factor = self.factors[x]
        inverse = self.constant(f"{x}.smoothing", 1 / factor)
        smooth = self.node("Mul", [x, inverse], f"{x}.smooth")
        return [self._int8(smooth, n, m * factor) for n, m in zip(names, matrices, strict=True)]

    def _float(self, x: str, name: str, matrix: NDArray[np.float32]) -> str:
        bias = self.constant(f"{name}.b", self.weights.vector(f"{name}.b"))
        product = self.node("MatMul", [x, self.constant(f"{name}.w", matrix.T)], f"{name}.product")
        return self.node("Add", [product, bias], f"{name}.out")

    def _int8(self, x: str, name: str, matrix: NDArray[np.float32]) -> str:
        rounded, scale = to_int8(matrix)
        inputs = [
            x,
            self.constant(f"{name}.w", rounded.T),
            self.constant(f"{name}.scale", scale),
            "",  # no zero points: symmetric
            self.constant(f"{name}.b", self.weights.vector(f"{name}.b")),
        ]
        return self.node("DynamicQuantizeMatMul", inputs, f"{name}.out", _FUSED)

    def normalised_sum(self, first: str, second: str, name: str) -> str:
        """Layer normalisation of the sum; ONNX Runtime's one operator for both is slower."""
        total = self.node("Add", [first, second], f"{name}.sum")
        gain, shift = (
            self.constant(f"{name}.{part}", self.weights.vector(f"{name}.{part}")) for part in "wb"
        )
        epsilon = self.weights.shape.epsilon
        return self.node(
            "LayerNormalization", [total, gain, shift], f"{name}.out", epsilon=epsilon, axis=-1
        )


def to_int8(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights (outputs, inputs) rounded to -127 to 127, and the scale of each output."""
    scale = np.abs(matrix).max(axis=1) / np.float32(127)
    scale[scale == 0] = 1.0
    return np.rint(matrix / scale[:, None]).astype(np.int8), scale


def _embedding(graph: _Graph) -> str:
    """Word, position and type vectors, summed and normalised."""
    weights, shape = graph.weights, graph.weights.shape
    nibbles, scales = weights.blocks("emb.word", shape.hidden)
    packed = (nibbles[..., 0::2] | nibbles[..., 1::2] << 4).reshape(shape.vocabulary, -1)
    words = graph.node(
        "GatherBlockQuantized",
        [graph.constant("words", packed), "input_ids", graph.constant("words.scale", scales)],
        "words.out",
        _FUSED,
        bits=4,
        block_size=BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )
    types = weights.vector("emb.type").reshape(shape.types, shape.hidden)
    table = weights.vector("emb.pos").reshape(shape.positions, shape.hidden) + types[0]
    first = graph.constant("first", np.zeros(1, dtype=np.int64))
    graph.node("Shape", ["input_ids"], "tokens", start=1, end=2)
    places = graph.node(
        "Slice", [graph.constant("places", table), first, "tokens", first], "places.out"
    )
    return graph.normalised_sum(words, places, "emb.ln")


def _layer(graph: _Graph, x: str, name: str) -> str:
    """One transformer layer: attention, then the feed-forward network, each normalised after."""
    shape = graph.weights.shape
    projected = graph.linears(x, [f"{name}.{part}" for part in "qkv"], shape.hidden)
    attended = graph.node(
        "MultiHeadAttention", projected, f"{name}.attended", _FUSED, num_heads=shape.heads
    )
    (mixed,) = graph.linears(attended, [f"{name}.ao"], shape.hidden)
    x = graph.normalised_sum(mixed, x, f"{name}.aln")
    (inner,) = graph.linears(x, [f"{name}.fi"], shape.hidden)
    inner = graph.node("Gelu", [inner], f"{name}.gelu")
    (outer,) = graph.linears(inner, [f"{name}.fo"], shape.ffn)
    return graph.normalised_sum(outer, x, f"{name}.oln")


def read_layers(layers: int) -> list[str]:
    """The outputs of the layers in the middle, at three quarters and last, of so many.

    The earlier ones tell more of single words, the last of the whole text.
    """
    return [f"l{n}.oln.out" for n in (layers // 2 - 1, 3 * layers // 4 - 1, layers - 1)]


def build(weights: WeightFile, factors: Factors | None) -> onnx.ModelProto:
    """The whole encoder, input and output as the module says.

    Args:
        weights: of the model.
        factors: for each linear input. None builds the graph unquantised, float32, with the inputs
            of its linear layers as outputs after `embedding`.

    Raises:
        ValueError: the weight file lacks a tensor.
    """
    graph = _Graph(weights, factors)
    shape = weights.shape
    x = _embedding(graph)
    for layer in range(shape.layers):
        x = _layer(graph, x, f"l{layer}")
    axis = graph.constant("axis", np.array([1], dtype=np.int64))
    graph.node("ReduceMean", [x, axis], "mean", keepdims=0)
    graph.node("LpNormalization", ["mean"], "embedding", axis=-1, p=2)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, shape.hidden])]
    outputs += [
        # The name of the layers that read it is kept beside it, for `index.quantise`.
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None, " ".join(layers))
        for name, layers in graph.linear_inputs.items()
    ]
    if factors is not None:
        outputs += [
            # Without their shape, by which ONNX Runtime would join operators and round otherwise.
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in read_layers(shape.layers)
        ]
    body = helper.make_graph(graph.nodes, "encoder", [ids], outputs, graph.constants)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=_IR)
