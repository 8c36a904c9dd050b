"""The bundled model as an ONNX graph, made straight from the weight file.

A BERT encoder (Devlin et al. 2019), mean pooling, rows of length 1, built with ONNX Runtime's
fused operators, so that neither torch nor a network is needed. Linear layers are int8: weights
symmetric with one scale an output, activations with one range a call, found as the call runs. The
range is that of everything in the call, so a call must hold ONE text; then a text's vector depends
on nothing but the text. The table of word vectors keeps the 4-bit blocks of the weight file.

Input: `input_ids`, int64, (1, tokens), 1 to 512 tokens with the special ones. Output: `embedding`,
float32, (1, hidden), length 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from index.weights import BLOCK, WeightFile

_FUSED = "com.microsoft"
_OPSET = 20
_IR = 10


class _Graph:
    """Collects nodes and constants; every node has one output, named as the node."""

    def __init__(self, weights: WeightFile) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def vector(self, name: str) -> str:
        return self.constant(name, self.weights.vector(name))

    def node(
        self, op: str, inputs: Sequence[str], name: str, domain: str = "", **attributes: object
    ) -> str:
        self.nodes.append(
            helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def linear(self, x: str, name: str, columns: int) -> str:
        """`x` times a quantised linear layer's weights; the bias is left to the next node."""
        weight = self.weights.matrix(f"{name}.w", columns)
        scale = np.abs(weight).max(axis=1) / np.float32(127)
        scale[scale == 0] = 1.0
        rounded = np.rint(weight / scale[:, None]).astype(np.int8)
        return self.node(
            "DynamicQuantizeMatMul",
            [x, self.constant(f"{name}.int8", rounded.T), self.constant(f"{name}.scale", scale)],
            f"{name}.out",
            _FUSED,
        )

    def normalised_sum(self, inputs: Sequence[str], name: str) -> str:
        """Layer normalisation of the inputs' sum; a third input is a bias."""
        first, second, *bias = inputs
        terms = [first, second, self.vector(f"{name}.w"), self.vector(f"{name}.b"), *bias]
        epsilon = self.weights.shape.epsilon
        return self.node("SkipLayerNormalization", terms, f"{name}.out", _FUSED, epsilon=epsilon)


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
    return graph.normalised_sum([words, places], "emb.ln")


def _layer(graph: _Graph, x: str, name: str) -> str:
    """One transformer layer: attention, then the feed-forward network, each normalised after."""
    weights, shape = graph.weights, graph.weights.shape
    projected = [graph.linear(x, f"{name}.{part}", shape.hidden) for part in "qkv"]
    bias = np.concatenate([weights.vector(f"{name}.{part}.b") for part in "qkv"])
    attended = graph.node(
        "MultiHeadAttention",
        [*projected, graph.constant(f"{name}.qkv.b", bias)],
        f"{name}.attended",
        _FUSED,
        num_heads=shape.heads,
    )
    mixed = graph.linear(attended, f"{name}.ao", shape.hidden)
    x = graph.normalised_sum([mixed, x, graph.vector(f"{name}.ao.b")], f"{name}.aln")
    inner = graph.linear(x, f"{name}.fi", shape.hidden)
    inner = graph.node("BiasGelu", [inner, graph.vector(f"{name}.fi.b")], f"{name}.gelu", _FUSED)
    inner = graph.linear(inner, f"{name}.fo", shape.ffn)
    return graph.normalised_sum([inner, x, graph.vector(f"{name}.fo.b")], f"{name}.oln")


def build(weights: WeightFile) -> onnx.ModelProto:
    """The whole encoder, input and output as the module says.

    Raises:
        ValueError: the weight file lacks a tensor.
    """
    graph = _Graph(weights)
    shape = weights.shape
    x = _embedding(graph)
    for layer in range(shape.layers):
        x = _layer(graph, x, f"l{layer}")
    axis = graph.constant("axis", np.array([1], dtype=np.int64))
    graph.node("ReduceMean", [x, axis], "mean", keepdims=0)
    graph.node("LpNormalization", ["mean"], "embedding", axis=-1, p=2)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, shape.hidden])
    body = helper.make_graph(graph.nodes, "encoder", [ids], [out], graph.constants)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=_IR)
