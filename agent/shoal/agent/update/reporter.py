"""Tells the controller what is observed: reports on every change and heartbeat, telemetry.

Only the newest state is ever reported; nothing queues up while the controller is away, and nothing
here holds up serving.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from shoal.agent.core import events as ev
from shoal.agent.core.ports import Clock, Engine, Link, Rng
from shoal.agent.core.reports import Facts, device_report
from shoal.agent.errors import EngineError, LinkError
from shoal.agent.update.executor import Executor
from shoal.agent.update.spool import Spool
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryWindow

AGAIN_FIRST_S = 0.5
AGAIN_MAX_S = 10.0
COUNT_S = 2.0  # an engine that hangs must not silence the agent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The controller, and how to wait for it."""

    link: Link
    clock: Clock
    rng: Rng

    def pause_s(self, failures: int) -> float:
        """Full jitter up to 0.5, 1, 2, … 10 s after 1, 2, 3, … failures."""
        limit = min(AGAIN_FIRST_S * 2.0 ** min(failures - 1, 16), AGAIN_MAX_S)
        return self.rng.uniform(0, limit)

    async def wait(self, wanted: asyncio.Event, seconds: float) -> None:
        """Return when `wanted` is set or the time is over; it is clear then."""
        asleep = asyncio.ensure_future(self.clock.sleep(seconds))
        called = asyncio.ensure_future(wanted.wait())
        try:
            await asyncio.wait({asleep, called}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asleep.cancel()
            called.cancel()
        wanted.clear()


class Reporter:
    """Keeps the controller's picture of this device fresh."""

    def __init__(
        self, line: Line, executor: Executor, engine: Engine, facts: Callable[[], Facts]
    ) -> None:
        self._line = line
        self._executor = executor
        self._engine = engine
        self._facts = facts
        self._wanted = asyncio.Event()
        self._sequence = 0
        self.spool_windows = 0

    def poke(self) -> None:
        """Something changed, or the controller is back."""
        self._wanted.set()

    async def run(self) -> None:
        """Report until cancelled."""
        failures = 0
        while True:
            if failures:
                await self._line.wait(self._wanted, self._line.pause_s(failures))
            else:
                await self._line.wait(self._wanted, self._executor.context.heartbeat_s)
            await self._count()
            report = self._report()
            try:
                await self._line.link.report(report)
            except LinkError as error:
                failures += 1
                _log.debug("report %d was not stored: %s", report.sequence, error)
                continue
            failures = 0
            self._acknowledged(report)

    async def _count(self) -> None:
        """Fresh counts of what serves; where the engine cannot tell, the last ones stay."""
        for life in self._executor.context.lives:
            if life.active is None or not life.up:
                continue
            try:
                async with asyncio.timeout(COUNT_S):
                    counters = await self._engine.counters(life.deployment)
            except (EngineError, TimeoutError):
                continue
            self._executor.feed(
                ev.Counted(deployment=life.deployment, good=counters.good, errors=counters.errors)
            )

    def _report(self) -> DeviceReport:
        self._sequence += 1
        return device_report(
            self._executor.context,
            self._facts(),
            sequence=self._sequence,
            spool_windows=self.spool_windows,
        )

    def _acknowledged(self, report: DeviceReport) -> None:
        for one in report.deployments:
            if one.golden is not None:
                self._executor.feed(
                    ev.Acknowledged(deployment=one.deployment, generation=one.generation)
                )


class TelemetrySender:
    """Empties the spool while the controller listens."""

    def __init__(self, line: Line, spool: Spool) -> None:
        self._line = line
        self._spool = spool
        self._wanted = asyncio.Event()

    def add(self, window: TelemetryWindow) -> None:
        """Take a window from the engine."""
        self._spool.add(window)
        self._wanted.set()

    def poke(self) -> None:
        """The controller is back."""
        self._wanted.set()

    async def run(self) -> None:
        """Send until cancelled."""
        failures = 0
        while True:
            pause_s = self._line.pause_s(failures) if failures else AGAIN_MAX_S
            await self._line.wait(self._wanted, pause_s)
            try:
                await self._send_all()
            except LinkError as error:
                failures += 1
                _log.debug("telemetry was not stored: %s", error)
            else:
                failures = 0

    async def _send_all(self) -> None:
        while self._line.link.connected and (batch := self._spool.offer()) is not None:
            sent_ms = round(self._line.clock.now() * 1000)
            await self._line.link.send_telemetry(replace(batch, sent_ms=sent_ms))
            self._spool.done(batch)
