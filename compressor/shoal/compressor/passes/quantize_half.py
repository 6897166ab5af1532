"""Floats of 16 bits: stored so and computed in 32, or computed in 16 where a provider can.

Stored in 16 bits, weights become 32-bit floats once, when the runtime folds constants at load: half
the bytes, the speed and nearly the answers of the source.
"""

import enum
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.passes import quantizer
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassError, PassResult
from shoal.compressor.rejections import Rejection

_VALUES_AT_LEAST: Final = 64  # below, a Cast takes as many bytes as it saves
_LARGEST: Final = float(np.finfo(np.float16).max)


class Halves(enum.StrEnum):
    """What is done in 16 bits."""

    STORED = "stored"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Weights in fp16, with the source's own types at inputs and outputs."""

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["half"] = field(default="half", init=False)
    halves: Halves = field(default=Halves.STORED, metadata=IN_TITLE)

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The model in fp16.

        Raises:
            PassError: UnsupportedOperator, it stores no floats; BuildFailed.
        """
        del context
        names = _halvable(model)
        if not names:
            raise PassError(Rejection.UNSUPPORTED_OPERATOR, "the graph stores no float weights")
        if self.halves is Halves.STORED:
            return PassResult(model=_stored(model, names), notes={"weights_halved": len(names)})
        from onnxruntime.transformers import float16  # noqa: PLC0415 - not paid by a cached run

        with quantizer.quantizing():
            computed: onnx.ModelProto = float16.convert_float_to_float16(
                quantizer.with_node_names(model), keep_io_types=True
            )
        return PassResult(model=computed)


def _halvable(model: onnx.ModelProto) -> frozenset[str]:
    """Weights that are worth it and stay finite."""
    return frozenset(
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and int(np.prod(tensor.dims)) >= _VALUES_AT_LEAST
        and np.abs(numpy_helper.to_array(tensor)).max() <= _LARGEST
    )


def _stored(model: onnx.ModelProto, names: frozenset[str]) -> onnx.ModelProto:
    """Each of the weights `names` in fp16 under another name, and a Cast to its own first."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    graph = halved.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.name in names:
            own = tensor.name
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, f"{own}/half"))
            casts.append(helper.make_node("Cast", [tensor.name], [own], to=TensorProto.FLOAT))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    return halved
