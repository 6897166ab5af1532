"""What the store holds, kept in memory from its own changes: passes read here, write there.

A pass may see a state that is a moment old; compare-and-swap on the record's version then refuses
its write, and the pass runs again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shoal.controller.store.port import Change, Record

T = TypeVar("T")

KINDS = (
    "Device",
    "DeviceProfile",
    "Model",
    "Deployment",
    "Variant",
    "Event",
    "ModelRevision",
    "Rollout",
    "Assignment",
    "Observation",
    "SpeedTiers",
)


@dataclass(slots=True)
class Cache:
    """Records by kind, then by (namespace, name), and what passes have read out of them."""

    _records: dict[str, dict[tuple[str, str], Record]] = field(default_factory=dict)
    _values: dict[tuple[str, str, str], tuple[int, Any]] = field(default_factory=dict)
    _derived: dict[tuple[str, str, str], dict[str, tuple[object, Any]]] = field(
        default_factory=dict
    )

    def put(self, record: Record) -> Record | None:
        """Take in `record` unless a newer one is known; returns what it replaced."""
        kind = self._records.setdefault(record.kind, {})
        known = kind.get((record.namespace, record.name))
        if known is None or known.resource_version < record.resource_version:
            kind[record.namespace, record.name] = record
        return known

    def drop(self, record: Record) -> Record | None:
        """Forget what `record` is the end of, unless it was made again since; returns it."""
        kind = self._records.get(record.kind, {})
        known = kind.get((record.namespace, record.name))
        if known is not None and known.resource_version < record.resource_version:
            del kind[record.namespace, record.name]
            self._values.pop((record.kind, record.namespace, record.name), None)
            self._derived.pop((record.kind, record.namespace, record.name), None)
        return known

    def apply(self, change: Change) -> Record | None:
        """Take in one change of the store; returns what was there before."""
        return self.put(change.record) if change.type == "put" else self.drop(change.record)

    def replace(self, records: Iterable[Record]) -> None:
        """Hold exactly `records`: what is not among them is gone."""
        self._records, self._values, self._derived = {}, {}, {}
        for record in records:
            self.put(record)

    def with_records(self, records: Iterable[Record]) -> "Cache":
        """A cache of its own that holds `records` over what is here, whatever their versions."""
        kinds = {kind: dict(found) for kind, found in self._records.items()}
        values = dict(self._values)
        for record in records:
            kinds.setdefault(record.kind, {})[record.namespace, record.name] = record
            values.pop((record.kind, record.namespace, record.name), None)
        return Cache(kinds, values)

    def get(self, kind: str, namespace: str, name: str) -> Record | None:
        """The record, or None."""
        return self._records.get(kind, {}).get((namespace, name))

    def value(self, record: Record, read: Callable[[Record], T]) -> T:
        """What `read` makes of `record`, made once for each version: every pass asks for it again.

        Each kind has one way of reading, and what comes out is frozen.
        """
        place = (record.kind, record.namespace, record.name)
        known = self._values.get(place)
        if known is None or known[0] != record.resource_version:
            known = (record.resource_version, read(record))
            self._values[place] = known
        value: T = known[1]
        return value

    def remember(self, record: Record, value: object) -> None:
        """Let `value` be what was read out of `record`: whoever wrote it knows already."""
        place = (record.kind, record.namespace, record.name)
        self._values[place] = (record.resource_version, value)

    def derived(self, record: Record, what: str, inputs: object, make: Callable[[], T]) -> T:
        """What `make` makes of `record` and more, made once for as long as `inputs` stay equal.

        `what` names it among the things made of this record; nobody may change what comes out.
        """
        made = self._derived.setdefault((record.kind, record.namespace, record.name), {})
        known = made.get(what)
        if known is None or known[0] != inputs:
            known = (inputs, make())
            made[what] = known
        value: T = known[1]
        return value

    def count(self, kind: str) -> int:
        """How many records of a kind there are."""
        return len(self._records.get(kind, {}))

    def unordered(self, kind: str) -> Iterable[Record]:
        """Every record of a kind, for whoever only counts; not to be kept over a wait."""
        return self._records.get(kind, {}).values()

    def all(self, kind: str, namespace: str | None = None) -> list[Record]:
        """Every record of a kind, in order of name."""
        found = self._records.get(kind, {})
        return [found[key] for key in sorted(found) if namespace is None or key[0] == namespace]
