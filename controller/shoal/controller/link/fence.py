"""The embedded broker made safe: amqtt with authentication first and every device fenced in.

What stock amqtt 0.12.1 does, and each answer here (tests/links holds every one):

H1  A CONNECT looks up, and with clean_session deletes, the session of its client id before it is
    authenticated: anybody cuts off anybody. Here nothing is touched before the password is checked.
H2  With clean_session=0 the old session, with its old proof of identity, is authenticated instead.
    Here no session outlives its connection; each connection proves itself.
H3  A will is published without looking at its topic. Here a CONNECT with a will is refused.
H4  The client id need not be the user name. Here it must be.
H5  There is no packet limit, no deadline for the first packet and none for a silent peer. Here
    there are all three.

This overrides private methods, so the version of amqtt is pinned exactly.
"""

import asyncio
import math
from typing import Any

from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, ListenerConfig
from amqtt.errors import MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from shoal.contract import topics
from shoal.contract.limits import MQTT_PACKET_BYTES
from shoal.controller.link import credentials

_CONNECT_S = 10.0
_KEEPALIVE_GRACE = 1.5  # MQTT 3.1.1 section 3.1.2.10


class Fences:
    """Who may log in, and what each may say and hear."""

    def __init__(self, controller: str, secret: str) -> None:
        self._controller = controller
        self._secrets = {controller: secret}

    def admit(self, user: str, secret: str) -> None:
        """Let `user` in with this stored secret."""
        self._secrets[user] = secret

    def expel(self, user: str) -> None:
        """Let `user` in no more."""
        self._secrets.pop(user, None)

    def knows(self, user: str | None, password: str | None) -> bool:
        """Whether the password is the user's."""
        stored = self._secrets.get(user or "")
        return stored is not None and credentials.matches(password or "", stored)

    def allows(self, user: str, topic: str, action: Action) -> bool:
        """Whether `user` may publish to, subscribe to or receive from `topic`."""
        if user not in self._secrets:
            return False
        if user == self._controller:
            if action is Action.PUBLISH:
                return topic.startswith(f"{topics.ROOT}/") and topic.split("/")[-2:-1] == ["down"]
            return topic == topics.up_filter() or action is Action.RECEIVE
        side = "up" if action is Action.PUBLISH else "down"
        return topic.startswith(f"{topics.ROOT}/{user}/{side}/")


class SafeBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """An amqtt broker on one loopback listener, behind `Fences`."""

    def __init__(self, host: str, port: int, fences: Fences) -> None:
        super().__init__(
            {"listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}}, "plugins": {}}
        )
        self._fences = fences

    async def expel(self, device: str) -> None:
        """Let the device in no more, and end its connection now."""
        self._fences.expel(device)
        await self._end_connection(device)

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """H5: as the base does, over a reader that refuses long packets."""
        await self._client_connected(
            listener_name, _BoundedReader(reader), StreamWriterAdapter(writer)
        )

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, _address: str, _port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        """H1 to H5: prove the connection first, then end an older one of the same device."""
        try:
            handler, session = await asyncio.wait_for(
                _Handler.init_from_connect(reader, writer, self.plugins_manager), _CONNECT_S
            )
        except Exception as error:
            await writer.close()
            raise MQTTError(f"no usable CONNECT: {error}") from error
        if not self._proven(session):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise MQTTError(f"{session.username!r} is refused")
        await self._end_connection(session.client_id)
        session.clean_session = True
        session.parent = 0
        session.keep_alive = math.ceil(session.keep_alive * _KEEPALIVE_GRACE)
        return handler, session

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        return self._proven(session)

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        return self._fences.allows(session.username, topic, action)

    def _proven(self, session: Session) -> bool:
        return (
            not session.will_flag
            and session.client_id == session.username
            and self._fences.knows(session.username, session.password)
        )

    async def _end_connection(self, client_id: str) -> None:
        _, handler = self._sessions.get(client_id, (None, None))
        if handler is not None and isinstance(handler.writer, StreamWriterAdapter):
            # A peer that reads no more would keep an orderly close waiting for ever.
            handler.writer._writer.transport.abort()  # noqa: SLF001 - amqtt offers no abort
        await self._cleanup_session(client_id)


class _Handler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt has no types
    """H5: a peer that is silent past its keep-alive is gone."""

    def handle_read_timeout(self) -> None:
        """Make the reader loop end as it does when the peer closes."""
        if self.reader is not None:
            self.reader.feed_eof()


class _BoundedReader(StreamReaderAdapter):  # type: ignore[misc]  # amqtt has no types
    """H5: reads no more at once than the largest packet."""

    async def read(self, n: int = -1) -> bytes:
        if n > MQTT_PACKET_BYTES:
            # Not an MQTTError: those are skipped, and the stream would be out of step.
            raise ValueError(f"a packet of {n} bytes exceeds the limit of {MQTT_PACKET_BYTES}")
        data: Any = await super().read(n)
        return bytes(data)
