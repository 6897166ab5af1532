"""Design section 6, points 5 to 10: each test is named after the point that it is a clause of."""

import pytest

from shoal.controller.domain.revisions import Origin
from shoal.controller.domain.rollout import Verb, record_to_json
from shoal.controller.domain.strategy import Action, Amount, OnDeadline, Scope
from shoal.controller.planning import planner
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    RIGHT,
    SMALL,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, a_complete_world, a_second_rollout

ALL = (a_wave("all", 100),)
GATED = a_strategy(gates=(ACCURACY,))


def test_point_5_an_inconclusive_gate_prolongs_the_soak_and_names_what_is_missing(
    make: Make,
) -> None:
    world = a_second_rollout(make, strategy=GATED, fleet=devices_of(SMALL, 1))
    world.confirm("small-0", answers=())
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "GateInconclusive")
    assert world.plan.wake_at is not None
    world.turn(world.plan.wake_at - world.now)
    assert world.status == "held"
    assert "small" in world.plan.status.message


def test_point_5_a_gate_that_fails_decides_at_once(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.soak(world.fresh()[0], answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "GateFailed"


@pytest.mark.parametrize("reason", ["LoadFailed", "Crashed"])
def test_point_5_a_failed_start_is_a_hard_stop_in_a_small_fleet(make: Make, reason: str) -> None:
    world = a_second_rollout(make, strategy=a_strategy(max_failures=share(100)))
    world.fail(world.fresh()[0], reason=reason)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "HardStop"


def test_point_6_a_failing_cohort_returns_alone_or_takes_all_with_it(make: Make) -> None:
    for scope, revisions in ((Scope.COHORT, 2), (Scope.DEPLOYMENT, 3)):
        world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,), scope=scope))
        world.soak(world.canaries()["small"], answers=WRONG, past=RIGHT)
        world.turn(1.0)
        assert len(world.record.revisions) == revisions


def test_point_6_a_rollout_of_which_only_failed_cohorts_are_left_is_not_complete(
    make: Make,
) -> None:
    strategy = a_strategy(scope=Scope.COHORT)
    fleet = [*devices_of(SMALL, 3), *devices_of(LARGE, 3)]
    world = a_second_rollout(make, strategy=strategy, fleet=fleet)
    world.fail(world.canaries()["small"])
    world.turn(1.0)
    for name in ("large-0", "large-1", "large-2"):
        world.change(name, selected=False)
    world.finish()
    assert world.record.revisions[1].result == "rolled-back"
    assert world.record.revisions[1].reason == "CohortReverted"
    assert (world.record.going.source, world.status) == (1, "complete")


def test_point_7_a_rollback_brings_no_quarantined_variant_back(make: Make) -> None:
    """The cohort that failed alone under revision 2 keeps revision 1 when 3 goes back to 2."""
    strategy = a_strategy(scope=Scope.COHORT)
    fleet = [*devices_of(SMALL, 3), *devices_of(LARGE, 3)]
    world = a_second_rollout(make, strategy=strategy, fleet=fleet)
    world.fail(world.canaries()["small"])
    world.finish()
    assert world.plan.status.message == "taken back: cohort small"
    world.publish()
    world.turn(1.0)
    world.fail(*world.fresh())
    world.finish()
    assert (world.record.going.source, world.status) == (2, "complete")
    assert world.targets()["small-0"].variant == variant(1, 100)
    assert world.targets()["large-0"].variant == variant(2, 300)
    assert world.plan.status.message == "taken back: cohort small"


