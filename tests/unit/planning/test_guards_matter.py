"""Breaking any one guard turns a test red: for each, and for each pair of neighbours, which one.

The stories run on a planner from which one guard was left out, or in which two were swapped, and
must fail.
"""

import functools
from collections.abc import Callable, Sequence

import pytest

from shoal.controller.planning import planner
from tests.unit.planning import (
    test_failures,
    test_fleet_changes,
    test_order,
    test_patience,
    test_undo,
    test_verbs,
    test_waves,
)
from tests.unit.planning.worlds import Make, World

Story = Callable[[Make], None]

# The guards in the order of the design: the story that misses each, and the one that notices when
# it changes places with the next.
STORIES: dict[str, tuple[Story, Story | None]] = {
    "deleted": (
        test_order.test_deleted_goes_before_cannot_run,
        test_order.test_deleted_goes_before_cannot_run,
    ),
    "runnable": (
        test_order.test_cannot_run_goes_before_an_undo,
        test_order.test_cannot_run_goes_before_an_undo,
    ),
    "intents": (
        test_undo.test_undo_brings_the_earlier_content_back_and_it_stays,
        test_order.test_an_undo_goes_before_a_newer_model,
    ),
    "superseding": (
        test_waves.test_every_cohort_has_a_canary_and_its_own_variant,
        test_order.test_a_newer_model_goes_before_a_failure,
    ),
    "failing": (
        test_failures.test_a_bad_model_returns_the_canaries_and_reaches_nobody_else,
        test_order.test_a_failure_goes_before_a_pause,
    ),
    "pausing": (
        test_verbs.test_pause_lets_running_devices_finish_and_starts_nothing,
        test_order.test_a_pause_goes_before_the_deadline,
    ),
    "deadlines": (
        test_patience.test_the_progress_deadline_holds_and_progress_ends_the_hold,
        test_order.test_the_deadline_goes_before_the_quorum,
    ),
    "quorums": (
        test_fleet_changes.test_a_lost_canary_misses_the_quorum_and_holds_until_it_is_back,
        test_order.test_the_quorum_goes_before_assigning,
    ),
    "assigning": (
        test_waves.test_the_next_wave_starts_only_when_every_cohort_confirmed,
        test_order.test_assigning_goes_before_the_thresholds,
    ),
    "thresholds": (
        test_failures.test_everyone_finished_but_too_few_confirmed_is_a_hold,
        test_order.test_the_thresholds_go_before_an_inconclusive_gate,
    ),
    "inconclusive": (
        test_patience.test_an_inconclusive_gate_prolongs_the_soak_and_then_holds,
        test_order.test_an_inconclusive_gate_goes_before_an_approval,
    ),
    "approvals": (
        test_waves.test_a_manual_wave_waits_for_promote,
        test_order.test_an_approval_goes_before_the_next_wave,
    ),
    "advancing": (
        test_waves.test_nine_devices_in_three_cohorts_take_waves_of_three_six_and_nine,
        None,
    ),
}


def name_of(guard: planner.Guard) -> str:
    return guard.__module__.rsplit(".", 1)[-1]


def fails(story: Story, guards: Sequence[planner.Guard]) -> bool:
    """Whether the story fails on a planner with these guards."""
    try:
        story(functools.partial(World, guards=tuple(guards)))
    except Exception:  # noqa: BLE001 - a broken planner may fail in any way
        return True
    return False


def test_the_guards_stand_in_the_order_of_the_design() -> None:
    assert [name_of(one) for one in planner.GUARDS] == list(STORIES)


@pytest.mark.parametrize("name", STORIES)
def test_leaving_out_a_guard_turns_its_story_red(name: str) -> None:
    story, _ = STORIES[name]
    assert not fails(story, planner.GUARDS)
    assert fails(story, [one for one in planner.GUARDS if name_of(one) != name])


@pytest.mark.parametrize("name", [name for name, (_, swapped) in STORIES.items() if swapped])
def test_swapping_a_guard_with_the_next_turns_its_story_red(name: str) -> None:
    story = STORIES[name][1]
    assert story is not None
    guards = list(planner.GUARDS)
    place = list(STORIES).index(name)
    guards[place], guards[place + 1] = guards[place + 1], guards[place]
    assert not fails(story, planner.GUARDS)
    assert fails(story, guards)
