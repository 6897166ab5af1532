"""Trials on a scout: measured while nothing else goes on, told for as long as they are wanted."""

import asyncio
from dataclasses import replace

from shoal.agent.core.ports import ProbeRequest, ProbeResult
from shoal.agent.update.load import Load
from shoal.contract import digest
from shoal.contract.assignment import Assignment, DesiredState, Trial
from shoal.contract.histogram import Histogram
from shoal.contract.reason import Reason
from shoal.contract.report import Phase, TrialResult
from shoal.contract.telemetry import TelemetryWindow
from tests.unit.agent_core.builders import PASSED, an_assignment
from tests.unit.agent_core.device import Device, run, sized, until
from tests.unit.agent_core.test_agent_speed import SetClock


def a_trial(variant: str) -> Trial:
    return Trial(key=f"trial-{variant}", assignment=sized(an_assignment(variant, golden=False)))


def ask(device: Device, version: int, trials: tuple[Trial, ...], *running: Assignment) -> None:
    device.link.states.put_nowait(
        DesiredState(
            device="one",
            version=version,
            assignments=tuple(sized(one) for one in running),
            telemetry_window_s=2.0,
            heartbeat_s=5.0,
            trials=trials,
        )
    )


def told(device: Device) -> tuple[TrialResult, ...]:
    return device.link.reports[-1].trials if device.link.reports else ()


def staged(device: Device) -> list[str]:
    """Files of trials on the disk."""
    return [str(path) for path in device.disk.entries if "trials" in path.parts]


class HangingProber:
    """Never ends before it is told to; remembers who had to make way."""

    def __init__(self) -> None:
        self.asked: list[ProbeRequest] = []
        self.ended = 0
        self.go = asyncio.Event()

    async def probe(self, request: ProbeRequest) -> ProbeResult:
        self.asked.append(request)
        try:
            if "trials" in request.candidate.parts:
                await self.go.wait()
        except asyncio.CancelledError:
            self.ended += 1
            raise
        return ProbeResult(result=PASSED)


def test_trials_are_measured_reported_and_leave_nothing() -> None:
    async def scenario(device: Device) -> None:
        device.offer("a", "b")
        async with device.running():
            ask(device, 1, (a_trial("a"), a_trial("b")))
            await until(lambda: len(told(device)) == 2)
            assert [one.key for one in told(device)] == ["trial-a", "trial-b"]
            assert told(device)[0].result == PASSED
            assert device.link.reports[-1].scouts
            assert device.link.reports[-1].deployments == ()
            assert not device.engine.active
            assert staged(device) == []
            ask(device, 2, (a_trial("b"),))
            await until(lambda: [one.key for one in told(device)] == ["trial-b"])
            assert len(device.prober.requests) == 2

    run(scenario)


def test_the_same_trials_again_are_not_measured_again_and_an_old_state_says_nothing() -> None:
    async def scenario(device: Device) -> None:
        device.offer("a")
        async with device.running():
            ask(device, 2, (a_trial("a"),))
            await until(lambda: told(device))
            ask(device, 2, (a_trial("a"),))
            ask(device, 1, ())
            count = len(device.link.reports)
            await until(lambda: len(device.link.reports) > count + 1)
            assert len(told(device)) == 1
            assert len(device.prober.requests) == 1

    run(scenario)


def test_what_does_not_run_is_told_with_its_reason() -> None:
    async def scenario(device: Device) -> None:
        device.offer("a", "b")
        device.prober.refusals = [Reason.CRASHED]
        async with device.running():
            ask(device, 1, (a_trial("a"), a_trial("b")))
            await until(lambda: len(told(device)) == 2)
            assert [one.reason for one in told(device)] == [Reason.CRASHED, ""]

    run(scenario)


def test_a_trial_that_cannot_be_fetched_ends_too() -> None:
    async def scenario(device: Device) -> None:
        device.link.refused_fetches = [Reason.NOT_FOUND]
        async with device.running():
            ask(device, 1, (a_trial("a"),))
            await until(lambda: told(device))
            assert told(device)[0].result is None
            assert told(device)[0].reason

    run(scenario)


def test_a_trial_waits_for_an_install_and_makes_way_for_the_next() -> None:
    async def scenario(device: Device) -> None:
        prober = HangingProber()
        device.prober = prober  # type: ignore[assignment]
        device.offer("a", "b", "c")
        async with device.running():
            first = an_assignment("a")
            ask(device, 1, (a_trial("c"),), first)
            await device.until(Phase.CONFIRMED, 1)
            await until(lambda: len(prober.asked) == 2)
            ask(device, 2, (a_trial("c"),), replace(an_assignment("b"), generation=2, revision=2))
            await device.until(Phase.CONFIRMED, 2)
            assert prober.ended == 1
            prober.go.set()
            await until(lambda: told(device))
            assert told(device)[0].result == PASSED

    run(scenario)


def test_a_restart_forgets_results_and_measures_again() -> None:
    async def scenario(device: Device) -> None:
        device.offer("a")
        for boot in (1, 2):
            async with device.running():
                ask(device, boot, (a_trial("a"),))
                await until(lambda: bool(told(device)))
                assert len(device.prober.requests) == boot
            device.link.reports.clear()

    run(scenario)


def a_window(
    busy_ms: float, lasted_ms: int = 10_000, deployment: str = "default/a"
) -> TelemetryWindow:
    return TelemetryWindow(
        deployment=deployment,
        variant=digest.of_bytes(b"a"),
        generation=1,
        start_ms=0,
        duration_ms=lasted_ms,
        requests=100,
        errors=0,
        latency_ms=Histogram(buckets=((0, 100),), total=busy_ms),
    )


def test_many_requests_keep_trials_away_and_the_controller_learns_of_it() -> None:
    async def scenario(device: Device) -> None:
        prober = HangingProber()
        device.prober = prober  # type: ignore[assignment]
        device.offer("a")
        for_long = 1_000_000_000
        async with device.running():
            device.engine.on_window(a_window(for_long / 2, for_long))
            ask(device, 1, (a_trial("a"),))
            await until(lambda: device.link.reports and not device.link.reports[-1].scouts)
            assert prober.asked == []
            device.engine.on_window(a_window(1.0, for_long))
            await until(lambda: prober.asked)
            device.engine.on_window(a_window(for_long / 2, for_long))
            await until(lambda: prober.ended)
            prober.go.set()
            device.engine.on_window(a_window(1.0, for_long))
            await until(lambda: told(device))
            assert device.link.reports[-1].scouts

    run(scenario)


def test_the_example_of_a_load_is_heavy_for_two_windows_and_over_all_deployments() -> None:
    clock = SetClock(1_000.0)
    load = Load(clock)
    assert not load.heavy
    load.add(a_window(3_000.0))
    assert load.heavy
    load.add(a_window(2_000.0))
    assert not load.heavy
    load.add(a_window(2_000.0, deployment="default/b"))
    assert load.heavy
    clock.seconds += 20
    assert not load.heavy
