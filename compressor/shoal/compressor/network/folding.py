"""What depends on constants alone, and what only asks for shapes, is worked out while reading."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from shoal.compressor.network.layout import Shape
from shoal.compressor.network.node import Array, refusal


def fold(proto: onnx.NodeProto, constants: Mapping[str, Array], opset: int) -> dict[str, Array]:
    """The outputs of a node whose inputs are all constants.

    Raises:
        PassError: UnsupportedOperator, where they cannot be worked out.
    """
    try:
        feeds = {name: constants[name] for name in proto.input if name}
        evaluator: Any = ReferenceEvaluator(proto, opsets={"": opset})
        results = evaluator.run(None, feeds)
    except Exception as error:
        # The evaluator raises whatever numpy does, and its own errors; all mean the same here.
        raise refusal(proto, f"its constants cannot be worked out: {error}") from error
    names = [name for name in proto.output if name]
    return {name: np.asarray(value) for name, value in zip(names, results, strict=False)}


def shape_answer(proto: onnx.NodeProto, shape: Shape) -> Array:
    """What Shape or Size says of a value whose one row has this shape."""
    if proto.op_type == "Size":
        return np.array(np.prod(shape), np.int64)
    bounds = {a.name: a.i for a in proto.attribute}
    return np.array(shape[bounds.get("start", 0) : bounds.get("end", len(shape))], np.int64)


def has_graph(proto: onnx.NodeProto) -> bool:
    """Whether a node carries graphs of its own, which may read any value around them."""
    return any(attribute.HasField("g") or attribute.graphs for attribute in proto.attribute)


def readers(graph: onnx.GraphProto) -> Counter[str]:
    """How often each name is read: by nodes, by graphs inside nodes, and as an output."""
    counted = Counter(port.name for port in graph.output)
    for proto in graph.node:
        counted.update(name for name in proto.input if name)
        for attribute in proto.attribute:
            if attribute.HasField("g"):
                counted.update(readers(attribute.g))
    return counted
