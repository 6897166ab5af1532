"""What the exporter leaves behind, put right: the user's names outside, no notes inside."""

from collections.abc import Iterator, Mapping, Sequence

import onnx

Body = onnx.GraphProto | onnx.FunctionProto


def rename(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Gives inputs and outputs these names, in order; what bore one of them inside steps aside."""
    renamed = dict(zip((value.name for value in model.graph.input), inputs, strict=True))
    renamed |= dict(zip((value.name for value in model.graph.output), outputs, strict=True))
    taken = {name for body in bodies(model) for name in _names(body)}
    for name in {*inputs, *outputs} & taken - renamed.keys():
        fresh = f"{name}_inner"
        while fresh in taken:
            fresh += "_"
        renamed[name] = fresh
    for body in bodies(model):
        if isinstance(body, onnx.GraphProto):
            _rename(body, renamed)


def strip(model: onnx.ModelProto) -> None:
    """Takes out what tells of the making: source lines, paths, scopes, inferred shapes."""
    del model.metadata_props[:]
    for body in bodies(model):
        del body.metadata_props[:]
        del body.value_info[:]
        body.doc_string = ""
        for node in body.node:
            del node.metadata_props[:]
            node.doc_string = ""
        if isinstance(body, onnx.GraphProto):
            for value in (*body.input, *body.output):
                del value.metadata_props[:]
                value.doc_string = ""
            for tensor in body.initializer:
                del tensor.metadata_props[:]
                tensor.doc_string = ""


def bodies(model: onnx.ModelProto) -> Iterator[Body]:
    """The graph, the functions, and the graphs inside them."""
    waiting: list[Body] = [model.graph, *model.functions]
    while waiting:
        body = waiting.pop()
        yield body
        for node in body.node:
            waiting.extend(a.g for a in node.attribute if a.HasField("g"))


def _names(body: Body) -> Iterator[str]:
    for node in body.node:
        yield from node.input
        yield from node.output
    if isinstance(body, onnx.GraphProto):
        yield from (value.name for value in (*body.input, *body.output))
        yield from (tensor.name for tensor in body.initializer)


def _rename(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = renamed.get(value.name, value.name)
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
