"""Divides stored tensors that are larger than a stage may be: tables by rows, matrices by columns.

A table that rows are looked up in (Gather on its first axis) becomes tables of some rows each;
every part answers for its own rows and a selection keeps the right one. A matrix that is multiplied
from the right becomes blocks of columns, whose products are put side by side. Both leave every
number as it is, for no sum is taken apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.analyse import liveness
from shoal.compressor.analyse.trace import Seen
from shoal.compressor.sources.rows import Array

_SELECTABLE: Final = {"float32", "float64", "int32", "int64", "uint8"}  # that Where has kernels for
_MATRIX: Final = {  # products, and which input is the stored matrix
    **dict.fromkeys(("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "MatMulInteger"), 1),
    **dict.fromkeys(("DynamicQuantizeMatMul", "MatMulIntegerToFloat"), 1),
    **dict.fromkeys(("QLinearMatMul", "QGemm"), 3),
}
_PACKED_TWICE: Final = 2
_OPSET_AT_LEAST: Final = 13  # Unsqueeze takes its axes as a tensor since
_BESIDE_BYTES: Final = 1 << 18  # left for the activations and nodes around a part


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One Gather over a stored table, and how many rows a part may have."""

    node: onnx.NodeProto
    rows: Array
    index_rank: int
    part_rows: int


def divided(
    model: onnx.ModelProto, tensors: Mapping[str, Seen], limit_bytes: int
) -> onnx.ModelProto:
    """`model` with every stored tensor that no stage of `limit_bytes` could hold in parts."""
    room = limit_bytes - _BESIDE_BYTES
    opset = next((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), 0)
    if room <= 0 or opset < _OPSET_AT_LEAST:
        return model
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes: list[onnx.NodeProto] = []
    for number, node in enumerate(model.graph.node):
        table = _large_table(node, stored, tensors, room)
        matrix = None if table else _large_matrix(node, stored, tensors, room)
        if table is not None:
            nodes += _table_parts(table, result.graph, f"t{number}_")
        elif matrix is not None:
            nodes += _matrix_parts(node, matrix, result.graph, f"m{number}_")
        else:
            nodes.append(node)
    if len(nodes) == len(model.graph.node):
        return result
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    _drop_unread(result.graph)
    return result


def _large_table(
    node: onnx.NodeProto,
    stored: Mapping[str, onnx.TensorProto],
    tensors: Mapping[str, Seen],
    room: int,
) -> _Table | None:
    if node.op_type != "Gather" or node.input[0] not in stored or _attribute(node, "axis", 0):
        return None
    tensor, index = stored[node.input[0]], tensors[node.input[1]]
    size = tensors[tensor.name].bytes
    if size <= room or not tensors[tensor.name].dtype:
        return None
    rows = numpy_helper.to_array(tensor)
    parts = -(-size // room)
    return _Table(
        node=node, rows=rows, index_rank=len(index.shape), part_rows=-(-len(rows) // parts)
    )


def _table_parts(table: _Table, graph: onnx.GraphProto, prefix: str) -> list[onnx.NodeProto]:
    """The lookup part by part.

    Example: rows 0-9 in parts of 4. Index 5 asks the parts for rows 3 (5 clipped), 1 and 0, and the
    selection keeps the second: 5 is not below 4, and below 8.
    """
    write = _Writing(graph, prefix)
    count = len(table.rows)
    dtype = table.rows.dtype
    between = dtype if dtype.name in _SELECTABLE else _wider(dtype)
    index = _wrapped_index(write, table.node.input[1], count)
    kept = ""
    for start in range(0, count, table.part_rows):
        part = table.rows[start : start + table.part_rows]
        moved = write.node("Sub", index, write.number(start))
        local = write.node(
            "Min", write.node("Max", moved, write.number(0)), write.number(len(part) - 1)
        )
        found = write.node("Gather", write.weight(part), local)
        if between != dtype:
            found = write.node("Cast", found, to=helper.np_dtype_to_tensor_dtype(between))
        if kept:
            below = write.node("Less", index, write.number(start))
            axes = np.arange(table.index_rank, table.index_rank + table.rows.ndim - 1)
            shaped = write.node("Unsqueeze", below, write.weight(axes)) if len(axes) else below
            found = write.node("Where", shaped, kept, found)
        kept = found
    last = write.nodes[-1]
    if between != dtype:
        last = helper.make_node(
            "Cast", [kept], [kept + "_"], to=helper.np_dtype_to_tensor_dtype(dtype)
        )
        write.nodes.append(last)
    last.output[0] = table.node.output[0]
    return write.nodes


def _wrapped_index(write: "_Writing", name: str, count: int) -> str:
    """int64 rows from the front: Gather counts negative ones from the end."""
    index = write.node("Cast", name, to=TensorProto.INT64)
    behind = write.node("Less", index, write.number(0))
    return write.node("Where", behind, write.node("Add", index, write.number(count)), index)


def _wider(dtype: "np.dtype[Any]") -> "np.dtype[Any]":
    return np.dtype(np.float32) if dtype.kind == "f" else np.dtype(np.int64)


def _large_matrix(
    node: onnx.NodeProto,
    stored: Mapping[str, onnx.TensorProto],
    tensors: Mapping[str, Seen],
    room: int,
) -> int | None:
    """How many columns a part may have; None where the node is no such product or small."""
    place = _MATRIX.get(node.op_type)
    if place is None or node.input[place] not in stored:
        return None
    seen = tensors[node.input[place]]
    if len(seen.shape) != 2 or seen.bytes * _PACKED_TWICE <= room:
        return None
    parts = -(-seen.bytes * _PACKED_TWICE // room)
    return -(-seen.shape[_columns_axis(node)] // parts)


def _matrix_parts(
    node: onnx.NodeProto, columns: int, graph: onnx.GraphProto, prefix: str
) -> list[onnx.NodeProto]:
    """The product block by block; scales, zero points and bias by column are divided with it."""
    write = _Writing(graph, prefix)
    read = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name in node.input
    }
    matrix, axis = node.input[_MATRIX[node.op_type]], _columns_axis(node)
    count = read[matrix].shape[axis]
    products = []
    for start in range(0, count, columns):
        places = range(start, min(start + columns, count))
        inputs = []
        for name in node.input:
            array = read.get(name)
            if array is None:
                inputs.append(name)
            elif name == matrix:
                inputs.append(write.weight(np.ascontiguousarray(array.take(places, axis))))
            elif array.ndim and count > 1 and array.shape[-1] == count:
                inputs.append(write.weight(np.ascontiguousarray(array[..., places])))
            else:
                inputs.append(name)
        products.append(write.like(node, inputs))
    write.node("Concat", *products, axis=-1)
    write.nodes[-1].output[0] = node.output[0]
    return write.nodes


def _columns_axis(node: onnx.NodeProto) -> int:
    return 0 if _attribute(node, "transB", 0) else 1


class _Writing:
    """Nodes and weights with fresh names."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._graph = graph
        self._prefix = prefix
        self._count = 0

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node; the name of what it makes."""
        name = self._fresh()
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def like(self, node: onnx.NodeProto, inputs: list[str]) -> str:
        """Adds a node as `node` is, over other inputs; the name of what it makes."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        name = self._fresh()
        copy.input[:], copy.output[:] = inputs, [name]
        self.nodes.append(copy)
        return name

    def weight(self, array: Array) -> str:
        """Adds a stored tensor; its name."""
        name = self._fresh()
        self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def number(self, value: int) -> str:
        """Adds a stored int64."""
        return self.weight(np.array(value, np.int64))

    def _fresh(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in liveness.names_read(node)}
    read |= {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
