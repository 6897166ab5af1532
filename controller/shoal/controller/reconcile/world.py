"""What every pass works with: the cache to read, the store to write, and the other ports."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from shoal.controller.reconcile.cache import KINDS, Cache
from shoal.controller.reconcile.jobs import Jobs
from shoal.controller.reconcile.live import Live
from shoal.controller.reconcile.witnesses import NoWitness, Witness
from shoal.controller.store.port import BlobStore, Delete, Put, Record, Store, Write

T = TypeVar("T")


class Beside(Protocol):
    """Where what takes long is computed: beside the event loop, which answers others meanwhile."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """What `work` returns; it reads nothing that anybody may change."""


async def at_once(work: Callable[[], T]) -> T:
    """In the caller's place, for one thread that is to decide the same every time."""
    return work()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often devices speak, in seconds, and after how much silence they count as lost."""

    heartbeat_s: float = 30.0
    telemetry_window_s: float = 10.0

    @property
    def late_after_s(self) -> float:
        """Two missed heartbeats, and some slack for a busy device."""
        return 2 * self.heartbeat_s + 5

    @property
    def lost_after_s(self) -> float:
        """Long enough that a reboot is not a loss."""
        return 6 * self.heartbeat_s + 15


@dataclass(slots=True)
class World:
    """Ports of one controller; `now` is seconds since the epoch."""

    store: Store
    blobs: BlobStore
    jobs: Jobs
    now: Callable[[], float]
    cadence: Cadence
    cache: Cache = field(default_factory=Cache)
    witness: Witness = field(default_factory=NoWitness)
    live: Live = field(default_factory=Live)
    beside: Beside = at_once

    async def load(self) -> int:
        """Fill the cache; returns the version from which changes are to be followed."""
        listings = [await self.store.list(kind) for kind in KINDS]
        # At once, so that no pass ever sees a fleet of which half the kinds are missing.
        self.cache.replace(record for one in listings for record in one.records)
        # The first listing is the oldest: following from there repeats changes but skips none.
        return listings[0].resource_version

    async def commit(self, writes: Sequence[Write]) -> tuple[Record, ...]:
        """Write all or nothing, and see it in the cache at once.

        Raises:
            ConflictError: the cache was behind; the pass is to run again.
        """
        if not writes:
            return ()
        records = await self.store.commit(writes)
        for write, record in zip(writes, records, strict=True):
            if isinstance(write, Put):
                self.cache.put(record)
            else:
                self.cache.drop(record)
        return records


def put_over(
    known: Record | None, kind: str, place: tuple[str, str], data: dict[str, object]
) -> Put:
    """The write of `data` over `known`, or the creation of (namespace, name) where it is None."""
    return Put(
        kind=kind,
        namespace=place[0],
        name=place[1],
        data=data,
        expected=known.resource_version if known else None,
    )


def delete_of(record: Record) -> Delete:
    """The deletion of exactly this version."""
    return Delete(
        kind=record.kind,
        namespace=record.namespace,
        name=record.name,
        expected=record.resource_version,
    )
