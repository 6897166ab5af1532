"""Ports that fail, lie or break: the executor turns each into an event that the core knows."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shoal.agent.core.ports import Counters, LoadedSlot, ProbeRequest, ProbeResult, SlotSpec
from shoal.agent.errors import EngineError
from shoal.contract.assignment import DesiredState
from shoal.contract.reason import Reason
from shoal.contract.report import DeviceReport, Phase
from tests.unit.agent_core.builders import an_assignment, blob
from tests.unit.agent_core.device import STATE, Device, run, until
from tests.unit.agent_core.memory import MemoryEngine, MemoryLink, MemoryProber
from tests.unit.agent_core.memory_disk import MemoryDisk


def test_a_candidate_that_does_not_load_fails_and_the_old_one_serves() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.engine.refusals = [Reason.LOAD_FAILED] * 3
            device.desire(2, an_assignment("b", generation=2))
            report = await device.until(Phase.FAILED, 2)
            assert report.reason == Reason.LOAD_FAILED
            assert report.running_generation == 1

    run(scenario)


def test_a_blob_damaged_while_the_agent_was_away_is_not_served() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.desire(2, an_assignment("b", generation=2))
            await device.until(Phase.CONFIRMED, 2)
        path = STATE / "blobs" / "sha256" / blob("b").removeprefix("sha256:")
        device.disk.truncate(path, 0)
        async with device.running():
            report = await device.until(Phase.LOCAL_ROLLBACK, 2)
            assert report.reason == Reason.DIGEST_MISMATCH
            await until(lambda: device.engine.active)
            assert device.engine.active["default/digits"].variant == blob("a")

    run(scenario)


class BrokenProber(MemoryProber):
    async def probe(self, request: ProbeRequest) -> ProbeResult:
        raise ValueError(f"a defect with {request.candidate.name}")


def test_a_defect_in_a_port_fails_the_assignment_instead_of_stalling_it() -> None:
    async def scenario(device: Device) -> None:
        device.prober = BrokenProber()
        async with device.running():
            device.desire(1, an_assignment("a"))
            report = await device.until(Phase.FAILED, 1)
            assert report.reason == Reason.INTERNAL
            assert "a defect" in report.message

    run(scenario)


class BrokenEngine(MemoryEngine):
    """Breaks in every way that no engine should, once each."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = {"load", "golden", "remove"}

    def _once(self, what: str) -> None:
        if what in self.broken:
            self.broken.remove(what)
            raise KeyError(what)

    async def load(self, slot: SlotSpec) -> LoadedSlot:
        self._once("load")
        return await super().load(slot)

    async def golden(self, deployment: str, generation: int, golden: Path) -> tuple[int, ...]:
        self._once("golden")
        return await super().golden(deployment, generation, golden)

    async def remove(self, deployment: str) -> None:
        self._once("remove")
        await super().remove(deployment)


def test_defects_in_the_engine_are_tried_again() -> None:
    async def scenario(device: Device) -> None:
        device.engine = BrokenEngine()
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.desire(2)
            await until(lambda: device.status()["deployments"] == [])
            assert device.engine.active == {}

    run(scenario)


class BrokenLink(MemoryLink):
    """Breaks in every way that no link should, once each."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = {"desired", "report"}

    async def desired(self) -> AsyncIterator[DesiredState]:
        self._once("desired")
        async for state in super().desired():
            yield state

    async def report(self, report: DeviceReport) -> None:
        self._once("report")
        await super().report(report)

    def _once(self, what: str) -> None:
        if what in self.broken:
            self.broken.remove(what)
            raise KeyError(what)


def test_defects_in_the_link_end_nothing() -> None:
    async def scenario(device: Device) -> None:
        device.link = BrokenLink()
        device.offer("a")
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)

    run(scenario)


class ForgetfulEngine(MemoryEngine):
    """Has neither answers nor counts to give."""

    async def counters(self, deployment: str) -> Counters:
        raise EngineError(Reason.NOT_FOUND, f"nothing is known of {deployment}")


def test_an_engine_that_cannot_be_observed_never_confirms() -> None:
    async def scenario(device: Device) -> None:
        device.engine = ForgetfulEngine()
        async with device.running():
            device.desire(1, an_assignment("a"))
            report = await device.until(Phase.SOAKING, 1)
            assert report.good_inferences == 0

    run(scenario)


class HangingEngine(MemoryEngine):
    """Loads for ever, and breaks off when it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.loading = False

    async def load(self, slot: SlotSpec) -> LoadedSlot:
        self.loading = True
        while self.pid is not None:  # noqa: ASYNC110 - this is what it does
            await asyncio.sleep(0)
        self.loading = False
        raise EngineError(Reason.CRASHED, f"died with {slot.variant}")


async def until_loading(engine: HangingEngine, starts: int) -> None:
    await until(lambda: engine.loading and engine.starts == starts)


def test_an_engine_that_dies_with_a_candidate_counts_against_it() -> None:
    async def scenario(device: Device) -> None:
        device.engine = engine = HangingEngine()
        async with device.running():
            device.desire(1, an_assignment("a"))
            for starts in (1, 2, 3):
                await until_loading(engine, starts)
                engine.dies()
            report = await device.until(Phase.FAILED, 1)
            assert report.reason == Reason.CRASHED
            assert report.running is None

    run(scenario)


def test_a_deployment_that_leaves_a_dead_engine_is_gone() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.engine.pid = None  # dead, and nobody was told yet
            device.desire(2)
            await until(lambda: device.status()["deployments"] == [])

    run(scenario)


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.FORBIDDEN])
def test_a_controller_that_refuses_an_artifact_fails_the_assignment(reason: Reason) -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            await until(lambda: device.link.reports)
            device.link.refused_fetches = [reason] * 3
            device.desire(1, an_assignment("a"))
            report = await device.until(Phase.FAILED, 1)
            assert report.reason == reason

    run(scenario)


def test_a_controller_that_sends_too_little_is_asked_again_and_then_given_up() -> None:
    async def scenario(device: Device) -> None:
        for artifact in an_assignment("a").artifacts:
            device.link.artifacts[artifact.digest] = b""
        async with device.running():
            device.desire(1, an_assignment("a"))
            report = await device.until(Phase.FAILED, 1)
            assert report.reason == Reason.FETCH_FAILED

    run(scenario)


class BadDisk(MemoryDisk):
    """Cannot change names any more."""

    def link(self, target: str, path: Path) -> None:
        raise OSError(errno.EIO, f"input/output error: {path} -> {target}")


def test_links_that_cannot_be_written_do_not_stop_serving() -> None:
    async def scenario(device: Device) -> None:
        device.disk = BadDisk()
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)

    run(scenario)
