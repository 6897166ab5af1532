"""When a device measures how fast it is, and that the controller learns of it."""

import asyncio
from dataclasses import dataclass

from shoal.agent.core.lives import Context, Life, State
from shoal.agent.update.speed import AGAIN_S, Speed
from shoal.contract.report import Phase
from tests.unit.agent_core.builders import an_assignment
from tests.unit.agent_core.device import Device, run, until
from tests.unit.agent_core.memory import MemoryBenchmark


@dataclass
class SetClock:
    """Stands until it is set."""

    seconds: float = 1_000.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def at(state: State, restore: int = 0) -> Context:
    assignment = an_assignment("a")
    life = Life(
        deployment=assignment.deployment, state=state, assignment=assignment, restore=restore
    )
    return Context(lives=(life,))


def test_at_the_start_and_then_rarely() -> None:
    benchmark, clock = MemoryBenchmark([500.0, 400.0]), SetClock()
    speed = Speed(benchmark, clock)

    async def story() -> None:
        assert await speed.look(Context())
        assert speed.score == 500
        clock.seconds += AGAIN_S - 1
        assert not await speed.look(Context())
        clock.seconds += 1
        assert await speed.look(Context())
        assert speed.score == 400

    asyncio.run(story())
    assert benchmark.asked == 2


def test_a_clock_that_is_set_back_does_not_end_it() -> None:
    benchmark, clock = MemoryBenchmark([500.0, 400.0]), SetClock(seconds=1e9)
    speed = Speed(benchmark, clock)

    async def story() -> None:
        assert await speed.look(Context())
        clock.seconds = 0.0
        assert await speed.look(Context())
        assert not await speed.look(Context())

    asyncio.run(story())


def test_never_beside_an_install_and_as_soon_as_it_has_ended() -> None:
    benchmark = MemoryBenchmark([500.0])
    speed = Speed(benchmark, SetClock())

    async def story() -> None:
        for state in (
            State.PENDING,
            State.FETCHING,
            State.PREFLIGHT,
            State.LOADING,
            State.SWITCHING,
            State.SOAKING,
            State.REMOVING,
        ):
            assert not await speed.look(at(state))
        assert not await speed.look(at(State.CONFIRMED, restore=7))
        assert benchmark.asked == 0
        assert await speed.look(at(State.CONFIRMED))

    asyncio.run(story())


def test_a_score_stays_where_a_later_one_cannot_be_measured() -> None:
    benchmark, clock = MemoryBenchmark([500.0]), SetClock()
    speed = Speed(benchmark, clock)

    async def story() -> None:
        await speed.look(Context())
        clock.seconds += AGAIN_S
        assert not await speed.look(Context())
        assert benchmark.asked == 2
        assert speed.score == 500

    asyncio.run(story())


def test_the_controller_learns_of_it() -> None:
    async def scenario(device: Device) -> None:
        device.benchmark.scores = [812.0]
        async with device.running():
            device.desire(1, an_assignment("a"))
            await device.until(Phase.CONFIRMED, 1)
            await until(lambda: device.link.reports[-1].hardware.speed_score == 812)

    run(scenario)
