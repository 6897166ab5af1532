"""`promote --full`, and who asked for what."""

from dataclasses import replace

import pytest

from shoal.contract.problem import ConflictError
from shoal.controller.domain.revisions import WaveState
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action, Approval
from shoal.controller.planning import verbs
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    RIGHT,
    SMALL,
    THREE_WAVES,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout


def promote_fully(world: World) -> None:
    request = verbs.Request(verb=Verb.PROMOTE, full=True, by="ana")
    world.record = verbs.apply(world.record, request, world.now)


def states(world: World) -> list[WaveState]:
    return [one.state for one in world.plan.status.waves]


def test_a_full_promote_opens_the_last_wave_at_once(make: Make) -> None:
    world = a_second_rollout(make)
    promote_fully(world)
    world.turn(1.0)
    assert len(world.on_revision(2)) == 9
    assert states(world) == [WaveState.COMPLETE, WaveState.SKIPPED, WaveState.ACTIVE]
    assert any("ana opened the last wave" in one.message for one in world.plan.events)
    world.finish()
    assert world.status == "complete"


def test_a_full_promote_needs_no_approval_of_the_waves_in_between(make: Make) -> None:
    waves = tuple(replace(one, approval=Approval.MANUAL) for one in THREE_WAVES)
    world = make(strategy=a_strategy(waves=waves))
    world.turn()
    assert world.reason == "ApprovalMissing"
    promote_fully(world)
    world.finish()
    assert world.status == "complete"


def test_a_full_promote_keeps_to_max_unavailable(make: Make) -> None:
    world = a_complete_world(make)
    world.edit(max_unavailable=share(25))
    world.finish()
    world.publish()
    world.turn(1.0)
    promote_fully(world)
    world.turn(1.0)
    assert len(world.pending()) == 2


def test_evidence_after_a_full_promote_still_rolls_back(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    promote_fully(world)
    world.turn(1.0)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_a_full_promote_goes_on_from_a_hold(make: Make) -> None:
    strategy = a_strategy(on_failure=Action.HOLD, success_threshold_ppm=500_000)
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(LARGE, 4))
    world.fail(*world.fresh())
    world.turn(1.0)
    assert world.status == "held"
    promote_fully(world)
    world.turn(1.0)
    assert (world.status, world.plan.status.wave) == ("active", 2)
    world.finish()
    assert world.status == "complete"


def test_a_full_promote_in_the_last_wave_waits_for_none_of_its_devices(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 2))
    world.confirm(*world.fresh())
    world.turn(1.0)
    world.confirm(*world.fresh())
    slow = world.fresh()
    world.change(slow[0], report=None)
    world.turn(1.0)
    promote_fully(world)
    assert world.record.intent is None
    world.turn(1.0)
    assert world.status == "complete"


def test_an_approval_given_twice_lets_no_wave_go_on_unproven(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves), fleet=devices_of(SMALL, 4))
    world.turn()
    world.confirm(*world.pending())
    world.turn(1.0)
    assert world.reason == "ApprovalMissing"
    world.ask(Verb.PROMOTE)
    for _ in range(2):  # before the next pass, and after it
        with pytest.raises(ConflictError, match="its devices are under way"):
            world.ask(Verb.PROMOTE)
        world.turn(1.0)
    assert world.status == "active"
    assert len(world.pending()) == 3


def test_a_wave_says_who_promoted_it(make: Make) -> None:
    waves = (*THREE_WAVES[:2], a_wave("all", 100, approval=Approval.MANUAL))
    strategy = a_strategy(waves=waves, on_failure=Action.HOLD, success_threshold_ppm=500_000)
    world = make(strategy=strategy, fleet=devices_of(SMALL, 4))
    world.turn()
    world.fail(*world.pending())
    world.turn(1.0)
    by_ana = verbs.Request(verb=Verb.PROMOTE, by="ana")
    world.record = verbs.apply(world.record, by_ana, world.now)  # past the canary
    world.finish()
    assert world.reason == "ApprovalMissing"
    by_ben = verbs.Request(verb=Verb.PROMOTE, by="ben")
    world.record = verbs.apply(world.record, by_ben, world.now)  # and the approval
    world.finish()
    assert world.status == "complete"
    assert [one.promoted_by for one in world.plan.status.waves] == ["ana", "", "ben"]


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.ABORT])
def test_what_an_operator_did_carries_the_name(make: Make, verb: Verb) -> None:
    world = a_second_rollout(make)
    world.record = verbs.apply(world.record, verbs.Request(verb=verb, by="ana"), world.now)
    world.turn(1.0)
    said = [world.plan.status.message, world.record.revisions[1].message]
    assert any(one.endswith("by ana") for one in said)


