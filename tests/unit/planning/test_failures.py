import pytest

from shoal.contract.report import Phase
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.domain.revisions import Origin, WaveState
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action, Scope
from tests.unit.planning.builders import (
    ACCURACY,
    RIGHT,
    SMALL,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, a_second_rollout

GATED = a_strategy(gates=(ACCURACY,))


def test_a_bad_model_returns_the_canaries_and_reaches_nobody_else(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    canaries = set(world.fresh())
    world.soak(*canaries, answers=WRONG, past=RIGHT)
    world.turn(1.0)
    bad = world.record.revisions[1]
    assert (bad.result, bad.reason) == ("rolled-back", "GateFailed")
    assert bad.waves[0].state is WaveState.FAILED
    gate = bad.waves[0].gates[0]
    assert (gate.verdict, gate.value, gate.baseline, gate.samples) == ("fail", 1.0, 1.0, 360)
    back = world.record.revisions[2]
    assert (back.origin, back.source) == (Origin.ROLLBACK, 1)
    world.finish()
    assert world.status == "complete"
    assert not world.on_revision(2)
    assert {one.target.variant for one in world.plan.desired} == {
        variant(1, 100),
        variant(1, 200),
        variant(1, 300),
    }


def test_a_rolled_back_model_does_not_come_again_by_itself(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.finish()
    for _ in range(5):
        world.turn(1_000.0)
    assert world.plan.status.revision == 3
    assert not world.plan.status.following
    assert any(
        one.type == "Following" and (one.status, one.reason) == (False, "RolledBack")
        for one in world.plan.status.conditions
    )
    world.publish()
    world.finish()
    assert (world.plan.status.revision, world.plan.status.model_revision) == (4, 3)
    assert world.plan.status.following


def test_the_first_rollout_has_nothing_to_return_to(make: Make) -> None:
    world = make(strategy=GATED)
    world.turn()
    canaries = world.fresh()
    world.soak(canaries[0], answers=WRONG)
    world.turn(1.0)
    assert (world.status, world.reason) == ("failed", "GateFailed")
    # Who runs it keeps it; who does not run it yet never will.
    assert set(world.targets()) == {canaries[0]}
    world.turn(1_000.0)
    assert set(world.targets()) == {canaries[0]}
    world.publish()
    world.finish()
    assert world.status == "complete"


def test_a_failed_digest_is_quarantined_in_its_cohort_until_the_retry(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    small = world.canaries()["small"]
    world.soak(small, answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert [(one.digest, one.revision) for one in world.record.quarantine] == [(variant(2, 100), 2)]
    world.finish()
    world.edit(device_timeout_s=601.0)  # the same model again, without the digest that failed
    world.turn(1.0)
    variants = {one.name: one.variant for one in world.plan.status.cohorts}
    assert variants["small"] == variant(2, 90)
    assert variants["large"] == variant(2, 300)


def test_onfailure_hold_keeps_everything_where_it_is(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,), on_failure=Action.HOLD))
    canaries = set(world.fresh())
    world.soak(*canaries, answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "GateFailed")
    assert world.plan.status.waves[0].state is WaveState.HELD
    assert world.on_revision(2) == canaries
    assert world.events.count("GateFailed") == 1


def test_a_failing_cohort_can_be_taken_back_alone(make: Make) -> None:
    strategy = a_strategy(gates=(ACCURACY,), scope=Scope.COHORT)
    world = a_second_rollout(make, strategy=strategy)
    canaries = world.canaries()
    world.soak(canaries["small"], answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.targets()[canaries["small"]].variant == variant(1, 100)
    world.finish()
    assert world.status == "complete"
    assert {one.variant for name, one in world.targets().items() if "small" in name} == {
        variant(1, 100)
    }
    assert {one.variant for name, one in world.targets().items() if "large" in name} == {
        variant(2, 300)
    }
    assert any(one.type == "Degraded" and one.status for one in world.plan.status.conditions)


def test_when_every_cohort_fails_the_whole_deployment_returns(make: Make) -> None:
    strategy = a_strategy(gates=(ACCURACY,), scope=Scope.COHORT)
    world = a_second_rollout(make, strategy=strategy)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_a_failure_rolls_back_even_while_paused(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.ask(Verb.PAUSE)
    world.turn(1.0)
    world.soak(*world.on_revision(2), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"
    world.finish()
    assert world.status == "complete"


def test_one_failure_in_a_canary_of_one_is_too_many(make: Make) -> None:
    world = a_second_rollout(make)
    world.fail(world.fresh()[0])
    world.turn(1.0)
    assert world.record.revisions[1].reason == "TooManyFailures"


def test_max_failures_rounds_down_and_allows_that_many(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), success_threshold_ppm=800_000)
    world = make(fleet=devices_of(SMALL, 10), strategy=strategy)
    world.turn()
    first, second, *others = world.fresh()
    world.fail(first)
    world.confirm(*others)
    world.turn(1.0)
    assert world.status == "active"
    world.confirm(second)
    world.turn(1.0)
    assert world.status == "complete"
    assert [one.device for one in world.plan.status.blocked] == [first]


def test_everyone_finished_but_too_few_confirmed_is_a_hold(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), max_failures=share(50))
    world = make(fleet=devices_of(SMALL, 10), strategy=strategy)
    world.turn()
    world.fail(*world.fresh()[:2])
    world.confirm(*world.fresh()[2:])
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ThresholdUnmet")
    assert "8 of 10" in world.plan.status.message
    world.confirm(*world.plan.status.blocked[0].device.split())
    world.turn(1.0)
    assert world.status == "complete"


@pytest.mark.parametrize("reason", ["LoadFailed", "Crashed", "BadSlot"])
def test_a_failed_start_stops_a_small_fleet_whatever_is_allowed(make: Make, reason: str) -> None:
    world = a_second_rollout(make, strategy=a_strategy(max_failures=share(100)))
    world.fail(world.fresh()[0], reason=reason)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "HardStop"


def test_a_local_rollback_stops_a_small_fleet_whatever_is_allowed(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(max_failures=share(100)))
    world.roll_back_locally(world.fresh()[0])
    world.turn(1.0)
    assert world.record.revisions[1].reason == "HardStop"


def test_in_a_large_fleet_a_failed_start_counts_like_any_failure(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("half", 50), a_wave("all", 100)))
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(SMALL, 20))
    world.fail(world.fresh()[0], reason="LoadFailed")
    world.turn(1.0)
    assert world.status == "active"
    world.fail(*world.on_revision(2), reason="LoadFailed")
    world.turn(1.0)
    assert world.record.revisions[1].reason == "TooManyFailures"


def test_incidents_beyond_the_discount_stop_a_large_fleet(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("half", 50), a_wave("all", 100)))
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(SMALL, 20))
    first, second, third, *_ = world.fresh()
    for name in (first, second):
        world.report(name, Phase.SOAKING, restarts=7)
    world.turn(1.0)
    assert world.status == "active"  # 5 % of 10 rounds up to 1: it takes 1 + 2
    world.report(third, Phase.SOAKING, restarts=1)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "HardStop"


