"""What a graph of skl2onnx says of itself is tried on a few rows, and put right.

It declares two columns of scores where it gives one, and of the two scores of a binary support
vector machine the first is the second class's.
"""

from typing import Any, Final

import numpy as np
import onnx
from onnx import helper

from shoal.compressor.evaluate import session

_ROWS: Final = 5
_SCORES: Final = "scores"


def settle(model: onnx.ModelProto, estimator: Any) -> None:
    """Declares the shapes that the outputs have, and turns binary scores to face their classes.

    Raises:
        Exception: whatever the runtime raises where the graph does not run.
    """
    graph = model.graph
    width = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    rows = np.random.default_rng(0).normal(size=(_ROWS, width)).astype(np.float32)
    names = [value.name for value in graph.output]
    answers = session.open_session(model.SerializeToString(), 1).run(
        names, {graph.input[0].name: rows}
    )
    for value, answer in zip(graph.output, answers, strict=True):
        dims = value.type.tensor_type.shape.dim
        del dims[1:]
        for size in answer.shape[1:]:
            dims.add().dim_value = size
        if value.name == _SCORES and answer.shape[1:] == (2,):
            wanted = np.asarray(estimator.decision_function(rows))
            second = answer[:, 1]
            if wanted.ndim == 1 and np.abs(second + wanted).sum() < np.abs(second - wanted).sum():
                _negate(graph, value.name)


def _negate(graph: onnx.GraphProto, name: str) -> None:
    for node in graph.node:
        node.output[:] = [f"{name}_turned" if one == name else one for one in node.output]
        node.input[:] = [f"{name}_turned" if one == name else one for one in node.input]
    graph.node.append(helper.make_node("Neg", [f"{name}_turned"], [name]))
