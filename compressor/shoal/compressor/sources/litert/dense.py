"""Reads matrix products, softmax, sums over axes and picking of the largest."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from shoal.compressor.sources.litert.building import Building, ClosedRowsError, refuse
from shoal.compressor.sources.litert.values import Operator

REDUCERS: Final = {
    "MEAN": "ReduceMean",
    "SUM": "ReduceSum",
    "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin",
    "REDUCE_PROD": "ReduceProd",
}
PLACES: Final = {0: 0, 1: 2, 2: 3, 3: 1}  # of the file's axes, with channels first


def fully_connected(b: Building, op: Operator) -> None:
    """FULLY_CONNECTED: over a matrix a Gemm, over more dimensions a MatMul and a sum."""
    x, w = op.input(0), op.input(1)
    filters, depth = b.shape(w)
    shape, made = b.shape(x), b.shape(op.outputs[0])
    rows = int(np.prod(shape)) // max(depth, 1)
    if len(shape) > 2 and len(made) > 2:
        weight = b.weight(w, (1, 0), "the weight of FULLY_CONNECTED")
        product = b.node("MatMul", [b.plain(x), weight])
        b.put(op, "Add", [product, b.bias(op.input(2), filters)])
        return
    source = _as_rows(b, x, (rows, depth))
    weight = b.weight(w, (0, 1), "the weight of FULLY_CONNECTED")
    b.put(op, "Gemm", [source, weight, b.bias(op.input(2), filters)], transB=1)


def batch_matmul(b: Building, op: Operator) -> None:
    """BATCH_MATMUL, with either side transposed where the file says so."""
    names = []
    for place, key in ((op.input(0), "adjX"), (op.input(1), "adjY")):
        name = b.plain(place)
        if op.option(key):
            order = list(range(len(b.shape(place))))
            name = b.node("Transpose", [name], perm=[*order[:-2], order[-1], order[-2]])
        names.append(name)
    b.put(op, "MatMul", names)


def softmax(b: Building, op: Operator) -> None:
    """SOFTMAX over the last axis, with its factor."""
    x = op.input(0)
    beta = float(op.options.get("beta") or 1.0)
    first = b.prefers_first(x)
    name = b.first(x) if first else b.plain(x)
    if beta != 1.0:
        name = b.node("Mul", [name, b.constant(np.array(beta, np.float32))])
    kind = "LogSoftmax" if op.kind == "LOG_SOFTMAX" else "Softmax"
    if first:
        b.put_first(op, kind, [name], axis=1)
    else:
        b.put(op, kind, [name], axis=-1)


def reduce(b: Building, op: Operator) -> None:
    """Means, sums and extremes over stored axes."""
    x = op.input(0)
    rank = len(b.shape(x))
    stored = b.stored(op.input(1), f"the axes of {op.kind}").reshape(-1)
    axes = sorted({int(axis) % rank for axis in stored})
    if b.open_rows and 0 in axes:
        raise ClosedRowsError
    keeps = op.option("keepDims")
    kind = REDUCERS[op.kind]
    if rank == 4 and b.prefers_first(x):
        moved = sorted(PLACES[axis] for axis in axes)
        if keeps:
            _reduced(b, op, (kind, b.first(x), moved, keeps), first=True)
            return
        if axes == [1, 2] or 3 in axes:  # what is left keeps its order
            _reduced(b, op, (kind, b.first(x), moved, keeps), first=False)
            return
    _reduced(b, op, (kind, b.plain(x), axes, keeps), first=False)


def arg_max(b: Building, op: Operator) -> None:
    """ARG_MAX and ARG_MIN, without their axis, in the integers that the file makes."""
    x = op.input(0)
    axis = int(b.stored(op.input(1), f"the axis of {op.kind}").reshape(-1)[0])
    kind = "ArgMax" if op.kind == "ARG_MAX" else "ArgMin"
    rank = len(b.shape(x))
    if b.open_rows and axis % rank == 0:
        raise ClosedRowsError
    found = b.node(kind, [b.plain(x)], axis=axis % rank, keepdims=0)
    if b.tensor(op.outputs[0]).dtype == "int32":
        b.put(op, "Cast", [found], to=6)  # onnx.TensorProto.INT32
    else:
        b.end(op, found)


def _as_rows(b: Building, x: int, target: tuple[int, int]) -> str:
    """The input as a matrix; one row and column of channels need no transpose for it."""
    shape = b.shape(x)
    if shape == target:
        return b.plain(x)
    if len(shape) == 4 and b.prefers_first(x) and shape[1] * shape[2] == 1:
        n, h, w, c = shape
        return b.reshaped(b.first(x), (n, c, h, w), target)
    return b.reshaped(b.plain(x), shape, target)


def _reduced(
    b: Building, op: Operator, what: tuple[str, str, Sequence[int], int], *, first: bool
) -> None:
    kind, name, axes, keeps = what
    if not axes:
        raise refuse(f"{op.kind} over no axis has no form in ONNX")
    put = b.put_first if first else b.put
    if kind == "ReduceSum":  # the first of them whose axes became an input
        put(op, kind, [name, b.integers(axes)], keepdims=keeps)
    else:
        put(op, kind, [name], axes=list(axes), keepdims=keeps)
