"""An agent from enrolment to confirmation, and through everything that may kill it."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
from shoal.contract.report import Phase

from tests.e2e.agents import GOLDEN_ROWS, MODEL, a_fleet, until_true
from tests.e2e.engines import a_request

REQUEST = a_request([[1.0, 2.0, 3.0, 4.0]])


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
            async with httpx.AsyncClient() as client:
                answer = (await client.post(agent.url, json=REQUEST)).json()
            assert answer["model_name"] == MODEL

            await fleet.assign("one", await fleet.model(2, generation=2))
            report = await fleet.until_reported("one", Phase.CONFIRMED, 2)
            assert report.fetched_bytes > 0
            assert [one["generation"] for one in agent.status()["switches"]] == [1, 2]
            assert await agent.end(signal.SIGTERM) == 0
            assert (
                not (agent.state / "slots" / "default.reader" / "current").readlink().is_absolute()
            )

    asyncio.run(main())
