"""Write a network as one ONNX graph with the same inputs and outputs as the one it came from."""

import onnx
from onnx import helper

from shoal.compressor.network.graph import Network
from shoal.compressor.network.table import OPERATORS
from shoal.compressor.network.writing import Writer

OPSET = 17
IR_VERSION = 8


def write(network: Network) -> onnx.ModelProto:
    """The graph; names are short, and there are no annotations that only take bytes."""
    writer = Writer()
    names = {port.value: port.name for port in network.inputs}
    own_names = {port.value: port.name for port in reversed(network.outputs)}
    for step in network.steps:
        output = own_names.get(step.output) or writer.name("t")
        inputs = [names[value] for value in step.inputs]
        OPERATORS[step.operator].write(network.layers[step.layer], writer, inputs, output)
        names[step.output] = output
    for port in network.outputs:
        if names[port.value] != port.name:
            writer.add("Identity", [names[port.value]], port.name)
    graph = helper.make_graph(
        writer.nodes,
        "network",
        [port.declared for port in network.inputs],
        [port.declared for port in network.outputs],
        writer.weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="shoal"
    )
    model.ir_version = IR_VERSION
    return model
