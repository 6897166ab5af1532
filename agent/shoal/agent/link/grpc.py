"""The Link port over gRPC alone."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from shoal.agent.errors import LinkError
from shoal.agent.link.backoff import Backoff
from shoal.agent.link.channel import link_error, open_channel, retry_after_s, trouble_of
from shoal.agent.link.identity import Identity
from shoal.contract import codec, headers
from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch
from shoal.v1 import artifact_pb2, desired_pb2, device_plane_pb2, device_plane_pb2_grpc

_LOG = logging.getLogger(__name__)

_ANSWER_S = 10.0
_CHUNK_S = 30.0

if TYPE_CHECKING:
    # Generic for type checkers only.
    _Watch = grpc.aio.UnaryStreamCall[device_plane_pb2.Hello, desired_pb2.DesiredState]


class GrpcLink:
    """See `shoal.agent.core.ports.Link`."""

    def __init__(self, identity: Identity, rng: random.Random) -> None:
        self._identity = identity
        self._channel = open_channel(identity.server)
        self._stub = device_plane_pb2_grpc.DevicePlaneStub(self._channel)
        self._metadata = ((headers.DEVICE, identity.device), (headers.SECRET, identity.secret))
        self._backoff = Backoff(rng)
        self._again = asyncio.Event()
        self._connected = False
        self._trouble = ""

    @property
    def connected(self) -> bool:
        """See `Link.connected`."""
        return self._connected

    @property
    def trouble(self) -> str:
        """See `Link.trouble`."""
        return "" if self._connected else self._trouble

    def refresh(self) -> None:
        """Read the desired state again now: a doorbell rang."""
        self._again.set()

    async def desired(self) -> AsyncIterator[DesiredState]:
        """See `Link.desired`."""
        last: DesiredState | None = None
        while True:
            at_least_s = 0.0
            call = self._stub.WatchDesired(
                device_plane_pb2.Hello(device=self._identity.device), metadata=self._metadata
            )
            try:
                while (state := await self._next(call)) is not None:
                    if state != last or not self._connected:
                        self._connected = True
                        self._backoff.reset()
                        last = state
                        yield state
                    self._connected = True
            except grpc.aio.AioRpcError as error:
                at_least_s = retry_after_s(error)
                self._trouble = trouble_of(error, self._identity.server)
                self._connected = False
            except ValueError:
                _LOG.exception("the controller sent a desired state that cannot be read")
            finally:
                call.cancel()
            if not self._again.is_set():
                self._connected = False
                await self._pause(at_least_s)
            self._again.clear()

    async def report(self, report: DeviceReport) -> None:
        """See `Link.report`."""
        await self._answer(
            self._stub.Report(
                codec.encode_report(report), metadata=self._metadata, timeout=_ANSWER_S
            )
        )

    async def send_telemetry(self, batch: TelemetryBatch) -> None:
        """See `Link.send_telemetry`."""
        await self._answer(
            self._stub.SendTelemetry(
                codec.encode_telemetry(batch), metadata=self._metadata, timeout=_ANSWER_S
            )
        )

    async def fetch(self, digest: Digest, offset: int) -> AsyncIterator[bytes]:
        """See `Link.fetch`."""
        request = artifact_pb2.FetchRequest(
            device=self._identity.device, digest=digest, offset_bytes=offset
        )
        call = self._stub.Fetch(request, metadata=self._metadata)
        at, total = offset, None
        try:
            while True:
                chunk = await asyncio.wait_for(call.read(), _CHUNK_S)
                if not isinstance(chunk, artifact_pb2.ArtifactChunk):
                    break
                if chunk.offset_bytes != at:
                    raise LinkError(f"{digest}: byte {chunk.offset_bytes} came instead of {at}")
                at, total = at + len(chunk.data), chunk.total_bytes
                if chunk.data:
                    yield chunk.data
        except grpc.aio.AioRpcError as error:
            raise link_error(error, self._identity.server) from None
        except TimeoutError:
            raise LinkError(f"{digest}: no bytes for {_CHUNK_S:g} s", Reason.TIMED_OUT) from None
        finally:
            call.cancel()
        if at != total:
            raise LinkError(f"{digest}: the transfer ended at byte {at} of {total}")

    async def close(self) -> None:
        """See `Link.close`."""
        self._connected = False
        await self._channel.close()

    async def _answer(self, call: Awaitable[object]) -> None:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise link_error(error, self._identity.server) from None

    async def _next(self, call: "_Watch") -> DesiredState | None:
        """The next state; None when the stream ended, or is to be opened again.

        Raises:
            ValueError: what came is not a valid state.
        """
        read = asyncio.ensure_future(call.read())
        again = asyncio.ensure_future(self._again.wait())
        try:
            await asyncio.wait({read, again}, return_when=asyncio.FIRST_COMPLETED)
            message = read.result() if read.done() else None
        finally:
            read.cancel()
            again.cancel()
            await asyncio.gather(read, again, return_exceptions=True)
        if not isinstance(message, desired_pb2.DesiredState):
            return None
        return codec.decode_desired(message)

    async def _pause(self, at_least_s: float) -> None:
        try:
            await asyncio.wait_for(self._again.wait(), self._backoff.next_s(at_least_s))
        except TimeoutError:
            return
