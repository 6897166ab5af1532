"""Conversions as the parent sees them: asked of a child, and kept from one run to the next."""

import hashlib
import importlib.metadata
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from shoal.compressor import errors
from shoal.compressor.sources import sandbox
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.compressor.sources.sandbox import Cell, DiedError, Limits
from shoal.contract import digest, limits
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_VERSION: Final = 2  # of what a conversion is; raised when it comes out otherwise
_LIMITS: Final = Limits(
    memory_bytes=limits.CONVERT_MEMORY_BYTES,
    cpu_seconds=limits.CONVERT_CPU_SECONDS,
    file_bytes=limits.MODEL_BYTES,
)
_LIBRARIES: Final = (
    *("shoal", "torch", "onnx", "onnxruntime", "onnxscript", "scikit-learn", "skl2onnx", "skops"),
    *("ai-edge-litert", "tflite"),
)


def convert(
    origin: Origin, scratch: Path, rows: Path | None, kept: Path | None
) -> tuple[Path, dict[str, Any]]:
    """The origin's ONNX file, and what was proved of it on `rows`.

    A file that was converted before, on the same rows and with the same libraries, is taken from
    `kept`; a loader never is, since its code may read anything.

    Raises:
        InvalidError: what is wrong with the origin, or where the graph answers otherwise.
    """
    if kept is None or origin.format is OriginFormat.LOADER:
        return _convert(origin, scratch, rows)
    key = _key(origin, rows)
    model, notes_file = kept / f"{key}.onnx", kept / f"{key}.json"
    known = _known(model, notes_file)
    if known is not None:
        return model, known
    converted, notes = _convert(origin, scratch, rows)
    kept.mkdir(parents=True, exist_ok=True)
    record = {"digest": digest.of_file(converted), "notes": notes}
    _place(converted.read_bytes(), model)
    _place(json.dumps(record).encode(), notes_file)
    return model, notes


def _convert(origin: Origin, scratch: Path, rows: Path | None) -> tuple[Path, dict[str, Any]]:
    users_own = origin.format is OriginFormat.LOADER
    folder = scratch / "convert"
    folder.mkdir(exist_ok=True)
    target = folder / "converted.onnx"
    location = origin.location if users_own else str(Path(origin.location).absolute())
    runs_code = users_own or origin.trust_pickle or bool(origin.trusted)
    spec = {
        "origin": asdict(origin) | {"location": location},
        "rows": None if rows is None else str(rows.absolute()),
        "onnx": str(target),
        "imports": [str(Path.cwd())] if runs_code else [],
    }
    cell = Cell(folder=Path.cwd() if users_own else folder, limits=_LIMITS, users_own=users_own)
    try:
        answer = sandbox.ask("shoal.compressor.sources.converting", spec, cell)
    except DiedError as error:
        raise errors.invalid(
            Reason.CONVERSION_FAILED,
            f"the process that converts {origin.name} {error}",
            field="MODEL",
            hint="run the function by itself: it ends the process that calls it"
            if users_own
            else "export it to ONNX where it was trained, and give that file",
        ) from None
    if "problem" in answer:
        raise InvalidError(Problem(**answer["problem"]))
    notes: dict[str, Any] = answer["notes"]
    return target, notes


def _key(origin: Origin, rows: Path | None) -> str:
    versions: dict[str, str | None] = {}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = None
    causes = {
        "version": _VERSION,
        "origin": asdict(origin) | {"location": digest.of_file(Path(origin.location))},
        "rows": None if rows is None else digest.of_file(rows),
        "versions": versions,
    }
    return hashlib.sha256(json.dumps(causes, sort_keys=True).encode()).hexdigest()


def _known(model: Path, notes_file: Path) -> dict[str, Any] | None:
    """The notes of a kept conversion whose file is whole."""
    try:
        record = json.loads(notes_file.read_bytes())
        if digest.of_file(model) == record["digest"]:
            notes: dict[str, Any] = record["notes"]
            return notes
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _place(data: bytes, path: Path) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
