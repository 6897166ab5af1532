"""The `Store` port over SQLite: SQLAlchemy Core on the tables of `tables`."""

import functools
import json
from collections.abc import AsyncIterator, Callable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from shoal.contract.limits import HISTORY_OF_CHANGES
from shoal.controller.errors import GoneError
from shoal.controller.store import sqlite_acts, tables
from shoal.controller.store.acts import Act, ActQuery, Entry
from shoal.controller.store.checks import check, missing
from shoal.controller.store.database import Database
from shoal.controller.store.memory import random_uid
from shoal.controller.store.port import Change, Delete, Listing, Part, Put, Record, Write

_RECORDS = tables.metadata.tables["records"]
_CHANGES = tables.metadata.tables["changes"]
_CHANGES_AT_ONCE = 500
_PRUNE_EVERY = 100  # old changes are deleted by the hundred; until then nobody is shown them

# Built once: putting a statement together costs more than SQLite takes to run it.
_KEY = sa.and_(
    _RECORDS.c.kind == sa.bindparam("of_kind"),
    _RECORDS.c.namespace == sa.bindparam("of_namespace"),
    _RECORDS.c.name == sa.bindparam("of_name"),
)
_FIND = sa.select(_RECORDS).where(_KEY)
_INSERT = sa.insert(_RECORDS)
_UPDATE = (
    sa.update(_RECORDS)
    .where(_KEY)
    .values(version=sa.bindparam("new_version"), data=sa.bindparam("new_data"))
)
_DELETE = sa.delete(_RECORDS).where(_KEY)
_LOG = sa.insert(_CHANGES)
_NEWEST = sa.select(sa.func.max(_CHANGES.c.version))
_OLDEST = sa.select(sa.func.min(_CHANGES.c.version))
_PRUNE = sa.delete(_CHANGES).where(_CHANGES.c.version <= sa.bindparam("up_to"))
_AFTER = (
    sa.select(_CHANGES)
    .where(_CHANGES.c.version > sa.bindparam("since"))
    .order_by(_CHANGES.c.version)
    .limit(_CHANGES_AT_ONCE)
)


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
        key = _key(kind, namespace, name)
        row = await self._database.read(lambda c: c.execute(_FIND, key).first())
        if row is None:
            raise missing(kind, namespace, name)
        return _record(row)

    async def list(
        self, kind: str, namespace: str | None = None, part: Part | None = None
    ) -> Listing:
        """See `Store.list`."""
        return await self._database.read(lambda c: _list(c, kind, namespace, part))

    async def commit(self, writes: Sequence[Write], act: Act | None = None) -> tuple[Record, ...]:
        """See `Store.commit`."""
        # Turned into text here, so that the writer's thread never sees the caller's own objects.
        texts = [_text(write) for write in writes]
        if not texts and act is None:
            return ()
        return await self._database.write(lambda c: self._apply(c, writes, texts, act))

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """See `Store.changes`."""
        while True:
            ticket = self._database.bell.ticket()
            rows = await self._database.read(functools.partial(self._after, since))
            for row in rows:
                yield _change(row)
            if rows:
                since = rows[-1].version
            else:
                await ticket.wait()

    async def kept(self) -> range:
        """See `Store.kept`."""
        return await self._database.read(self._kept)

    async def acts(self, query: ActQuery) -> Sequence[Entry]:
        """See `Store.acts`."""
        return await self._database.read(lambda c: sqlite_acts.newest_first(c, query))

    def _after(self, since: int, connection: Connection) -> Sequence[sa.Row[tuple[object, ...]]]:
        if since not in self._kept(connection):
            raise GoneError(since)
        return connection.execute(_AFTER, {"since": since}).all()

    def _kept(self, connection: Connection) -> range:
        newest = _version(connection)
        oldest = max(connection.scalar(_OLDEST) or 1, newest - self._history + 1)
        return range(oldest - 1, newest + 1)

    def _apply(
        self,
        connection: Connection,
        writes: Sequence[Write],
        texts: Sequence[str | None],
        act: Act | None,
    ) -> tuple[Record, ...]:
        before = version = _version(connection)
        done = []
        for write, text in zip(writes, texts, strict=True):
            version += 1
            done.append(self._write(connection, write, text, version))
        if version // _PRUNE_EVERY > before // _PRUNE_EVERY:
            connection.execute(_PRUNE, {"up_to": version - self._history})
        if act is not None:
            sqlite_acts.append(connection, act, version)
        return tuple(done)

    def _write(
        self, connection: Connection, write: Write, text: str | None, version: int
    ) -> Record:
        key = _key(write.kind, write.namespace, write.name)
        row = connection.execute(_FIND, key).first()
        check(write, None if row is None else row.version)
        values = {
            "kind": write.kind,
            "namespace": write.namespace,
            "name": write.name,
            "uid": self._new_uid() if row is None else row.uid,
            "version": version,
            "data": row.data if text is None and row is not None else text,
        }
        if isinstance(write, Delete):
            connection.execute(_DELETE, key)
        elif row is None:
            connection.execute(_INSERT, values)
        else:
            connection.execute(_UPDATE, {**key, "new_version": version, "new_data": text})
        connection.execute(_LOG, {**values, "type": _type(write, row is None)})
        return Record(
            kind=write.kind,
            namespace=write.namespace,
            name=write.name,
            uid=str(values["uid"]),
            resource_version=version,
            data=json.loads(str(values["data"])),
        )


def _key(kind: str, namespace: str, name: str) -> dict[str, str]:
    return {"of_kind": kind, "of_namespace": namespace, "of_name": name}


def _list(connection: Connection, kind: str, namespace: str | None, part: Part | None) -> Listing:
    query = sa.select(_RECORDS).where(_RECORDS.c.kind == kind)
    if namespace is not None:
        query = query.where(_RECORDS.c.namespace == namespace)
    if part is not None:
        query = query.where(_behind(part, namespace)).limit(part.limit)
    rows = connection.execute(query.order_by(_RECORDS.c.namespace, _RECORDS.c.name)).all()
    records = tuple(_record(row) for row in rows)
    return Listing(records=records, resource_version=_version(connection))


def _behind(part: Part, namespace: str | None) -> sa.ColumnElement[bool]:
    """What comes after the place of `part`.

    Inside one namespace names alone are compared: over both columns SQLite would read and sort all
    of the namespace for every page.
    """
    after_namespace, after_name = part.after
    if namespace is None:
        return sa.tuple_(_RECORDS.c.namespace, _RECORDS.c.name) > part.after
    if namespace == after_namespace:
        return _RECORDS.c.name > after_name
    return sa.true() if namespace > after_namespace else sa.false()


def _version(connection: Connection) -> int:
    return connection.scalar(_NEWEST) or 0


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
