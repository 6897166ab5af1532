"""What every link promises, whatever carries it: gRPC, MQTT on either broker, or both."""

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shoal.agent.core.ports import Link
from shoal.agent.errors import LinkError
from shoal.contract import digest as digests
from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram
from shoal.contract.limits import MIB
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.store.port import Delete
from tests.links.stage import HARDWARE, TRANSPORTS, Side, Stage, Transport, until

MODEL = digests.of_bytes(b"model")
OTHER = digests.of_bytes(b"other")


def a_report(**changes: Any) -> DeviceReport:
    report = DeviceReport(
        device="dev-a",
        boot_id="boot-1",
        sequence=1,
        agent_version="0.1.0",
        desired_version=1,
        hardware=HARDWARE,
    )
    return dataclasses.replace(report, **changes)


def a_batch(sequence: int) -> TelemetryBatch:
    window = TelemetryWindow(
        deployment="default/d0",
        variant=MODEL,
        generation=1,
        start_ms=1_000,
        duration_ms=1_000,
        requests=3,
        errors=0,
        latency_ms=Histogram(buckets=((1, 3),), total=3.0),
    )
    return TelemetryBatch(device="dev-a", boot_id="boot-1", sequence=sequence, windows=(window,))


@contextlib.asynccontextmanager
async def a_device(stage: Stage, transport: Transport) -> AsyncIterator[tuple[Side, Link]]:
    async with stage.side(transport.mqtt) as side:
        identity = await side.enrol("dev-a")
        async with stage.link(transport.link, identity) as link:
            yield side, link


async def answered(link: Link, report: DeviceReport) -> None:
    """Report as agents do: again and again until it is acknowledged."""
    while True:
        try:
            await link.report(report)
        except LinkError:
            await asyncio.sleep(0.05)
        else:
            return


async def content(link: Link, digest: Digest, offset: int) -> bytes:
    return b"".join([chunk async for chunk in link.fetch(digest, offset)])


def test_the_desired_state_comes_on_connect_and_on_every_change(
    stage: Stage, transport: Transport
) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            states = link.desired()
            first = await anext(states)
            assert (first.device, first.version, first.assignments) == ("dev-a", 0, ())
            assert link.connected
            await side.assign("dev-a", MODEL)
            second = await anext(states)
            assert [one.variant for one in second.assignments] == [MODEL]
            assert (second.version, second.heartbeat_s) == (1, 2.0)
            await side.assign("dev-a", MODEL, OTHER)
            third = await anext(states)
            assert [one.deployment for one in third.assignments] == ["default/d0", "default/d1"]

    stage.run(scenario)


def test_a_report_is_acknowledged_once_it_is_stored(stage: Stage, transport: Transport) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            await answered(link, a_report())
            stored = await side.record("Observation", "default", "dev-a")
            assert stored is not None
            assert stored.data["report"]["hardware"]["isa"] == ["avx2"]
            assert stored.data["last_seen_ms"] > 0

    stage.run(scenario)


def test_late_and_repeated_reports_are_acknowledged_and_change_nothing(
    stage: Stage, transport: Transport
) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            await answered(link, a_report(sequence=2, desired_version=2))
            before = await side.record("Observation", "default", "dev-a")
            for late in (a_report(sequence=2, desired_version=9), a_report(sequence=1)):
                await answered(link, late)
                assert await side.record("Observation", "default", "dev-a") == before

    stage.run(scenario)


def test_telemetry_is_stored_once_however_often_it_is_sent(
    stage: Stage, transport: Transport
) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            await answered(link, a_report())
            for sequence in (1, 1, 2):
                await link.send_telemetry(a_batch(sequence))
            stored = await side.telemetry.windows("default/d0", 0)
            assert [one.window.requests for one in stored] == [3, 3]

    stage.run(scenario)


def test_an_artifact_comes_whole_and_from_any_offset(stage: Stage, transport: Transport) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            digest, expected = await side.blob(1_500_001)
            await side.assign("dev-a", digest)
            await answered(link, a_report())
            assert await content(link, digest, 0) == expected
            for offset in (1, 65_536, 1_500_000, 1_500_001):
                assert await content(link, digest, offset) == expected[offset:]

    stage.run(scenario)


