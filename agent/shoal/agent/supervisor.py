"""The supervisor's tasks: keep the engine, follow the controller, report, say how it is.

No numpy and no onnxruntime here: what a model does to its process never reaches this one.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from shoal.agent.core import events as ev
from shoal.agent.core.lives import Slot
from shoal.agent.core.ports import (
    Benchmark,
    Clock,
    Disk,
    EngineProcess,
    Link,
    Prober,
    Rng,
    Switched,
)
from shoal.agent.core.reports import Facts
from shoal.agent.errors import EngineError
from shoal.agent.state_folder import StateFolder
from shoal.agent.update.blobs import BlobStore
from shoal.agent.update.engine_work import EngineWork
from shoal.agent.update.executor import Executor, Keeping, Workers
from shoal.agent.update.journal import Journal
from shoal.agent.update.keeper import EngineKeeper
from shoal.agent.update.load import Load
from shoal.agent.update.reporter import Line, Reporter, TelemetrySender
from shoal.agent.update.scout import Scout
from shoal.agent.update.slots import SlotLinks
from shoal.agent.update.speed import Speed
from shoal.agent.update.spool import Spool
from shoal.agent.update.staging import Staging
from shoal.agent.update.status import StatusFile, Surroundings, SwitchRecord
from shoal.contract.profile import HardwareProfile
from shoal.contract.telemetry import TelemetryWindow

AGAIN_S = 1.0  # a task that broke begins again after so long
STATUS_S = 0.5  # connection and spool are looked at so often

_log = logging.getLogger(__name__)

EngineMaker = Callable[
    [Callable[[TelemetryWindow], None], Callable[[int], None]],
    EngineProcess,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which device this is, and where its things are."""

    folder: StateFolder
    device: str
    namespace: str
    boot_id: str
    agent_version: str
    hardware: HardwareProfile
    link_name: str
    serving_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The ports, except the engine: it is made with callbacks into the supervisor."""

    link: Link
    prober: Prober
    benchmark: Benchmark
    disk: Disk
    clock: Clock
    rng: Rng


class Supervisor:
    """One agent, on any ports."""

    def __init__(self, place: Place, parts: Parts, make_engine: EngineMaker) -> None:
        self._place = place
        self._parts = parts
        self._window_s = 0.0
        folder, disk = place.folder, parts.disk
        blobs = BlobStore(disk, folder.blobs)
        self._engine = make_engine(self._on_window, self._on_exit)
        self._work = EngineWork(self._engine, blobs, self._on_switch)
        staging = Staging(parts.link, parts.prober, blobs)
        self._executor = Executor(
            Keeping(
                journal=Journal(disk, folder.journal),
                blobs=blobs,
                links=SlotLinks(disk, folder.slots),
            ),
            Workers(
                staging=staging,
                engine=self._work,
                clock=parts.clock,
                rng=parts.rng,
            ),
            self._on_change,
        )
        self._keeper = EngineKeeper(self._engine, self._work, self._executor)
        self._spool = Spool(disk, folder.spool, device=place.device, boot_id=place.boot_id)
        line = Line(link=parts.link, clock=parts.clock, rng=parts.rng)
        self._reporter = Reporter(line, self._executor, self._engine, self._facts)
        self._load = Load(parts.clock)
        self._scout = Scout(
            staging,
            BlobStore(disk, folder.trials),
            lambda: self._executor.context.idle and not self._load.heavy,
            self._reporter.poke,
        )
        self._sender = TelemetrySender(line, self._spool)
        self._speed = Speed(parts.benchmark, parts.clock)
        self._status = StatusFile(disk, folder.status)
        self._unwritable = ""  # why status.json could not be written last
        self._trouble = ""  # what last kept us from the controller

    async def run(self) -> None:
        """Serve until cancelled; leaves no process behind."""
        self._executor.start()
        lives = self._executor.context.lives
        self._engine.expect({life.deployment for life in lives if life.restore})
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lasting(lambda: self._keeper.run(self._parts.clock)))
                tasks.create_task(self._lasting(self._follow))
                tasks.create_task(self._lasting(self._reporter.run))
                tasks.create_task(self._lasting(self._sender.run))
                tasks.create_task(self._lasting(self._scout.run))
                tasks.create_task(self._lasting(self._watch_status))
        finally:
            await self._stop()

    async def _lasting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin again after a defect: what serves outlives whatever breaks beside it (I1)."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 - whatever it is
                _log.exception("a task of the agent broke and begins again")
            await self._parts.clock.sleep(AGAIN_S)

    async def _stop(self) -> None:
        """Telemetry of the last moments is kept, then everything ends in the order of its needs."""
        await self._executor.stop()
        await self._engine.stop()
        self._spool.hold()
        await self._parts.link.close()
        self._write_status()

    async def _follow(self) -> None:
        """What the controller wants; it is said again on every connect, so reports are due too."""
        async for state in self._parts.link.desired():
            self._executor.feed(ev.Desired(state=state))
            if state.version == self._executor.context.desired_version:  # else it is an old one
                self._scout.told(state.trials)
            self._reporter.poke()
            self._sender.poke()

    async def _watch_status(self) -> None:
        while True:
            await self._configure()
            self._tell_trouble()
            self._write_status()
            self._scout.look()
            if await self._speed.look(self._executor.context):
                self._reporter.poke()
            await self._parts.clock.sleep(STATUS_S)

    async def _configure(self) -> None:
        """The engine keeps its window length over restarts; it is told of changes only."""
        wanted_s = self._executor.context.telemetry_window_s
        if wanted_s == self._window_s:
            return
        try:
            await self._engine.configure(wanted_s)
        except EngineError as error:
            _log.warning("the engine keeps its telemetry window: %s", error)
            return
        self._window_s = wanted_s

    def _on_change(self) -> None:
        self._scout.look()
        self._reporter.poke()
        self._write_status()

    def _on_exit(self, returncode: int) -> None:
        self._keeper.exited(returncode)

    def _on_window(self, window: TelemetryWindow) -> None:
        """The engine knows a slot by the generation it was loaded for, we by its newest."""
        life = self._executor.context.life(window.deployment)
        active = None if life is None else life.active
        if active is not None and active.loaded_as == window.generation:
            window = replace(window, generation=active.generation)
        self._load.add(window)
        self._sender.add(window)

    def _on_switch(self, slot: Slot, switched: Switched) -> None:
        self._status.switched(
            SwitchRecord(
                deployment=slot.assignment.deployment,
                digest=slot.variant,
                generation=slot.generation,
                monotonic_s=switched.monotonic_s,
                in_flight=switched.in_flight,
            )
        )

    def _write_status(self) -> None:
        self._reporter.spool_windows = self._spool.windows
        try:
            self._status.write(self._executor.context, self._surroundings())
        except OSError as error:
            if str(error) != self._unwritable:
                _log.warning("status.json cannot be written: %s", error)
            self._unwritable = str(error)
        else:
            self._unwritable = ""

    def _tell_trouble(self) -> None:
        """Once in the log where the controller is not reached, or refuses this device."""
        trouble = self._parts.link.trouble
        if trouble and trouble != self._trouble:
            _log.warning("%s; what is active goes on serving", trouble)
        elif self._trouble and not trouble:
            _log.info("the controller is reached again")
        self._trouble = trouble

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            device=self._place.device,
            namespace=self._place.namespace,
            pid=os.getpid(),
            engine_pid=self._engine.pid,
            link=self._place.link_name,
            connected=self._parts.link.connected,
            trouble=self._parts.link.trouble,
            serving=self._place.serving_url,
            spool_windows=self._spool.windows,
        )

    def _facts(self) -> Facts:
        place = self._place
        return Facts(
            device=place.device,
            boot_id=place.boot_id,
            agent_version=place.agent_version,
            hardware=replace(place.hardware, speed_score=self._speed.score),
            serving_url=place.serving_url,
            link=place.link_name,
            trials=self._scout.results,
            scouts=not self._load.heavy,
        )
