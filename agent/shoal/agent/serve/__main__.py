"""The engine process: `python -m shoal.agent.serve`, started by the supervisor alone.

It inherits the listening sockets and its end of the control line, and is the one composition root
on this side of the line. Requests are accepted only after the order `open`: until then clients wait
in the sockets' backlog instead of being told that a model is missing which is about to be loaded.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from shoal.agent.serve import lifeline
from shoal.agent.serve.answering import Answering
from shoal.agent.serve.control import Control
from shoal.agent.serve.engine import Engine
from shoal.agent.serve.loader import Loader
from shoal.agent.serve.protocol import Protocol
from shoal.agent.serve.slots import Slots

# A server that closes an idle connection while a request is on its way loses that request, so the
# client is left to close first.
KEEP_ALIVE_S = 3600
DRAIN_S = 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the control line ends or orders the end."""
    parser = argparse.ArgumentParser(prog="shoal.agent.serve", description=__doc__)
    parser.add_argument("--parent", type=int, required=True, help="the supervisor's process id")
    parser.add_argument("--control", type=int, required=True, help="descriptor of the control line")
    parser.add_argument("--listen", type=int, action="append", default=[], help="of a socket")
    options = parser.parse_args(arguments)
    lifeline.die_with(options.parent)
    # Both may be sent to a whole group of processes; the supervisor decides when serving ends.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="engine %(levelname)s %(message)s")
    sockets = [socket.socket(fileno=descriptor) for descriptor in options.listen]
    asyncio.run(_serve(socket.socket(fileno=options.control), sockets))
    # Nothing is left to save, and a hung model must not keep its thread's process alive.
    os._exit(0)


async def _serve(line: socket.socket, sockets: list[socket.socket]) -> None:
    slots = Slots()
    threads = ThreadPoolExecutor(max(2, len(os.sched_getaffinity(0))), "inference")
    engine = Engine(slots, Loader())
    server = _server(Protocol(Answering(slots, threads, engine.shadow)))
    serving: list[asyncio.Task[None]] = []

    def open_port() -> None:
        if not serving:
            serving.append(asyncio.create_task(server.serve(sockets=sockets)))

    control = Control(engine, open_port)
    await control.serve(line, lambda: _drain(server, serving))


async def _drain(server: uvicorn.Server, serving: Sequence[asyncio.Task[None]]) -> None:
    """Answer what is inside, then close; the listening sockets live on in the supervisor."""
    server.should_exit = True
    await asyncio.gather(*serving, return_exceptions=True)


def _server(application: Protocol) -> uvicorn.Server:
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = uvicorn.Server(config)
    # uvicorn takes the signals and raises them again when it ends, which would end the process
    # before its last windows are sent.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


if __name__ == "__main__":
    main()
