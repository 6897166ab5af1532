"""The protobuf wire format, as far as it is needed to find tensors in an ONNX file.

Nothing is decoded but field numbers and lengths, so a file of any size costs little, and a hostile
one cannot make this reader allocate: it yields positions in a buffer that the caller mapped.
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_VARINT_BYTES = 10
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """These bytes are no protobuf message, or a part of one is missing."""


class TruncatedError(WireError):
    """A length points beyond the end of the message."""


class Field(NamedTuple):
    """One field of a message: `start` where its tag begins, `body` to `end` what it holds.

    `value` is the number of a varint and 0 for the other types.
    """

    number: int
    wire_type: int
    start: int
    body: int
    end: int
    value: int


Buffer = bytes | memoryview


def fields(data: Buffer, start: int, end: int) -> Iterator[Field]:
    """The fields of the message at `data[start:end]`, in order.

    Raises:
        WireError: not a message; TruncatedError: it goes on beyond `end`.
    """
    position = start
    while position < end:
        begin = position
        tag, position = varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 at byte {begin}")
        value = 0
        body = position
        if wire_type == VARINT:
            value, position = varint(data, position, end)
        elif wire_type == BYTES:
            length, body = varint(data, position, end)
            position = body + length
        elif wire_type in _WIDTHS:
            position += _WIDTHS[wire_type]
        else:
            raise WireError(f"wire type {wire_type} at byte {begin}")
        if position > end:
            raise TruncatedError(f"field {number} at byte {begin} ends {position - end} bytes late")
        yield Field(number, wire_type, begin, body, position, value)


def varint(data: Buffer, position: int, end: int) -> tuple[int, int]:
    """The number at `position` and where it ends. 300 is the two bytes AC 02."""
    value = 0
    for count in range(_VARINT_BYTES):
        if position + count >= end:
            raise TruncatedError(f"a number at byte {position} has no end")
        byte = data[position + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position + count + 1
    raise WireError(f"a number at byte {position} is longer than {_VARINT_BYTES} bytes")


def encode_varint(value: int) -> bytes:
    """The bytes of a number that is not negative."""
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def header(number: int, length: int) -> bytes:
    """What stands before the body of a field of `length` bytes."""
    return encode_varint(number << 3 | BYTES) + encode_varint(length)
