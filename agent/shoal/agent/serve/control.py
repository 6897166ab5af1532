"""The line between supervisor and engine: JSON, one message a line, over a socketpair.

    supervisor → engine   {"id": 7, "op": "load", "slot": {…}}
    engine → supervisor   {"id": 7, "result": {…}}   or   {"id": 7, "error": {"reason", "message"}}
                          {"event": "window", "window": {…}}

Orders run beside each other and are answered as they end; the end of the line ends the engine.
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from shoal.agent.core.ports import SlotSpec
from shoal.agent.errors import EngineError
from shoal.agent.serve import memory
from shoal.agent.serve.engine import Engine
from shoal.contract.jsonform import from_json, to_json
from shoal.contract.reason import Reason

LINE_BYTES = 4 * 1024 * 1024
# A supervisor that does not read: windows stay open and grow until it does, none is lost.
UNREAD_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)

Order = Callable[[Mapping[str, Any]], Awaitable[object]]


class Control:
    """Carries out orders until the line ends or `stop` is ordered."""

    def __init__(self, engine: Engine, open_port: Callable[[], None]) -> None:
        self._engine = engine
        self._open_port = open_port
        self._window_s = 10.0
        self._window_changed = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._orders: Mapping[str, Order] = {
            "ping": self._ping,
            "open": self._open,
            "configure": self._configure,
            "load": self._load,
            "activate": self._activate,
            "discard": self._discard,
            "remove": self._remove,
            "golden": self._golden,
            "counters": self._counters,
            "stop": self._stop,
        }

    async def serve(self, line: socket.socket, drain: Callable[[], Awaitable[None]]) -> None:
        """Read orders until there will be no more, `drain`, send the last windows and return."""
        reader, writer = await asyncio.open_connection(sock=line, limit=LINE_BYTES)
        windows = asyncio.create_task(self._send_windows(writer))
        reading = asyncio.create_task(self._read(reader, writer))
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (windows, reading, stopped):
            task.cancel()
        await asyncio.gather(windows, reading, stopped, return_exceptions=True)
        await drain()
        self._cut(writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while text := await reader.readline():
            order = json.loads(text)
            task = asyncio.create_task(self._carry_out(order, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, order: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        reply: dict[str, Any] = {"id": order["id"]}
        try:
            reply["result"] = to_json(await self._orders[order["op"]](order))
        except EngineError as error:
            reply["error"] = {"reason": error.reason, "message": error.message}
        except Exception as error:  # noqa: BLE001 - the supervisor is told whatever it is
            _log.exception("order %s", order["op"])
            reply["error"] = {"reason": Reason.INTERNAL, "message": repr(error)}
        _write(writer, reply)

    async def _send_windows(self, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(self._window_s):
                    await self._window_changed.wait()
            except TimeoutError:
                pass
            else:  # another length: the open windows go on until it is over
                self._window_changed.clear()
                continue
            if writer.transport.get_write_buffer_size() < UNREAD_BYTES:
                self._cut(writer)

    def _cut(self, writer: asyncio.StreamWriter) -> None:
        for window in self._engine.cut_windows(memory.resident_bytes()):
            _write(writer, {"event": "window", "window": to_json(window)})

    async def _ping(self, _: Mapping[str, Any]) -> None:
        """Answer."""

    async def _open(self, order: Mapping[str, Any]) -> None:
        """Also while slots are still `coming`, and once more when they are there."""
        self._engine.expect(coming=order.get("coming", False))
        self._open_port()

    async def _configure(self, order: Mapping[str, Any]) -> None:
        self._window_s = float(order["telemetry_window_s"])
        self._window_changed.set()

    async def _load(self, order: Mapping[str, Any]) -> object:
        return await self._engine.load(from_json(SlotSpec, order["slot"]))

    async def _activate(self, order: Mapping[str, Any]) -> object:
        return await self._engine.activate(order["deployment"], order["generation"])

    async def _discard(self, order: Mapping[str, Any]) -> None:
        await self._engine.discard(order["deployment"], order["generation"])

    async def _remove(self, order: Mapping[str, Any]) -> None:
        await self._engine.remove(order["deployment"])

    async def _golden(self, order: Mapping[str, Any]) -> object:
        return await self._engine.golden(
            order["deployment"], order["generation"], Path(order["golden"])
        )

    async def _counters(self, order: Mapping[str, Any]) -> object:
        return await self._engine.counters(order["deployment"])

    async def _stop(self, _: Mapping[str, Any]) -> None:
        self._stopped.set()


def _write(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
