"""The reconcile loop: what it looks at when it starts, and when it has missed something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from shoal.controller.errors import GoneError
from shoal.controller.reconcile.loop import Reconciler
from shoal.controller.reconcile.revisions import new_revision
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Change
from tests.unit.reconcile.workshop import NOW, ScriptedJobs, a_device, a_model, a_record

DEADLINE_S = 10


class ForgetfulStore(MemoryStore):
    """Forgets the first change before anybody has read it: a device that was enrolled."""

    forgetful = True

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """See `Store.changes`."""
        if self.forgetful:
            self.forgetful = False
            await self.commit(a_device("one"))
            raise GoneError(since)
        async for change in super().changes(since):
            yield change


def play(tmp_path: Path, store: MemoryStore, story: Callable[[], Awaitable[None]]) -> None:
    """Run the loop over `store` until `story` has ended."""

    async def run() -> None:
        world = World(
            store=store,
            blobs=Blobs(tmp_path),
            jobs=ScriptedJobs(folder=tmp_path),
            now=lambda: NOW,
            cadence=Cadence(heartbeat_s=1, telemetry_window_s=1),
        )
        reconciler = Reconciler(world)
        running = asyncio.create_task(reconciler.run())
        async with asyncio.timeout(DEADLINE_S):
            await story()
        running.cancel()
        await asyncio.wait({running})
        await reconciler.close()

    asyncio.run(run())


def test_what_is_left_of_a_model_that_was_deleted_meanwhile_goes_at_the_start(
    tmp_path: Path,
) -> None:
    store = MemoryStore()

    async def story() -> None:
        async for change in store.changes(1):
            if (change.type, change.record.kind) == ("delete", "ModelRevision"):
                return

    spec = a_model().data["spec"]
    left = a_record("ModelRevision", "digits.1", new_revision("digits", 1, spec))
    asyncio.run(store.commit([left]))
    play(tmp_path, store, story)


def test_a_loop_that_fell_behind_the_kept_changes_reads_everything_anew(tmp_path: Path) -> None:
    store = ForgetfulStore()

    async def story() -> None:
        async for change in MemoryStore.changes(store, 0):
            if change.record.kind == "Assignment":
                return

    play(tmp_path, store, story)
