"""Proves that a converted graph answers like its origin, or names the layer where it stops to.

A wrong export loads and runs. So the origin's own runtime and onnxruntime answer the same rows: one
by one, several at once where the batch is open, and, where an input is an attention mask, with
padding and cut to each row's own length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import onnx
import onnxruntime

from shoal.compressor import errors
from shoal.compressor.sources import probes
from shoal.compressor.sources.probes import Kind, Probe
from shoal.compressor.sources.rows import Array
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

TOLERANCE: Final = 1e-4  # of the largest answer of an output, or of 1 where all are smaller

Feed = Mapping[str, Array]


class Answering(Protocol):
    """What the proof needs of a converter."""

    def answers(self, feed: Feed) -> dict[str, Array]:
        """What the origin's own runtime answers, by the names of the graph's outputs."""
        ...


@runtime_checkable
class Traced(Protocol):
    """A converter that can show every layer's value."""

    def trace(self, feed: Feed) -> Iterator[tuple[str, str, Array]]:
        """Layer title, name of the value in the graph and the value, in the order of computing."""
        ...


@runtime_checkable
class Rounding(Protocol):
    """A converter whose origin computes in steps of 8 bits."""

    @property
    def rounds(self) -> bool:
        """Whether a half may be rounded to either side, so that answers move by a few steps."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    output: str
    error: float
    allowed: float


def prove(converter: Answering, model: onnx.ModelProto, rows: Path | None) -> dict[str, Any]:
    """What was compared, for the report: `{"rows", "batch", "padded", "cut", "max_abs"}`.

    Where the rows do not suit the graph, random numbers are asked instead, and `"invented"` says
    why; reading the rows in full will say what is wrong with them.

    Raises:
        InvalidError: ParityFailed, with the first layer that differs.
    """
    session = _session(model)
    why = None
    try:
        planned = probes.plan(session, rows)
    except probes.NoRowsError as error:
        planned, why = probes.invent(session), str(error)
    worst = 0.0
    counts = dict.fromkeys(Kind, 0)
    largest = dict.fromkeys(Kind, 0)
    for probe in planned:
        found = _compare(converter, session, model, probe)
        if found is not None:
            worst = max(worst, found)
            counts[probe.kind] += 1
            largest[probe.kind] = max(largest[probe.kind], probe.rows)
    notes = {
        "rows": counts[Kind.ROW] + counts[Kind.INVENTED],
        "batch": max(1, *largest.values()),
        "padded": counts[Kind.PADDED] > 0,
        "cut": counts[Kind.CUT] > 0,
        "max_abs": worst,
    }
    return notes if why is None else notes | {"invented": why}


def _compare(
    converter: Answering, session: Any, model: onnx.ModelProto, probe: Probe
) -> float | None:
    """The largest error of one probe; None where the origin itself refuses what was made up."""
    try:
        theirs = converter.answers(probe.feed)
    except Exception as error:
        if probe.kind.made_up:
            return None
        if isinstance(error, InvalidError):
            raise
        lines = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise errors.invalid(
            Reason.BAD_DATA,
            f"the model itself fails on {probe.title}: {lines[0][:300]}",
            field="--calibration",
            hint="give rows like those that the model was trained on",
        ) from error
    names = [value.name for value in session.get_outputs()]
    try:
        ours = dict(zip(names, session.run(names, dict(probe.feed)), strict=True))
    except Exception as error:  # noqa: BLE001 - the runtime's own exceptions share no base
        first = str(error).splitlines()[0][:300]
        raise _failed(f"onnxruntime fails on {probe.title}: {first}", "") from None
    worst = 0.0
    for name in names:
        found = _difference(name, np.asarray(ours[name]), np.asarray(theirs[name]))
        if isinstance(converter, Rounding) and converter.rounds:
            found = _rounded(found, np.asarray(ours[name]), np.asarray(theirs[name]))
        if not found.error <= found.allowed:
            raise _failed(
                f"output {name!r} is off by {found.error:.3g} on {probe.title} "
                f"(allowed: {found.allowed:.3g})",
                _first_layer(converter, model, probe.feed),
            )
        worst = max(worst, found.error)
    return worst


def _difference(name: str, ours: Array, theirs: Array) -> _Difference:
    """How far two arrays are apart; infinitely, where their shapes or kinds differ."""
    if ours.shape != theirs.shape or ours.dtype.kind != theirs.dtype.kind:
        return _Difference(output=name, error=float("inf"), allowed=0.0)
    if ours.dtype.kind != "f":
        return _Difference(output=name, error=float((ours != theirs).sum()), allowed=0.0)
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinities and missing values at equal places
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    largest = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    error = float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))
    return _Difference(output=name, error=error, allowed=_tolerance(theirs) * max(1.0, largest))


def _rounded(found: _Difference, ours: Array, theirs: Array) -> _Difference:
    """The same with what 8 bits allow: 8 steps on the mean of a row, and 64 of one answer.

    A step is 1/256 of the largest answer, or of 1. Where two classes are about equally probable, a
    logit that moves by one step moves their probabilities by a dozen.
    """
    if found.error == float("inf") or ours.dtype.kind != "f":
        return found
    largest = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    mean = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).mean())
    allowed = largest * 64 / 256 if mean <= largest * 8 / 256 else found.allowed
    return _Difference(output=found.output, error=found.error, allowed=allowed)


def _tolerance(array: Array) -> float:
    """Half precision has ten bits: 100 times less than single is asked of it."""
    return TOLERANCE * 100 if array.dtype.itemsize < 4 else TOLERANCE


def _first_layer(converter: Answering, model: onnx.ModelProto, feed: Feed) -> str:
    """The title of the first layer whose value differs, or nothing where none can be told."""
    if not isinstance(converter, Traced):
        return ""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    made = {name for node in model.graph.node for name in node.output}
    wanted = [step for step in converter.trace(feed) if step[1] in made]
    present = {value.name for value in model.graph.output}
    for name in dict.fromkeys(step[1] for step in wanted):
        if name not in present:
            opened.graph.output.append(onnx.ValueInfoProto(name=name))
    session = _session(opened, optimised=False)
    names = [value.name for value in session.get_outputs()]
    ours = dict(zip(names, session.run(names, dict(feed)), strict=True))
    for title, name, value in wanted:
        found = _difference(name, np.asarray(ours[name]), np.asarray(value))
        if not found.error <= found.allowed:
            return f"{title} (value {name!r}, off by {found.error:.3g})"
    return ""


def _session(model: onnx.ModelProto, *, optimised: bool = True) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _failed(what: str, layer: str) -> InvalidError:
    where = f"; the first layer to differ is {layer}" if layer else ""
    return errors.invalid(
        Reason.PARITY_FAILED,
        f"as ONNX the model answers otherwise than in its own runtime: {what}{where}",
        field="MODEL",
        hint="write that layer with plain operators, or give an ONNX file exported and checked "
        "where the model was trained",
    )
