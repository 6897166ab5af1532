"""How a stage's graph lies in its file, so that the runtime can map its weights in place.

A stage is an ordinary ONNX file. Its large weights come last and begin at multiples of 64 bytes of
the whole `.stages` file, whose members are stored as they are. A reader may therefore leave every
such weight where it lies and hand the runtime a small graph that refers to it: onnxruntime maps
external data page by page, while a graph with weights inside is held twice when it is loaded.
"""

from typing import Final

import onnx
from onnx import numpy_helper

from shoal.engines import fields
from shoal.engines.archive import ALIGNMENT
from shoal.engines.references import LARGE_BYTES

_NUMBERS: Final = {
    *("FLOAT", "FLOAT16", "DOUBLE", "INT8", "INT16", "INT32", "INT64"),
    *("UINT8", "UINT16", "UINT32", "UINT64", "BOOL"),
}


def write(model: onnx.ModelProto, at: int) -> bytes:
    """`model` as bytes whose large weights are aligned if the first byte lies at `at`."""
    rest, large = _apart(model)
    graph_head = rest.graph.SerializeToString(deterministic=True)
    rest.ClearField("graph")
    head = rest.SerializeToString(deterministic=True)
    body, width = b"", 1
    while True:  # the length of the graph is written before it, and its width moves everything
        start = at + len(head) + 1 + width + len(graph_head)
        body = graph_head + _aligned(large, start)
        length = fields.varint(len(body))
        if len(length) == width:
            return head + fields.key(fields.MODEL_GRAPH, fields.LENGTH) + length + body
        width += 1


def _apart(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[tuple[bytes, bytes]]]:
    """The model without its large weights; each of those as what it is, and its numbers."""
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    large, small = [], []
    for tensor in rest.graph.initializer:
        plain = _raw(tensor)
        if len(plain.raw_data) < LARGE_BYTES:
            small.append(plain)
            continue
        raw = plain.raw_data
        plain.ClearField("raw_data")
        large.append((plain.SerializeToString(deterministic=True), raw))
    del rest.graph.initializer[:]
    rest.graph.initializer.extend(small)
    return rest, large


def _raw(tensor: onnx.TensorProto) -> onnx.TensorProto:
    """The same tensor with its numbers as raw data, where it is made of such numbers."""
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    if not tensor.HasField("raw_data") and _kind(tensor) in _NUMBERS:
        copy = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
    copy.doc_string = ""
    return copy


def _kind(tensor: onnx.TensorProto) -> str:
    return str(onnx.TensorProto.DataType.Name(tensor.data_type))


def _aligned(tensors: list[tuple[bytes, bytes]], start: int) -> bytes:
    parts: list[bytes] = []
    at = start
    for meta, raw in tensors:
        prefix = _prefix(meta, len(raw), at)
        parts += [prefix, raw]
        at += len(prefix) + len(raw)
    return b"".join(parts)


def _prefix(meta: bytes, raw_bytes: int, at: int) -> bytes:
    """What stands before a weight: its key, lengths, shape, and a note as long as it takes.

    Example: at 100 with a prefix of 20 bytes the weight would begin at 120; a note of 6 bytes with
    its key and length takes 8 and puts it at 128.
    """
    for spaces in (None, *range(2 * ALIGNMENT)):
        note = b"" if spaces is None else fields.field(fields.TENSOR_DOC, b" " * spaces)
        tensor = meta + note + fields.opening(fields.TENSOR_RAW, raw_bytes)
        prefix = fields.opening(fields.GRAPH_INITIALIZER, len(tensor) + raw_bytes) + tensor
        if (at + len(prefix)) % ALIGNMENT == 0:
            return prefix
    raise RuntimeError("no note of up to two lines aligns a weight")
