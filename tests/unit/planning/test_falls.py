from shoal.controller.domain.gating import GateSpec, Metric
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    SMALL,
    WRONG,
    a_strategy,
    devices_of,
    variant,
)
from tests.unit.planning.worlds import Make, a_complete_world, a_second_rollout

GATED = a_strategy(gates=(ACCURACY,))


def test_a_refusal_makes_the_cohort_fall_and_start_again_at_its_canary(make: Make) -> None:
    world = make()
    world.turn()
    canaries = world.canaries()
    world.confirm(*(one for key, one in canaries.items() if key != "small"))
    world.refuse(canaries["small"])
    world.turn(1.0)
    assert world.fresh() == [canaries["small"]]
    assert world.told(canaries["small"]).target.variant == variant(1, 90)
    assert "VariantFell" in world.events
    world.finish()
    assert world.status == "complete"
    small = {one.variant for name, one in world.targets().items() if "small" in name}
    assert small == {variant(1, 90)}


def test_a_cohort_falls_two_steps_at_most_and_then_the_refusal_is_a_failure(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(LARGE, 3))
    for step in (300, 200, 100):
        assert world.told(world.fresh()[0]).target.variant == variant(2, step)
        world.refuse(world.fresh()[0])
        world.turn(1.0)
    assert world.record.revisions[1].reason == "TooManyFailures"


def test_a_fall_in_a_later_wave_leaves_confirmed_devices_on_the_proven_variant(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 10))
    world.turn()
    canary = world.fresh()[0]
    world.confirm(canary)
    world.turn(1.0)
    refusing = world.fresh()[0]
    world.refuse(refusing)
    world.turn(1.0)
    assert world.fresh() == [refusing]
    assert world.targets()[canary].variant == variant(1, 100)
    world.finish()
    assert world.status == "complete"
    assert {one.variant for one in world.targets().values()} == {variant(1, 90)}


def test_a_late_cohort_that_fails_after_completion_is_taken_back_alone(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 3), strategy=GATED)
    world.fleet = [*world.fleet, *devices_of(LARGE, 3)]
    world.turn(1.0)
    canary = world.fresh()[0]
    world.soak(canary, answers=WRONG)
    world.turn(1.0)
    assert world.status == "complete"
    assert len(world.on_revision(1)) == 4  # nothing before: the canary keeps what it runs
    assert "CohortReverted" in world.events


def test_what_was_complete_is_held_and_not_rolled_back_when_a_device_fails_later(
    make: Make,
) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.roll_back_locally("small-0")
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "HardStop")
    assert world.plan.status.revision == 2


def test_of_two_limits_of_latency_preflight_holds_the_narrower(make: Make) -> None:
    ratios = (GateSpec(metric=Metric.LATENCY_P95, limit=one) for one in (3.0, 1.2))
    world = a_second_rollout(make, strategy=a_strategy(gates=tuple(ratios)))
    assert {world.targets()[one].max_latency_ratio for one in world.fresh()} == {1.2}
