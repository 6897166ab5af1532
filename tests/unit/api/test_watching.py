import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from shoal.controller.api import documents
from shoal.controller.api.watching import Follower, lines
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Delete, Put, Record


def matches(record: Record) -> bool:
    return documents.labels(record).get("app") == "reader"


class Fleet:
    """Writes devices and reads what a watcher of `app=reader` is told."""

    def __init__(self, history: int = 100) -> None:
        self.store = MemoryStore(history=history)
        self.stopping = asyncio.Event()

    async def put(self, name: str, app: str = "reader", kind: str = "Device") -> None:
        known = {r.name: r.resource_version for r in (await self.store.list(kind)).records}
        data = {"metadata": {"labels": {"app": app}}}
        await self.store.commit(
            [
                Put(
                    kind=kind,
                    namespace="default",
                    name=name,
                    data=data,
                    expected=known.get(name),
                )
            ]
        )

    async def delete(self, name: str) -> None:
        write = Delete(kind="Device", namespace="default", name=name, expected=None)
        await self.store.commit([write])

    async def told(self, since: int, until: str) -> list[tuple[str, str]]:
        """(type, name) of every line up to the one about `until`."""
        follower = Follower(lambda record: record.kind == "Device", matches)
        found = []
        async for line in lines(self.store.changes(since), follower, self.stopping):
            document: dict[str, Any] = json.loads(line)
            name = document["object"]["metadata"]["name"]
            found.append((document["type"], name))
            if name == until:
                break
        return found


def run(story: Callable[[Fleet], Awaitable[None]], history: int = 100) -> None:
    async def whole() -> None:
        await asyncio.wait_for(story(Fleet(history)), 10)

    asyncio.run(whole())


def test_a_watcher_learns_what_came_changed_and_went() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.put("before")
        watching = asyncio.ensure_future(fleet.told(1, until="end"))
        await fleet.put("new")
        await fleet.put("before")
        await fleet.put("profile", kind="DeviceProfile")
        await fleet.delete("new")
        await fleet.put("end")
        assert await watching == [
            ("ADDED", "new"),
            ("MODIFIED", "before"),
            ("DELETED", "new"),
            ("ADDED", "end"),
        ]

    run(story)


def test_what_leaves_the_selector_is_deleted_and_what_enters_it_is_added() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.put("a")
        await fleet.put("a", app="other")
        await fleet.put("a", app="third")
        await fleet.put("a")
        await fleet.put("b", app="other")
        await fleet.put("end")
        # From version 1 on the watcher holds `a` already, as it lists before it watches.
        assert await fleet.told(1, until="end") == [
            ("DELETED", "a"),
            ("ADDED", "a"),
            ("ADDED", "end"),
        ]

    run(story)


def test_a_watch_ends_when_the_controller_does() -> None:
    async def story(fleet: Fleet) -> None:
        watching = asyncio.ensure_future(fleet.told(0, until="never"))
        await asyncio.sleep(0)
        fleet.stopping.set()
        assert await watching == []

    run(story)


def test_a_reader_that_falls_behind_is_told_so_in_the_last_line() -> None:
    async def story(fleet: Fleet) -> None:
        follower = Follower(lambda _: True, matches)
        answer = lines(fleet.store.changes(0), follower, fleet.stopping)
        await fleet.put("a")
        assert b"ADDED" in await anext(answer)
        for i in range(5):
            await fleet.put(f"n{i}")
        rest = [json.loads(line) async for line in answer]
        assert rest[-1]["type"] == "ERROR"
        assert rest[-1]["error"]["reason"] == "Gone"

    run(story, history=2)
