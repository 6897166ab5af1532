"""Every backend of the store, opened the same way, so that one suite holds them all."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from shoal.controller.store.database import open_sqlite
from shoal.controller.store.memory import MemoryStore, MemoryTelemetry
from shoal.controller.store.port import Store, TelemetryStore
from shoal.controller.store.sqlite import SqliteStore
from shoal.controller.store.sqlite_telemetry import SqliteTelemetry

HISTORY = 20


class Opened(NamedTuple):
    store: Store
    telemetry: TelemetryStore


Opener = Callable[[], AbstractAsyncContextManager[Opened]]


@contextlib.asynccontextmanager
async def open_memory() -> AsyncIterator[Opened]:
    yield Opened(MemoryStore(history=HISTORY), MemoryTelemetry())


def sqlite_opener(path: Path) -> Opener:
    @contextlib.asynccontextmanager
    async def open_file() -> AsyncIterator[Opened]:
        database = await open_sqlite(path)
        try:
            yield Opened(SqliteStore(database, history=HISTORY), SqliteTelemetry(database))
        finally:
            await database.close()

    return open_file


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return open_memory if request.param == "memory" else sqlite_opener(tmp_path / "shoal.db")


@pytest.fixture
def reopened(tmp_path: Path) -> Opener:
    """The same SQLite file at every call."""
    return sqlite_opener(tmp_path / "shoal.db")
