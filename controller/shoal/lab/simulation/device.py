"""One device: the production agent core on a fake disk, engine and link.

The disk holds what `saved.save` made durable before effects ran, and complete blobs; a crash keeps
both and loses all else. Every effect takes a random time; answers come as events.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shoal.agent.core import effects as ef
from shoal.agent.core import events as ev
from shoal.agent.core import machine, reports, saved
from shoal.agent.core.lives import Context, referenced
from shoal.contract import jsonform
from shoal.contract.assignment import DesiredState
from shoal.contract.report import DeviceReport
from shoal.lab.simulation import bench
from shoal.lab.simulation.bench import Bench, FakeDisk, FakeEngine
from shoal.lab.simulation.fleet import DEPLOYMENT
from shoal.lab.simulation.laws import BrokenLawError, Step
from shoal.lab.simulation.models import HARDWARE, Library
from shoal.lab.simulation.timeline import Clock, Handle, Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a device behaves in time, in seconds.

    A heartbeat, the longest wait between a change and the report of it, and how long the fake disk,
    engine and link take for one effect at most.
    """

    heartbeat_s: float = 5.0
    report_s: float = 0.05
    effect_s: float = 1.0


class Surroundings(Protocol):
    """What a device reaches beyond itself."""

    timeline: Timeline
    rng: random.Random
    variants: Library
    manner: Manner

    def reaches(self, device: str) -> bool:
        """Whether the controller can be reached."""
        ...

    def send_report(self, report: DeviceReport) -> None:
        """Towards the controller; `SimulatedDevice.acknowledged` follows, perhaps."""

    def stepped(self, step: Step) -> None:
        """The core took a step."""

    def reported(self, report: DeviceReport) -> None:
        """The device said this of itself."""


