"""What live evidence is compared with, where devices have no other past, or more than one."""

from dataclasses import replace

import pytest

from shoal.controller.domain.gating import Bound
from shoal.controller.domain.live import DeviceEvidence, LiveEvidence
from tests.unit.planning.builders import SMALL, a_strategy, a_wave, devices_of, share
from tests.unit.planning.live_fleets import (
    ERRORS,
    LATENCY,
    NEW,
    OLD,
    WAVES,
    a_fleet,
    a_sample,
    evidence,
    failing,
    gate_of,
    show,
    slow,
)
from tests.unit.planning.worlds import Make, a_complete_world


def test_a_new_spec_of_the_same_variant_waits_for_no_evidence(make: Make) -> None:
    strategy = a_strategy(gates=(LATENCY, ERRORS), waves=WAVES)
    world = a_complete_world(make, strategy=strategy, fleet=devices_of(SMALL, 40))
    world.edit(max_unavailable=share(50))
    world.finish()
    assert (world.record.going.number, world.status) == (2, "complete")
    gate = gate_of(world)
    assert gate.advisory
    assert "the variant is the one of before" in gate.message


def test_a_new_spec_in_mid_rollout_compares_with_what_served_earlier(make: Make) -> None:
    world = a_fleet(make, LATENCY)
    updated = world.on_revision(2)
    world.edit(max_unavailable=share(50))
    world.turn(1.0)
    world.confirm(*world.fresh())
    assert world.record.going.number == 3
    live = evidence(world, slow(1.6), updated=updated)
    switched = tuple(
        replace(one, before=a_sample(NEW), earlier=one.before) if one.device in updated else one
        for one in live.devices
    )
    world.live = replace(live, devices=switched)
    world.turn(1.0)
    failed = world.record.revisions[2]
    assert (failed.result, failed.reason) == ("rolled-back", "GateFailed")


def test_absolute_limits_advise_in_the_last_wave_of_a_first_rollout(make: Make) -> None:
    strategy = a_strategy(gates=(ERRORS,), waves=(a_wave("all", 100),))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 40))
    world.turn()
    world.confirm(*world.fresh())
    world.live = LiveEvidence(
        devices=tuple(
            DeviceEvidence(device=name, after=(a_sample(OLD, errors=500),))
            for name in sorted(world.on_revision(1))
        )
    )
    world.turn(1.0)
    assert world.status == "complete"
    assert world.plan.status.waves[0].gates[0].advisory


def test_a_pass_is_for_its_wave_and_the_next_must_show_it_too(make: Make) -> None:
    waves = (a_wave("some", 25), a_wave("half", 50), a_wave("all", 100))
    world = a_complete_world(make, strategy=a_strategy(waves=waves), fleet=devices_of(SMALL, 40))
    world.edit(gates=(LATENCY,))
    world.publish()
    world.turn(1.0)
    world.confirm(*world.fresh())
    show(world, slow(1.0))
    assert world.record.wave == 1
    joined = set(world.fresh())
    world.confirm(*joined)
    live = evidence(world, slow(1.0))
    world.live = replace(live, devices=tuple(o for o in live.devices if o.device not in joined))
    world.turn(1.0)
    assert world.reason == "GateInconclusive"
    assert "NO DATA from 10 of 20 devices" in gate_of(world).message
    world.live = live
    world.turn(1.0)
    assert world.record.wave == 2
    world.confirm(*world.fresh())
    show(world, slow(1.0))
    assert world.status == "complete"


def test_the_base_of_a_ratio_is_fixed_at_the_first_look(make: Make) -> None:
    gate = replace(ERRORS, limit=1.5, bound=Bound.MAX_RATIO)
    world = a_fleet(make, gate)
    live = evidence(world, slow(1.0))
    first, *others = live.devices
    calm = [replace(one, before=a_sample(OLD, errors=10)) for one in others]
    liar = replace(first, before=a_sample(OLD, errors=1000))
    world.live = replace(live, devices=(liar, *calm))
    world.turn(1.0)
    assert world.record.cohorts[0].base_rate == pytest.approx(0.01)
    stormy = [replace(one, before=a_sample(OLD, errors=100)) for one in others]
    world.live = replace(live, devices=(liar, *stormy))
    world.turn(1.0)
    assert world.record.cohorts[0].base_rate == pytest.approx(0.01)


def test_a_ratio_to_no_errors_says_that_it_cannot_pass(make: Make) -> None:
    gate = replace(ERRORS, limit=1.5, bound=Bound.MAX_RATIO)
    world = a_fleet(make, gate)
    show(world, slow(1.0))
    assert gate_of(world).verdict == "inconclusive"
    assert "ask for max instead" in gate_of(world).message


def test_errors_where_there_were_none_fail_a_ratio(make: Make) -> None:
    world = a_fleet(make, replace(ERRORS, limit=1.5, bound=Bound.MAX_RATIO))
    live = evidence(world, failing(0.05))
    clean = tuple(replace(one, before=a_sample(OLD)) for one in live.devices)
    world.live = replace(live, devices=clean)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"
    assert "no request failed before the rollout, and many do now" in gate_of(world).message


def test_a_cohort_that_falls_to_another_variant_compares_again(make: Make) -> None:
    strategy = a_strategy(gates=(LATENCY,), waves=WAVES)
    world = a_complete_world(make, strategy=strategy, fleet=devices_of(SMALL, 40))
    world.edit(max_unavailable=share(50))
    world.turn(1.0)
    assert not world.record.cohorts[0].live
    world.refuse(world.fresh()[0])
    world.turn(1.0)
    world.turn(1.0)
    assert world.record.cohorts[0].step == 1
    assert world.record.cohorts[0].live
