"""An ONNX graph as the writer reads it: static shapes, constants as arrays, who reads what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import onnx
from onnx import numpy_helper

from shoal.compressor.passes.protocol import Array, PassError
from shoal.compressor.rejections import Rejection

_DOMAINS: Final = {"", "ai.onnx"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One operator; an absent optional input is the empty name."""

    index: int
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def input(self, place: int) -> str:
        """The name of an input, empty where it is absent."""
        return self.inputs[place] if place < len(self.inputs) else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """`shapes` and `dtypes` (onnx's numbers) know every value; all dimensions are fixed."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, int]
    opset: int

    def readers(self, name: str) -> list[Node]:
        """The nodes that read a value."""
        return [node for node in self.nodes if name in node.inputs]


def read(model: onnx.ModelProto, constants: Mapping[str, Array]) -> Graph:
    """The graph with its row axis at 1, and `constants` in place of inputs fed whole.

    Raises:
        PassError: UnsupportedOperator, a shape that no file with static shapes can hold.
    """
    fixed = _fixed(model, constants)
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, int] = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        dtypes[value.name] = kind.elem_type
        if kind.HasField("shape") and all(dims):
            shapes[value.name] = tuple(dims)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in inferred.initializer}
    nodes = []
    for index, node in enumerate(inferred.node):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.domain not in _DOMAINS:
            raise refusal(f"{node.domain}.{node.op_type} has no form in LiteRT")
        if node.op_type == "Constant":
            stored[node.output[0]] = _constant(attributes)
            continue
        nodes.append(
            Node(
                index=index,
                kind=node.op_type,
                inputs=tuple(node.input),
                outputs=tuple(node.output),
                attributes=attributes,
            )
        )
    shapes |= {name: array.shape for name, array in stored.items()}
    return Graph(
        nodes=tuple(nodes),
        constants=stored,
        inputs=tuple(value.name for value in inferred.input if value.name not in stored),
        outputs=tuple(value.name for value in inferred.output),
        shapes=shapes,
        dtypes=dtypes,
        opset=next(o.version for o in model.opset_import if o.domain in _DOMAINS),
    )


def refusal(message: str) -> PassError:
    """The error for a graph that cannot be written for LiteRT."""
    return PassError(Rejection.UNSUPPORTED_OPERATOR, message)


def _fixed(model: onnx.ModelProto, constants: Mapping[str, Array]) -> onnx.ModelProto:
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    graph = fixed.graph
    stored = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        for place, dim in enumerate(value.type.tensor_type.shape.dim):
            if value.name in constants:
                dim.dim_value = constants[value.name].shape[place]
            elif not dim.dim_value and place == 0:
                dim.dim_value = 1
            elif not dim.dim_value and value.name not in stored:
                raise refusal(f"the input {value.name!r} has an open axis besides its rows")
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    return fixed


def _constant(attributes: Mapping[str, Any]) -> Array:
    value = attributes.get("value")
    if not isinstance(value, onnx.TensorProto):
        raise refusal("a Constant that is no plain tensor has no form in LiteRT")
    return numpy_helper.to_array(value)
