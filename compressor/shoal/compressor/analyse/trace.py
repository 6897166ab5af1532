"""Every tensor of one inference: its shape and type as the runtime really makes it.

Shape inference knows neither the runtime's own operators nor shapes that are computed; running the
graph once with all its tensors as outputs knows both.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shoal.compressor.sources.rows import Array

_OPAQUE: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One tensor. `dtype` is numpy's name, "" for a sequence, a map or a type numpy has not."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What its numbers take; 0 for what is no tensor."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize if self.dtype else 0

    @property
    def numbers(self) -> int:
        """How many there are."""
        return math.prod(self.shape)


def trace(model: onnx.ModelProto, feed: Mapping[str, Array]) -> dict[str, Seen]:
    """Inputs, weights and every node's outputs by name; the graph is run as it is written."""
    seen = {name: _seen(np.asarray(array)) for name, array in feed.items()}
    for tensor in model.graph.initializer:
        seen[tensor.name] = stored(tensor)
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    results = _run(shown, feed)
    return seen | {
        name: _seen(value) for name, value in zip(dict.fromkeys(names), results, strict=True)
    }


def stored(tensor: onnx.TensorProto) -> Seen:
    """A weight as it would be seen."""
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).name
        np.dtype(dtype)
    except (KeyError, TypeError, ValueError):
        return _seen(numpy_helper.to_array(tensor).view(np.uint8))
    return Seen(dtype=dtype, shape=tuple(tensor.dims))


def _run(model: onnx.ModelProto, feed: Mapping[str, Array]) -> list[Any]:
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    results: list[Any] = session.run(None, dict(feed))
    return results


def _seen(value: Any) -> Seen:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        return Seen(dtype=_OPAQUE, shape=())
    return Seen(dtype=value.dtype.name, shape=value.shape)