def test_two_incidents_more_than_elsewhere_stop_a_small_fleet(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("most", 60), a_wave("all", 100)))
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(SMALL, 5))
    first, second, _ = world.fresh()
    world.report(first, Phase.SOAKING, restarts=1)
    world.turn(1.0)
    assert world.status == "active"
    world.report(second, Phase.SOAKING, restarts=1)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "HardStop"


def test_restarts_are_a_hard_stop_and_pass_at_the_end_of_the_soak(make: Make) -> None:
    strategy = a_strategy(gates=(GateSpec(metric=Metric.RESTARTS, limit=0),))
    world = a_second_rollout(make, strategy=strategy)
    first, *others = world.fresh()
    world.confirm(*others)
    world.confirm(first)
    world.turn(1.0)
    assert all(one.verdict == "pass" for one in world.plan.status.waves[0].gates)
    assert world.plan.status.waves[0].gates[0].message == "0 on 1 device (limit 0)"
    world.confirm(first, restarts=1)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "HardStop"
    assert f"1 on {first}, of 1 device (limit 0)" in world.record.revisions[1].message


def test_events_name_the_devices_that_went_wrong(make: Make) -> None:
    world = a_second_rollout(make)
    name = world.fresh()[0]
    world.fail(name)
    plan = world.turn(1.0)
    assert any(name in one.message for one in plan.events)
