"""int8 through onnxruntime's quantizer: dynamic for MatMul and Gemm, static for the rest.

Source of the scheme: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (arXiv 1712.05877): weights symmetric int8, activations affine,
ranges from the least and greatest value seen on calibration rows.
"""

import enum
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx

from shoal.compressor.passes.protocol import Array, PassContext, PassError, PassResult
from shoal.compressor.rejections import Rejection

DYNAMIC_OPERATORS: Final = ("MatMul", "Gemm")
WEIGHT_OPERATORS: Final = ("Conv", "MatMul", "Gemm")


class Integers(enum.StrEnum):
    """Types of activations and weights: unsigned or signed 8 bits."""

    U8S8 = "u8s8"
    S8S8 = "s8s8"
    U8U8 = "u8u8"


class Form(enum.StrEnum):
    """How the file says it: integer operators, or float operators between Q/DQ pairs."""

    QOPERATOR = "qoperator"
    QDQ = "qdq"


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicInt8:
    """Weights to int8 once, activations at every inference; only MatMul and Gemm."""

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["dynamic"] = field(default="dynamic", init=False)
    per_channel: bool = False
    reduce_range: bool = False

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The model with MatMulInteger or QGemm in place of MatMul and Gemm."""
        del context
        if not any(node.op_type in DYNAMIC_OPERATORS for node in model.graph.node):
            raise PassError(
                Rejection.UNSUPPORTED_OPERATOR, "the graph has neither MatMul nor Gemm to quantize"
            )
        from onnxruntime import quantization  # noqa: PLC0415 - not paid by a cached run

        def run(source: Path, target: Path) -> None:
            quantization.quantize_dynamic(
                source,
                target,
                op_types_to_quantize=list(DYNAMIC_OPERATORS),
                per_channel=self.per_channel,
                reduce_range=self.reduce_range,
                weight_type=quantization.QuantType.QInt8,
            )

        return PassResult(model=_through_files(model, run))


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticInt8:
    """Weights and activations to int8, with ranges from calibration rows (MinMax).

    Empty `operators` means every type the quantizer knows. `exclude` names outputs of nodes that
    stay in float: unlike node names, every graph has them.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["static"] = field(default="static", init=False)
    integers: Integers = Integers.U8S8
    form: Form = Form.QOPERATOR
    per_channel: bool = True
    reduce_range: bool = False
    operators: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The integer model."""
        from onnxruntime import quantization  # noqa: PLC0415 - not paid by a cached run

        named = _with_node_names(model)
        excluded = [node.name for node in named.graph.node if set(node.output) & set(self.exclude)]
        kinds = quantization.QuantType
        activation, weight = {
            Integers.U8S8: (kinds.QUInt8, kinds.QInt8),
            Integers.S8S8: (kinds.QInt8, kinds.QInt8),
            Integers.U8U8: (kinds.QUInt8, kinds.QUInt8),
        }[self.integers]
        form = {
            Form.QOPERATOR: quantization.QuantFormat.QOperator,
            Form.QDQ: quantization.QuantFormat.QDQ,
        }[self.form]

        def run(source: Path, target: Path) -> None:
            quantization.quantize_static(
                source,
                target,
                _Reader(context),
                quant_format=form,
                op_types_to_quantize=list(self.operators) or None,
                nodes_to_exclude=excluded,
                per_channel=self.per_channel,
                reduce_range=self.reduce_range,
                activation_type=activation,
                weight_type=weight,
            )

        return PassResult(model=_through_files(named, run), notes={"kept_float": excluded})


class _Reader:
    """Feeds calibration rows one by one, as the quantizer's CalibrationDataReader does."""

    def __init__(self, context: PassContext) -> None:
        self._feeds = feeds(context)

    def get_next(self) -> Mapping[str, Array] | None:
        """The next row, or None after the last: the quantizer's own protocol."""
        return next(self._feeds, None)


def feeds(context: PassContext) -> Iterator[dict[str, Array]]:
    """The calibration rows as inference feeds, batch 1."""
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim) for value in context.source.graph.input
    }
    count = len(next(iter(context.calibration.values())))
    for row in range(count):
        yield {
            name: np.asarray(array[row : row + 1] if array.ndim == ranks[name] else array[row])
            for name, array in context.calibration.items()
        } | dict(context.constants)


def _with_node_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The quantizer tells nodes apart by name, and two without one are the same to it."""
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for index, node in enumerate(named.graph.node):
        node.name = f"n{index}"
    return named


def _through_files(model: onnx.ModelProto, run: Any) -> onnx.ModelProto:
    """The quantizer changes the model object it is given, so it works on files."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save(model, source)
        try:
            run(source, target)
            return onnx.load(target)
        except Exception as error:
            text = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
            raise PassError(
                Rejection.BUILD_FAILED, f"onnxruntime's quantizer raised: {text}"
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer advises through the root logger; its advice is for its own command line."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
