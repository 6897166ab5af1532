"""The device plane over MQTT: the same plane, with the broker in between.

The broker proves who publishes on a device's topics; the topic names the device. Every request is
answered on the device's own `down/` topics, or not at all: the device then asks again.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from shoal.contract import codec, digest, topics
from shoal.contract.limits import MQTT_CHUNK_BYTES
from shoal.contract.mqtt import Bus, BusError, BusSettings, Message
from shoal.contract.problem import ProblemError
from shoal.contract.topics import Down, Up
from shoal.controller.link.addresses import Address
from shoal.controller.link.plane import DevicePlane, FetchRange
from shoal.v1 import artifact_pb2, device_plane_pb2, report_pb2, telemetry_pb2

_LOG = logging.getLogger(__name__)

_WINDOW_BYTES = 1024 * 1024  # more is never sent for one request
_TRANSFERS = 8  # served at once; others wait their turn in the broker
_QUEUE_MESSAGES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BusAccount:
    """How the controller logs in to the broker."""

    address: Address
    user: str
    password: str


class MqttService:
    """Answers devices over one bus, and rings them when their desired state changes."""

    def __init__(self, plane: DevicePlane, account: BusAccount) -> None:
        self._plane = plane
        self._bus = Bus(
            BusSettings(
                host=account.address.host,
                port=account.address.port,
                user=account.user,
                password=account.password,
                client_id=account.user,
                filters=(topics.up_filter(),),
                queue_messages=_QUEUE_MESSAGES,
                max_delay_s=2.0,  # one controller, and everybody waits for it
            )
        )
        self._transfers: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_TRANSFERS)
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the controller."""
        return self._bus.connected

    def start(self) -> None:
        """Begin to connect and to serve."""
        self._bus.start(self._changed)
        self._task = asyncio.create_task(self._serve(), name="mqtt service")

    async def wait_connected(self) -> None:
        """Return once the broker has accepted the controller."""
        await self._up.wait()

    async def close(self) -> None:
        """Finish the message at hand and leave the broker."""
        tasks = [*self._transfers, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._bus.close()

    def ring(self, device: str) -> None:
        """Tell a device to read its desired state again; a hint, lost without harm."""
        with contextlib.suppress(BusError):
            self._send(device, Down.DOORBELL, b"")

    def _changed(self, up: bool) -> None:  # noqa: FBT001 - the value itself
        if not up:
            self._up.clear()
            return
        self._up.set()
        # What changed while we were away rang nobody.
        for device in self._plane.secrets():
            self.ring(device)

    async def _serve(self) -> None:
        while True:
            message = await self._bus.receive()
            try:
                await self._answer(message)
            except (ProblemError, ValueError) as error:
                _LOG.warning("%s: refused: %s", message.topic, error)
            except Exception:  # noqa: BLE001 - one bad message must not end the service for all
                _LOG.exception("%s: failed", message.topic)
            self._bus.acknowledge(message)

    async def _answer(self, message: Message) -> None:
        device, channel = topics.parse_up(message.topic)
        match channel:
            case Up.HELLO:
                codec.parse(device_plane_pb2.Hello, message.payload)
                state = codec.encode_desired(self._plane.desired(device))
                self._send(device, Down.DESIRED, state.SerializeToString())
            case Up.REPORT:
                report = codec.parse(report_pb2.DeviceReport, message.payload)
                await self._plane.report(device, codec.decode_report(report))
                ack = report_pb2.ReportAck(boot_id=report.boot_id, sequence=report.sequence)
                self._send(device, Down.ACK, ack.SerializeToString())
            case Up.TELEMETRY:
                batch = codec.parse(telemetry_pb2.TelemetryBatch, message.payload)
                await self._plane.telemetry(device, codec.decode_telemetry(batch))
                stored = telemetry_pb2.TelemetryAck(boot_id=batch.boot_id, sequence=batch.sequence)
                self._send(device, Down.STORED, stored.SerializeToString())
            case Up.FETCH:
                request = codec.parse(artifact_pb2.FetchRequest, message.payload)
                await self._room.acquire()
                task = asyncio.create_task(self._transfer(device, request), name="mqtt transfer")
                self._transfers.add(task)
                task.add_done_callback(self._transferred)

    def _transferred(self, task: asyncio.Task[None]) -> None:
        self._transfers.discard(task)
        self._room.release()

    async def _transfer(self, device: str, request: artifact_pb2.FetchRequest) -> None:
        try:
            length = min(request.length_bytes or _WINDOW_BYTES, _WINDOW_BYTES)
            wanted = FetchRange(
                digest=digest.parse(request.digest),
                offset_bytes=request.offset_bytes,
                length_bytes=length,
            )
            async for chunk in self._plane.fetch(device, wanted, MQTT_CHUNK_BYTES):
                self._send_chunk(
                    device,
                    artifact_pb2.ArtifactChunk(
                        digest=wanted.digest,
                        offset_bytes=chunk.offset_bytes,
                        data=chunk.data,
                        total_bytes=chunk.total_bytes,
                        request_id=request.request_id,
                    ),
                )
        except BusError as error:
            _LOG.warning("a transfer to %s broke off: %s", device, error)  # it asks again
        except ProblemError as error:
            refusal = artifact_pb2.ArtifactChunk(
                digest=request.digest,
                error_reason=error.problem.reason,
                request_id=request.request_id,
            )
            with contextlib.suppress(BusError):
                self._send_chunk(device, refusal)
        except ValueError as error:
            _LOG.warning("%s asks for an artifact wrongly: %s", device, error)

    def _send_chunk(self, device: str, chunk: artifact_pb2.ArtifactChunk) -> None:
        self._send(device, Down.CHUNK, chunk.SerializeToString())

    def _send(self, device: str, channel: Down, payload: bytes) -> None:
        self._bus.publish(topics.down(device, channel), payload)