def test_an_undo_carries_the_name_of_who_asked(make: Make) -> None:
    world = a_second_rollout(make)
    request = verbs.Request(verb=Verb.UNDO, by="ana")
    world.record = verbs.apply(world.record, request, world.now)
    world.turn(1.0)
    assert world.record.going.by == "ana"


def test_a_quarantine_says_what_failed_and_when_and_who_lifted_it(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    small = world.canaries()["small"]
    world.soak(small, answers=WRONG, past=RIGHT)
    world.turn(1.0)
    (bad,) = world.record.quarantine
    assert (bad.digest, bad.reason, bad.at) == (variant(2, 100), "GateFailed", world.now)
    assert "accuracy" in bad.message
    assert bad.holds
    world.finish()
    request = verbs.Request(verb=Verb.RETRY, by="ana")
    world.record = verbs.apply(world.record, request, world.now)
    (lifted,) = world.record.quarantine
    assert not lifted.holds
    assert (lifted.lifted_by, lifted.lifted_at) == ("ana", world.now)
    assert world.record.going.by == "ana"
    world.turn(1.0)
    world.soak(world.canaries()["small"], answers=WRONG, past=RIGHT)
    world.turn(1.0)
    (again,) = world.record.quarantine
    assert again.holds


def test_a_retry_leaves_devices_alone_that_have_not_failed(make: Make) -> None:
    strategy = a_strategy(on_failure=Action.HOLD)
    world = a_second_rollout(make, strategy=strategy)
    failed, fetching, silent = world.fresh()
    world.fail(failed)
    generations = {one: world.told(one).generation for one in (fetching, silent)}
    world.turn(1.0)
    world.ask(Verb.RETRY)
    world.turn(1.0)
    assert world.fresh() == [failed]
    assert {one: world.told(one).generation for one in (fetching, silent)} == generations


def test_more_devices_than_were_meant_start_nothing(make: Make) -> None:
    world = make(strategy=a_strategy(max_devices=8))
    world.turn()
    assert (world.status, world.reason) == ("", "TooManyDevices")
    assert not world.targets()
    world.fleet = world.fleet[:8]
    world.finish()
    assert world.status == "complete"


def test_a_limit_of_devices_stops_no_rollout_that_has_begun(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(max_devices=9, gates=(ACCURACY,)))
    world.fleet = [*world.fleet, *devices_of(SMALL, 4)[3:]]
    world.soak(*world.on_revision(2), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_devices_that_come_later_join_no_more_than_were_meant(make: Make) -> None:
    world = make(strategy=a_strategy(max_devices=10))
    world.turn()
    world.fleet = [*world.fleet, *devices_of(SMALL, 6)[3:]]
    world.finish()
    assert len(world.targets()) == 10
    assert (world.status, world.reason) == ("active", "TooManyDevices")
    world.fleet = [one for one in world.fleet if one.name in world.targets()]
    world.finish()
    assert world.status == "complete"
    world.fleet = [*world.fleet, *devices_of(LARGE, 6)[3:]]
    world.finish()
    assert len(world.targets()) == 10


def test_a_promote_of_what_waits_for_something_else_says_for_what(make: Make) -> None:
    waves = tuple(replace(one, approval=Approval.MANUAL) for one in THREE_WAVES)
    world = make(strategy=a_strategy(waves=waves))
    world.turn()
    world.ask(Verb.PAUSE)
    world.turn(1.0)
    with pytest.raises(ConflictError, match="paused by an operator") as refusal:
        world.ask(Verb.PROMOTE)
    assert refusal.value.problem.hint == "shoal rollout resume"
    world.ask(Verb.RESUME)
    world.turn(1.0)
    world.ask(Verb.PROMOTE)
