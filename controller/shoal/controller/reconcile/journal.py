"""Events: what happened, for people; repeated ones are counted instead of listed again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shoal.contract import limits
from shoal.controller.reconcile.cache import Cache
from shoal.controller.store.port import Delete, Put


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


def event_write(cache: Cache, happening: Happening, now_s: float) -> Put:
    """The write that records `happening`: a new event, or one more of an equal one."""
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
                "count": spec.get("count", 0) + 1,
                "firstTime": spec.get("firstTime", iso(now_s)),
                "lastTime": iso(now_s),
            },
            "status": {},
        },
    )


def expired_events(cache: Cache) -> list[Delete]:
    """Deletions that bring the events back under their limit, oldest first."""
    events = sorted(cache.all("Event"), key=lambda record: str(record.data["spec"]["lastTime"]))
    surplus = events[: max(0, len(events) - limits.EVENTS_KEPT)]
    return [
        Delete(kind="Event", namespace=e.namespace, name=e.name, expected=None) for e in surplus
    ]
