"""Every state of a deployment and of a device has an explanation that says what ends it."""

import ast
import inspect
import itertools
from pathlib import Path

import pytest

from shoal.contract.budget import Budget
from shoal.contract.reason import Reason
from shoal.controller import planning
from shoal.controller.deciding import explaining, ruling, states
from shoal.controller.deciding.explaining import DeploymentWhy
from shoal.controller.deciding.ruling import Fate
from shoal.controller.domain import standing
from shoal.controller.domain.fleet import CohortKey
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.snapshot import Conflict
from shoal.controller.domain.standing import Standing
from shoal.controller.domain.strategy import Action, Approval
from tests.unit.planning.builders import (
    ACCURACY,
    CLASS,
    OTHER_CLASS,
    WRONG,
    a_strategy,
    a_wave,
)
from tests.unit.planning.worlds import World

TINY = CohortKey(profile_class=CLASS, budget=Budget(artifact_bytes=10), profile="tiny")
ELSEWHERE = CohortKey(profile_class=OTHER_CLASS, budget=Budget(), profile="elsewhere")
# Reasons that planning gives in events and refusals of verbs, never as a state.
NEVER_A_STATE = {
    Reason.LOAD_FAILED,
    Reason.CRASHED,
    Reason.BAD_SLOT,
    Reason.LOCAL_ROLLBACK,
    Reason.NOTHING_TO_RETURN_TO,
    Reason.NOT_IN_PROGRESS,
    Reason.NOT_FOUND,
    Reason.VARIANT_FELL,
    Reason.WAVE_COMPLETE,
    Reason.WAVE_SKIPPED,
    Reason.WAVE_STARTED,
    Reason.PINNED,
    Reason.TIMED_OUT,
}


def why(world: World) -> DeploymentWhy:
    snapshot = world.snapshot()
    return explaining.deployment(snapshot, snapshot)


# the tables are complete


@pytest.mark.parametrize("result", [None, *Result])
def test_every_result_has_a_meaning(result: Result | None) -> None:
    assert states.RESULTS[result].what


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_meaning(outcome: Outcome) -> None:
    assert states.OUTCOMES[outcome].what


@pytest.mark.parametrize("approval", list(standing.Approval))
def test_every_standing_of_a_device_has_a_meaning(approval: standing.Approval) -> None:
    for drained, suspended in itertools.product((False, True), repeat=2):
        decided = Standing(approval=approval, drained=drained)
        meant = states.of_device(decided, suspended=suspended)
        assert meant.what
        assert bool(meant.until) is (suspended or not decided.admitted)


def test_every_reason_that_planning_gives_has_a_meaning() -> None:
    given = {
        Reason[node.attr]
        for path in Path(inspect.getfile(planning)).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    }
    assert given - NEVER_A_STATE <= set(states.REASONS)


# deployments


def a_failed_first_rollout() -> World:
    world = World(strategy=a_strategy(gates=(ACCURACY,)))
    world.turn()
    world.soak(*world.canaries().values(), answers=WRONG)
    world.turn(1.0)
    return world


def a_held_rollout() -> World:
    world = World(strategy=a_strategy(on_failure=Action.HOLD, gates=(ACCURACY,)))
    world.turn()
    world.soak(*world.canaries().values(), answers=WRONG)
    world.turn(1.0)
    return world


def an_unapproved_wave() -> World:
    waves = (a_wave("canary", 10), a_wave("all", 100, approval=Approval.MANUAL))
    world = World(strategy=a_strategy(waves=waves))
    world.turn()
    world.confirm(*world.pending())
    world.turn(1.0)
    return world


def test_a_deployment_without_devices_waits_for_one() -> None:
    world = World(fleet=[])
    world.turn()
    state = why(world).state
    assert (state.state, state.reason) == ("none", "NoDevices")
    assert "enrols" in state.waits_for


def test_an_active_rollout_names_the_devices_that_it_waits_for() -> None:
    world = World()
    world.turn()
    state = why(world).state
    assert state.state == "active"
    for name in world.fresh():
        assert name in state.waits_for


def test_a_failed_rollout_says_what_failed() -> None:
    state = why(a_failed_first_rollout()).state
    assert (state.state, state.reason) == ("failed", "GateFailed")
    assert "accuracy" in state.because
    assert "retry" in state.waits_for


def test_a_held_rollout_says_what_ends_the_hold() -> None:
    state = why(a_held_rollout()).state
    assert (state.state, state.reason) == ("held", "GateFailed")
    assert "promote" in state.waits_for


def test_a_wave_without_approval_waits_for_promote() -> None:
    state = why(an_unapproved_wave()).state
    assert (state.reason, state.waits_for) == ("ApprovalMissing", "rollout promote")


def test_a_pause_a_conflict_and_an_end_are_explained() -> None:
    world = World()
    world.turn()
    world.ask(Verb.PAUSE)
    world.turn(1.0)
    assert (why(world).state.reason, why(world).state.waits_for) == ("Paused", "rollout resume")
    world = World(conflict=Conflict(deployment="default/older", devices=("small-0",)))
    world.turn()
    assert "default/older" in why(world).state.because
    world = World()
    world.finish()
    assert (why(world).state.state, why(world).state.waits_for) == ("complete", "")


# variants


def test_every_variant_of_the_archive_has_its_fate() -> None:
    world = World()
    world.turn()
    (small,) = [one for one in why(world).cohorts if one.name == "small"]
    fates = {one.bytes: (one.fate, one.why) for one in small.variants}
    assert fates[100] == (Fate.CHOSEN, "best by accuracy where 3 of 5 variants fit")
    assert fates[90] == (Fate.MAY_FALL_TO, "fall 1 of 2")
    assert fates[300] == (Fate.RULED_OUT, "artifact is 300 B, the limit is 100 B")
    (large,) = [one for one in why(world).cohorts if one.name == "large"]
    fates = {one.bytes: (one.fate, one.why) for one in large.variants}
    assert fates[80] == (Fate.OUTRANKED, "number 5 of 5 by accuracy")


def test_a_variant_that_a_cohort_fell_past_was_refused() -> None:
    world = World()
    world.turn()
    world.refuse(world.canaries()["small"])
    world.turn(1.0)
    (small,) = [one for one in why(world).cohorts if one.name == "small"]
    fates = {one.bytes: one.fate for one in small.variants}
    assert (fates[100], fates[90]) == (Fate.REFUSED, Fate.CHOSEN)
    assert "1 refused" in small.why


def test_an_archive_that_is_gone_leaves_no_rulings() -> None:
    world = World()
    world.turn()
    content = world.record.going.content.cohorts[0]
    assert ruling.rulings(world.record, None, content) == ()
