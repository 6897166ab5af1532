"""What a device says and hears over MQTT: requests matched with their answers, nothing decided.

The broker is trusted with nothing: what is not answered by the controller in time has failed, and
whoever asked repeats it.
"""

import asyncio
import itertools
import logging
import random
from collections.abc import AsyncIterator, Callable

from google.protobuf.message import Message as Protobuf

from shoal.agent.errors import LinkError
from shoal.agent.link.identity import Identity
from shoal.contract import codec, topics
from shoal.contract.assignment import DesiredState
from shoal.contract.limits import MQTT_CHUNK_BYTES
from shoal.contract.mqtt import Bus, BusError, BusSettings, Message
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch
from shoal.contract.topics import Down, Up
from shoal.v1 import artifact_pb2, desired_pb2, device_plane_pb2, report_pb2, telemetry_pb2

_LOG = logging.getLogger(__name__)

_ANSWER_S = 10.0
_WINDOW_BYTES = 8 * MQTT_CHUNK_BYTES  # asked for at once; bounds what lies in the broker for us
_SILENCE_S = 5.0  # without a chunk for so long, the rest of the window is asked for again
_ATTEMPTS = 3
_CHUNKS_HELD = 64  # of one transfer; what comes beyond is asked for again

_Key = tuple[Down, str, int]  # which answer, of which boot, to which sequence number


