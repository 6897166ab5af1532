"""Everything that devices connect to, started and stopped as one."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from shoal.controller.link import addresses, broker, grpc
from shoal.controller.link.addresses import Address
from shoal.controller.link.broker import Broker
from shoal.controller.link.grpc import GrpcServer, serve_grpc
from shoal.controller.link.mqtt import MqttService
from shoal.controller.link.plane import DevicePlane, PlanePorts

_LOG = logging.getLogger(__name__)
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """The values of `--listen-devices`, `--mqtt` and `--mqtt-listen`, and the data folder."""

    listen: str
    mqtt: str
    mqtt_listen: str
    data: Path


class Links:
    """The running device side of a controller."""

    def __init__(self, plane: DevicePlane, server: GrpcServer) -> None:
        self.plane = plane
        self._server = server
        self._broker: Broker | None = None
        self._mqtt: MqttService | None = None

    @property
    def grpc_address(self) -> Address:
        """Where devices reach gRPC."""
        return self._server.address

    @property
    def mqtt_address(self) -> Address | None:
        """Where devices reach the broker."""
        return None if self._broker is None else self._broker.address

    @property
    def broker_kind(self) -> str:
        """`mosquitto`, `embedded`, `url` or `off`."""
        return broker.BrokerKind.OFF if self._broker is None else self._broker.kind

    async def attach(self, chosen: Broker) -> None:
        """Run the broker and serve devices over it.

        Raises:
            FailedError: the broker did not start.
        """
        await chosen.start(self.plane.secrets())
        self._broker = chosen
        self._mqtt = MqttService(self.plane, chosen.account)
        self._mqtt.start()
        self.plane.listen(chosen.admit, self._mqtt.ring)
        self.plane.announce_broker(str(chosen.address))
        try:
            await asyncio.wait_for(self._mqtt.wait_connected(), _CONNECT_S)
        except TimeoutError:
            _LOG.warning("no connection to the broker at %s yet; still trying", chosen.address)

    async def close(self) -> None:
        """Send devices away and leave no process behind."""
        await self._server.close()
        if self._mqtt is not None:
            await self._mqtt.close()
        if self._broker is not None:
            await self._broker.close()
        await self.plane.close()


async def start_links(ports: PlanePorts, settings: LinkSettings) -> Links:
    """Serve devices over gRPC and, unless it is off, MQTT; ready on return.

    Raises:
        InvalidError: a bad address, or a broker that cannot do what was asked.
        FailedError: a port is in use, or the broker did not start.
    """
    listen = addresses.parse(settings.listen, grpc.OPTION)
    mqtt_listen = addresses.parse(settings.mqtt_listen, broker.LISTEN_OPTION)
    chosen = await asyncio.to_thread(
        broker.choose, settings.mqtt, mqtt_listen, settings.data / "broker"
    )
    async with contextlib.AsyncExitStack() as undo:
        plane = DevicePlane(ports)
        await plane.start()
        undo.push_async_callback(plane.close)
        links = Links(plane, await serve_grpc(plane, listen))
        undo.push_async_callback(links.close)
        if chosen is not None:
            undo.push_async_callback(chosen.close)
            await links.attach(chosen)
        undo.pop_all()
        return links
