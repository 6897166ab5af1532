"""The whole fleet in one process under faults: production planner, passes, store, agent core."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.controller.domain.rollout import Verb
from shoal.lab.simulation import scenarios
from shoal.lab.simulation.actions import (
    Action,
    Ask,
    CrashController,
    CrashDevice,
    CutDevice,
    EditSpec,
    KillEngine,
    Publish,
    Wait,
)
from shoal.lab.simulation.fleet import DEPLOYMENT, Fleet
from shoal.lab.simulation.laws import BrokenLawError
from shoal.lab.simulation.models import Nature
from shoal.lab.simulation.simulation import Simulation
from tests.simulation import regressions

NAMES = tuple(name for name, _ in Fleet().names())
DEVICES = st.integers(min_value=0, max_value=len(NAMES) - 1)
OUTAGES = st.sampled_from([0.5, 5.0, 60.0])
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Wait, st.sampled_from([0.2, 1.0, 3.0, 10.0, 40.0])),
    st.builds(Publish, st.sampled_from(Nature)),
    st.builds(Ask, st.sampled_from(Verb), follow=st.booleans()),
    st.builds(EditSpec, st.sampled_from([1, 3, 5])),
    st.builds(CrashDevice, DEVICES, OUTAGES),
    st.builds(KillEngine, DEVICES),
    st.builds(CutDevice, DEVICES, OUTAGES),
    st.builds(CrashController, OUTAGES),
)


def run(seed: int, actions: tuple[Action, ...] | list[Action]) -> Simulation:
    """Let it all happen, then let the fleet come to rest; the laws are asked on the way."""
    simulation = Simulation(seed)
    simulation.apply(*actions)
    simulation.calm()
    return simulation


def results(simulation: Simulation) -> list[str]:
    return [one.result.value for one in simulation.controller.record().revisions]


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
@given(seed=st.integers(0, 10_000), actions=st.lists(ACTIONS, max_size=12))
def test_the_laws_hold_whatever_happens(seed: int, actions: list[Action]) -> None:
    run(seed, actions)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
@given(seed=st.integers(0, 10_000), actions=st.lists(ACTIONS, max_size=25))
def test_the_laws_hold_in_long_runs(seed: int, actions: list[Action]) -> None:
    run(seed, actions)


@pytest.mark.parametrize("place", range(len(regressions.RUNS)))
def test_a_run_that_once_broke_a_law_keeps_it(place: int) -> None:
    run(*regressions.RUNS[place])


@pytest.mark.parametrize("place", range(len(regressions.TALES)))
def test_a_scenario_that_once_broke_a_law_keeps_it(place: int) -> None:
    name, seed, actions = regressions.TALES[place]
    simulation = scenarios.begin(scenarios.SCENARIOS[name], seed)
    simulation.apply(*actions)
    scenarios.finish(simulation)


def test_a_bad_model_comes_and_goes_and_a_good_one_stays() -> None:
    simulation = run(
        3,
        (
            Wait(60.0),
            Publish(Nature.WRONG),
            Wait(60.0),
            Publish(Nature.GOOD),
            Wait(60.0),
            Ask(Verb.UNDO),
            Wait(60.0),
        ),
    )
    assert results(simulation) == ["complete", "rolled-back", "complete", "complete", "complete"]
    assert simulation.controller.record().revisions[-1].source == 1


def test_a_controller_that_dies_in_a_rollout_finishes_it_when_it_is_back() -> None:
    actions = (Wait(1.0), CrashController(5.0), Wait(2.0), CrashController(0.5), Wait(60.0))
    assert results(run(5, actions)) == ["complete"]


def test_devices_that_lose_power_in_a_rollout_finish_it_when_they_are_back() -> None:
    crashes = [CrashDevice(index, 5.0) for index in range(len(NAMES))]
    assert results(run(6, (Wait(1.0), *crashes, Wait(2.0), *crashes, Wait(90.0)))) == ["complete"]


def test_a_device_that_was_away_comes_back_to_the_current_revision() -> None:
    simulation = run(
        8, (Wait(60.0), CutDevice(1, 200.0), Publish(Nature.GOOD), Wait(300.0), Wait(1.0))
    )
    observed = simulation.devices["small-1"].context.life(DEPLOYMENT)
    assert observed is not None
    assert observed.active is not None
    assert observed.active.assignment.revision == 2


def test_a_fleet_that_was_lost_takes_up_what_was_published_meanwhile() -> None:
    lost = [CutDevice(index, 200.0) for index in range(len(NAMES))]
    simulation = run(4, (Wait(60.0), *lost, Wait(120.0), Publish(Nature.GOOD), Wait(180.0)))
    assert results(simulation) == ["complete", "complete"]


def test_one_seed_is_one_run() -> None:
    actions = (Wait(5.0), CrashDevice(0, 5.0), Publish(Nature.HEAVY), Wait(60.0))
    first, second = run(11, actions), run(11, actions)
    assert first.controller.record() == second.controller.record()
    assert first.timeline.now() == second.timeline.now()
    for name in NAMES:
        assert first.devices[name].disk == second.devices[name].disk


def test_the_laws_see_a_planner_that_tells_everyone_at_once() -> None:
    simulation = Simulation(1)
    simulation.apply(Wait(60.0), Publish(Nature.WRONG), Wait(0.5))
    told = {name: {"revision": 2, "generation": 9, "variant": f"sha256:{name}"} for name in NAMES}
    with pytest.raises(BrokenLawError, match="law 1"):
        simulation.laws.recorded(simulation.controller.record(), told)
