"""What a graph is made of, as far as a plan depends on it: pure, and cheap on any size."""

import enum
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx

from shoal.compressor.passes.quantize_rows import tables

_DENSE: Final = frozenset({"MatMul", "Gemm"})
_CONVOLUTIONS: Final = frozenset({"Conv", "ConvTranspose"})
_RECURRENT: Final = frozenset({"LSTM", "GRU", "RNN"})
_TREES: Final = frozenset({"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_ATTENDING: Final = frozenset({"Softmax", "Attention", "MultiHeadAttention"})


class Family(enum.StrEnum):
    """The class of networks that a graph belongs to, by where its weights lie."""

    CONVOLUTIONAL = "convolutional"
    TRANSFORMER = "transformer"
    DENSE = "dense"
    RECURRENT = "recurrent"
    TREES = "trees"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Operators with their counts (sorted by name), and bytes of stored weights by their readers.

    `table_bytes` are float tables that Gather alone reads; `float_bytes` all floats stored outside
    bodies of control flow; `quantized` is true of a graph that came with integer operators.
    """

    operators: tuple[tuple[str, int], ...]
    nodes: int
    float_bytes: int
    convolution_bytes: int
    dense_bytes: int
    recurrent_bytes: int
    table_bytes: int
    quantized: bool

    def count(self, *operators: str) -> int:
        """How many nodes are of these types."""
        return sum(number for name, number in self.operators if name in operators)

    @property
    def family(self) -> Family:
        """Example: a BERT has its weights in MatMul and softmaxes between them: a transformer."""
        if self.count(*_TREES):
            return Family.TREES
        largest = max(self.convolution_bytes, self.dense_bytes, self.recurrent_bytes)
        if largest == 0:
            return Family.OTHER
        if largest == self.recurrent_bytes:
            return Family.RECURRENT
        if self.count(*_CONVOLUTIONS) and not self._attends:
            return Family.CONVOLUTIONAL
        if self._attends and largest == self.dense_bytes:
            return Family.TRANSFORMER
        return Family.DENSE if largest == self.dense_bytes else Family.CONVOLUTIONAL

    @property
    def _attends(self) -> bool:
        return self.count("LayerNormalization", "SkipLayerNormalization") > 0 and (
            self.count(*_ATTENDING) > 0
        )


def read(model: onnx.ModelProto) -> Facts:
    """The facts of a graph."""
    graph = model.graph
    stored = {
        tensor.name: int(np.prod(tensor.dims)) * np.dtype(np.float32).itemsize
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    counted = Counter(node.op_type for node in graph.node)
    return Facts(
        operators=tuple(sorted(counted.items())),
        nodes=len(graph.node),
        float_bytes=sum(stored.values()),
        convolution_bytes=_read_by(graph, _CONVOLUTIONS, stored),
        dense_bytes=_read_by(graph, _DENSE, stored),
        recurrent_bytes=_read_by(graph, _RECURRENT, stored),
        table_bytes=sum(stored[name] for name in tables(model)),
        quantized=any(
            "Integer" in name or name.startswith(("QLinear", "Quantize")) for name in counted
        ),
    )


def _read_by(graph: onnx.GraphProto, operators: frozenset[str], stored: dict[str, int]) -> int:
    read = {name for node in graph.node if node.op_type in operators for name in node.input}
    return sum(stored[name] for name in read & set(stored))
