"""What the core does in the situations that people ask about."""

from typing import Any, TypeVar

import pytest
from shoal.agent.core import events as ev
from shoal.agent.core import installs, saved
from shoal.agent.core.effects import (
    Activate,
    Cancel,
    Discard,
    Fetch,
    Load,
    Observe,
    Probe,
    Remove,
    Restore,
    Survey,
)
from shoal.agent.core.lives import State
from shoal.contract import jsonform
from shoal.contract.reason import Reason

from tests.unit.agent_core.world import World, an_assignment, blob

T = TypeVar("T")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serving() -> World:
    """A device on which generation 1, variant a, is confirmed."""
    world = World()
    world.assign(an_assignment("a"))
    world.settle()
    return world


def only(world: World, kind: type[T]) -> T:
    found = [one for one in world.pending if isinstance(one, kind)]
    assert len(found) == 1, world.pending
    return found[0]


def until(world: World, kind: type[T]) -> T:
    """Answer everything well until an effect of this kind is asked for."""
    for _ in range(100):
        for one in world.pending:
            if isinstance(one, kind):
                return one
        world.succeed(world.pending[0])
    raise AssertionError(f"no {kind.__name__}")


def states(world: World) -> State:
    return world.life().state


# --- the straight way ---------------------------------------------------------------------------


def test_an_assignment_goes_from_pending_to_confirmed(world: World) -> None:
    world.assign(an_assignment("a"))
    seen = [states(world)]
    while world.pending:
        world.succeed(world.pending[0])
        if states(world) is not seen[-1]:
            seen.append(states(world))
    assert seen == [
        State.PENDING,
        State.FETCHING,
        State.PREFLIGHT,
        State.LOADING,
        State.SWITCHING,
        State.SOAKING,
        State.CONFIRMED,
    ]


def test_what_is_in_the_blob_store_is_not_fetched_again(world: World) -> None:
    world.disk = {blob("a"), blob("golden"), blob("reference of a")}
    world.assign(an_assignment("a"))
    world.succeed(only(world, Survey))
    assert states(world) is State.PREFLIGHT


def test_the_running_digest_under_a_new_generation_only_soaks(serving: World) -> None:
    serving.assign(an_assignment("a", generation=2))
    serving.succeed(only(serving, Survey))
    assert states(serving) is State.SOAKING
    life = serving.life()
    assert life.active is not None
    assert (life.active.generation, life.active.loaded_as) == (2, 1)
    serving.settle()
    assert states(serving) is State.CONFIRMED
    install = serving.life().install
    assert install.active_answers == install.candidate_answers == (3, 2, 1)


def test_the_slot_before_stays_until_a_newer_one_was_confirmed(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    serving.settle()
    serving.assign(an_assignment("c", generation=3))
    serving.settle()
    life = serving.life()
    assert life.previous is not None
    assert life.previous.variant == blob("b")
    assert blob("a") not in serving.disk
    assert {blob("b"), blob("c")} <= serving.disk


def test_an_unconfirmed_slot_never_becomes_the_one_to_fall_back_to(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Observe)
    serving.assign(an_assignment("c", generation=3))
    serving.settle()
    life = serving.life()
    assert life.previous is not None
    assert life.previous.variant == blob("a")


# --- soak ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_s", "good", "answers", "state"),
    [
        (2.9, 100, None, State.SOAKING),
        (3.0, 29, None, State.SOAKING),
        (3.0, 30, None, State.CONFIRMED),
        (3.0, 0, (1, 2), State.CONFIRMED),
    ],
)
def test_the_soak_ends_as_its_worked_example_says(
    world: World, after_s: float, good: int, answers: tuple[int, ...] | None, state: State
) -> None:
    world.assign(an_assignment("a", soak_s=3.0, golden=answers is not None))
    look = until(world, Observe)
    world.now += after_s
    world.feed(
        ev.Observed(
            deployment=look.deployment, ticket=look.ticket, good=good, errors=0, answers=answers
        )
    )
    assert states(world) is state


def test_a_clock_set_back_does_not_prolong_the_soak(world: World) -> None:
    world.assign(an_assignment("a", soak_s=3.0))
    until(world, Observe)
    world.now -= 1_000_000
    world.settle(limit=10)
    assert states(world) is State.CONFIRMED


