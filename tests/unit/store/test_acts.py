"""S6 of the `Store` port, on every backend: the audit log."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from shoal.contract.problem import ConflictError
from shoal.controller.store.acts import Act, ActQuery, chained
from shoal.controller.store.port import Put

Opener = Callable[[], AbstractAsyncContextManager[Any]]


def an_act(user: str = "ann", verb: str = "apply", name: str = "one") -> Act:
    return Act(time_ms=5, user=user, verb=verb, kind="Box", namespace="default", name=name)


def a_put(name: str = "one", expected: int | None = None) -> Put:
    return Put(kind="Box", namespace="default", name=name, data={}, expected=expected)


def test_an_act_is_kept_with_its_commit_or_not_at_all(opened: Opener) -> None:
    async def story() -> None:
        async with opened() as backend:
            store = backend.store
            await store.commit([a_put()], an_act())
            with pytest.raises(ConflictError):
                await store.commit([a_put()], an_act(user="bob"))
            await store.commit([], an_act(verb="upload"))
            newest, oldest = await store.acts(ActQuery())
            assert (oldest.sequence, oldest.version, oldest.act) == (1, 1, an_act())
            assert (newest.sequence, newest.version, newest.act.verb) == (2, 1, "upload")

    asyncio.run(story())


def test_entries_are_read_in_parts_and_by_what_they_say(opened: Opener) -> None:
    async def story() -> None:
        async with opened() as backend:
            store = backend.store
            for number in range(6):
                user = "ann" if number % 2 else "bob"
                await store.commit([], an_act(user, name=str(number)))
            parts = [await store.acts(ActQuery(before=before, limit=4)) for before in (None, 3)]
            assert [[one.sequence for one in part] for part in parts] == [[6, 5, 4, 3], [2, 1]]
            of_ann = await store.acts(ActQuery(user="ann"))
            assert [one.act.name for one in of_ann] == ["5", "3", "1"]
            assert await store.acts(ActQuery(user="ann", name="2")) == []

    asyncio.run(story())


def test_the_newest_digest_proves_every_entry_before_it(opened: Opener) -> None:
    async def story() -> None:
        async with opened() as backend:
            for user in ("ann", "bob", "cem"):
                await backend.store.commit([], an_act(user))
            last = None
            for entry in reversed(await backend.store.acts(ActQuery())):
                last = chained(entry.act, entry.version, last)
                assert last == entry
            first = chained(an_act("eve"), 0, None)
            assert (
                chained(an_act("bob"), 0, first).digest
                != (await backend.store.acts(ActQuery(user="bob")))[0].digest
            )

    asyncio.run(story())
