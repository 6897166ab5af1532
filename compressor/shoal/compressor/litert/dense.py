"""Matrix products, softmax, sums over axes, and picking of the largest."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from shoal.compressor.litert.draft import Draft
from shoal.compressor.litert.graph import Node, refusal
from shoal.compressor.passes.protocol import Array

_REDUCERS: Final = {
    "ReduceMean": "MEAN",
    "ReduceSum": "SUM",
    "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN",
}
REDUCERS: Final = tuple(_REDUCERS)


def gemm(draft: Draft, node: Node) -> None:
    """Gemm with a stored weight."""
    attributes = node.attributes
    if attributes.get("transA", 0):
        raise refusal("a Gemm of a transposed input has no form in LiteRT")
    w_io = draft.stored(node.input(1), "the weight of Gemm") * attributes.get("alpha", 1.0)
    if attributes.get("transB", 0):
        w_io = w_io.T
    bias = np.zeros(w_io.shape[1], np.float32)
    if node.input(2):
        given = draft.stored(node.input(2), "the bias of Gemm") * attributes.get("beta", 1.0)
        bias = bias + given.reshape(-1)
    fused, name = draft.activation(node)
    _connected(draft, node.inputs[0], (w_io, bias), (fused, name))


def matmul(draft: Draft, node: Node) -> None:
    """MatMul by a stored matrix, with the bias that follows it; or of two computed values."""
    left, right = node.inputs
    if draft.is_stored(right) and draft.shape(right) and len(draft.shape(right)) == 2:
        bias, last = _bias_after(draft, node)
        fused, name = draft.activation(last)
        _connected(draft, left, (draft.stored(right, "a weight"), bias), (fused, name))
        return
    if draft.is_stored(left) or draft.is_stored(right) or len(draft.shape(left)) < 2:
        raise refusal("a MatMul of a stored left side has no form in LiteRT")
    draft.put(
        "BATCH_MATMUL",
        [draft.plain(left), draft.plain(right)],
        node.outputs[0],
        Options="BatchMatMulOptions",
    )


def softmax(draft: Draft, node: Node) -> None:
    """Softmax over the last axis, or over channels that lie last."""
    x, name = node.inputs[0], node.outputs[0]
    rank = len(draft.shape(x))
    axis = int(node.attributes.get("axis", -1 if draft.graph.opset >= 13 else 1)) % rank
    if draft.graph.opset < 13 and axis != rank - 1:
        raise refusal("a Softmax over several axes has no form in LiteRT")
    if axis == 1 and rank == 4:
        draft.put_last("SOFTMAX", [draft.last(x)], name, Options="SoftmaxOptions", beta=1.0)
        return
    if axis != rank - 1:
        raise refusal("a Softmax over an inner axis has no form in LiteRT")
    draft.put("SOFTMAX", [draft.plain(x)], name, Options="SoftmaxOptions", beta=1.0)


def reduce(draft: Draft, node: Node) -> None:
    """Means, sums and extremes over axes."""
    x, name = node.inputs[0], node.outputs[0]
    rank = len(draft.shape(x))
    axes = node.attributes.get("axes")
    if axes is None and node.input(1):
        axes = draft.stored(node.input(1), f"the axes of {node.kind}").reshape(-1)
    if axes is None or not len(axes):
        axes = range(rank)
    keeps = bool(node.attributes.get("keepdims", 1))
    _reduced(draft, (x, name), sorted(int(a) % rank for a in axes), (_REDUCERS[node.kind], keeps))


def global_pool(draft: Draft, node: Node) -> None:
    """GlobalAveragePool and GlobalMaxPool: a mean or maximum over all but rows and channels."""
    x, name = node.inputs[0], node.outputs[0]
    kind = "MEAN" if node.kind == "GlobalAveragePool" else "REDUCE_MAX"
    _reduced(draft, (x, name), list(range(2, len(draft.shape(x)))), (kind, True))


def arg_max(draft: Draft, node: Node) -> None:
    """ArgMax without its axis, or with it as a reshape."""
    x, name = node.inputs[0], node.outputs[0]
    if node.attributes.get("select_last_index", 0):
        raise refusal("an ArgMax that picks the last of equals has no form in LiteRT")
    shape = draft.shape(x)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    inputs = [draft.plain(x), draft.integers([axis])]
    options: dict[str, Any] = {"Options": "ArgMaxOptions", "outputType": 4}  # int64, as in ONNX
    if not node.attributes.get("keepdims", 1):
        draft.put("ARG_MAX", inputs, name, **options)
        return
    made = draft.tensor(name, [d for place, d in enumerate(shape) if place != axis])
    draft.assembly.operator("ARG_MAX", inputs, [made], options)
    draft.alias_plain(name, draft.reshaped(made, draft.shape(name), name))


def _connected(draft: Draft, x: str, weights: tuple[Array, Array], result: tuple[int, str]) -> None:
    w_io, bias = weights
    fused, name = result
    flat = draft.flat(x)
    if flat is None:
        source = draft.plain(x)
    else:  # the weight's rows follow the numbers as channels last lie in memory
        source, (c, h, w) = flat
        w_io = w_io.reshape(c, h, w, -1).transpose(1, 2, 0, 3).reshape(c * h * w, -1)
    draft.put(
        "FULLY_CONNECTED",
        [source, draft.constant(np.ascontiguousarray(w_io.T)), draft.constant(bias)],
        name,
        Options="FullyConnectedOptions",
        fusedActivationFunction=fused,
        keepNumDims=len(draft.shape(x)) > 2,
    )


def _bias_after(draft: Draft, node: Node) -> tuple[Array, Node]:
    """The vector that the only reader adds to a product, and the node that ends both."""
    name = node.outputs[0]
    columns = draft.shape(node.inputs[1])[1]
    none = np.zeros(columns, np.float32)
    readers = draft.graph.readers(name)
    if len(readers) != 1 or readers[0].kind != "Add" or name in draft.graph.outputs:
        return none, node
    other = next((one for one in readers[0].inputs if one != name), name)
    if not draft.is_stored(other) or draft.graph.constants[other].size != columns:
        return none, node
    if draft.shape(other)[-1:] != (columns,):
        return none, node
    draft.done.add(readers[0].index)
    return draft.graph.constants[other].reshape(-1), readers[0]


def _reduced(
    draft: Draft, values: tuple[str, str], axes: Sequence[int], how: tuple[str, bool]
) -> None:
    x, name = values
    kind, keeps = how
    options = {"Options": "ReducerOptions", "keepDims": keeps}
    if len(draft.shape(x)) == 4 and draft.prefers_last(x):
        moved = draft.integers([{0: 0, 1: 3, 2: 1, 3: 2}[axis] for axis in axes])
        if keeps:
            draft.put_last(kind, [draft.last(x), moved], name, **options)
            return
        if 1 in axes or list(axes) == [2, 3]:  # what is left keeps its order
            draft.put(kind, [draft.last(x), moved], name, **options)
            return
    draft.put(kind, [draft.plain(x), draft.integers(axes)], name, **options)
