"""Every metric and every source of evidence, good and bad."""

import random
from dataclasses import replace
from typing import Any

import pytest

from shoal.controller.domain.evidence import Source
from shoal.controller.domain.gating import Bound, GateSpec, Metric
from shoal.controller.domain.incidents import Incident, IncidentKind
from shoal.controller.domain.live import Answer, LiveEvidence, QueryAnswers
from shoal.controller.domain.strategy import Ppm
from tests.unit.planning.builders import ACCURACY, RIGHT
from tests.unit.planning.live_fleets import (
    ERRORS,
    LATENCY,
    Numbers,
    a_fleet,
    evidence,
    gate_of,
    show,
    slow,
)
from tests.unit.planning.worlds import Make


@pytest.mark.parametrize(
    ("gate", "bad"),
    [
        (GateSpec(metric=Metric.MEMORY, limit=1.2), {"memory_bytes": 2e7}),
        (
            GateSpec(metric=Metric.MEMORY, limit=1.3e7, bound=Bound.MAX),
            {"memory_peak_bytes": 20_000_000},
        ),
        (GateSpec(metric=Metric.CONFIDENCE, limit=0.05), {"confidence": 0.7}),
        (GateSpec(metric=Metric.CONFIDENCE, limit=0.8, bound=Bound.MIN), {"confidence": 0.7}),
        (GateSpec(metric=Metric.DRIFT, limit=0.1), {"drift": 0.3}),
        (GateSpec(metric=Metric.LATENCY_P50, limit=1.3), {"latency_ms": (2.0, 3.0, 4.0)}),
        (GateSpec(metric=Metric.LATENCY_P99, limit=1.3), {"latency_ms": (1.0, 2.0, 9.0)}),
        (
            GateSpec(metric=Metric.LATENCY_P95, limit=3.0, bound=Bound.MAX),
            {"latency_ms": (1.0, 9.0, 9.0)},
        ),
    ],
)
def test_every_metric_fails_where_it_is_bad_and_passes_where_it_is_not(
    make: Make, gate: GateSpec, bad: dict[str, Any]
) -> None:
    def numbers(worse: bool) -> Numbers:  # noqa: FBT001 - whether the candidate is
        def of(rng: random.Random, updated: bool) -> dict[str, Any]:  # noqa: FBT001 - the side
            noise = rng.uniform(0.995, 1.005)
            return {"memory_bytes": 1e7 * noise, **(bad if worse and updated else {})}

        return of

    world = a_fleet(make, gate)
    show(world, numbers(worse=True))
    assert gate_of(world).verdict == "fail", gate_of(world).message
    world = a_fleet(make, gate)
    show(world, numbers(worse=False))
    assert gate_of(world).verdict == "pass", gate_of(world).message


@pytest.mark.parametrize(
    ("score", "gate", "bad"),
    [
        ("top1", GateSpec(metric=Metric.QUALITY, limit=0.05), {"correct": 300}),
        ("top1", GateSpec(metric=Metric.QUALITY, limit=0.8, bound=Bound.MIN), {"correct": 300}),
        (
            "mae",
            GateSpec(metric=Metric.QUALITY, limit=1.3, bound=Bound.MAX_RATIO),
            {"absolute_error": 30.0},
        ),
        (
            "mae",
            GateSpec(metric=Metric.QUALITY, limit=0.15, bound=Bound.MAX),
            {"absolute_error": 30.0},
        ),
        (
            "mse",
            GateSpec(metric=Metric.QUALITY, limit=1.3, bound=Bound.MAX_RATIO),
            {"squared_error": 30.0},
        ),
        (
            "mse",
            GateSpec(metric=Metric.QUALITY, limit=0.15, bound=Bound.MAX),
            {"squared_error": 30.0},
        ),
    ],
)
def test_quality_is_the_metric_of_the_model(
    make: Make, score: str, gate: GateSpec, bad: dict[str, float]
) -> None:
    def numbers(rng: random.Random, updated: bool) -> dict[str, Any]:  # noqa: FBT001 - the side
        noise = rng.uniform(0.995, 1.005)
        same = {"absolute_error": 10.0 * noise, "squared_error": 10.0 * noise, "scored": 100}
        return {**same, **(bad if updated else {})}

    for metric, verdict in ((score, "fail"), ("spearman", "inconclusive")):
        world = a_fleet(make, gate)
        world.models = tuple(replace(one, metric=metric) for one in world.models)
        show(world, numbers)
        assert gate_of(world, Source.LABELS).verdict == verdict
    bad = {}
    world = a_fleet(make, gate)
    world.models = tuple(replace(one, metric=score) for one in world.models)
    show(world, numbers)
    assert gate_of(world, Source.LABELS).verdict == "pass"


