"""A plan is what then happens: variants, falls and bytes, with devices that refuse at preflight.

The plan is made from the store of a simulated fleet before the change is applied; then the fleet
runs, and every assignment and every byte is compared.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from shoal.controller.deciding import recording
from shoal.controller.reconcile.foresight import Foresight
from shoal.controller.reconcile.witnesses import Recorder
from shoal.controller.reconcile.world import Cadence, World, at_once
from shoal.controller.store.decisions import MemoryDecisions
from shoal.lab.simulation.actions import CrashDevice, CutDevice, KillEngine, Publish, Wait
from shoal.lab.simulation.fleet import DEPLOYMENT, NAME, Fleet
from shoal.lab.simulation.models import Nature
from shoal.lab.simulation.simulation import Setting, Simulation
from shoal.lab.simulation.storage import NoBlobs, NoJobs

AUTHOR = recording.Author(version="1", code="sha256:c0de")
TOLERANCE = 0.05


def a_fleet(seed: int) -> Simulation:
    """Seven devices that run revision 1, and stay there until they are asked for another."""
    simulation = Simulation(seed, Setting(fleet=Fleet(small=4, large=3)))
    lead_to(simulation, 1)
    simulation.apply(Wait(60.0))
    return simulation


def deployment(simulation: Simulation, revision: int) -> dict[str, Any]:
    data = simulation.setting.fleet.deployment(simulation.soak_s, simulation.generation + 1)
    data["spec"]["model"] = f"{NAME}@{revision}"
    return data


def lead_to(simulation: Simulation, revision: int) -> None:
    """The operator applies the deployment with this revision of the model."""
    data = deployment(simulation, revision)
    simulation.generation += 1
    simulation.write("Deployment", NAME, data)


@dataclass
class Watched:
    """What a fleet did after a plan: the variants told to each device, the bytes it moved."""

    simulation: Simulation
    plan: dict[str, Any]
    told: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)

    def watch(self, seconds: float) -> None:
        self.before = {n: d.disk.moved_bytes for n, d in self.simulation.devices.items()}
        at_first = {name: one["generation"] for name, one in self.simulation.assignments().items()}
        for _ in range(int(seconds * 5)):
            self.simulation.apply(Wait(0.2))
            for name, one in self.simulation.assignments().items():
                seen = self.told.setdefault(name, [])
                if one["generation"] > at_first.get(name, 0) and one["variant"] not in seen:
                    seen.append(one["variant"])

    def check(self) -> None:
        """Every device was told what was planned for it or a fall of it, and moved as much."""
        for planned in self.plan["devices"]:
            name = planned["device"]
            foretold = {planned["variant"], *planned["mayFallTo"]}
            assert set(self.told[name]) <= foretold, name
            disk = self.simulation.devices[name].disk
            moved = disk.moved_bytes - self.before[name]
            expected = sum(planned["bytesByVariant"][one] for one in self.told[name])
            assert moved == pytest.approx(expected, rel=TOLERANCE), (name, self.told[name])


def planned(simulation: Simulation, revision: int) -> dict[str, Any]:
    """What `shoal plan` answers about leading the deployment to this revision."""

    async def ask() -> dict[str, Any]:
        world = World(
            store=simulation.store,
            blobs=NoBlobs(),
            jobs=NoJobs(),
            now=simulation.timeline.now,
            cadence=Cadence(heartbeat_s=5.0, telemetry_window_s=5.0),
        )
        await world.load()
        return await Foresight(world).plan([deployment(simulation, revision)])

    (item,) = asyncio.run(ask())["items"]
    found: dict[str, Any] = item
    return found


def changed(simulation: Simulation, revision: int, seconds: float = 60.0) -> Watched:
    """Plan, apply, let it happen, compare."""
    watched = Watched(simulation, planned(simulation, revision))
    lead_to(simulation, revision)
    watched.watch(seconds)
    watched.check()
    return watched


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("nature", [Nature.GOOD, Nature.HEAVY])
def test_a_rollout_goes_as_planned(seed: int, nature: Nature) -> None:
    simulation = a_fleet(seed)
    simulation.apply(Publish(nature), Wait(5.0))
    watched = changed(simulation, 2)
    assert watched.plan["starts"]
    assert not watched.plan["starved"]
    assert watched.plan["bytesToMove"] == 4 * 100 + 3 * 200
    final = {name: one["variant"] for name, one in simulation.assignments().items()}
    fell = {
        one["device"] for one in watched.plan["devices"] if final[one["device"]] in one["mayFallTo"]
    }
    assert (len(fell) == 7) is (nature is Nature.HEAVY)


@pytest.mark.parametrize("seed", range(2))
def test_a_way_back_moves_nothing_and_the_plan_says_so(seed: int) -> None:
    simulation = a_fleet(seed)
    simulation.apply(Publish(Nature.GOOD), Wait(5.0))
    changed(simulation, 2)
    back = changed(simulation, 1)
    assert back.plan["bytesToMove"] == 0
    assert sum(one.disk.moved_bytes for one in simulation.devices.values()) - sum(
        back.before.values()
    ) == pytest.approx(0)


@pytest.mark.parametrize("seed", range(2))
def test_a_plan_holds_where_devices_crash_and_go_away(seed: int) -> None:
    simulation = a_fleet(seed)
    simulation.apply(Publish(Nature.HEAVY), Wait(5.0))
    watched = Watched(simulation, planned(simulation, 2))
    lead_to(simulation, 2)
    simulation.apply(CrashDevice(seed, 20.0), CutDevice(seed + 3, 30.0), KillEngine(seed + 5))
    watched.watch(120.0)
    for one in watched.plan["devices"]:
        told = set(watched.told[one["device"]])
        assert told <= {one["variant"], *one["mayFallTo"]}


def test_every_decision_of_a_simulated_fleet_replays_byte_for_byte() -> None:
    simulation = Simulation(5, Setting(fleet=Fleet(small=4, large=3)))
    decisions = MemoryDecisions()
    simulation.controllers.leader._world.witness = Recorder(decisions, AUTHOR, at_once)
    natures = (Nature.HEAVY, Nature.WRONG, Nature.GOOD)
    for nature in natures:
        simulation.apply(Wait(60.0), Publish(nature), CutDevice(2, 30.0))
    simulation.apply(Wait(60.0))
    kept = asyncio.run(decisions.decisions(DEPLOYMENT))
    whole = [one for one in kept if one.body is not None]
    assert len(whole) == 20
    for one in whole:
        assert one.body is not None
        replayed = recording.replay(one.facts, one.body)
        assert replayed.same, (one.number, replayed.difference)
