"""A whole API over a store in memory, asked without a network."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from shoal.contract.problem import ConflictError, Problem
from shoal.controller.api.app import create_app
from shoal.controller.api.ports import ApiPorts, RolloutRequest
from shoal.controller.metering.exposition import Exposition
from shoal.controller.metering.traffic import Traffic
from shoal.controller.reconcile.foresight import Foresight
from shoal.controller.reconcile.hindsight import Hindsight
from shoal.controller.reconcile.jobs import JobRequest, JobResult
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.decisions import MemoryDecisions
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry

NOW_S = 1_767_323_045.678


@dataclasses.dataclass
class RecordedRollouts:
    """The `Rollouts` port over a list; a verb in `refused` is a conflict."""

    requests: list[RolloutRequest] = dataclasses.field(default_factory=list)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    refused: set[str] = dataclasses.field(default_factory=set)

    async def request(self, request: RolloutRequest) -> None:
        if request.verb in self.refused:
            message = f"there is nothing to {request.verb}"
            raise ConflictError(Problem(reason="Conflict", message=message))
        self.requests.append(request)

    async def revisions(self, deployment: str) -> Sequence[dict[str, Any]]:
        return [one for one in self.history if one["deployment"] == deployment]


class NoRollCalls:
    """The `RollCalls` port over nothing."""

    async def waves(self, namespace: str, name: str, most: int) -> list[dict[str, Any]]:
        del namespace, name
        return [{"wave": 0, "name": "canary", "devices": most, "counts": {}, "shown": []}]


def a_world(store: MemoryStore, blobs: Blobs) -> World:
    """What plans and explanations look at; nothing here is reconciled."""
    return World(store=store, blobs=blobs, jobs=NoJobs(), now=lambda: NOW_S, cadence=Cadence())


class NoJobs:
    """The `Jobs` port of a world in which nothing is searched."""

    async def run(self, request: JobRequest) -> JobResult:
        raise RuntimeError(f"nobody searches {request.key}")


@dataclasses.dataclass
class Api:
    """The ports of an API, and a client of it."""

    store: MemoryStore
    telemetry: Traffic
    blobs: Blobs
    rollouts: RecordedRollouts
    http: httpx.AsyncClient
    stopping: asyncio.Event
    world: World

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", **more)

    async def apply(self, document: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        answer = await self.ask("POST", "/apply", json=document, params={"dryRun": int(dry_run)})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def some_ports(data: Path, *, loopback_only: bool = True) -> tuple[ApiPorts, World]:
    """The ports of a controller that has nothing in its store, and the world behind them."""
    store, blobs = MemoryStore(history=50), Blobs(data)
    world = a_world(store, blobs)
    telemetry = Traffic(MemoryTelemetry(), world.cache)
    ports = ApiPorts(
        store=store,
        telemetry=telemetry,
        blobs=blobs,
        rollouts=RecordedRollouts(),
        roll_calls=NoRollCalls(),
        foresight=Foresight(world),
        hindsight=Hindsight(world, MemoryDecisions(), "sha256:c0de"),
        metrics=Exposition("0", world, Reconciler(world), telemetry),
        now=lambda: NOW_S,
        loopback_only=loopback_only,
    )
    return ports, world


@contextlib.asynccontextmanager
async def open_api(data: Path, *, loopback_only: bool = True) -> AsyncIterator[Api]:
    ports, world = some_ports(data, loopback_only=loopback_only)
    transport = httpx.ASGITransport(create_app(ports), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as http:
        store, telemetry, rollouts = ports.store, ports.telemetry, ports.rollouts
        assert isinstance(store, MemoryStore)
        assert isinstance(telemetry, Traffic)
        assert isinstance(rollouts, RecordedRollouts)
        yield Api(store, telemetry, ports.blobs, rollouts, http, ports.stopping, world)


Story = Callable[[Api], Awaitable[None]]


@pytest.fixture
def on_api(tmp_path: Path) -> Callable[[Story], None]:
    """Runs a story against a fresh API."""

    def run(story: Story, *, loopback_only: bool = True) -> None:
        async def whole() -> None:
            async with open_api(tmp_path, loopback_only=loopback_only) as api:
                await story(api)

        asyncio.run(whole())

    return run
