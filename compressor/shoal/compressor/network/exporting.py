"""Write a network as one ONNX graph with the same inputs and outputs as the one it came from.

Batch normalisation becomes part of the convolution or product before it: in inference it is one
affine function a channel.
"""

import copy
from collections import Counter

import onnx
import torch
from onnx import helper
from torch import nn
from torch.nn.utils import fusion

from shoal.compressor.network.graph import Network, Port, Step
from shoal.compressor.network.normalizing import BatchNorms
from shoal.compressor.network.table import OPERATORS
from shoal.compressor.network.weighted import Convolutions, TransposedConvolutions
from shoal.compressor.network.writing import Writer

OPSET = 17
IR_VERSION = 8


def write(network: Network) -> onnx.ModelProto:
    """The graph; names are short, and there are no annotations that only take bytes."""
    writer = Writer()
    names = {port.value: _held(port, writer) for port in network.inputs}
    own_names = {port.value: port.name for port in reversed(network.outputs) if port.view.rows == 0}
    layers, steps = _folded(network)
    for step in steps:
        outputs = [name and (own_names.get(name) or writer.name("t")) for name in step.outputs]
        inputs = [names[value] for value in step.inputs]
        OPERATORS[step.operator].write(layers[step.layer], writer, inputs, outputs)
        names.update(zip(step.outputs, outputs, strict=True))
    for port in network.outputs:
        _answer(port, names[port.value], writer)
    graph = helper.make_graph(
        writer.nodes,
        "network",
        network.ports.declared,
        [port.declared for port in network.outputs],
        writer.weights,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], producer_name="shoal")
    model.ir_version = IR_VERSION
    return model


def _held(port: Port, writer: Writer) -> str:
    """The input as the network holds it: an axis for rows in front where the graph has none."""
    if port.view.rows is not None:
        return port.name
    return writer.via("Unsqueeze", [port.name, writer.integers([0])])


def _answer(port: Port, name: str, writer: Writer) -> None:
    """The output under its own name, its rows where the graph has them."""
    rows = port.view.rows
    if rows is None:
        writer.add("Squeeze", [name, writer.integers([0])], [port.name])
    elif rows:
        order = [*range(1, rows + 1), 0, *range(rows + 1, len(port.view.shape))]
        writer.add("Transpose", [name], [port.name], perm=order)
    elif name != port.name:
        writer.add("Identity", [name], [port.name])


def _folded(network: Network) -> tuple[dict[str, nn.Module], list[Step]]:
    """Layers and steps without the batch norms that follow a convolution or product."""
    layers = dict(network.layers.items())
    steps: list[Step] = []
    read = Counter(value for step in network.steps for value in step.inputs)
    read.update(port.value for port in network.outputs)
    used = Counter(step.layer for step in network.steps)
    made_by: dict[str, int] = {}
    for step in network.steps:
        layer, before = layers[step.layer], made_by.get(step.inputs[0], -1)
        alone = before >= 0 and used[steps[before].layer] == read[step.inputs[0]] == 1
        if isinstance(layer, BatchNorms) and alone:
            fused = _fused(layers[steps[before].layer], layer)
            if fused is not None:
                key = steps[before].layer
                layers[key] = fused
                steps[before] = _renamed(steps[before], step.outputs)
                made_by[step.output] = before
                continue
        made_by[step.output] = len(steps)
        steps.append(step)
    return layers, steps


def _renamed(step: Step, outputs: tuple[str, ...]) -> Step:
    return Step(
        label=step.label,
        layer=step.layer,
        operator=step.operator,
        inputs=step.inputs,
        outputs=outputs,
    )


def _fused(before: nn.Module, norm: BatchNorms) -> nn.Module | None:
    """A copy of the layer before with the norm inside; None where that cannot be."""
    inner = copy.deepcopy(before).eval()
    outer = copy.deepcopy(norm).eval()
    with torch.no_grad():
        if isinstance(inner, Convolutions | TransposedConvolutions):
            transposed = isinstance(inner, TransposedConvolutions)
            if transposed and inner.groups > 1:
                return None
            return fusion.fuse_conv_bn_eval(inner, outer, transpose=transposed)
        if isinstance(inner, nn.Linear) and isinstance(outer, nn.BatchNorm1d):
            return fusion.fuse_linear_bn_eval(inner, outer)
    return None
