"""Read an ONNX graph into a network, node by node, while one row runs through it.

Running a row while reading gives every shape without shape inference, and works on graphs whose
batch is fixed to 1: the row axis of each layer is open, so the result takes any number of rows.
Whether that was right is for the parity check to say.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from shoal.compressor.network.graph import Network, Port, Step
from shoal.compressor.network.layers import Arithmetic
from shoal.compressor.network.node import Array, Node, refusal
from shoal.compressor.network.table import OPERATORS

_DOMAINS = ("", "ai.onnx")
_PASSED_ON = ("Identity", "Dropout")


def read(model: onnx.ModelProto, row: Mapping[str, Tensor]) -> Network:
    """The network of a graph; `row` holds one row for every input.

    Raises:
        PassError: UnsupportedOperator naming operator and node.
    """
    return _Reader(model, row).read()


class _Reader:
    """The state of one import: what is constant, what ran, what it is called now."""

    def __init__(self, model: onnx.ModelProto, row: Mapping[str, Tensor]) -> None:
        self.graph = model.graph
        self.opset = next(o.version for o in model.opset_import if o.domain in _DOMAINS)
        self.constants: dict[str, Array] = {
            weight.name: numpy_helper.to_array(weight) for weight in self.graph.initializer
        }
        self.inputs = [port for port in self.graph.input if port.name not in self.constants]
        self.ran: dict[str, Tensor] = {port.name: row[port.name] for port in self.inputs}
        self.renamed: dict[str, str] = {}
        self.layers: dict[str, nn.Module] = {}
        self.steps: list[Step] = []

    def read(self) -> Network:
        """Every node in turn, then the ports."""
        for proto in self.graph.node:
            self._read_node(proto)
        inputs = [Port(declared=port, value=port.name) for port in self.inputs]
        outputs = [Port(declared=port, value=self._value(port.name)) for port in self.graph.output]
        for port in outputs:
            if port.value not in self.ran:
                raise refusal(onnx.NodeProto(op_type="Constant"), f"output {port.name!r} is one")
        return Network(self.layers, self.steps, inputs, outputs)

    def _value(self, name: str) -> str:
        return self.renamed.get(name, name)

    def _read_node(self, proto: onnx.NodeProto) -> None:
        if proto.domain not in _DOMAINS:
            raise refusal(proto, "not one of ONNX's own operators")
        values = [self._value(name) for name in proto.input if name]
        activations = tuple(name for name in values if name in self.ran)
        if not activations:
            self._fold(proto)
        elif proto.op_type == "Shape":
            self.constants[proto.output[0]] = np.array(self.ran[activations[0]].shape, np.int64)
        elif proto.op_type in _PASSED_ON:
            self.renamed[proto.output[0]] = activations[0]
        elif proto.op_type not in OPERATORS:
            raise refusal(proto, "not in the table of operators that can be trained")
        else:
            self._add_layer(proto, activations)

    def _fold(self, proto: onnx.NodeProto) -> None:
        """Work out what depends on constants alone."""
        feeds = {name: self.constants[name] for name in proto.input if name}
        try:
            evaluator: Any = ReferenceEvaluator(proto, opsets={"": self.opset})
            results = evaluator.run(None, feeds)
        except Exception as error:
            # The evaluator raises whatever numpy does, and its own errors; all mean the same here.
            raise refusal(proto, f"its constants cannot be worked out: {error}") from error
        self.constants.update(zip(proto.output, results, strict=False))

    def _add_layer(self, proto: onnx.NodeProto, activations: tuple[str, ...]) -> None:
        shapes = tuple(tuple(self.ran[name].shape) for name in activations)
        node = Node(proto=proto, constants=self.constants, shapes=shapes, opset=self.opset)
        layer = OPERATORS[proto.op_type].read(node)
        if self._became_bias(layer, activations[0]):
            self.renamed[proto.output[0]] = activations[0]
            with torch.no_grad():
                added = layer(self.ran[activations[0]])
            self.ran[activations[0]] = added
            return
        key = f"layer{len(self.layers)}"
        flat_product = proto.op_type == "MatMul" and len(shapes[0]) == 2
        self.layers[key] = layer
        self.steps.append(
            Step(
                label=node.label,
                layer=key,
                operator="Gemm" if flat_product else proto.op_type,
                inputs=activations,
                output=proto.output[0],
            )
        )
        with torch.no_grad():
            self.ran[proto.output[0]] = layer.eval()(*(self.ran[name] for name in activations))

    def _became_bias(self, layer: nn.Module, value: str) -> bool:
        """Give an added constant to the convolution or product before it, if it has no bias yet.

        Exporters of old write Conv and Add where one Conv with a bias does the same.
        """
        step = self.steps[-1] if self.steps else None
        if step is None or step.output != value or self._readers(value) != 1:
            return False
        before = self.layers[step.layer]
        if not isinstance(before, nn.Conv1d | nn.Conv2d | nn.Linear) or before.bias is not None:
            return False
        if not isinstance(layer, Arithmetic) or layer.operator != "Add" or layer.constant is None:
            return False
        channels = before.weight.shape[0]
        axis = 1 if isinstance(before, nn.Conv1d | nn.Conv2d) else layer.constant.ndim - 1
        wanted = [channels if place == axis else 1 for place in range(layer.constant.ndim)]
        if list(layer.constant.shape) != wanted:
            return False
        before.bias = nn.Parameter(layer.constant.detach().reshape(-1))
        return True

    def _readers(self, value: str) -> int:
        names = [name for proto in self.graph.node for name in proto.input]
        names += [port.name for port in self.graph.output]
        return sum(self._value(name) == value for name in names)
