"""The store as everybody else sees it: three ports and the values that cross them.

Laws of `Store`, held by one contract suite on every backend:

S1  One version counter for the whole store; each write takes the next one, none is used twice.
S2  A commit is all or nothing, and readers see all of it or nothing.
S3  Every write is compare-and-swap: it names the version it replaces, or that nothing exists yet.
S4  `changes` yields every write after `since`, once, in version order, then waits for more.
S5  `data` is JSON and belongs to the caller: changing it changes nothing inside.
S6  An act given with a commit is kept with it or not at all; acts are never changed or dropped.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from shoal.contract.digest import Digest
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain.tallies import Tally, TallyKey
from shoal.controller.store.acts import Act, ActQuery, Entry

WINDOWS_KEPT_MS = 6 * 3_600_000  # telemetry windows, by arrival
BATCH_KEYS_KEPT_MS = 7 * 86_400_000  # how long a repeated batch is still recognised
EPOCHS_KEPT = 4  # of each deployment, with their tallies
VARIANTS_TALLIED = 8  # of one device in one epoch; what a device makes up beyond is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One stored document. `namespace` is empty for kinds that have none.

    `uid` is given at creation and survives every update; `resource_version` is that of the last
    write, or of the deletion.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write `data` over version `expected`; with None the record must not exist yet."""

    kind: str
    namespace: str
    name: str
    data: dict[str, Any]
    expected: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove the record at version `expected`, or at any version with None."""

    kind: str
    namespace: str
    name: str
    expected: int | None


Write = Put | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write that happened. A delete carries the last data under the delete's own version.

    `created` tells the first put of a record from later ones.
    """

    type: Literal["put", "delete"]
    record: Record
    created: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """At most `limit` records, after the place (namespace, name)."""

    after: tuple[str, str]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Records ordered by namespace and name, as of one store-wide version."""

    records: tuple[Record, ...]
    resource_version: int


class Store(Protocol):
    """Versioned JSON documents."""

    async def get(self, kind: str, namespace: str, name: str) -> Record:
        """The record.

        Raises:
            NotFoundError: there is none.
        """

    async def list(
        self, kind: str, namespace: str | None = None, part: Part | None = None
    ) -> Listing:
        """All records of a kind, in one namespace or (None) in all; with `part`, only some."""

    async def commit(self, writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
        """Apply all writes in order, or none; the records as written, one for each write.

        With `act`, the audit log says who did it.

        Raises:
            ConflictError: a record is not at the version expected (reason Conflict) or exists
                already (AlreadyExists).
            NotFoundError: a delete of any version found nothing.
        """

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Every change of every kind after version `since`, then live ones, for ever.

        Raises:
            GoneError: on iteration, when changes after `since` are no longer kept.
        """

    async def kept(self) -> range:
        """Every version that `changes` can follow from; the last is that of the newest write."""

    async def acts(self, query: ActQuery) -> Sequence[Entry]:
        """Entries of the audit log, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWindow:
    """A telemetry window and the device that sent it."""

    device: str
    window: TelemetryWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """Tallies that changed, as of `version`; those of other epochs than `epochs_ms` are gone."""

    version: int
    epochs_ms: tuple[int, ...]
    changed: tuple[tuple[TallyKey, Tally], ...]


class TelemetryStore(Protocol):
    """Telemetry windows, kept for `WINDOWS_KEPT_MS`, and tallies of them, kept for longer.

    A tally belongs to a deployment, an epoch, a device and a variant; a window goes to the newest
    epoch that began before it did. The tallies change in one step with the batch that is kept, so
    that each batch counts once, in whatever order batches come. A deployment without an epoch has
    no tallies: what devices make up is not counted.
    """

    async def ingest(self, batch: TelemetryBatch, received_ms: int) -> bool:
        """Keep a batch; False when the same (device, boot id, sequence) was kept before."""

    async def windows(self, deployment: str | None, since_ms: int) -> list[StoredWindow]:
        """Windows that end after `since_ms`, of one deployment or (None) of all, oldest first."""

    async def mark(self, deployment: str, epoch_ms: int) -> None:
        """Count windows that begin at `epoch_ms` or later apart; again changes nothing.

        Only the newest `EPOCHS_KEPT` epochs are kept.
        """

    async def tallies(self, deployment: str, since: int) -> Tallies:
        """What changed after version `since` of an earlier answer; 0 for all there is."""

    async def forget(self, deployment: str) -> None:
        """Drop the epochs and tallies of a deployment that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDecision:
    """One decision of a rollout: the facts for people, and the inputs while they are kept.

    Decisions of a deployment are numbered from 1; `body` is None once newer ones took its room.
    """

    number: int
    facts: dict[str, Any]
    body: bytes | None


class DecisionStore(Protocol):
    """The newest decisions of each deployment, `DECISIONS_KEPT` of them.

    Of the newest `SNAPSHOTS_KEPT`, within `SNAPSHOT_BYTES_KEPT` together, the inputs are kept too;
    those of the very newest whatever their size.
    """

    async def keep(self, deployment: str, facts: dict[str, Any], body: bytes) -> None:
        """Keep a decision under the next number; the oldest beyond the limits go."""

    async def decisions(self, deployment: str) -> list[KeptDecision]:
        """What is kept of a deployment (`namespace/name`), oldest first."""

    async def forget(self, deployment: str) -> None:
        """Drop what is kept of a deployment that is gone."""


class BlobStore(Protocol):
    """Content-addressed immutable files."""

    def has(self, digest: Digest) -> bool:
        """Whether the whole blob is here."""

    def size(self, digest: Digest) -> int:
        """Its length in bytes.

        Raises:
            NotFoundError: it is not here.
        """

    def path(self, digest: Digest) -> Path:
        """Where it lies, to be read only.

        Raises:
            NotFoundError: it is not here.
        """

    async def put_file(self, path: Path) -> Digest:
        """Keep a copy of the file at `path`; durable on return."""

    async def read(self, digest: Digest, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; empty at the end.

        Raises:
            NotFoundError: it is not here.
        """
