"""The MQTT client of both sides: one paho network thread below, an asyncio queue above.

What it refuses to do: block the event loop, hold more messages than its queue, publish while there
is no broker (callers resend from their own state), or send a packet that brokers would refuse.
A message is acknowledged to the broker only when its receiver says so. Nothing is expected of the
broker's memory: sessions are clean, and every (re)connect is announced so that callers read again.
"""

import asyncio
import logging
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from shoal.contract.limits import MQTT_PACKET_BYTES
from shoal.contract.problem import Problem, UnreachableError
from shoal.contract.reason import Reason

_LOG = logging.getLogger(__name__)

_KEEPALIVE_S = 20
_FIRST_DELAY_S = 0.2  # the upper end of the first jittered delay; doubles with each failure
_STOP_S = 5.0
_HEADER_BYTES = 16  # more than fixed header, topic length and packet id together
_OUTGOING_MESSAGES = 10_000


class BusError(UnreachableError):
    """There is no broker at this moment, or it would refuse the packet."""

    def __init__(self, message: str, reason: Reason = Reason.UNREACHABLE) -> None:
        super().__init__(Problem(reason=reason, message=message))


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """Where the broker is, who we are there, and what we listen to."""

    host: str
    port: int
    user: str
    password: str
    client_id: str
    filters: tuple[str, ...]
    queue_messages: int = 1_000
    max_delay_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it came; `connection` counts connections, since ids are only good for one."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    connection: int


class Bus:
    """A connection to a broker that comes back by itself, with full jitter."""

    def __init__(self, settings: BusSettings, rng: random.Random | None = None) -> None:
        self.dropped = 0  # messages that found the queue full
        self.refusal = ""  # what the broker said when it last refused us
        self._settings = settings
        self._rng = rng or random.Random()  # noqa: S311 - spreads reconnects, keeps no secret
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._room = threading.Semaphore(settings.queue_messages)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_change: Callable[[bool], None] = _ignore
        self._connection = 0
        self._failures = 0
        self._up = False
        self._client = self._new_client()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and our subscriptions."""
        return self._up

    @property
    def failing(self) -> bool:
        """Whether the last attempt to connect came to nothing."""
        return not self._up and self._failures > 1

    def start(self, on_change: Callable[[bool], None]) -> None:
        """Begin to connect; `on_change` runs on the event loop at every connect and loss."""
        self._loop = asyncio.get_running_loop()
        self._on_change = on_change
        self._set_delay()
        self._client.connect_async(self._settings.host, self._settings.port, _KEEPALIVE_S)
        self._client.loop_start()

    async def receive(self) -> Message:
        """The next message; `acknowledge` it once it is dealt with."""
        message = await self._queue.get()
        self._room.release()
        return message

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that the message is dealt with."""
        if message.connection == self._connection:
            self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to the network thread, at least once (QoS 1), without waiting.

        Raises:
            BusError: not connected, too much waiting already, or a packet over the limit.
        """
        if len(payload) + len(topic.encode()) + _HEADER_BYTES > MQTT_PACKET_BYTES:
            raise BusError(
                f"a message of {len(payload)} bytes on {topic} exceeds the packet limit of"
                f" {MQTT_PACKET_BYTES}",
                Reason.INVALID,
            )
        if not self._up:
            raise BusError(f"no connection to the broker{self.refusal and f' ({self.refusal})'}")
        result = self._client.publish(topic, payload, qos=1)
        if result.rc != paho.MQTT_ERR_SUCCESS:
            raise BusError(f"the broker connection took no message: {paho.error_string(result.rc)}")

    async def close(self) -> None:
        """Leave the broker and end the network thread."""
        self._on_change = _ignore
        self._client.disconnect()
        # loop_stop joins the thread; a broker that hangs must not hang us.
        try:
            await asyncio.wait_for(asyncio.to_thread(self._client.loop_stop), _STOP_S)
        except TimeoutError:
            _LOG.warning("the MQTT network thread did not end in %s s", _STOP_S)

    def _new_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.username_pw_set(self._settings.user, self._settings.password)
        client.max_queued_messages_set(_OUTGOING_MESSAGES)
        client.on_socket_open = _send_at_once
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_connect_fail = self._failed
        client.on_message = self._arrived
        return client

    # What follows runs on the network thread, but for `_changed`.

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _: Any) -> None:
        if code.is_failure:
            self.refusal = str(code)
            return
        self._connection += 1
        client.subscribe([(one, 1) for one in self._settings.filters])

    def _subscribed(self, client: paho.Client, _data: Any, _mid: int, codes: Any, _: Any) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            self.refusal = f"subscription refused: {', '.join(refused)}"
            _LOG.error("the broker refused a subscription of %s", self._settings.client_id)
            client.disconnect()
            return
        self.refusal = ""
        self._failures = 0
        self._to_loop(self._changed, True)

    def _disconnected(self, _client: paho.Client, _data: Any, _flags: Any, _c: Any, _: Any) -> None:
        self._set_delay()
        self._to_loop(self._changed, False)

    def _failed(self, _client: paho.Client, _data: Any) -> None:
        self._set_delay()

    def _set_delay(self) -> None:
        """Full jitter: anywhere from nothing to a limit that doubles with each failure."""
        limit = min(self._settings.max_delay_s, _FIRST_DELAY_S * 2 ** min(self._failures, 16))
        self._failures += 1
        delay = self._rng.uniform(0, limit)
        self._client.reconnect_delay_set(delay, delay)  # type: ignore[arg-type]  # paho waits in float seconds

    def _arrived(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if not self._room.acquire(blocking=False):
            # Acknowledged although lost: a broker that waits for us would stop sending altogether,
            # and every sender of ours repeats what was not answered.
            self.dropped += 1
            client.ack(message.mid, message.qos)
            return
        self._to_loop(
            self._queue.put_nowait,
            Message(
                topic=message.topic,
                payload=bytes(message.payload),
                mid=message.mid,
                qos=message.qos,
                connection=self._connection,
            ),
        )

    def _to_loop(self, call: Callable[..., None], argument: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, argument)

    def _changed(self, up: bool) -> None:  # noqa: FBT001 - the value itself
        if up or self._up:
            self._up = up
            self._on_change(up)


def _ignore(_up: bool) -> None:  # noqa: FBT001 - the value itself
    """Nobody listens yet, or any more."""


def _send_at_once(_client: paho.Client, _data: Any, sock: Any) -> None:
    """No Nagle: a small packet behind another would wait for a delayed acknowledgement, 40 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
