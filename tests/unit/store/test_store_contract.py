"""The laws of the `Store` port, on every backend."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest

from shoal.contract.problem import ConflictError, NotFoundError
from shoal.controller.errors import GoneError
from shoal.controller.store.port import Change, Delete, Part, Put, Store

T = TypeVar("T")
Opener = Callable[[], AbstractAsyncContextManager[Any]]


def on(opened: Opener, story: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened() as backend:
            return await story(backend.store)

    return asyncio.run(run())


def a_put(
    name: str = "one", data: dict[str, Any] | None = None, expected: int | None = None
) -> Put:
    return Put(kind="Box", namespace="default", name=name, data=data or {}, expected=expected)


def a_delete(name: str = "one", expected: int | None = None) -> Delete:
    return Delete(kind="Box", namespace="default", name=name, expected=expected)


async def take(changes: AsyncIterator[Change], n: int) -> list[Change]:
    return [await asyncio.wait_for(anext(changes), 10) for _ in range(n)]


def test_a_record_reads_back_as_written(opened: Opener) -> None:
    async def story(store: Store) -> None:
        (written,) = await store.commit([a_put(data={"spec": {"n": [1, None, "ü"]}})])
        assert await store.get("Box", "default", "one") == written
        assert written.data == {"spec": {"n": [1, None, "ü"]}}
        assert written.resource_version == 1

    on(opened, story)


def test_a_missing_record_is_not_found(opened: Opener) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(NotFoundError) as caught:
            await store.get("Box", "default", "one")
        assert caught.value.problem.reason == "NotFound"

    on(opened, story)


def test_creating_twice_is_refused(opened: Opener) -> None:
    async def story(store: Store) -> None:
        await store.commit([a_put()])
        with pytest.raises(ConflictError) as caught:
            await store.commit([a_put()])
        assert caught.value.problem.reason == "AlreadyExists"

    on(opened, story)


def test_a_write_over_a_version_that_passed_is_refused(opened: Opener) -> None:
    async def story(store: Store) -> None:
        (first,) = await store.commit([a_put()])
        await store.commit([a_put(data={"n": 2}, expected=first.resource_version)])
        for write in (a_put(expected=1), a_delete(expected=1), a_put("two", expected=1)):
            with pytest.raises(ConflictError) as caught:
                await store.commit([write])
            assert caught.value.problem.reason == "Conflict"
        assert (await store.get("Box", "default", "one")).data == {"n": 2}

    on(opened, story)


def test_the_uid_survives_updates_but_not_a_deletion(opened: Opener) -> None:
    async def story(store: Store) -> None:
        (first,) = await store.commit([a_put()])
        (second,) = await store.commit([a_put(expected=1)])
        (gone,) = await store.commit([a_delete()])
        (again,) = await store.commit([a_put()])
        assert first.uid == second.uid == gone.uid
        assert again.uid != first.uid

    on(opened, story)


def test_deleting_nothing_is_not_found(opened: Opener) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(NotFoundError):
            await store.commit([a_delete()])

    on(opened, story)


def test_a_commit_is_all_or_nothing(opened: Opener) -> None:
    async def story(store: Store) -> None:
        await store.commit([a_put()])
        with pytest.raises(ConflictError):
            await store.commit([a_put("two"), a_put(expected=9), a_put("three")])
        listing = await store.list("Box")
        assert [r.name for r in listing.records] == ["one"]
        assert listing.resource_version == 1

    on(opened, story)


def test_writes_of_one_commit_see_each_other(opened: Opener) -> None:
    async def story(store: Store) -> None:
        records = await store.commit([a_put(), a_put(data={"n": 1}, expected=1), a_delete()])
        assert [r.resource_version for r in records] == [1, 2, 3]
        assert records[2].data == {"n": 1}
        assert (await store.list("Box")).records == ()

    on(opened, story)


def test_an_empty_commit_changes_nothing(opened: Opener) -> None:
    async def story(store: Store) -> None:
        assert await store.commit([]) == ()
        assert (await store.list("Box")).resource_version == 0

    on(opened, story)


def test_versions_are_store_wide_and_only_grow(opened: Opener) -> None:
    async def story(store: Store) -> None:
        others = Put(kind="Cup", namespace="", name="c", data={}, expected=None)
        records = [
            *await store.commit([a_put("one"), others]),
            *await store.commit([a_delete()]),
            *await store.commit([a_put("two")]),
        ]
        assert [r.resource_version for r in records] == [1, 2, 3, 4]

    on(opened, story)


def test_a_list_is_ordered_and_knows_its_namespace(opened: Opener) -> None:
    async def story(store: Store) -> None:
        for namespace, name in itertools.product(("b", "a"), ("y", "x")):
            await store.commit(
                [Put(kind="Box", namespace=namespace, name=name, data={}, expected=None)]
            )
        everything = await store.list("Box")
        assert [(r.namespace, r.name) for r in everything.records] == [
            ("a", "x"),
            ("a", "y"),
            ("b", "x"),
            ("b", "y"),
        ]
        assert [r.name for r in (await store.list("Box", "b")).records] == ["x", "y"]
        assert (await store.list("Cup")).records == ()

    on(opened, story)


def test_changing_what_was_read_or_written_changes_nothing_inside(opened: Opener) -> None:
    async def story(store: Store) -> None:
        mine: dict[str, Any] = {"list": [1]}
        await store.commit([a_put(data=mine)])
        mine["list"].append(2)
        read = await store.get("Box", "default", "one")
        read.data["list"].append(3)
        assert (await store.get("Box", "default", "one")).data == {"list": [1]}

    on(opened, story)


def test_data_that_is_not_json_is_refused_before_anything_is_written(opened: Opener) -> None:
    async def story(store: Store) -> None:
        for bad in ({"x": object()}, {"x": float("nan")}):
            with pytest.raises((TypeError, ValueError)):
                await store.commit([a_put("fine"), a_put(data=bad)])
        assert (await store.list("Box")).resource_version == 0

    on(opened, story)


def test_changes_come_in_order_from_the_past_and_then_live(opened: Opener) -> None:
    async def story(store: Store) -> None:
        await store.commit([a_put("one"), a_put("two")])
        changes = store.changes(1)
        (second,) = await take(changes, 1)
        assert (second.type, second.record.name) == ("put", "two")

        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        assert not waiting.done()
        await store.commit([a_delete("two")])
        third = await asyncio.wait_for(waiting, 10)
        assert (third.type, third.record.name, third.record.resource_version) == (
            "delete",
            "two",
            3,
        )
        await changes.aclose()  # type: ignore[attr-defined]

    on(opened, story)


def test_every_watcher_sees_every_change_of_concurrent_writers(opened: Opener) -> None:
    async def story(store: Store) -> None:
        watchers = [asyncio.ensure_future(take(store.changes(0), 18)) for _ in range(3)]
        await asyncio.gather(*(store.commit([a_put(f"n{i}")]) for i in range(18)))
        for watcher in watchers:
            versions = [c.record.resource_version for c in await watcher]
            assert versions == list(range(1, 19))

    on(opened, story)


def test_of_concurrent_writers_over_one_version_exactly_one_wins(opened: Opener) -> None:
    async def story(store: Store) -> None:
        await store.commit([a_put()])
        results = await asyncio.gather(
            *(store.commit([a_put(data={"n": i}, expected=1)]) for i in range(10)),
            return_exceptions=True,
        )
        assert sum(not isinstance(r, BaseException) for r in results) == 1
        assert sum(isinstance(r, ConflictError) for r in results) == 9

    on(opened, story)


def test_history_that_is_no_longer_kept_is_gone(opened: Opener) -> None:
    async def story(store: Store) -> None:
        await store.commit([a_put(f"n{i}") for i in range(25)])
        with pytest.raises(GoneError):
            await take(store.changes(4), 1)
        assert [c.record.resource_version for c in await take(store.changes(5), 20)] == list(
            range(6, 26)
        )

    on(opened, story)


def test_what_can_be_followed_is_told_beforehand(opened: Opener) -> None:
    async def story(store: Store) -> None:
        assert await store.kept() == range(1)
        await store.commit([a_put(f"n{i}") for i in range(25)])
        assert await store.kept() == range(5, 26)

    on(opened, story)


def test_a_change_tells_a_creation_from_an_update(opened: Opener) -> None:
    async def story(store: Store) -> None:
        await store.commit([a_put(), a_put(expected=1), a_delete(), a_put()])
        changes = await take(store.changes(0), 4)
        assert [(c.type, c.created) for c in changes] == [
            ("put", True),
            ("put", False),
            ("delete", False),
            ("put", True),
        ]

    on(opened, story)


def test_a_version_that_this_store_never_had_is_gone(opened: Opener) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(GoneError):
            await take(store.changes(7), 1)

    on(opened, story)


def test_a_list_is_read_in_parts(opened: Opener) -> None:
    def a_box(namespace: str, name: str) -> Put:
        return Put(kind="Box", namespace=namespace, name=name, data={}, expected=None)

    async def story(store: Store) -> list[list[str]]:
        await store.commit([a_box("b", "one"), a_box("a", "two"), a_box("a", "one")])
        asked = [(None, ("", "")), (None, ("a", "two")), ("a", ("a", "one"))]
        asked += [("b", ("a", "two")), ("a", ("b", ""))]
        parts = [await store.list("Box", where, Part(after=a, limit=2)) for where, a in asked]
        assert {one.resource_version for one in parts} == {3}
        return [[f"{r.namespace}/{r.name}" for r in one.records] for one in parts]

    assert on(opened, story) == [["a/one", "a/two"], ["b/one"], ["a/two"], ["b/one"], []]
