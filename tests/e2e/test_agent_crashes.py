"""What may kill an agent: it serves again, and what was begun is finished."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from shoal.contract.report import Phase
from tests.e2e.agents import MODEL, Agent, a_fleet, alive, until, until_true
from tests.e2e.engines import a_request

REQUEST = a_request([[1.0, 2.0, 3.0, 4.0]])


async def answer(agent: Agent) -> int:
    """The class that the agent's model answers."""
    async with httpx.AsyncClient(timeout=30) as client:
        reply = await client.post(agent.url, json=REQUEST)
    scores: list[float] = reply.json()["outputs"][0]["data"]
    return scores.index(max(scores))


async def until_replaced(agent: Agent, engine: int) -> None:
    await until_true(lambda: agent.status()["engine_pid"] not in {None, engine})


async def until_ready(agent: Agent) -> None:
    async def said() -> bool | None:
        async with httpx.AsyncClient(timeout=30) as client:
            reply = await client.get(f"{agent.status()['serving']}/v2/models/{MODEL}/ready")
        return True if reply.status_code == 200 else None

    await until(said)


def test_a_killed_engine_comes_back_with_what_it_served(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            await fleet.assign("one", await fleet.model(1, generation=1))
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            killed = agent.engine_pid
            os.kill(killed, signal.SIGKILL)
            assert await answer(agent) == 1
            await until_replaced(agent, killed)
            report = await fleet.until_reported("one", Phase.CONFIRMED, 1)
            assert report.running_generation == 1

    asyncio.run(main())


def test_an_engine_that_keeps_dying_gets_the_previous_variant_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            for generation in (1, 2):
                await fleet.assign("one", await fleet.model(generation, generation=generation))
                await fleet.until_reported("one", Phase.CONFIRMED, generation)
            for _ in range(3):
                engine = agent.engine_pid
                os.kill(engine, signal.SIGKILL)
                await until_replaced(agent, engine)
            report = await fleet.until_reported("one", Phase.LOCAL_ROLLBACK, 2)
            assert report.running_generation == 1
            assert await answer(agent) == 1

    asyncio.run(main())


def test_a_killed_agent_takes_its_engine_along_and_serves_again_without_the_controller(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            await fleet.assign("one", await fleet.model(1, generation=1))
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            engine = agent.engine_pid
            await agent.end(signal.SIGKILL)
            await until_true(lambda: not alive(engine))
            await fleet.side.stop()
            (agent.state / "status.json").unlink()
            await agent.start()
            await until_true(lambda: agent.deployment().get("running_generation") == 1)
            await until_ready(agent)
            assert await answer(agent) == 1
            assert agent.status()["connected"] is False

            await fleet.side.start()  # on the same port
            second = await fleet.model(2, generation=2)
            await fleet.assign("one", second)
            await fleet.until_reported("one", Phase.CONFIRMED, 2)

    asyncio.run(main())


def test_a_killed_agent_answers_nobody_until_it_serves_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            path = tmp_path / "s"
            agent = await fleet.agent("one", serve=f"unix:{path}")
            await fleet.assign("one", await fleet.model(1, generation=1))
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            await agent.end(signal.SIGKILL)  # leaves its socket file behind
            await agent.start()
            assert await first_status(path) == 200
            assert await agent.end(signal.SIGTERM) == 0
            assert not path.exists()

    asyncio.run(main())


async def first_status(path: Path) -> int:
    """Of the first reply that whoever listens on this socket gives."""
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=60) as client:

        async def said() -> int | None:
            try:
                reply = await client.post(f"/v2/models/{MODEL}/infer", json=REQUEST)
            except httpx.ConnectError:  # the file of the killed one
                return None
            return reply.status_code

        return await until(said)


@pytest.mark.parametrize("phase", [Phase.FETCHING, Phase.PREFLIGHT, Phase.SOAKING])
def test_an_agent_killed_on_the_way_finishes_after_its_restart(
    tmp_path: Path, phase: Phase
) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            await fleet.assign("one", await fleet.model(1, generation=1))
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            await fleet.assign("one", await fleet.model(2, generation=2))
            await until_true(lambda: _reached(agent, phase))
            await agent.end(signal.SIGKILL)
            await agent.start()
            report = await fleet.until_reported("one", Phase.CONFIRMED, 2)
            assert report.running_generation == 2
            assert await answer(agent) == 2

    asyncio.run(main())


def _reached(agent: Agent, phase: Phase) -> bool:
    """At this phase of the second generation, or beyond it: a fast machine leaps over one."""
    order = [Phase.PENDING, Phase.FETCHING, Phase.PREFLIGHT, Phase.SOAKING, Phase.CONFIRMED]
    found = agent.deployment()
    return found["generation"] == 2 and order.index(found["phase"]) >= order.index(phase)
