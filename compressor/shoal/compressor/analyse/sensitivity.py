"""How much each layer suffers from int8, one layer at a time, measured on calibration rows.

One weighted layer after another gets 8-bit weights (symmetric, per output channel) and an 8-bit
input (affine, by its least and greatest value) while the rest stays in float. The answer is the
signal-to-noise ratio at the answering output: the lowest names the layer to keep in float.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shoal.compressor.evaluate import session
from shoal.compressor.passes.protocol import PassContext
from shoal.compressor.passes.quantize import WEIGHT_OPERATORS
from shoal.compressor.passes.quantizer import feeds
from shoal.compressor.sources.rows import Array

_ROWS: Final = 24
_LAYERS_AT_MOST: Final = 48
_NOISELESS_DB: Final = 120.0
_LEVELS: Final = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One weighted layer: `name` is its output, `sqnr_db` what is left when it alone is int8.

    `title` is what the source calls it, where cleaning kept the layers in order.
    """

    name: str
    title: str
    operator: str
    weights: int
    sqnr_db: float


def layers(model: onnx.ModelProto, context: PassContext) -> tuple[Layer, ...]:
    """The largest layers of `model`, most sensitive first; empty where none has stored weights."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    weighted = [
        node
        for node in model.graph.node
        if node.op_type in WEIGHT_OPERATORS and _is_float32(stored.get(node.input[1]))
    ]
    titles = _titles(weighted, context.source)
    weighted.sort(key=lambda node: -int(np.prod(stored[node.input[1]].dims)))
    rows = [feed for feed, _ in zip(feeds(context), range(_ROWS), strict=False)]
    if not weighted or not rows:
        return ()
    truth = _answers(model, rows, [context.output])
    ranges = _ranges(model, [node.input[0] for node in weighted[:_LAYERS_AT_MOST]], rows)
    found = []
    for node in weighted[:_LAYERS_AT_MOST]:
        coarse = _coarse(model, node, ranges.get(node.input[0]))
        answers = _answers(coarse, rows, [context.output])
        tensor = stored[node.input[1]]
        found.append(
            Layer(
                name=node.output[0],
                title=titles.get(node.output[0], node.output[0]),
                operator=node.op_type,
                weights=int(np.prod(tensor.dims)),
                sqnr_db=round(_sqnr_db(truth[0], answers[0]), 1),
            )
        )
    return tuple(sorted(found, key=lambda layer: (layer.sqnr_db, layer.name)))


def _is_float32(weight: onnx.TensorProto | None) -> bool:
    return weight is not None and weight.data_type == onnx.TensorProto.FLOAT


def _titles(weighted: Sequence[onnx.NodeProto], source: onnx.ModelProto) -> dict[str, str]:
    """Names of the source's layers by the cleaned ones' outputs, matched by place."""
    theirs = [node for node in source.graph.node if node.op_type in WEIGHT_OPERATORS]
    if len(theirs) != len(weighted):
        return {}
    return {
        ours.output[0]: named.name or named.output[0]
        for ours, named in zip(weighted, theirs, strict=True)
    }


def _sqnr_db(truth: Array, answers: Array) -> float:
    signal = float((truth.astype(np.float64) ** 2).sum())
    noise = float(((truth.astype(np.float64) - answers) ** 2).sum())
    if noise == 0 or signal == 0:
        return _NOISELESS_DB if noise == 0 else 0.0
    return min(10 * float(np.log10(signal / noise)), _NOISELESS_DB)


def _ranges(
    model: onnx.ModelProto, names: Sequence[str], rows: Sequence[dict[str, Array]]
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of inner tensors over the rows."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    given = {value.name for value in (*watched.graph.input, *watched.graph.output)}
    inner = [name for name in dict.fromkeys(names) if name not in given]
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inner
    )
    ranges = {}
    if inner:
        for name, values in zip(inner, _answers(watched, rows, inner), strict=True):
            ranges[name] = (float(values.min()), float(values.max()))
    for name in set(names) - set(inner):
        if name in rows[0]:
            fed = np.stack([row[name] for row in rows])
            ranges[name] = (float(fed.min()), float(fed.max()))
    return ranges


def _coarse(
    model: onnx.ModelProto, node: onnx.NodeProto, span: tuple[float, float] | None
) -> onnx.ModelProto:
    """`model` with the weights of `node`, and its input where the range is known, in 8 bits."""
    coarse = onnx.ModelProto()
    coarse.CopyFrom(model)
    graph = coarse.graph
    index = next(i for i, one in enumerate(graph.node) if one.output[0] == node.output[0])
    target = graph.node[index]
    weight = next(t for t in graph.initializer if t.name == target.input[1])
    axis = weight_axis(target)
    rounded = numpy_helper.from_array(_round_weights(numpy_helper.to_array(weight), axis), "q_w")
    graph.initializer.append(rounded)
    target.input[1] = "q_w"
    if span is not None:
        low, high = min(span[0], 0.0), max(span[1], 0.0)
        scale = np.float32((high - low) / (2 * _LEVELS + 1) or 1.0)
        zero = np.uint8(np.clip(round(-low / float(scale)), 0, 255))
        graph.initializer.append(numpy_helper.from_array(np.asarray(scale), "q_s"))
        graph.initializer.append(numpy_helper.from_array(np.asarray(zero), "q_z"))
        source = target.input[0]
        target.input[0] = "q_x"
        graph.node.insert(
            index, helper.make_node("DequantizeLinear", ["q_q", "q_s", "q_z"], ["q_x"])
        )
        graph.node.insert(
            index, helper.make_node("QuantizeLinear", [source, "q_s", "q_z"], ["q_q"])
        )
    return coarse


def weight_axis(node: onnx.NodeProto) -> int:
    """The axis of output channels in a weight: Conv 0, MatMul last, Gemm by its transB."""
    if node.op_type == "Conv":
        return 0
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "Gemm" and transposed else -1


def _round_weights(weight: Array, axis: int) -> Array:
    moved = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    scale = np.abs(moved).max(axis=1, keepdims=True) / _LEVELS
    scale[scale == 0] = 1.0
    rounded = np.round(moved / scale) * scale
    shape = np.moveaxis(weight, axis, 0).shape
    result: Array = np.moveaxis(rounded.reshape(shape), 0, axis).astype(weight.dtype)
    return np.ascontiguousarray(result)


def _answers(
    model: onnx.ModelProto, rows: Sequence[dict[str, Array]], outputs: Sequence[str]
) -> list[Array]:
    opened: Any = session.open_session(model.SerializeToString(), 1)
    answers = [opened.run(list(outputs), row) for row in rows]
    return [np.stack([row[i] for row in answers]) for i in range(len(outputs))]
