"""One engine process from its start to its end, and the line to it (see `serve/control.py`)."""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.agent.errors import EngineError
from shoal.contract.reason import Reason

_LINE_BYTES = 4 * 1024 * 1024
_REAP_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an engine may be silent before it counts as hung.

    An order may take `order_s`: loading a large model from slow flash, or draining behind a slow
    inference. Whether it lives at all is asked every `every_s`; `misses` questions in a row
    without an answer, `within_s` each, are too many. With 2 s, 5 s and two misses an engine that
    hangs is killed after 12 s at the latest. Two, because a supervisor that was itself suspended
    finds its first question late in any case. Its clients are kept waiting for `open_s` at most
    until all that served before serves again.
    """

    every_s: float = 2.0
    within_s: float = 5.0
    misses: int = 2
    order_s: float = 120.0
    open_s: float = 5.0


class Life:
    """One engine process from its start to its end."""

    def __init__(self, sockets: Sequence[socket.socket], on_window: Callable[[Any], None]) -> None:
        ours, theirs = socket.socketpair()
        try:
            self.process = _spawn(theirs, sockets)
        except OSError as error:
            ours.close()
            raise EngineError(Reason.CRASHED, f"the engine cannot be started: {error}") from error
        finally:
            theirs.close()
        self._on_window = on_window
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._unsent: list[bytes] = []
        self.exited: asyncio.Task[int] = asyncio.create_task(self._attend(ours))

    async def order(self, op: str, timeout_s: float, **arguments: Any) -> Any:
        """The result of one order.

        Raises:
            EngineError: the engine's own refusal; CRASHED when it ends, TIMED_OUT when it is late.
        """
        if self.exited.done():
            raise EngineError(Reason.CRASHED, "the engine has ended")
        number = self.send(op, **arguments)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise EngineError(
                Reason.TIMED_OUT, f"the engine did not {op} within {timeout_s:g} s"
            ) from None
        finally:
            self._waiting.pop(number, None)

    def send(self, op: str, **arguments: Any) -> int:
        """Give an order without waiting for its result; its number."""
        number = next(self._numbers)
        message = {"id": number, "op": op, **arguments}
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if self._writer is None:
            self._unsent.append(data)
        elif not self._writer.is_closing():
            self._writer.write(data)
        return number

    async def watch(self, patience: Patience) -> None:
        """Return when the process has ended; kill it where it no longer answers."""
        missed = 0
        while missed < patience.misses:
            if not missed:
                await asyncio.sleep(patience.every_s)
            try:
                await self.order("ping", patience.within_s)
            except EngineError as error:
                if error.reason is not Reason.TIMED_OUT:
                    return
                missed += 1
            else:
                missed = 0
        _log.error("engine %d does not answer any more: killed", self.process.pid)
        await self.kill()

    async def kill(self) -> None:
        """End the process at once and wait for it."""
        self.process.kill()
        await asyncio.shield(self.exited)

    async def _attend(self, line: socket.socket) -> int:
        """Read the line to its end, then wait for the process; its return code.

        The kernel closes the line in the instant in which the process dies, however it dies.
        """
        reader, self._writer = await asyncio.open_connection(sock=line, limit=_LINE_BYTES)
        self._writer.writelines(self._unsent)
        with contextlib.suppress(OSError, ValueError):
            while text := await reader.readline():
                self._take(json.loads(text))
        self._writer.close()
        returncode = await asyncio.to_thread(_reap, self.process)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(
                    EngineError(Reason.CRASHED, f"the engine ended with {returncode}")
                )
        return returncode

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("event") == "window":
            self._on_window(message["window"])
            return
        answer = self._waiting.get(message["id"])
        if answer is None or answer.done():
            return  # nobody waits any more
        if (error := message.get("error")) is None:
            answer.set_result(message["result"])
        else:
            answer.set_exception(EngineError(Reason(error["reason"]), error["message"]))


def _spawn(line: socket.socket, sockets: Sequence[socket.socket]) -> "subprocess.Popen[bytes]":
    listening = [one.fileno() for one in sockets]
    command = [sys.executable, "-P", "-m", "shoal.agent.serve"]
    command += ["--parent", str(os.getpid()), "--control", str(line.fileno())]
    for descriptor in listening:
        command += ["--listen", str(descriptor)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=(line.fileno(), *listening),
        process_group=0,  # Ctrl-C is the supervisor's to handle
    )


def _reap(process: "subprocess.Popen[bytes]") -> int:
    """The return code; a process that closed its line but lives on is killed."""
    try:
        return process.wait(_REAP_S)
    except subprocess.TimeoutExpired:
        _log.warning("engine %d closed its line and did not end: killed", process.pid)
        process.kill()
        return process.wait()
