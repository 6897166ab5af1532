"""Events: equal ones are one, and there are never more than the limit."""

from shoal.contract.limits import EVENTS_KEPT
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.journal import Happening, event_writes
from shoal.controller.store.port import Delete, Put, Record

NOW = 1_800_000_000.0
JOINED = Happening(
    regarding="Deployment/default/digits", type="Normal", reason="Started", message="joined"
)


def stored(write: Put, version: int) -> Record:
    return Record(
        kind=write.kind,
        namespace=write.namespace,
        name=write.name,
        uid=write.name,
        resource_version=version,
        data=write.data,
    )


def puts(cache: Cache, *happenings: Happening, at: float = NOW) -> list[Put]:
    return [one for one in event_writes(cache, happenings, at) if isinstance(one, Put)]


def test_equal_happenings_of_one_commit_are_one_write() -> None:
    cache = Cache()
    [write] = puts(cache, JOINED, JOINED)
    assert (write.expected, write.data["spec"]["count"]) == (None, 2)
    cache.put(stored(write, 7))
    [again] = puts(cache, JOINED, at=NOW + 60)
    spec = again.data["spec"]
    assert (again.expected, spec["count"]) == (7, 3)
    assert spec["firstTime"] < spec["lastTime"]


def test_the_oldest_events_beyond_the_limit_go_but_none_that_is_written() -> None:
    cache = Cache()
    for i in range(EVENTS_KEPT):
        old = Happening(regarding="Model/default/m", type="Normal", reason="R", message=str(i))
        [write] = puts(cache, old, at=NOW + i)
        cache.put(stored(write, i + 1))
    oldest = Happening(regarding="Model/default/m", type="Normal", reason="R", message="0")
    writes = event_writes(cache, [oldest, JOINED], NOW + EVENTS_KEPT)
    [gone] = [one for one in writes if isinstance(one, Delete)]
    assert gone.expected == 2  # the second oldest: the oldest has just happened again
    assert event_writes(cache, [], NOW) == []
