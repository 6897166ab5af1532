"""Protobuf's wire format, as far as a stage's file needs it.

A message (protobuf.dev/programming-guides/encoding) is a sequence of fields in any order, each a
varint key (number << 3 | type) and a payload.
"""

from typing import Final

VARINT: Final = 0
LENGTH: Final = 2
VARINT_BYTES: Final = 10

MODEL_GRAPH: Final = 7
GRAPH_INITIALIZER: Final = 5
TENSOR_RAW: Final = 9
TENSOR_DOC: Final = 12
TENSOR_EXTERNAL: Final = 13
TENSOR_LOCATION: Final = 14
EXTERNAL: Final = 1  # the location of a weight that lies in another file
ENTRY_KEY: Final = 1
ENTRY_VALUE: Final = 2


def field(number: int, payload: bytes) -> bytes:
    """A field with its length before it."""
    return opening(number, len(payload)) + payload


def opening(number: int, length: int) -> bytes:
    """What stands before a payload of `length` bytes."""
    return key(number, LENGTH) + varint(length)


def key(number: int, kind: int) -> bytes:
    """What a field begins with."""
    return varint(number << 3 | kind)


def varint(value: int) -> bytes:
    """A number, seven bits a byte, the lowest first.

    Example: 300 is 0b10_0101100: bytes 0b10101100 and 0b10.
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
