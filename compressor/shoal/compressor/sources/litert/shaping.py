"""Reads operators that move numbers: reshape, transpose, pad, concatenate, slice, gather."""

import numpy as np

from shoal.compressor.sources.litert.building import Building, ClosedRowsError, refuse
from shoal.compressor.sources.litert.dense import PLACES
from shoal.compressor.sources.litert.values import Operator


def reshape(b: Building, op: Operator) -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the shape is what the file says of the result."""
    x, made = op.input(0), op.outputs[0]
    before, after = b.shape(x), b.shape(made)
    if before == after:
        b.alias(made, x)
        return
    flat = len(before) == 4 and len(after) == 2
    if flat and b.prefers_first(x) and before[1] * before[2] == 1 and before[0] == after[0]:
        n, h, w, c = before
        b.set_plain(made, b.reshaped(b.first(x), (n, c, h, w), after))
        return
    b.set_plain(made, b.reshaped(b.plain(x), before, after))


def transpose(b: Building, op: Operator) -> None:
    """TRANSPOSE by a stored order."""
    perm = [int(one) for one in b.stored(op.input(1), "the order of TRANSPOSE").reshape(-1)]
    if b.open_rows and perm[:1] != [0]:
        raise ClosedRowsError
    b.put(op, "Transpose", [b.plain(op.input(0))], perm=perm)


def concat(b: Building, op: Operator) -> None:
    """CONCATENATION along any axis."""
    rank = len(b.shape(op.outputs[0]))
    axis = op.option("axis") % max(rank, 1)
    if b.open_rows and (axis == 0 or any(b.is_stored(one) for one in op.inputs)):
        raise ClosedRowsError
    if rank == 4 and any(b.prefers_first(one) for one in op.inputs):
        b.put_first(op, "Concat", [b.first(one) for one in op.inputs], axis=PLACES[axis])
    else:
        b.put(op, "Concat", [b.plain(one) for one in op.inputs], axis=axis)


def pad(b: Building, op: Operator) -> None:
    """PAD with zeros and PADV2 with a number."""
    x = op.input(0)
    by_axis = b.stored(op.input(1), f"the amounts of {op.kind}").astype(np.int64)
    rank = len(b.shape(x))
    if by_axis.shape != (rank, 2):
        raise refuse(f"{op.kind} with amounts of another shape has no form in ONNX")
    if b.open_rows and by_axis[0].any():
        raise ClosedRowsError
    value = 0.0 if op.input(2) < 0 else float(b.stored(op.input(2), "the value of PADV2").item())
    first = rank == 4 and b.prefers_first(x)
    if first:
        by_axis = by_axis[[0, 3, 1, 2]]
    inputs = [
        b.first(x) if first else b.plain(x),
        b.integers([int(one) for one in by_axis.T.reshape(-1)]),
        b.constant(np.array(value, np.float32)),
    ]
    (b.put_first if first else b.put)(op, "Pad", inputs)


def strided_slice(b: Building, op: Operator) -> None:
    """STRIDED_SLICE by stored bounds; masks say which bounds are the whole axis."""
    x = op.input(0)
    shape = b.shape(x)
    begin, end, steps = (
        [int(one) for one in b.stored(op.input(place), "a bound of STRIDED_SLICE").reshape(-1)]
        for place in (1, 2, 3)
    )
    if op.option("ellipsisMask") or op.option("newAxisMask") or min(steps, default=1) < 1:
        raise refuse("STRIDED_SLICE backwards, with an ellipsis or new axes has no form in ONNX")
    shrunk = op.option("shrinkAxisMask")
    starts, ends = [], []
    for axis, (start, stop) in enumerate(zip(begin, end, strict=True)):
        only = bool(shrunk >> axis & 1)
        whole_start = bool(op.option("beginMask") >> axis & 1) and not only
        whole_stop = bool(op.option("endMask") >> axis & 1) and not only
        starts.append(0 if whole_start else start)
        after = start + 1 if start != -1 else shape[axis]
        ends.append(after if only else shape[axis] if whole_stop else stop)
    if b.open_rows and (starts[0], ends[0] >= shape[0], steps[0]) != (0, True, 1):
        raise ClosedRowsError
    if b.open_rows and starts:
        ends[0] = np.iinfo(np.int32).max
    axes = list(range(len(starts)))
    bounds = [b.integers(one) for one in (starts, ends, axes, steps)]
    name = b.node("Slice", [b.plain(x), *bounds])
    removed = [axis for axis in axes if shrunk >> axis & 1]
    if b.open_rows and 0 in removed:
        raise ClosedRowsError
    if removed:
        name = b.node("Squeeze", [name, b.integers(removed)])
    b.end(op, name)


def cut(b: Building, op: Operator) -> None:
    """SLICE by stored places and sizes; a size of -1 goes to the end."""
    x = op.input(0)
    shape = b.shape(x)
    begin, size = (
        [int(one) for one in b.stored(op.input(place), "a bound of SLICE").reshape(-1)]
        for place in (1, 2)
    )
    ends = [
        total if count < 0 else start + count
        for start, count, total in zip(begin, size, shape, strict=True)
    ]
    if b.open_rows and (begin[0], ends[0]) != (0, shape[0]):
        raise ClosedRowsError
    if b.open_rows:
        ends[0] = np.iinfo(np.int32).max
    bounds = [b.integers(one) for one in (begin, ends, list(range(len(begin))))]
    b.put(op, "Slice", [b.plain(x), *bounds])


def split(b: Building, op: Operator) -> None:
    """SPLIT into equal pieces: the axis comes first among its inputs."""
    axis_at, x = op.input(0), op.input(1)
    rank = len(b.shape(x))
    axis = int(b.stored(axis_at, "the axis of SPLIT").reshape(-1)[0]) % rank
    if b.open_rows and axis == 0:
        raise ClosedRowsError
    start = 0
    for made in op.outputs:
        stop = start + b.shape(made)[axis]
        bounds = [b.integers([one]) for one in (start, stop, axis)]
        b.set_plain(made, b.node("Slice", [b.plain(x), *bounds]))
        start = stop


def pack(b: Building, op: Operator) -> None:
    """PACK: values of one shape side by side on a new axis."""
    axis = op.option("axis") % len(b.shape(op.outputs[0]))
    if b.open_rows and (axis == 0 or any(b.is_stored(one) for one in op.inputs)):
        raise ClosedRowsError
    wide = [b.node("Unsqueeze", [b.plain(one), b.integers([axis])]) for one in op.inputs]
    b.put(op, "Concat", wide, axis=axis)


def gather(b: Building, op: Operator) -> None:
    """GATHER along an axis: rows of a stored table, or of a computed value."""
    data, places = op.input(0), op.input(1)
    axis = op.option("axis") % max(len(b.shape(data)), 1)
    if op.option("batchDims") or (b.open_rows and axis == 0 and not b.is_stored(data)):
        raise ClosedRowsError
    b.put(op, "Gather", [b.plain(data), b.plain(places)], axis=axis)
