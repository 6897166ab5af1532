"""Tensors on the wire of the Open Inference Protocol v2: JSON lists and raw bytes.

Source: "Predict Protocol - Version 2" (https://kserve.github.io/website/latest/modelserving/
data_plane/v2_protocol/) and Triton's binary tensor data extension (triton-inference-server/server,
docs/protocol/extension_binary_data.md): after the JSON come the tensors' bytes in order, row-major
and little-endian, and `Inference-Header-Content-Length` says where the JSON ends.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.sessions import Array

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
MAX_DIMS = 16


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy type."""
    return _NAMES[dtype]


def parse_shape(name: str, shape: object) -> tuple[int, ...]:
    """The shape of a request's tensor, checked.

    Raises:
        RequestError: it is not a list of sizes.
    """
    if not isinstance(shape, list) or len(shape) > MAX_DIMS:
        raise RequestError(400, f"input {name!r}: shape must be a list of at most 16 sizes")
    for size in shape:
        if type(size) is not int or size < 0:
            raise RequestError(400, f"input {name!r}: {size!r} is not a size")
    return tuple(shape)


def parse_datatype(name: str, datatype: object) -> np.dtype[Any]:
    """The numpy type of a request's datatype.

    Raises:
        RequestError: it is unknown, or BYTES, which no model here takes.
    """
    if datatype == "BYTES":
        raise RequestError(400, f"input {name!r}: BYTES tensors are not supported")
    dtype = DATATYPES.get(datatype) if isinstance(datatype, str) else None
    if dtype is None:
        raise RequestError(
            400, f"input {name!r}: {datatype!r} is not one of {', '.join(DATATYPES)}"
        )
    return dtype


def from_bytes(name: str, data: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """The tensor in `data`, without a copy where the bytes are aligned.

    Raises:
        RequestError: the bytes are not as many as the shape says.
    """
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise RequestError(
            400, f"input {name!r}: {len(data)} bytes, but its shape and datatype need {wanted}"
        )
    array = np.frombuffer(data, dtype).reshape(shape)
    if dtype.kind == "b":  # a client's True may be any byte but 0; a model's is 1
        truth: Array = array.view(np.uint8) != 0
        return truth
    return array if array.flags.aligned else array.copy()


def from_list(name: str, data: object, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """The tensor of JSON numbers in `data`, flat or nested, row-major.

    Raises:
        RequestError: not numbers, not of this datatype, or not as many as the shape says.
    """
    if not isinstance(data, list):
        raise RequestError(400, f"input {name!r}: data must be a list")
    try:
        array = np.array(data)
        if array.size and not _castable(array.dtype, dtype):
            raise RequestError(400, f"input {name!r}: data is not of type {_NAMES[dtype]}")
        with np.errstate(over="ignore"):
            cast = array.astype(dtype)
        if dtype.kind in "biu" and not np.array_equal(cast, array):
            raise RequestError(400, f"input {name!r}: data does not fit {_NAMES[dtype]}")
        return cast.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise RequestError(400, f"input {name!r}: data does not fit its shape: {error}") from error


def to_bytes(array: Array) -> bytes:
    """The tensor's bytes on the wire, row-major and little-endian."""
    return array.astype(DATATYPES[datatype_of(array.dtype)], copy=False).tobytes()


def _castable(have: np.dtype[Any], want: np.dtype[Any]) -> bool:
    """Whether JSON numbers of type `have` may stand for `want`: 1 is a float, 1.5 is no integer."""
    return have.kind in {"b": "bi", "i": "iu", "u": "iu", "f": "iuf"}[want.kind]
