"""int8 through onnxruntime's quantizer: dynamic for MatMul, Gemm and LSTM, static for the rest.

Source of the scheme: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (arXiv 1712.05877): weights symmetric int8, activations affine,
ranges from the least and greatest value seen on calibration rows. Entropy ranges: Migacz 2017,
"8-bit Inference with TensorRT" (GTC).
"""

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import onnx

from shoal.compressor.passes import quantizer
from shoal.compressor.passes.protocol import PassContext, PassError, PassResult
from shoal.compressor.rejections import Rejection

PRODUCTS: Final = ("MatMul", "Gemm")
DYNAMIC_OPERATORS: Final = (*PRODUCTS, "LSTM")
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


class Ranges(enum.StrEnum):
    """How an activation's range is taken from what calibration rows show."""

    MINMAX = "minmax"
    ENTROPY = "entropy"
    PERCENTILE = "percentile"


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicInt8:
    """Weights to int8 once, activations at every inference; only MatMul, Gemm and LSTM.

    `layers` and `exclude` name outputs of nodes; empty `layers` means all.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["dynamic"] = field(default="dynamic", init=False)
    per_channel: bool = False
    reduce_range: bool = False
    layers: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The model with integer products and LSTMs in place of float ones."""
        del context
        from onnxruntime import quantization  # noqa: PLC0415 - not paid by a cached run

        named = quantizer.with_node_names(model)
        chosen = [
            node
            for node in named.graph.node
            if node.op_type in DYNAMIC_OPERATORS
            and not set(node.output) & set(self.exclude)
            and (not self.layers or set(node.output) & set(self.layers))
        ]
        if not chosen:
            raise PassError(
                Rejection.UNSUPPORTED_OPERATOR, "the graph has no MatMul, Gemm or LSTM to quantize"
            )

        def run(source: Path, target: Path) -> None:
            quantization.quantize_dynamic(
                source,
                target,
                op_types_to_quantize=list(DYNAMIC_OPERATORS),
                nodes_to_quantize=[name for node in chosen for name in _names(node)],
                per_channel=self.per_channel,
                reduce_range=self.reduce_range,
                weight_type=quantization.QuantType.QInt8,
                extra_options=dict(quantizer.UNKNOWN_IS_FLOAT),
            )

        return PassResult(model=quantizer.through_files(named, run))


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticInt8:
    """Weights and activations to int8, with ranges from calibration rows.

    Empty `operators` means every type the quantizer knows. `exclude` names outputs of nodes that
    stay in float: unlike node names, every graph has them. Convolutions that mix fewer than
    `least_channels` stay too. `symmetric` activations have their zero in the middle, which some
    accelerators ask for.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["static"] = field(default="static", init=False)
    integers: Integers = Integers.U8S8
    form: Form = Form.QOPERATOR
    per_channel: bool = True
    reduce_range: bool = False
    operators: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ranges: Ranges = Ranges.MINMAX
    symmetric: bool = False
    least_channels: int = 0

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The integer model."""
        from onnxruntime import quantization  # noqa: PLC0415 - not paid by a cached run

        named = quantizer.with_flat_biases(quantizer.with_node_names(model))
        thin = quantizer.thin(named, self.least_channels)
        excluded = [*quantizer.names_of(named, self.exclude), *thin]
        rows = quantizer.calibration_rows(model)
        options = self._options()

        def run(source: Path, target: Path) -> None:
            quantization.quantize_static(
                source,
                target,
                quantizer.Reader(context, rows),
                nodes_to_exclude=excluded,
                **options,
            )

        kept = [node.output[0] for node in named.graph.node if node.name in excluded]
        return PassResult(model=quantizer.through_files(named, run), notes={"kept_float": kept})

    def _options(self) -> dict[str, Any]:
        """This config in the quantizer's words."""
        from onnxruntime import quantization  # noqa: PLC0415 - not paid by a cached run

        kinds, methods = quantization.QuantType, quantization.CalibrationMethod
        activation, weight = {
            Integers.U8S8: (kinds.QUInt8, kinds.QInt8),
            Integers.S8S8: (kinds.QInt8, kinds.QInt8),
            Integers.U8U8: (kinds.QUInt8, kinds.QUInt8),
        }[self.integers]
        return {
            "quant_format": {
                Form.QOPERATOR: quantization.QuantFormat.QOperator,
                Form.QDQ: quantization.QuantFormat.QDQ,
            }[self.form],
            "calibrate_method": {
                Ranges.MINMAX: methods.MinMax,
                Ranges.ENTROPY: methods.Entropy,
                Ranges.PERCENTILE: methods.Percentile,
            }[self.ranges],
            "op_types_to_quantize": list(self.operators) or None,
            "per_channel": self.per_channel,
            "reduce_range": self.reduce_range,
            "activation_type": activation,
            "weight_type": weight,
            "extra_options": {
                **quantizer.UNKNOWN_IS_FLOAT,
                "ActivationSymmetric": self.symmetric,
            },
        }


def _names(node: onnx.NodeProto) -> tuple[str, str]:
    """A node's name, and that of the MatMul which the quantizer writes in place of a Gemm."""
    return node.name, f"{node.name}_MatMul"
