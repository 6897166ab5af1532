"""The ONNX graph while it is built: both layouts of every value, Q/DQ pairs, the row axis.

LiteRT keeps channels last, ONNX first. A value of four dimensions may exist as the file has it
(`plain`), with channels first, or both; a transpose is written only where the other layout is what
exists. A value of one channel, or of one row and column, moves nothing and is reshaped.

A quantized value stands behind a pair of QuantizeLinear and DequantizeLinear with the file's own
scale: the graph computes in float and rounds where LiteRT rounds, and onnxruntime fuses the pairs
into integer operators.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.sources.litert import parsing
from shoal.compressor.sources.litert.values import Graph, Operator, Scale, Tensor
from shoal.compressor.sources.rows import Array
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

OPSET: Final = 17
ROWS: Final = "N"
TO_FIRST: Final = (0, 3, 1, 2)
TO_LAST: Final = (0, 2, 3, 1)
_ACTIVATIONS: Final = {1: "Relu", 4: "Tanh"}
_BOUNDS: Final = {2: (-1.0, 1.0), 3: (0.0, 6.0)}


class ClosedRowsError(Exception):
    """An operator mixes rows, so that the graph holds for the file's own number of rows alone."""


class Building:
    """One graph under way. `open_rows` says whether the row axis is symbolic."""

    def __init__(self, graph: Graph, *, open_rows: bool) -> None:
        self.graph = graph
        self.open_rows = open_rows
        self.nodes: list[onnx.NodeProto] = []
        self._stored: list[onnx.TensorProto] = []
        self._plain: dict[int, str] = {}
        self._first: dict[int, str] = {}
        self._fresh = 0
        for place in graph.inputs:
            self._plain[place] = graph.names[place]
            if self.tensor(place).is_quantized:
                self._plain[place] = self._rounded(graph.names[place], self.tensor(place))

    # -- values

    def tensor(self, place: int) -> Tensor:
        """The tensor at a place of the file."""
        return self.graph.tensors[place]

    def shape(self, place: int) -> tuple[int, ...]:
        """Its shape as the file has it."""
        return self.tensor(place).shape

    def stored(self, place: int, what: str) -> Array:
        """The stored numbers of a tensor, dequantized.

        Raises:
            InvalidError: the graph computes it.
        """
        if place < 0 or self.tensor(place).data is None:
            raise refuse(f"{what} is computed by the graph, and ONNX needs it stored")
        return self.tensor(place).numbers()

    def is_stored(self, place: int) -> bool:
        """Whether a tensor is stored in the file."""
        return self.tensor(place).data is not None

    def prefers_first(self, place: int) -> bool:
        """Whether a value exists with channels first."""
        return place in self._first

    def plain(self, place: int) -> str:
        """The name of a value as the file lays it out."""
        if place not in self._plain:
            if self.is_stored(place):
                self._plain[place] = self.constant(self.tensor(place).numbers())
            else:
                name, shape = self._first[place], self.shape(place)
                self._plain[place] = self._moved(name, TO_LAST, shape, shape)
        return self._plain[place]

    def first(self, place: int) -> str:
        """The name of a value of four dimensions with channels first."""
        if place not in self._first:
            if self.is_stored(place):
                array = self.tensor(place).numbers()
                wide = array.reshape((1,) * (4 - array.ndim) + array.shape)
                self._first[place] = self.constant(wide.transpose(TO_FIRST))
            else:
                n, h, w, c = self.shape(place)
                self._first[place] = self._moved(
                    self.plain(place), TO_FIRST, (n, c, h, w), (n, h, w, c)
                )
        return self._first[place]

    # -- operators

    def put(self, operator: Operator, kind: str, inputs: Sequence[str], **attributes: Any) -> None:
        """An operator on values laid out as in the file, and what follows it there."""
        self.end(operator, self.node(kind, inputs, **attributes))

    def put_first(
        self, operator: Operator, kind: str, inputs: Sequence[str], **attributes: Any
    ) -> None:
        """An operator on values with channels first, and what follows it in the file."""
        self.end_first(operator, self.node(kind, inputs, **attributes))

    def end(self, operator: Operator, name: str) -> None:
        """`name` is what the operator makes: activation and rounding follow it."""
        self._plain[operator.outputs[0]] = self._finished(operator, name)

    def end_first(self, operator: Operator, name: str) -> None:
        """`name`, with channels first, is what the operator makes."""
        self._first[operator.outputs[0]] = self._finished(operator, name)

    def set_plain(self, place: int, name: str) -> None:
        """`name` is the value at this place, finished."""
        self._plain[place] = name

    def alias(self, place: int, source: int) -> None:
        """One value at two places, in the layout that exists."""
        if source in self._first:
            self._first[place] = self._first[source]
        else:
            self._plain[place] = self.plain(source)

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The name of what a new node makes."""
        name = self._name()
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array: Array) -> str:
        """The name of a stored array; half precision is widened."""
        if array.dtype == np.float16:
            array = array.astype(np.float32)
        name = self._name()
        self._stored.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def integers(self, numbers: Sequence[int]) -> str:
        """A stored vector of axes or sizes."""
        return self.constant(np.array(numbers, np.int64))

    def weight(self, place: int, perm: Sequence[int], what: str) -> str:
        """A stored tensor in another order of axes; a quantized one stays so behind its scale."""
        numbers = self.stored(place, what)
        tensor = self.tensor(place)
        if not tensor.is_quantized or tensor.scale is None or tensor.data is None:
            return self.constant(numbers.transpose(perm))
        axis = list(perm).index(tensor.scale.axis) if tensor.scale.scale.size > 1 else 0
        moved = self.constant(tensor.data.transpose(perm))
        return self._dequantized(moved, tensor.scale, tensor.dtype, axis)

    def bias(self, place: int, size: int) -> str:
        """A stored vector, zeros where the file has none; 32-bit steps stay behind their scale."""
        if place < 0:
            return self.constant(np.zeros(size, np.float32))
        tensor = self.tensor(place)
        if tensor.scale is None or tensor.data is None:
            return self.constant(self.stored(place, "a bias").astype(np.float32))
        return self._dequantized(self.constant(tensor.data), tensor.scale, tensor.dtype, 0)

    def reshaped(self, name: str, before: Sequence[int], after: Sequence[int]) -> str:
        """The same numbers in another shape; rows are copied, so that any number fits."""
        target = list(after)
        if self.open_rows:
            if not target or not before or before[0] != 1 or target[0] != 1:
                raise ClosedRowsError
            target[0] = 0
        return self.node("Reshape", [name, self.integers(target)])

    def finish(self) -> onnx.ModelProto:
        """The model; quantized edges are float outside."""
        inputs = [self._value(place, self.graph.names[place]) for place in self.graph.inputs]
        outputs = []
        for place in self.graph.outputs:
            name = self.graph.names[place]
            self.nodes.append(helper.make_node("Identity", [self.plain(place)], [name]))
            outputs.append(self._value(place, name))
        made = helper.make_graph(self.nodes, "g", inputs, outputs, self._stored)
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

    def name_of(self, place: int) -> tuple[str, bool] | None:
        """The name of a value, and whether it has channels first; None where it has no node."""
        if place in self._first:
            return self._first[place], True
        return (self._plain[place], False) if place in self._plain else None

    def _finished(self, operator: Operator, name: str) -> str:
        fused = _ACTIVATIONS.get(operator.option("fusedActivationFunction"))
        bounds = _BOUNDS.get(operator.option("fusedActivationFunction"))
        if bounds is not None:
            limits = [self.constant(np.array(one, np.float32)) for one in bounds]
            name = self.node("Clip", [name, *limits])
        elif fused is not None:
            name = self.node(fused, [name])
        tensor = self.tensor(operator.outputs[0])
        return self._rounded(name, tensor) if tensor.is_quantized else name

    def _rounded(self, name: str, tensor: Tensor) -> str:
        scale = tensor.scale
        if scale is None or scale.scale.size != 1:
            raise refuse(f"{tensor.name!r} is computed with a scale for each channel")
        step = self.constant(scale.scale.reshape(()))
        zero = self.constant(scale.zero_point.astype(tensor.dtype).reshape(()))
        steps = self.node("QuantizeLinear", [name, step, zero])
        return self.node("DequantizeLinear", [steps, step, zero])

    def _dequantized(self, name: str, scale: Scale, dtype: str, axis: int) -> str:
        vector = scale.scale.size > 1
        step = self.constant(scale.scale if vector else scale.scale.reshape(()))
        inputs = [name, step]
        if dtype != "int32":
            zero = scale.zero_point.astype(dtype)
            inputs.append(self.constant(zero if vector else zero.reshape(())))
        return self.node("DequantizeLinear", inputs, **({"axis": axis} if vector else {}))

    def _moved(
        self, name: str, perm: Sequence[int], shape: Sequence[int], last: Sequence[int]
    ) -> str:
        _, h, w, c = last
        if c == 1 or h * w == 1:
            target = [0 if self.open_rows else shape[0], *shape[1:]]
            return self.node("Reshape", [name, self.integers(target)])
        return self.node("Transpose", [name], perm=list(perm))

    def _value(self, place: int, name: str) -> onnx.ValueInfoProto:
        tensor = self.tensor(place)
        dtype = "float32" if tensor.is_quantized or tensor.dtype == "float16" else tensor.dtype
        shape: list[int | str] = list(tensor.shape)
        if self.open_rows:
            shape[0] = ROWS
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, element or TensorProto.FLOAT, shape)

    def _name(self) -> str:
        self._fresh += 1
        return f"v{self._fresh}"


def refuse(message: str) -> InvalidError:
    """The error for what has no form in ONNX."""
    return parsing.refuse(
        Reason.CONVERSION_FAILED,
        message,
        "export the network to ONNX where it was trained and give that file",
    )
