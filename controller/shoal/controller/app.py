"""The controller put together: the only place that knows every part.

Start: data directory → database → reconcile loop → devices' side → operators' side, which answers
only when everything behind it does. End, in this order (measured in the engineering notes): no new
requests and no new calls, requests in flight answered, bus and broker, reconcile loop, database.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from shoal.contract.problem import FailedError, InvalidError, Problem
from shoal.contract.reason import Reason
from shoal.controller import datadir
from shoal.controller.api.app import create_app
from shoal.controller.api.health import VERSION
from shoal.controller.api.ports import ApiPorts
from shoal.controller.api.server import HttpServer, bind
from shoal.controller.datadir import Endpoints
from shoal.controller.link import addresses
from shoal.controller.link.addresses import Address
from shoal.controller.link.authority import Authority
from shoal.controller.link.plane import PlanePorts
from shoal.controller.link.service import Links, LinkSettings, start_links
from shoal.controller.metering.exposition import Exposition
from shoal.controller.metering.traffic import Traffic
from shoal.controller.reconcile import authorship
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.foresight import Foresight
from shoal.controller.reconcile.hindsight import Hindsight
from shoal.controller.reconcile.jobs import ProcessJobs
from shoal.controller.reconcile.live import Live
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.prometheus import Prometheus
from shoal.controller.reconcile.rollcalls import RollCalls
from shoal.controller.reconcile.rollouts import StoredRollouts
from shoal.controller.reconcile.sweeping import Sweeper
from shoal.controller.reconcile.witnesses import Recorder
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.settings import Settings, settle
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.decisions import SqliteDecisions
from shoal.controller.store.port import TelemetryStore
from shoal.controller.store.sqlite import SqliteStore
from shoal.controller.store.sqlite_telemetry import SqliteTelemetry
from shoal.controller.web import pages
from shoal.controller.web.panel import Panel, Sources

_LISTEN = "--listen"
_LOG_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def command(
    config: Annotated[Path | None, typer.Option(help="YAML file with these options.")] = None,
    data: Annotated[str | None, typer.Option(help="Where everything is kept.")] = None,
    store: Annotated[str | None, typer.Option(help="sqlite:///PATH (default: in DATA).")] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT for operators.")] = None,
    listen_devices: Annotated[str | None, typer.Option(help="HOST:PORT for devices.")] = None,
    mqtt: Annotated[
        str | None, typer.Option(help="auto, mosquitto, embedded, off or the URL of a broker.")
    ] = None,
    mqtt_listen: Annotated[str | None, typer.Option(help="HOST:PORT of our own broker.")] = None,
    root_path: Annotated[
        str | None, typer.Option(help="Path under which a proxy serves this, such as /shoal.")
    ] = None,
) -> None:
    """Run the controller until Ctrl-C.

    Example: shoal serve --data /var/lib/shoal --listen 127.0.0.1:8470

    Port 0 picks a free port and prints it. The broker is mosquitto where it is installed, else an
    embedded one for this machine alone.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=_LOG_FORM)
    gc.set_threshold(50_000, 20, 50)  # to look through a large fleet in memory takes 0.3 s
    for noisy in ("uvicorn", "alembic", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options = {
        "data": data,
        "store": store,
        "listen": listen,
        "listen_devices": listen_devices,
        "mqtt": mqtt,
        "mqtt_listen": mqtt_listen,
        "root_path": root_path,
    }
    settings = settle(config, options)
    try:
        received = asyncio.run(serve(settings))
    except FailedError as error:
        if error.problem.reason != Reason.PORT_IN_USE:
            raise
        # The port is a value of the command line: to choose another is the caller's part.
        raise InvalidError(error.problem) from error
    if received == signal.SIGINT:
        raise KeyboardInterrupt


async def serve(settings: Settings) -> int:
    """Run a controller until a signal; returns which one.

    Raises:
        ConflictError: another controller has the data directory.
        FailedError: a port is in use, or a part could not start.
    """
    ending = _Ending()
    with datadir.locked(settings.data):
        async with _running(settings, ending) as parts:
            endpoints = _endpoints(parts)
            with datadir.announced(settings.data, endpoints):
                _print_endpoints(settings.data, endpoints)
                await ending.wait(parts.tasks)
    return ending.received


class _Ending:
    """Waits for the first reason to end: a signal, or a part that ended by itself."""

    def __init__(self) -> None:
        self.received = 0
        self.stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)

    async def wait(self, tasks: "tuple[asyncio.Task[None], ...]") -> None:
        """Return at a signal; raise what a part failed of."""
        stopped = asyncio.create_task(self.stopping.wait())
        done, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()
            raise FailedError(
                Problem(reason=Reason.INTERNAL, message=f"{task.get_name()} ended by itself")
            )

    def _end(self, number: int) -> None:
        self.received = number
        self.stopping.set()
        # A second one is not caught: it ends a shutdown that hangs.
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(one)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What runs: where operators reach it, the devices' side, and the tasks that must not end."""

    http: Address
    links: Links
    tasks: tuple[asyncio.Task[None], ...]


