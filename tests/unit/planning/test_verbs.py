from dataclasses import replace

import pytest
from shoal.contract.problem import ConflictError, NotFoundError
from shoal.controller.domain.revisions import Origin
from shoal.controller.domain.rollout import RolloutRecord, Verb
from shoal.controller.domain.strategy import Action, Approval, Scope

from tests.unit.planning.worlds import (
    ACCURACY,
    LARGE,
    NAME,
    RIGHT,
    SMALL,
    THREE_WAVES,
    WRONG,
    Make,
    World,
    a_complete_world,
    a_second_rollout,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)

GATED = a_strategy(gates=(ACCURACY,))


def refused(world: World, verb: Verb, *, to_revision: int | None = None) -> tuple[str, str]:
    with pytest.raises(ConflictError) as error:
        world.ask(verb, to_revision=to_revision)
    assert error.value.problem.hint
    return error.value.problem.reason, error.value.problem.message


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
    assert error.value.problem.hint == "revisions that were complete: 1, 3"


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


def test_abort_is_for_ever_and_returns_the_devices(make: Make) -> None:
    world = a_second_rollout(make)
    canaries = set(world.fresh())
    world.confirm(*canaries)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "aborted"
    assert canaries <= set(world.fresh())
    world.finish()
    assert world.status == "complete"
    assert not world.on_revision(2)
    assert "never complete" in refused(world, Verb.UNDO, to_revision=2)[1]


def test_abort_works_while_paused(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.PAUSE)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "aborted"


def test_abort_of_the_first_rollout_withdraws_what_nobody_runs_yet(make: Make) -> None:
    world = make()
    world.turn()
    first, *others = world.fresh()
    world.confirm(first)
    world.ask(Verb.ABORT)
    plan = world.turn(1.0)
    assert world.status == "aborted"
    assert sorted(plan.withdrawals) == sorted(others)
    assert set(world.targets()) == {first}


def test_an_aborted_revision_never_reaches_a_device_that_slept(make: Make) -> None:
    world = a_second_rollout(make)
    asleep = world.fresh()[0]
    world.lose(asleep)
    world.turn(1.0)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert world.targets()[asleep].variant != variant(2, 100)
    assert world.targets()[asleep].revision == 3


def test_only_what_is_going_on_can_be_aborted_or_promoted(make: Make) -> None:
    world = a_complete_world(make)
    assert refused(world, Verb.ABORT)[0] == "NotInProgress"
    assert refused(world, Verb.PROMOTE)[0] == "NotInProgress"
    empty = World(record=RolloutRecord(deployment=NAME))
    assert "it has none yet" in refused(empty, Verb.ABORT)[1]
    assert refused(empty, Verb.RETRY)[0] == "NotInProgress"


def test_a_return_cannot_be_promoted_nor_a_rollback_aborted(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert "itself a rollback" in refused(world, Verb.ABORT)[1]
    assert "no waves to promote" in refused(world, Verb.PROMOTE)[1]


def test_an_intent_that_no_longer_fits_is_dropped_with_a_warning(make: Make) -> None:
    world = a_second_rollout(make)
    waiting = world.fresh()
    world.ask(Verb.ABORT)
    intent = world.record.intent
    world.turn(1.0)
    assert waiting
    world.finish()
    world.record = replace(world.record, intent=intent)
    world.turn(1.0)
    assert world.record.intent is None
    assert world.events[-1] == "Conflict"
    assert world.plan.status.revision == 3


def test_pause_lets_running_devices_finish_and_starts_nothing(make: Make) -> None:
    world = a_second_rollout(make)
    canaries = world.fresh()
    world.ask(Verb.PAUSE)
    world.ask(Verb.PAUSE)
    world.confirm(*canaries)
    world.turn(1.0)
    assert not world.fresh()
    assert world.reason == "Paused"
    assert world.plan.status.paused
    world.ask(Verb.RESUME)
    world.turn(1.0)
    assert world.fresh()
    world.ask(Verb.RESUME)
    world.finish()
    assert world.status == "complete"


def test_a_rollout_that_begins_while_paused_waits(make: Make) -> None:
    world = a_complete_world(make)
    world.ask(Verb.PAUSE)
    world.publish()
    world.finish()
    assert world.plan.status.revision == 2
    assert not world.on_revision(2)
    assert world.reason == "Paused"


def test_promote_goes_on_from_a_hold(make: Make) -> None:
    strategy = a_strategy(gates=(ACCURACY,), on_failure=Action.HOLD)
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(LARGE, 4))
    world.confirm(*world.fresh(), answers=WRONG)
    world.turn(1.0)
    assert world.status == "held"
    world.ask(Verb.PROMOTE)
    world.turn(1.0)
    assert (world.status, world.plan.status.wave) == ("active", 1)
    world.finish()
    assert world.status == "complete"


