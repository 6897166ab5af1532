"""The production controller without sockets: store, cache, queue, passes, verbs, observations.

A crash forgets everything but the store. The cache is fed from the store's changes with a delay, so
that passes run on what is a moment old, as they do in the real loop.
"""

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from shoal.contract.assignment import DesiredState
from shoal.contract.problem import ConflictError, NotFoundError, ProblemError
from shoal.contract.report import DeviceReport
from shoal.controller.domain.rollout import RolloutRecord, record_to_json
from shoal.controller.link import observations, roster
from shoal.controller.planning import verbs
from shoal.controller.reconcile import deployments, routing
from shoal.controller.reconcile.live import Live
from shoal.controller.reconcile.queue import Key, WorkQueue
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.port import Delete, Put, Record, TelemetryStore
from shoal.lab.simulation.fleet import DEPLOYMENT, NAME, NAMESPACE
from shoal.lab.simulation.storage import NoBlobs, NoJobs, SharedStore, now_or_never
from shoal.lab.simulation.timeline import Clock, Timeline

KEY = Key("Deployment", NAMESPACE, NAME)
Pass = Coroutine[Any, Any, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What controllers share: time, chance, the stores, and the way to the devices.

    Between a change and the pass that sees it lie at most `pace_s` seconds.
    """

    timeline: Timeline
    rng: random.Random
    store: SharedStore
    telemetry: TelemetryStore
    push: Callable[[str, DesiredState], None]
    heartbeat_s: float
    pace_s: float


class Controller:
    """One controller over a store that outlives it."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.clock = Clock(around.timeline)
        self.up = False
        self.leads = False
        self.passes = 0
        self.halted_at = 0  # how much was decided before the halt
        self._around = around
        self._store = around.store
        self._desired: dict[str, DesiredState] = {}
        self._halted: Pass | None = None
        self._halt_next = False
        self._due = False
        self._wake_at: float | None = None

    # life

    def boot(self) -> None:
        """Start with nothing but what the store holds."""
        around = self._around
        self.up = True
        cadence = Cadence(heartbeat_s=around.heartbeat_s, telemetry_window_s=around.heartbeat_s)
        self._world = World(
            store=self._store,
            blobs=NoBlobs(),
            jobs=NoJobs(),
            now=self.clock.now,
            cadence=cadence,
            live=Live(around.telemetry),
        )
        self._queue = WorkQueue()
        self._wake_at = None
        self._since = now_or_never(self._world.load())
        self._queue.add(KEY)
        for record in now_or_never(self._store.list("Assignment")).records:
            self._desired[record.name] = roster.desired_state(record.name, record.data)
        self.poke()

    def crash(self) -> None:
        """Lose everything but the store, also a pass that was decided and not written."""
        self.up = False
        self.leads = False
        self._desired = {}
        self._halt_next = False
        if self._halted is not None:
            self._halted.close()
            self._halted = None

    def lead(self) -> None:
        """Run the passes from now on."""
        self.leads = True
        self.poke()

    def halt(self) -> None:
        """Stop in the middle of the next pass."""
        self._halt_next = True

    @property
    def halted(self) -> bool:
        """Whether a pass is decided and not written."""
        return self._halted is not None

    def go_on(self) -> bool:
        """Write what was decided before the halt; whether that was accepted."""
        work, self._halted, self._halt_next = self._halted, None, False
        if work is None:
            return False
        return self._finish(KEY, work)

    def poke(self) -> None:
        """Something was written: run passes a moment later."""
        if not self._due:
            self._due = True
            delay_s = self._around.rng.uniform(0.0, self._around.pace_s)
            self._around.timeline.later(delay_s, self._pump)

    # what devices and operators do

    def report(self, report: DeviceReport) -> None:
        """Keep what a device said; answer with what it should run where it does not know."""
        known = self._get("Observation", report.device)
        data = observations.merge(
            known.data if known else None,
            report,
            round(self.clock.now() * 1000),
            lost_after_s=self._world.cadence.lost_after_s,
        )
        if data is not None:
            self._put(known, "Observation", report.device, data)
        desired = self._desired.get(report.device)
        if desired is not None and report.desired_version < desired.version:
            self._around.push(report.device, desired)  # a link re-reads it on a timer

    def ask(self, request: verbs.Request) -> bool:
        """Whether the verb was accepted."""
        stored = self._get("Rollout", NAME)
        before = deployments.read_record(stored, DEPLOYMENT)
        try:
            after = verbs.apply(before, request, self.clock.now())
        except ProblemError:
            return False
        self._put(stored, "Rollout", NAME, record_to_json(after))
        return True

    def write(self, kind: str, name: str, data: dict[str, Any]) -> None:
        """An operator's write, over whatever is there."""
        self._put(self._get(kind, name), kind, name, data)

    def remove(self, kind: str, name: str) -> None:
        """An operator's delete of what has no finalizer, where it is there."""
        if self._get(kind, name) is not None:
            gone = Delete(kind=kind, namespace=NAMESPACE, name=name, expected=None)
            now_or_never(self._store.commit([gone]))

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """What the store holds."""
        record = self._get(kind, name)
        return record.data if record else None

    def record(self) -> RolloutRecord:
        """The planner's memory, as it is stored."""
        stored = self._get("Rollout", NAME)
        if stored is None:
            return RolloutRecord(deployment=DEPLOYMENT)
        return self._world.cache.value(stored, lambda one: deployments.read_record(one, DEPLOYMENT))

    # inside

    def _get(self, kind: str, name: str) -> Record | None:
        try:
            return now_or_never(self._store.get(kind, NAMESPACE, name))
        except NotFoundError:
            return None

    def _put(self, known: Record | None, kind: str, name: str, data: dict[str, Any]) -> None:
        expected = known.resource_version if known else None
        write = Put(kind=kind, namespace=NAMESPACE, name=name, data=data, expected=expected)
        now_or_never(self._store.commit([write]))

    def _pump(self) -> None:
        self._due = False
        if not self.up or self.halted:
            return
        self._follow()
        if self._queue.set_back(self.clock.now()):
            self._queue.add(KEY)
        while self.leads and not self.halted:
            key = self._queue.take(self.clock.now())
            if key is None:
                break
            self.passes += 1
            self._finish(key, deployments.reconcile(self._world, key))
            self._follow()
        self._sleep()

    def _follow(self) -> None:
        cache = self._world.cache
        for change in self._store.changes_after(self._since):
            self._since = change.record.resource_version
            before = cache.apply(change)
            for key in routing.affected(cache, change, before):
                if key == KEY:
                    self._queue.add(key)
            if change.record.kind == "Assignment" and change.type == "put":
                state = roster.desired_state(change.record.name, change.record.data)
                self._desired[state.device] = state
                if self.leads:
                    self._around.push(state.device, state)

    def _finish(self, key: Key, work: Pass) -> bool:
        """Run a pass to its end or to its halt; whether it was written."""
        self._store.halting, self._store.decider = self._halt_next, self.name
        try:
            work.send(None)
        except StopIteration as stop:
            self._queue.finish(key)
            if stop.value is not None:
                self._queue.add_at(key, stop.value)
            return True
        except ConflictError:
            self._queue.fail(key, self.clock.now())
            return False
        finally:
            self._store.halting, self._store.decider = False, ""
        self._halted, self._halt_next = work, False
        self.halted_at = self._store.decided
        return False

    def _sleep(self) -> None:
        due = self._queue.due_at()
        if due is not None and self.leads and (self._wake_at is None or due < self._wake_at):
            self._wake_at = due
            self._around.timeline.later(due - self.clock.now(), self._woken)

    def _woken(self) -> None:
        self._wake_at = None
        self._pump()
