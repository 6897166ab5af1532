"""The reconcile loop: follows the store's changes, keeps the queue, runs one pass at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from shoal.contract.problem import ConflictError
from shoal.controller.errors import GoneError
from shoal.controller.reconcile import deployments, devices, models, profiles, routing, tiers
from shoal.controller.reconcile.meter import Ending, PassMeter
from shoal.controller.reconcile.queue import Key, WorkQueue
from shoal.controller.reconcile.world import World

log = logging.getLogger(__name__)

_SUSPICIOUS_S = 5.0  # lost races end after one or two tries; a pass that waits this long never wins

Pass = Callable[[Key], Awaitable[float | None]]


class Reconciler:
    """Keeps the store's status, assignments and revisions true to its specs and observations."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.meter = PassMeter()
        self._queue = WorkQueue()
        self._searches = models.Searches(world, self._queue.add)
        self._passes: Mapping[str, Pass] = {
            "Device": lambda key: devices.reconcile(world, key),
            "DeviceProfile": lambda key: profiles.reconcile(world, key),
            "Model": lambda key: models.reconcile(world, self._searches, key),
            "Deployment": lambda key: deployments.reconcile(world, key),
            tiers.KIND: lambda key: tiers.reconcile(world, key),
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have passes."""
        return tuple(self._passes)

    @property
    def waiting(self) -> int:
        """How many passes wait for their turn."""
        return self._queue.waiting

    async def run(self) -> None:
        """Reconcile until cancelled."""
        since = await self._load()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(since))
            tasks.create_task(self._work())

    async def close(self) -> None:
        """End searches that still run; they go on at the next start."""
        await self._searches.close()

    async def _load(self) -> int:
        """Read everything and look at all of it."""
        since = await self._world.load()
        self._look_at_everything()
        return since

    def _look_at_everything(self) -> None:
        """A pass for every resource, also for what is left of Models that are gone."""
        cache = self._world.cache
        for kind in self._passes:
            for record in cache.all(kind):
                self._queue.add(Key(kind, record.namespace, record.name))
        for record in cache.all("Device"):
            self._queue.add(tiers.key_of(record.namespace))
        for record in cache.all("ModelRevision"):
            self._queue.add(Key("Model", record.namespace, str(record.data["model"])))

    async def _follow(self, since: int) -> None:
        while True:
            try:
                async for change in self._world.store.changes(since):
                    before = self._world.cache.apply(change)
                    for key in routing.affected(self._world.cache, change, before):
                        self._queue.add(key)
            except GoneError:
                log.warning("changes since version %d are no longer kept; reading all anew", since)
                since = await self._load()

    async def _work(self) -> None:
        while True:
            now = self._world.now()
            if self._queue.set_back(now):
                log.warning("the clock was set back; looking at everything anew")
                self._look_at_everything()
            key = self._queue.take(now)
            if key is None:
                due = self._queue.due_at()
                await self._queue.wait(None if due is None else max(0.0, due - now))
                continue
            await self._run(key)
            # A pass with nothing to write never waits; devices and operators are to get their turn.
            await asyncio.sleep(0)

    async def _run(self, key: Key) -> None:
        try:
            with self.meter.timed(key.kind):
                wake_at = await self._passes[key.kind](key)
        except ConflictError:
            self.meter.ended(key.kind, Ending.REFUSED)
            # Somebody wrote first. The change that did it is on its way to the cache.
            delay_s = self._queue.fail(key, self._world.now())
            if delay_s >= _SUSPICIOUS_S:
                log.exception("the pass of %s is refused again and again", key)
        except Exception:
            self.meter.ended(key.kind, Ending.FAILED)
            delay_s = self._queue.fail(key, self._world.now())
            log.exception("the pass of %s failed and runs again in %.1f s", key, delay_s)
        else:
            self.meter.ended(key.kind, Ending.DONE)
            self._queue.finish(key)
            if wake_at is not None:
                self._queue.add_at(key, wake_at)
