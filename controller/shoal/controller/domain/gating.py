"""Gates as a deployment asks for them: a metric, a limit, and what to do without a verdict."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Metric(enum.StrEnum):
    """What a gate looks at."""

    ACCURACY = "accuracy"
    AGREEMENT = "agreement"
    LATENCY_P95 = "latency.p95"
    ERROR_RATE = "errorRate"
    RESTARTS = "restarts"


class OnInconclusive(enum.StrEnum):
    """What to do when the longest soak ends without a verdict; never advance."""

    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """One gate. `limit` is maxDrop, maxRatio or max, as the metric has it."""

    metric: Metric
    limit: float
    min_samples: int = 30
    alpha: float = 0.05
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD

    @property
    def decides(self) -> bool:
        """Whether its verdict can block a wave; the others are advisory until the device engine."""
        return self.metric in _DECIDING

    @property
    def tests(self) -> bool:
        """Whether it is a statistical test, which spends alpha; a count is not."""
        return self.metric in {Metric.ACCURACY, Metric.AGREEMENT}


_DECIDING = frozenset({Metric.ACCURACY, Metric.AGREEMENT, Metric.RESTARTS})


def gate_from_json(gate: Mapping[str, Any]) -> GateSpec:
    """One gate of a fully defaulted Deployment spec.

    Raises:
        ValueError: a value is unknown, or it has not exactly one limit.
    """
    limits = [gate[name] for name in ("maxDrop", "maxRatio", "max") if gate.get(name) is not None]
    if len(limits) != 1:
        raise ValueError(f"gate {gate['metric']} has {len(limits)} limits instead of one")
    return GateSpec(
        metric=Metric(gate["metric"]),
        limit=float(limits[0]),
        min_samples=int(gate.get("minSamples") or 0),
        alpha=float(gate.get("alpha") or 0.05),
        on_inconclusive=OnInconclusive(gate.get("onInconclusive") or "hold"),
    )
