"""Events: what happened, for people; repeated ones are counted instead of listed again."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shoal.contract import limits
from shoal.controller.reconcile.cache import Cache
from shoal.controller.store.port import Delete, Put, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing to record about the resource `regarding` (`Kind/namespace/name`)."""

    regarding: str
    type: str
    reason: str
    message: str


def iso(now_s: float) -> str:
    """RFC 3339 in UTC with milliseconds, from seconds since the epoch."""
    return (
        datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def event_writes(cache: Cache, happenings: Iterable[Happening], now_s: float) -> list[Write]:
    """The writes that record what happened: new events, or more of equal ones.

    One write for each event: equal happenings of one commit are counted in it, since a second
    write would find the first and be refused, in every pass anew. The oldest events beyond their
    limit go.
    """
    counted = Counter(happenings)
    puts = [_write(cache, one, times, now_s) for one, times in counted.items()]
    return [*puts, *_expired(cache, puts)]


def _expired(cache: Cache, written: list[Put]) -> list[Delete]:
    surplus = cache.count("Event") + sum(one.expected is None for one in written)
    surplus -= limits.EVENTS_KEPT
    if not written or surplus <= 0:
        return []
    places = {(one.namespace, one.name) for one in written}
    known = [one for one in cache.all("Event") if (one.namespace, one.name) not in places]
    known.sort(key=lambda record: str(record.data["spec"]["lastTime"]))
    return [
        Delete(kind="Event", namespace=e.namespace, name=e.name, expected=e.resource_version)
        for e in known[:surplus]
    ]


def _write(cache: Cache, happening: Happening, times: int, now_s: float) -> Put:
    _, namespace, _ = happening.regarding.split("/", 2)
    text = f"{happening.regarding}\0{happening.reason}\0{happening.message}"
    name = f"event-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    known = cache.get("Event", namespace, name)
    spec: Mapping[str, Any] = known.data["spec"] if known else {}
    return Put(
        kind="Event",
        namespace=namespace,
        name=name,
        expected=known.resource_version if known else None,
        data={
            "apiVersion": "shoal/v1",
            "kind": "Event",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "creationTime": spec.get("firstTime", iso(now_s)),
            },
            "spec": {
                "regarding": happening.regarding,
                "type": happening.type,
                "reason": happening.reason,
                "message": happening.message,
                "count": spec.get("count", 0) + times,
                "firstTime": spec.get("firstTime", iso(now_s)),
                "lastTime": iso(now_s),
            },
            "status": {},
        },
    )