class Pipe:
    """One device's topics. `on_desired` and `on_ring` run on the event loop."""

    def __init__(self, identity: Identity, rng: random.Random) -> None:
        host, _, port = identity.broker.rpartition(":")
        self._device = identity.device
        self._broker = identity.broker
        self._bus = Bus(
            BusSettings(
                host=host.removeprefix("[").removesuffix("]"),
                port=int(port),
                user=identity.device,
                password=identity.secret,
                client_id=identity.device,
                filters=(topics.down_filter(identity.device),),
            ),
            rng,
        )
        self._answers: dict[_Key, asyncio.Future[None]] = {}
        self._transfers: dict[int, asyncio.Queue[artifact_pb2.ArtifactChunk]] = {}
        self._request_ids = itertools.count(rng.randrange(1 << 32) << 16)
        self._on_desired: Callable[[DesiredState], None] | None = None
        self._on_ring: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._bus.connected

    @property
    def trouble(self) -> str:
        """Why the broker has not accepted us; empty where it has."""
        if not self._bus.failing:
            return ""
        if not self._bus.refusal:
            return f"the broker at {self._broker} is not reached"
        refusal = f"the broker at {self._broker} refuses this device ({self._bus.refusal})"
        return f"{refusal}; enrol it again where the controller does not know it any more"

    def start(
        self,
        on_change: Callable[[bool], None],
        on_ring: Callable[[], None],
        on_desired: Callable[[DesiredState], None] | None = None,
    ) -> None:
        """Begin to connect and to listen, inside the running event loop."""
        self._on_ring, self._on_desired = on_ring, on_desired
        self._bus.start(on_change)
        self._task = asyncio.create_task(self._listen(), name="mqtt pipe")

    async def close(self) -> None:
        """Leave the broker; whoever waits for an answer gets a LinkError."""
        await self._bus.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(LinkError("the link is closed"))

    def hello(self, boot_id: str, desired_version: int) -> None:
        """Ask for the desired state; it comes through `on_desired`.

        Raises:
            LinkError: not connected.
        """
        message = device_plane_pb2.Hello(
            device=self._device, boot_id=boot_id, desired_version=desired_version
        )
        self._send(Up.HELLO, message)

    async def report(self, report: DeviceReport) -> None:
        """See `Link.report`."""
        key = (Down.ACK, report.boot_id, report.sequence)
        await self._ask(Up.REPORT, codec.encode_report(report), key)

    async def send_telemetry(self, batch: TelemetryBatch) -> None:
        """See `Link.send_telemetry`."""
        key = (Down.STORED, batch.boot_id, batch.sequence)
        await self._ask(Up.TELEMETRY, codec.encode_telemetry(batch), key)

    async def fetch(self, digest: str, offset: int) -> AsyncIterator[bytes]:
        """See `Link.fetch`: window after window, each asked for again where chunks were lost."""
        total: int | None = None
        silent = 0
        while total is None or offset < total:
            request_id = next(self._request_ids)
            chunks = self._transfers[request_id] = asyncio.Queue(_CHUNKS_HELD)
            request = artifact_pb2.FetchRequest(
                device=self._device,
                digest=digest,
                offset_bytes=offset,
                length_bytes=_WINDOW_BYTES,
                request_id=request_id,
            )
            end = offset + _WINDOW_BYTES
            try:
                self._send(Up.FETCH, request)
                while offset < end and (total is None or offset < total):
                    chunk = await asyncio.wait_for(chunks.get(), _SILENCE_S)
                    _refused(chunk)
                    total = chunk.total_bytes
                    if chunk.offset_bytes > offset:
                        raise TimeoutError
                    if chunk.offset_bytes == offset and chunk.data:
                        silent = 0
                        offset += len(chunk.data)
                        yield chunk.data
            except TimeoutError:
                silent += 1
                if silent == _ATTEMPTS:
                    raise LinkError(
                        f"{digest}: no bytes for {_ATTEMPTS * _SILENCE_S:g} s", Reason.TIMED_OUT
                    ) from None
            finally:
                del self._transfers[request_id]

    async def _ask(self, channel: Up, message: Protobuf, key: _Key) -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers[key] = answer
        try:
            self._send(channel, message)
            await asyncio.wait_for(answer, _ANSWER_S)
        except TimeoutError:
            raise LinkError(
                f"the controller did not answer a {channel} over MQTT in {_ANSWER_S:g} s",
                Reason.TIMED_OUT,
            ) from None
        finally:
            self._answers.pop(key, None)

    def _send(self, channel: Up, message: Protobuf) -> None:
        try:
            self._bus.publish(topics.up(self._device, channel), message.SerializeToString())
        except BusError as error:
            raise LinkError(str(error), Reason(error.problem.reason)) from None

    async def _listen(self) -> None:
        while True:
            message = await self._bus.receive()
            try:
                self._take(message)
            except ValueError:
                _LOG.exception("a message on %s cannot be read", message.topic)
            self._bus.acknowledge(message)

    def _take(self, message: Message) -> None:
        channel = topics.parse_down(message.topic)
        match channel:
            case Down.DESIRED:
                state = codec.decode_desired(codec.parse(desired_pb2.DesiredState, message.payload))
                if self._on_desired is not None:
                    self._on_desired(state)
            case Down.DOORBELL:
                if self._on_ring is not None:
                    self._on_ring()
            case Down.ACK:
                ack = codec.parse(report_pb2.ReportAck, message.payload)
                self._answered((channel, ack.boot_id, ack.sequence))
            case Down.STORED:
                stored = codec.parse(telemetry_pb2.TelemetryAck, message.payload)
                self._answered((channel, stored.boot_id, stored.sequence))
            case Down.CHUNK:
                chunk = codec.parse(artifact_pb2.ArtifactChunk, message.payload)
                transfer = self._transfers.get(chunk.request_id)
                if transfer is not None and not transfer.full():
                    transfer.put_nowait(chunk)

    def _answered(self, key: _Key) -> None:
        answer = self._answers.get(key)
        if answer is not None and not answer.done():
            answer.set_result(None)


def _refused(chunk: artifact_pb2.ArtifactChunk) -> None:
    if chunk.error_reason:
        known = chunk.error_reason in set(Reason)
        raise LinkError(
            f"the controller does not send {chunk.digest} ({chunk.error_reason})",
            Reason(chunk.error_reason) if known else Reason.UNREACHABLE,
        )
