from dataclasses import replace

from shoal.controller.domain.rollout import RolloutRecord, Verb
from shoal.controller.domain.strategy import Action, Approval
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    NAME,
    SMALL,
    THREE_WAVES,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout, refused

GATED = a_strategy(gates=(ACCURACY,))


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


def test_only_a_full_promote_skips_the_wait_for_a_slow_device(make: Make) -> None:
    world = a_second_rollout(make)
    slow = world.fresh()[0]
    world.confirm(*world.fresh()[1:])
    world.turn(1.0)
    assert not world.fresh()
    assert "waits for nobody" in refused(world, Verb.PROMOTE)[1]
    world.ask(Verb.PROMOTE, full=True)
    world.finish(but=[slow])
    assert (world.plan.status.wave, world.status) == (2, "complete")
    assert slow in world.on_revision(2)


def test_an_approval_does_not_waive_anything(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves))
    world.finish()
    world.ask(Verb.PROMOTE)
    assert all(one.waived is None for one in world.record.cohorts)


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
