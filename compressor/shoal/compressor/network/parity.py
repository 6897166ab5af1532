"""A network and its graph give the same answers: checked in both directions, on real rows.

The reference is onnxruntime on the graph, one row at a time; the network gets all rows at once, so
that a layer which mixes rows is found too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor

from shoal.compressor.evaluate import session
from shoal.compressor.network import exporting, importing
from shoal.compressor.network.graph import Network, Port
from shoal.compressor.network.node import Array
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

CHECKED_ROWS = 16
TOLERANCE = 1e-4

Rows = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A network and the largest absolute error of its answers."""

    network: Network
    max_abs_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A graph and the largest absolute error of its answers."""

    model: onnx.ModelProto
    max_abs_error: float


def import_checked(model: onnx.ModelProto, rows: Rows) -> Imported:
    """Read a graph and compare network and graph on some rows.

    `rows` holds arrays with the row axis first; an array without axes is fed with every row.

    Raises:
        PassError: UnsupportedOperator, or BuildFailed where inputs or answers do not agree.
    """
    _check_inputs(model, rows)
    first = {name: array[:1] if array.ndim else array for name, array in rows.items()}
    network = importing.read(model, tensors(first))
    return Imported(network=network, max_abs_error=_compare(network, model, rows, "import"))


def export_checked(network: Network, rows: Rows) -> Exported:
    """Write a network and compare graph and network on some rows.

    Raises:
        PassError: BuildFailed where the answers do not agree.
    """
    model = exporting.write(network)
    return Exported(model=model, max_abs_error=_compare(network, model, rows, "export"))


def tensors(rows: Rows) -> dict[str, Tensor]:
    """Copies of the rows that torch may keep."""
    return {name: torch.from_numpy(np.array(array)) for name, array in rows.items()}


def _check_inputs(model: onnx.ModelProto, rows: Rows) -> None:
    weights = {weight.name for weight in model.graph.initializer}
    for port in model.graph.input:
        if port.name in weights:
            continue
        if port.name not in rows:
            raise PassError(
                Rejection.BUILD_FAILED, f"no rows for input {port.name!r}; training needs them"
            )
        sizes = port.type.tensor_type.shape.dim
        fixed = bool(sizes) and sizes[0].HasField("dim_value") and sizes[0].dim_value != 1
        whole = rows[port.name].ndim == len(sizes) + 1
        if rows[port.name].ndim and (not sizes or fixed) and not whole:
            raise PassError(
                Rejection.BUILD_FAILED,
                f"input {port.name!r} has no row axis: its first dimension is neither 1 nor open",
            )


def _compare(network: Network, model: onnx.ModelProto, rows: Rows, what: str) -> float:
    """The largest absolute error; it may be at most TOLERANCE of the largest answer."""
    few = {name: array[:CHECKED_ROWS] if array.ndim else array for name, array in rows.items()}
    with torch.no_grad():
        answers = network.eval().values([port.value for port in network.outputs], tensors(few))
    mine = [
        _as_seen(port, answer.numpy())
        for port, answer in zip(network.outputs, answers, strict=True)
    ]
    runs = graph_runs(network, model, few)
    error = 0.0
    for port, held, theirs in zip(network.outputs, mine, zip(*runs, strict=True), strict=True):
        shapes = {answer.shape for answer in theirs}
        if shapes != {held[0].shape}:
            detail = f"{port.name!r} is {held[0].shape} for one row instead of {shapes}"
            raise PassError(Rejection.BUILD_FAILED, f"{what} failed parity: {detail}")
        error = max(error, _error(port, held, np.stack(theirs), what))
    if _takes_batches(network):
        _compare_batch(network, model, (few, mine), what)
    return error


def _error(port: Port, mine: Array, theirs: Array, what: str) -> float:
    if theirs.dtype.kind != "f":
        equal = bool(np.array_equal(mine, theirs))
        worst = 0.0 if equal else math.inf
    else:
        # Equal infinities, as masks have them, are no error; NaN anywhere is.
        with np.errstate(invalid="ignore"):
            apart = np.where(mine == theirs, 0.0, np.abs(mine - theirs))
        worst = float(apart.max(initial=0.0))
    finite = np.abs(theirs[np.isfinite(theirs)]) if theirs.dtype.kind == "f" else np.zeros(0)
    # Written so that NaN, which compares as false, fails.
    if not worst <= TOLERANCE * max(1.0, float(finite.max(initial=0.0))):
        detail = f"error {worst:.3g} in {port.name!r}"
        raise PassError(Rejection.BUILD_FAILED, f"{what} failed parity: {detail}")
    return worst


def _as_seen(port: Port, answer: Array) -> Array:
    """(rows, then one row as the graph has it), from (rows, then what the network holds)."""
    return answer.reshape((len(answer), *port.view.shape))


def _takes_batches(network: Network) -> bool:
    """Whether every input of the graph leaves the number of rows open."""
    return all(
        port.view.rows == 0
        and not port.declared.type.tensor_type.shape.dim[0].HasField("dim_value")
        for port in network.inputs
    )


def _compare_batch(
    network: Network, model: onnx.ModelProto, known: tuple[Rows, list[Array]], what: str
) -> None:
    """Several rows at once must be answered as one at a time, with the rows where they belong.

    A source may be unable to take several rows though its graph says so; then there is nothing to
    compare, as for one that leaves rows without an axis of their own.
    """
    rows, mine = known
    feed = {port.name: rows[port.name] for port in network.inputs} | _constants(network, rows)
    opened = session.open_session(model.SerializeToString(), threads=1)
    try:
        together = opened.run([port.name for port in network.outputs], feed)
    except Exception as error:
        if what == "import":
            return
        raise PassError(Rejection.BUILD_FAILED, f"{what} cannot take several rows") from error
    for port, answers, whole in zip(network.outputs, mine, together, strict=True):
        axis = port.view.rows
        if axis is None or whole.ndim != len(port.view.shape) or whole.shape[axis] != len(answers):
            detail = f"{port.name!r} of several rows is {whole.shape}"
            raise PassError(Rejection.BUILD_FAILED, f"{what} failed parity: {detail}")
        seen = np.expand_dims(np.moveaxis(whole, axis, 0), axis + 1)
        _error(port, answers, seen, f"{what} of several rows")


def _constants(network: Network, rows: Rows) -> dict[str, Array]:
    """The inputs that are fed with every row."""
    changing = {port.name for port in network.inputs}
    names = [port.name for port in network.ports.declared if port.name not in changing]
    return {name: np.asarray(rows[name]) for name in names}


def graph_runs(network: Network, model: onnx.ModelProto, rows: Rows) -> list[list[Array]]:
    """Every output of the graph on every row, one run a row."""
    opened = session.open_session(model.SerializeToString(), threads=1)
    outputs = [port.name for port in network.outputs]
    count = min(len(rows[port.name]) for port in network.inputs)
    constants = _constants(network, rows)
    runs = []
    for index in range(count):
        feed = {
            port.name: rows[port.name][index : index + 1]
            if port.view.rows == 0
            else rows[port.name][index]
            for port in network.inputs
        }
        runs.append(opened.run(outputs, {**feed, **constants}))
    return runs
