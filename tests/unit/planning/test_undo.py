import pytest

from shoal.contract.problem import NotFoundError
from shoal.controller.domain.revisions import Origin
from shoal.controller.domain.rollout import Verb
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    RIGHT,
    SMALL,
    WRONG,
    a_strategy,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, a_second_rollout, refused

GATED = a_strategy(gates=(ACCURACY,))


def test_undo_brings_the_earlier_content_back_and_it_stays(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.turn(1.0)
    assert len(world.fresh()) == 9  # no waves
    world.finish()
    current = world.record.revisions[-1]
    assert (current.number, current.origin, current.source) == (3, Origin.UNDO, 1)
    assert world.status == "complete"
    assert world.record.revisions[1].result == "complete"
    assert world.targets()["large-0"].variant == variant(1, 300)
    for _ in range(5):
        world.turn(10_000.0)
    assert world.plan.status.revision == 3
    assert any(
        one.type == "Following" and (one.status, one.reason) == (False, "Undone")
        for one in world.plan.status.conditions
    )


def test_undo_twice_goes_back_and_forth_between_complete_contents(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    assert world.record.revisions[-1].source == 2
    assert world.targets()["large-0"].variant == variant(2, 300)


def test_a_cohort_that_joined_since_makes_no_other_content(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 3))
    world.finish()
    world.edit(device_timeout_s=700.0)  # the same model again, as revision 3
    world.finish()
    world.fleet = [*world.fleet, *devices_of(LARGE, 3)]
    world.finish()
    assert "is current" in refused(world, Verb.UNDO, to_revision=2)[1]
    world.ask(Verb.UNDO)
    world.finish()
    assert world.record.revisions[-1].source == 1
    assert world.targets()["small-0"].variant == variant(1, 100)


def test_undo_during_a_rollout_supersedes_it_even_while_paused(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.PAUSE)
    world.turn(1.0)
    world.ask(Verb.UNDO)
    world.finish()
    assert world.record.revisions[1].result == "superseded"
    assert (world.plan.status.revision, world.status) == (3, "complete")
    assert not world.on_revision(2)
    assert world.plan.status.paused


def test_undo_to_a_revision_by_number(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.publish()
    world.finish()
    world.ask(Verb.UNDO, to_revision=1)
    world.finish()
    assert world.record.revisions[-1].source == 1


def test_undo_stays_until_a_newer_model_is_ready(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    world.publish()
    world.finish()
    assert world.plan.status.model_revision == 3
    assert world.plan.status.following


def test_undo_takes_what_is_ready_at_that_moment_as_known(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.publish()
    world.finish()
    world.turn(100.0)
    assert world.plan.status.model_revision == 1


def test_a_changed_spec_ends_the_suspension(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    world.edit(device_timeout_s=700.0)
    world.finish()
    assert world.plan.status.model_revision == 2
    assert world.plan.status.following


def test_resume_with_follow_ends_the_suspension(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    world.ask(Verb.RESUME, follow=True)
    world.finish()
    assert (world.plan.status.revision, world.plan.status.model_revision) == (4, 2)
    assert world.plan.status.following


def test_undo_with_nothing_to_return_to_says_so(make: Make) -> None:
    world = make()
    assert refused(world, Verb.UNDO)[0] == "NothingToReturnTo"
    world.finish()
    assert refused(world, Verb.UNDO)[0] == "NothingToReturnTo"


def test_undo_refuses_revisions_that_cannot_come_back(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.finish()
    assert "never complete" in refused(world, Verb.UNDO, to_revision=2)[1]
    assert "is current" in refused(world, Verb.UNDO, to_revision=1)[1]
    with pytest.raises(NotFoundError) as error:
        world.ask(Verb.UNDO, to_revision=17)
    assert error.value.problem.hint == "revisions to return to: 1, 3"


def test_undo_does_not_return_to_a_quarantined_variant(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED, fleet=devices_of(SMALL, 3))
    world.finish()
    world.edit(device_timeout_s=700.0)  # the same model again, as revision 3
    world.turn(1.0)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[-1].source == 1
    world.finish()
    assert "quarantine" in refused(world, Verb.UNDO, to_revision=2)[1]


def test_a_refusal_of_returned_content_is_a_failure_and_no_fall(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.ask(Verb.UNDO)
    world.turn(1.0)
    world.refuse("small-0")
    world.confirm(*(one for one in world.fresh() if one != "small-0"))
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ThresholdUnmet")
    assert world.targets()["small-0"].variant == variant(1, 100)


def test_a_return_comes_back_to_the_step_that_was_proven(make: Make) -> None:
    world = make(fleet=devices_of(LARGE, 3))
    world.turn()
    world.refuse(*world.fresh())
    world.turn(1.0)
    world.finish()
    assert world.targets()["large-0"].variant == variant(1, 200)
    world.publish()
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    assert world.targets()["large-0"].variant == variant(1, 200)


def test_a_return_asks_for_no_soak_and_no_comparison(make: Make) -> None:
    world = a_second_rollout(make)
    forward = world.told(world.fresh()[0]).target
    assert forward.soak_s == 10.0
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert all(one.target.soak_s == 0.0 for one in world.plan.desired)
    assert all(one.target.max_latency_ratio is None for one in world.plan.desired)


def test_a_device_that_is_down_costs_a_return_nothing(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(max_unavailable=share(1)))
    world.finish()
    world.change("small-0", ready=False)
    world.change("small-1", ready=False)
    world.ask(Verb.UNDO)
    world.turn(1.0)
    assert world.fresh() == ["small-0", "small-1"]
    world.find("small-0", "small-1")
    world.finish()
    assert world.status == "complete"


def test_a_cohort_that_joins_a_return_waits_while_paused(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 3))
    world.finish()
    world.ask(Verb.UNDO)
    world.ask(Verb.PAUSE)
    world.fleet = [*world.fleet, *devices_of(LARGE, 3)]
    world.finish()
    assert world.on_revision(3) == {"small-0", "small-1", "small-2"}
    assert world.reason == "Paused"
    world.ask(Verb.RESUME, follow=False)
    world.finish()
    assert len(world.on_revision(3)) == 6
    assert world.status == "complete"
