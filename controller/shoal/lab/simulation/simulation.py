"""The whole fleet under one clock and one seed."""

import random
from typing import Any

from shoal.agent.core import effects as ef
from shoal.agent.core import events as ev
from shoal.agent.core.lives import Context
from shoal.contract.assignment import DesiredState
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport, Phase
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import Verb
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
from shoal.lab.simulation.controller import DEPLOYMENT, Controller
from shoal.lab.simulation.device import SimulatedDevice
from shoal.lab.simulation.laws import BrokenLawError, Laws
from shoal.lab.simulation.models import Library, Nature
from shoal.lab.simulation.network import Network
from shoal.lab.simulation.timeline import Timeline

NAMES = ("small-0", "small-1", "small-2", "large-0", "large-1")
# With every device there and every answer in, only what devices did may still hold a rollout.
SETTLED = {Reason.THRESHOLD_UNMET, Reason.TOO_MANY_FAILURES, Reason.HARD_STOP}
REST_S = 900.0  # how long a fleet without faults may take to come to rest


class Simulation:
    """Five devices in two cohorts, one deployment in three waves, one gate."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.timeline = Timeline()
        self.timeline.after_each = self._look
        self.variants = Library()
        self.laws = Laws()
        self.network = Network(timeline=self.timeline, rng=self.rng)
        self.controller = Controller(self.timeline, self.rng, self._push)
        self.devices = {name: SimulatedDevice(name, self) for name in NAMES}
        self._revisions = 0
        self._soak_s = 3
        self._generation = 1
        self._seen = -1
        self._write_resources()
        self.controller.boot()
        for device in self.devices.values():
            device.boot()

    # the story

    def apply(self, *actions: Action) -> None:
        """Let these things happen, one after the other."""
        for action in actions:
            self._apply(action)
            self.timeline.run(0.0)

    def calm(self) -> None:
        """Stop every fault and wait; observed must become desired, and stay so.

        Raises:
            BrokenLawError: the fleet does not come to rest.
        """
        self.network.loss = self.network.repeats = 0.0
        self.network.cut.clear()
        self.timeline.run(120.0)  # crashed ones come back by themselves
        if self.controller.record().paused_at is not None:
            self.apply(Ask(Verb.RESUME))
        for _ in range(int(REST_S / 10)):
            self.timeline.run(10.0)
            if not self.restless():
                return
        raise BrokenLawError(f"law 5: {self.restless()}")

    def restless(self) -> list[str]:
        """What has not come to an end: the rollout, and devices that are not as they are told."""
        problems = [
            f"{name}: {problem}"
            for name, device in self.devices.items()
            if (problem := self._problem(device))
        ]
        record = self.controller.record()
        current = record.current
        if current is None or current.result is Result.ACTIVE or record.intent is not None:
            problems.append(f"the rollout goes on: {current and current.reason} {record.waiting}")
        elif current.result is Result.HELD and current.reason not in SETTLED:
            problems.append(f"the rollout is held: {current.reason}: {current.message}")
        if record.taken.generation != self._generation:
            problems.append(f"generation {self._generation} of the spec was not taken up")
        if not record.suspended and record.taken.model_revision != self._revisions:
            problems.append(f"model revision {self._revisions} was not taken up")
        return problems

    def _problem(self, device: SimulatedDevice) -> str:
        told = self._assignments().get(device.name)
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
        observation = self.controller.read("Observation", device.name) or {}
        known = [
            one["phase"]
            for one in observation.get("report", {}).get("deployments", [])
            if one["generation"] == told["generation"]
        ]
        return "" if known == [phase.value] else f"is {phase}, but known as {known}"

    # ports of the devices

    def reaches(self, device: str) -> bool:
        return self.network.reaches(device) and self.controller.up

    def send_report(self, report: DeviceReport) -> None:
        def arrive() -> None:
            if self.controller.report(report):
                device = self.devices[report.device]
                self.network.send(report.device, lambda: device.acknowledged(report))

        self.network.send(report.device, arrive)

    def stepped(
        self, device: str, before: Context, event: ev.Event, effects: tuple[ef.Effect, ...]
    ) -> None:
        del event
        self.laws.stepped(device, before, self.devices[device].context, effects)

    def reported(self, report: DeviceReport) -> None:
        self.laws.reported(report)

    # inside

    def _push(self, device: str, state: DesiredState) -> None:
        if device in self.devices:
            self.network.send(device, lambda: self.devices[device].told(state))

    def _look(self) -> None:
        """Ask the laws of the controller's side wherever its store changed."""
        version = self.controller.version()
        if version != self._seen:
            self._seen = version
            self.laws.recorded(self.controller.record(), self._assignments())

    def _assignments(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name in NAMES:
            data = self.controller.read("Assignment", name) or {"deployments": {}}
            if DEPLOYMENT in data["deployments"]:
                found[name] = data["deployments"][DEPLOYMENT]
        return found

    def _apply(self, action: Action) -> None:
        match action:
            case Wait():
                self.timeline.run(action.seconds)
            case Publish():
                self._publish(action.nature)
            case Ask():
                self.controller.ask(action.verb, follow=action.follow)
            case EditSpec():
                self._soak_s = action.soak_s
                self._generation += 1
                self._write_deployment()
            case CrashDevice():
                self._crash(self._pick(action.index), action.seconds)
            case KillEngine():
                self._pick(action.index).kill_engine()
            case CutDevice():
                name = self._pick(action.index).name
                self.network.cut.add(name)
                self.timeline.later(action.seconds, lambda: self.network.cut.discard(name))
            case CrashController():
                self._crash_controller(action.seconds)

    def _pick(self, index: int) -> SimulatedDevice:
        return self.devices[NAMES[index % len(NAMES)]]

    def _crash(self, device: SimulatedDevice, seconds: float) -> None:
        if device.up:
            device.crash()
            self.timeline.later(seconds, device.boot)

    def _crash_controller(self, seconds: float) -> None:
        if self.controller.up:
            self.controller.crash()
            self.timeline.later(seconds, self.controller.boot)

    def _publish(self, nature: Nature) -> None:
        self._revisions += 1
        data = self.variants.revision(self._revisions, nature)
        self.controller.write("ModelRevision", f"digits.{self._revisions}", data)

    def _write_resources(self) -> None:
        for name in NAMES:
            size = name.split("-")[0]
            self.controller.write("Device", name, _resource("Device", name, {}, {"size": size}))
        for size, artifact in (("small", "100B"), ("large", "200B")):
            spec = {"selector": {"matchLabels": {"size": size}}, "budget": {"artifact": artifact}}
            self.controller.write("DeviceProfile", size, _resource("DeviceProfile", size, spec))
        self._publish(Nature.GOOD)
        self._write_deployment()

    def _write_deployment(self) -> None:
        spec = {"model": "digits", "selector": {}, "strategy": _strategy(self._soak_s)}
        data = _resource("Deployment", "digits", spec)
        data["metadata"]["generation"] = self._generation
        self.controller.write("Deployment", "digits", data)


def _resource(
    kind: str, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": labels or {}, "generation": 1}
    return {"apiVersion": "shoal/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _strategy(soak_s: int) -> dict[str, Any]:
    waves = [
        {"name": name, "size": size, "soak": f"{soak_s}s", "maxSoak": "20s", "approval": "auto"}
        for name, size in (("canary", "10%"), ("half", "50%"), ("all", "100%"))
    ]
    return {
        "waves": waves,
        "successThreshold": "90%",
        "maxFailures": "10%",
        "quorum": "50%",
        "maxUnavailable": "50%",
        "deviceTimeout": "60s",
        "gates": [{"metric": "accuracy", "maxDrop": 0.2}],
        "onFailure": {"action": "rollback", "scope": "deployment"},
        "progressDeadline": "2m",
        "onDeadline": "hold",
    }
