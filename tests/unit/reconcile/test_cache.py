"""The cache: what it holds after changes that come late, and what it reads only once."""

from shoal.controller.reconcile.cache import Cache
from shoal.controller.store.port import Change, Record


def a_version(number: int) -> Record:
    return Record(
        kind="Model",
        namespace="default",
        name="digits",
        uid="uid",
        resource_version=number,
        data={"version": number},
    )


def held(cache: Cache) -> int | None:
    record = cache.get("Model", "default", "digits")
    return record.resource_version if record else None


def test_an_older_version_replaces_nothing() -> None:
    cache = Cache()
    cache.put(a_version(2))
    cache.apply(Change(type="put", record=a_version(1)))
    assert held(cache) == 2


def test_the_end_of_an_earlier_record_does_not_end_its_namesake() -> None:
    cache = Cache()
    cache.put(a_version(3))
    cache.apply(Change(type="delete", record=a_version(2)))
    assert held(cache) == 3
    cache.apply(Change(type="delete", record=a_version(4)))
    assert held(cache) is None
    assert cache.count("Model") == 0


def test_what_is_not_among_the_records_of_a_fresh_start_is_gone() -> None:
    cache = Cache()
    cache.put(a_version(3))
    cache.replace([])
    assert held(cache) is None


def test_a_record_is_read_once_for_each_version() -> None:
    cache, read = Cache(), []

    def reading(record: Record) -> int:
        read.append(record.resource_version)
        return record.resource_version * 10

    assert [cache.value(a_version(one), reading) for one in (1, 1, 2, 2)] == [10, 10, 20, 20]
    assert read == [1, 2]
