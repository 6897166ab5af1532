"""The whole fleet under one time and one seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shoal.contract.assignment import DesiredState
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport, Phase
from shoal.contract.telemetry import TelemetryBatch
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import RolloutRecord, Verb
from shoal.controller.store.memory import MemoryTelemetry
from shoal.lab.simulation import fleet as fleets
from shoal.lab.simulation.actions import Action, Ask
from shoal.lab.simulation.controller import Controller, Surroundings
from shoal.lab.simulation.controllers import Controllers
from shoal.lab.simulation.device import Manner, SimulatedDevice
from shoal.lab.simulation.events import happen
from shoal.lab.simulation.fleet import DEPLOYMENT, NAME, Fleet
from shoal.lab.simulation.laws import BrokenLawError, Laws, Step
from shoal.lab.simulation.models import Library, Nature
from shoal.lab.simulation.network import CALM, Network, Weather
from shoal.lab.simulation.storage import SharedStore, now_or_never
from shoal.lab.simulation.timeline import Timeline

# With every device there and every answer in, only what devices did may still hold a rollout.
SETTLED = {Reason.THRESHOLD_UNMET, Reason.TOO_MANY_FAILURES, Reason.HARD_STOP}
REST_S = 900.0  # how long a fleet without faults may take to come to rest
LOOK_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a story takes place; `replicas` controllers, whose passes follow within `pace_s`."""

    fleet: Fleet = field(default_factory=Fleet)
    weather: Weather = field(default_factory=Weather)
    manner: Manner = field(default_factory=Manner)
    replicas: int = 1
    pace_s: float = 0.05


class Simulation:
    """A fleet in cohorts, one deployment in waves, one gate."""

    def __init__(self, seed: int, setting: Setting | None = None) -> None:
        self.setting = setting or Setting()
        self.rng = random.Random(seed)  # noqa: S311 - a repeatable run, not a secret
        self.timeline = Timeline()
        self.timeline.after_each = self._look
        self.manner = self.setting.manner
        self.variants = Library()
        self.laws = Laws(bad=self.variants.bad)
        self.network = Network(timeline=self.timeline, rng=self.rng, weather=self.setting.weather)
        self.store = SharedStore(self._written)
        self.telemetry = MemoryTelemetry()
        self.controllers = Controllers(self._around(), self.setting.replicas)
        self.devices: dict[str, SimulatedDevice] = {}
        self.labels: dict[str, tuple[str, bool]] = {}
        self.faults = 0
        self.revisions = 0
        self.soak_s = self.setting.fleet.soak_s
        self.generation = 1
        self._seen = -1
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
        self.network.weather = CALM
        self.network.cut.clear()
        self.controllers.calm()
        for device in self.devices.values():
            device.clock.ahead_s = 0.0
            if not device.up:
                device.boot()
        if self.record().paused_at is not None:
            self.apply(Ask(Verb.RESUME))
        rest_s = max(REST_S, 20 * self.manner.heartbeat_s)
        for _ in range(int(rest_s / LOOK_S)):
            self.timeline.run(LOOK_S)
            waiting = self.record().waiting
            if waiting is not None and waiting.reason == Reason.APPROVAL_MISSING:
                self.apply(Ask(Verb.PROMOTE))
            if not self.restless():
                return
        raise BrokenLawError(f"law 5: {self.restless()}")

    def restless(self) -> list[str]:
        """What has not come to an end: the rollout, and devices that are not as they are told."""
        record = self.record()
        problems = list(self._unfinished(record))
        if problems:
            return problems
        told = self.assignments()
        return [
            f"{name}: {problem}"
            for name, device in self.devices.items()
            if (problem := self._problem(device, told.get(name)))
        ]

    def _unfinished(self, record: RolloutRecord) -> Sequence[str]:
        problems = []
        current = record.current
        if current is None or current.result is Result.ACTIVE or record.intent is not None:
            problems.append(f"the rollout goes on: {current and current.reason} {record.waiting}")
        elif current.result is Result.HELD and current.reason not in SETTLED:
            problems.append(f"the rollout is held: {current.reason}: {current.message}")
        if record.taken.generation != self.generation:
            problems.append(f"generation {self.generation} of the spec was not taken up")
        if not record.suspended and record.taken.model_revision != self.revisions:
            problems.append(f"model revision {self.revisions} was not taken up")
        return problems

    def _problem(self, device: SimulatedDevice, told: dict[str, Any] | None) -> str:
        life = device.context.life(DEPLOYMENT)
        if told is None:
            return "" if life is None else f"still has generation {life.newest_generation}"
        if life is None or life.assignment.generation != told["generation"]:
            return f"has not taken up generation {told['generation']}"
        phase = life.state.phase
        if phase is None or not phase.terminal:
            return f"is {life.state}"
        serving = device.engine.serving.get(DEPLOYMENT)
        if phase is Phase.CONFIRMED and serving != told["variant"]:
            return f"confirmed {told['variant']} and serves {serving}"
        observation = self.controllers.leader.read("Observation", device.name) or {}
        known = [
            one["phase"]
            for one in observation.get("report", {}).get("deployments", [])
            if one["generation"] == told["generation"]
        ]
        return "" if known == [phase.value] else f"is {phase}, but known as {known}"

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
        self.relabel(name, size, selected=True)
        return self.devices[name]

    def relabel(self, name: str, size: str, *, selected: bool) -> None:
        """The labels that an operator gives a device."""
        self.labels[name] = (size, selected)
        self._measure()
        self.write("Device", name, fleets.device(name, size, selected=selected))

    def write_deployment(self) -> None:
        """The deployment as it is wanted now."""
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
            self.laws.recorded(self.record(), self.assignments())

    def _measure(self) -> None:
        """The largest canary there may have been: devices that were told stay so."""
        chosen = [size for size, selected in self.labels.values() if selected]
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
