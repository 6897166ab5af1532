"""One graph in which any layer can be made coarse at run time, so that layers share a session.

Each probed layer reads its weight from an input and its activation through a rounding to 8 bits
that is passed by unless switched on. A session for each layer would write, parse and lay out the
whole model once a layer: minutes for a model of a hundred megabytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.evaluate import session
from shoal.compressor.sources.rows import Array

_LEVELS: Final = 127
_STEPS: Final = 2 * _LEVELS + 1
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one run gives: the answer, and each layer's input by the layer's name."""

    answer: Array
    inputs: Mapping[str, Array]


class Probe:
    """A session over `model` whose `layers` (their nodes; the output names one) can be rounded."""

    def __init__(
        self, model: onnx.ModelProto, layers: Sequence[onnx.NodeProto], output: str
    ) -> None:
        self._output = output
        self._read = {node.output[0]: node.input[0] for node in layers}
        self._places = {node.output[0]: place for place, node in enumerate(layers)}
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._weights = {
            node.output[0]: numpy_helper.to_array(stored[node.input[1]]) for node in layers
        }
        self._axes = {node.output[0]: weight_axis(node) for node in layers}
        self._switched_off: dict[str, Array] = {}
        for name, place in self._places.items():
            self._switched_off |= _settings(place, self._weights[name], None)
        graph = _switchable(model, self._places, self._weights, output)
        self._session: Any = session.open_session(graph.SerializeToString(), 1)
        given = {value.name for value in model.graph.input}
        self._inner = [name for name in dict.fromkeys(self._read.values()) if name not in given]

    def read(self, row: Mapping[str, Array]) -> Reading:
        """The untouched answer to a row, and what each layer reads on the way."""
        asked = [self._output, *(name for name in self._inner if name != self._output)]
        found = dict(
            zip(asked, self._session.run(asked, {**row, **self._switched_off}), strict=True)
        )
        seen = {**row, **found}
        return Reading(
            answer=found[self._output],
            inputs={layer: seen[name] for layer, name in self._read.items()},
        )

    def rounded(self, layer: str) -> Array:
        """The weight of `layer` in 8 bits, one scale a channel."""
        return _round_weights(self._weights[layer], self._axes[layer])

    def answer(self, row: Mapping[str, Array], layer: str, weight: Array, span: Span) -> Array:
        """The answer to a row with `layer` alone in 8 bits; its input ranges over `span`."""
        settings = _settings(self._places[layer], weight, span)
        (answer,) = self._session.run([self._output], {**row, **self._switched_off, **settings})
        found: Array = answer
        return found


def weight_axis(node: onnx.NodeProto) -> int:
    """The axis of output channels in a weight: Conv 0, MatMul last, Gemm by its transB."""
    if node.op_type == "Conv":
        return 0
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "Gemm" and transposed else -1


def _settings(place: int, weight: Array, span: Span | None) -> dict[str, Array]:
    """The inputs of one layer's switch; without a `span` its activation passes as it is.

    Example: a span from -1 to 1.55 has steps of 0.01, and zero is step 100.
    """
    low, high = (0.0, 0.0) if span is None else (min(span[0], 0.0), max(span[1], 0.0))
    scale = np.float32((high - low) / _STEPS or 1.0)
    return {
        f"probe/{place}/weight": weight,
        f"probe/{place}/scale": np.asarray(scale),
        f"probe/{place}/zero": np.asarray(np.uint8(np.clip(round(-low / float(scale)), 0, 255))),
        f"probe/{place}/on": np.asarray(span is not None),
    }


def _switchable(
    model: onnx.ModelProto, places: Mapping[str, int], weights: Mapping[str, Array], output: str
) -> onnx.ModelProto:
    switched = onnx.ModelProto()
    switched.CopyFrom(model)
    graph = switched.graph
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        name = node.output[0] if node.output else ""
        if name in places:
            nodes += _switch(node, places[name])
            graph.input.extend(_switch_inputs(places[name], weights[name]))
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    read = {
        name for node in model.graph.node if node.output[0] in places for name in node.input[:1]
    }
    given = {value.name for value in graph.input} | {output}
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in sorted(read - given)
    )
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unread(graph)
    return switched


def _switch(node: onnx.NodeProto, place: int) -> list[onnx.NodeProto]:
    """The rounding before `node`, which is led to it and to the weight that is fed."""
    scale, zero, on = (f"probe/{place}/{part}" for part in ("scale", "zero", "on"))
    source, steps, back = node.input[0], f"probe/{place}/steps", f"probe/{place}/back"
    node.input[0], node.input[1] = f"probe/{place}/x", f"probe/{place}/weight"
    return [
        helper.make_node("QuantizeLinear", [source, scale, zero], [steps]),
        helper.make_node("DequantizeLinear", [steps, scale, zero], [back]),
        helper.make_node("Where", [on, back, source], [node.input[0]]),
    ]


def _switch_inputs(place: int, weight: Array) -> list[onnx.ValueInfoProto]:
    kinds = (("scale", TensorProto.FLOAT), ("zero", TensorProto.UINT8), ("on", TensorProto.BOOL))
    return [
        helper.make_tensor_value_info(
            f"probe/{place}/weight", TensorProto.FLOAT, list(weight.shape)
        ),
        *(helper.make_tensor_value_info(f"probe/{place}/{part}", kind, []) for part, kind in kinds),
    ]


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Weights that are fed now; where bodies of control flow might read them, all stay."""
    if any(a.g.node or a.graphs for node in graph.node for a in node.attribute):
        return
    read = {name for node in graph.node for name in node.input}
    read |= {value.name for value in graph.output}
    for tensor in [one for one in graph.initializer if one.name not in read]:
        graph.initializer.remove(tensor)


def _round_weights(weight: Array, axis: int) -> Array:
    moved = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    scale = np.abs(moved).max(axis=1, keepdims=True) / _LEVELS
    scale[scale == 0] = 1.0
    rounded = np.round(moved / scale) * scale
    shape = np.moveaxis(weight, axis, 0).shape
    result: Array = np.moveaxis(rounded.reshape(shape), 0, axis).astype(weight.dtype)
    return np.ascontiguousarray(result)