def test_promote_waives_the_failures_so_far_and_no_later_ones(make: Make) -> None:
    strategy = a_strategy(on_failure=Action.HOLD, success_threshold_ppm=400_000)
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(LARGE, 4))
    world.fail(*world.fresh())
    world.turn(1.0)
    assert world.reason == "TooManyFailures"
    world.ask(Verb.PROMOTE)
    world.turn(1.0)
    assert world.status == "active"
    world.fail(*world.fresh())
    world.turn(1.0)
    assert world.reason == "TooManyFailures"


def test_promote_skips_the_wait_for_a_slow_device(make: Make) -> None:
    world = a_second_rollout(make)
    slow = world.fresh()[0]
    world.confirm(*world.fresh()[1:])
    world.turn(1.0)
    assert not world.fresh()
    world.ask(Verb.PROMOTE)
    world.finish(but=[slow])
    assert (world.plan.status.wave, world.status) == (2, "complete")
    assert slow in world.on_revision(2)


def test_an_approval_does_not_waive_anything(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves))
    world.finish()
    world.ask(Verb.PROMOTE)
    assert all(one.waived is None for one in world.record.cohorts)


def test_retry_tells_the_failed_devices_again(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(on_failure=Action.HOLD))
    first, *others = world.fresh()
    generation = world.told(first).generation
    world.confirm(*others)
    world.fail(first)
    world.turn(1.0)
    assert world.status == "held"
    world.ask(Verb.RETRY)
    world.turn(1.0)
    assert world.fresh() == [first]
    assert world.told(first).generation == generation + 1
    world.finish()
    assert world.status == "complete"


def test_a_retried_device_keeps_serving_what_it_has_until_its_turn(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), on_failure=Action.HOLD)
    world = a_second_rollout(make, strategy=strategy)
    world.fail(*world.fresh())
    world.turn(1.0)
    world.edit(max_unavailable=share(1))
    world.ask(Verb.RETRY)
    plan = world.turn(1.0)
    assert not plan.withdrawals
    assert len(plan.desired) == 9


def test_retry_starts_a_rolled_back_revision_again(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.finish()
    assert world.record.quarantine
    world.ask(Verb.RETRY)
    assert not world.record.quarantine
    world.turn(1.0)
    assert world.plan.status.revision == 4
    assert world.plan.status.model_revision == 2
    assert len(world.fresh()) == 3  # from the canary on
    world.finish()
    assert world.status == "complete"
    assert world.plan.status.following


def test_retry_starts_a_failed_first_rollout_again(make: Make) -> None:
    world = make(strategy=GATED)
    world.turn()
    world.soak(*world.fresh(), answers=WRONG)
    world.turn(1.0)
    assert world.status == "failed"
    world.ask(Verb.RETRY)
    world.finish()
    assert (world.plan.status.revision, world.status) == (2, "complete")


def test_retry_gives_a_cohort_that_was_taken_back_another_try(make: Make) -> None:
    strategy = a_strategy(gates=(ACCURACY,), scope=Scope.COHORT)
    world = a_second_rollout(make, strategy=strategy)
    world.soak(world.canaries()["small"], answers=WRONG, past=RIGHT)
    world.finish()
    assert world.status == "complete"
    world.ask(Verb.RETRY)
    world.turn(1.0)
    assert len(world.fresh()) == 1
    world.finish()
    assert world.status == "complete"
    assert world.targets()["small-0"].variant == variant(2, 100)


def test_retry_makes_a_device_of_a_new_class_choose_again(make: Make) -> None:
    world = a_complete_world(make)
    world.change("small-0", cohort=LARGE)
    world.turn(1.0)
    assert world.targets()["small-0"].variant == variant(1, 100)
    world.ask(Verb.RETRY)
    world.finish()
    assert world.targets()["small-0"].variant == variant(1, 300)


def test_a_local_rollback_ends_with_a_retry(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.roll_back_locally("small-0")
    world.turn(1.0)
    assert world.status == "held"
    world.ask(Verb.RETRY)
    world.finish()
    assert world.status == "complete"


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


def test_devices_that_keep_an_aborted_first_revision_do_not_block_the_next(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("some", 60), a_wave("all", 100)), max_unavailable=share(34))
    world = make(fleet=devices_of(SMALL, 5), strategy=strategy)
    world.turn()
    while len(world.on_revision(1)) < 3:
        world.confirm(*world.pending())
        world.turn(1.0)
    world.confirm(*world.pending()[:2])
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert len(world.targets()) >= 2
    world.publish()
    world.finish()
    assert world.status == "complete"
