"""One model in every kind of variant file: as ONNX, as `.tflite` and in stages, named as blobs are.

`chain` is a chain of products from `x` [N, 64] to `y` [N, 10].
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from shoal.compressor.analyse import liveness, trace
from shoal.compressor.staging import cutting, modules
from tests.unit.compressor import staging_zoo
from tests.unit.compressor.staging_zoo import Array

FEATURES = 64
CLASSES = 10
KINDS = ("onnx", "tflite", "stages")


def chain(seed: int = 0) -> onnx.ModelProto:
    model, _ = staging_zoo.chain([FEATURES, 128, 96, CLASSES])
    for tensor in model.graph.initializer:
        values = np.random.default_rng(seed).normal(size=tuple(tensor.dims)) * 0.2
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
    for value, size in ((model.graph.input[0], FEATURES), (model.graph.output[0], CLASSES)):
        shape = onnx.helper.make_tensor_value_info(value.name, 1, ["N", size])
        value.CopyFrom(shape)
    return model


def rows(count: int) -> Array:
    return np.random.default_rng(7).normal(size=(count, FEATURES)).astype(np.float32)


def answers(model: onnx.ModelProto, given: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: Array = session.run(None, {"x": given})[0]
    return found


def save(folder: Path, kind: str, model: onnx.ModelProto) -> Path:
    """The model as a file of this kind; its name says nothing of it."""
    path = folder / f"blob-of-{kind}"
    path.write_bytes({"onnx": _onnx, "tflite": _tflite, "stages": _stages}[kind](model))
    return path


def _onnx(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def _tflite(model: onnx.ModelProto) -> bytes:
    from shoal.compressor.litert import writing  # an optional extra

    return writing.write(model, {}).data


def _stages(model: onnx.ModelProto) -> bytes:
    """Each product is a stage."""
    flow = liveness.flow(model, trace.trace(model, {"x": rows(1)}))
    cuts = [
        cutting.Cut(start=i, end=i + 1, planned_bytes=0, cut_bytes=0)
        for i in range(len(flow.steps))
    ]
    return modules.pack(modules.modules(model, flow, cuts), flow, optimise=True)
