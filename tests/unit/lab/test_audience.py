"""The demo's clients: a wrong answer is a dropped request, and their own end is no silence."""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from shoal.contract.problem import FailedError
from shoal.lab.audience import Audience
from shoal.lab.stage import Agent
from shoal.lab.traffic import DeviceTraffic, Sample

SAMPLE = Sample(body='{"id": "%d"}', label=1)
DEADLINE_S = 10


def test_clients_that_ended_are_told_instead_of_what_they_saw(tmp_path: Path) -> None:
    agent = Agent(name="one", tier="tiny", link="grpc", state=tmp_path)
    agent.status.write_text("[]")  # no status at all, which no client can go on with
    with (
        Audience([agent], "digits", [SAMPLE]) as audience,
        pytest.raises(FailedError, match="the clients ended"),
    ):
        look_until_told(audience)


def look_until_told(audience: Audience) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        assert audience.tallies[0].sent == 0
        time.sleep(0.01)


@pytest.mark.parametrize("answer", [b"[]", b"null", b'{"id": "0", "outputs": null}'])
def test_an_answer_that_is_no_prediction_is_a_dropped_request(
    tmp_path: Path, answer: bytes
) -> None:
    async def story() -> None:
        server = await asyncio.start_server(answering(answer), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        traffic = DeviceTraffic(a_status(tmp_path, f"http://{host}:{port}"), "digits", [SAMPLE])
        running = asyncio.create_task(traffic.run())
        async with asyncio.timeout(DEADLINE_S):
            while traffic.tally.dropped < 3:
                assert not running.done()
                await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        server.close()

    asyncio.run(story())


def a_status(folder: Path, url: str) -> Path:
    """What an agent writes whose device serves at `url`."""
    status = folder / "status.json"
    deployment = {"model": "digits", "phase": "Confirmed", "running": "sha256:00"}
    status.write_text(json.dumps({"serving": url, "switches": [], "deployments": [deployment]}))
    return status


def answering(answer: bytes) -> Any:
    """A server that gives every request this answer and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
        writer.write(head.encode() + answer)
        await writer.drain()
        writer.close()

    return serve
