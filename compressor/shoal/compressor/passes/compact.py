"""Writes a graph as small as it can be said: no names, notes or shapes that nobody reads.

Below 100 KB of weights these are a tenth of the file: value_info, doc strings, node names, metadata
and long tensor names. Inputs and outputs keep their names.
"""

from collections.abc import Iterator
from typing import Final

import onnx

_DIGITS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DEFAULT_DOMAINS: Final = {"", "ai.onnx"}
_ABOUT: Final = (
    *("metadata_props", "doc_string", "producer_name", "producer_version", "domain"),
    "model_version",
)


def compact(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same computation in fewer bytes; `model` itself is left as it was."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    for field in _ABOUT:
        small.ClearField(field)
    graph = small.graph
    _drop_notes(graph)
    _drop_unused(graph)
    _drop_unused_domains(small)
    if not any(True for node in graph.node for _ in subgraphs(node)):
        _shorten_names(graph)
        for node in graph.node:
            node.ClearField("name")
    return small


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs a node carries: bodies of If, Loop and Scan."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _drop_notes(graph: onnx.GraphProto) -> None:
    graph.ClearField("doc_string")
    graph.name = "g"
    del graph.value_info[:]
    del graph.quantization_annotation[:]
    del graph.metadata_props[:]
    for value in (*graph.input, *graph.output):
        value.ClearField("doc_string")
    for tensor in graph.initializer:
        tensor.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("doc_string")  # an empty one would still take two bytes
        if node.domain in _DEFAULT_DOMAINS:
            node.ClearField("domain")
        del node.metadata_props[:]
        for inner in subgraphs(node):
            _drop_notes(inner)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Weights that no node reads, and weights listed among the inputs of old files."""
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    del graph.input[:]
    graph.input.extend(inputs)
    read = set(_names_read(graph)) | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _names_read(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from node.input
        for inner in subgraphs(node):
            yield from _names_read(inner)
            yield from (value.name for value in inner.output)


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    used = set(_DEFAULT_DOMAINS) | {function.domain for function in model.functions}
    graphs = [model.graph]
    for function in model.functions:
        used |= {node.domain for node in function.node}
    while graphs:
        for node in graphs.pop().node:
            used.add(node.domain)
            graphs.extend(subgraphs(node))
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(sorted(kept, key=lambda opset: opset.domain))


def _shorten_names(graph: onnx.GraphProto) -> None:
    """Inner tensors become a, b, …, ba, bb, … in the order they appear."""
    fixed = {value.name for value in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {name: name for name in fixed}
    fresh = (name for name in _short_names() if name not in fixed)
    inner = [tensor.name for tensor in graph.initializer]
    inner += [sparse.values.name for sparse in graph.sparse_initializer]
    inner += [name for node in graph.node for name in (*node.input, *node.output)]
    for name in inner:
        if name not in short:
            short[name] = next(fresh)
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]
    for sparse in graph.sparse_initializer:
        sparse.values.name = short[sparse.values.name]
    for node in graph.node:
        node.input[:] = [short[name] for name in node.input]
        node.output[:] = [short[name] for name in node.output]


def _short_names() -> Iterator[str]:
    number = 0
    while True:
        name, rest = _DIGITS[number % len(_DIGITS)], number // len(_DIGITS)
        while rest:
            name, rest = _DIGITS[rest % len(_DIGITS)] + name, rest // len(_DIGITS)
        yield name
        number += 1
