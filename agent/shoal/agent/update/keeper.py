"""Keeps an engine process running: started again with back-off whenever it ends."""

import asyncio
import logging

from shoal.agent.core import events as ev
from shoal.agent.core.ports import Clock, EngineProcess
from shoal.agent.errors import EngineError
from shoal.agent.update.engine_work import EngineWork
from shoal.agent.update.executor import Executor

STEADY_S = 10.0  # an engine that lived so long had started well
AGAIN_FIRST_S = 0.25
AGAIN_MAX_S = 30.0

_log = logging.getLogger(__name__)


def again_s(failures: int) -> float:
    """How long to wait before the next start: none, 0.25, 0.5, 1, … 30 s after 1, 2, 3, … ends.

    The first one is immediate, because clients are waiting in the backlog.
    """
    if failures <= 1:
        return 0.0
    return min(AGAIN_FIRST_S * 2.0 ** min(failures - 2, 16), AGAIN_MAX_S)


class EngineKeeper:
    """The engine's life beside the core."""

    def __init__(self, engine: EngineProcess, work: EngineWork, executor: Executor) -> None:
        self._engine = engine
        self._work = work
        self._executor = executor
        self._exits: asyncio.Queue[int] = asyncio.Queue()

    def exited(self, returncode: int) -> None:
        """The process ended without being asked to: nobody asks it anything from here on."""
        _log.warning("the engine ended with %d; it is started again", returncode)
        self._work.gone()
        self._executor.feed(ev.EngineExited(returncode=returncode))
        self._exits.put_nowait(returncode)

    async def run(self, clock: Clock) -> None:
        """Keep it running until cancelled."""
        failures = 0
        while True:
            started = clock.now()
            try:
                await self._engine.start()
            except EngineError as error:
                _log.error("the engine does not start: %s", error)
            else:
                self._work.ready()
                await self._exits.get()
            steady = clock.now() - started >= STEADY_S
            failures = 1 if steady else failures + 1
            await clock.sleep(again_s(failures))
