"""The source model, admitted: one ONNX file, its digest, its signature and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shoal.compressor import errors
from shoal.compressor.sources import conversions, sandbox
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.compressor.sources.sandbox import Cell, DiedError, Limits
from shoal.compressor.sources.signature import Signature, Tensor
from shoal.contract import digest, limits
from shoal.contract.digest import Digest
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_CHECK_LIMITS: Final = Limits(
    memory_bytes=limits.PARSE_MEMORY_BYTES,
    cpu_seconds=limits.PARSE_CPU_SECONDS,
    file_bytes=limits.MODEL_BYTES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checked model: `path` is one ONNX file, with data files folded in.

    `origin` is what the user gave where that was no ONNX file, `notes` what was proved of the
    conversion; a loader has neither digest nor size.
    """

    path: Path
    digest: Digest
    bytes: int
    signature: Signature
    origin: Origin | None = None
    origin_digest: Digest | None = None
    origin_bytes: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def provenance(self) -> dict[str, Any] | None:
        """Where the graph came from, as reports tell it; None where the user gave the graph."""
        if self.origin is None:
            return None
        return {
            "format": self.origin.format.value,
            "digest": self.origin_digest,
            "bytes": self.origin_bytes,
            "parity": dict(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where reading happens.

    `rows` are those to prove a conversion on, `kept` is a folder that keeps conversions from one
    run to the next.
    """

    scratch: Path
    rows: Path | None = None
    kept: Path | None = None


def read(origin: Origin, desk: Desk) -> Source:
    """The source at `origin`, converted and checked in children; nothing of it is parsed here.

    Raises:
        InvalidError: what is wrong with it.
    """
    notes: dict[str, Any] = {}
    if origin.format is OriginFormat.ONNX:
        path = Path(origin.location)
    else:
        path, notes = conversions.convert(origin, desk.scratch, desk.rows, desk.kept)
    path, signature = _checked(path, origin, desk.scratch)
    given = None if origin.format is OriginFormat.ONNX else origin
    file = None if given is None or given.format is OriginFormat.LOADER else Path(given.location)
    return Source(
        path=path,
        digest=digest.of_file(path),
        bytes=path.stat().st_size,
        signature=signature,
        origin=given,
        origin_digest=None if file is None else digest.of_file(file),
        origin_bytes=None if file is None else file.stat().st_size,
        notes=notes,
    )


def _checked(path: Path, origin: Origin, scratch: Path) -> tuple[Path, Signature]:
    cell = scratch / "check"
    cell.mkdir(exist_ok=True)
    folded = cell / "source.onnx"
    spec = {"model": str(path.absolute()), "folded": str(folded)}
    try:
        answer = sandbox.ask(
            "shoal.compressor.sources.check", spec, Cell(folder=cell, limits=_CHECK_LIMITS)
        )
    except DiedError as error:
        raise errors.invalid(
            Reason.LOAD_FAILED,
            f"the process that checks {origin.name} {error}",
            field="MODEL",
            hint="the file makes its reader fail; export it again",
        ) from None
    if "problem" in answer:
        raise InvalidError(Problem(**answer["problem"]))
    return folded if answer["folded"] else path, _signature(answer["signature"])


def _signature(data: dict[str, Any]) -> Signature:
    def tensors(items: list[dict[str, Any]]) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(name=i["name"], dtype=i["dtype"], shape=tuple(i["shape"])) for i in items
        )

    return Signature(inputs=tensors(data["inputs"]), outputs=tensors(data["outputs"]))
