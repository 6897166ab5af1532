"""Every status that the production passes store for a simulated fleet is documented in full."""

from collections.abc import Sequence

import pytest

from shoal.controller.store.acts import Act
from shoal.controller.store.port import Put, Record, Write
from shoal.lab.simulation import scenarios
from shoal.lab.simulation.actions import Publish, Wait
from shoal.lab.simulation.models import Nature
from shoal.lab.simulation.simulation import Simulation
from tests.simulation.live_traffic import a_simulation, serve
from tests.unit.resources.statuses import check

LATENCY = {"metric": "latency.p95", "maxRatio": 1.5, "minSamples": 60}


class Statuses:
    """Reads along what a simulation stores of its deployment."""

    def __init__(self, simulation: Simulation) -> None:
        self.held: set[str] = set()  # names of fields that held something
        store, commit = simulation.store, simulation.store.commit

        async def read(writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
            for one in writes:
                self._take(one)
            return await commit(writes, act)

        store.commit = read  # type: ignore[method-assign]

    def _take(self, write: Write) -> None:
        if isinstance(write, Put) and write.kind == "Deployment":
            status = write.data.get("status") or {}
            check(write.kind, status)
            self.held |= set(_held(status))


def _held(part: object) -> list[str]:
    if isinstance(part, list):
        return [name for one in part for name in _held(one)]
    if not isinstance(part, dict):
        return []
    below = [name for one in part.values() for name in _held(one)]
    return [*below, *(name for name, one in part.items() if one not in (None, [], {}))]


@pytest.mark.parametrize("name", ["everything", "operators", "comings"])
def test_a_scenario_stores_nothing_that_is_not_documented(name: str) -> None:
    scenario = scenarios.SCENARIOS[name]
    simulation = scenarios.begin(scenario, 7)
    statuses = Statuses(simulation)
    simulation.apply(*scenario.story(7, simulation.setting.fleet))
    scenarios.finish(simulation)
    assert {"revision", "cohorts", "waves", "gates", "conditions"} <= statuses.held


def test_a_revision_that_is_given_up_is_documented() -> None:
    simulation = scenarios.begin(scenarios.SCENARIOS["everything"], 3)
    statuses = Statuses(simulation)
    simulation.apply(Wait(60.0), Publish(Nature.WRONG), Wait(120.0))
    assert {"givenUp", "quarantine"} <= statuses.held


def test_verdicts_on_live_traffic_are_documented() -> None:
    simulation = a_simulation([LATENCY], 24)
    serve(simulation)
    simulation.apply(Wait(240.0))
    statuses = Statuses(simulation)
    simulation.apply(Publish(Nature.GOOD), Wait(500.0))
    assert {"interval", "width", "effects", "path", "scope"} <= statuses.held
