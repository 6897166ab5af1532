"""Design section 6, points 0 to 4: each test is named after the point that it is a clause of."""

from dataclasses import replace

import pytest

from shoal.contract.budget import Budget
from shoal.contract.report import Phase
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Origin, WaveState
from shoal.controller.domain.rollout import Verb
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    MEDIUM,
    OTHER_CLASS,
    RIGHT,
    SMALL,
    WRONG,
    a_model,
    a_strategy,
    a_wave,
    an_archive,
    devices_of,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout

ALL = (a_wave("all", 100),)


def outcome_of(world: World, name: str) -> Outcome:
    """What the counts of the last pass say of the only device that was told revision 2."""
    for one in world.plan.status.waves[0].counts:
        if one.devices:
            return one.outcome
    raise AssertionError(name)


def test_point_0_a_deployment_revision_freezes_spec_model_and_ordered_digests(make: Make) -> None:
    world = make()
    world.turn()
    content = world.record.going.content
    assert (content.generation, content.model, content.model_revision) == (1, "digits", 1)
    small = content.of(SMALL.id)
    assert small is not None
    assert small.variants == (variant(1, 100), variant(1, 90), variant(1, 80))


def test_point_0_following_a_model_and_a_changed_spec_each_start_a_revision(make: Make) -> None:
    world = a_complete_world(make)
    world.publish()
    world.finish()
    world.edit(device_timeout_s=601.0)
    world.finish()
    assert [one.origin for one in world.record.revisions] == [
        Origin.SPEC,
        Origin.MODEL,
        Origin.SPEC,
    ]
    assert [one.content.model_revision for one in world.record.revisions] == [1, 2, 2]


def test_point_0_an_undo_appends_the_newest_other_complete_content(make: Make) -> None:
    world = a_complete_world(make)
    for _ in range(2):
        world.publish()
        world.finish()
    world.ask(Verb.UNDO)
    world.finish()
    last = world.record.revisions[-1]
    assert (last.number, last.origin, last.source) == (4, Origin.UNDO, 2)
    assert not world.plan.status.following


def test_point_0_a_failed_first_rollout_has_nothing_to_return_to(make: Make) -> None:
    world = make(strategy=a_strategy(gates=(ACCURACY,)))
    world.turn()
    world.soak(*world.fresh(), answers=WRONG)
    world.turn(1.0)
    assert (world.status, len(world.record.revisions)) == ("failed", 1)


def test_point_1_the_latest_approved_state_is_told_whatever_was_told_before(make: Make) -> None:
    world = a_complete_world(make, strategy=a_strategy(waves=ALL))
    generations = []
    for _ in range(3):
        world.publish()
        world.turn(1.0)
        generations.append(world.told("small-0").generation)
        assert world.targets()["small-0"].model_revision == len(world.models)
    assert generations == sorted(set(generations))
    assert {one.result for one in world.record.revisions[1:-1]} == {"superseded"}


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        (Phase.PENDING, Outcome.PENDING),
        (Phase.FETCHING, Outcome.FETCHING),
        (Phase.PREFLIGHT, Outcome.PREFLIGHT),
        (Phase.SOAKING, Outcome.SOAKING),
    ],
)
def test_point_2_a_device_has_one_outcome_by_what_it_reports(
    make: Make, phase: Phase, outcome: Outcome
) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 1))
    world.report("small-0", phase)
    world.turn(1.0)
    assert outcome_of(world, "small-0") is outcome


def test_point_2_what_a_device_cannot_show_any_more_is_an_outcome_too(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 2))
    world.lose(*world.fresh())
    world.turn(1.0)
    assert outcome_of(world, "") is Outcome.UNREACHABLE


def test_point_2_reports_of_an_older_generation_move_nothing(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 1))
    world.report("small-0", Phase.REFUSED, generation=1)
    world.turn(1.0)
    assert outcome_of(world, "small-0") is Outcome.PENDING


