"""Several nodes that are one function: Gelu, as exporters write it for opsets that lack it.

0.5 * x * (1 + erf(x / sqrt 2)), the factors in any order (Hendrycks and Gimpel, arXiv:1606.08415).
As one layer it trains faster, and is written again in the order that onnxruntime fuses everywhere.
"""

import math
from collections import defaultdict
from collections.abc import Mapping

import onnx
from onnx import helper, numpy_helper

from shoal.compressor.network.node import Array

_CLOSE = 1e-3


def nodes(graph: onnx.GraphProto, constants: Mapping[str, Array]) -> list[onnx.NodeProto]:
    """The graph's nodes in order, each Gelu as one."""
    search = _Search(graph, constants)
    replaced: dict[int, onnx.NodeProto] = {}
    gone: set[int] = set()
    for proto in graph.node:
        found = search.gelu(proto) if proto.op_type == "Erf" else None
        if found is not None:
            value, parts = found
            last = parts[-1]
            name = proto.name or last.name
            replaced[id(last)] = helper.make_node("Gelu", [value], list(last.output), name=name)
            gone.update(id(part) for part in parts[:-1])
    kept = [proto for proto in search.nodes if id(proto) not in gone]
    return [replaced.get(id(proto), proto) for proto in kept]


class _Search:
    """Who makes and who reads each value, and the single numbers among the constants."""

    def __init__(self, graph: onnx.GraphProto, constants: Mapping[str, Array]) -> None:
        self.nodes = list(graph.node)
        self.constants = constants
        self.makers = {name: proto for proto in self.nodes for name in proto.output}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for proto in self.nodes:
            for name in proto.input:
                self.readers[name].append(proto)
        self.outputs = {port.name for port in graph.output}

    def gelu(self, erf: onnx.NodeProto) -> tuple[str, list[onnx.NodeProto]] | None:
        """What goes into the Gelu around an Erf, and its nodes, the last one last."""
        scaling = self.makers.get(erf.input[0])
        value = scaling and self._scaled(scaling)
        one = self._reader(erf)
        gate = one and self._with(one, "Add", 1.0) == erf.output[0] and self._reader(one)
        if scaling is None or not value or not one or not gate or gate.op_type != "Mul":
            return None
        parts = [erf, one, gate]
        if self._reader(scaling) is erf:
            parts.insert(0, scaling)
        other = next((name for name in gate.input if name != one.output[0]), "")
        half = self.makers.get(other)
        if half is not None and self._with(half, "Mul", 0.5) == value:
            if self._reader(half) is gate:
                parts.insert(0, half)
            return value, parts
        last = self._reader(gate)
        if other == value and last and self._with(last, "Mul", 0.5) == gate.output[0]:
            return value, [*parts, last]
        return None

    def _scaled(self, proto: onnx.NodeProto) -> str:
        """What is divided by the root of two; empty for anything else."""
        root = math.sqrt(2)
        divided = proto.op_type == "Div" and self._close(proto.input[1], root)
        return proto.input[0] if divided else self._with(proto, "Mul", 1 / root)

    def _with(self, proto: onnx.NodeProto, operator: str, number: float) -> str:
        """The other operand of an operator with this number; empty for anything else."""
        if proto.op_type == operator:
            for place, name in enumerate(proto.input):
                if self._close(name, number):
                    return proto.input[1 - place]
        return ""

    def _reader(self, proto: onnx.NodeProto) -> onnx.NodeProto | None:
        """The only node that reads a node's answer."""
        readers = self.readers[proto.output[0]]
        return readers[0] if len(readers) == 1 and proto.output[0] not in self.outputs else None

    def _close(self, name: str, number: float) -> bool:
        value = self.constants.get(name)
        maker = self.makers.get(name)
        if value is None and maker is not None and maker.op_type == "Constant":
            value = _held(maker)
        return value is not None and value.size == 1 and abs(float(value.item()) - number) < _CLOSE


def _held(constant: onnx.NodeProto) -> Array | None:
    for attribute in constant.attribute:
        if attribute.name == "value":
            return numpy_helper.to_array(attribute.t)
    return None