def test_golden_answers_are_asked_for_until_they_come(world: World) -> None:
    world.assign(an_assignment("a"))
    world.fail(until(world, Observe), Reason.TIMED_OUT)
    look = only(world, Observe)
    assert look.golden == blob("golden")
    world.succeed(look)
    assert only(world, Observe).golden is None


# --- fetch --------------------------------------------------------------------------------------


def test_nothing_is_fetched_that_does_not_fit(world: World) -> None:
    world.free_bytes = installs.DISK_RESERVE_BYTES + 2_999
    world.assign(an_assignment("a"))
    world.succeed(only(world, Survey))
    assert states(world) is State.FAILED
    assert world.life().install.reason == Reason.DISK_FULL
    world.free_bytes += 1
    world.assign(an_assignment("a", generation=2))
    world.succeed(only(world, Survey))
    assert states(world) is State.FETCHING


def test_a_broken_link_is_tried_for_ever_with_growing_pauses(world: World) -> None:
    world.assign(an_assignment("a"))
    pauses = []
    for _ in range(9):
        fetch = until(world, Fetch)
        pauses.append(fetch.after_s)
        world.fail(fetch, Reason.UNREACHABLE)
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    world.settle()
    assert states(world) is State.CONFIRMED


def test_progress_shortens_the_next_pause(world: World) -> None:
    world.assign(an_assignment("a"))
    for _ in range(5):
        world.fail(until(world, Fetch), Reason.UNREACHABLE)
    fetch = only(world, Fetch)
    world.pending.remove(fetch)
    world.feed(
        ev.FetchFailed(
            deployment=fetch.deployment,
            ticket=fetch.ticket,
            reason=Reason.UNREACHABLE,
            message="cut",
            received_bytes=10,
        )
    )
    assert only(world, Fetch).after_s == installs.BACKOFF_FIRST_S


@pytest.mark.parametrize("reason", [Reason.DIGEST_MISMATCH, Reason.NOT_FOUND])
def test_wrong_bytes_fail_after_three_tries(world: World, reason: Reason) -> None:
    world.assign(an_assignment("a"))
    for _ in range(installs.FETCH_STRIKES):
        world.fail(until(world, Fetch), reason)
    assert states(world) is State.FAILED
    assert world.life().install.reason == reason


def test_an_assignment_without_its_model_file_fails_at_once(world: World) -> None:
    assignment = an_assignment("a")
    broken = jsonform.from_json(
        type(assignment), {**jsonform.to_json(assignment), "variant": blob("other")}
    )
    world.assign(broken)
    assert states(world) is State.FAILED
    assert world.life().install.reason == Reason.INVALID


# --- prove and switch ---------------------------------------------------------------------------


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
    serving.assign(an_assignment("b", generation=3))
    assert states(serving) is State.REFUSED
    assert serving.life().install.reason == Reason.BAD_SLOT
    assert serving.engine == {"default/digits": 1}


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


def until_without_restore(world: World) -> Load:
    for _ in range(10):
        rest = [one for one in world.pending if not isinstance(one, Restore)]
        if isinstance(rest[0], Load):
            return rest[0]
        world.succeed(rest[0])
    raise AssertionError("no Load")


# --- superseded and removed ---------------------------------------------------------------------


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


# --- crash loops --------------------------------------------------------------------------------


def die(world: World, *after_s: float) -> None:
    for seconds in after_s:
        world.now += seconds
        world.engine_dies()


