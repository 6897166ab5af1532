"""Live evidence from snapshot to verdict: who is compared with whom, and what decides."""

import random
from dataclasses import replace
from typing import Any

import pytest

from shoal.controller.domain.gating import Bound
from shoal.controller.domain.live import DeviceEvidence, LiveEvidence
from shoal.controller.domain.strategy import Action
from tests.unit.planning.builders import SMALL, a_strategy, devices_of, share, variant
from tests.unit.planning.live_fleets import (
    ERRORS,
    LATENCY,
    WAVES,
    a_fleet,
    a_sample,
    evidence,
    failing,
    gate_of,
    judged,
    show,
    slow,
)
from tests.unit.planning.worlds import Make


def test_a_slow_candidate_fails_against_those_not_updated(make: Make) -> None:
    world = a_fleet(make, LATENCY)
    verdict = judged(world, slow(1.6))
    assert verdict.verdict == "fail"
    assert verdict.value == pytest.approx(1.6, rel=0.05)
    assert verdict.interval is not None
    assert verdict.interval[0] > 1.2
    assert "latency.p95 is between" in verdict.message
    assert (verdict.scope.devices, verdict.scope.baseline) == (20, 20)
    assert world.record.revisions[1].result == "rolled-back"


def test_an_equal_candidate_passes_and_the_wave_goes_on(make: Make) -> None:
    world = a_fleet(make, LATENCY, ERRORS)
    show(world, slow(1.0))
    assert [one.verdict for one in world.record.cohorts[0].verdicts] == ["pass", "pass"]
    assert world.record.wave == 1


def test_a_drift_that_everybody_shares_is_no_regression(make: Make) -> None:
    def hot(rng: random.Random, updated: bool) -> dict[str, Any]:  # noqa: FBT001 - the side
        del updated
        p95 = 2.0 * rng.uniform(0.97, 1.03)
        return {"latency_ms": (p95 / 2, p95, p95 * 1.5)}

    world = a_fleet(make, LATENCY)
    live = evidence(world, hot)
    heated = tuple(
        replace(
            one,
            after=tuple(
                replace(each, latency_ms=(2.0, each.latency_ms[1] * 1.5, 6.0))
                for each in one.after
                if each.latency_ms
            ),
        )
        for one in live.devices
    )
    world.live = replace(live, devices=heated)
    world.turn(1.0)
    assert gate_of(world).verdict == "pass"
    assert gate_of(world).baseline == pytest.approx(1.5, rel=0.05)


def test_error_rates_are_judged_against_the_limit(make: Make) -> None:
    assert judged(a_fleet(make, ERRORS), failing(0.05)).verdict == "fail"
    passed = judged(a_fleet(make, ERRORS), failing(0.0))
    assert passed.verdict == "pass"
    assert passed.interval is not None
    assert passed.interval[0] >= 0  # no share of requests is negative
    relative = replace(ERRORS, limit=1.5, bound=Bound.MAX_RATIO)
    verdict = judged(a_fleet(make, relative), failing(0.05))
    assert verdict.verdict == "fail"
    assert verdict.value is not None
    assert verdict.value > 10


def test_below_eight_a_side_live_gates_advise(make: Make) -> None:
    world = a_fleet(make, LATENCY, count=14)
    verdict = judged(world, slow(3.0))
    assert verdict.advisory
    assert verdict.verdict == "inconclusive"
    assert "8 devices on each side" in verdict.message
    assert world.status == "active"
    assert world.record.wave == 1  # it blocked nothing


def test_in_a_first_rollout_live_gates_advise(make: Make) -> None:
    strategy = a_strategy(gates=(ERRORS,), waves=WAVES)
    world = make(strategy=strategy, fleet=devices_of(SMALL, 40))
    world.turn()
    world.confirm(*world.fresh())
    world.live = LiveEvidence(
        devices=tuple(
            DeviceEvidence(device=name, after=(a_sample(variant(1, 100), errors=500),))
            for name in sorted(world.on_revision(1))
        )
    )
    world.turn(1.0)
    shown = world.plan.status.waves[0].gates[0]
    assert shown.advisory
    assert "no earlier rollout" in shown.message
    assert world.status == "active"


def test_silence_of_a_fifth_is_no_pass_and_names_how_many(make: Make) -> None:
    world = a_fleet(make, LATENCY)
    live = evidence(world, slow(1.0))
    silent = set(sorted(world.on_revision(2))[:5])
    kept = tuple(one for one in live.devices if one.device not in silent)
    world.live = replace(live, devices=kept)
    world.turn(1.0)
    assert gate_of(world).verdict == "inconclusive"
    assert "NO DATA from 5 of 20 devices" in gate_of(world).message
    assert world.reason == "GateInconclusive"
    world.live = live
    world.turn(1.0)
    assert world.record.cohorts[0].verdicts[0].verdict == "pass"


def test_no_data_is_never_a_pass(make: Make) -> None:
    world = a_fleet(make, LATENCY, ERRORS)
    world.turn(1.0)
    assert world.reason == "GateInconclusive"
    assert all("NO DATA" in one.message for one in world.record.cohorts[0].verdicts)
    world.turn(120.0)
    assert world.status == "held"


def test_a_device_without_a_past_has_no_vote(make: Make) -> None:
    world = a_fleet(make, LATENCY)
    live = evidence(world, slow(1.0))
    world.live = replace(live, devices=tuple(replace(one, before=None) for one in live.devices))
    world.turn(1.0)
    assert gate_of(world).scope.devices == 0
    assert gate_of(world).verdict == "inconclusive"
    assert "20 served nothing before the rollout" in gate_of(world).message


def test_a_pass_stays_in_the_last_wave_where_no_other_side_is_left(make: Make) -> None:
    world = a_fleet(make, LATENCY)
    show(world, slow(1.0))
    assert world.record.wave == 1
    world.confirm(*world.fresh())
    show(world, slow(1.0))
    assert world.status == "complete"


def test_a_device_own_past_may_hold_in_the_last_wave_and_never_roll_back(make: Make) -> None:
    world = a_fleet(make, LATENCY)
    show(world, slow(1.0))
    world.confirm(*world.fresh())
    show(world, slow(2.0))
    verdict = world.record.cohorts[0].verdicts[0]
    assert verdict.holds
    assert not verdict.advisory
    assert "own past" in verdict.message
    assert world.status == "active"
    world.turn(120.0)
    assert world.status == "held"
    world.live = evidence(world, slow(1.0))  # the heat is over: the pass of before counts again
    world.turn(1.0)
    assert world.status == "complete"


def test_a_failure_is_latched(make: Make) -> None:
    world = a_fleet(make, LATENCY, on_failure=Action.HOLD)
    assert judged(world, slow(1.6)).verdict == "fail"
    show(world, slow(1.0))
    assert world.record.cohorts[0].verdicts[0].verdict == "fail"
    assert world.status == "held"


def test_a_late_failure_beats_an_earlier_pass(make: Make) -> None:
    world = a_fleet(make, LATENCY, max_unavailable=share(5))
    while world.record.wave < 1:
        world.live = evidence(world, slow(1.0))
        world.turn(1.0)
        world.confirm(*world.fresh())
    show(world, slow(2.0))
    assert world.record.revisions[1].result == "rolled-back"
