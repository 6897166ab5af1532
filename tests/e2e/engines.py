"""A real engine process behind real sockets, and HTTP clients for it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shoal.agent.core.ports import SlotSpec
from shoal.agent.runtime.engine_life import Patience
from shoal.agent.runtime.engine_process import PATIENCE, EngineChild
from shoal.contract import digest
from shoal.contract.telemetry import TelemetryWindow

DEPLOYMENT = "default/reader"
MODEL = "digits"
DEADLINE_S = 60.0


@dataclass(kw_only=True)
class Bench:
    """The engine, where it is reached, and what its callbacks were told."""

    engine: EngineChild
    port: int
    path: Path
    windows: list[TelemetryWindow] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)

    def tcp(self, connections: int = 1) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=DEADLINE_S,
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=None),
        )

    def unix(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(uds=str(self.path))
        return httpx.AsyncClient(base_url="http://device", transport=transport, timeout=DEADLINE_S)

    async def serve(self, path: Path, generation: int, **spec: Any) -> None:
        """Load and activate."""
        one = a_slot(path, generation, **spec)
        await self.engine.load(one)
        await self.engine.activate(one.deployment, generation)


def a_slot(path: Path, generation: int, **changes: Any) -> SlotSpec:
    values: dict[str, Any] = {
        "deployment": DEPLOYMENT,
        "model": MODEL,
        "generation": generation,
        "variant": digest.of_file(path),
        "path": path,
    }
    return SlotSpec(**{**values, **changes})


@contextlib.asynccontextmanager
async def an_engine(
    folder: Path, patience: Patience = PATIENCE, expected: Collection[str] = ()
) -> AsyncIterator[Bench]:
    path = folder / "engine.sock"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    unix.listen()
    with socket.create_server(("127.0.0.1", 0)) as tcp, unix:
        windows: list[TelemetryWindow] = []
        exits: list[int] = []
        engine = EngineChild([tcp, unix], windows.append, exits.append, patience)
        engine.expect(expected)
        await engine.start()
        try:
            yield Bench(
                engine=engine,
                port=tcp.getsockname()[1],
                path=path,
                windows=windows,
                exits=exits,
            )
        finally:
            await engine.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


def a_request(rows: list[list[float]], name: str = "x", **extra: Any) -> dict[str, Any]:
    tensor = {"name": name, "datatype": "FP32", "shape": [len(rows), len(rows[0])], "data": rows}
    return {"inputs": [tensor], **extra}
