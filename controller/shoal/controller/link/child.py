"""A broker process of ours: started, waited for, and started again when it crashes."""

import asyncio
import collections
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason

_LOG = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.1
_LAST_DELAY_S = 10.0
_STEADY_S = 30.0  # a process that ran for so long starts over with the first delay
_READY_S = 15.0
_STOP_S = 5.0
_LINES_KEPT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to tell that it serves.

    `stream` yields the process's own lines; `is_ready` recognises the one that says it serves;
    `greet` runs right after the start, before anything is read.
    """

    name: str
    spawn: Callable[[], Awaitable[asyncio.subprocess.Process]]
    stream: Callable[[asyncio.subprocess.Process], asyncio.StreamReader]
    is_ready: Callable[[str], bool]
    on_line: Callable[[str], None]
    greet: Callable[[asyncio.subprocess.Process], Awaitable[None]]


class Child:
    """Keeps one process running from `start` to `close`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def process(self) -> asyncio.subprocess.Process | None:
        """The process that serves now, None between two."""
        return self._process

    async def start(self) -> None:
        """Run the program and return when it serves.

        Raises:
            FailedError: it ended or did not serve in time; the message has its last lines.
        """
        started = await self._start_once()
        self._task = asyncio.create_task(self._keep(*started), name=f"{self._program.name} child")

    async def close(self) -> None:
        """End the process, with force where it does not go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self, process: asyncio.subprocess.Process, reader: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        delay_s = _FIRST_DELAY_S
        while True:
            began = loop.time()
            try:
                code = await process.wait()
            finally:
                self._process = None
                await _end(process, reader)
            _LOG.error("%s ended with code %s; starting it again", self._program.name, code)
            delay_s = _FIRST_DELAY_S if loop.time() - began > _STEADY_S else delay_s
            while True:
                await asyncio.sleep(random.uniform(delay_s / 2, delay_s))  # noqa: S311 - no secret
                delay_s = min(_LAST_DELAY_S, 2 * delay_s)
                try:
                    process, reader = await self._start_once()
                    break
                except FailedError as error:
                    _LOG.error("%s", error)
            self.restarts += 1

    async def _start_once(self) -> tuple[asyncio.subprocess.Process, asyncio.Task[None]]:
        process = await self._program.spawn()
        ready = asyncio.Event()
        last: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        reader = asyncio.create_task(self._read(process, ready, last))
        waiting = asyncio.ensure_future(ready.wait())
        try:
            with contextlib.suppress(ConnectionError):
                await self._program.greet(process)
            await asyncio.wait(
                {waiting, reader}, timeout=_READY_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not ready.is_set():
                said = " | ".join(last) or "it said nothing"
                raise FailedError(
                    Problem(
                        reason=Reason.CRASHED,
                        message=f"{self._program.name} did not start: {said}",
                    )
                )
        except BaseException:
            await _end(process, reader)
            raise
        finally:
            waiting.cancel()
        self._process = process
        return process, reader

    async def _read(
        self,
        process: asyncio.subprocess.Process,
        ready: asyncio.Event,
        last: collections.deque[str],
    ) -> None:
        async for raw in self._program.stream(process):
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            _LOG.debug("%s: %s", self._program.name, line)
            if self._program.is_ready(line):
                ready.set()
            self._program.on_line(line)


async def _end(process: asyncio.subprocess.Process, reader: asyncio.Task[None]) -> None:
    """Terminate, then kill, then gather what is left."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    if process.stdin is not None:
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