@contextlib.asynccontextmanager
async def _running(settings: Settings, ending: _Ending) -> AsyncIterator[_Parts]:
    """Every part, started in order and ended in the reverse one."""
    address = addresses.free(addresses.parse(settings.listen, _LISTEN), _LISTEN)
    async with contextlib.AsyncExitStack() as stack:
        bound = stack.enter_context(bind(address.host, address.port))
        blobs = Blobs(settings.data)
        database = await open_sqlite(settings.database)
        stack.push_async_callback(database.close)
        store, cache = SqliteStore(database), Cache()
        telemetry = Traffic(SqliteTelemetry(database), cache)
        decisions, decider = SqliteDecisions(database), authorship.author(VERSION)
        recorder = Recorder(decisions, decider, asyncio.to_thread)
        watchers = (recorder, _live(settings, telemetry))
        world = _world(settings, (store, blobs, cache), watchers)
        reconciler = Reconciler(world)
        reconciling = await stack.enter_async_context(_reconciling(reconciler))
        sweeping = await stack.enter_async_context(_sweeping(settings, store, blobs))
        links = await start_links(
            PlanePorts(
                store=store,
                telemetry=telemetry,
                blobs=blobs,
                authority=Authority.open(settings.data / "ca"),
                now=time.time,
            ),
            _link_settings(settings),
        )
        stack.push_async_callback(links.close)
        ports = ApiPorts(
            store=store,
            telemetry=telemetry,
            blobs=blobs,
            rollouts=StoredRollouts(store, time.time),
            roll_calls=RollCalls(world),
            foresight=Foresight(world),
            hindsight=Hindsight(world, decisions, decider.code),
            metrics=Exposition(VERSION, world, reconciler, telemetry),
            now=time.time,
            loopback_only=address.is_loopback,
            root_path=settings.root_path,
            stopping=ending.stopping,
        )
        panel = Panel(Sources(store=store, telemetry=telemetry, now=time.time))
        dashboard = pages.router(panel, VERSION, ending.stopping)
        server = HttpServer(create_app(ports, dashboard), bound)
        serving = await stack.enter_async_context(_serving(server, ending))
        yield _Parts(http=address, links=links, tasks=(reconciling, sweeping, serving))


def _live(settings: Settings, telemetry: TelemetryStore) -> Live:
    prometheus = Prometheus(settings.prometheus) if settings.prometheus else None
    return Live(telemetry, prometheus, settings.telemetry_window_s)


def _world(
    settings: Settings, kept: tuple[SqliteStore, Blobs, Cache], watchers: tuple[Recorder, Live]
) -> World:
    store, blobs, cache = kept
    return World(
        cache=cache,
        store=store,
        blobs=blobs,
        jobs=ProcessJobs(settings.data / "jobs", blobs.path, settings.retention_s),
        now=time.time,
        cadence=Cadence(
            heartbeat_s=settings.heartbeat_s, telemetry_window_s=settings.telemetry_window_s
        ),
        witness=watchers[0],
        live=watchers[1],
        beside=asyncio.to_thread,
    )


def _link_settings(settings: Settings) -> LinkSettings:
    return LinkSettings(
        listen=settings.listen_devices,
        mqtt=settings.mqtt,
        mqtt_listen=settings.mqtt_listen,
        data=settings.data,
    )


@contextlib.asynccontextmanager
async def _sweeping(
    settings: Settings, store: SqliteStore, blobs: Blobs
) -> "AsyncIterator[asyncio.Task[None]]":
    sweeper = Sweeper(store=store, litter=blobs, now=time.time, retention_s=settings.retention_s)
    task = asyncio.create_task(sweeper.run(), name="the sweep")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _reconciling(reconciler: Reconciler) -> "AsyncIterator[asyncio.Task[None]]":
    task = asyncio.create_task(reconciler.run(), name="the reconcile loop")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await reconciler.close()


@contextlib.asynccontextmanager
async def _serving(server: HttpServer, ending: _Ending) -> "AsyncIterator[asyncio.Task[None]]":
    task = asyncio.create_task(server.run(), name="the HTTP server")
    try:
        await server.wait_started()
        yield task
    finally:
        ending.stopping.set()  # endless answers end, or the server would wait for them
        server.stop()
        await asyncio.gather(task, return_exceptions=True)


def _endpoints(parts: _Parts) -> Endpoints:
    broker = parts.links.mqtt_address
    return Endpoints(
        http=f"http://{parts.http}",
        grpc=str(parts.links.grpc_address),
        mqtt=None if broker is None else str(broker),
        broker=parts.links.broker_kind,
        pid=os.getpid(),
    )


def _print_endpoints(data: Path, endpoints: Endpoints) -> None:
    typer.echo(f"shoal {VERSION}: controller ready, data in {data}")
    typer.echo(f"  operators  {endpoints.http}/")
    typer.echo(f"  devices    {endpoints.grpc}")
    typer.echo(f"  mqtt       {endpoints.mqtt or '-'} ({endpoints.broker})")
