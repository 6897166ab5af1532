"""Tallies and their epochs in SQLite, inside the transactions of `sqlite_telemetry`."""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from shoal.contract import jsonform
from shoal.contract.digest import Digest
from shoal.contract.telemetry import TelemetryBatch
from shoal.controller.domain import tallies
from shoal.controller.domain.tallies import Tally, TallyKey
from shoal.controller.store import tables
from shoal.controller.store.port import EPOCHS_KEPT, VARIANTS_TALLIED, Tallies

_EPOCHS = tables.metadata.tables["tally_epochs"]
_TALLIES = tables.metadata.tables["tallies"]
_PLACE = ("deployment", "epoch_ms", "device", "variant")
_NOBODY = {"deployment": "", "epoch_ms": 0, "device": "", "variant": ""}  # keeps a version alone
_VERSION = sa.select(sa.func.coalesce(sa.func.max(_TALLIES.c.version), 0))
_KNOWN = sa.select(_EPOCHS.c.epoch_ms).where(_EPOCHS.c.deployment == sa.bindparam("of_deployment"))
_OF_DEVICE = sa.select(_TALLIES.c.variant, _TALLIES.c.data).where(
    _TALLIES.c.deployment == sa.bindparam("of_deployment"),
    _TALLIES.c.epoch_ms == sa.bindparam("of_epoch"),
    _TALLIES.c.device == sa.bindparam("of_device"),
)
_CHANGED = (
    sa.select(_TALLIES)
    .where(
        _TALLIES.c.deployment == sa.bindparam("of_deployment"),
        _TALLIES.c.version > sa.bindparam("since"),
    )
    .order_by(_TALLIES.c.version)
)
_INSERT = insert(_TALLIES)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=_PLACE,
    set_={"version": _INSERT.excluded.version, "data": _INSERT.excluded.data},
)


def add(connection: Connection, batch: TelemetryBatch) -> None:
    """Merge a batch that is counted for the first time into the tallies."""
    version = connection.scalar(_VERSION) or 0
    for key, tally in _sums(connection, batch):
        place = {
            "of_deployment": key.deployment,
            "of_epoch": key.epoch_ms,
            "of_device": key.device,
        }
        known = {row.variant: row.data for row in connection.execute(_OF_DEVICE, place)}
        if key.variant not in known and len(known) >= VARIANTS_TALLIED:
            continue
        version += 1
        if key.variant in known:
            tally = tally.merge(_read(known[key.variant]))  # noqa: PLW2901 - with what was there
        connection.execute(_UPSERT, _row(key, tally, version))


def mark(connection: Connection, deployment: str, epoch_ms: int) -> None:
    """See `TelemetryStore.mark`."""
    connection.execute(
        insert(_EPOCHS).values(deployment=deployment, epoch_ms=epoch_ms).on_conflict_do_nothing()
    )
    _drop(connection, deployment, _epochs(connection, deployment)[:-EPOCHS_KEPT])


def changed(connection: Connection, deployment: str, since: int) -> Tallies:
    """See `TelemetryStore.tallies`."""
    rows = connection.execute(_CHANGED, {"of_deployment": deployment, "since": since}).all()
    return Tallies(
        version=rows[-1].version if rows else since,
        epochs_ms=tuple(_epochs(connection, deployment)),
        changed=tuple((_key(row), _read(row.data)) for row in rows),
    )


def forget(connection: Connection, deployment: str) -> None:
    """See `TelemetryStore.forget`."""
    _drop(connection, deployment, _epochs(connection, deployment))


def _sums(connection: Connection, batch: TelemetryBatch) -> Iterator[tuple[TallyKey, Tally]]:
    """What the batch adds to each tally."""
    of_deployments = {one.deployment for one in batch.windows}
    epochs = {one: _epochs(connection, one) for one in of_deployments}
    return iter(tallies.of_batch(batch, epochs).items())


def _epochs(connection: Connection, deployment: str) -> list[int]:
    return sorted(connection.scalars(_KNOWN, {"of_deployment": deployment}))


def _drop(connection: Connection, deployment: str, epochs_ms: list[int]) -> None:
    if not epochs_ms:
        return
    # No version is given twice, or whoever has read up to there would miss the second one.
    reached = {"version": connection.scalar(_VERSION), "data": "{}"}
    connection.execute(_UPSERT, {**_NOBODY, **reached})
    for table in (_EPOCHS, _TALLIES):
        gone = (table.c.deployment == deployment, table.c.epoch_ms.in_(epochs_ms))
        connection.execute(sa.delete(table).where(*gone))


def _row(key: TallyKey, tally: Tally, version: int) -> dict[str, object]:
    data = json.dumps(jsonform.to_json(tally), separators=(",", ":"))
    return {**{name: getattr(key, name) for name in _PLACE}, "version": version, "data": data}


def _key(row: sa.Row[tuple[object, ...]]) -> TallyKey:
    return TallyKey(
        deployment=row.deployment,
        epoch_ms=row.epoch_ms,
        device=row.device,
        variant=Digest(row.variant),
    )


def _read(data: str) -> Tally:
    return jsonform.from_json(Tally, json.loads(data))
