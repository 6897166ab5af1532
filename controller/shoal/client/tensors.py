"""Where an ONNX file keeps its tensors: rewrites those that live in other files.

Only the messages on a path to a tensor are walked (onnx.proto, field numbers below); all other
bytes are copied as they are. The result is a list of pieces, so that gigabytes of weights pass
through without ever being in memory.
"""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from shoal.client import wire
from shoal.contract import limits
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION, _TRAINING = (
    "model",
    "graph",
    "node",
    "attribute",
    "tensor",
    "sparse",
    "function",
    "training",
)
# message -> field number -> the message in it, for every path from a model to a tensor
_PATHS: dict[str, dict[int, str]] = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
}
_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14
_EXTERNAL = 1
_MODEL_GRAPH = 7
_DEPTH = 64
_MESSAGES = 20 * limits.MODEL_NODES
_NAME_BYTES = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Bytes `offset` to `offset + length` of the open file `descriptor` (-1: of the model)."""

    descriptor: int
    offset: int
    length: int


Piece = bytes | Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A message after folding; `changed` when some tensor in it came from another file."""

    pieces: tuple[Piece, ...]
    length: int
    changed: bool


class Folder:
    """Folds one model; opens the files beside it at most once each and closes them in `close`."""

    def __init__(self, data: wire.Buffer, folder: Path) -> None:
        self._data = data
        self._folder = folder
        self._files: dict[str, tuple[int, int]] = {}
        self._messages = 0

    def close(self) -> None:
        """Closes the files that were opened."""
        for descriptor, _size in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def model(self) -> Folded:
        """The whole model with every tensor inside.

        Raises:
            InvalidError: not ONNX, truncated, or a tensor lives where it may not.
        """
        size = len(self._data)
        try:
            top = list(wire.fields(self._data, 0, size))
        except wire.TruncatedError as error:
            raise _truncated(error) from error
        except wire.WireError as error:
            raise _not_onnx(str(error)) from error
        if not any(f.number == _MODEL_GRAPH and f.wire_type == wire.BYTES for f in top):
            raise _not_onnx("it holds no graph")
        try:
            return self._message(_MODEL, 0, size, 0)
        except wire.WireError as error:
            raise _not_onnx(str(error)) from error

    def _message(self, kind: str, start: int, end: int, depth: int) -> Folded:
        self._messages += 1
        if depth > _DEPTH or self._messages > _MESSAGES:
            raise _not_onnx("it is nested too deeply or has too many nodes")
        if kind == _TENSOR:
            return self._tensor(start, end)
        inner = _PATHS[kind]
        pieces: list[Piece] = []
        kept = start  # bytes from here on are copied as they are
        for field in wire.fields(self._data, start, end):
            if field.number not in inner or field.wire_type != wire.BYTES:
                continue
            part = self._message(inner[field.number], field.body, field.end, depth + 1)
            if part.changed:
                pieces += [*_own(kept, field.start), wire.header(field.number, part.length)]
                pieces += part.pieces
                kept = field.end
        return _folded([*pieces, *_own(kept, end)], changed=bool(pieces))

    def _tensor(self, start: int, end: int) -> Folded:
        every = list(wire.fields(self._data, start, end))
        located = [field.value for field in every if field.number == _DATA_LOCATION]
        if not located or located[-1] != _EXTERNAL:
            return _folded([*_own(start, end)], changed=False)
        entries = dict(self._entry(f) for f in every if f.number == _EXTERNAL_DATA)
        content = self._external(entries)
        dropped = {_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION}
        pieces: list[Piece] = []
        for field in every:
            if field.number not in dropped:
                pieces += _own(field.start, field.end)
        pieces += [wire.header(_RAW_DATA, content.length), content]
        return _folded(pieces, changed=True)

    def _entry(self, entry: wire.Field) -> tuple[str, str]:
        parts = {1: b"", 2: b""}
        for field in wire.fields(self._data, entry.body, entry.end):
            if field.number in parts:
                parts[field.number] = bytes(self._data[field.body : field.end])
        return parts[1].decode("utf-8", "replace"), parts[2].decode("utf-8", "replace")

    def _external(self, entries: dict[str, str]) -> Slice:
        """The bytes of a tensor; no `length` means up to the end of its file."""
        location = entries.get("location", "")
        descriptor, size = self._open(location)
        offset = _count(entries.get("offset", "0"), location)
        length = _count(entries["length"], location) if "length" in entries else size - offset
        if length < 0 or offset + length > size:
            raise _external(
                f"the model wants bytes {offset} to {offset + length} of {location!r}, "
                f"which has {size}"
            )
        return Slice(descriptor=descriptor, offset=offset, length=length)

    def _open(self, location: str) -> tuple[int, int]:
        if location not in self._files:
            _check_name(location)
            if len(self._files) >= limits.EXTERNAL_FILES:
                raise _external(f"the model refers to more than {limits.EXTERNAL_FILES} files")
            self._files[location] = _open_regular(self._folder, location)
        return self._files[location]


def _own(start: int, end: int) -> Iterable[Slice]:
    return [Slice(descriptor=-1, offset=start, length=end - start)] if end > start else []


def _folded(pieces: list[Piece], *, changed: bool) -> Folded:
    length = sum(len(p) if isinstance(p, bytes) else p.length for p in pieces)
    return Folded(pieces=tuple(pieces), length=length, changed=changed)


def write(folded: Folded, data: wire.Buffer, sink: Callable[[bytes], object]) -> None:
    """Hands the bytes of `folded` to `sink` in order, at most a megabyte at a time."""
    for piece in folded.pieces:
        if isinstance(piece, bytes):
            sink(piece)
            continue
        for offset in range(piece.offset, piece.offset + piece.length, limits.MIB):
            count = min(limits.MIB, piece.offset + piece.length - offset)
            if piece.descriptor < 0:
                sink(bytes(data[offset : offset + count]))
            else:
                sink(os.pread(piece.descriptor, count, offset))


def _check_name(location: str) -> None:
    # A name alone: no way out of the folder, on this system or on another.
    plain = (
        location not in {"", ".", ".."}
        and not set(location) & {"/", "\\", "\0"}
        and len(location.encode()) <= _NAME_BYTES
    )
    if not plain:
        raise _external(f"the model keeps data in {location!r}, outside its own folder")


def _open_regular(folder: Path, location: str) -> tuple[int, int]:
    """Descriptor and size of a regular file that is no link (O_NOFOLLOW, checked once open)."""
    try:
        descriptor = os.open(folder / location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        why = error.strerror or "unknown"
        raise _external(
            f"the model keeps data in {location!r}, which cannot be opened: {why}"
        ) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _external(f"the model keeps data in {location!r}, which is not a regular file")
    return descriptor, status.st_size


def _count(text: str, location: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise _external(f"the model gives {text[:40]!r} as a position in {location!r}")
    return int(text)


def _external(message: str) -> InvalidError:
    return InvalidError(
        Problem(
            reason=Reason.EXTERNAL_DATA,
            message=message,
            hint="put the data files beside the model, or save it as one file "
            "(onnx.save with save_as_external_data=False)",
        )
    )


def _not_onnx(why: str) -> InvalidError:
    return InvalidError(
        Problem(
            reason=Reason.NOT_ONNX,
            message=f"the file is not an ONNX model: {why}",
            hint="export the model to ONNX, for example with torch.onnx.export",
        )
    )


def _truncated(error: wire.WireError) -> InvalidError:
    return InvalidError(
        Problem(
            reason=Reason.TRUNCATED_MODEL,
            message=f"the ONNX file is cut off: {error}",
            hint="copy or download it again",
        )
    )