def test_point_7_a_rollback_is_a_new_revision_with_the_old_content(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    first, second, third = world.record.revisions
    assert (third.origin, third.source) == (Origin.ROLLBACK, first.number)
    assert third.content == first.content
    assert second.result == "rolled-back"
    assert {one.digest for one in world.record.quarantine} == {
        variant(2, 100),
        variant(2, 200),
        variant(2, 300),
    }


def test_point_7_an_undo_works_at_any_time_even_while_paused(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.PAUSE)
    world.turn(1.0)
    world.ask(Verb.UNDO)
    world.finish()
    assert world.plan.status.model_revision == 1
    assert world.status == "complete"


def test_point_8_max_unavailable_rounds_down_and_is_at_least_one(make: Make) -> None:
    for percent, at_once in ((25, 2), (1, 1)):
        world = a_complete_world(make, strategy=a_strategy(waves=ALL))
        world.edit(max_unavailable=share(percent))
        world.finish()
        world.publish()
        world.turn(1.0)
        assert len(world.fresh()) == at_once


@pytest.mark.parametrize(
    ("wanted", "result"),
    [
        (OnDeadline.HOLD, "held"),
        (OnDeadline.REPORT, "active"),
        (OnDeadline.ROLLBACK, "rolled-back"),
    ],
)
def test_point_8_the_deadline_runs_from_the_last_progress(
    make: Make, wanted: OnDeadline, result: str
) -> None:
    strategy = a_strategy(progress_deadline_s=60.0, on_deadline=wanted)
    world = a_second_rollout(make, strategy=strategy)
    world.turn(50.0)
    world.confirm(world.fresh()[0] if world.fresh() else min(world.on_revision(2)))
    world.turn(0.0)
    world.turn(59.0)
    assert world.record.revisions[1].result == "active"
    world.turn(2.0)
    assert world.record.revisions[1].result == result


def test_point_8_paused_time_does_not_count_against_the_deadline(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(progress_deadline_s=60.0))
    world.ask(Verb.PAUSE)
    world.turn(1_000.0)
    world.ask(Verb.RESUME)
    world.turn(30.0)
    assert world.status == "active"


def test_point_9_the_same_snapshot_gives_the_same_decision_byte_for_byte(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    snapshot = world.snapshot()
    one, two = planner.plan(snapshot), planner.plan(snapshot)
    assert one == two
    assert record_to_json(one.record) == record_to_json(two.record)


def test_point_9_every_hold_says_in_numbers_what_led_to_it(make: Make) -> None:
    strategy = a_strategy(waves=ALL, max_failures=share(50))
    world = make(fleet=devices_of(SMALL, 10), strategy=strategy)
    world.turn()
    world.fail(*world.fresh()[:2])
    world.confirm(*world.fresh()[2:])
    world.turn(1.0)
    assert world.plan.status.message.startswith(
        "cohort small: 8 of 10 devices confirmed, 90% needed: small-"
    )


def test_point_10_an_abort_is_a_tombstone_and_returns_the_devices(make: Make) -> None:
    world = a_second_rollout(make)
    canaries = world.on_revision(2)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert world.record.revisions[1].result.tombstone
    assert all(world.targets()[one].model_revision == 1 for one in canaries)


def test_point_10_a_pause_lets_running_devices_finish(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.PAUSE)
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert [one.devices for one in world.plan.status.waves[0].counts] == [3]
    assert not world.fresh()


@pytest.mark.parametrize("verb", [Verb.PROMOTE, Verb.RETRY, Verb.ABORT, Verb.UNDO])
def test_point_10_a_hold_ends_by_an_operator(make: Make, verb: Verb) -> None:
    world = a_second_rollout(make, strategy=a_strategy(on_failure=Action.HOLD))
    world.fail(world.fresh()[0])
    world.turn(1.0)
    assert world.status == "held"
    world.ask(verb)
    world.turn(1.0)
    assert world.status == "active"


def test_point_10_new_evidence_ends_a_hold(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 1))
    world.lose("small-0")
    world.turn(1.0)
    assert world.reason == "QuorumMissing"
    world.find("small-0")
    world.turn(1.0)
    assert world.status == "active"


def test_point_10_devices_that_are_down_cost_a_return_no_budget(make: Make) -> None:
    world = a_complete_world(make, strategy=a_strategy(waves=ALL))
    world.publish()
    world.finish()
    world.edit(max_unavailable=Amount(count=1))
    world.finish()
    for one in world.fleet[:4]:
        world.change(one.name, ready=False)
    world.ask(Verb.UNDO)
    world.turn(1.0)
    assert {one.name for one in world.fleet[:4]} <= set(world.fresh())
