from shoal.contract.report import Phase
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action, Amount, Scope
from tests.unit.planning.builders import LARGE, SMALL, a_strategy, devices_of, variant
from tests.unit.planning.worlds import Make, World, a_second_rollout, refused


def counts(world: World) -> dict[str, int]:
    return {one.outcome.value: one.devices for one in world.plan.status.counts}


def test_a_superseded_canary_is_the_canary_of_the_next_revision(make: Make) -> None:
    world = a_second_rollout(make)
    first = set(world.fresh())
    world.publish()
    world.turn(1.0)
    assert world.record.revisions[1].result == "superseded"
    assert set(world.fresh()) == first
    assert not world.on_revision(2)


def test_a_superseded_unproven_variant_is_taken_back_from_a_lost_canary(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 5))
    asleep = world.fresh()[0]
    world.lose(asleep)
    world.publish()
    world.turn(1.0)
    assert world.targets()[asleep].variant == variant(1, 100)
    assert len(world.on_revision(3)) == 1


def test_a_proven_variant_of_a_superseded_revision_rests_until_its_turn(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 10))
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert world.plan.status.wave == 1
    told = world.on_revision(2)
    world.publish()
    world.turn(1.0)
    assert len(world.on_revision(3)) == 1
    assert world.on_revision(2) | world.on_revision(3) >= told
    assert not world.plan.withdrawals


def test_before_anything_was_complete_a_device_keeps_what_it_runs(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 3))
    world.turn()
    first = world.fresh()[0]
    world.confirm(first)
    runs = world.targets()[first].variant
    world.publish()
    world.turn(1.0)  # revision 2 starts with the device that holds something unproven
    assert world.targets()[first].revision == 2
    world.report(first, Phase.FETCHING)
    world.lose(first)
    world.publish()
    world.turn(1.0)
    assert world.targets()[first].variant == runs
    assert world.targets()[first].revision == 1


def test_what_runs_nowhere_is_withdrawn_where_nothing_was_complete(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 3))
    world.turn()
    first = world.fresh()[0]
    world.lose(first)
    world.publish()
    world.turn(1.0)
    assert first not in world.targets()


def test_a_return_knows_the_cohorts_that_joined_it_later(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 3))
    world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    world.fleet = [*world.fleet, *devices_of(LARGE, 3)]
    world.turn(1.0)
    assert len(world.fresh()) == 1  # never complete before: with a canary of its own
    world.finish()
    assert world.status == "complete"
    world.publish()
    world.turn(1.0)
    large = next(one for one in world.fresh() if "large" in one)
    world.lose(large)
    world.publish()
    world.turn(1.0)
    assert world.targets()[large].variant == variant(1, 300)
    assert world.targets()[large].revision == 3


def test_content_that_was_complete_and_then_aborted_is_not_returned_to(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 3))
    world.finish()
    world.report("small-0", Phase.SOAKING, running=variant(1, 100))
    world.turn(1.0)
    assert "Reopened" in world.events
    world.ask(Verb.ABORT)
    world.finish()
    assert [one.result for one in world.record.revisions] == ["complete", "aborted", "complete"]
    assert refused(world, Verb.UNDO)[0] == "NothingToReturnTo"
    assert refused(world, Verb.UNDO, to_revision=2)[1] == "revision 2 was given up (aborted)"


def test_an_abort_forgets_a_retry(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 3), strategy=a_strategy(on_failure=Action.HOLD))
    world.turn()
    world.fail(*world.fresh())
    world.turn(1.0)
    world.ask(Verb.RETRY)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert not world.targets()
    assert not any(one.again for one in world.record.devices)


def test_a_withdrawal_takes_no_room_from_those_who_wait(make: Make) -> None:
    strategy = a_strategy(max_unavailable=Amount(count=1), scope=Scope.COHORT)
    world = make(fleet=[*devices_of(SMALL, 3), *devices_of(LARGE, 3)], strategy=strategy)
    world.turn()
    (first,) = world.fresh()
    world.fail(first)
    world.turn(1.0)
    assert world.plan.withdrawals == (first,)
    (second,) = world.fresh()
    assert second.split("-")[0] != first.split("-")[0]


def test_what_is_kept_is_not_taken_for_a_canary_that_soaked(make: Make) -> None:
    """The model of revision 1 comes again as revision 3, and a device runs it already."""
    world = make(fleet=devices_of(SMALL, 3))
    world.turn()
    (first,) = world.fresh()
    world.confirm(first)
    world.publish()
    world.turn(1.0)
    world.report(first, Phase.FETCHING)
    world.ask(Verb.PAUSE)
    world.pinned = 1
    world.edit()
    world.turn(1.0)
    assert world.plan.status.revision == 3
    assert world.targets()[first].revision == 1
    world.ask(Verb.RESUME)
    world.turn(1.0)
    assert world.on_revision(3) == {first}
    assert world.targets()[first].soak_s == 10.0
