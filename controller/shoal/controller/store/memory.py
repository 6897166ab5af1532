"""Store and telemetry in memory: what simulations and tests run on.

Except for `changes` with nothing to yield, nothing here ever suspends, so that a deterministic
simulation may drive it without an event loop.
"""

import bisect
import collections
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from shoal.contract.limits import HISTORY_OF_CHANGES
from shoal.contract.telemetry import TelemetryBatch
from shoal.controller.domain import tallies
from shoal.controller.domain.tallies import Tally, TallyKey
from shoal.controller.errors import GoneError
from shoal.controller.store.acts import Act, ActQuery, Entry, chained
from shoal.controller.store.bell import Bell
from shoal.controller.store.checks import check, missing
from shoal.controller.store.port import (
    BATCH_KEYS_KEPT_MS,
    EPOCHS_KEPT,
    VARIANTS_TALLIED,
    WINDOWS_KEPT_MS,
    Change,
    Listing,
    Part,
    Put,
    Record,
    StoredWindow,
    Tallies,
    Write,
)

Key = tuple[str, str, str]

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def random_uid() -> str:
    """A uid that nobody else has."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored record whose data is text, so that nobody can change it."""

    key: Key
    uid: str
    version: int
    text: str
    type: Literal["put", "delete"] = "put"
    created: bool = False

    def record(self) -> Record:
        """A record of its own for whoever asks."""
        kind, namespace, name = self.key
        return Record(
            kind=kind,
            namespace=namespace,
            name=name,
            uid=self.uid,
            resource_version=self.version,
            data=json.loads(self.text),
        )


