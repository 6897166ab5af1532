"""Gates of a Deployment: what evidence must show before a rollout goes on."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shoal.contract import units
from shoal.contract.problem import Problem
from shoal.contract.reason import Reason
from shoal.resources.base import Document
from shoal.resources.words import Words, refusal

_LIMITS_OF: Mapping[str, tuple[str, ...]] = {
    "accuracy": ("maxDrop", "min"),
    "quality": ("maxDrop", "min", "max", "maxRatio"),
    "agreement": ("maxDrop", "min"),
    "latency.p50": ("maxRatio", "max"),
    "latency.p95": ("maxRatio", "max"),
    "latency.p99": ("maxRatio", "max"),
    "errorRate": ("max", "maxRatio"),
    "memory": ("maxRatio", "max"),
    "confidence": ("maxDrop", "min"),
    "drift": ("max",),
    "restarts": ("max", "maxRatio"),
    "crashes": ("max",),
    "prometheus": ("max", "min"),
}
_SHARES = frozenset({"accuracy", "agreement", "errorRate", "confidence", "drift"})
_METRICS = Words(what="gate metric", built=tuple(_LIMITS_OF), unknown=Reason.UNKNOWN_METRIC)
_ANSWERS = 10
_INCONCLUSIVE = Words(what="policy", built=("hold", "rollback"))


def _limit(value: object) -> object:
    """A number, or a size or duration as text, kept as people wrote it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise refusal(Reason.INVALID, f"{value} is no limit", "write 0.01, 64MiB or 5ms")
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        raise refusal(Reason.INVALID, f"{value!r} is not a limit", "write 0.01, 64MiB or 5ms")
    for parse in (units.parse_size_bytes, units.parse_duration_s):
        try:
            parse(value)
        except ValueError:
            continue
        return value
    raise refusal(Reason.INVALID, f"{value!r} is not a limit", "write 0.01, 64MiB or 5ms")


class Gate(Document):
    """One condition on the evidence; fail, pass or inconclusive. It has exactly one limit."""

    metric: Annotated[str, AfterValidator(_METRICS.check)] = Field(
        description="accuracy and agreement (golden set and live), quality (late labels), "
        "latency.p50, latency.p95, latency.p99, errorRate, memory, confidence, drift, restarts, "
        "crashes, or prometheus with a query."
    )
    max_drop: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="For accuracy, quality, agreement and confidence: the loss allowed against "
        "what was before, as a share.",
    )
    max_ratio: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="For latency, memory, errorRate, restarts and quality: candidate over active.",
    )
    max: Annotated[float | str | None, BeforeValidator(_limit)] = Field(
        default=None,
        description="For errorRate and drift a share, for latency a duration, for memory a size, "
        "for quality an error in its Model's metric, for prometheus a number, for restarts and "
        "crashes a count, which is a hard stop.",
    )
    min: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="For accuracy, agreement, confidence, quality and prometheus: the least.",
    )
    min_samples: int = Field(
        default=30,
        ge=1,
        description="Samples per device before it counts; for prometheus answers in a row, one "
        "every 15 seconds (default 10, so that the default maxSoak has room for them).",
    )
    alpha: float = Field(
        default=0.05, gt=0, lt=0.5, description="Chance of a false failure over the whole rollout."
    )
    on_inconclusive: Annotated[str, AfterValidator(_INCONCLUSIVE.check)] = Field(
        default="hold", description="What to do when maxSoak ends without a verdict."
    )
    query: str | None = Field(
        default=None,
        max_length=4000,
        description="For prometheus: PromQL with one number as its answer. $namespace, $deployment "
        "and $revision stand for those of the rollout.",
    )
    name: str | None = Field(
        default=None, max_length=63, description="For prometheus: what people call this gate."
    )

    @model_validator(mode="before")
    @classmethod
    def _answers_fit_a_soak(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("metric") == "prometheus":
            return {"minSamples": _ANSWERS, **data}
        return data


def problems(gate: Gate, place: str) -> Iterator[Problem]:
    """Everything that refuses the gate at `place`."""
    yield from _limits(gate, place)
    if gate.metric == "prometheus" and not gate.query:
        yield _invalid(f"{place}.query", "a gate on prometheus needs a query")
    for name, value in (("query", gate.query), ("name", gate.name)):
        if value and gate.metric != "prometheus":
            yield _invalid(f"{place}.{name}", f"a gate on {gate.metric} has no {name}")


def given(gate: Gate) -> dict[str, float | str]:
    """The limits that were written; one, unless the gate is refused."""
    limits = {
        "maxDrop": gate.max_drop,
        "maxRatio": gate.max_ratio,
        "max": gate.max,
        "min": gate.min,
    }
    return {name: value for name, value in limits.items() if value is not None}


def _limits(gate: Gate, place: str) -> Iterator[Problem]:
    limits = given(gate)
    wanted = _LIMITS_OF[gate.metric]
    choices = " or ".join(wanted)
    for name in limits:
        if name not in wanted:
            message = f"a gate on {gate.metric} has no {name}"
            yield _invalid(f"{place}.{name}", message, f"use {choices}")
    if not limits:
        yield _invalid(f"{place}.{wanted[0]}", f"a gate on {gate.metric} needs {choices}")
    if len(limits) > 1 and all(name in wanted for name in limits):
        yield _invalid(
            f"{place}.{list(limits)[-1]}",
            f"a gate has one limit, this one has {' and '.join(limits)}",
            "write a gate for each",
        )
    for name in ("max", "min"):
        if name in limits:
            yield from _value(gate.metric, f"{place}.{name}", limits[name])


def _value(metric: str, place: str, value: float | str) -> Iterator[Problem]:
    if isinstance(value, str):
        if not (metric == "memory" or metric.startswith("latency.")):
            yield _invalid(place, f"{metric} is a number, not {value!r}", "write for example 0.01")
        elif not _measures(metric, value):
            unit = "a size" if metric == "memory" else "a duration"
            yield _invalid(place, f"{value!r} is not {unit}")
    elif metric in _SHARES and not 0 <= value <= 1:
        yield _invalid(place, f"{metric} is a share from 0 to 1", "write 0.01 for 1 %")
    elif value < 0 and metric not in {"quality", "prometheus"}:
        yield _invalid(place, f"{metric} is never negative")


def _measures(metric: str, text: str) -> bool:
    parse = units.parse_size_bytes if metric == "memory" else units.parse_duration_s
    try:
        return parse(text) > 0
    except ValueError:
        return False


def _invalid(field: str, message: str, hint: str = "") -> Problem:
    return Problem(reason=Reason.INVALID, message=message, field=field, hint=hint or None)


def default_gates() -> list[Gate]:
    """The gates where `gates` is left out (contracts: section 4)."""
    return [
        Gate.model_validate(gate)
        for gate in (
            {"metric": "errorRate", "max": 0.01, "minSamples": 60},
            {"metric": "latency.p95", "maxRatio": 1.5, "minSamples": 60},
            {"metric": "restarts", "max": 0},
        )
    ]