def test_three_exits_within_a_minute_bring_the_previous_slot_back(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    serving.settle()
    die(serving, 0, 30, 29)
    life = serving.life()
    assert life.state is State.LOCAL_ROLLBACK
    assert life.install.reason == Reason.CRASHED
    serving.settle()
    assert serving.engine == {"default/digits": 1}
    serving.assign(an_assignment("c", generation=3))
    serving.settle()
    assert states(serving) is State.CONFIRMED


def test_exits_further_apart_are_no_loop(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    serving.settle()
    die(serving, 0, 30, 31)
    assert states(serving) is State.CONFIRMED
    assert serving.life().install.restarts == 3


def test_a_loop_before_confirmation_is_a_local_rollback_too(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Observe)
    die(serving, 0, 1, 1)
    assert states(serving) is State.LOCAL_ROLLBACK


def test_a_first_variant_that_loops_is_dropped_as_failed(world: World) -> None:
    world.assign(an_assignment("a"))
    until(world, Observe)
    die(world, 0, 1, 1)
    life = world.life()
    assert life.state is State.FAILED
    assert life.active is None
    world.settle()


def test_a_confirmed_variant_with_nothing_to_fall_to_is_tried_for_ever(serving: World) -> None:
    die(serving, 0, 1, 1)
    assert states(serving) is State.CONFIRMED
    assert only(serving, Restore).after_s == 30.0
    serving.settle()
    assert serving.engine == {"default/digits": 1}
    assert not serving.life().is_bad(blob("a"))


def test_undo_to_the_same_bytes_leaves_nothing_to_fall_to(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Observe)
    serving.assign(an_assignment("a", generation=3))
    serving.settle()
    assert serving.life().fallback is None


def test_a_damaged_blob_is_given_up_at_once(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    serving.settle()
    serving.agent_dies()
    serving.fail(only(serving, Restore), Reason.DIGEST_MISMATCH)
    assert states(serving) is State.LOCAL_ROLLBACK
    serving.settle()
    assert serving.engine == {"default/digits": 1}


def test_a_damaged_only_blob_is_reported_as_nothing_running(serving: World) -> None:
    serving.agent_dies()
    serving.fail(only(serving, Restore), Reason.NOT_FOUND)
    assert states(serving) is State.CONFIRMED  # I7: nothing follows it
    assert serving.life().active is None
    serving.assign(an_assignment("a", generation=2))
    serving.settle()
    assert serving.engine == {"default/digits": 2}


def test_a_loop_while_the_next_one_is_fetched_does_not_stop_the_fetch(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    serving.settle()
    serving.assign(an_assignment("c", generation=3))
    until(serving, Fetch)
    die(serving, 0, 1, 1)
    assert states(serving) is State.FETCHING
    serving.settle()
    assert states(serving) is State.CONFIRMED
    assert serving.engine == {"default/digits": 3}


# --- restarts and strays ------------------------------------------------------------------------


def test_a_restart_serves_before_anything_else(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Fetch)
    serving.agent_dies()
    assert isinstance(serving.pending[0], Restore)
    serving.settle()
    assert states(serving) is State.CONFIRMED


def test_a_soak_begins_again_after_a_restart(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Observe)
    serving.now += 100
    serving.agent_dies()
    assert serving.life().install.soak_start == serving.now
    serving.settle()
    assert states(serving) is State.CONFIRMED


@pytest.mark.parametrize("successor", [None, "c"])
def test_a_restart_in_the_middle_of_a_switch(serving: World, successor: str | None) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Activate)
    if successor is None:
        serving.assign()
    else:
        serving.assign(an_assignment(successor, generation=3))
    serving.agent_dies()
    serving.settle()
    assert serving.engine == ({} if successor is None else {"default/digits": 3})


def test_strays_change_nothing(serving: World) -> None:
    before = serving.context
    for event in (
        ev.Loaded(deployment="default/other", ticket=1),
        ev.Loaded(deployment="default/digits", ticket=999),
        ev.Loaded(deployment="default/digits", ticket=0),
        ev.Restored(deployment="default/other", ticket=1),
        ev.Restored(deployment="default/digits", ticket=999),
        ev.Counted(deployment="default/other", good=1, errors=0),
        ev.Acknowledged(deployment="default/other", generation=1),
        ev.Acknowledged(deployment="default/digits", generation=7),
    ):
        serving.feed(event)
    assert serving.context == before


def test_the_persisted_form_survives_json(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Activate)
    text = jsonform.to_json(serving.durable)
    assert jsonform.from_json(saved.Saved, text) == serving.durable


def test_cancel_and_discard_end_a_load_that_is_not_wanted(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    load = until(serving, Load)
    effects = serving.effects_of(lambda: serving.assign(an_assignment("c", generation=3)))
    assert Cancel(deployment=load.deployment, ticket=load.ticket) in effects
    assert Discard(deployment=load.deployment, generation=2) in effects
