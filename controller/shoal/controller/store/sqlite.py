"""The `Store` port over SQLite: SQLAlchemy Core on the tables of `tables`."""

import json
from collections.abc import AsyncIterator, Callable, Sequence

import sqlalchemy as sa
from shoal.contract.limits import HISTORY_OF_CHANGES
from shoal.controller.errors import GoneError
from shoal.controller.store import tables
from shoal.controller.store.checks import check, missing
from shoal.controller.store.database import Database
from shoal.controller.store.memory import random_uid
from shoal.controller.store.port import Change, Delete, Listing, Put, Record, Write
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

_RECORDS = tables.metadata.tables["records"]
_CHANGES = tables.metadata.tables["changes"]
_CHANGES_AT_ONCE = 500


class SqliteStore:
    """Versioned JSON documents in SQLite; `history` changes are kept for watches."""

    def __init__(
        self,
        database: Database,
        history: int = HISTORY_OF_CHANGES,
        new_uid: Callable[[], str] = random_uid,
    ) -> None:
        self._database = database
        self._history = history
        self._new_uid = new_uid

    async def get(self, kind: str, namespace: str, name: str) -> Record:
        """See `Store.get`."""
        row = await self._database.read(lambda c: _find(c, kind, namespace, name))
        if row is None:
            raise missing(kind, namespace, name)
        return _record(row)

    async def list(self, kind: str, namespace: str | None = None) -> Listing:
        """See `Store.list`."""
        rows, version = await self._database.read(lambda c: _list(c, kind, namespace))
        return Listing(records=tuple(_record(row) for row in rows), resource_version=version)

    async def commit(self, writes: Sequence[Write]) -> tuple[Record, ...]:
        """See `Store.commit`."""
        # Turned into text here, so that the writer's thread never sees the caller's own objects.
        texts = [_text(write) for write in writes]
        if not texts:
            return ()
        return await self._database.write(lambda c: self._apply(c, writes, texts))

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """See `Store.changes`."""
        while True:
            ticket = self._database.bell.ticket()
            rows = await self._database.read(lambda c, after=since: _after(c, after))  # type: ignore[misc]
            for row in rows:
                yield _change(row)
            if rows:
                since = rows[-1].version
            else:
                await ticket.wait()

    async def kept(self) -> range:
        """See `Store.kept`."""
        return await self._database.read(_kept)

    def _apply(
        self, connection: Connection, writes: Sequence[Write], texts: Sequence[str | None]
    ) -> tuple[Record, ...]:
        version = _version(connection)
        done = []
        for write, text in zip(writes, texts, strict=True):
            version += 1
            done.append(self._write(connection, write, text, version))
        connection.execute(sa.delete(_CHANGES).where(_CHANGES.c.version <= version - self._history))
        return tuple(done)

    def _write(
        self, connection: Connection, write: Write, text: str | None, version: int
    ) -> Record:
        row = _find(connection, write.kind, write.namespace, write.name)
        check(write, None if row is None else row.version)
        values = {
            "kind": write.kind,
            "namespace": write.namespace,
            "name": write.name,
            "uid": self._new_uid() if row is None else row.uid,
            "version": version,
            "data": row.data if text is None and row is not None else text,
        }
        if isinstance(write, Put):
            connection.execute(
                insert(_RECORDS)
                .values(values)
                .on_conflict_do_update(
                    index_elements=["kind", "namespace", "name"],
                    set_={"version": version, "data": values["data"]},
                )
            )
        else:
            connection.execute(sa.delete(_RECORDS).where(_same(write)))
        connection.execute(sa.insert(_CHANGES).values(type=_type(write, row is None), **values))
        return Record(
            kind=write.kind,
            namespace=write.namespace,
            name=write.name,
            uid=str(values["uid"]),
            resource_version=version,
            data=json.loads(str(values["data"])),
        )


def _find(
    connection: Connection, kind: str, namespace: str, name: str
) -> sa.Row[tuple[object, ...]] | None:
    key = (_RECORDS.c.kind == kind, _RECORDS.c.namespace == namespace, _RECORDS.c.name == name)
    return connection.execute(sa.select(_RECORDS).where(*key)).first()


def _list(
    connection: Connection, kind: str, namespace: str | None
) -> tuple[Sequence[sa.Row[tuple[object, ...]]], int]:
    query = sa.select(_RECORDS).where(_RECORDS.c.kind == kind)
    if namespace is not None:
        query = query.where(_RECORDS.c.namespace == namespace)
    rows = connection.execute(query.order_by(_RECORDS.c.namespace, _RECORDS.c.name)).all()
    return rows, _version(connection)


def _after(connection: Connection, since: int) -> Sequence[sa.Row[tuple[object, ...]]]:
    if since not in _kept(connection):
        raise GoneError(since)
    return connection.execute(
        sa.select(_CHANGES)
        .where(_CHANGES.c.version > since)
        .order_by(_CHANGES.c.version)
        .limit(_CHANGES_AT_ONCE)
    ).all()


def _kept(connection: Connection) -> range:
    oldest = connection.scalar(sa.select(sa.func.min(_CHANGES.c.version))) or 1
    return range(oldest - 1, _version(connection) + 1)


def _version(connection: Connection) -> int:
    return connection.scalar(sa.select(sa.func.max(_CHANGES.c.version))) or 0


def _same(write: Write) -> sa.ColumnElement[bool]:
    return sa.and_(
        _RECORDS.c.kind == write.kind,
        _RECORDS.c.namespace == write.namespace,
        _RECORDS.c.name == write.name,
    )


def _text(write: Write) -> str | None:
    if isinstance(write, Put):
        return json.dumps(write.data, separators=(",", ":"), allow_nan=False)
    return None


def _type(write: Write, absent: bool) -> str:  # noqa: FBT001 - what the table tells apart
    if isinstance(write, Delete):
        return "delete"
    return "create" if absent else "put"


def _change(row: sa.Row[tuple[object, ...]]) -> Change:
    return Change(
        type="delete" if row.type == "delete" else "put",
        record=_record(row),
        created=row.type == "create",
    )


def _record(row: sa.Row[tuple[object, ...]]) -> Record:
    return Record(
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
        uid=row.uid,
        resource_version=row.version,
        data=json.loads(row.data),
    )
