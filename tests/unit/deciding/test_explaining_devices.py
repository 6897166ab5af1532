"""Every state that a device can be in has an explanation that says what ends it."""

from collections.abc import Callable

import pytest

from shoal.contract.budget import Budget
from shoal.contract.reason import Reason
from shoal.contract.report import Phase
from shoal.controller.deciding import explaining
from shoal.controller.deciding.explaining import DeviceWhy
from shoal.controller.deciding.ruling import Fate
from shoal.controller.domain.fleet import CohortKey, DeviceView
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.strategy import Action, Scope
from tests.unit.planning.builders import (
    CLASS,
    OTHER_CLASS,
    a_strategy,
    devices_of,
    nine_devices,
    share,
)
from tests.unit.planning.worlds import World

TINY = CohortKey(profile_class=CLASS, budget=Budget(artifact_bytes=10), profile="tiny")
ELSEWHERE = CohortKey(profile_class=OTHER_CLASS, budget=Budget(), profile="elsewhere")


def of(world: World, device: str) -> DeviceWhy:
    snapshot = world.snapshot()
    return explaining.device(snapshot, snapshot, device)


def told() -> tuple[World, str]:
    world = World()
    world.turn()
    return world, world.canaries()["small"]


def in_phase(outcome: Outcome) -> tuple[World, str]:
    world, canary = told()
    world.report(canary, Phase(outcome.value), reason="", message="")
    return world, canary


def soaking() -> tuple[World, str]:
    world, canary = told()
    world.soak(canary)
    return world, canary


def confirmed() -> tuple[World, str]:
    world, canary = told()
    world.confirm(canary)
    return world, canary


def timed_out() -> tuple[World, str]:
    world, canary = told()
    world.now += 10_000
    return world, canary


def unreachable() -> tuple[World, str]:
    world, canary = told()
    world.lose(canary)
    return world, canary


def refused_to_the_end() -> tuple[World, str]:
    world = World(strategy=a_strategy(on_failure=Action.HOLD))
    for _ in range(3):
        world.turn()
        canary = world.canaries()["small"]
        world.refuse(canary)
    return world, canary


def taken_back_with_its_cohort() -> tuple[World, str]:
    world = World(strategy=a_strategy(scope=Scope.COHORT))
    world.turn()
    canary = world.canaries()["small"]
    world.fail(canary, reason="LoadFailed")
    world.turn(1.0)
    return world, canary


def unfit() -> tuple[World, str]:
    world = World(fleet=[*nine_devices(), *devices_of(TINY, 1)])
    world.turn()
    return world, "tiny-0"


IN_STATE: dict[Outcome, Callable[[], tuple[World, str]]] = {
    Outcome.PENDING: told,
    Outcome.FETCHING: lambda: in_phase(Outcome.FETCHING),
    Outcome.PREFLIGHT: lambda: in_phase(Outcome.PREFLIGHT),
    Outcome.SOAKING: soaking,
    Outcome.CONFIRMED: confirmed,
    Outcome.FAILED: lambda: in_phase(Outcome.FAILED),
    Outcome.REFUSED: refused_to_the_end,
    Outcome.TIMED_OUT: timed_out,
    Outcome.UNREACHABLE: unreachable,
    Outcome.NO_FEASIBLE_VARIANT: unfit,
    Outcome.SUPERSEDED: taken_back_with_its_cohort,
}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_device_in_each_state_is_explained(outcome: Outcome) -> None:
    world, name = IN_STATE[outcome]()
    found = of(world, name)
    assert found.outcome == outcome.value
    assert found.state.what
    assert found.state.waits_for or outcome is Outcome.CONFIRMED


def test_a_device_whose_wave_has_not_come_names_its_wave_and_the_one_going_on() -> None:
    world = World()
    world.turn()
    late = next(name for name in ("small-0", "small-1", "small-2") if name not in world.fresh())
    found = of(world, late)
    assert found.wave in {"half", "all"}
    assert f"its turn is in wave {found.wave}; cohort " in found.state.because
    assert "none" not in found.state.because
    assert "canary" in found.state.waits_for


def test_a_device_that_max_unavailable_keeps_back_names_who_uses_it_up() -> None:
    world = World(strategy=a_strategy(max_unavailable=share(10)))
    world.turn()
    (busy,) = world.fresh()
    snapshot = world.snapshot()
    kept_back = [
        name
        for name in (one.name for one in snapshot.devices)
        if explaining.device(snapshot, snapshot, name).state.reason == Reason.MAX_UNAVAILABLE
    ]
    assert len(kept_back) == 2
    assert busy not in kept_back
    assert "unavailable as may be: 1" in of(world, kept_back[0]).state.because


def test_devices_outside_every_cohort_are_explained() -> None:
    silent = DeviceView(name="silent", cohort=None)
    world = World(fleet=[*nine_devices(), silent])
    world.turn()
    assert of(world, "silent").state.reason == "NeverReported"
    world.fleet += devices_of(ELSEWHERE, 1)
    found = of(world, "elsewhere-0").state
    assert (found.reason, "canary" in found.waits_for) == ("ModelNotReady", True)
    world.change("small-1", selected=False)
    assert of(world, "small-1").outcome == "NotSelected"
    world = World(fleet=devices_of(ELSEWHERE, 1))
    world.turn()
    assert of(world, "elsewhere-0").state.reason == "ModelNotReady"


def test_a_device_of_a_revision_that_was_given_up_says_so() -> None:
    world, canary = told()
    world.fail(canary, reason="LoadFailed")
    world.turn(1.0)
    found = of(world, "small-2").state
    assert "revision 1 is failed" in found.because
    assert "retry" in found.waits_for


def test_nothing_that_fits_is_told_by_the_nearest_miss() -> None:
    world, name = unfit()
    found = of(world, name)
    assert found.cohort is not None
    assert found.cohort.why == "artifact is 80 B at best, the limit is 10 B"
    assert {one.fate for one in found.cohort.variants} == {Fate.RULED_OUT}


def test_no_time_runs_out_for_a_device_that_is_away() -> None:
    world, canary = unreachable()
    generation = world.told(canary).generation
    found = of(world, canary).state
    assert found.because == f"it was lost after it was told generation {generation}"
    assert "it is back" in found.waits_for
    (other,) = [one.name for one in world.fleet[:3] if one.name not in world.fresh()][:1]
    world.lose(other)
    world.turn(1.0)
    assert of(world, other).state.because == "it was lost before its turn came"
