from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action, Approval, Scope
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    RIGHT,
    WRONG,
    a_strategy,
    a_wave,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, a_complete_world, a_second_rollout, refused

GATED = a_strategy(gates=(ACCURACY,))


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
    assert not any(one.holds for one in world.record.quarantine)
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


def test_retry_is_refused_where_nothing_failed(make: Make) -> None:
    world = a_complete_world(make)
    reason, message = refused(world, Verb.RETRY)
    assert reason == "NotInProgress"
    assert message.startswith("nothing failed in revision 1")


def test_retry_is_refused_while_a_wave_only_waits_for_its_approval(make: Make) -> None:
    waves = (a_wave("canary", 10), a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves))
    world.finish()
    assert world.reason == "ApprovalMissing"
    assert refused(world, Verb.RETRY)[0] == "NotInProgress"


def test_retry_is_refused_once_a_device_of_a_new_class_chose_again(make: Make) -> None:
    world = a_complete_world(make)
    world.change("small-0", cohort=LARGE)
    world.turn(1.0)
    assert list(world.record.strayed) == ["small-0"]
    world.ask(Verb.RETRY)
    world.finish()
    assert not world.record.strayed
    assert refused(world, Verb.RETRY)[0] == "NotInProgress"
