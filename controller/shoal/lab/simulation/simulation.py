"""The whole fleet under one time and one seed."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shoal.agent.core.lives import Context, State
from shoal.contract.assignment import DesiredState
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.store.memory import MemoryTelemetry
from shoal.lab.simulation import fleet as fleets
from shoal.lab.simulation import resting
from shoal.lab.simulation.actions import Action
from shoal.lab.simulation.controller import Controller, Surroundings
from shoal.lab.simulation.controllers import Controllers
from shoal.lab.simulation.device import Manner, SimulatedDevice
from shoal.lab.simulation.events import happen
from shoal.lab.simulation.fleet import DEPLOYMENT, NAME, RIVAL, Fleet, Place
from shoal.lab.simulation.laws import Laws, Step
from shoal.lab.simulation.models import Library, Nature
from shoal.lab.simulation.network import Network, Weather
from shoal.lab.simulation.orders import Decided, Orders
from shoal.lab.simulation.requests import Requests
from shoal.lab.simulation.storage import SharedStore, now_or_never
from shoal.lab.simulation.timeline import Timeline

DELETED_S = 30.0  # in which a controller without faults takes note of a deletion


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a story takes place; `replicas` controllers, whose passes follow within `pace_s`.

    They keep what they know in memory, or in SQLite at `disk`. With `requests` every device serves
    some all the time, and tells how that goes.
    """

    fleet: Fleet = field(default_factory=Fleet)
    weather: Weather = field(default_factory=Weather)
    manner: Manner = field(default_factory=Manner)
    replicas: int = 1
    pace_s: float = 0.05
    disk: Path | None = None
    requests: bool = False


