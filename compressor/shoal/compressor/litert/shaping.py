"""Operators that move numbers: reshape, transpose, pad, concatenate, slice, gather."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from shoal.compressor.litert.draft import TO_FIRST, TO_LAST, Draft
from shoal.compressor.litert.graph import Node, refusal

_PLACES: Final = {0: 0, 1: 3, 2: 1, 3: 2}  # of ONNX axes, with channels last


def reshape(draft: Draft, node: Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: the numbers stay in ONNX's order."""
    x, name = node.inputs[0], node.outputs[0]
    before, after = draft.shape(x), draft.shape(name)
    if draft.is_stored(x):
        draft.alias_plain(name, draft.constant(draft.graph.constants[x].reshape(after)))
        return
    if len(before) == len(after) == 4 and before[3] == after[1] == 1 and before[1:3] == after[2:]:
        draft.alias_last(name, draft.plain(x))  # a picture of one channel, channels last already
        return
    if draft.prefers_last(x) and len(after) == 2 and after[0] == before[0]:
        draft.set_flattened(name, x)
        return
    draft.alias_plain(name, draft.reshaped(draft.plain(x), after, name))


def transpose(draft: Draft, node: Node) -> None:
    """Transpose; between the two layouts it is no operator at all."""
    x, name = node.inputs[0], node.outputs[0]
    rank = len(draft.shape(x))
    perm = tuple(node.attributes.get("perm", tuple(reversed(range(rank)))))
    if draft.is_stored(x):
        draft.alias_plain(name, draft.constant(draft.graph.constants[x].transpose(perm)))
        return
    if perm == TO_FIRST:
        draft.alias_last(name, draft.plain(x))
        return
    if perm == TO_LAST:
        draft.alias_plain(name, draft.last(x))
        return
    draft.put("TRANSPOSE", [draft.plain(x), draft.integers(perm)], name, Options="TransposeOptions")


def concat(draft: Draft, node: Node) -> None:
    """Concat along any axis."""
    name = node.outputs[0]
    rank = len(draft.shape(name))
    axis = int(node.attributes["axis"]) % rank
    fused, name = draft.activation(node)
    options: dict[str, Any] = {"Options": "ConcatenationOptions", "fusedActivationFunction": fused}
    if rank == 4 and any(draft.prefers_last(one) for one in node.inputs):
        inputs = [draft.last(one) for one in node.inputs]
        draft.put_last("CONCATENATION", inputs, name, axis=_PLACES[axis], **options)
    else:
        inputs = [draft.plain(one) for one in node.inputs]
        draft.put("CONCATENATION", inputs, name, axis=axis, **options)


def split(draft: Draft, node: Node) -> None:
    """Split into equal pieces."""
    x = node.inputs[0]
    shape = draft.shape(x)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    if len({draft.shape(one)[axis] for one in node.outputs}) != 1:
        raise refusal("a Split into unequal pieces has no form in LiteRT")
    at_last = len(shape) == 4 and draft.prefers_last(x)
    place = _PLACES[axis] if at_last else axis
    source = draft.last(x) if at_last else draft.plain(x)
    made = []
    for name in node.outputs:
        made.append(draft.tensor(name, draft.last_shape(name) if at_last else draft.shape(name)))
        (draft.alias_last if at_last else draft.alias_plain)(name, made[-1])
    axis_tensor = draft.constant(np.array(place, np.int32))
    options = {"Options": "SplitOptions", "numSplits": len(made)}
    draft.assembly.operator("SPLIT", [axis_tensor, source], made, options)


def pad(draft: Draft, node: Node) -> None:
    """Pad with one number."""
    if node.attributes.get("mode", b"constant") != b"constant":
        raise refusal("a Pad that mirrors or repeats has no form in LiteRT")
    x, name = node.inputs[0], node.outputs[0]
    rank = len(draft.shape(x))
    amounts = node.attributes.get("pads")
    value = float(node.attributes.get("value", 0.0))
    if amounts is None:
        amounts = draft.stored(node.input(1), "the amount of Pad").reshape(-1)
        if node.input(2):
            value = float(draft.stored(node.input(2), "the value of Pad").item())
    if len(amounts) != 2 * rank or min(amounts) < 0:
        raise refusal("a Pad of some axes, or one that cuts, has no form in LiteRT")
    by_axis = np.array(amounts, np.int32).reshape(2, rank).T
    at_last = rank == 4 and draft.prefers_last(x)
    if at_last:
        by_axis = by_axis[list(TO_LAST)]
    inputs = [draft.last(x) if at_last else draft.plain(x), draft.constant(by_axis)]
    kind, table = "PAD", "PadOptions"
    if value:
        kind, table = "PADV2", "PadV2Options"
        inputs.append(draft.constant(np.array(value, np.float32)))
    (draft.put_last if at_last else draft.put)(kind, inputs, name, Options=table)


def cut(draft: Draft, node: Node) -> None:
    """Slice by stored bounds and positive steps."""
    x, name = node.inputs[0], node.outputs[0]
    shape = draft.shape(x)
    starts, ends, axes, steps = (_bounds(draft, node, place) for place in range(4))
    if starts is None or ends is None:
        raise refusal("a Slice without bounds has no form in LiteRT")
    axes = axes if axes is not None else list(range(len(starts)))
    steps = steps if steps is not None else [1] * len(starts)
    if min(steps) < 1:
        raise refusal("a Slice that walks backwards has no form in LiteRT")
    begin, finish, stride = [0] * len(shape), list(shape), [1] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = shape[axis % len(shape)]
        begin[axis % len(shape)] = min(max(start + size if start < 0 else start, 0), size)
        finish[axis % len(shape)] = min(max(end + size if end < 0 else end, 0), size)
        stride[axis % len(shape)] = step
    at_last = len(shape) == 4 and draft.prefers_last(x)
    order = TO_LAST if at_last else range(len(shape))
    tables = [draft.integers([part[i] for i in order]) for part in (begin, finish, stride)]
    source = draft.last(x) if at_last else draft.plain(x)
    put = draft.put_last if at_last else draft.put
    put("STRIDED_SLICE", [source, *tables], name, Options="StridedSliceOptions")


def gather(draft: Draft, node: Node) -> None:
    """Gather: rows of an embedding, or stored places of an axis."""
    data, indices = node.inputs
    axis = int(node.attributes.get("axis", 0)) % len(draft.shape(data))
    if draft.is_stored(indices):
        places = draft.graph.constants[indices].astype(np.int64)
        size = draft.shape(data)[axis]
        where = draft.constant(np.where(places < 0, places + size, places).astype(np.int32))
    else:
        where = draft.plain(indices)
    draft.put(
        "GATHER", [draft.plain(data), where], node.outputs[0], Options="GatherOptions", axis=axis
    )


def cast(draft: Draft, node: Node) -> None:
    """Cast between numbers that LiteRT has."""
    draft.put("CAST", [draft.plain(node.inputs[0])], node.outputs[0], Options="CastOptions")


def _bounds(draft: Draft, node: Node, place: int) -> Sequence[int] | None:
    key = ("starts", "ends", "axes", "steps")[place]
    if key in node.attributes:
        return [int(one) for one in node.attributes[key]]
    name = node.input(place + 1)
    if not name:
        return None
    return [int(one) for one in draft.stored(name, f"the {key} of Slice").reshape(-1)]
