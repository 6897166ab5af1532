"""The audit log's table: appended inside the transaction of the write that it tells of."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from shoal.controller.store import tables
from shoal.controller.store.acts import Act, ActQuery, Entry, chained

_ACTS = tables.metadata.tables["acts"]
_INSERT = sa.insert(_ACTS)
_NEWEST = sa.select(_ACTS).order_by(_ACTS.c.sequence.desc()).limit(1)


def append(connection: Connection, act: Act, version: int) -> None:
    """Keep `act` as the newest entry."""
    last = connection.execute(_NEWEST).first()
    entry = chained(act, version, None if last is None else _entry(last))
    values = {
        "sequence": entry.sequence,
        "version": version,
        "time_ms": act.time_ms,
        "user": act.user,
        "verb": act.verb,
        "kind": act.kind,
        "namespace": act.namespace,
        "name": act.name,
        "detail": act.detail,
        "digest": entry.digest,
    }
    connection.execute(_INSERT, values)


def newest_first(connection: Connection, query: ActQuery) -> Sequence[Entry]:
    """The entries that `query` asks for."""
    found = sa.select(_ACTS).order_by(_ACTS.c.sequence.desc()).limit(query.limit)
    if query.before is not None:
        found = found.where(_ACTS.c.sequence < query.before)
    for name, text in query.equal().items():
        found = found.where(_ACTS.c[name] == text)
    return [_entry(row) for row in connection.execute(found)]


def _entry(row: sa.Row[tuple[object, ...]]) -> Entry:
    act = Act(
        time_ms=row.time_ms,
        user=row.user,
        verb=row.verb,
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
        detail=row.detail,
    )
    return Entry(sequence=row.sequence, version=row.version, act=act, digest=row.digest)
