"""The `TelemetryStore` port over SQLite."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.store import sqlite_tallies, tables
from shoal.controller.store.database import Database
from shoal.controller.store.port import (
    BATCH_KEYS_KEPT_MS,
    WINDOWS_KEPT_MS,
    StoredWindow,
    Tallies,
)

_BATCHES = tables.metadata.tables["telemetry_batches"]
_WINDOWS = tables.metadata.tables["telemetry_windows"]
# Fields that nobody selects by, in one column.
_MORE = (
    "confidences",
    "shadowed",
    "shadow_differed",
    "paired",
    "paired_worse",
    "paired_better",
    "scored",
    "absolute_error",
    "squared_error",
)


class SqliteTelemetry:
    """Telemetry windows in SQLite, never through an ORM session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ingest(self, batch: TelemetryBatch, received_ms: int) -> bool:
        """See `TelemetryStore.ingest`."""
        rows = [_row(batch.device, window, received_ms) for window in batch.windows]
        return await self._database.write(lambda c: _ingest(c, batch, rows, received_ms))

    async def windows(self, deployment: str | None, since_ms: int) -> list[StoredWindow]:
        """See `TelemetryStore.windows`."""
        query = sa.select(_WINDOWS).where(_WINDOWS.c.end_ms > since_ms)
        if deployment is not None:
            query = query.where(_WINDOWS.c.deployment == deployment)
        query = query.order_by(_WINDOWS.c.start_ms, _WINDOWS.c.device, _WINDOWS.c.id)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [_stored(row) for row in rows]

    async def mark(self, deployment: str, epoch_ms: int) -> None:
        """See `TelemetryStore.mark`."""
        await self._database.write(lambda c: sqlite_tallies.mark(c, deployment, epoch_ms))

    async def tallies(self, deployment: str, since: int) -> Tallies:
        """See `TelemetryStore.tallies`."""
        return await self._database.read(lambda c: sqlite_tallies.changed(c, deployment, since))

    async def forget(self, deployment: str) -> None:
        """See `TelemetryStore.forget`."""
        await self._database.write(lambda c: sqlite_tallies.forget(c, deployment))


def _ingest(
    connection: Connection, batch: TelemetryBatch, rows: list[dict[str, Any]], received_ms: int
) -> bool:
    key = {"device": batch.device, "boot_id": batch.boot_id, "sequence": batch.sequence}
    kept = connection.execute(
        insert(_BATCHES).values(**key, received_ms=received_ms).on_conflict_do_nothing()
    )
    if kept.rowcount == 0:
        return False
    for table, kept_ms in ((_BATCHES, BATCH_KEYS_KEPT_MS), (_WINDOWS, WINDOWS_KEPT_MS)):
        connection.execute(sa.delete(table).where(table.c.received_ms <= received_ms - kept_ms))
    if rows:
        connection.execute(sa.insert(_WINDOWS), rows)
        sqlite_tallies.add(connection, batch)
    return True


def _row(device: str, window: TelemetryWindow, received_ms: int) -> dict[str, Any]:
    histogram = window.latency_ms
    latency = [histogram.scale, histogram.zeros, histogram.total, histogram.buckets]
    return {
        "device": device,
        "deployment": window.deployment,
        "variant": window.variant,
        "generation": window.generation,
        "start_ms": window.start_ms,
        "end_ms": window.start_ms + window.duration_ms,
        "requests": window.requests,
        "errors": window.errors,
        "labelled": window.labelled,
        "correct": window.correct,
        "rss_bytes": window.rss_bytes,
        "latency_ms": json.dumps(latency, separators=(",", ":")),
        "classes": json.dumps(window.classes, separators=(",", ":")),
        "received_ms": received_ms,
        "more": json.dumps({name: getattr(window, name) for name in _MORE}, separators=(",", ":")),
    }


def _stored(row: sa.Row[tuple[object, ...]]) -> StoredWindow:
    scale, zeros, total, buckets = json.loads(row.latency_ms)
    more = json.loads(row.more)
    window = TelemetryWindow(
        deployment=row.deployment,
        variant=Digest(row.variant),
        generation=row.generation,
        start_ms=row.start_ms,
        duration_ms=row.end_ms - row.start_ms,
        requests=row.requests,
        errors=row.errors,
        latency_ms=Histogram(scale=scale, zeros=zeros, total=total, buckets=_pairs(buckets)),
        labelled=row.labelled,
        correct=row.correct,
        classes=_pairs(json.loads(row.classes)),
        rss_bytes=row.rss_bytes,
        **{**more, "confidences": _pairs(more.get("confidences", ()))},
    )
    return StoredWindow(device=row.device, window=window)


def _pairs(values: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((first, second) for first, second in values)
