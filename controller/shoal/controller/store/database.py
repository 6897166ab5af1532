"""The SQLite file: how it is opened, migrated, read and closed.

WAL with synchronous=FULL: readers never wait for the writer, and what was answered is on the disk,
so that an assignment generation never goes back, even when the power does.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import alembic.command
import alembic.config
import alembic.util
import sqlalchemy
from sqlalchemy import Connection, Engine, event

from shoal.contract.problem import FailedError, Problem
from shoal.contract.reason import Reason
from shoal.controller.store.bell import Bell
from shoal.controller.store.writer import Writer

T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
)
_READERS = 4


class Database:
    """An open database: one writer thread, a small pool of readers, a bell for every commit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.bell = Bell()
        self._writer = Writer(engine, self.bell.ring)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` once its transaction is on the disk."""
        return await self._writer.do(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` on one consistent snapshot."""
        return await asyncio.to_thread(self._read, work)

    async def close(self) -> None:
        """Finish queued writes and let go of the file."""
        await self._writer.close()
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)


async def open_sqlite(path: Path) -> Database:
    """The database at `path`, created or brought up to date first.

    Raises:
        FailedError: a newer Shoal wrote it.
    """
    engine = _engine(path)
    await asyncio.to_thread(_migrate, engine)
    return Database(engine)


def _engine(path: Path) -> Engine:
    # One connection is the writer's own, the rest serve readers.
    engine = sqlalchemy.create_engine(
        f"sqlite:///{path}", pool_size=1 + _READERS, max_overflow=0, pool_timeout=60
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling breaks SAVEPOINT; SQLAlchemy sends BEGIN instead.
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _migrate(engine: Engine) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        engine.dispose()
        raise FailedError(
            Problem(
                reason=Reason.INVALID,
                message=f"the database was written by a newer Shoal: {error}",
                hint="start the newer version, or choose another --data directory",
            )
        ) from error
