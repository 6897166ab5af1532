"""A controller's whole API on a real port, over a store in memory that tests fill."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoal.controller.api.app import create_app
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.server import HttpServer, bind
from shoal.controller.metering.exposition import Exposition
from shoal.controller.metering.traffic import Traffic
from shoal.controller.reconcile.foresight import Foresight
from shoal.controller.reconcile.hindsight import Hindsight
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.rollcalls import RollCalls
from shoal.controller.reconcile.world import World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.decisions import MemoryDecisions
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry
from shoal.controller.store.port import Put
from tests.unit.api.conftest import RecordedRollouts, a_world


@dataclass
class Controller:
    """The API without its passes: what a controller concludes is stored by the test."""

    world: World
    loop: asyncio.AbstractEventLoop
    address: str
    rollouts: RecordedRollouts = field(default_factory=RecordedRollouts)

    def store(self, resources: Iterable[dict[str, Any]]) -> None:
        """Keep these resources as if they had been written by passes and people."""
        puts = [
            Put(
                kind=one["kind"],
                namespace=one["metadata"].get("namespace", "default"),
                name=one["metadata"]["name"],
                data=one,
                expected=None,
            )
            for one in resources
        ]
        self._wait(self.world.store.commit(puts))

    def catch_up(self) -> None:
        """Let plans and explanations see what was stored."""
        self._wait(self.world.load())

    def _wait(self, work: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return done.result(10)


@contextlib.contextmanager
def serving(data: Path) -> Iterator[Controller]:
    """A running API."""
    bound = bind("127.0.0.1", 0)
    blobs, rollouts = Blobs(data), RecordedRollouts()
    world = a_world(MemoryStore(history=500), blobs)
    telemetry = Traffic(MemoryTelemetry(), world.cache)
    ports = ApiPorts(
        store=world.store,
        telemetry=telemetry,
        blobs=blobs,
        rollouts=rollouts,
        roll_calls=RollCalls(world),
        foresight=Foresight(world),
        hindsight=Hindsight(world, MemoryDecisions(), "sha256:c0de"),
        metrics=Exposition("0", world, Reconciler(world), telemetry),
        now=time.time,
    )
    server = HttpServer(create_app(ports), bound)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.run(),))
    thread.start()
    try:
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        yield Controller(world=world, loop=loop, address=address, rollouts=rollouts)
    finally:
        loop.call_soon_threadsafe(ports.stopping.set)
        server.stop()
        thread.join()
        loop.close()
        bound.close()
