"""Moves outliers of activations into weights, where a scale a channel can hold them.

Source of the method: Xiao et al. 2022, "SmoothQuant" (arXiv 2211.10438). A product x w is also
(x / s) (s w). Channels of x that are far larger than the rest spend the 8 bits of all; with s they
are made even, and the rows of w, which have scales of their own by column, take the difference. How
far to go is measured for each input alone, by the error of its own products on calibration rows, as
Lin et al. 2023 do, "AWQ" (arXiv 2306.00978); not at all is among the choices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.passes import quantizer
from shoal.compressor.passes.protocol import Array, PassContext

STRENGTHS: Final = (0.5, 0.6, 0.7, 0.8, 0.9)  # 0 leaves all to x, 1 makes its channels equal
_ROWS_AT_MOST: Final = 16
_ROWS_AT_LEAST: Final = 2
_VALUES_AT_MOST: Final = 16_000_000  # of all inputs seen over the rows: 64 MB
_TINY: Final = 1e-5
_LEVELS: Final = 127
_STEPS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothed:
    """The rewritten graph, and the strength chosen for each input, by its name."""

    model: onnx.ModelProto
    strengths: Mapping[str, float]


def smoothed(model: onnx.ModelProto, exclude: Sequence[str], context: PassContext) -> Smoothed:
    """`model` with its products smoothed, but those whose outputs `exclude` names."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if _is_product(node, stored) and not set(node.output) & set(exclude):
            groups.setdefault(node.input[0], []).append(node)
    weights = {
        node.input[1]: numpy_helper.to_array(stored[node.input[1]])
        for nodes in groups.values()
        for node in nodes
    }
    seen = _inputs(model, list(groups), context)
    strengths: dict[str, float] = {}
    scales: dict[str, Array] = {}
    for name, nodes in groups.items():
        w_KN = [weights[node.input[1]] for node in nodes]  # noqa: N806 - shapes
        best = min(
            (_error(seen[name], w_KN, None), 0.0, None),
            *(
                (_error(seen[name], w_KN, scale), strength, scale)
                for strength in STRENGTHS
                for scale in (_scale(seen[name], w_KN, strength),)
            ),
            key=lambda found: found[:2],
        )
        if best[2] is not None:
            strengths[name], scales[name] = best[1], best[2]
    return Smoothed(model=_rewritten(model, groups, scales), strengths=strengths)


def _is_product(node: onnx.NodeProto, stored: Mapping[str, onnx.TensorProto]) -> bool:
    weight = stored.get(node.input[1]) if node.op_type == "MatMul" else None
    return weight is not None and weight.data_type == TensorProto.FLOAT and len(weight.dims) == 2


def _inputs(
    model: onnx.ModelProto, names: Sequence[str], context: PassContext
) -> dict[str, list[Array]]:
    """What the products read, row by row, each as (positions, channels)."""
    from shoal.compressor.evaluate import session  # noqa: PLC0415 - not paid by a cached run

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    given = {value.name for value in (*watched.graph.input, *watched.graph.output)}
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if name not in given
    )
    opened: Any = session.open_session(watched.SerializeToString(), context.threads)
    asked = [name for name in names if name not in {value.name for value in model.graph.input}]
    seen: dict[str, list[Array]] = {name: [] for name in names}
    for count, feed in enumerate(quantizer.feeds(context)):
        values = sum(array.size for arrays in seen.values() for array in arrays)
        if count >= _ROWS_AT_MOST or (count >= _ROWS_AT_LEAST and values > _VALUES_AT_MOST):
            break
        inner = opened.run(asked, feed) if asked else ()  # asked for nothing, it gives everything
        found = {**feed, **dict(zip(asked, inner, strict=True))}
        for name in names:
            seen[name].append(found[name].reshape(-1, found[name].shape[-1]))
    return seen


def _scale(rows: Sequence[Array], weights: Sequence[Array], strength: float) -> Array:
    """One factor a channel, their geometric mean 1: the paper's max|x|^a / max|w|^(1-a)."""
    x_K = np.max([np.abs(row).max(axis=0) for row in rows], axis=0)  # noqa: N806 - shapes
    w_K = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)  # noqa: N806
    logarithm = strength * np.log(np.maximum(x_K, _TINY))
    logarithm -= (1 - strength) * np.log(np.maximum(w_K, _TINY))
    return np.asarray(np.exp(logarithm - logarithm.mean()), np.float32)


def _error(rows: Sequence[Array], weights: Sequence[Array], scale: Array | None) -> float:
    """The squared error of all products in 8 bits, if roundings are independent of one another.

    Channel by channel, what rounding x loses times the power of w, and the reverse. Multiplying the
    rounded matrices out says nearly the same and takes a hundred times as long.
    """
    even = [row if scale is None else row / scale for row in rows]
    x_power_K = sum(np.square(row).sum(axis=0) for row in even)  # noqa: N806 - shapes
    x_lost_K = sum(np.square(_rounded_row(row) - row).sum(axis=0) for row in even)  # noqa: N806
    total = 0.0
    for weight in weights:
        tall = weight if scale is None else weight * scale[:, None]
        w_power_K = np.square(tall).sum(axis=1)  # noqa: N806
        w_lost_K = np.square(_rounded_columns(tall) - tall).sum(axis=1)  # noqa: N806
        total += float((x_lost_K * w_power_K + x_power_K * w_lost_K).sum())
    return total


def _rounded_row(x_TK: Array) -> Array:  # noqa: N803 - shapes
    """In 255 steps between its least and greatest value, as dynamic int8 does at each inference."""
    low, high = min(float(x_TK.min()), 0.0), max(float(x_TK.max()), 0.0)
    step = np.float32((high - low) / _STEPS or 1.0)
    return np.asarray(np.round(x_TK / step) * step, np.float32)


def _rounded_columns(w_KN: Array) -> Array:  # noqa: N803 - shapes
    step = np.maximum(np.abs(w_KN).max(axis=0, keepdims=True) / _LEVELS, _TINY * _TINY)
    return np.asarray(np.round(w_KN / step) * step, np.float32)


def _rewritten(
    model: onnx.ModelProto,
    groups: Mapping[str, Sequence[onnx.NodeProto]],
    scales: Mapping[str, Array],
) -> onnx.ModelProto:
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    graph = rewritten.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    members = {
        node.output[0]: name for name, nodes in groups.items() if name in scales for node in nodes
    }
    nodes: list[onnx.NodeProto] = []
    begun: set[str] = set()
    for node in graph.node:
        name = members.get(node.output[0]) if node.output else None
        if name is not None:
            if name not in begun:
                begun.add(name)
                nodes.append(helper.make_node("Mul", [name, f"{name}/even"], [f"{name}/smooth"]))
                graph.initializer.append(numpy_helper.from_array(1 / scales[name], f"{name}/even"))
            taller = numpy_helper.to_array(stored[node.input[1]]) * scales[name][:, None]
            node.input[0], node.input[1] = f"{name}/smooth", f"{node.output[0]}/weight"
            graph.initializer.append(numpy_helper.from_array(taller, node.input[1]))
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(nodes)
    return rewritten
