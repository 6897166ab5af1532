"""The way of an assignment, from the survey to its confirmation."""

from dataclasses import replace

import pytest

from shoal.agent.core import events as ev
from shoal.agent.core import installs
from shoal.agent.core.effects import (
    Fetch,
    Observe,
    Survey,
)
from shoal.agent.core.lives import State
from shoal.contract import jsonform
from shoal.contract.assignment import Artifact, ArtifactRole
from shoal.contract.reason import Reason
from tests.unit.agent_core.asking import only, states, until
from tests.unit.agent_core.builders import an_assignment, blob
from tests.unit.agent_core.world import World


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


def test_the_running_digest_with_another_file_beside_it_is_switched_to(serving: World) -> None:
    labels = Artifact(
        role=ArtifactRole.ASSET, name="labels.txt", digest=blob("labels"), size_bytes=10
    )
    changed = an_assignment("a", generation=2)
    serving.assign(replace(changed, artifacts=(*changed.artifacts, labels)))
    serving.settle()
    assert states(serving) is State.CONFIRMED
    life = serving.life()
    assert life.active is not None
    assert life.active.loaded_as == 2
    assert blob("labels") in serving.disk


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
