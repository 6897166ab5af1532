"""The MQTT client of both sides against real brokers."""

import random

import pytest

from shoal.agent.link.identity import Identity
from shoal.contract import topics
from shoal.contract.mqtt import Bus, BusError, BusSettings
from shoal.contract.topics import Down
from tests.links.stage import Side, Stage, until


def a_bus(side: Side, identity: Identity, *filters: str, room: int = 100) -> Bus:
    address = side.links.mqtt_address
    assert address is not None
    settings = BusSettings(
        host=address.host,
        port=address.port,
        user=identity.device,
        password=identity.secret,
        client_id=identity.device,
        filters=filters,
        queue_messages=room,
        max_delay_s=0.1,
    )
    return Bus(settings, random.Random(1))


def test_what_finds_the_queue_full_is_dropped_counted_and_stalls_nothing(
    stage: Stage, broker_kind: str
) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side(broker_kind) as side:
            identity = await side.enrol("dev-a")
            bus = a_bus(side, identity, topics.down_filter("dev-a"), room=2)
            bus.start(lambda _up: None)
            try:
                await until(lambda: bus.connected)
                for _ in range(100):
                    side.links._mqtt.ring("dev-a")  # type: ignore[union-attr]
                await until(lambda: bus.dropped == 98)
                for _ in range(2):
                    message = await bus.receive()
                    assert message.topic == topics.down("dev-a", Down.DOORBELL)
                    bus.acknowledge(message)
                side.links._mqtt.ring("dev-a")  # type: ignore[union-attr]
                bus.acknowledge(await bus.receive())
            finally:
                await bus.close()

    stage.run(scenario)


def test_every_connect_and_every_loss_is_announced(stage: Stage, broker_kind: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side(broker_kind) as side:
            identity = await side.enrol("dev-a")
            bus = a_bus(side, identity, topics.down_filter("dev-a"))
            changes: list[bool] = []
            bus.start(changes.append)
            try:
                await until(lambda: changes == [True])
                await side.stop()
                await until(lambda: changes == [True, False])
                with pytest.raises(BusError):
                    bus.publish("a", b"")
                await side.start()
                await until(lambda: changes == [True, False, True])
            finally:
                await bus.close()

    stage.run(scenario)


def test_a_refusal_is_kept_in_words(stage: Stage, broker_kind: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side(broker_kind) as side:
            identity = await side.enrol("dev-a")
            wrong = Identity(
                device="dev-a",
                secret="wrong",
                server=identity.server,
                broker=identity.broker,
                namespace="default",
            )
            bus = a_bus(side, wrong, topics.down_filter("dev-a"))
            bus.start(lambda _up: None)
            try:
                await until(lambda: bus.refusal)
                with pytest.raises(BusError, match="Not authorized"):
                    bus.publish("a", b"")
            finally:
                await bus.close()

    stage.run(scenario)


def test_a_refused_subscription_is_no_connection(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side("embedded") as side:
            identity = await side.enrol("dev-a")
            bus = a_bus(side, identity, topics.down_filter("dev-b"))
            bus.start(lambda _up: None)
            try:
                await until(lambda: "subscription refused" in bus.refusal)
                assert not bus.connected
            finally:
                await bus.close()

    stage.run(scenario)
