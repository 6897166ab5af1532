"""The variant before, answering a share of live requests beside the one that serves.

It answers for nobody: what it says is compared with what was served, and counted. It runs in the
loader's thread at low priority, one request at a time; a request that comes while it is busy is
left out. After its time, or when it fails, it goes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from shoal.agent.serve import answers
from shoal.agent.serve.feedback import Prediction
from shoal.agent.serve.inference import Call
from shoal.agent.serve.loader import Loader
from shoal.agent.serve.slots import Slot

_log = logging.getLogger(__name__)


class Shadow:
    """One slot that served before; `ended` is called once when it is to go."""

    def __init__(self, slot: Slot, loader: Loader, ended: Callable[[], Awaitable[None]]) -> None:
        self._slot = slot
        self._loader = loader
        self._ended = ended
        self._credit = 0.0
        self._running: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, seconds: float) -> None:
        """Let it go after so long."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._leave)

    def offer(self, call: Call, prediction: Prediction, share: float) -> None:
        """Let it answer this request too, if its turn has come: of a share of 0.05 each 20th."""
        self._credit += share
        if self._credit < 1.0 or self._running is not None or self._leaving is not None:
            return
        self._credit = 0.0
        self._running = asyncio.create_task(self._answer(call, prediction))

    async def idle(self) -> None:
        """Return when no request is inside it."""
        if self._running is not None:
            await asyncio.wait((self._running,))

    async def end(self) -> Slot:
        """Stop answering; the slot, to be dropped."""
        if self._timer is not None:
            self._timer.cancel()
        await self.idle()
        return self._slot

    async def _answer(self, call: Call, prediction: Prediction) -> None:
        session = self._slot.session
        name = session.answering.name
        try:
            outputs = await self._loader.run(lambda: session.run(call.feeds, [name]))
            classes = answers.classes(outputs[0], call.rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody waits for this answer
            _log.info("%s: the variant before answers no more: %s", self._slot.spec.variant, error)
            self._leave()
            return
        finally:
            self._running = None
        both = zip(classes, prediction.classes, strict=True)
        prediction.recorder.shadowed(len(classes), sum(one != other for one, other in both))
        prediction.shadow = classes

    def _leave(self) -> None:
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._go())

    async def _go(self) -> None:
        await self._ended()
