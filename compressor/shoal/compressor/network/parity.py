"""A network and its graph give the same answers: checked in both directions, on real rows.

The reference is onnxruntime on the graph, one row at a time; the network gets all rows at once, so
that a layer which mixes rows is found too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor

from shoal.compressor.evaluate import session
from shoal.compressor.network import exporting, importing
from shoal.compressor.network.graph import Network
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

    Raises:
        PassError: UnsupportedOperator, or BuildFailed where inputs or answers do not agree.
    """
    _check_inputs(model, rows)
    network = importing.read(model, tensors({name: array[:1] for name, array in rows.items()}))
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
        if not sizes or (sizes[0].HasField("dim_value") and sizes[0].dim_value != 1):
            raise PassError(
                Rejection.BUILD_FAILED,
                f"input {port.name!r} has no row axis: its first dimension is neither 1 nor open",
            )


def _compare(network: Network, model: onnx.ModelProto, rows: Rows, what: str) -> float:
    """The largest absolute error; it may be at most TOLERANCE of the largest answer."""
    few = {name: array[:CHECKED_ROWS] for name, array in rows.items()}
    with torch.no_grad():
        answers = network.eval().values([port.value for port in network.outputs], tensors(few))
    error = 0.0
    for mine, theirs in zip(answers, graph_answers(model, few), strict=True):
        got = mine.numpy()
        if got.shape != theirs.shape:
            detail = f"rows are mixed: {got.shape} instead of {theirs.shape}"
            raise PassError(Rejection.BUILD_FAILED, f"{what} failed parity: {detail}")
        worst = float(np.abs(got - theirs).max(initial=0.0))
        # Written so that NaN, which compares as false, fails.
        if not worst <= TOLERANCE * max(1.0, float(np.abs(theirs).max(initial=0.0))):
            raise PassError(Rejection.BUILD_FAILED, f"{what} failed parity: error {worst:.3g}")
        error = max(error, worst)
    return error


def graph_answers(model: onnx.ModelProto, rows: Rows) -> list[Array]:
    """Every output of the graph on every row, one run a row."""
    opened = session.open_session(model.SerializeToString(), threads=1)
    names = [port.name for port in opened.get_inputs()]
    count = len(next(iter(rows.values())))
    runs = [
        opened.run(None, {name: rows[name][index : index + 1] for name in names})
        for index in range(count)
    ]
    return [np.concatenate(outputs) for outputs in zip(*runs, strict=True)]
