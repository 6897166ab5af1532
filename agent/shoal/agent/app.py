"""The agent put together: the only place that knows every part.

Order of a start: own the state folder, listen, know who we are (which asks the controller once in a
device's life), serve what served before, and only then talk to the controller.
"""

import asyncio
import importlib.metadata
import logging
import random
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from shoal.agent import listening
from shoal.agent.link import enrol, factory
from shoal.agent.link import identity as identities
from shoal.agent.link.enrol import EnrolmentRequest
from shoal.agent.link.identity import Identity
from shoal.agent.runtime import hardware
from shoal.agent.runtime.benchmark import BenchmarkChild
from shoal.agent.runtime.engine_process import EngineChild
from shoal.agent.runtime.preflight import PreflightChild
from shoal.agent.settings import Joining, RunSettings, UnixAddress
from shoal.agent.state_folder import StateFolder
from shoal.agent.supervisor import Parts, Place, Supervisor
from shoal.agent.update.clock import SystemClock
from shoal.agent.update.disk import LocalDisk
from shoal.contract.problem import UnreachableError

JOIN_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # the last one for ever

_log = logging.getLogger(__name__)

Stop = asyncio.Future[signal.Signals]


async def enroll(state: Path, joining: Joining) -> Identity:
    """Join a fleet once.

    Raises:
        ProblemError: the controller refused or was not reached, or another agent runs here.
    """
    with StateFolder(root=state).locked():
        return await _enrol(state, joining)


async def run(settings: RunSettings) -> signal.Signals:
    """Serve until a signal says to stop; that signal.

    Raises:
        ProblemError: it cannot start: not enrolled, the address is taken, the state is in use.
    """
    folder = StateFolder(root=settings.state)
    with folder.locked():
        async with _stopping() as stop:
            with _listening(settings) as opened:
                await _until(stop, _serve(settings, folder, opened))
            return stop.result()


async def _serve(settings: RunSettings, folder: StateFolder, opened: socket.socket) -> None:
    identity = await _identity(settings)
    rng = random.Random()  # noqa: S311 - jitter
    kind = factory.LinkKind(settings.link)
    place = Place(
        folder=folder,
        device=identity.device,
        namespace=identity.namespace,
        boot_id=uuid.uuid4().hex,
        agent_version=agent_version(),
        hardware=hardware.measure(folder.root),
        link_name=factory.LinkKind.MQTT if kind is factory.LinkKind.MQTT else "grpc",
        serving_url=listening.url_of(opened),
    )
    parts = Parts(
        link=factory.open_link(kind, identity, rng),
        prober=PreflightChild(),
        benchmark=BenchmarkChild(),
        disk=LocalDisk(folder.root),
        clock=SystemClock(),
        rng=rng,
    )
    supervisor = Supervisor(
        place, parts, lambda on_window, on_exit: EngineChild([opened], on_window, on_exit)
    )
    _log.info("%s serves on %s", place.device, place.serving_url)
    await supervisor.run()


async def _identity(settings: RunSettings) -> Identity:
    """Who we are; joins first where nobody knows us yet, for as long as nobody answers."""
    if identities.exists(settings.state) or settings.joining is None:
        return identities.load(settings.state)
    for attempt in range(1 << 30):
        try:
            return await _enrol(settings.state, settings.joining)
        except UnreachableError as error:
            pause_s = JOIN_AGAIN_S[min(attempt, len(JOIN_AGAIN_S) - 1)]
            _log.warning("%s; asking again in %g s", error.problem.message, pause_s)
            await asyncio.sleep(pause_s)
    raise RuntimeError("unreachable: thirty years of asking")


async def _enrol(state: Path, joining: Joining) -> Identity:
    return await enrol.enrol(
        EnrolmentRequest(
            server=joining.server,
            token=joining.token,
            state=state,
            hardware=hardware.measure(state),
            agent_version=agent_version(),
            name=joining.name,
            labels=joining.labels,
        )
    )


def agent_version() -> str:
    """The version of the installed package."""
    return importlib.metadata.version("shoal")


@contextmanager
def _listening(settings: RunSettings) -> Iterator[socket.socket]:
    with listening.listen(settings.serve) as opened:
        try:
            yield opened
        finally:
            if isinstance(settings.serve, UnixAddress):
                settings.serve.path.unlink(missing_ok=True)


@asynccontextmanager
async def _stopping() -> AsyncIterator[Stop]:
    """The first of SIGTERM and SIGINT that comes inside the block."""
    loop = asyncio.get_running_loop()
    stop: Stop = loop.create_future()

    def told(number: signal.Signals) -> None:
        if not stop.done():
            stop.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _until(stop: Stop, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` until `stop`; its own failure comes first."""
    task = asyncio.ensure_future(work)
    either: set[asyncio.Future[Any]] = {stop, task}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
