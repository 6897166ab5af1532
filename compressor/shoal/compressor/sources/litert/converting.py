"""Turns the values of a `.tflite` graph into one ONNX graph, operator by operator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import onnx

from shoal.compressor.sources.litert import dense, pointwise, shaping, spatial
from shoal.compressor.sources.litert.building import Building, ClosedRowsError, refuse
from shoal.compressor.sources.litert.values import Graph, Operator

Reader = Callable[[Building, Operator], None]

OPERATORS: Final[Mapping[str, Reader]] = {
    "CONV_2D": spatial.conv,
    "DEPTHWISE_CONV_2D": spatial.depthwise,
    "TRANSPOSE_CONV": spatial.conv_transpose,
    "AVERAGE_POOL_2D": spatial.average_pool,
    "MAX_POOL_2D": spatial.max_pool,
    "RESIZE_BILINEAR": spatial.resize,
    "RESIZE_NEAREST_NEIGHBOR": spatial.resize,
    "DEPTH_TO_SPACE": spatial.blocks,
    "SPACE_TO_DEPTH": spatial.blocks,
    **dict.fromkeys(pointwise.BINARY, pointwise.binary),
    **dict.fromkeys(pointwise.UNARY, pointwise.unary),
    **dict.fromkeys(pointwise.CLIPS, pointwise.clip),
    "SQUARED_DIFFERENCE": pointwise.squared_difference,
    "RSQRT": pointwise.rsqrt,
    "SQUARE": pointwise.square,
    "LEAKY_RELU": pointwise.leaky_relu,
    "PRELU": pointwise.prelu,
    "QUANTIZE": pointwise.quantize,
    "DEQUANTIZE": pointwise.quantize,
    "CAST": pointwise.cast,
    "FULLY_CONNECTED": dense.fully_connected,
    "BATCH_MATMUL": dense.batch_matmul,
    "SOFTMAX": dense.softmax,
    "LOG_SOFTMAX": dense.softmax,
    **dict.fromkeys(dense.REDUCERS, dense.reduce),
    "ARG_MAX": dense.arg_max,
    "ARG_MIN": dense.arg_max,
    "RESHAPE": shaping.reshape,
    "SQUEEZE": shaping.reshape,
    "EXPAND_DIMS": shaping.reshape,
    "TRANSPOSE": shaping.transpose,
    "CONCATENATION": shaping.concat,
    "PAD": shaping.pad,
    "PADV2": shaping.pad,
    "STRIDED_SLICE": shaping.strided_slice,
    "SLICE": shaping.cut,
    "SPLIT": shaping.split,
    "PACK": shaping.pack,
    "GATHER": shaping.gather,
}
_MISSHAPEN: Final = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError),
    *(ZeroDivisionError, OverflowError),
)
_SHAPE_ONLY: Final = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE_CONV"}
_SHAPE_AT: Final = {"TRANSPOSE_CONV": {0}}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Converted:
    """The graph, and the name and layout (channels first) of each tensor's value in it."""

    model: onnx.ModelProto
    values: Mapping[int, tuple[str, bool]]


def convert(graph: Graph) -> Converted:
    """One ONNX graph; its row axis is open unless an operator mixes rows.

    Raises:
        InvalidError: ConversionFailed, naming every operator that has no form here.
    """
    graph = _unpacked(graph)
    live = _live(graph)
    unknown = sorted({operator.kind for operator in live} - set(OPERATORS))
    if unknown:
        raise refuse(f"no form in ONNX is known here for {', '.join(unknown)}")
    inputs = [graph.tensors[place] for place in graph.inputs]
    outputs = [graph.tensors[place] for place in graph.outputs]
    if all(one.open_rows or one.shape[:1] == (1,) for one in (*inputs, *outputs)):
        try:
            return _converted(graph, live, open_rows=True)
        except ClosedRowsError:
            pass
    return _converted(graph, live, open_rows=False)


def _converted(graph: Graph, live: list[Operator], *, open_rows: bool) -> Converted:
    building = Building(graph, open_rows=open_rows)
    for operator in live:
        try:
            OPERATORS[operator.kind](building, operator)
        except _MISSHAPEN:
            raise refuse(
                f"an operator {operator.kind} of the model has parts that do not fit each other"
            ) from None
    model = building.finish()
    named = ((place, building.name_of(place)) for one in live for place in one.outputs)
    return Converted(model=model, values={place: name for place, name in named if name})


def _unpacked(graph: Graph) -> Graph:
    """The graph with weights that are stored in fewer bits, and only unpacked, as plain floats."""
    tensors = list(graph.tensors)
    operators = []
    for operator in graph.operators:
        stored = operator.kind == "DEQUANTIZE" and tensors[operator.inputs[0]].data is not None
        if stored and not set(operator.outputs) & set(graph.outputs):
            numbers = tensors[operator.inputs[0]].numbers().astype(np.float32)
            made = operator.outputs[0]
            tensors[made] = replace(tensors[made], data=numbers, scale=None)
        else:
            operators.append(operator)
    return replace(graph, tensors=tuple(tensors), operators=tuple(operators))


def _live(graph: Graph) -> list[Operator]:
    """The operators that the outputs depend on; what computes mere shapes is left out."""
    needed = set(graph.outputs)
    live = []
    for operator in reversed(graph.operators):
        if not needed & set(operator.outputs):
            continue
        live.append(operator)
        shapes = _SHAPE_AT.get(operator.kind, {1} if operator.kind in _SHAPE_ONLY else set())
        needed |= {one for at, one in enumerate(operator.inputs) if one >= 0 and at not in shapes}
    return live[::-1]
