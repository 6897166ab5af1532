"""Weakening any one rule of the planner turns a test red: for each, which one.

Guards are left out and swapped in `test_guards_matter`; here a rule that guards share is replaced
by one that always lets pass, and the story named beside it must fail.
"""

import math
from collections.abc import Callable
from types import ModuleType

import pytest

from shoal.contract import windows
from shoal.controller.domain.fleet import CohortId, CohortKey
from shoal.controller.domain.revisions import Content
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.domain.strategy import Rate
from shoal.controller.planning import (
    budgets,
    freezing,
    observing,
    pacing,
    ranking,
    targets,
    waking,
)
from shoal.controller.planning.guards import runnable
from shoal.controller.planning.view import Member
from tests.unit.planning import (
    test_failures,
    test_label_budgets,
    test_pacing,
    test_promoting,
    test_taking_back,
    test_wave_selectors,
)
from tests.unit.planning.worlds import Make, World

Story = Callable[[Make], None]


def _own_home(content: Content, key: CohortKey) -> CohortId | None:
    """Content without the cohorts of before labels were judged apart."""
    return key.id if content.of(key.id) else None


def _without(fold: Callable[..., object]) -> tuple[object, ...]:
    return tuple(one for one in observing._FOLDS if one is not fold)


# What is weakened, where, to what, and the story that notices.
RULES: dict[str, tuple[ModuleType | type, str, object, Story]] = {
    "windows are asked": (
        windows,
        "is_open",
        lambda *_: True,
        test_pacing.test_outside_the_window_nothing_starts_and_the_rollout_says_when_it_opens,
    ),
    "the window of a device is asked": (
        pacing,
        "withheld",
        lambda *_: None,
        test_pacing.test_a_window_of_a_device_holds_it_alone_back,
    ),
    "a suspended device is told nothing new": (
        pacing,
        "withheld",
        lambda *_: None,
        test_pacing.test_a_suspended_device_is_told_nothing_new_and_blocks_nothing,
    ),
    "a suspended device is a debt": (
        Member,
        "owed",
        property(lambda member: member.device.lost and not member.outcome.finished),
        test_pacing.test_a_suspended_device_is_told_nothing_new_and_blocks_nothing,
    ),
    "canaries may start now": (
        pacing,
        "startable",
        lambda *_: True,
        test_pacing.test_canaries_are_devices_that_may_start_now,
    ),
    "the rate limits": (
        pacing,
        "left",
        lambda _: math.inf,
        test_pacing.test_no_more_devices_than_the_rate_are_told_in_any_minute,
    ),
    "the rate remembers": (
        pacing,
        "counted",
        lambda record, *_: record,
        test_pacing.test_no_more_devices_than_the_rate_are_told_in_any_minute,
    ),
    "the rate grows from its start": (
        Rate,
        "after",
        lambda rate, _: rate.per_minute,
        test_pacing.test_the_rate_grows_with_what_has_confirmed,
    ),
    "time wakes a rollout that waits": (
        waking,
        "_paced",
        lambda _: False,
        test_pacing.test_a_rollout_that_waits_for_the_rate_says_so_and_wakes,
    ),
    "groups have budgets": (
        budgets,
        "groups_of",
        lambda *_: (budgets.EVERYONE,),
        test_label_budgets.test_no_more_devices_of_a_group_are_unavailable_than_its_budget_allows,
    ),
    "devices that are down go first where they starve the others": (
        budgets,
        "starved",
        lambda *_: frozenset(),
        test_label_budgets.test_where_a_group_is_starved_the_canary_is_a_device_that_is_down,
    ),
    "waves ask their selectors": (
        ranking,
        "_may_join",
        lambda *_: True,
        test_wave_selectors.test_a_wave_with_a_selector_takes_the_devices_that_it_picks,
    ),
    "more devices than were meant": (
        runnable,
        "_crowd",
        lambda _: None,
        test_promoting.test_more_devices_than_were_meant_start_nothing,
    ),
    "cohorts are few": (
        freezing,
        "_too_many",
        lambda _: None,
        test_label_budgets.test_a_label_that_makes_too_many_cohorts_starts_nothing,
    ),
    "content from before labels is home": (
        Content,
        "home",
        _own_home,
        test_label_budgets.test_a_device_stays_at_home_when_labels_begin_to_be_judged_apart,
    ),
    "a retry is for what failed": (
        observing,
        "_FOLDS",
        _without(observing._retries),
        test_promoting.test_a_retry_leaves_devices_alone_that_have_not_failed,
    ),
    "the quarantine holds": (
        RolloutRecord,
        "set_aside",
        property(lambda _: frozenset()),
        test_failures.test_a_failed_digest_is_quarantined_in_its_cohort_until_the_retry,
    ),
    "what was never proven is taken back": (
        targets,
        "stale",
        lambda *_: False,
        test_taking_back.test_a_superseded_unproven_variant_is_taken_back_from_a_lost_canary,
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_weakening_a_rule_turns_its_story_red(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    where, what, weakened, story = RULES[name]
    story(World)
    monkeypatch.setattr(where, what, weakened)
    try:
        story(World)
    except Exception:  # noqa: BLE001 - a broken planner may fail in any way
        return
    pytest.fail(f"nothing noticed that this does not hold any more: {name}")
