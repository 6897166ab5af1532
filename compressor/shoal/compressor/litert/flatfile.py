"""Packs and unpacks `.tflite` files, saying equal things once.

In a flatbuffer any number of tables may point to one vector. The zero points of a per-channel int8
net are 512 bytes of zeros for each weight and each bias of 64 channels: written once, they no
longer count.
"""

from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shoal.compressor.passes.protocol import Array

IDENTIFIER: Final = b"TFL3"
SIGNATURE: Final = "serving_default"
_DATA_ALIGNMENT: Final = 16  # the schema asks it of weights, and mapped files rely on it
_EMPTY: Final = 0  # the first buffer of every file is empty, and what is computed points to it


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that writes equal vectors and strings once, and aligns bytes as weights."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Array) -> int:  # noqa: N802 - the library's name
        """The offset of a vector of these numbers."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = self._vector(x)
        return self._written[key]

    def CreateString(  # noqa: N802 - the library's name
        self, s: str | bytes, encoding: str = "utf-8", errors: str = "strict"
    ) -> int:
        """The offset of this string."""
        key = ("", s.encode(encoding, errors) if isinstance(s, str) else s)
        if key not in self._written:
            self._written[key] = int(super().CreateString(s, encoding, errors))
        return self._written[key]

    def _vector(self, x: Array) -> int:
        if x.dtype != np.uint8:
            return int(super().CreateNumpyVector(x))
        data = x.tobytes()
        self.StartVector(1, len(data), _DATA_ALIGNMENT)
        self.head -= len(data)
        self.Bytes[self.head : self.head + len(data)] = data
        self.vectorNumElems = len(data)
        return int(self.EndVector())


def pack(model: Any) -> bytes:
    """The file of `model`, a ModelT of the schema's objects."""
    builder = _SharingBuilder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def unpack(data: bytes) -> Any:
    """The ModelT of a file; only for files that the sandboxed child has read before."""
    return schema.ModelT.InitFromPackedBuf(data, 0)


def slim(model: Any) -> Any:
    """Drops what no runtime reads: notes, names of inner tensors, empty and unused buffers.

    Names stay where they are the only ones: of the edges of a file without a signature.
    """
    model.description = None
    model.metadata = model.metadataBuffer = None
    for graph in model.subgraphs:
        graph.name = None
        edges = set() if model.signatureDefs else {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in edges:
                tensor.name = None
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None
                if tensor.quantization.scale is None and tensor.quantization.details is None:
                    tensor.quantization = None
    _drop_buffers(model)
    return model


def _drop_buffers(model: Any) -> None:
    kept = [schema.BufferT()]
    places: dict[int, int] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is None or len(data) == 0:
                tensor.buffer = _EMPTY
                continue
            if tensor.buffer not in places:
                places[tensor.buffer] = len(kept)
                kept.append(model.buffers[tensor.buffer])
            tensor.buffer = places[tensor.buffer]
    model.buffers = kept
