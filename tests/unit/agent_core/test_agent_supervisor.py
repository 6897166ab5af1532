"""The whole supervisor on in-memory ports: what it does with a controller, and without one."""

import pytest

from shoal.contract import digest
from shoal.contract.histogram import Histogram
from shoal.contract.reason import Reason
from shoal.contract.report import Phase
from shoal.contract.telemetry import TelemetryWindow
from tests.unit.agent_core.builders import an_assignment
from tests.unit.agent_core.device import STATE, Device, run, until


def a_window(generation: int = 1) -> TelemetryWindow:
    return TelemetryWindow(
        deployment="default/digits",
        variant=digest.of_bytes(b"a"),
        generation=generation,
        start_ms=1_000,
        duration_ms=1_000,
        requests=5,
        errors=0,
        latency_ms=Histogram(),
    )


def test_an_assignment_is_installed_and_reported() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            report = await device.until(Phase.CONFIRMED, 1)
            assert report.good_inferences == 100
            assert device.engine.window_s == 2.0
            assert device.status()["switches"][0]["in_flight"] == 2
            assert device.status()["deployments"][0]["phase"] == "Confirmed"
        assert device.link.closed
        assert device.engine.pid is None

    run(scenario)


def test_golden_answers_are_reported_until_they_are_acknowledged() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.link.listening = False
            device.desire(1, an_assignment("a"))
            await until(lambda: device.phase() == "Confirmed")
            device.link.listening = True
            await until(lambda: len(device.link.reports) >= 2)
            first = device.link.reports[0].deployments[0].golden
            assert first is not None
            assert first.candidate == (1, 2, 3)
            await until(lambda: device.link.reports[-1].deployments[0].golden is None)
            answered = [one for one in device.link.reports if one.deployments[0].golden]
            assert len(answered) == 1

    run(scenario)


def test_sequences_grow_and_the_newest_state_is_what_arrives() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            sequences = [one.sequence for one in device.link.reports]
            assert sequences == sorted(set(sequences))

    run(scenario)


def test_a_fetch_goes_on_where_it_broke_off() -> None:
    async def scenario(device: Device) -> None:
        long = "long " * 100
        device.offer(long)
        device.link.cut_after = 200
        async with device.running():
            device.desire(1, an_assignment(long, golden=False))
            await until(lambda: device.engine.active)
        assert device.link.fetched_from == [0, 200, 400]

    run(scenario)


def test_a_restart_serves_without_a_controller() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
        device.link.connected = False
        device.disk = device.disk.restarted()
        async with device.running():
            await until(lambda: device.engine.starts == 2 and device.engine.active)
            assert device.engine.active["default/digits"].generation == 1
            assert device.status()["connected"] is False

    run(scenario)


def test_a_dead_engine_is_started_again_with_what_it_served() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.engine.refused_starts = 2
            device.engine.dies()
            await until(lambda: device.engine.pid and device.engine.active)
            await until(lambda: restarts(device) == 1)

    run(scenario)


def restarts(device: Device) -> int:
    report = device.reported()
    return 0 if report is None else report.restarts


def test_a_refused_candidate_leaves_the_active_one() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.prober.refusals = [Reason.LATENCY_EXCEEDED]
            device.desire(2, an_assignment("b", generation=2))
            report = await device.until(Phase.REFUSED, 2)
            assert report.preflight is not None
            assert report.running_generation == 1

    run(scenario)


def test_a_removed_deployment_leaves_nothing_on_disk() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.desire(2)
            await until(lambda: device.status()["deployments"] == [])
            assert device.engine.active == {}
            assert device.disk.names(STATE / "blobs" / "sha256") == ()

    run(scenario)


def test_a_full_disk_stops_neither_serving_nor_reporting() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.disk.full = True
            device.desire(2, an_assignment("b", generation=2))
            reports = len(device.link.reports)
            await until(lambda: len(device.link.reports) > reports)
            assert device.engine.active["default/digits"].generation == 1
            device.disk.full = False
            await device.until(Phase.CONFIRMED, 2)

    run(scenario)


def test_a_full_disk_does_not_keep_a_dead_engine_from_coming_back() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.disk.full = True
            for version in (2, 3):  # the newest waits alone
                device.desire(version, an_assignment("b", generation=version))
            await until(lambda: not device.link.states.qsize())
            device.engine.dies()
            await until(lambda: device.engine.starts == 2 and device.engine.active)
            assert device.engine.active["default/digits"].generation == 1
            device.disk.full = False
            await device.until(Phase.CONFIRMED, 3)

    run(scenario)


def test_a_disk_found_full_when_the_engine_died_does_not_keep_it_from_coming_back() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.disk.full = True
            device.engine.dies()
            await until(lambda: device.engine.starts == 2 and device.engine.active)
            device.disk.full = False
            await until(lambda: restarts(device) == 1)
        device.disk = device.disk.restarted()
        async with device.running():
            device.desire(2, an_assignment("b", generation=2))
            await device.until(Phase.CONFIRMED, 2)

    run(scenario)


def test_the_first_engine_of_a_restart_is_told_what_clients_wait_for() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            assert device.engine.expected == set()
        async with device.running():
            await until(lambda: device.engine.starts == 2 and device.engine.active)
            assert device.engine.expected == {"default/digits"}

    run(scenario)


def test_what_keeps_it_from_the_controller_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    def told() -> list[str]:
        return [one.message for one in caplog.records if "controller" in one.message]

    async def scenario(device: Device) -> None:
        async with device.running():
            device.link.trouble = "the controller refuses this device"
            await until(told)
            assert device.status()["trouble"] == device.link.trouble
            device.link.trouble = ""
            await until(lambda: len(told()) > 1)

    caplog.set_level("INFO")
    run(scenario)
    assert told() == [
        "the controller refuses this device; what is active goes on serving",
        "the controller is reached again",
    ]


def test_telemetry_waits_for_the_controller_and_arrives_once() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            device.desire(2, an_assignment("a", generation=2))
            await device.until(Phase.CONFIRMED, 2)
            device.link.connected = False
            for _ in range(3):
                device.engine.on_window(a_window(generation=1))
            await until(lambda: device.status()["spool_windows"] == 3)
        async with device.running():
            await until(lambda: device.status()["spool_windows"] == 3)
            device.link.connected = True
            await until(lambda: device.link.batches)
            await until(lambda: device.status()["spool_windows"] == 0)
        assert [len(one.windows) for one in device.link.batches] == [3]
        assert device.link.batches[0].boot_id == "boot-1"
        assert device.link.batches[0].sent_ms > 0  # so that a clock far off can be told
        assert {one.generation for one in device.link.batches[0].windows} == {2}

    run(scenario)


def test_telemetry_that_was_not_acknowledged_is_sent_again_unchanged() -> None:
    async def scenario(device: Device) -> None:
        async with device.running():
            await until(lambda: device.link.reports)
            device.link.refusals = [Reason.TIMED_OUT] * 3
            device.engine.on_window(a_window())
            await until(lambda: device.link.batches)
            assert device.link.batches[0].sequence == 1

    run(scenario)