class MemoryStore:
    """The `Store` port over dictionaries; `history` changes are kept for watches."""

    def __init__(
        self, history: int = HISTORY_OF_CHANGES, new_uid: Callable[[], str] = random_uid
    ) -> None:
        self._rows: dict[Key, Row] = {}
        self._history: collections.deque[Row] = collections.deque(maxlen=history)
        self._version = 0
        self._acts: list[Entry] = []
        self._bell = Bell()
        self._new_uid = new_uid

    async def get(self, kind: str, namespace: str, name: str) -> Record:
        """See `Store.get`."""
        row = self._rows.get((kind, namespace, name))
        if row is None:
            raise missing(kind, namespace, name)
        return self._record(row)

    async def list(
        self, kind: str, namespace: str | None = None, part: Part | None = None
    ) -> Listing:
        """See `Store.list`."""
        keys = sorted(k for k in self._rows if k[0] == kind and namespace in {None, k[1]})
        if part is not None:
            keys = keys[bisect.bisect_right(keys, (kind, *part.after)) :][: part.limit]
        return Listing(
            records=tuple(self._record(self._rows[key]) for key in keys),
            resource_version=self._version,
        )

    async def commit(self, writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
        """See `Store.commit`."""
        staged: dict[Key, Row] = {}
        done: list[Row] = []
        for write in writes:
            key = (write.kind, write.namespace, write.name)
            row = self._write(write, staged.get(key, self._rows.get(key)), len(done) + 1)
            staged[key] = row
            done.append(row)
        self._version += len(done)
        self._history.extend(done)
        for key, row in staged.items():
            if row.type == "put":
                self._rows[key] = row
            else:
                self._rows.pop(key, None)
        if act is not None:
            last = self._acts[-1] if self._acts else None
            self._acts.append(chained(act, self._version, last))
        if done:
            self._bell.ring()
        return tuple(self._record(row) for row in done)

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """See `Store.changes`."""
        while True:
            ticket = self._bell.ticket()
            for change in self.changes_after(since):
                yield change
                since = change.record.resource_version
            if since == self._version:
                await ticket.wait()

    def changes_after(self, since: int) -> tuple[Change, ...]:
        """The changes there are by now.

        Raises:
            GoneError: they are no longer kept, or `since` is a version this store never had.
        """
        if since not in self._kept():
            raise GoneError(since)
        fresh = itertools.takewhile(lambda row: row.version > since, reversed(self._history))
        changes = [
            Change(type=row.type, record=self._record(row), created=row.created) for row in fresh
        ]
        return tuple(reversed(changes))

    async def kept(self) -> range:
        """See `Store.kept`."""
        return self._kept()

    async def acts(self, query: ActQuery) -> Sequence[Entry]:
        """See `Store.acts`."""
        found = (entry for entry in reversed(self._acts) if query.fits(entry))
        return list(itertools.islice(found, query.limit))

    def _record(self, row: Row) -> Record:
        """What is handed out of a row; here a copy for each that asks."""
        return row.record()

    def _kept(self) -> range:
        return range(self._version - len(self._history), self._version + 1)

    def _write(self, write: Write, found: Row | None, step: int) -> Row:
        current = found if found is not None and found.type == "put" else None
        check(write, None if current is None else current.version)
        return Row(
            key=(write.kind, write.namespace, write.name),
            uid=self._new_uid() if current is None else current.uid,
            version=self._version + step,
            text=_text(write) if isinstance(write, Put) else current.text if current else "{}",
            type="put" if isinstance(write, Put) else "delete",
            created=current is None,
        )


class MemoryTelemetry:
    """The `TelemetryStore` port over a list."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str, int], int] = {}
        self._windows: list[tuple[int, StoredWindow]] = []
        self._epochs: dict[str, list[int]] = {}
        self._tallies: dict[TallyKey, tuple[int, Tally]] = {}
        self._version = 0

    async def ingest(self, batch: TelemetryBatch, received_ms: int) -> bool:
        """See `TelemetryStore.ingest`."""
        key = (batch.device, batch.boot_id, batch.sequence)
        if key in self._keys:
            return False
        self._forget(received_ms)
        self._keys[key] = received_ms
        self._windows.extend(
            (received_ms, StoredWindow(device=batch.device, window=window))
            for window in batch.windows
        )
        for place, tally in tallies.of_batch(batch, self._epochs).items():
            self._add(place, tally)
        return True

    async def windows(self, deployment: str | None, since_ms: int) -> list[StoredWindow]:
        """See `TelemetryStore.windows`."""
        found = [
            stored
            for _, stored in self._windows
            if deployment in {None, stored.window.deployment}
            and stored.window.start_ms + stored.window.duration_ms > since_ms
        ]
        return sorted(found, key=lambda one: (one.window.start_ms, one.device))

    async def mark(self, deployment: str, epoch_ms: int) -> None:
        """See `TelemetryStore.mark`."""
        epochs = sorted({*self._epochs.get(deployment, ()), epoch_ms})
        self._keep(deployment, epochs[-EPOCHS_KEPT:])

    async def tallies(self, deployment: str, since: int) -> Tallies:
        """See `TelemetryStore.tallies`."""
        found = sorted(
            (
                (version, key)
                for key, (version, _) in self._tallies.items()
                if key.deployment == deployment and version > since
            ),
            key=lambda one: one[0],
        )
        return Tallies(
            version=found[-1][0] if found else since,
            epochs_ms=tuple(self._epochs.get(deployment, ())),
            changed=tuple((key, self._tallies[key][1]) for _, key in found),
        )

    async def forget(self, deployment: str) -> None:
        """See `TelemetryStore.forget`."""
        self._keep(deployment, [])

    def _add(self, key: TallyKey, tally: Tally) -> None:
        known = self._tallies.get(key)
        if known is None:
            place = (key.deployment, key.epoch_ms, key.device)
            others = [
                one for one in self._tallies if (one.deployment, one.epoch_ms, one.device) == place
            ]
            if len(others) >= VARIANTS_TALLIED:
                return
        self._version += 1
        self._tallies[key] = (self._version, tally.merge(known[1]) if known else tally)

    def _keep(self, deployment: str, epochs_ms: list[int]) -> None:
        self._epochs[deployment] = epochs_ms
        self._tallies = {
            key: one
            for key, one in self._tallies.items()
            if key.deployment != deployment or key.epoch_ms in epochs_ms
        }

    def _forget(self, now_ms: int) -> None:
        self._keys = {k: at for k, at in self._keys.items() if at > now_ms - BATCH_KEYS_KEPT_MS}
        self._windows = [one for one in self._windows if one[0] > now_ms - WINDOWS_KEPT_MS]


def _text(write: Put) -> str:
    return _ENCODER.encode(write.data)