def test_a_fetch_left_in_the_middle_harms_nobody(stage: Stage, transport: Transport) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            digest, expected = await side.blob(900_000)
            await side.assign("dev-a", digest)
            await answered(link, a_report())
            transfer = link.fetch(digest, 0)
            first = await anext(transfer)
            await transfer.aclose()  # type: ignore[attr-defined]
            assert first + await content(link, digest, len(first)) == expected

    stage.run(scenario)


def test_what_is_not_in_the_desired_state_is_not_sent(stage: Stage, transport: Transport) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            digest, _ = await side.blob(1_000)
            await answered(link, a_report())
            for unknown in (digest, OTHER):
                with pytest.raises(LinkError) as refused:
                    await content(link, unknown, 0)
                assert refused.value.reason is Reason.NOT_FOUND

    stage.run(scenario)


def test_a_wrong_secret_reaches_nothing(stage: Stage, transport: Transport) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.side(transport.mqtt) as side:
            identity = await side.enrol("dev-a")
            wrong = dataclasses.replace(identity, secret="wrong")
            async with stage.link(transport.link, wrong) as link:
                states = asyncio.ensure_future(anext(link.desired()))
                with pytest.raises(LinkError):
                    await link.report(a_report())
                assert not states.done()
                assert not link.connected
                states.cancel()
                await asyncio.gather(states, return_exceptions=True)
            assert await side.record("Observation", "default", "dev-a") is None

    stage.run(scenario)


def test_everything_works_again_after_the_controller_was_restarted(
    stage: Stage, transport: Transport
) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            states = link.desired()
            await anext(states)
            await side.stop()
            with pytest.raises(LinkError):
                await link.report(a_report())
            following = asyncio.ensure_future(anext(states))
            await until(lambda: "is not reached" in link.trouble)
            await side.assign("dev-a", MODEL)
            await side.start()
            state = await following
            while state.version != 1:
                state = await anext(states)
            await answered(link, a_report())
            assert link.trouble == ""
            assert await side.record("Observation", "default", "dev-a") is not None

    stage.run(scenario)


def test_a_deleted_device_is_sent_away(stage: Stage, transport: Transport) -> None:
    async def scenario(stage: Stage) -> None:
        async with a_device(stage, transport) as (side, link):
            states = link.desired()
            await anext(states)
            await answered(link, a_report())
            await side.store.commit(
                [Delete(kind="Device", namespace="default", name="dev-a", expected=None)]
            )
            await until(lambda: "dev-a" not in side.links.plane.secrets())
            following = asyncio.ensure_future(anext(states))
            await until(lambda: not link.connected)
            await until(lambda: "refuses" in link.trouble)
            with pytest.raises(LinkError):
                await link.report(a_report(sequence=2))
            assert await side.record("Identity", "", "dev-a") is None
            assert await side.record("Observation", "default", "dev-a") is None
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    stage.run(scenario)


def test_a_killed_broker_comes_back_and_so_do_its_devices(stage: Stage, broker_kind: str) -> None:
    async def scenario(stage: Stage) -> None:
        transport = TRANSPORTS[f"mqtt-{broker_kind}"]
        async with a_device(stage, transport) as (side, link):
            states = link.desired()
            await anext(states)
            broker = side.links._broker
            process = broker.child.process  # type: ignore[union-attr]
            process.send_signal(signal.SIGKILL)
            await until(lambda: broker.child.restarts == 1)  # type: ignore[union-attr]
            await side.assign("dev-a", MODEL)
            while (await anext(states)).version != 1:
                pass
            await answered(link, a_report())

    stage.run(scenario)


def test_a_fetch_goes_on_over_the_next_broker(stage: Stage, broker_kind: str) -> None:
    async def scenario(stage: Stage) -> None:
        transport = TRANSPORTS[f"mqtt-{broker_kind}"]
        async with a_device(stage, transport) as (side, link):
            states = link.desired()
            await anext(states)
            digest, content = await side.blob(4 * MIB)
            await side.assign("dev-a", digest)
            await anext(states)
            following = asyncio.ensure_future(anext(states))
            received = bytearray()
            with contextlib.suppress(LinkError):
                async for data in link.fetch(digest, 0):
                    if not received:
                        broker = side.links._broker
                        broker.child.process.send_signal(signal.SIGKILL)  # type: ignore[union-attr]
                    received += data
            assert received
            while len(received) < len(content):
                await until(lambda: link.connected)
                with contextlib.suppress(LinkError):
                    async for data in link.fetch(digest, len(received)):
                        received += data
            assert bytes(received) == content
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    stage.run(scenario)
