"""The production stores, with what a simulation needs to see of them and to do to them."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Generator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.controller.reconcile.jobs import JobRequest, JobResult
from shoal.controller.store.acts import Act
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.memory import MemoryStore, Row
from shoal.controller.store.port import Change, Delete, Listing, Part, Record, Store, Write
from shoal.controller.store.sqlite import SqliteStore
from shoal.lab.simulation.fleet import DEPLOYMENT

T = TypeVar("T")
RECORDS_AT_HAND = 500
# What is said of a deployment that is deleted: that it is, and what its devices told before.
_PARTING = {Reason.DELETED, Reason.VARIANT_FELL}
HISTORY = 5_000  # changes: no controller here is away for longer


class Halt:
    """Awaited by a commit that is to stop before it is made; `resumed` goes on from there."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class KeptStore(Store, Protocol):
    """A store that also tells at once what changed."""

    def changes_after(self, since: int) -> tuple[Change, ...]:
        """The changes there are by now."""


class InMemory(MemoryStore):
    """The production store in memory; nobody here changes what was handed out."""

    def __init__(self, new_uid: Callable[[], str]) -> None:
        super().__init__(history=HISTORY, new_uid=new_uid)
        self._records: dict[int, Record] = {}

    def _record(self, row: Row) -> Record:
        """The same record for everybody who asks."""
        if row.version not in self._records:
            if len(self._records) >= RECORDS_AT_HAND:
                self._records.clear()
            self._records[row.version] = row.record()
        return self._records[row.version]


class OnDisk(SqliteStore):
    """The production store on a disk: whoever asks waits until it has answered."""

    def __init__(self, path: Path, new_uid: Callable[[], str]) -> None:
        self._loop = asyncio.new_event_loop()
        self._file = self._loop.run_until_complete(open_sqlite(path))
        super().__init__(self._file, history=HISTORY, new_uid=new_uid)

    def close(self) -> None:
        """Let go of the file."""
        self._loop.run_until_complete(self._file.close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def get(self, kind: str, namespace: str, name: str) -> Record:
        """See `Store.get`."""
        return self._loop.run_until_complete(super().get(kind, namespace, name))

    async def list(
        self, kind: str, namespace: str | None = None, part: Part | None = None
    ) -> Listing:
        """See `Store.list`."""
        return self._loop.run_until_complete(super().list(kind, namespace, part))

    async def commit(self, writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
        """See `Store.commit`."""
        return self._loop.run_until_complete(super().commit(writes, act))

    def changes_after(self, since: int) -> tuple[Change, ...]:
        """The changes there are by now."""
        return self._loop.run_until_complete(self._changes_after(since))

    async def _changes_after(self, since: int) -> tuple[Change, ...]:
        newest = (await self.kept())[-1]
        found: list[Change] = []
        if since < newest:
            async for change in self.changes(since):
                found.append(change)
                if change.record.resource_version == newest:
                    break
        return tuple(found)


class SharedStore:
    """One store for every controller: it outlives them all.

    With `halting` set, the next commit stops before it is made: whoever decided it is frozen there,
    or killed. `decider` names whose pass is under way, `decided_by` whose pass changed a rollout or
    an assignment last; `decided` counts these changes, and `late` says that the last one was
    stopped before it was made. `assigned` is what each device is told now, and `farewell` what the
    pass that ended a deleted deployment said beside. `written` is called after every commit.
    """

    def __init__(self, written: Callable[[], None], disk: Path | None) -> None:
        numbers = itertools.count(1)

        def uid() -> str:
            return f"uid-{next(numbers)}"

        self.kept_in: KeptStore = InMemory(uid) if disk is None else OnDisk(disk, uid)
        self.get, self.list = self.kept_in.get, self.kept_in.list
        self.changes, self.changes_after = self.kept_in.changes, self.kept_in.changes_after
        self.kept, self.acts = self.kept_in.kept, self.kept_in.acts
        self.halting = False
        self.decider = ""
        self.decided_by = ""
        self.decided = 0
        self.late = False
        self.farewell: tuple[str, ...] = ()
        self.assigned: dict[str, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._written = written

    def close(self) -> None:
        """Let go of the file, where there is one."""
        if isinstance(self.kept_in, OnDisk):
            self.kept_in.close()

    async def commit(self, writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
        """See `Store.commit`."""
        late = self.halting
        if late:
            self.halting = False
            await Halt()
        records = await self.kept_in.commit(writes, act)
        if any(one.kind in {"Rollout", "Assignment"} for one in writes):
            self.decided += 1
            self.decided_by = self.decider
            self.late = late
        if any(isinstance(one, Delete) and one.kind == "Deployment" for one in writes):
            told = [one.data["spec"] for one in records if one.kind == "Event"]
            self.farewell = tuple(
                f"{one['reason']}: {one['message']}"
                for one in told
                if one["reason"] not in _PARTING
            )
        for one in records:
            if one.kind == "Assignment":
                self.assigned[one.name] = one.data["deployments"].get(DEPLOYMENT, {})
            elif one.kind == "Event":
                self._events.append(one.data)
        self._written()
        return records

    def happened(self) -> list[dict[str, Any]]:
        """The events since this was asked last."""
        events, self._events = self._events, []
        return events


def now_or_never(work: Coroutine[Any, Any, T]) -> T:
    """The result of something that never suspends: the memory store promises that it does not."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise RuntimeError("a simulated pass suspended")


class NoBlobs:
    """Artifacts are not moved here: devices know what a digest is."""

    def has(self, digest: Digest) -> bool:
        """Everything is here."""
        return bool(digest)

    def size(self, digest: Digest) -> int:
        """Never asked for."""
        raise RuntimeError(f"nobody asks for the size of {digest}")

    def path(self, digest: Digest) -> Path:
        """Never asked for."""
        raise RuntimeError(f"nobody reads {digest}")

    async def put_file(self, path: Path) -> Digest:
        """Never asked for."""
        raise RuntimeError(f"nobody stores {path}")

    async def read(self, digest: Digest, offset: int, length: int) -> bytes:
        """Never asked for."""
        raise RuntimeError(f"nobody reads {digest} from {offset} for {length}")


class NoJobs:
    """Searches are finished before the simulation begins."""

    async def run(self, request: JobRequest) -> JobResult:
        """Never asked for."""
        raise RuntimeError(f"nobody searches {request.key}")