def test_point_2_no_feasible_variant_counts_neither_as_success_nor_as_failure(make: Make) -> None:
    tiny = replace(SMALL, budget=Budget(artifact_bytes=1), profile="tiny")
    world = make(fleet=[*devices_of(LARGE, 2), *devices_of(tiny, 1)])
    world.finish()
    assert world.status == "complete"
    assert [(one.device, one.outcome) for one in world.plan.status.blocked] == [
        ("tiny-0", Outcome.NO_FEASIBLE_VARIANT)
    ]


def test_point_3_confirmed_means_observed_running_under_that_generation(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 1))
    world.turn()
    tell = world.told("small-0")
    world.report(
        "small-0",
        Phase.CONFIRMED,
        running=tell.target.variant,
        running_generation=tell.generation - 1,
    )
    world.turn(1.0)
    assert world.status == "active"
    world.confirm("small-0")
    world.turn(1.0)
    assert world.status == "complete"


def test_point_3_another_digest_later_revokes_it_and_reopens_the_wave(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 1))
    world.report("small-0", Phase.CONFIRMED, running=variant(9, 9), running_generation=1)
    world.turn(1.0)
    assert world.status == "active"
    assert world.plan.status.waves[-1].state is WaveState.ACTIVE


def test_point_4_sizes_are_cumulative_shares_of_each_cohort_rounded_up(make: Make) -> None:
    world = make(fleet=[*devices_of(SMALL, 3), *devices_of(MEDIUM, 3), *devices_of(LARGE, 3)])
    world.turn()
    assert [one.devices for one in world.plan.status.waves] == [3, 6, 9]


def test_point_4_success_runs_over_the_devices_that_can_be_reached(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 10), strategy=a_strategy(waves=ALL, quorum_ppm=500_000))
    world.turn()
    world.lose(*world.fresh()[:5])
    world.confirm(*[one for one in world.fresh() if not world.device(one).lost])
    world.turn(1.0)
    assert world.status == "complete"


def test_point_4_below_the_quorum_nothing_is_judged(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 10), strategy=a_strategy(waves=ALL, quorum_ppm=600_000))
    world.turn()
    world.lose(*world.fresh()[:5])
    world.confirm(*[one for one in world.fresh() if not world.device(one).lost])
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "QuorumMissing")


def test_point_4_the_wave_advances_when_every_cohort_with_devices_in_it_does(make: Make) -> None:
    world = a_second_rollout(make)
    canaries = world.canaries()
    world.confirm(canaries["small"], canaries["medium"])
    world.turn(1.0)
    assert not world.fresh()
    world.confirm(canaries["large"])
    world.turn(1.0)
    assert len(world.fresh()) == 3


def test_point_4_a_debt_never_goes_through_an_aborted_revision(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 3))
    asleep = next(one.name for one in world.fleet if one.name not in world.fresh())
    world.lose(asleep)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    world.find(asleep)
    world.finish()
    assert world.targets()[asleep].model_revision == 1


def test_point_4_a_cohort_first_seen_later_has_its_own_canary(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 4))
    world.fleet = [*world.fleet, *devices_of(LARGE, 4)]
    world.turn(1.0)
    assert len(world.fresh()) == 1
    world.soak(*world.fresh(), answers=RIGHT)
    world.turn(1.0)
    assert not world.fresh()


def test_point_4_classes_are_cohorts_apart(make: Make) -> None:
    other = replace(SMALL, profile_class=OTHER_CLASS)
    fleet = [*devices_of(SMALL, 4), *(replace(one, cohort=other) for one in devices_of(LARGE, 4))]
    models = (a_model(1, an_archive(1), an_archive(1, OTHER_CLASS)),)
    world = make(fleet=fleet, models=models)
    world.turn()
    assert {one.rsplit("-", 1)[0] for one in world.fresh()} == {"small", "large"}
    assert len(world.fresh()) == 2
