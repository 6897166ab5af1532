"""A run is the same on the production store that writes to a disk as on the one in memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from shoal.controller.store.sqlite import SqliteStore
from shoal.lab.simulation import scenarios
from shoal.lab.simulation.simulation import Setting, Simulation


def played(name: str, seed: int, setting: Setting) -> Simulation:
    scenario = scenarios.SCENARIOS[name]
    simulation = Simulation(seed, setting)
    simulation.apply(*scenario.story(seed, setting.fleet))
    scenarios.finish(simulation)
    return simulation


@pytest.mark.parametrize(("name", "seed"), [("failover", 1), ("owners", 2), ("everything", 3)])
def test_a_run_on_sqlite_is_the_run_in_memory(name: str, seed: int, tmp_path: Path) -> None:
    setting = scenarios.SCENARIOS[name].setting(seed)
    in_memory = played(name, seed, setting)
    on_disk = played(name, seed, replace(setting, disk=tmp_path / "shoal.db"))
    assert isinstance(on_disk.store.kept_in, SqliteStore)
    assert on_disk.record() == in_memory.record()
    assert on_disk.store.assigned == in_memory.store.assigned
    assert on_disk.elapsed_s == in_memory.elapsed_s
    on_disk.store.close()
