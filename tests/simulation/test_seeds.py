"""Two thousand seeds, each of twenty devices and a whole rollout, in every build.

The other tests of this folder choose what happens; here a seed does, in every named scenario. A
failing seed says with which command it is replayed.
"""

import pytest

from shoal.lab.simulation.scenarios import DEVICES, SCENARIOS, run
from shoal.lab.simulation.simulation import Simulation
from shoal.lab.simulation.sweeping import sweep_all

OFTEN = [one for one in SCENARIOS.values() if one.rarely == 1]
SEEDS = range(-(-2_000 // len(OFTEN)))


@pytest.mark.timeout(900)
def test_the_laws_hold_in_two_thousand_seeds() -> None:
    runs, devices, complete = 0, [], []
    broken: list[str] = []
    for swept in sweep_all(SEEDS):
        runs += swept.runs
        broken += swept.broken
        devices.append(swept.fewest_devices)
        complete.append(swept.fewest_complete)
    assert not broken, "\n\n".join(broken)
    assert runs >= 2_000
    assert min(devices) >= DEVICES >= 20
    assert min(complete) >= 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_seed_of_a_scenario_is_one_run(name: str) -> None:
    def told(simulation: Simulation) -> tuple[object, ...]:
        disks = {one.name: one.disk for one in simulation.devices.values()}
        return simulation.record(), simulation.elapsed_s, simulation.network.delivered, disks

    assert told(run(SCENARIOS[name], 1)) == told(run(SCENARIOS[name], 1))


def test_deposed_leaders_come_back_with_what_they_had_decided() -> None:
    controllers = [run(SCENARIOS["failover"], seed).controllers for seed in range(8)]
    assert sum(one.takeovers for one in controllers) >= 4
    assert sum(one.refused for one in controllers) >= 1, "law 6 was never put to the test"
