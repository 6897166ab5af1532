"""What comes back after a crash, and what does not."""

import pytest

from shoal.agent.core import events as ev
from shoal.agent.core import saved
from shoal.agent.core.effects import (
    Activate,
    Cancel,
    Discard,
    Fetch,
    Load,
    Observe,
    Restore,
)
from shoal.agent.core.lives import State
from shoal.contract import jsonform
from shoal.contract.reason import Reason
from tests.unit.agent_core.asking import only, states, until
from tests.unit.agent_core.builders import an_assignment, blob
from tests.unit.agent_core.world import World


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


def test_what_dies_before_the_switch_is_no_restart_of_what_follows(serving: World) -> None:
    serving.assign(an_assignment("b", generation=2))
    until(serving, Fetch)
    die(serving, 0, 40)
    serving.settle()
    assert states(serving) is State.CONFIRMED
    assert serving.life().install.restarts == 0
    die(serving, 40)
    assert serving.life().install.restarts == 1


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
