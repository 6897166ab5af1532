"""The MQTT client without a broker: what it refuses at once."""

import asyncio
import random
import socket

import pytest

from shoal.contract.limits import MQTT_PACKET_BYTES
from shoal.contract.mqtt import Bus, BusError, BusSettings
from shoal.contract.reason import Reason


def a_bus(port: int) -> Bus:
    settings = BusSettings(
        host="127.0.0.1",
        port=port,
        user="dev-a",
        password="secret",
        client_id="dev-a",
        filters=("a/+",),
        max_delay_s=0.01,
    )
    return Bus(settings, random.Random(1))


def test_nothing_is_published_without_a_broker() -> None:
    bus = a_bus(1)
    assert not bus.connected
    with pytest.raises(BusError, match="no connection to the broker"):
        bus.publish("a/b", b"")


def test_a_packet_over_the_limit_is_refused_before_anything_else() -> None:
    with pytest.raises(BusError, match="exceeds the packet limit") as refused:
        a_bus(1).publish("a/b", b"x" * MQTT_PACKET_BYTES)
    assert refused.value.problem.reason == Reason.INVALID


def test_a_bus_that_never_connects_can_be_left() -> None:
    async def scenario() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            bus = a_bus(closed.getsockname()[1])
            changes: list[bool] = []
            bus.start(changes.append)
            await bus.close()
            assert changes == []

    asyncio.run(scenario())
