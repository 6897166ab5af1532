"""Holds stored weights against what no training should have left behind: NaN and infinity.

Infinity has honest uses, such as a mask that is added before a softmax or the open end of a Clip,
and so has a single NaN, as the mark of a missing value. What a layer multiplies by has neither.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from shoal.compressor import errors
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

_FLOATS: Final = {
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
}
_WEIGHTED: Final = {
    *("Conv", "ConvTranspose", "ConvInteger", "Gemm", "MatMul", "MatMulNBits", "Einsum"),
    *("RNN", "GRU", "LSTM", "BatchNormalization", "LayerNormalization", "InstanceNormalization"),
    *("DequantizeLinear", "QuantizeLinear"),
}
_COEFFICIENTS: Final = {"coefficients", "intercepts", "support_vectors", "rho"}


def check(model: onnx.ModelProto) -> None:
    """Every weight of every layer is a finite number.

    Raises:
        InvalidError: BadWeights, naming the first tensor that has others.
    """
    bodies: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    multiplied: set[str] = set()
    stored: list[tuple[str, TensorProto]] = []
    while bodies:
        body = bodies.pop()
        if isinstance(body, onnx.GraphProto):
            stored += [(tensor.name, tensor) for tensor in body.initializer]
            stored += [(sparse.values.name, sparse.values) for sparse in body.sparse_initializer]
        for node in body.node:
            _check_coefficients(node)
            stored += _constants(node)
            if node.op_type in _WEIGHTED:
                multiplied.update(node.input)
            for attribute in node.attribute:
                bodies.extend((attribute.g, *attribute.graphs))
    for name, tensor in stored:
        _check_tensor(name, tensor, weighted=name in multiplied)


def _constants(node: onnx.NodeProto) -> Iterator[tuple[str, TensorProto]]:
    if node.op_type == "Constant" and node.output:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield node.output[0], attribute.t


def _check_tensor(name: str, tensor: TensorProto, *, weighted: bool) -> None:
    if tensor.data_type not in _FLOATS:
        return
    try:
        values = numpy_helper.to_array(tensor).astype(np.float32, copy=False)
    except (ValueError, TypeError):
        return  # the runtime says what is wrong with a tensor whose bytes do not fill its shape
    if np.isfinite(values).all():
        return
    missing = int(np.isnan(values).sum())
    if missing and (weighted or values.size > 1):
        raise _refuse(name, f"{missing} of {values.size} values that are no numbers (NaN)")
    if weighted:
        raise _refuse(name, f"{int(np.isinf(values).sum())} of {values.size} values infinite")


def _check_coefficients(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name in _COEFFICIENTS and not np.isfinite(attribute.floats).all():
            raise _refuse(f"{node.name or node.op_type}.{attribute.name}", "values not finite")


def _refuse(name: str, what: str) -> InvalidError:
    return errors.invalid(
        Reason.BAD_WEIGHTS,
        f"the weight {name!r} has {what}",
        field="MODEL",
        hint="the training diverged, or the file is damaged: export the last good checkpoint",
    )
