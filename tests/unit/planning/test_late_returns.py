"""What a promote waived ends with its revision, and a return proves nothing to a late cohort."""

from dataclasses import replace

from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action
from tests.unit.planning.builders import ACCURACY, RIGHT, WRONG, a_strategy, nine_devices
from tests.unit.planning.worlds import Make, World, a_second_rollout


def a_world_with_a_late_cohort(make: Make) -> tuple[World, list[str]]:
    """Revision 1 was complete without the large devices; their canary has just been told it."""
    everyone = nine_devices()
    late = [one.name for one in everyone if one.name.startswith("large")]
    world = make(fleet=[replace(one, cohort=None) if one.name in late else one for one in everyone])
    world.finish()
    assert world.status == "complete"
    for one in everyone:
        if one.name in late:
            world.change(one.name, cohort=one.cohort)
    world.turn(1.0)
    return world, late


def test_a_promote_waives_nothing_of_the_next_revision(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(on_failure=Action.HOLD))
    world.fail(*world.fresh())
    world.turn(1.0)
    world.ask(Verb.PROMOTE)
    world.turn(1.0)
    world.publish()
    world.turn(1.0)
    assert world.plan.status.revision == 3
    assert world.reason != "ThresholdUnmet"
    world.finish()
    assert world.status == "complete"
    assert len(world.on_revision(3)) == 9


def test_a_rollback_starts_a_cohort_that_was_never_proven_at_its_canary(make: Make) -> None:
    world, late = a_world_with_a_late_cohort(make)
    assert len(world.on_revision(1) & set(late)) == 1
    world.publish()
    world.turn(1.0)
    world.fail(*world.fresh(), reason="LoadFailed")
    world.turn(1.0)
    assert world.plan.status.revision == 3
    assert len(world.on_revision(3) & set(late)) <= 1, "nothing of it was proven there"
    world.finish()
    assert world.status == "complete"
    assert set(late) <= world.on_revision(3)


def test_a_late_cohort_that_fails_in_a_return_is_taken_back_alone(make: Make) -> None:
    world, late = a_world_with_a_late_cohort(make)
    world.publish()
    world.turn(1.0)
    world.fail(*world.fresh(), reason="LoadFailed")
    world.turn(1.0)
    for _ in range(3):
        told = [one for one in world.pending() if one in late]
        world.fail(*told, reason="LoadFailed")
        world.confirm(*[one for one in world.pending() if one not in late])
        world.turn(1.0)
    assert world.plan.status.revision == 3, "the return itself goes on"
    assert "CohortReverted" in world.events


def test_a_bad_variant_is_not_measured_by_another_bad_one(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    canary = world.fresh()[0]
    world.soak(canary, answers=WRONG, past=RIGHT)
    world.publish()  # before the pass that would have judged it
    world.turn(1.0)
    assert canary in world.on_revision(3), "what was never proven moves first"
    for name in world.fresh():
        world.soak(name, answers=WRONG, past=WRONG if name == canary else RIGHT)
    world.turn(1.0)
    assert world.record.revisions[2].result == "rolled-back"


def test_what_a_failed_first_rollout_left_is_no_measure(make: Make) -> None:
    world = make(strategy=a_strategy(gates=(ACCURACY,)))
    world.turn()
    first = world.fresh()
    for name in first:
        world.soak(name, answers=WRONG)
    world.turn(1.0)
    assert world.status == "failed"
    world.publish()
    world.turn(1.0)
    for name in world.fresh():
        world.soak(name, answers=WRONG, past=WRONG)
    world.turn(1.0)
    assert world.status == "failed"
    assert world.plan.status.revision == 2
