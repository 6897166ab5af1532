"""Runs the effects of the core through the ports and feeds their answers back.

`feed` is synchronous: it decides, makes the decision durable and starts the effects before it
returns, so that no answer overtakes another. Engine work of all deployments goes through one lock
in the order in which the core asked for it, and only while an engine process is there.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from shoal.agent.core import machine, saved
from shoal.agent.core.effects import (
    Activate,
    Answered,
    Cancel,
    Collect,
    Discard,
    Effect,
    Fetch,
    Load,
    Observe,
    Point,
    Probe,
    Remove,
    Restore,
    Survey,
)
from shoal.agent.core.events import Counted, Desired, EngineExited, Event, Restored, RestoreFailed
from shoal.agent.core.lives import Context, referenced
from shoal.agent.core.ports import Clock, Rng
from shoal.agent.update.blobs import BlobStore
from shoal.agent.update.engine_work import EngineWork
from shoal.agent.update.failures import failure
from shoal.agent.update.journal import Journal
from shoal.agent.update.slots import SlotLinks
from shoal.agent.update.staging import Staging

AGAIN_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is kept on disk."""

    journal: Journal
    blobs: BlobStore
    links: SlotLinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What runs effects."""

    staging: Staging
    engine: EngineWork
    clock: Clock
    rng: Rng


class Executor:
    """The live context and the effects under way.

    `on_change` is called after every step that changed what is saved. While the disk refuses the
    journal, what would be irreversible waits, but what served comes back after a crash (I1): that
    step is repeated from the journal if the agent ends before it could be written.
    """

    def __init__(
        self, keeping: Keeping, workers: Workers, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self._keeping = keeping
        self._workers = workers
        self._on_change = on_change
        self._waiting: deque[Event] = deque()
        self._blocked = False
        self._refusal = ""  # why the journal could not be written last
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._loose: set[asyncio.Task[None]] = set()
        self.context = Context()

    def start(self) -> None:
        """Take up where the journal ends; needs neither engine nor controller yet."""
        self.context, effects = saved.resume(self._keeping.journal.replay(), self._now())
        # A full disk must not keep what it holds from serving (I1).
        self._tolerant(lambda: self._keeping.journal.record(saved.save(self.context)))
        self._run_all(effects)
        self._on_change()

    def feed(self, event: Event) -> None:
        """Handle an event now, or in its turn where the disk refuses the journal."""
        if self._blocked:
            self._set_aside(event)
            return
        self._waiting.append(event)
        self._drain()

    async def stop(self) -> None:
        """Leave every effect where it is; the journal says how to go on."""
        tasks = [*self._tasks.values(), *self._loose]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _now(self) -> float:
        return self._workers.clock.now()

    def _drain(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            after, effects = machine.step(self.context, event, self._now())
            # Durable before any effect: every irreversible step is in the journal first.
            if not self._recorded(after):
                self._block(event)
                return
            self._taken(after, effects)

    def _recorded(self, context: Context) -> bool:
        """Whether the journal says this now."""
        try:
            self._keeping.journal.record(saved.save(context))
        except OSError as error:
            if str(error) != self._refusal:
                _log.warning("the journal cannot be written: %s", error)
            self._refusal = str(error)
            return False
        return True

    def _block(self, event: Event) -> None:
        """Have this and all that follows wait until the journal can be written."""
        self._blocked = True
        self._spawn(self._drain_later())
        rest, self._waiting = self._waiting, deque()
        self._set_aside(event)
        self._waiting.extend(rest)

    def _taken(self, after: Context, effects: tuple[Effect, ...]) -> None:
        changed = saved.save(after) != saved.save(self.context)
        self.context = after
        self._run_all(effects)
        if changed:
            self._refusal = self._refusal if self._blocked else ""
            self._on_change()

    async def _drain_later(self) -> None:
        while self._blocked:
            await self._workers.clock.sleep(AGAIN_S)
            self._blocked = not self._recorded(self.context)
        self._drain()

    def _set_aside(self, event: Event) -> None:
        """Have an event wait for the journal; of what may come again and again, one waits (I5)."""
        match event:
            case EngineExited() | Restored() | RestoreFailed() | Counted():
                self._taken(*machine.step(self.context, event, self._now()))
            case Desired():
                older = [one for one in self._waiting if not isinstance(one, Desired)]
                self._waiting = deque([*older, event])
            case _ if event not in self._waiting:
                self._waiting.append(event)
            case _:
                pass

    def _run_all(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            self._run(effect)

    def _run(self, effect: Effect) -> None:
        match effect:
            case Cancel():
                task = self._tasks.pop((effect.deployment, effect.ticket), None)
                if task is not None:
                    task.cancel()
            case Collect():
                self._tolerant(lambda: self._keeping.blobs.collect(referenced(self.context)))
            case Point():
                self._tolerant(
                    lambda: self._keeping.links.point(
                        effect.deployment, effect.current, effect.previous
                    )
                )
            case Discard():
                self._spawn(self._workers.engine.discard(effect))
            case _:
                self._answered(effect)

    def _answered(self, effect: Answered) -> None:
        key = (effect.deployment, effect.ticket)
        task = asyncio.get_running_loop().create_task(self._answer(effect))
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    def _forget(self, key: tuple[str, int], task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _answer(self, effect: Answered) -> None:
        match effect:
            case Fetch() | Load() | Restore():
                await self._pause(self._workers.rng.uniform(0, effect.after_s))
            case Observe():
                await self._pause(effect.wait_s)
            case _:
                pass
        while True:
            try:
                await self._attempt(effect)
            except Exception as error:  # noqa: BLE001 - a defect must not stall a deployment (I6)
                _log.exception("%s of %s broke", type(effect).__name__, effect.deployment)
                if (failed := failure(effect, error)) is not None:
                    self.feed(failed)
                    return
                await self._workers.clock.sleep(AGAIN_S)
            else:
                return

    async def _attempt(self, effect: Answered) -> None:
        workers = self._workers
        match effect:
            case Survey():
                self.feed(await workers.staging.survey(effect))
            case Fetch():
                self.feed(await workers.staging.fetch(effect))
            case Probe():
                self.feed(await workers.staging.probe(effect))
            case Observe():
                self.feed(await workers.engine.observe(effect))
            case Load() | Activate() | Restore() | Remove():
                await workers.engine.work(effect, self.feed)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await self._workers.clock.sleep(seconds)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)

    def _tolerant(self, act: Callable[[], None]) -> None:
        """Links and garbage are brought up to date again after the next step or start."""
        try:
            act()
        except OSError as error:
            _log.warning("the disk refused: %s", error)
