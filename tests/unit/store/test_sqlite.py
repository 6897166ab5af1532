"""What the SQLite backend promises beyond the port: restarts, migrations, independent jobs."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shoal.contract.problem import FailedError
from shoal.controller.store import tables
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.port import Delete, Part, Put

Opener = Callable[[], AbstractAsyncContextManager[Any]]


def a_put(name: str, expected: int | None = None) -> Put:
    return Put(kind="Box", namespace="default", name=name, data={"of": name}, expected=expected)


def test_a_restart_keeps_records_versions_history_and_batch_keys(reopened: Opener) -> None:
    async def story() -> None:
        async with reopened() as first:
            await first.store.commit([a_put("a"), a_put("b")])
            await first.store.commit(
                [Delete(kind="Box", namespace="default", name="a", expected=None)]
            )
        async with reopened() as second:
            listing = await second.store.list("Box")
            assert ([r.name for r in listing.records], listing.resource_version) == (["b"], 3)
            changes = second.store.changes(1)
            assert [(await anext(changes)).record.name for _ in range(2)] == ["b", "a"]
            (record,) = await second.store.commit([a_put("c")])
            assert record.resource_version == 4

    asyncio.run(story())


def test_one_failing_writer_takes_nobody_of_its_group_with_it(reopened: Opener) -> None:
    async def story() -> None:
        async with reopened() as backend:
            await backend.store.commit([a_put("taken")])
            results = await asyncio.gather(
                *(backend.store.commit([a_put(n)]) for n in ("a", "taken", "b")),
                return_exceptions=True,
            )
            assert [isinstance(r, Exception) for r in results] == [False, True, False]
            assert [r.name for r in (await backend.store.list("Box")).records] == [
                "a",
                "b",
                "taken",
            ]

    asyncio.run(story())


def test_a_caller_that_gives_up_loses_only_the_answer(reopened: Opener) -> None:
    async def story() -> None:
        async with reopened() as backend:
            task = asyncio.ensure_future(backend.store.commit([a_put("a")]))
            await asyncio.sleep(0)
            task.cancel()
            change = await asyncio.wait_for(anext(backend.store.changes(0)), 10)
            assert change.record.name == "a"

    asyncio.run(story())


def test_the_migrations_make_the_tables_that_the_code_states(tmp_path: Path) -> None:
    async def create() -> None:
        await (await open_sqlite(tmp_path / "shoal.db")).close()

    asyncio.run(create())
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shoal.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    engine.dispose()


@pytest.mark.parametrize("namespace", [None, "default"])
@pytest.mark.parametrize("after", [("", ""), ("default", "b")])
def test_a_page_of_a_list_is_read_in_order_and_nothing_is_sorted(
    tmp_path: Path, reopened: Opener, namespace: str | None, after: tuple[str, str]
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        asked.append((statement, values))

    async def story() -> None:
        async with reopened() as backend:
            await backend.store.list("Box", namespace, Part(after=after, limit=2))

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        asyncio.run(story())
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    statement, values = next(one for one in asked if "FROM records" in one[0])
    with closing(sqlite3.connect(tmp_path / "shoal.db")) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert [step.split(" (")[0] for step in plan] == [
        "SEARCH records USING INDEX sqlite_autoindex_records_1"
    ]


def test_times_and_versions_are_wide_enough_for_milliseconds() -> None:
    for table in tables.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, sqlalchemy.Integer):
                assert isinstance(column.type, sqlalchemy.BigInteger), column


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path, reopened: Opener) -> None:
    async def open_and_close() -> None:
        async with reopened():
            pass

    asyncio.run(open_and_close())
    with closing(sqlite3.connect(tmp_path / "shoal.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(FailedError, match="newer Shoal"):
        asyncio.run(open_and_close())
