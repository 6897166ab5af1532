"""Folds the plain data files beside a model into the model itself (contracts: section 3).

A location is a plain file name: no separator, no link, a regular file, within its declared offsets.
Runs only in the checking child.
"""

import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import onnx
from onnx import TensorProto
from onnx.helper import tensor_dtype_to_np_dtype

from shoal.compressor import errors
from shoal.contract import limits
from shoal.contract.reason import Reason

_HINT: Final = (
    "keep the data files beside the model under plain names, or save it as one file: "
    "onnx.save(onnx.load(PATH), PATH)"
)


def tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every stored tensor of the model: initializers and attributes, subgraphs and functions."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _of_node(node)


def fold(model: onnx.ModelProto, folder: Path) -> int:
    """Moves every external tensor of `model` into it; returns how many there were.

    Raises:
        InvalidError: ExternalData, a location or range that is not allowed.
    """
    outside = [t for t in tensors(model) if t.data_location == TensorProto.EXTERNAL]
    if len({_entries(t).get("location") for t in outside}) > limits.EXTERNAL_FILES:
        raise _refuse(f"the model names more than {limits.EXTERNAL_FILES} data files")
    total = 0
    for tensor in outside:
        tensor.raw_data = _read(tensor, folder)
        total += len(tensor.raw_data)
        if total > limits.MODEL_BYTES:
            raise _refuse("the model's data files are larger than the limit of 4 GiB")
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    return len(outside)


def _read(tensor: TensorProto, folder: Path) -> bytes:
    entries = _entries(tensor)
    location = entries.get("location", "")
    if location in {"", ".", ".."} or any(c in location for c in "/\\\0"):
        raise _refuse(f"the data of tensor {tensor.name!r} lies at {location!r}: not a plain name")
    try:
        offset = int(entries.get("offset", 0))
        declared = int(entries["length"]) if "length" in entries else None
    except ValueError:
        raise _refuse(f"the data range of tensor {tensor.name!r} is not a number") from None
    try:
        descriptor = os.open(folder / location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _refuse(f"data file {location!r} cannot be used: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise _refuse(f"data file {location!r} is not a regular file")
        length = state.st_size - offset if declared is None else declared
        if offset < 0 or length < 0 or offset + length > state.st_size:
            raise _refuse(
                f"tensor {tensor.name!r} asks for bytes {offset} to {offset + length} of "
                f"{location!r}, which has {state.st_size}"
            )
        if length != _size_bytes(tensor):
            raise _refuse(
                f"tensor {tensor.name!r} needs {_size_bytes(tensor)} bytes and is given {length}"
            )
        file.seek(offset)
        return file.read(length)


def _size_bytes(tensor: TensorProto) -> int:
    count = math.prod(tensor.dims)
    if tensor.data_type in {TensorProto.INT4, TensorProto.UINT4}:
        return (count + 1) // 2
    return count * tensor_dtype_to_np_dtype(tensor.data_type).itemsize


def _entries(tensor: TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _of_graph(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        yield from _of_node(node)


def _of_node(node: onnx.NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        # what an attribute holds counts, whatever its declared type says
        yield from (attribute.t, *attribute.tensors)
        for graph in (attribute.g, *attribute.graphs):
            yield from _of_graph(graph)


def _refuse(message: str) -> Exception:
    return errors.invalid(Reason.EXTERNAL_DATA, message, field="MODEL", hint=_HINT)
