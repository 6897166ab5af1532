"""An agent from enrolment to confirmation, from one variant to the next, and tidily out."""

import asyncio
import signal
from pathlib import Path

import httpx

from shoal.contract.digest import hex_of
from shoal.contract.problem import ExitCode
from shoal.contract.reason import Reason
from shoal.contract.report import Phase
from tests.e2e.agents import DEPLOYMENT, GOLDEN_ROWS, MODEL, Agent, a_fleet, alive, until_true
from tests.e2e.engines import a_request

REQUEST = a_request([[1.0, 2.0, 3.0, 4.0]])


async def until_engine(agent: Agent) -> None:
    await until_true(lambda: agent.status().get("engine_pid"))


def test_an_assignment_is_fetched_proved_switched_to_and_confirmed(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            first = await fleet.model(1, generation=1)
            await fleet.assign("one", first)
            report = await fleet.until_reported("one", Phase.CONFIRMED, 1)
            assert report.running == first.variant
            assert report.preflight is not None
            assert report.preflight.agreement == 1.0
            assert report.golden is not None
            assert report.golden.candidate == (1,) * GOLDEN_ROWS
            assert report.golden.active == ()  # a first rollout
            async with httpx.AsyncClient() as client:
                answer = (await client.post(agent.url, json=REQUEST)).json()
            assert answer["model_name"] == MODEL
            link = agent.state / "slots" / "default.reader" / "current"
            assert link.resolve().name == hex_of(first.variant)

            second = await fleet.model(2, generation=2)
            await fleet.assign("one", second)
            report = await fleet.until_reported("one", Phase.CONFIRMED, 2)
            assert report.golden is not None
            assert report.golden.candidate == (2,) * GOLDEN_ROWS
            assert report.golden.active == (1,) * GOLDEN_ROWS
            assert [one["generation"] for one in agent.status()["switches"]] == [1, 2]
            assert link.resolve().name == hex_of(second.variant)
            assert link.with_name("previous").resolve().name == hex_of(first.variant)

    asyncio.run(main())


def test_a_new_generation_of_the_running_digest_only_soaks_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            await fleet.assign("one", await fleet.model(1, generation=1))
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            await fleet.assign("one", await fleet.model(1, generation=2))
            report = await fleet.until_reported("one", Phase.CONFIRMED, 2)
            assert report.running_generation == 2
            assert report.fetched_bytes == 0
            assert len(agent.status()["switches"]) == 1

    asyncio.run(main())


def test_a_candidate_that_does_not_do_what_it_should_is_refused_while_the_old_one_serves(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            first = await fleet.model(1, generation=1)
            await fleet.assign("one", first)
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            await fleet.assign("one", await fleet.model(2, generation=2, promises=0))
            report = await fleet.until_reported("one", Phase.REFUSED, 2)
            assert report.reason == Reason.PARITY_FAILED
            assert report.running == first.variant
            async with httpx.AsyncClient() as client:
                assert (await client.post(agent.url, json=REQUEST)).status_code == 200

    asyncio.run(main())


def test_what_is_no_longer_assigned_is_removed(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            await fleet.assign("one", await fleet.model(1, generation=1))
            await fleet.until_reported("one", Phase.CONFIRMED, 1)
            await fleet.assign("one")
            await until_true(lambda: agent.status()["deployments"] == [])
            async with httpx.AsyncClient() as client:
                assert (await client.post(agent.url, json=REQUEST)).status_code == 404
            assert not (agent.state / "slots" / "default.reader").exists()
            assert list((agent.state / "blobs" / "sha256").iterdir()) == []

    asyncio.run(main())


def test_telemetry_reaches_the_controller_under_the_newest_generation(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            for generation in (1, 2):
                await fleet.assign("one", await fleet.model(1, generation=generation))
                await fleet.until_reported("one", Phase.CONFIRMED, generation)
            async with httpx.AsyncClient() as client:
                await client.post(agent.url, json=REQUEST)
            window = await fleet.until_requests(DEPLOYMENT)
            assert window.generation == 2
            assert window.requests == 1

    asyncio.run(main())


def test_a_second_agent_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            agent = await fleet.agent("one")
            await until_true(agent.status)
            twin = await fleet.agent("one")
            assert twin.process is not None
            assert await twin.process.wait() == ExitCode.CONFLICT
            assert f"another shoal-agent runs on {twin.state}" in twin.log.read_text()

    asyncio.run(main())


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            port = fleet.side.listen.rpartition(":")[2]
            agent = await fleet.agent("one", serve=f"127.0.0.1:{port}")
            assert agent.process is not None
            assert await agent.process.wait() == ExitCode.CONFLICT
            assert f"something else serves on 127.0.0.1:{port}" in agent.log.read_text()

    asyncio.run(main())


def test_a_stopped_agent_leaves_no_process_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_fleet(tmp_path) as fleet:
            for how, code in ((signal.SIGTERM, 0), (signal.SIGINT, ExitCode.INTERRUPTED)):
                agent = await fleet.agent(how.name.lower(), serve=f"unix:{tmp_path}/serve.sock")
                await until_engine(agent)
                engine = agent.engine_pid
                assert await agent.end(how) == code
                assert not alive(engine)
                assert not (tmp_path / "serve.sock").exists()

    asyncio.run(main())
