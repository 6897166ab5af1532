"""How long a model will take, before it is timed, and how sure that is.

An operator's time is a sum over what it does: being called, multiplying, reading weights (dearer
where all weights together exceed the second-level cache), moving activations, gathering what lies
under a convolution's kernel. What each costs, by kind of operator and precision, is fitted to the
times of small probes on this machine, by least squares of the relative error without negative terms
(Lawson and Hanson 1974, "Solving Least Squares Problems"). Measured models then move the whole: on
a machine that is busy, everything is slower alike.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from shoal.compressor.analyse.operations import Operation, Work

Floats = npt.NDArray[np.float64]

TERMS: Final = ("call", "sums", "read", "cold", "moved", "places", "taps", "gathered")
_SWEEPS: Final = 4_000
_ENOUGH: Final = 1e-12
_OWN: Final = 0.5  # share of a probe's time from which its error counts as its kind's own
_SPREAD_AT_LEAST: Final = 0.1
_SPREAD_OF_STRANGERS: Final = 0.6  # of a kind that no probe has: it is taken for its family
_ALIKE: Final = 0.05  # error that all kinds share
_NINETY: Final = 1.645


class Basis(enum.StrEnum):
    """What a prediction rests on, from the surest to the least sure."""

    MEASURED = "measured"  # probes of this machine, moved by a model timed on it
    PROBED = "probed"  # probes of this machine
    TABLE = "table"  # published throughputs of another machine's instructions


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Milliseconds of one inference, and the interval that holds nine in ten."""

    ms: float
    low_ms: float
    high_ms: float
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one kind costs: milliseconds per call, and per million of everything else."""

    kind: str
    costs: tuple[float, ...]
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A machine's costs. `scale` is how much slower models are than the probes said."""

    session_ms: float
    rates: tuple[Rate, ...]
    cache_bytes: int
    scale: float = 1.0
    alike: float = _ALIKE
    basis: Basis = Basis.PROBED

    def predict(self, work: Work) -> Prediction:
        """The latency of `work`.

        Errors of one kind are alike, those of different kinds are not: with 3 ms of one kind known
        to 10 % and 4 ms of another known to 20 %, 7 ms are known to sqrt(0.3² + 0.8²) = 0.85 ms.
        """
        known = {rate.kind: rate for rate in self.rates}
        times: dict[str, float] = {}
        for operation in work.operations:
            rate = _closest(operation.kind, known)
            taken = float(np.dot(rate.costs, _terms(operation, self._is_cold(work))))
            times[operation.kind] = times.get(operation.kind, 0.0) + taken
        total = self.session_ms + sum(times.values())
        squares = [(_spread(kind, known) * taken) ** 2 for kind, taken in times.items()]
        error = _NINETY * math.hypot(math.sqrt(sum(squares)) / total, self.alike)
        ms = self.scale * total
        return Prediction(
            ms=ms, low_ms=ms / (1 + error), high_ms=ms * (1 + error), basis=self.basis
        )

    def moved(self, work: Work, measured_ms: float) -> "Model":
        """The same machine, now that `work` was timed on it."""
        scale = self.scale * measured_ms / self.predict(work).ms
        return replace(self, scale=scale, basis=Basis.MEASURED)

    def _is_cold(self, work: Work) -> bool:
        return sum(one.weight_bytes for one in work.operations) > self.cache_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One probe and how long it took."""

    work: Work
    ms: float


def fitted(timed: Sequence[Timed], cache_bytes: int) -> Model:
    """The machine whose probes took these times."""
    kinds = sorted({one.kind for probe in timed for one in probe.work.operations})
    rows = np.array([_row(probe.work, kinds, cache_bytes) for probe in timed])
    times = np.array([probe.ms for probe in timed])
    relative = rows / times[:, None]
    costs = _least_squares(relative, np.ones(len(times)))
    width = len(TERMS)
    per_kind = {kind: costs[1 + width * at : 1 + width * (at + 1)] for at, kind in enumerate(kinds)}
    errors = relative @ costs - 1
    rates = []
    for at, kind in enumerate(kinds):
        part = slice(1 + width * at, 1 + width * (at + 1))
        own = relative[:, part] @ costs[part] >= _OWN
        spread = float(np.sqrt(np.mean(errors[own] ** 2))) if own.any() else _SPREAD_OF_STRANGERS
        rates.append(
            Rate(
                kind=kind,
                costs=tuple(float(cost) for cost in per_kind[kind]),
                spread=max(spread, _SPREAD_AT_LEAST),
            )
        )
    return Model(session_ms=float(costs[0]), rates=tuple(rates), cache_bytes=cache_bytes)


def _row(work: Work, kinds: Sequence[str], cache_bytes: int) -> Floats:
    cold = sum(one.weight_bytes for one in work.operations) > cache_bytes
    row = np.zeros((len(kinds), len(TERMS)))
    for operation in work.operations:
        row[kinds.index(operation.kind)] += _terms(operation, cold)
    return np.concatenate([[1.0], row.ravel()])


def _terms(operation: Operation, cold: bool) -> Floats:  # noqa: FBT001 - a measured fact
    """One call, and millions of the rest, in the order of `TERMS`."""
    if operation.kind.startswith("free/"):
        return np.zeros(len(TERMS))
    read = operation.read_bytes
    counts = (
        *(operation.sums, read, read if cold else 0, operation.activation_bytes),
        *(operation.places, operation.taps, operation.gathered),
    )
    return np.array([1.0, *(count * 1e-6 for count in counts)])


def _closest(kind: str, known: Mapping[str, Rate]) -> Rate:
    """The rate of `kind`, else of its family in another precision, else of plain operators."""
    family, _, precision = kind.partition("/")
    choices = (kind, f"{family}/fp32", f"{family}/int8", f"simple/{precision}", "simple/fp32")
    return next(known[choice] for choice in choices if choice in known)


def _spread(kind: str, known: Mapping[str, Rate]) -> float:
    return known[kind].spread if kind in known else _SPREAD_OF_STRANGERS


def _least_squares(rows: Floats, wanted: Floats) -> Floats:
    """Argmin |rows x - wanted| over x >= 0, by coordinate descent on columns of equal length."""
    lengths = np.sqrt((rows**2).sum(axis=0))
    scaled = rows / np.where(lengths > 0, lengths, 1)
    products, goal = scaled.T @ scaled, scaled.T @ wanted
    found = np.zeros(rows.shape[1])
    for _ in range(_SWEEPS):
        moved = 0.0
        for at in np.flatnonzero(lengths):
            better = max(0.0, found[at] + goal[at] - products[at] @ found)
            moved = max(moved, abs(better - found[at]))
            found[at] = better
        if moved < _ENOUGH:
            break
    result: Floats = found / np.where(lengths > 0, lengths, 1)
    return result


def to_model(entry: Any) -> Model:
    """A model out of the JSON that a cache keeps of one."""
    from shoal.contract import jsonform  # noqa: PLC0415 - only where a cache is read

    return jsonform.from_json(Model, entry)
