"""Gates in manifests: every metric with every limit it has, and what is refused."""

from typing import Any

import pytest

from shoal.controller.domain import gating
from shoal.controller.domain.gating import Bound, Metric
from shoal.resources.parsing import parse
from tests.unit.resources.documents import DEPLOYMENT, refused, with_field

VALUES = {Bound.MAX: 0.5, Bound.MIN: 0.5, Bound.MAX_RATIO: 1.5, Bound.MAX_DROP: 0.02}
GATES = [
    {"metric": metric.value, bound.value: VALUES[bound]}
    | ({"query": "up"} if metric is Metric.PROMETHEUS else {})
    for metric in Metric
    for bound in gating.bounds(metric)
]


def with_gates(*gates: dict[str, Any]) -> Any:
    return with_field(DEPLOYMENT, "spec.strategy.gates", list(gates))


@pytest.mark.parametrize("gate", GATES, ids=lambda one: f"{one['metric']} {list(one)[1]}")
def test_every_metric_is_admitted_with_each_of_its_limits(gate: dict[str, Any]) -> None:
    (stored,) = parse(with_gates(gate)).spec["strategy"]["gates"]
    read = gating.gate_from_json(stored)
    assert (read.metric, read.kind) == (gate["metric"], list(gate)[1])
    assert read.limit == list(gate.values())[1]


@pytest.mark.parametrize(
    ("gate", "limit"),
    [
        ({"metric": "memory", "max": "64MiB"}, 64 * 1024 * 1024),
        ({"metric": "latency.p99", "max": "5ms"}, 5.0),
        ({"metric": "latency.p50", "max": 7}, 7.0),
        ({"metric": "quality", "min": -3.5}, -3.5),
    ],
)
def test_limits_may_be_quantities(gate: dict[str, Any], limit: float) -> None:
    (stored,) = parse(with_gates(gate)).spec["strategy"]["gates"]
    assert gating.gate_from_json(stored).limit == limit


@pytest.mark.parametrize(
    ("gate", "field"),
    [
        ({"metric": "drift", "maxRatio": 2}, "maxRatio"),
        ({"metric": "latency.p95"}, "maxRatio"),
        ({"metric": "latency.p95", "max": 5, "maxRatio": 2}, "max"),
        ({"metric": "latency.p95", "max": "5MB"}, "max"),
        ({"metric": "memory", "max": "many"}, "max"),
        ({"metric": "errorRate", "max": "5ms"}, "max"),
        ({"metric": "confidence", "min": 1.5}, "min"),
        ({"metric": "restarts", "max": -1}, "max"),
        ({"metric": "prometheus", "max": 1}, "query"),
        ({"metric": "accuracy", "maxDrop": 0.1, "query": "up"}, "query"),
        ({"metric": "accuracy", "maxDrop": 0.1, "alpha": 0.5}, "alpha"),
        ({"metric": "latency.p95", "maxRatio": float("inf")}, "maxRatio"),
        ({"metric": "latency.p95", "max": float("nan")}, "max"),
        ({"metric": "quality", "min": float("nan")}, "min"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused_at_its_field(
    gate: dict[str, Any], field: str
) -> None:
    assert refused(with_gates(gate)).field == f"spec.strategy.gates[0].{field}"


def test_a_misspelt_metric_is_answered_with_the_right_one() -> None:
    problem = refused(with_gates({"metric": "latency.p96", "maxRatio": 1.1}))
    assert problem.reason == "UnknownMetric"
    assert "latency.p9" in (problem.hint or "")


def test_a_gate_of_a_stored_record_keeps_its_meaning() -> None:
    assert gating.GateSpec(metric=Metric.ERROR_RATE, limit=0.01).kind is Bound.MAX
    assert gating.GateSpec(metric=Metric.LATENCY_P95, limit=1.5).kind is Bound.MAX_RATIO
    assert gating.GateSpec(metric=Metric.ACCURACY, limit=0.02).kind is Bound.MAX_DROP


def test_the_key_of_a_gate_changes_with_everything_in_it() -> None:
    one = gating.GateSpec(metric=Metric.ACCURACY, limit=0.02)
    others = [
        gating.GateSpec(metric=Metric.ACCURACY, limit=0.03),
        gating.GateSpec(metric=Metric.ACCURACY, limit=0.02, alpha=0.01),
        gating.GateSpec(metric=Metric.ACCURACY, limit=0.02, min_samples=31),
        gating.GateSpec(metric=Metric.AGREEMENT, limit=0.02),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5
    assert one.key == gating.GateSpec(metric=Metric.ACCURACY, limit=0.02).key


def test_two_limits_at_once_or_none_are_no_gate() -> None:
    for gate in ({"metric": "errorRate"}, {"metric": "errorRate", "max": 1, "maxRatio": 1}):
        with pytest.raises(ValueError, match="limits instead of one"):
            gating.gate_from_json(gate)
    with pytest.raises(ValueError, match="has no min"):
        gating.gate_from_json({"metric": "errorRate", "min": 1})
    with pytest.raises(ValueError, match="not a number"):
        gating.limit_from_json(Metric.DRIFT, "5ms")


@pytest.mark.parametrize(("written", "stored"), [({}, 10), ({"minSamples": 4}, 4)])
def test_a_query_asks_for_as_many_answers_as_fit_the_default_soak(
    written: dict[str, Any], stored: int
) -> None:
    gate = {"metric": "prometheus", "max": 1, "query": "up", **written}
    (found,) = parse(with_gates(gate)).spec["strategy"]["gates"]
    assert found["minSamples"] == stored
