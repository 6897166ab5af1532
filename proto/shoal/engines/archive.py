"""The `.stages` file: one uncompressed zip of `stage-N.onnx` and `index.json`.

The same stages give the same bytes. A reader trusts nothing: sizes and counts are bounded before
anything is read, members have the names that the index gives them and no others, nothing is
compressed, and every stage has the digest that the index states.
"""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from shoal.contract import jsonform
from shoal.engines.references import Span

ALIGNMENT: Final = 64  # of every member's first byte
INDEX: Final = "index.json"
VERSION: Final = 1
STAGES_AT_MOST: Final = 256
INDEX_BYTES_AT_MOST: Final = 4 << 20
_DIRECTORY_BYTES_AT_MOST: Final = 1 << 16
_END_BYTES: Final = 22  # of the end record without a comment
_END_MARK: Final = b"PK\x05\x06"
_HEADER: Final = struct.Struct("<4sHHHHHIIIHH")
_HEADER_MARK: Final = b"PK\x03\x04"
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_PADDING_ID: Final = 0xD935  # of an extra field that only moves what follows it
_MODE: Final = 0o100644 << 16
_BLOCK_BYTES: Final = 1 << 16


class StagesError(Exception):
    """A `.stages` file that is damaged, or was never one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One module: its member of the zip, and the tensors it takes and gives by name."""

    file: str
    sha256: str
    bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A tensor that is handed on: given by stage `made`, last taken by stage `used`."""

    name: str
    made: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What `index.json` says. `optimise`: whether the runtime may still rewrite the stages."""

    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    optimise: bool
    stages: tuple[Stage, ...]
    carried: tuple[Carried, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A checked file: its index, and where each stage lies in it."""

    index: Index
    spans: tuple[Span, ...]


class Writer:
    """Puts members into one zip, in order; `next_at` is where the next one's bytes will begin."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._zip = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_STORED)

    def next_at(self, name: str) -> int:
        """The offset of the first byte of the member `name`, were it put now."""
        return self._buffer.tell() + _HEADER.size + len(name) + len(self._extra(name))

    def put(self, name: str, data: bytes) -> None:
        """Adds a member whose bytes begin at a multiple of 64."""
        entry = zipfile.ZipInfo(name, _DATE)
        entry.create_system, entry.external_attr = 3, _MODE
        entry.extra = self._extra(name)
        self._zip.writestr(entry, data)

    def finish(self) -> bytes:
        """The whole file."""
        self._zip.close()
        return self._buffer.getvalue()

    def _extra(self, name: str) -> bytes:
        bare = self._buffer.tell() + _HEADER.size + len(name) + 4
        padding = -bare % ALIGNMENT
        return struct.pack("<HH", _PADDING_ID, padding) + bytes(padding)


def index_bytes(index: Index) -> bytes:
    """The index as it is stored."""
    return json.dumps(jsonform.to_json(index), sort_keys=True, separators=(",", ":")).encode()


def stage_name(number: int) -> str:
    """The member of stage `number`, counted from 0."""
    return f"stage-{number}.onnx"


def opened(path: Path) -> Opened:
    """The checked index of the file at `path`, and where its stages lie.

    Raises:
        StagesError: damaged, or not such a file.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        spans = _members(file)
        index = _index(file, spans)
        listed = [stage.file for stage in index.stages]
        if {*listed, INDEX} != set(spans) or listed != [stage_name(i) for i in range(len(listed))]:
            raise StagesError("the members of the file are not those that its index lists")
        for stage in index.stages:
            _check_digest(file, spans[stage.file], stage)
    _check_flow(index)
    return Opened(index=index, spans=tuple(spans[name] for name in listed))


def _members(file: BinaryIO) -> dict[str, Span]:
    """Where each member's bytes lie; only stored ones, none twice, none overlapping."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - _END_BYTES, 0))
    end = file.read()
    if len(end) < _END_BYTES or not end.startswith(_END_MARK):
        raise StagesError("it does not end as a zip without a comment does")
    count, directory_bytes = struct.unpack_from("<HI", end, 10)
    if count > STAGES_AT_MOST + 1 or directory_bytes > _DIRECTORY_BYTES_AT_MOST:
        raise StagesError(f"more than {STAGES_AT_MOST} stages")
    try:
        entries = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise StagesError(f"not a zip that can be read: {error}") from None
    spans: dict[str, Span] = {}
    last = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise StagesError(f"member {entry.filename!r:.80} is compressed")
        if entry.header_offset < last:
            raise StagesError(f"member {entry.filename!r:.80} overlaps another")
        span = _span(file, entry)
        if entry.filename in spans or span.end > size:
            raise StagesError(f"member {entry.filename!r:.80} is there twice or cut short")
        spans[entry.filename], last = span, span.end
    return spans


def _span(file: BinaryIO, entry: zipfile.ZipInfo) -> Span:
    file.seek(entry.header_offset)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(_HEADER_MARK):
        raise StagesError("a member has no header of its own")
    name_bytes, extra_bytes = _HEADER.unpack(head)[-2:]
    if file.read(name_bytes) != entry.filename.encode():
        raise StagesError("a member's header has another name than the directory")
    start = entry.header_offset + _HEADER.size + name_bytes + extra_bytes
    return Span(start=start, end=start + entry.file_size)


def _index(file: BinaryIO, spans: dict[str, Span]) -> Index:
    span = spans.get(INDEX)
    if span is None or span.end - span.start > INDEX_BYTES_AT_MOST:
        raise StagesError(f"no {INDEX} of at most {INDEX_BYTES_AT_MOST} bytes")
    file.seek(span.start)
    try:
        found: Any = json.loads(file.read(span.end - span.start))
        index = jsonform.from_json(Index, found)
    except (ValueError, RecursionError) as error:
        raise StagesError(f"{INDEX} cannot be read: {error!s:.200}") from None
    if index.version != VERSION:
        raise StagesError(f"version {index.version} of staged files; this program reads {VERSION}")
    if not index.stages:
        raise StagesError("it has no stage")
    return index


def _check_digest(file: BinaryIO, span: Span, stage: Stage) -> None:
    """Reads in blocks: mapping the file would count as this process's memory."""
    state = hashlib.sha256()
    file.seek(span.start)
    left = span.end - span.start
    while left:
        block = file.read(min(_BLOCK_BYTES, left))
        if not block:
            raise StagesError(f"{stage.file} is cut short")
        state.update(block)
        left -= len(block)
    if state.hexdigest() != stage.sha256 or span.end - span.start != stage.bytes:
        raise StagesError(f"{stage.file} is not what the index says: another digest or size")


def _check_flow(index: Index) -> None:
    """Every tensor that a stage takes exists by then, and the outputs in the end."""
    known = set(index.inputs)
    for stage in index.stages:
        _check_known(stage.inputs, known, stage.file)
        known |= set(stage.outputs)
    _check_known(index.outputs, known, "the end")


def _check_known(names: Sequence[str], known: set[str], place: str) -> None:
    for name in names:
        if name not in known:
            raise StagesError(f"{place} takes {name!r:.80}, which nothing before it gives")
