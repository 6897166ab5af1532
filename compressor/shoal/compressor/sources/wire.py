"""The outermost layer of an ONNX file, read without parsing what is inside.

Protobuf wire format (protobuf.dev/programming-guides/encoding): a file is a sequence of fields,
each a varint key (number << 3 | type) and a payload. Only the top level is walked, so the cost is a
few reads whatever the file's size.
"""

import enum
from typing import Final

_MODEL_FIELDS: Final = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}  # of onnx.ModelProto
_GRAPH: Final = 7
_OPSETS: Final = 8
_VARINT: Final = 0
_LENGTH: Final = 2


class Shape(enum.Enum):
    """What the top level of a file looks like."""

    COMPLETE = enum.auto()
    TRUNCATED = enum.auto()
    FOREIGN = enum.auto()


def shape(data: memoryview) -> Shape:
    """Whether `data` is a whole model, the beginning of one, or something else.

    A model names its graph (field 7) and its operator sets (field 8); a file that ends between
    fields before both are there was cut.
    """
    seen: set[int] = set()
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key is None:
            return Shape.TRUNCATED if seen else Shape.FOREIGN
        number, kind = key >> 3, key & 7
        if number not in _MODEL_FIELDS or kind not in {_VARINT, _LENGTH}:
            return Shape.FOREIGN
        value, at = _varint(data, at)
        if value is None:
            return Shape.TRUNCATED if seen else Shape.FOREIGN
        if kind == _LENGTH:
            if at + value > len(data):
                return Shape.TRUNCATED
            at += value
        seen.add(number)
    if not seen:
        return Shape.FOREIGN
    return Shape.COMPLETE if {_GRAPH, _OPSETS} <= seen else Shape.TRUNCATED


def _varint(data: memoryview, at: int) -> tuple[int | None, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return None, at
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    return None, at
