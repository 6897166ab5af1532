"""Scouts: whom they are, what they measure, for how long, and what a choice makes of it."""

from dataclasses import replace

import pytest

from shoal.contract.budget import Budget
from shoal.contract.choice import Objective
from shoal.controller.domain.archive import ClassArchive, Measured
from shoal.controller.planning import freezing, scouting
from shoal.controller.planning.scouting import AT_MOST_S, Scene, Scouting
from tests.unit.planning.builders import a_model, a_point, an_archive, variant
from tests.unit.planning.worlds import Make

A, B, C = (variant(1, size) for size in (100, 200, 300))
SCENE = Scene(
    now=100.0,
    wanted=(A, B),
    idle=("d1", "d2", "d3", "d4"),
    heard=frozenset({"d1", "d2", "d3", "d4"}),
    answers=frozenset(),
)
TIGHT = Budget(latency_p95_ms=5.0)


def an_estimate(**latency: float) -> ClassArchive:
    points = tuple(
        replace(a_point(1, size), latency_p95_ms=latency[name], latency_ratio=1.0, is_source=False)
        for name, size in (("a", 100), ("b", 200), ("c", 300))
    )
    return replace(an_archive(1), points=points, min_score=0.0)


def test_at_most_two_go_and_not_always_the_same() -> None:
    found = scouting.step(None, SCENE)
    assert found is not None
    assert len(found.devices) == 2
    assert found.variants == (A, B)
    assert found.until == 100 + AT_MOST_S
    others = [scouting.step(None, replace(SCENE, wanted=(variant(n, 1),))) for n in range(20)]
    assert len({one.devices for one in others if one}) > 1


@pytest.mark.parametrize("changes", [{"wanted": ()}, {"idle": ()}])
def test_nothing_to_measure_or_nobody_to_go_is_not_waited_for(changes: dict[str, object]) -> None:
    assert scouting.step(None, replace(SCENE, **changes)) is None  # type: ignore[arg-type]


GOING = Scouting(devices=("d1", "d2"), variants=(A, B), until=160.0)
ALL = frozenset((device, one) for device in ("d1", "d2") for one in (A, B))


def test_it_ends_with_the_last_answer_with_the_last_device_or_in_time() -> None:
    assert scouting.step(GOING, SCENE) == GOING
    assert scouting.step(GOING, replace(SCENE, answers=ALL - {("d1", A)})) == GOING
    assert scouting.step(GOING, replace(SCENE, answers=ALL)) is None
    gone = replace(SCENE, heard=frozenset({"d2"}), answers=ALL - {("d1", A)})
    assert scouting.step(GOING, gone) is None
    assert scouting.step(GOING, replace(SCENE, now=159.9)) == GOING
    assert scouting.step(GOING, replace(SCENE, now=160.0)) is None


def test_scouts_go_only_where_a_limit_is_near() -> None:
    archive = an_estimate(a=2.0, b=3.0, c=3.0)
    objective = Objective.BYTES
    assert scouting.leading(archive, [Budget(artifact_bytes=1000)], objective) == ()
    assert scouting.leading(archive, [Budget(latency_p95_ms=100.0)], objective) == ()
    assert scouting.leading(archive, [TIGHT], objective) == (A, B)
    # What misses the limit by the estimate may meet it on a device.
    slow = an_estimate(a=8.0, b=3.0, c=3.0)
    assert scouting.leading(slow, [TIGHT], objective) == (B, C, A)


def test_the_example_of_a_choice_by_evidence() -> None:
    archive = replace(
        an_estimate(a=2.0, b=3.0, c=3.0),
        measured=(
            Measured(digest=A, devices=2, latency_p95_ms=6.0),
            Measured(digest=B, devices=2, latency_p95_ms=4.0),
        ),
    )
    assert [one.digest for one in archive.ranked(TIGHT, Objective.BYTES)] == [B, C]
    assert archive.ranked(TIGHT, Objective.BYTES)[0].latency_p95_ms == 4.0


def test_evidence_bears_only_on_budgets_that_it_was_made_for() -> None:
    archive = replace(an_estimate(a=2.0, b=3.0, c=3.0), measured=(Measured(digest=B, devices=1),))
    free = Budget(artifact_bytes=1000)
    assert [one.digest for one in archive.ranked(free, Objective.BYTES)] == [A, B, C]


def test_what_scouts_refused_is_not_chosen() -> None:
    refused = Measured(digest=A, devices=2, refusal="agreement 0.5 is below 0.99")
    archive = replace(an_estimate(a=2.0, b=3.0, c=3.0), measured=(refused,))
    assert [one.digest for one in archive.ranked(TIGHT, Objective.BYTES)] == [B, C]
    assert archive.refusal(A, TIGHT) == refused.refusal
    assert archive.refusal(A, Budget()) == ""


def test_measured_misses_are_what_is_told_of_a_budget_that_nothing_meets() -> None:
    archive = replace(
        an_estimate(a=2.0, b=2.0, c=2.0),
        measured=tuple(Measured(digest=d, devices=1, latency_p95_ms=9.0) for d in (A, B, C)),
    )
    assert archive.ranked(TIGHT, Objective.BYTES) == ()
    assert archive.nearest(TIGHT)[0].nearest == 9.0


def test_a_rollout_waits_for_scouts_and_says_so(make: Make) -> None:
    world = make(models=(a_model(1, replace(an_archive(1), scouting=True)),))
    world.turn()
    assert world.record.current is None
    said = freezing.content_of(world.snapshot(), world.models[0])
    assert isinstance(said, freezing.NotYet)
    assert "scouts measure" in said.message
    world.models = (a_model(1),)
    world.turn(1.0)
    assert world.record.current is not None
