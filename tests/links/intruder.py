"""A bare MQTT client that does what no honest device does."""

import asyncio
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from shoal.controller.link.addresses import Address


class Intruder:
    """Connects once as it is told, collects what it receives, and never comes back by itself."""

    def __init__(self, address: Address, client_id: str, *, clean: bool = True) -> None:
        self.address = address
        self.received: list[str] = []
        self.refusal: str | None = None
        self.subscribed = asyncio.Event()
        self.answered = asyncio.Event()
        self.gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._set(self.subscribed)
        self.client.on_disconnect = lambda *_: self._set(self.gone)
        self.client.on_message = lambda _c, _d, message: self.received.append(message.topic)

    async def connect(self, user: str | None = None, password: str | None = None) -> bool:
        """Whether the broker let us in."""
        if user is not None:
            self.client.username_pw_set(user, password)
        self.client.connect_async(self.address.host, self.address.port, keepalive=5)
        self.client.loop_start()
        waits = {asyncio.ensure_future(e.wait()) for e in (self.answered, self.gone)}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self.answered.is_set() and self.refusal is None

    async def subscribe(self, *filters: str) -> None:
        self.subscribed.clear()
        self.client.subscribe([(one, 1) for one in filters])
        await self.subscribed.wait()

    async def leave(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)

    def _on_connect(self, _c: Any, _d: Any, _f: Any, code: Any, _p: Any) -> None:
        if code.is_failure:
            self.refusal = str(code)
        self._set(self.answered)

    def _set(self, event: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(event.set)
