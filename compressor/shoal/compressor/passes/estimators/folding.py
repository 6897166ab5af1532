"""Folds what scales the columns of a table into the matrix product that follows.

A scaler and a linear model are one linear model:

    ((x - m) * s) W + b  =  x (s W) + (b - (m s) W)

    m = 2, s = 3, W = 5, b = 7: (x - 2) * 15 + 7  =  15 x - 23
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]


def fold(model: onnx.ModelProto, value: str) -> None:
    """Makes one Gemm of the scaling of `value` and the product behind it, if that is what follows.

    Works on graphs whose steps are written with plain operators; others are left as they are.
    """
    graph = model.graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    gone: list[onnx.NodeProto] = []
    factor, shift = np.ones(()), np.zeros(())
    at = value
    while (node := _only_reader(graph, at)) is not None:
        constant = next((stored[one] for one in node.input if one in stored), None)
        if constant is None or len(node.input) != 2:
            return
        number = constant.astype(np.float64)
        first = node.input[0] == at
        gone.append(node)
        at = node.output[0]
        match node.op_type:
            case "Sub" if first:
                shift = shift - number
            case "Add":
                shift = shift + number
            case "Mul":
                factor, shift = factor * number, shift * number
            case "Div" if first:
                factor, shift = factor / number, shift / number
            case "MatMul" if first and number.ndim == 2:
                _write(graph, (value, at), gone, (factor, shift, number))
                return
            case _:
                return


def _only_reader(graph: onnx.GraphProto, value: str) -> onnx.NodeProto | None:
    readers = [node for node in graph.node if value in node.input]
    kept = any(value == one.name for one in graph.output)
    return readers[0] if len(readers) == 1 and not kept else None


def _write(
    graph: onnx.GraphProto,
    ends: tuple[str, str],
    gone: list[onnx.NodeProto],
    affine: tuple[Array, Array, Array],
) -> None:
    """One Gemm from the first to the last of `ends`, and an Add of a constant behind it too."""
    value, at = ends
    factor, shift, weight_IO = affine  # noqa: N806 - (in, out)
    inner = weight_IO.shape[0]
    bias = np.broadcast_to(shift, (1, inner)).reshape(inner) @ weight_IO
    weight_IO = np.broadcast_to(factor, (1, inner)).reshape(inner, 1) * weight_IO  # noqa: N806
    stored = {one.name: one for one in graph.initializer}
    after = _only_reader(graph, at)
    if after is not None and after.op_type == "Add":
        added = next((stored[one] for one in after.input if one in stored), None)
        if added is not None and numpy_helper.to_array(added).size == weight_IO.shape[1]:
            bias = bias + numpy_helper.to_array(added).reshape(-1).astype(np.float64)
            gone.append(after)
            at = after.output[0]
    place = list(graph.node).index(gone[0])
    for node in gone:
        graph.node.remove(node)
    names = ("folded_weights", "folded_bias")
    for name, array in zip(names, (weight_IO, bias), strict=True):
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
    graph.node.insert(place, helper.make_node("Gemm", [value, *names], [at]))
    read = {name for node in graph.node for name in node.input}
    kept = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
