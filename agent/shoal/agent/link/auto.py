"""The Link port over both: gRPC for state and artifacts, MQTT as doorbell and for telemetry.

Everything works without the broker; with it, telemetry stays off the controller's gRPC port and a
watch that went silent is noticed at the first ring.
"""

import contextlib
from collections.abc import AsyncIterator

from shoal.agent.errors import LinkError
from shoal.agent.link.grpc import GrpcLink
from shoal.agent.link.pipe import Pipe
from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch


class AutoLink:
    """See `shoal.agent.core.ports.Link`; made inside a running event loop."""

    def __init__(self, grpc: GrpcLink, pipe: Pipe) -> None:
        self._grpc = grpc
        self._pipe = pipe
        pipe.start(lambda _up: None, grpc.refresh)

    @property
    def connected(self) -> bool:
        """See `Link.connected`."""
        return self._grpc.connected

    @property
    def trouble(self) -> str:
        """See `Link.trouble`."""
        return self._grpc.trouble

    def desired(self) -> AsyncIterator[DesiredState]:
        """See `Link.desired`."""
        return self._grpc.desired()

    async def report(self, report: DeviceReport) -> None:
        """See `Link.report`."""
        await self._grpc.report(report)

    async def send_telemetry(self, batch: TelemetryBatch) -> None:
        """See `Link.send_telemetry`; a batch that was sent both ways is stored once."""
        if self._pipe.connected:
            with contextlib.suppress(LinkError):
                await self._pipe.send_telemetry(batch)
                return
        await self._grpc.send_telemetry(batch)

    def fetch(self, digest: Digest, offset: int) -> AsyncIterator[bytes]:
        """See `Link.fetch`."""
        return self._grpc.fetch(digest, offset)

    async def close(self) -> None:
        """See `Link.close`."""
        await self._pipe.close()
        await self._grpc.close()