def test_alpha_is_split_over_all_tests_of_a_cohort(make: Make) -> None:
    # Accuracy has three sources: the golden set, labels, and shadow answers where there are any.
    for shadow_ppm, tests in ((Ppm(50_000), 5), (Ppm(0), 4)):
        world = a_fleet(make, ACCURACY, LATENCY, ERRORS, shadow_ppm=shadow_ppm)
        show(world, slow(1.0))
        verdicts = world.record.cohorts[0].verdicts
        assert (len(verdicts), {one.alpha for one in verdicts}) == (tests, {0.05 * 0.9 / tests})
    small = a_fleet(make, ACCURACY, LATENCY, ERRORS, count=6)
    small.turn(1.0)
    assert {one.alpha for one in small.record.cohorts[0].verdicts} == {0.05 * 0.9}


def test_labels_may_fail_what_the_golden_set_passes(make: Make) -> None:
    world = a_fleet(make, ACCURACY)
    show(world, lambda _, updated: {"correct": 400 if updated else 475})
    assert gate_of(world, Source.LABELS).verdict == "fail"
    assert world.record.revisions[1].result == "rolled-back"


def test_shadow_answers_may_fail_it_too(make: Make) -> None:
    def shadowed(rng: random.Random, updated: bool) -> dict[str, Any]:  # noqa: FBT001 - the side
        worse = rng.randint(18, 24) if updated else 0
        return {"paired": 200 if updated else 0, "paired_worse": worse}

    world = a_fleet(make, ACCURACY, shadow_ppm=Ppm(50_000))
    show(world, shadowed)
    assert gate_of(world, Source.SHADOW).verdict == "fail"
    assert gate_of(world, Source.SHADOW).value == pytest.approx(0.105, abs=0.01)


def test_live_labels_that_are_silent_do_not_block_a_golden_pass(make: Make) -> None:
    world = a_fleet(make, ACCURACY)
    world.turn(1.0)
    assert world.record.wave == 1
    silent = gate_of(world, Source.LABELS)
    assert silent.advisory
    assert silent.message.startswith("advisory (the golden set decides): NO DATA")


def test_first_incidents_decide_where_restarts_have_a_ratio(make: Make) -> None:
    gate = GateSpec(metric=Metric.RESTARTS, limit=1.0, bound=Bound.MAX_RATIO)
    world = a_fleet(make, gate, count=100)
    updated = sorted(world.on_revision(2))
    for name in (*updated[:20], min({one.name for one in world.fleet} - set(updated))):
        known = world.record.device(name)
        generation = known.generation if known else 0
        incident = Incident(kind=IncidentKind.RESTART, generation=generation, at=world.now + 1)
        world.change(name, incidents=(incident,))
    world.turn(2.0)
    verdict = gate_of(world, Source.INCIDENTS)
    assert verdict.verdict == "fail", verdict.message
    assert (verdict.value, verdict.baseline) == (20.0, 1.0)


def test_a_query_fails_after_enough_answers_in_a_row(make: Make) -> None:
    gate = GateSpec(
        metric=Metric.PROMETHEUS,
        limit=0.5,
        bound=Bound.MAX,
        min_samples=3,
        query='sum(x{d="$deployment"})',
        name="load",
    )
    world = a_fleet(make, gate)
    text = 'sum(x{d="digits"})'

    def answered(*values: float | None) -> None:
        answers = tuple(Answer(at=world.now, value=one) for one in values)
        world.live = LiveEvidence(queries=(QueryAnswers(query=text, answers=answers),))
        world.turn(1.0)

    answered()
    assert "NO DATA: load" in gate_of(world, Source.QUERY).message
    answered(0.9, 0.9)
    assert gate_of(world, Source.QUERY).verdict == "inconclusive"
    answered(0.9, None, 0.1, 0.1)
    assert gate_of(world, Source.QUERY).verdict == "inconclusive"
    answered(0.9, 0.1, 0.1, 0.1)
    assert world.record.wave == 1
    assert world.plan.status.waves[0].gates[0].verdict == "pass"
    world = a_fleet(make, gate)
    answered(0.1, 0.9, 0.9, 0.9)
    assert world.record.revisions[1].result == "rolled-back"


def test_the_path_of_looks_is_thinned_and_the_trimmed_are_named(make: Make) -> None:
    world = a_fleet(make, replace(LATENCY, limit=1.02))
    for number in range(1, 40):
        live = evidence(world, slow(1.0), seed=7)
        grown = tuple(
            replace(one, after=tuple(replace(x, answered=60 * number) for x in one.after))
            for one in live.devices
        )
        world.live = replace(live, devices=grown)
        world.turn(0.1)
    verdict = gate_of(world)
    assert 10 < len(verdict.path) < 25
    assert len(verdict.scope.trimmed) == 2
    assert len(verdict.effects) == 20
    assert verdict.width is not None
    total = verdict.width.sampling + verdict.width.devices + verdict.width.liars
    assert total == pytest.approx(1.0)


def test_the_golden_set_decides_though_the_answers_are_few(make: Make) -> None:
    world = a_fleet(make, replace(ACCURACY, bound=Bound.MIN, limit=0.9), count=4)
    names = sorted(world.on_revision(2))
    world.soak(*names, answers=RIGHT, past=RIGHT)
    world.turn(1.0)
    golden = gate_of(world, Source.GOLDEN)
    assert golden.verdict == "pass"
    assert golden.value == 1.0
    assert "at least 90 %" in golden.message
