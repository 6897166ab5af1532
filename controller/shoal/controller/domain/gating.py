"""Gates as a deployment asks for them: a metric, a limit, and what to do without a verdict."""

import enum
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shoal.contract import jsonform, units


class Metric(enum.StrEnum):
    """What a gate looks at."""

    ACCURACY = "accuracy"
    QUALITY = "quality"
    AGREEMENT = "agreement"
    LATENCY_P50 = "latency.p50"
    LATENCY_P95 = "latency.p95"
    LATENCY_P99 = "latency.p99"
    ERROR_RATE = "errorRate"
    MEMORY = "memory"
    CONFIDENCE = "confidence"
    DRIFT = "drift"
    RESTARTS = "restarts"
    CRASHES = "crashes"
    PROMETHEUS = "prometheus"


class Bound(enum.StrEnum):
    """How a limit is meant.

    `max` and `min` are absolute. `maxRatio` is over what was before, `maxDrop` the loss against it.
    """

    MAX = "max"
    MIN = "min"
    MAX_RATIO = "maxRatio"
    MAX_DROP = "maxDrop"


class OnInconclusive(enum.StrEnum):
    """What to do when the longest soak ends without a verdict; never advance."""

    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """One gate. `limit` is a share, a count, bytes or milliseconds, as the metric has it.

    `bound` is None in records of before there was a choice. `query` is for Prometheus alone, and so
    is `name`, which is then what people call the gate.
    """

    metric: Metric
    limit: float
    bound: Bound | None = None
    min_samples: int = 30
    alpha: float = 0.05
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    query: str = ""
    name: str = ""

    @property
    def kind(self) -> Bound:
        """How the limit is meant; each metric has one meaning that it always had."""
        return self.bound or _BOUNDS[self.metric][0]

    @property
    def key(self) -> str:
        """Short and stable: evidence that was judged under another gate is not taken over."""
        return _key(self)

    @property
    def counts(self) -> bool:
        """Whether it is a count of incidents: a hard stop, which no statistics decide."""
        return self.metric in _COUNTED and self.kind is Bound.MAX

    @property
    def answers(self) -> bool:
        """Whether the golden set decides it (design: section 6.5)."""
        return self.metric in {Metric.ACCURACY, Metric.AGREEMENT}

    @property
    def live(self) -> bool:
        """Whether live traffic says something of it that statistics can judge."""
        return not self.counts and self.metric is not Metric.PROMETHEUS


_COUNTED = frozenset({Metric.RESTARTS, Metric.CRASHES})

# What each metric can be held against, the usual one first.
_BOUNDS: Mapping[Metric, tuple[Bound, ...]] = {
    Metric.ACCURACY: (Bound.MAX_DROP, Bound.MIN),
    Metric.QUALITY: (Bound.MAX_DROP, Bound.MIN, Bound.MAX, Bound.MAX_RATIO),
    Metric.AGREEMENT: (Bound.MAX_DROP, Bound.MIN),
    Metric.LATENCY_P50: (Bound.MAX_RATIO, Bound.MAX),
    Metric.LATENCY_P95: (Bound.MAX_RATIO, Bound.MAX),
    Metric.LATENCY_P99: (Bound.MAX_RATIO, Bound.MAX),
    Metric.ERROR_RATE: (Bound.MAX, Bound.MAX_RATIO),
    Metric.MEMORY: (Bound.MAX_RATIO, Bound.MAX),
    Metric.CONFIDENCE: (Bound.MAX_DROP, Bound.MIN),
    Metric.DRIFT: (Bound.MAX,),
    Metric.RESTARTS: (Bound.MAX, Bound.MAX_RATIO),
    Metric.CRASHES: (Bound.MAX,),
    Metric.PROMETHEUS: (Bound.MAX, Bound.MIN),
}


def bounds(metric: Metric) -> tuple[Bound, ...]:
    """What the metric can be held against."""
    return _BOUNDS[metric]


def gate_from_json(gate: Mapping[str, Any]) -> GateSpec:
    """One gate of a fully defaulted Deployment spec.

    Raises:
        ValueError: a value is unknown, or it has not exactly one limit of its metric.
    """
    given = [one for one in Bound if gate.get(one.value) is not None]
    if len(given) != 1:
        raise ValueError(f"gate {gate['metric']} has {len(given)} limits instead of one")
    metric = Metric(gate["metric"])
    if given[0] not in _BOUNDS[metric]:
        raise ValueError(f"a gate on {metric} has no {given[0]}")
    return GateSpec(
        metric=metric,
        limit=limit_from_json(metric, gate[given[0].value]),
        bound=given[0],
        min_samples=int(gate.get("minSamples") or 0),
        alpha=float(gate.get("alpha") or 0.05),
        on_inconclusive=OnInconclusive(gate.get("onInconclusive") or "hold"),
        query=str(gate.get("query") or ""),
        name=str(gate.get("name") or ""),
    )


def limit_from_json(metric: Metric, value: float | str) -> float:
    """A limit as a number: `64MiB` of memory in bytes, `5ms` of latency in milliseconds.

    Raises:
        ValueError: a text that is no such quantity.
    """
    if not isinstance(value, str):
        return float(value)
    if metric is Metric.MEMORY:
        return float(units.parse_size_bytes(value))
    if metric.value.startswith("latency."):
        return units.parse_duration_s(value) * 1000
    raise ValueError(f"{value!r} is not a number")


@functools.lru_cache(maxsize=1024)
def _key(gate: GateSpec) -> str:
    text = json.dumps(jsonform.to_json(gate), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
