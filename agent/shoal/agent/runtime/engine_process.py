"""The engine as the supervisor holds it: a child process behind one control line.

The listening sockets belong to this side and are inherited by every engine that is started, so they
outlive a crash: clients wait in the backlog and are answered by the next one. A new engine opens
its port once everything that served before, in the engine before it or before the supervisor was
started again, serves again. After a while it opens in any case and answers 503 for the rest.

An engine that hangs is killed and ends like one that crashed: one that does not answer at all, and
one that does not get through with an order that changes slots, because there is a single thread for
those and nothing but a new process gets past it (`Patience` says when).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from shoal.agent.core.ports import Counters, LoadedSlot, SlotSpec, Switched
from shoal.agent.errors import EngineError
from shoal.agent.runtime.engine_life import Life, Patience
from shoal.contract.jsonform import from_json, to_json
from shoal.contract.reason import Reason
from shoal.contract.telemetry import TelemetryWindow

START_S = 30.0  # until the first answer; cold flash is slow
STOP_S = 10.0
PATIENCE = Patience()


class EngineChild:
    """Implements the port `shoal.agent.core.ports.EngineProcess`; one event loop only."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        on_window: Callable[[TelemetryWindow], None],
        on_exit: Callable[[int], None],
        patience: Patience = PATIENCE,
    ) -> None:
        self._sockets = tuple(sockets)
        self._patience = patience
        self._on_window = on_window
        self._on_exit = on_exit
        self._window_s: float | None = None
        self._life: Life | None = None
        self._serving: set[str] = set()  # deployments with an active slot
        self._awaited: set[str] = set()  # those of the engine before, not served again yet

    @property
    def pid(self) -> int | None:
        """The process now running, None between two."""
        return None if self._life is None else self._life.process.pid

    def expect(self, deployments: Collection[str]) -> None:
        """Have the next process keep its port closed until these serve again, or cannot."""
        self._awaited.update(deployments)

    async def start(self) -> None:
        """Start a process with empty slots and return when it answers.

        Raises:
            EngineError: CRASHED or TIMED_OUT.
        """
        if self._life is not None:
            raise RuntimeError("the engine runs already")
        self._awaited, self._serving = self._awaited | self._serving, set()
        life = Life(self._sockets, self._take_window)
        try:
            await life.order("ping", START_S)
            if self._window_s is not None:
                await life.order("configure", START_S, telemetry_window_s=self._window_s)
            await self._open_when_ready(life)
        except BaseException:  # cancelled, too: nobody would ever stop this process
            await life.kill()
            raise
        self._life = life
        watch = asyncio.create_task(life.watch(self._patience), name="engine watch")
        life.exited.add_done_callback(lambda _: watch.cancel())
        life.exited.add_done_callback(lambda exited: self._ended(life, exited))

    async def stop(self) -> None:
        """Drain, end the process and wait for it; nothing happens where there is none."""
        life, self._life = self._life, None
        if life is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                with contextlib.suppress(EngineError):
                    await life.order("stop", STOP_S)
                await asyncio.shield(life.exited)
        except TimeoutError:
            await life.kill()

    async def configure(self, telemetry_window_s: float) -> None:
        """Length of the telemetry windows from now on; kept over restarts."""
        self._window_s = telemetry_window_s
        if self._life is not None:
            await self._life.order("configure", START_S, telemetry_window_s=telemetry_window_s)

    async def load(self, slot: SlotSpec) -> LoadedSlot:
        """Load and warm a candidate beside the active slot; loading it again replaces it.

        Raises:
            EngineError: LOAD_FAILED, CONFLICT or CRASHED.
        """
        try:
            result = await self._change("load", slot=to_json(slot))
        except EngineError:
            # What cannot serve again must not keep the others' clients waiting.
            await self._no_longer_awaited(slot.deployment)
            raise
        return from_json(LoadedSlot, result)

    async def activate(self, deployment: str, generation: int) -> Switched:
        """Move the pointer to a loaded candidate; the old slot drains and is dropped.

        Raises:
            EngineError: NOT_FOUND or CRASHED.
        """
        result = await self._change("activate", deployment=deployment, generation=generation)
        self._serving.add(deployment)
        await self._no_longer_awaited(deployment)
        return from_json(Switched, result)

    async def discard(self, deployment: str, generation: int) -> None:
        """Drop a loaded candidate; nothing happens where there is none."""
        await self._change("discard", deployment=deployment, generation=generation)

    async def remove(self, deployment: str) -> None:
        """Drop everything of a deployment; nothing happens where there is nothing."""
        self._serving.discard(deployment)
        await self._change("remove", deployment=deployment)
        await self._no_longer_awaited(deployment)

    async def golden(self, deployment: str, generation: int, golden: Path) -> tuple[int, ...]:
        """The active slot's answer on every golden row; -1 where there is none.

        Raises:
            EngineError: NOT_FOUND, another generation is active; BAD_DATA, CRASHED or TIMED_OUT.
        """
        result = await self._order(
            "golden", deployment=deployment, generation=generation, golden=str(golden)
        )
        return tuple(int(answer) for answer in result)

    async def counters(self, deployment: str) -> Counters:
        """Inferences of the active slot since its switch.

        Raises:
            EngineError: NOT_FOUND, no active slot; CRASHED or TIMED_OUT.
        """
        return from_json(Counters, await self._order("counters", deployment=deployment))

    async def _order(self, op: str, **arguments: Any) -> Any:
        if self._life is None:
            raise EngineError(Reason.CRASHED, "the engine does not run")
        return await self._life.order(op, self._patience.order_s, **arguments)

    async def _change(self, op: str, **arguments: Any) -> Any:
        """An order that changes slots; an engine that does not carry it out in time is ended."""
        life = self._life
        try:
            return await self._order(op, **arguments)
        except EngineError as error:
            if life is None or error.reason is not Reason.TIMED_OUT:
                raise
            await life.kill()
            raise EngineError(Reason.CRASHED, error.message) from None

    async def _open_when_ready(self, life: Life) -> None:
        if not self._awaited:
            await life.order("open", START_S)
            return

        def open_late() -> None:
            life.send("open", coming=bool(self._awaited))

        timer = asyncio.get_running_loop().call_later(self._patience.open_s, open_late)
        life.exited.add_done_callback(lambda _: timer.cancel())

    async def _no_longer_awaited(self, deployment: str) -> None:
        if deployment not in self._awaited:
            return
        self._awaited.remove(deployment)
        if not self._awaited and self._life is not None:
            self._life.send("open")

    def _take_window(self, data: Any) -> None:
        self._on_window(from_json(TelemetryWindow, data))

    def _ended(self, life: Life, exited: "asyncio.Future[int]") -> None:
        if self._life is not life:
            return  # stopped on purpose
        self._life = None
        self._on_exit(exited.result())
