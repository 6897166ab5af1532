"""A stage's graph without its large weights: what the runtime is given to map the rest in place.

Nothing here needs the onnx package, and no weight is read: a reader of staged files costs little
memory by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from shoal.engines import fields

LARGE_BYTES: Final = 4096  # smaller weights are read with the graph: a page has this many
_FIXED_BYTES: Final = {1: 8, 5: 4}


class LayoutError(Exception):
    """A stage's bytes are not the wire format of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes [start, end) of a file."""

    start: int
    end: int


def referring(file: BinaryIO, span: Span, location: str) -> bytes:
    """The model in `span` of `file` with its large weights as references into `location`.

    `location` is the file's own name, as a runtime finds it in the folder it is told. The weights
    themselves are never read.

    Raises:
        LayoutError: the bytes are not a model's.
    """
    parts = []
    for number, whole, payload in _fields(file, span):
        if number != fields.MODEL_GRAPH:
            parts.append(_read(file, whole))
            continue
        graph = b"".join(_graph_parts(file, payload, location))
        parts.append(fields.field(fields.MODEL_GRAPH, graph))
    return b"".join(parts)


def _graph_parts(file: BinaryIO, span: Span, location: str) -> Iterator[bytes]:
    for number, whole, payload in _fields(file, span):
        if number == fields.GRAPH_INITIALIZER and payload.end - payload.start > LARGE_BYTES:
            yield fields.field(fields.GRAPH_INITIALIZER, _reference(file, payload, location))
        else:
            yield _read(file, whole)


def _reference(file: BinaryIO, span: Span, location: str) -> bytes:
    parts, raw = [], None
    for number, whole, payload in _fields(file, span):
        if number == fields.TENSOR_RAW:
            raw = payload
        elif number in {fields.TENSOR_EXTERNAL, fields.TENSOR_LOCATION}:
            raise LayoutError("a weight of a stage lies in another file")
        elif number != fields.TENSOR_DOC:
            parts.append(_read(file, whole))
    if raw is None:
        return b"".join(parts)
    length = raw.end - raw.start
    for key, value in (("location", location), ("offset", str(raw.start)), ("length", str(length))):
        name = fields.field(fields.ENTRY_KEY, key.encode())
        entry = name + fields.field(fields.ENTRY_VALUE, value.encode())
        parts.append(fields.field(fields.TENSOR_EXTERNAL, entry))
    place = fields.key(fields.TENSOR_LOCATION, fields.VARINT) + fields.varint(fields.EXTERNAL)
    return b"".join([*parts, place])


def _fields(file: BinaryIO, span: Span) -> Iterator[tuple[int, Span, Span]]:
    """Number, whole extent and payload of each field."""
    at = span.start
    while at < span.end:
        file.seek(at)
        head = file.read(min(2 * fields.VARINT_BYTES, span.end - at))
        key, used = _number(head, 0)
        kind = key & 7
        if kind == fields.LENGTH:
            length, used = _number(head, used)
        elif kind == fields.VARINT:
            length = _number(head, used)[1] - used
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise LayoutError("a stage is not a model: an unknown wire type")
        end = at + used + length
        if end > span.end:
            raise LayoutError("a stage is not a model: a field is longer than what is around it")
        yield key >> 3, Span(start=at, end=end), Span(start=at + used, end=end)
        at = end


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(fields.VARINT_BYTES):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise LayoutError("a stage is not a model: a number without an end")


def _read(file: BinaryIO, span: Span) -> bytes:
    file.seek(span.start)
    return file.read(span.end - span.start)
