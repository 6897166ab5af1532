"""One graph in which any layer can be made coarse at run time, so that layers share a session.

Each probed layer reads its weight from an input, and its activations pass roundings to 8 bits that
do nothing unless switched on. A session for each layer would write, parse and lay out the whole
model once a layer: minutes for a model of a hundred megabytes.
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
Spans = tuple[Span | None, Span | None]  # of what a layer reads, and of what it makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one run gives: the answer, and what each layer reads and makes, by the layer's name.

    `made` has only the layers whose results are rounded too.
    """

    answer: Array
    read: Mapping[str, Array]
    made: Mapping[str, Array]


class Probe:
    """A session over `model` whose `layers` (their nodes; the output names one) can be rounded.

    `results` names, for layers whose results are rounded too, the tensor that holds them.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        layers: Sequence[onnx.NodeProto],
        results: Mapping[str, str],
        output: str,
    ) -> None:
        self._output = output
        self._places = {node.output[0]: place for place, node in enumerate(layers)}
        self._read = {node.output[0]: node.input[0] for node in layers}
        self._made = {layer: results[layer] for layer in self._places if layer in results}
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._weights = {
            node.output[0]: numpy_helper.to_array(stored[node.input[1]]) for node in layers
        }
        self._axes = {node.output[0]: weight_axis(node) for node in layers}
        self._switched_off: dict[str, Array] = {}
        for layer in self._places:
            self._switched_off |= self._settings(layer, self._weights[layer], (None, None))
        seen = {*self._read.values(), *self._made.values()}
        self._watched = sorted(seen - {value.name for value in model.graph.input} - {output})
        self._session: Any = session.open_session(self._switchable(model).SerializeToString(), 1)

    def read(self, row: Mapping[str, Array]) -> Reading:
        """The untouched answer to a row, and what each layer reads and makes on the way."""
        asked = [self._output, *self._watched]
        found = self._session.run(asked, {**row, **self._switched_off})
        seen = {**row, **dict(zip(asked, found, strict=True))}
        return Reading(
            answer=seen[self._output],
            read={layer: seen[name] for layer, name in self._read.items()},
            made={layer: seen[name] for layer, name in self._made.items()},
        )

    def rounded(self, layer: str) -> Array:
        """The weight of `layer` in 8 bits, one scale a channel."""
        return _round_weights(self._weights[layer], self._axes[layer])

    def answer(self, row: Mapping[str, Array], layer: str, weight: Array, spans: Spans) -> Array:
        """The answer to a row with `layer` alone in 8 bits, over the ranges `spans`."""
        settings = self._settings(layer, weight, spans)
        (answer,) = self._session.run([self._output], {**row, **self._switched_off, **settings})
        found: Array = answer
        return found

    def _settings(self, layer: str, weight: Array, spans: Spans) -> dict[str, Array]:
        """The inputs of one layer's switches; without a span a tensor passes as it is."""
        name = f"probe/{self._places[layer]}"
        settings = {f"{name}/weight": weight, **_switch_settings(f"{name}/read", spans[0])}
        if layer in self._made:
            settings |= _switch_settings(f"{name}/made", spans[1])
        return settings

    def _switchable(self, model: onnx.ModelProto) -> onnx.ModelProto:
        switched = onnx.ModelProto()
        switched.CopyFrom(model)
        graph = switched.graph
        makers = {tensor: self._places[layer] for layer, tensor in self._made.items()}
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            name = node.output[0] if node.output else ""
            after: list[onnx.NodeProto] = []
            if name in self._places:
                probe = f"probe/{self._places[name]}"
                nodes += _switch(f"{probe}/read", node.input[0], f"{probe}/x")
                node.input[0], node.input[1] = f"{probe}/x", f"{probe}/weight"
            if name in makers:
                probe = f"probe/{makers[name]}"
                after = _switch(f"{probe}/made", f"{probe}/y", name)
                node.output[0] = f"{probe}/y"
            nodes += [onnx.NodeProto.FromString(node.SerializeToString()), *after]
        self._open(graph)
        del graph.node[:]
        graph.node.extend(nodes)
        _drop_unread(graph)
        return switched

    def _open(self, graph: onnx.GraphProto) -> None:
        """Declares the switches as inputs, and what is watched as outputs."""
        graph.input.extend(
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in self._switched_off.items()
        )
        given = {value.name for value in graph.output}
        graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in self._watched
            if name not in given
        )


def weight_axis(node: onnx.NodeProto) -> int:
    """The axis of output channels in a weight: Conv 0, MatMul last, Gemm by its transB."""
    if node.op_type == "Conv":
        return 0
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "Gemm" and transposed else -1


def _switch_settings(name: str, span: Span | None) -> dict[str, Array]:
    """Example: a span from -1 to 1.55 has steps of 0.01, and zero is step 100."""
    low, high = (0.0, 0.0) if span is None else (min(span[0], 0.0), max(span[1], 0.0))
    scale = np.float32((high - low) / _STEPS or 1.0)
    return {
        f"{name}/scale": np.asarray(scale),
        f"{name}/zero": np.asarray(np.uint8(np.clip(round(-low / float(scale)), 0, 255))),
        f"{name}/on": np.asarray(span is not None),
    }


def _switch(name: str, source: str, target: str) -> list[onnx.NodeProto]:
    """`source` as `target`: rounded to 8 bits where the switch `name` is on."""
    scale, zero, on = (f"{name}/{part}" for part in ("scale", "zero", "on"))
    return [
        helper.make_node("QuantizeLinear", [source, scale, zero], [f"{name}/steps"]),
        helper.make_node("DequantizeLinear", [f"{name}/steps", scale, zero], [f"{name}/back"]),
        helper.make_node("Where", [on, f"{name}/back", source], [target]),
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
