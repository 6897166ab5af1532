"""The device plane without a transport: what gRPC and MQTT both do, once.

Laws: a device acts only for itself, whatever its messages claim; it reads only artifacts of its own
desired state; a late or repeated report or batch changes nothing and is acknowledged all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from shoal.contract.assignment import DesiredState
from shoal.contract.digest import Digest
from shoal.contract.enrolment import EnrolRequest, EnrolResponse
from shoal.contract.problem import (
    ConflictError,
    FailedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    Problem,
)
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch
from shoal.controller.domain import tallies
from shoal.controller.link import credentials, observations
from shoal.controller.link.authority import Authority
from shoal.controller.link.enrolment import Enrolment
from shoal.controller.link.roster import OnDesired, OnIdentity, Roster
from shoal.controller.reconcile.world import Cadence
from shoal.controller.store.port import BlobStore, Put, Record, Store, TelemetryStore

_ATTEMPTS = 5  # compare-and-swap races on one observation


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanePorts:
    """What the plane stands on; `now` is seconds since the epoch."""

    store: Store
    telemetry: TelemetryStore
    blobs: BlobStore
    authority: Authority
    now: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of bytes of an artifact of `total_bytes`, from `offset_bytes`."""

    offset_bytes: int
    data: bytes
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRange:
    """What to read of an artifact; `length_bytes` 0 means to its end."""

    digest: Digest
    offset_bytes: int
    length_bytes: int


class DevicePlane:
    """Everything a device may do; every transport authenticates first, then calls this."""

    def __init__(self, ports: PlanePorts) -> None:
        self._ports = ports
        self._roster = Roster(ports.store)
        self._enrolment = Enrolment(
            store=ports.store, roster=self._roster, authority=ports.authority, now=ports.now
        )
        self._broker = ""

    async def start(self) -> None:
        """Learn who is enrolled, and keep following the store."""
        await self._roster.start()

    async def close(self) -> None:
        """Stop following the store."""
        await self._roster.close()

    def announce_broker(self, address: str) -> None:
        """Tell devices that enrol from now on where the MQTT broker is (`host:port` or empty)."""
        self._broker = address

    def listen(self, on_identity: OnIdentity, on_desired: OnDesired) -> None:
        """See `Roster.listen`."""
        self._roster.listen(on_identity, on_desired)

    def secrets(self) -> dict[str, str]:
        """The stored secret of every enrolled device, for brokers."""
        return self._roster.secrets()

    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        """See `Enrolment.enrol`."""
        return await self._enrolment.enrol(request, self._broker)

    def authenticate(self, device: str, secret: str) -> None:
        """Return if `secret` is the device's.

        Raises:
            ForbiddenError: it is not, or there is no such device; both look the same.
        """
        try:
            known = self._roster.identity(device)
        except ForbiddenError:
            known = None
        if known is None or not credentials.matches(secret, known.secret):
            raise ForbiddenError(
                Problem(
                    reason=Reason.FORBIDDEN,
                    message="this device is not enrolled here, or its secret is wrong",
                    hint="enrol it again with a new state folder and a new join token",
                )
            )

    def desired(self, device: str) -> DesiredState:
        """See `Roster.desired`."""
        return self._roster.desired(device)

    async def watch_desired(self, device: str) -> AsyncIterator[DesiredState]:
        """The desired state now, then after every change, for ever.

        Raises:
            ForbiddenError: the device is not enrolled, or not any more.
        """
        last: DesiredState | None = None
        while True:
            self._roster.identity(device)  # before the bell, which lives as long as the identity
            ticket = self._roster.bell(device).ticket()
            state = self._roster.desired(device)
            if state != last:
                last = state
                yield state
            else:
                await ticket.wait()

    async def report(self, device: str, report: DeviceReport) -> None:
        """Store the observed state, unless it is late or repeated.

        Raises:
            ForbiddenError: the report speaks for another device.
        """
        _own(device, report.device)
        namespace = self._roster.identity(device).namespace
        cadence = Cadence(heartbeat_s=self._roster.desired(device).heartbeat_s)
        for _ in range(_ATTEMPTS):
            known = await self._observation(namespace, device)
            data = observations.merge(
                known.data if known else None,
                report,
                round(self._ports.now() * 1000),
                lost_after_s=cadence.lost_after_s,
            )
            if data is None:
                return
            write = Put(
                kind=observations.KIND,
                namespace=namespace,
                name=device,
                data=data,
                expected=known.resource_version if known else None,
            )
            try:
                await self._ports.store.commit([write])
            except ConflictError:
                await asyncio.sleep(0)
            else:
                return
        raise ConflictError(
            Problem(reason=Reason.CONFLICT, message=f"reports of {device} collide; send it again")
        )

    async def telemetry(self, device: str, batch: TelemetryBatch) -> None:
        """Store the windows, once each.

        Raises:
            ForbiddenError: the batch speaks for another device.
        """
        _own(device, batch.device)
        self._roster.identity(device)
        received_ms = round(self._ports.now() * 1000)
        batch = tallies.on_our_clock(batch, received_ms)
        await self._ports.telemetry.ingest(batch, received_ms)

    async def fetch(
        self, device: str, wanted: FetchRange, chunk_bytes: int
    ) -> AsyncIterator[Chunk]:
        """The wanted bytes in order; one empty chunk where there are none left.

        Raises:
            NotFoundError: the artifact is not in the device's desired state, or not here.
            InvalidError: the offset lies beyond the end.
        """
        self._allow(device, wanted.digest)
        total = self._ports.blobs.size(wanted.digest)
        if wanted.offset_bytes > total:
            raise InvalidError(
                Problem(
                    reason=Reason.INVALID,
                    message=f"{wanted.digest} has {total} bytes, not {wanted.offset_bytes}",
                    field="offset_bytes",
                )
            )
        at = wanted.offset_bytes
        end = min(total, at + wanted.length_bytes) if wanted.length_bytes else total
        if at == end:
            yield Chunk(offset_bytes=at, data=b"", total_bytes=total)
        while at < end:
            data = await self._ports.blobs.read(wanted.digest, at, min(chunk_bytes, end - at))
            if not data:
                raise FailedError(
                    Problem(reason=Reason.INTERNAL, message=f"{wanted.digest} ends at byte {at}")
                )
            yield Chunk(offset_bytes=at, data=data, total_bytes=total)
            at += len(data)

    def _allow(self, device: str, digest: Digest) -> None:
        state = self._roster.desired(device)
        named = (*state.assignments, *(one.assignment for one in state.trials))
        if not any(digest == file.digest for one in named for file in one.artifacts):
            # The same answer as for a blob that does not exist: nobody may probe what others run.
            raise NotFoundError(
                Problem(
                    reason=Reason.NOT_FOUND,
                    message=f"{digest} is not part of the desired state of {device}",
                )
            )

    async def _observation(self, namespace: str, device: str) -> Record | None:
        try:
            return await self._ports.store.get(observations.KIND, namespace, device)
        except NotFoundError:
            return None


def _own(device: str, claimed: str) -> None:
    if claimed != device:
        raise ForbiddenError(
            Problem(
                reason=Reason.FORBIDDEN,
                message=f"device {device!r} may not speak for {claimed!r}",
                field="device",
            )
        )