class Simulation:
    """A fleet in cohorts, one deployment in waves, one gate."""

    def __init__(self, seed: int, setting: Setting | None = None) -> None:
        self.setting = setting or Setting()
        self.seed = seed
        self.rng = random.Random(seed)  # noqa: S311 - a repeatable run, not a secret
        self.timeline = Timeline()
        self.timeline.after_each = self._look
        self.manner = self.setting.manner
        self.variants = Library()
        self.laws = Laws(bad=self.variants.bad, serves_badly=self.variants.serves_badly)
        self.places: dict[str, Place] = {}
        self.orders = Orders(places=self.places)
        self.network = Network(timeline=self.timeline, rng=self.rng, weather=self.setting.weather)
        self.store = SharedStore(self._written, self.setting.disk)
        self.telemetry = MemoryTelemetry()
        self.controllers = Controllers(self._around(), self.setting.replicas)
        self.devices: dict[str, SimulatedDevice] = {}
        self.requests = Requests(self) if self.setting.requests else None
        self.faults = 0
        self.revisions = 0
        self.soak_s = self.setting.fleet.soak_s
        self.generation = 1
        self.deleted = self.rival = False
        self._seen = -1
        self._patience_s = self.setting.fleet.progress_deadline_s / 4
        self._asked_s = 0.0
        self._began_s = self.timeline.now()
        self.controllers.boot()
        self._write_resources()
        for device in self.devices.values():
            device.boot()

    # the story

    def apply(self, *actions: Action) -> None:
        """Let these things happen, one after the other."""
        for action in actions:
            happen(self, action)
            self.timeline.run(0.0)

    def apply_now(self, action: Action) -> None:
        """Let this happen in the course of time; it may not take any itself."""
        happen(self, action)

    def calm(self) -> None:
        """Stop every fault and wait; observed must become desired, and stay so.

        Raises:
            BrokenLawError: the fleet does not come to rest.
        """
        resting.calm(self)

    # what is there

    @property
    def elapsed_s(self) -> float:
        """Simulated seconds since the beginning."""
        return self.timeline.now() - self._began_s

    @property
    def controller(self) -> Controller:
        """The one that leads."""
        return self.controllers.leader

    def record(self) -> RolloutRecord:
        """The planner's memory, as it is stored."""
        return self.controllers.leader.record()

    def assignments(self) -> dict[str, dict[str, Any]]:
        """What each device is told."""
        return {name: one for name, one in self.store.assigned.items() if one}

    # ports of the devices

    def send_telemetry(self, batch: TelemetryBatch) -> None:
        """Towards the store, which every controller fills."""

        def arrive() -> None:
            now_or_never(self.telemetry.ingest(batch, round(self.timeline.now() * 1000)))

        self.network.send(batch.device, arrive)

    def reaches(self, device: str) -> bool:
        """Whether a device can speak with a controller."""
        return self.network.reaches(device) and self.controllers.open is not None

    def send_report(self, report: DeviceReport) -> None:
        """Towards a controller, whose answer may come back."""

        def arrive() -> None:
            controller = self.controllers.open
            if controller is None:
                return
            controller.report(report)
            if any(one.golden is not None for one in report.deployments):
                device = self.devices[report.device]
                self.network.send(report.device, lambda: device.acknowledged(report))

        self.network.send(report.device, arrive)

    def stepped(self, step: Step) -> None:
        """A device took a step."""
        self.laws.stepped(step)
        if _states(step.before) != _states(step.after):
            self.orders.moved_s = self.timeline.now()

    def reported(self, report: DeviceReport) -> None:
        """A device said this of itself."""
        self.laws.reported(report)

    # what operators write

    def publish(self, nature: Nature) -> None:
        """A model revision of this nature is ready."""
        self.revisions += 1
        data = self.variants.revision(self.revisions, nature)
        self.write("ModelRevision", f"{NAME}.{self.revisions}", data)

    def enrol(self, name: str, size: str) -> SimulatedDevice:
        """A new device of this size."""
        self.devices[name] = SimulatedDevice(name, self)
        if self.requests is not None:
            self.requests.begin(self.devices[name])
        self.put(name, Place(size=size))
        return self.devices[name]

    def put(self, name: str, place: Place) -> None:
        """What operators say of a device now."""
        self.places[name] = place
        self._measure()
        self.write("Device", name, fleets.device(name, place))

    def at_work(self) -> None:
        """Every device may have work, and one deployment gives it to them."""
        for name, place in self.places.items():
            if place.suspended:
                self.put(name, replace(place, suspended=False, drained=False))
        self.controllers.leader.remove("Deployment", RIVAL)
        self.rival = False
        if self.deleted:
            self.timeline.run(DELETED_S)
            self.apply_anew()

    def delete(self) -> None:
        """The operator deletes the deployment; devices are to be rid of it."""
        data = self.controllers.leader.read("Deployment", NAME)
        if data is not None and not self.deleted:
            self.deleted = True
            data["metadata"]["deletionTime"] = "2027-01-01T00:00:00Z"
            self.write("Deployment", NAME, data)

    def apply_anew(self) -> None:
        """The operator applies what was deleted."""
        if self.deleted and self.controllers.leader.read("Deployment", NAME) is None:
            self.deleted = False
            self.generation = 1
            self.laws.deleted()
            self.write_deployment()

    def write_deployment(self) -> None:
        """The deployment as it is wanted now."""
        if not self.deleted:
            data = self.setting.fleet.deployment(self.soak_s, self.generation)
            self.write("Deployment", NAME, data)

    def write(self, kind: str, name: str, data: dict[str, Any]) -> None:
        """An operator's write: it waits for no controller, as the API runs on all of them."""
        self.controllers.leader.write(kind, name, data)

    # inside

    def _around(self) -> Surroundings:
        return Surroundings(
            timeline=self.timeline,
            rng=self.rng,
            store=self.store,
            telemetry=self.telemetry,
            push=self._push,
            heartbeat_s=self.setting.fleet.heartbeat_s,
            pace_s=self.setting.pace_s,
        )

    def _push(self, device: str, state: DesiredState) -> None:
        if device in self.devices:
            self.network.send(device, lambda: self.devices[device].told(state))

    def _written(self) -> None:
        self.controllers.poke()

    def _look(self) -> None:
        """Ask the laws of the controller's side wherever something was decided."""
        if self.store.decided != self._seen:
            self._seen = self.store.decided
            record, told = self.record(), self.assignments()
            self.laws.recorded(record, told)
            self.orders.recorded(self._decided(record, told))
        elif self.timeline.now() - max(self._asked_s, self.orders.moved_s) > self._patience_s:
            self._asked_s = self.timeline.now()
            if self._stuck():
                self.orders.stands_still(self._asked_s, self.record())

    def _stuck(self) -> bool:
        """Whether a device that could move has not come to an end."""
        return any(
            device.up and self.reaches(name) and device.under_way
            for name, device in self.devices.items()
        )

    def _decided(self, record: RolloutRecord, told: dict[str, dict[str, Any]]) -> Decided:
        return Decided(
            now_s=self.timeline.now(),
            record=record,
            told=told,
            said=self._said,
            rival=self.rival,
            deleted=self.deleted and self.controller.read("Deployment", NAME) is None,
            farewell=self.store.farewell,
            late=self.store.late,
        )

    def _said(self, device: str) -> dict[str, Any] | None:
        """What the controllers know that a device said of the deployment."""
        observation = self.controller.read("Observation", device) or {}
        reports = observation.get("report", {}).get("deployments", [])
        return next((one for one in reports if one["deployment"] == DEPLOYMENT), None)

    def _measure(self) -> None:
        """The largest canary there may have been: devices that were told stay so."""
        chosen = [one.size for one in self.places.values() if one.selected]
        for size in fleets.SIZES:
            canary = self.setting.fleet.canary(chosen.count(size), len(chosen))
            self.laws.canaries[size] = max(canary, self.laws.canaries.get(size, 1))

    def _write_resources(self) -> None:
        for name, data in fleets.profiles():
            self.write("DeviceProfile", name, data)
        for name, size in self.setting.fleet.names():
            self.enrol(name, size)
        self.publish(Nature.GOOD)
        self.write_deployment()


def _states(context: Context) -> tuple[State, ...]:
    return tuple(one.state for one in context.lives)
