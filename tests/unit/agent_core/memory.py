"""In-memory ports of the agent: controller, engine, prober and clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from shoal.agent.core.ports import (
    Counters,
    LoadedSlot,
    ProbeRequest,
    ProbeResult,
    SlotSpec,
    Switched,
)
from shoal.agent.errors import EngineError, LinkError, ProbeError
from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from tests.unit.agent_core.builders import PASSED


class QuickClock:
    """A clock that never makes anybody wait."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@dataclass
class MemoryLink:
    """A controller that holds artifacts and keeps what it is told.

    `refusals` are raised, one a call, before anything is done; a fetch breaks off after `cut_after`
    bytes where that is set; one that does not listen acknowledges nothing.
    """

    artifacts: dict[Digest, bytes] = field(default_factory=dict)
    refusals: list[Reason] = field(default_factory=list)
    refused_fetches: list[Reason] = field(default_factory=list)
    reports: list[DeviceReport] = field(default_factory=list)
    batches: list[TelemetryBatch] = field(default_factory=list)
    fetched_from: list[int] = field(default_factory=list)
    cut_after: int | None = None
    connected: bool = True
    trouble: str = ""
    listening: bool = True
    closed: bool = False
    states: asyncio.Queue[DesiredState] = field(default_factory=asyncio.Queue)

    async def desired(self) -> AsyncIterator[DesiredState]:
        while True:
            yield await self.states.get()

    async def report(self, report: DeviceReport) -> None:
        self._store()
        self.reports.append(report)

    async def send_telemetry(self, batch: TelemetryBatch) -> None:
        self._store()
        self.batches.append(batch)

    async def fetch(self, wanted: Digest, offset: int) -> AsyncIterator[bytes]:
        self._reach()
        if self.refused_fetches:
            raise LinkError("on purpose", self.refused_fetches.pop(0))
        self.fetched_from.append(offset)
        if wanted not in self.artifacts:
            raise LinkError(f"no {wanted}", Reason.NOT_FOUND)
        data = self.artifacts[wanted][offset:]
        for start in range(0, len(data), 100):
            if self.cut_after is not None and start >= self.cut_after:
                raise LinkError("the transfer broke off")
            yield data[start : start + 100]

    async def close(self) -> None:
        self.closed = True

    def _store(self) -> None:
        self._reach()
        if not self.listening:
            raise LinkError("no acknowledgement in time", Reason.TIMED_OUT)

    def _reach(self) -> None:
        if self.refusals:
            raise LinkError("on purpose", self.refusals.pop(0))
        if not self.connected:
            raise LinkError("not connected")


@dataclass
class MemoryEngine:
    """A process that holds slots; `refusals` fail the next loads."""

    on_window: Callable[[TelemetryWindow], None] = lambda _: None
    on_exit: Callable[[int], None] = lambda _: None
    active: dict[str, SlotSpec] = field(default_factory=dict)
    candidates: dict[tuple[str, int], SlotSpec] = field(default_factory=dict)
    refusals: list[Reason] = field(default_factory=list)
    starts: int = 0
    refused_starts: int = 0
    window_s: float = 0.0
    pid: int | None = None
    expected: set[str] = field(default_factory=set)

    def expect(self, deployments: Collection[str]) -> None:
        self.expected.update(deployments)

    async def start(self) -> None:
        if self.refused_starts:
            self.refused_starts -= 1
            raise EngineError(Reason.TIMED_OUT, "does not start")
        self.starts += 1
        self.pid = self.starts
        self.active.clear()
        self.candidates.clear()

    async def configure(self, telemetry_window_s: float) -> None:
        self._alive()
        self.window_s = telemetry_window_s

    async def stop(self) -> None:
        self.pid = None

    def dies(self) -> None:
        self.pid = None
        self.on_exit(-9)

    async def load(self, slot: SlotSpec) -> LoadedSlot:
        self._alive()
        if self.refusals:
            raise EngineError(self.refusals.pop(0), "on purpose")
        self.candidates[slot.deployment, slot.generation] = slot
        return LoadedSlot(deployment=slot.deployment, generation=slot.generation, load_ms=1.0)

    async def activate(self, deployment: str, generation: int) -> Switched:
        self._alive()
        if (deployment, generation) not in self.candidates:
            raise EngineError(Reason.NOT_FOUND, "no such candidate")
        self.active[deployment] = self.candidates.pop((deployment, generation))
        return Switched(monotonic_s=1.0, in_flight=2)

    async def discard(self, deployment: str, generation: int) -> None:
        self._alive()
        self.candidates.pop((deployment, generation), None)

    async def remove(self, deployment: str) -> None:
        self._alive()
        self.active.pop(deployment, None)

    async def golden(self, deployment: str, generation: int, golden: Path) -> tuple[int, ...]:
        self._alive()
        assert golden.name
        if self.active[deployment].generation != generation:
            raise EngineError(Reason.NOT_FOUND, "another generation is active")
        return (1, 2, 3)

    async def counters(self, deployment: str) -> Counters:
        self._alive()
        if deployment not in self.active:
            raise EngineError(Reason.NOT_FOUND, "no active slot")
        return Counters(good=100, errors=1)

    def _alive(self) -> None:
        if self.pid is None:
            raise EngineError(Reason.CRASHED, "the engine does not run")


@dataclass
class MemoryProber:
    """Lets every candidate pass but for `refusals`; one at a time, or it complains."""

    refusals: list[Reason] = field(default_factory=list)
    requests: list[ProbeRequest] = field(default_factory=list)
    busy: bool = False

    async def probe(self, request: ProbeRequest) -> ProbeResult:
        assert not self.busy
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        self.requests.append(request)
        if self.refusals:
            raise ProbeError(self.refusals.pop(0), "on purpose", PASSED)
        return ProbeResult(result=PASSED, active_answers=(0, 0, 0))


@dataclass
class MemoryBenchmark:
    """Finds `scores` one after the other, then nothing."""

    scores: list[float] = field(default_factory=list)
    asked: int = 0

    async def score(self) -> float | None:
        self.asked += 1
        return self.scores.pop(0) if self.scores else None
