"""The `DecisionStore` port, on every backend."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from shoal.contract import limits
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.decisions import MemoryDecisions, SqliteDecisions, first_whole
from shoal.controller.store.port import DecisionStore

NAME = "default/digits"
Opener = Callable[[], AbstractAsyncContextManager[DecisionStore]]


@pytest.fixture(params=["memory", "sqlite"])
def decisions(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    @asynccontextmanager
    async def open_one() -> AsyncIterator[DecisionStore]:
        if request.param == "memory":
            yield MemoryDecisions()
            return
        database = await open_sqlite(tmp_path / "shoal.db")
        try:
            yield SqliteDecisions(database)
        finally:
            await database.close()

    return open_one


def on(opened: Opener, story: Callable[[DecisionStore], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened() as store:
            await story(store)

    asyncio.run(run())


def test_decisions_are_numbered_for_each_deployment(decisions: Opener) -> None:
    async def story(store: DecisionStore) -> None:
        await store.keep(NAME, {"reason": "Started"}, b"one")
        await store.keep("default/other", {"reason": "Other"}, b"else")
        await store.keep(NAME, {"reason": "Complete"}, b"two")
        kept = await store.decisions(NAME)
        assert [(one.number, one.facts["reason"], one.body) for one in kept] == [
            (1, "Started", b"one"),
            (2, "Complete", b"two"),
        ]
        assert await store.decisions("default/nobody") == []

    on(decisions, story)


def test_old_ones_lose_their_inputs_first_and_then_go(decisions: Opener) -> None:
    async def story(store: DecisionStore) -> None:
        for number in range(limits.DECISIONS_KEPT + 3):
            await store.keep(NAME, {"n": number}, b"body")
        kept = await store.decisions(NAME)
        assert [one.number for one in kept] == list(range(4, limits.DECISIONS_KEPT + 4))
        whole = [one.number for one in kept if one.body is not None]
        assert whole == [one.number for one in kept][-limits.SNAPSHOTS_KEPT :]

    on(decisions, story)


def test_what_is_kept_of_a_deployment_goes_with_it(decisions: Opener) -> None:
    async def story(store: DecisionStore) -> None:
        await store.keep(NAME, {}, b"body")
        await store.keep("default/other", {}, b"body")
        await store.forget(NAME)
        assert await store.decisions(NAME) == []
        assert len(await store.decisions("default/other")) == 1

    on(decisions, story)


def test_large_inputs_leave_room_for_the_newest_alone() -> None:
    mib = 1024 * 1024
    assert first_whole([(4, 10 * mib), (5, 10 * mib), (6, 10 * mib)]) == 6
    assert first_whole([(4, 5 * mib), (5, 5 * mib), (6, 5 * mib)]) == 4
    assert first_whole([(4, 1), (5, 1), (6, 40 * mib)]) == 6
