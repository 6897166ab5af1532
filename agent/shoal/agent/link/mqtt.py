"""The Link port over MQTT alone: after enrolment the broker is all it needs.

The broker is never trusted to have kept anything: the desired state is asked for on every connect,
on every doorbell and on a jittered timer.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable

from shoal.agent.errors import LinkError
from shoal.agent.link.backoff import Backoff
from shoal.agent.link.identity import Identity
from shoal.agent.link.pipe import Pipe
from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch

_ANSWER_S = 3.0  # a hello without an answer for so long is repeated
_FIRST_HEARTBEAT_S = 30.0  # until a desired state says better


class MqttLink:
    """See `shoal.agent.core.ports.Link`; made inside a running event loop."""

    def __init__(self, identity: Identity, rng: random.Random) -> None:
        self._pipe = Pipe(identity, rng)
        self._rng = rng
        self._backoff = Backoff(rng)
        self._boot_id = uuid.uuid4().hex
        self._news = asyncio.Event()
        self._latest: DesiredState | None = None
        self._due = True  # a hello is due
        self._asked = False  # a hello waits for its answer
        self._heard = False  # the controller has answered on this connection
        self._silent = False  # it has once let us wait in vain
        self._fresh = True  # nothing was yielded since this connection began
        self._pipe.start(self._changed, self._rung, self._received)

    @property
    def connected(self) -> bool:
        """See `Link.connected`."""
        return self._pipe.connected and self._heard

    @property
    def trouble(self) -> str:
        """See `Link.trouble`."""
        if self._pipe.connected and self._silent and not self._heard:
            return "the controller does not answer over the broker"
        return self._pipe.trouble

    async def desired(self) -> AsyncIterator[DesiredState]:
        """See `Link.desired`."""
        last: DesiredState | None = None
        while True:
            waiting = self._say_hello(last.version if last else 0)
            heartbeat_s = last.heartbeat_s if last else _FIRST_HEARTBEAT_S
            await self._wait(
                _ANSWER_S + self._backoff.next_s()
                if waiting
                else self._rng.uniform(0.5, 1.5) * heartbeat_s
            )
            state, self._latest = self._latest, None
            if state is None:
                continue
            self._backoff.reset()
            if self._fresh or state != last:
                self._fresh, last = False, state
                yield state

    async def report(self, report: DeviceReport) -> None:
        """See `Link.report`."""
        await self._answered(self._pipe.report(report))

    async def send_telemetry(self, batch: TelemetryBatch) -> None:
        """See `Link.send_telemetry`."""
        await self._answered(self._pipe.send_telemetry(batch))

    def fetch(self, digest: Digest, offset: int) -> AsyncIterator[bytes]:
        """See `Link.fetch`."""
        return self._pipe.fetch(digest, offset)

    async def close(self) -> None:
        """See `Link.close`."""
        self._heard = False
        await self._pipe.close()

    async def _answered(self, asking: Awaitable[None]) -> None:
        try:
            await asking
        except LinkError as error:
            if error.reason is Reason.TIMED_OUT:
                self._heard, self._silent = False, True
            raise
        self._heard = True

    def _say_hello(self, version: int) -> bool:
        """Send the hello that is due; whether one waits for its answer."""
        if self._due and self._pipe.connected:
            try:
                self._pipe.hello(self._boot_id, version)
            except LinkError:
                return False  # the connection went in this very moment; the next one says hello
            self._due, self._asked = False, True
        return self._asked

    async def _wait(self, timeout_s: float) -> None:
        """Until there is news, or it is time for another hello."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except TimeoutError:
            self._due = True
            if self._asked:
                self._heard, self._silent = False, True
        self._news.clear()

    def _changed(self, _up: bool) -> None:  # noqa: FBT001 - the value itself
        self._heard, self._asked = False, False
        self._due = self._fresh = True
        self._news.set()

    def _rung(self) -> None:
        self._due = True
        self._news.set()

    def _received(self, state: DesiredState) -> None:
        self._latest, self._asked, self._heard = state, False, True
        self._news.set()
