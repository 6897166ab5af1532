"""Candidates that do not start, and assignments that are superseded or gone."""

from typing import Any

import pytest

from shoal.agent.core.effects import (
    Activate,
    Fetch,
    Load,
    Observe,
    Probe,
    Remove,
    Restore,
    Survey,
)
from shoal.agent.core.lives import State
from shoal.contract.reason import Reason
from tests.unit.agent_core.asking import only, states, until, until_without_restore
from tests.unit.agent_core.builders import an_assignment, blob
from tests.unit.agent_core.world import World


def test_a_limit_exceeded_refuses_with_the_numbers(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    serving.fail(until(serving, Probe), Reason.LATENCY_EXCEEDED)
    life = serving.life()
    assert life.state is State.REFUSED
    assert life.install.preflight is not None
    assert life.active is not None
    assert life.active.variant == blob("a")


def test_three_failed_starts_mark_a_digest_bad(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    for _ in range(3):
        serving.fail(until(serving, Load), Reason.LOAD_FAILED)
    assert states(serving) is State.FAILED
    assert serving.life().is_bad(blob("b"))
    assert serving.engine == {"default/digits": 1}


def test_a_bad_digest_may_start_three_times_more_under_a_newer_generation(serving: World) -> None:
    for generation in (2, 3):
        serving.assign(an_assignment("b", generation=generation))
        for _ in range(3):
            assert states(serving) is not State.FAILED
            serving.fail(until(serving, Load), Reason.LOAD_FAILED)
        assert states(serving) is State.FAILED
        serving.assign(an_assignment("b", generation=generation))  # said again, on a reconnect
        assert serving.pending == []
    serving.assign(an_assignment("b", generation=4))
    serving.settle()
    assert states(serving) is State.CONFIRMED
    assert not serving.life().is_bad(blob("b"))


def test_a_crash_loop_may_begin_again_under_a_newer_generation_and_ends_again(
    serving: World,
) -> None:
    for generation in (2, 3):
        serving.assign(an_assignment("b", generation=generation))
        until(serving, Observe)
        for _ in range(3):
            assert states(serving) is State.SOAKING
            serving.engine_dies()
        assert states(serving) is State.LOCAL_ROLLBACK
        serving.settle()
        assert serving.engine == {"default/digits": 1}


def test_a_bad_digest_that_waited_for_a_switch_may_start_again(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    for _ in range(3):
        serving.fail(until(serving, Load), Reason.LOAD_FAILED)
    serving.assign(an_assignment("c", generation=3))
    activate = until(serving, Activate)
    serving.assign(an_assignment("b", generation=4))
    serving.succeed(activate)
    serving.settle()
    assert states(serving) is State.CONFIRMED
    assert serving.engine == {"default/digits": 4}


def test_a_candidate_that_kills_the_engine_is_to_blame_not_what_served(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    for told in (True, False, True):
        load = until(serving, Load)
        if told:
            serving.fail(load, Reason.CRASHED)
        serving.engine_dies()
    assert states(serving) is State.FAILED
    serving.settle()
    life = serving.life()
    assert life.active is not None
    assert life.active.variant == blob("a")
    assert serving.engine == {"default/digits": 1}


def test_a_start_that_kills_the_whole_agent_counts_too(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    for _ in range(3):
        until(serving, Load)
        serving.agent_dies()
    serving.settle()
    assert states(serving) is State.REFUSED
    assert serving.engine == {"default/digits": 1}


def test_a_candidate_waits_for_a_slot_that_is_coming_back(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    probe = until(serving, Probe)
    serving.engine_dies()
    serving.succeed(probe)
    assert not [one for one in serving.pending if isinstance(one, Load)]
    serving.succeed(only(serving, Restore))
    only(serving, Load)


def test_a_slot_that_never_comes_back_does_not_hold_up_its_successor(serving: World) -> None:
    serving.engine_dies()
    for _ in range(3):
        serving.fail(only(serving, Restore), Reason.LOAD_FAILED)
    serving.assign(an_assignment("b", generation=2))
    load = until_without_restore(serving)
    serving.succeed(load)
    serving.succeed(only(serving, Activate))
    assert not [one for one in serving.pending if isinstance(one, Restore)]
    serving.settle()
    assert states(serving) is State.CONFIRMED


@pytest.mark.parametrize("kind", [Survey, Fetch, Probe, Load, Observe])
def test_the_newest_generation_supersedes_at_any_stage(world: World, kind: type[Any]) -> None:
    world.assign(an_assignment("a"))
    old = until(world, kind)
    world.assign(an_assignment("b", generation=2))
    assert old not in world.pending
    assert states(world) is State.PENDING
    world.settle()
    assert world.engine == {"default/digits": 2}


def test_a_moving_pointer_is_waited_for(world: World) -> None:
    world.assign(an_assignment("a"))
    activate = until(world, Activate)
    world.assign(an_assignment("b", generation=2))
    world.assign(an_assignment("c", generation=3))
    assert states(world) is State.SWITCHING
    world.succeed(activate)
    assert states(world) is State.PENDING
    assert world.life().assignment.generation == 3


def test_a_switch_that_fails_gives_way_to_what_waits(world: World) -> None:
    world.assign(an_assignment("a"))
    activate = until(world, Activate)
    world.assign(an_assignment("b", generation=2))
    world.fail(activate, Reason.TIMED_OUT)
    assert states(world) is State.PENDING
    assert world.life().assignment.generation == 2


def test_a_lower_generation_and_an_older_state_are_refused(serving: World) -> None:
    serving.assign(an_assignment("b", generation=1))
    assert states(serving) is State.CONFIRMED
    before = serving.context
    serving.version = 0
    serving.assign(an_assignment("b", generation=9))
    assert serving.context == before


@pytest.mark.parametrize("kind", [Survey, Fetch, Probe, Load, Observe])
def test_what_is_unassigned_leaves_from_any_stage(world: World, kind: type[Any]) -> None:
    world.assign(an_assignment("a"))
    until(world, kind)
    world.assign()
    only(world, Remove)
    world.settle()
    assert world.context.lives == ()
    assert world.disk == set()


def test_a_switch_ends_before_its_deployment_leaves(world: World) -> None:
    world.assign(an_assignment("a"))
    activate = until(world, Activate)
    world.assign()
    world.assign(an_assignment("a"))  # wanted again, under the same generation
    world.assign()
    world.succeed(activate)
    assert states(world) is State.REMOVING
    world.settle()
    assert world.context.lives == ()


def test_a_failed_switch_ends_before_its_deployment_leaves(world: World) -> None:
    world.assign(an_assignment("a"))
    activate = until(world, Activate)
    world.assign()
    world.fail(activate, Reason.TIMED_OUT)
    world.settle()
    assert world.context.lives == ()


def test_a_deployment_that_returns_while_it_leaves_starts_from_nothing(serving: World) -> None:
    serving.assign()
    serving.assign(an_assignment("b", generation=1))
    assert states(serving) is State.REMOVING
    serving.agent_dies()
    serving.settle()
    assert states(serving) is State.CONFIRMED
    assert serving.life().previous is None
