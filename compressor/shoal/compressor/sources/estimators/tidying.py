"""Tidies a graph of skl2onnx: names and shapes of its outputs, integer labels, plain operators.

skl2onnx picks labels with ArrayFeatureExtractor of ai.onnx.ml and casts around it. Where the label
is the place of the greatest score, ArgMax alone says so, and the graph stays one of ONNX's own
operators that can be quantized and trained.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.sources.estimators import forest, labels

Array = npt.NDArray[Any]
_PASSED: Final = {"Cast", "Reshape", "Identity", "Squeeze", "Flatten"}
_OLD_NAME: Final = {"LinearClassifier", "SVMClassifier"}
_ROWS: Final = "rows"


def tidy(model: onnx.ModelProto, names: list[str], classes: Array | None) -> onnx.ModelProto:
    """The graph with these output names; `classes` are a classifier's, in order."""
    graph = model.graph
    _drop_casts_of_floats(graph)
    _gather_columns(graph)
    if classes is not None:
        _say_label(graph, classes)
    for node in graph.node:
        if node.op_type in forest.OPERATORS:  # skl2onnx writes out every zero that a leaf adds
            node.CopyFrom(forest.rewritten(node, forest.read(node)))
    for output, name in zip(graph.output, names, strict=True):
        _rename(graph, output.name, name)
    _name_rows(graph)
    _drop_unread(graph)
    versions = {one.domain: one.version for one in model.opset_import}
    used = {node.domain for node in graph.node} | {""}
    del model.opset_import[:]
    model.opset_import.extend(
        helper.make_opsetid(domain, max(version, 3) if domain else version)
        for domain, version in sorted(versions.items())
        if domain in used
    )
    return model


def _drop_casts_of_floats(graph: onnx.GraphProto) -> None:
    """Casts of the input to the type it has."""
    inputs = {value.name for value in graph.input}
    for node in list(graph.node):
        if (
            node.op_type == "Cast"
            and node.input[0] in inputs
            and node.attribute[0].i == TensorProto.FLOAT
        ):
            _redirect(graph, node.output[0], node.input[0])
            graph.node.remove(node)


def _gather_columns(graph: onnx.GraphProto) -> None:
    """Columns picked by constant places: Gather says what ArrayFeatureExtractor does."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        picks = node.op_type == "ArrayFeatureExtractor"
        if not picks or node.input[0] in stored or node.input[1] not in stored:
            continue
        places = numpy_helper.to_array(stored[node.input[1]]).reshape(-1)
        name = f"{node.output[0]}_places"
        graph.initializer.append(numpy_helper.from_array(places, name))
        node.CopyFrom(helper.make_node("Gather", [node.input[0], name], [node.output[0]], axis=-1))


def _say_label(graph: onnx.GraphProto, classes: Array) -> None:
    """Labels as int64: by ArgMax where they are one, else mapped from their words."""
    label = graph.output[0].name
    wanted = labels.integers_of(classes)
    winner = _winner(graph, label)
    if winner is not None:
        made_by = next(node for node in graph.node if label in node.output)
        made_by.output[0] = f"{label}_before"
        plain = np.array_equal(wanted, np.arange(len(wanted)))
        place = label if plain else f"{label}_place"
        graph.node.append(
            helper.make_node("ArgMax", [winner], [place], name="label", axis=1, keepdims=0)
        )
        if not plain:
            graph.initializer.append(numpy_helper.from_array(wanted, "classes_of_labels"))
            graph.node.append(helper.make_node("Gather", ["classes_of_labels", place], [label]))
    elif graph.output[0].type.tensor_type.elem_type == TensorProto.STRING:
        _count_words(graph, label, wanted)
    graph.output[0].type.tensor_type.elem_type = TensorProto.INT64


def _count_words(graph: onnx.GraphProto, label: str, wanted: Array) -> None:
    """The operator that names classes by words names them by number instead."""
    made_by = {name: node for node in graph.node for name in node.output}
    node = made_by[label]
    while node.op_type in _PASSED:
        node = made_by[node.input[0]]
    words = [one for one in node.attribute if one.name == "classlabels_strings"]
    words += [one for one in node.attribute if one.name == "classlabels_ints" and words]
    if not words:
        raise ValueError(f"its labels are words made by {node.op_type}")
    for one in words:
        node.attribute.remove(one)
    name = "classlabels_ints" if node.op_type in _OLD_NAME else "classlabels_int64s"
    node.attribute.append(helper.make_attribute(name, wanted.tolist()))


def _winner(graph: onnx.GraphProto, label: str) -> str | None:
    """The scores whose greatest place the label is, if that is how it is made."""
    made_by = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name for tensor in graph.initializer}
    name = label
    while name in made_by:
        node = made_by[name]
        if node.op_type == "ArgMax":
            return node.input[0]
        if node.op_type in _PASSED:
            name = node.input[0]
        elif node.op_type == "ArrayFeatureExtractor" and node.input[0] in stored:
            name = node.input[1]
        else:
            return None
    return None


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    if old == new:
        return
    for node in graph.node:
        node.output[:] = [f"{one}_inner" if one == new else one for one in node.output]
        node.input[:] = [f"{one}_inner" if one == new else one for one in node.input]
        node.output[:] = [new if one == old else one for one in node.output]
        node.input[:] = [new if one == old else one for one in node.input]
    next(one for one in graph.output if one.name == old).name = new


def _redirect(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if one == old else one for one in node.input]


def _name_rows(graph: onnx.GraphProto) -> None:
    """The open first axis is called rows everywhere."""
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims:
            dims[0].ClearField("dim_value")
            dims[0].dim_param = _ROWS


def _drop_unread(graph: onnx.GraphProto) -> None:
    while True:
        read = {name for node in graph.node for name in node.input}
        read |= {value.name for value in graph.output}
        dead = [node for node in graph.node if not read & set(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