class SimulatedDevice:
    """A device called `name`."""

    def __init__(self, name: str, world: Surroundings) -> None:
        self.name = name
        self.clock = Clock(world.timeline)
        self.disk = FakeDisk()
        self.engine = FakeEngine()
        self.context = Context()
        self.up = False
        self.stalled_until_s = 0.0
        self._world = world
        self._bench = self._new_bench()
        self._boots = 0
        self._sequence = 0
        self._pending: dict[tuple[str, int], tuple[ef.Answered, Handle]] = {}
        self._report_due: Handle | None = None
        self._changed = False
        self._wanted: frozenset[str] = frozenset()

    # life

    def boot(self) -> None:
        """Start from the disk alone."""
        self.up = True
        self._boots += 1
        self._sequence = 0
        self._changed = False
        self.engine = FakeEngine()
        self._bench = self._new_bench()
        effects: tuple[ef.Effect, ...] = ()
        self.context = Context()
        if self.disk.journal is not None:
            now = self.clock.now()
            self.context, effects = saved.resume(_reread(self.disk.journal), now)
            self._write()
        self._run_all(effects)
        self._report_soon()

    def _new_bench(self) -> Bench:
        variants = self._world.variants
        return Bench(device=self.name, disk=self.disk, engine=self.engine, variants=variants)

    def crash(self) -> None:
        """Lose everything but the disk."""
        self.up = False
        for _, handle in self._pending.values():
            handle.cancel()
        self._pending = {}
        if self._report_due is not None:
            self._report_due.cancel()

    def kill_engine(self) -> None:
        """The engine dies; what it was asked fails, and a new process comes up."""
        if not self.up or not self.engine.up:
            return
        self.engine.die()
        for key, (effect, handle) in list(self._pending.items()):
            failed = bench.crashed(effect)
            if failed is not None and key in self._pending:
                handle.cancel()
                del self._pending[key]
                self.feed(failed)
        self.feed(ev.EngineExited(returncode=-9))
        self._later(0.3, self.engine.start)

    @property
    def under_way(self) -> bool:
        """Whether what it was told last has not come to an end."""
        life = self.context.life(DEPLOYMENT)
        phase = None if life is None else life.state.phase
        return phase is not None and not phase.terminal

    # the link

    def told(self, state: DesiredState) -> None:
        """The controller says what to run."""
        if not self.up:
            return
        if state.version >= self.context.desired_version:
            self._wanted = frozenset(one.deployment for one in state.assignments)
        self.feed(ev.Desired(state=state))

    def acknowledged(self, report: DeviceReport) -> None:
        """The controller has stored this report."""
        if not self.up or report.boot_id != self._boot_id():
            return
        for one in report.deployments:
            if one.golden is not None:
                event = ev.Acknowledged(deployment=one.deployment, generation=one.generation)
                self.feed(event)

    # the core

    def feed(self, event: ev.Event) -> None:
        """Take one step, make it durable, and start what follows."""
        before = self.context
        after, effects = machine.step(before, event, self.clock.now())
        self.context = after
        self._write()
        self._world.stepped(
            Step(
                device=self.name,
                before=before,
                after=after,
                effects=effects,
                blobs=frozenset(self.disk.blobs),
                wanted=self._wanted,
            )
        )
        self._run_all(effects)
        if after != before:
            self._report_soon()

    def _write(self) -> None:
        self.disk.journal = saved.save(self.context)

    def _run_all(self, effects: tuple[ef.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case ef.Cancel():
                    _, handle = self._pending.pop((effect.deployment, effect.ticket), (None, None))
                    if handle is not None:
                        handle.cancel()
                case ef.Collect():
                    self.disk.blobs &= referenced(self.context)
                case ef.Discard() | ef.Point():
                    pass
                case _:
                    self._start(effect)

    def _start(self, effect: ef.Answered) -> None:
        rng = self._world.rng
        match effect:
            case ef.Fetch() | ef.Load() | ef.Restore():
                wait = rng.uniform(0, effect.after_s)
            case ef.Observe():
                wait = effect.wait_s
            case _:
                wait = 0.0
        wait = max(wait, self.stalled_until_s - self._world.timeline.now())
        self._plan(effect, wait + rng.uniform(0.01, self._world.manner.effect_s))

    def _plan(self, effect: ef.Answered, seconds: float) -> None:
        key = (effect.deployment, effect.ticket)
        handle = self._later(seconds, lambda: self._finish(effect))
        self._pending[key] = (effect, handle)

    def _finish(self, effect: ef.Answered) -> None:
        asks_engine = isinstance(
            effect, ef.Load | ef.Activate | ef.Restore | ef.Remove | ef.Observe
        )
        if asks_engine and not self.engine.up:
            self._plan(effect, 0.1)  # questions wait for the next process
            return
        del self._pending[effect.deployment, effect.ticket]
        served = effect.deployment in self.engine.serving
        event = self._bench.answer(effect, online=self._world.reaches(self.name))
        if (
            served
            and effect.deployment not in self.engine.serving
            and type(effect) is not ef.Remove
        ):
            raise BrokenLawError(f"law 7: {self.name} serves nothing after {effect}")
        self.feed(event)

    # reports

    def _boot_id(self) -> str:
        return f"{self.name}-{self._boots}"

    def _report_soon(self) -> None:
        """Tell of a change; what changes meanwhile travels with it."""
        if not self._changed:
            self._changed = True
            self._report_in(self._world.manner.report_s)

    def _report_in(self, seconds: float) -> None:
        if self._report_due is not None:
            self._report_due.cancel()
        self._report_due = self._later(seconds, self._report)

    def _report(self) -> None:
        self._changed = False
        self._sequence += 1
        facts = reports.Facts(
            device=self.name, boot_id=self._boot_id(), agent_version="1", hardware=HARDWARE
        )
        report = reports.device_report(
            self.context, facts, sequence=self._sequence, spool_windows=0
        )
        self._world.reported(report)
        self._world.send_report(report)
        self._report_in(self._world.manner.heartbeat_s * self._world.rng.uniform(0.8, 1.0))

    def _later(self, seconds: float, act: Callable[[], None]) -> Handle:
        boot = self._boots

        def in_this_life() -> None:
            if self.up and self._boots == boot:
                act()

        return self._world.timeline.later(seconds, in_this_life)


def _reread(state: saved.Saved) -> saved.Saved:
    """The state as it comes back from a disk."""
    return jsonform.from_json(saved.Saved, json.loads(json.dumps(jsonform.to_json(state))))
