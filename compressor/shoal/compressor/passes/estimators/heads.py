"""Builds a small dense network with a given source's inputs and outputs around it."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]

_OPSET: Final = 17
_IR_VERSION: Final = 8
LOGITS: Final = "student_scores"
_RULES: Final = ("classlabels_int64s", "classlabels_ints")
_ROUNDING: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the source makes of its scores: `places` are the labels of the score columns, in order.

    `label` and `scores` are names of the source's outputs, "" for what it does not have; `softmax`
    tells whether its scores are a distribution.
    """

    label: str
    scores: str
    places: tuple[int, ...]
    softmax: bool


def of(source: onnx.ModelProto, outputs: dict[str, Array]) -> Head:
    """The head of a source that answered rows with `outputs`.

    Raises:
        PassError: outputs that a dense network with one head cannot give.
    """
    names = [value.name for value in source.graph.output]
    label = [n for n in names if outputs[n].ndim == 1 and outputs[n].dtype.kind in "iu"]
    scores = [n for n in names if outputs[n].dtype.kind == "f" and outputs[n].ndim == 2]
    if len(scores) != 1 or len(label) > 1 or len(label) + len(scores) != len(names):
        raise PassError(
            Rejection.UNSUPPORTED_OPERATOR, "the model's outputs are not labels and one score row"
        )
    found = outputs[scores[0]]
    sums = found.sum(axis=1)
    columns = found.shape[1]
    return Head(
        label=label[0] if label else "",
        scores=scores[0],
        places=_places(source, columns) if label else tuple(range(columns)),
        softmax=columns > 1
        and bool((found >= 0).all())
        and bool(np.allclose(sums, 1, atol=_ROUNDING)),
    )


def _places(source: onnx.ModelProto, columns: int) -> tuple[int, ...]:
    """The label of each score column: what the graph says, else its place."""
    for node in source.graph.node:
        for attribute in node.attribute:
            if attribute.name in _RULES and len(attribute.ints) == columns:
                return tuple(attribute.ints)
        if node.op_type == "Gather":
            for tensor in source.graph.initializer:
                if tensor.name == node.input[0] and list(tensor.dims) == [columns]:
                    return tuple(int(one) for one in numpy_helper.to_array(tensor))
    return tuple(range(columns))


def untaught(
    port: onnx.ValueInfoProto, rows: Array, widths: tuple[int, ...], seed: int
) -> onnx.ModelProto:
    """A network of dense layers on standardised features; the last of `widths` are its scores.

    Weights are drawn after He et al. 2015 (arXiv:1502.01852).
    """
    generator = np.random.default_rng(seed)
    spread = rows.std(axis=0, dtype=np.float64)
    weights = {
        "mean": rows.mean(axis=0, dtype=np.float64),
        "inverse": 1 / np.where(spread > 0, spread, 1.0),
    }
    nodes = [
        helper.make_node("Sub", [port.name, "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "inverse"], ["h0"]),
    ]
    before = rows.shape[1]
    for index, width in enumerate(widths):
        weights[f"w{index}"] = generator.normal(0, np.sqrt(2 / before), (width, before))
        weights[f"b{index}"] = np.zeros(width)
        last = index == len(widths) - 1
        output = LOGITS if last else f"g{index}"
        inputs = [f"h{index}", f"w{index}", f"b{index}"]
        nodes.append(helper.make_node("Gemm", inputs, [output], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [output], [f"h{index + 1}"]))
        before = width
    graph = helper.make_graph(
        nodes,
        "student",
        [port],
        [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["rows", widths[-1]])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )


def complete(
    taught: onnx.ModelProto, source: onnx.ModelProto, head: Head, scale: tuple[Array, Array]
) -> onnx.ModelProto:
    """The taught network with the source's own outputs.

    `scale` is (mean, spread) of the scores where they were learnt standardised.
    """
    model = onnx.ModelProto()
    model.CopyFrom(taught)
    graph = model.graph
    del graph.output[:]
    graph.output.extend(source.graph.output)
    if head.softmax:
        graph.node.append(helper.make_node("Softmax", [LOGITS], [head.scores], axis=1))
    else:
        for name, value in zip(("score_mean", "score_spread"), scale, strict=True):
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
        graph.node.append(helper.make_node("Mul", [LOGITS, "score_spread"], ["spread_scores"]))
        graph.node.append(helper.make_node("Add", ["spread_scores", "score_mean"], [head.scores]))
    if head.label:
        plain = head.places == tuple(range(len(head.places)))
        place = head.label if plain else "label_place"
        graph.node.append(helper.make_node("ArgMax", [head.scores], [place], axis=1, keepdims=0))
        if not plain:
            names = np.array(head.places, np.int64)
            graph.initializer.append(numpy_helper.from_array(names, "classes_of_labels"))
            graph.node.append(
                helper.make_node("Gather", ["classes_of_labels", place], [head.label])
            )
    return model
