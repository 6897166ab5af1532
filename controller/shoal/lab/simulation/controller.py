"""The production controller without sockets: store, cache, queue, passes, verbs, observations.

A crash forgets everything but the store. The cache is fed from the store's changes with a delay, so
that passes run on what is a moment old, as they do in the real loop.
"""

import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.problem import ConflictError, NotFoundError, ProblemError
from shoal.contract.report import DeviceReport
from shoal.controller.domain.rollout import (
    RolloutRecord,
    Verb,
    record_from_json,
    record_to_json,
)
from shoal.controller.link import observations, roster
from shoal.controller.planning import verbs
from shoal.controller.reconcile import deployments, routing
from shoal.controller.reconcile.jobs import JobRequest, JobResult
from shoal.controller.reconcile.queue import Key, WorkQueue
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Put, Record
from shoal.lab.simulation.timeline import Timeline

NAMESPACE = "default"
DEPLOYMENT = "default/digits"
T = TypeVar("T")


def now_or_never(work: Coroutine[Any, Any, T]) -> T:
    """The result of something that never suspends: the memory store promises that it does not."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise RuntimeError("a simulated pass suspended")


class NoBlobs:
    """Artifacts are not moved here: devices know what a digest is."""

    def has(self, digest: Digest) -> bool:
        return bool(digest)

    def size(self, digest: Digest) -> int:
        raise RuntimeError(f"nobody asks for the size of {digest}")

    def path(self, digest: Digest) -> Path:
        raise RuntimeError(f"nobody reads {digest}")

    async def put_file(self, path: Path) -> Digest:
        raise RuntimeError(f"nobody stores {path}")

    async def read(self, digest: Digest, offset: int, length: int) -> bytes:
        raise RuntimeError(f"nobody reads {digest} from {offset} for {length}")


class NoJobs:
    """Searches are finished before the simulation begins."""

    async def run(self, request: JobRequest) -> JobResult:
        raise RuntimeError(f"nobody searches {request.key}")


class Controller:
    """One controller over a store that outlives it; `push` carries desired states to devices."""

    def __init__(
        self,
        timeline: Timeline,
        rng: random.Random,
        push: Callable[[str, DesiredState], None],
    ) -> None:
        self.store = MemoryStore(history=1_000_000)
        self.cadence = Cadence(heartbeat_s=5.0, telemetry_window_s=5.0)
        self._timeline = timeline
        self._rng = rng
        self._push = push
        self._desired: dict[str, DesiredState] = {}
        self._wake_at: float | None = None
        self.up = False

    # life

    def boot(self) -> None:
        """Start with nothing but what the store holds."""
        self.up = True
        self._world = World(
            store=self.store,
            blobs=NoBlobs(),
            jobs=NoJobs(),
            now=self._timeline.now,
            cadence=self.cadence,
        )
        self._queue = WorkQueue()
        self._since = now_or_never(self._world.load())
        self._wake_at = None
        for record in self._world.cache.all("Deployment"):
            self._queue.add(Key("Deployment", record.namespace, record.name))
        for record in now_or_never(self.store.list("Assignment")).records:
            self._desired[record.name] = roster.desired_state(record.name, record.data)
        self.poke()

    def crash(self) -> None:
        self.up = False
        self._desired = {}

    def poke(self) -> None:
        """Something was written: run passes a moment later."""
        self._timeline.later(self._rng.uniform(0.0, 0.05), self._pump)

    # what devices and operators do

    def report(self, report: DeviceReport) -> bool:
        """Whether the report is stored, or was before."""
        if not self.up:
            return False
        known = self._get("Observation", report.device)
        data = observations.merge(
            known.data if known else None, report, round(self._timeline.now() * 1000)
        )
        if data is not None:
            self._put(known, "Observation", report.device, data)
        desired = self._desired.get(report.device)
        if desired is not None and report.desired_version < desired.version:
            self._push(report.device, desired)  # a link re-reads it on a timer
        return True

    def ask(self, verb: Verb, *, follow: bool = False) -> bool:
        """Whether the verb was accepted."""
        stored = self._get("Rollout", "digits")
        before = deployments.read_record(stored, DEPLOYMENT)
        request = verbs.Request(verb=verb, follow=follow)
        try:
            after = verbs.apply(before, request, self._timeline.now())
        except ProblemError:
            return False
        self._put(stored, "Rollout", "digits", record_to_json(after))
        return True

    def write(self, kind: str, name: str, data: dict[str, Any]) -> None:
        """An operator's write, over whatever is there."""
        self._put(self._get(kind, name), kind, name, data)

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        record = self._get(kind, name)
        return record.data if record else None

    def version(self) -> int:
        """Of the newest write."""
        return now_or_never(self.store.kept())[-1]

    def record(self) -> RolloutRecord:
        stored = self.read("Rollout", "digits")
        return record_from_json(stored) if stored else RolloutRecord(deployment=DEPLOYMENT)

    # inside

    def _get(self, kind: str, name: str) -> Record | None:
        try:
            return now_or_never(self.store.get(kind, NAMESPACE, name))
        except NotFoundError:
            return None

    def _put(self, known: Record | None, kind: str, name: str, data: dict[str, Any]) -> None:
        expected = known.resource_version if known else None
        write = Put(kind=kind, namespace=NAMESPACE, name=name, data=data, expected=expected)
        now_or_never(self.store.commit([write]))
        self.poke()

    def _pump(self) -> None:
        if not self.up:
            return
        self._follow()
        while (key := self._queue.take(self._timeline.now())) is not None:
            self._pass(key)
            self._follow()
        self._sleep()

    def _follow(self) -> None:
        for change in self.store.changes_after(self._since):
            self._since = change.record.resource_version
            before = self._world.cache.apply(change)
            for key in routing.affected(self._world.cache, change, before):
                if key.kind == "Deployment":
                    self._queue.add(key)
            if change.record.kind == "Assignment" and change.type == "put":
                state = roster.desired_state(change.record.name, change.record.data)
                self._desired[state.device] = state
                self._push(state.device, state)

    def _pass(self, key: Key) -> None:
        try:
            wake_at = now_or_never(deployments.reconcile(self._world, key))
        except ConflictError:
            self._queue.fail(key, self._timeline.now())
            return
        self._queue.finish(key)
        if wake_at is not None:
            self._queue.add_at(key, wake_at)

    def _sleep(self) -> None:
        due = self._queue.due_at()
        if due is not None and (self._wake_at is None or due < self._wake_at):
            self._wake_at = due
            self._timeline.later(due - self._timeline.now(), self._woken)

    def _woken(self) -> None:
        self._wake_at = None
        self._pump()
