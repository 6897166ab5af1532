"""Decisions of rollouts, in memory and in SQLite: a short list for each deployment."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from shoal.contract import limits
from shoal.controller.store import tables
from shoal.controller.store.database import Database
from shoal.controller.store.port import KeptDecision

_TABLE = tables.metadata.tables["decisions"]


class MemoryDecisions:
    """Decisions in memory; nothing here ever suspends."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[int, str, bytes | None]]] = {}

    async def keep(self, deployment: str, facts: dict[str, Any], body: bytes) -> None:
        """See `DecisionStore.keep`."""
        rows = self._kept.setdefault(deployment, [])
        rows.append((rows[-1][0] + 1 if rows else 1, json.dumps(facts), body))
        del rows[: -limits.DECISIONS_KEPT]
        first = first_whole([(number, len(one or b"")) for number, _, one in rows])
        rows[:] = [(n, text, one if n >= first else None) for n, text, one in rows]

    async def decisions(self, deployment: str) -> list[KeptDecision]:
        """See `DecisionStore.decisions`."""
        return [
            KeptDecision(number=number, facts=json.loads(text), body=body)
            for number, text, body in self._kept.get(deployment, [])
        ]

    async def forget(self, deployment: str) -> None:
        """See `DecisionStore.forget`."""
        self._kept.pop(deployment, None)


class SqliteDecisions:
    """Decisions in a table of their own: the history of changes would keep copies of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, deployment: str, facts: dict[str, Any], body: bytes) -> None:
        """See `DecisionStore.keep`."""
        row = {"deployment": deployment, "facts": json.dumps(facts), "body": body}
        await self._database.write(lambda connection: _keep(connection, row))

    async def decisions(self, deployment: str) -> list[KeptDecision]:
        """See `DecisionStore.decisions`."""
        query = sa.select(_TABLE).where(_TABLE.c.deployment == deployment).order_by(_TABLE.c.number)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            KeptDecision(number=row.number, facts=json.loads(row.facts), body=row.body)
            for row in rows
        ]

    async def forget(self, deployment: str) -> None:
        """See `DecisionStore.forget`."""
        gone = sa.delete(_TABLE).where(_TABLE.c.deployment == deployment)
        await self._database.write(lambda connection: connection.execute(gone) and None)


def first_whole(sizes: Sequence[tuple[int, int]]) -> int:
    """The lowest number whose body stays, from (number, bytes of the body) oldest first.

    Of 10, 10 and 10 MiB under a limit of 16: the newest alone.
    """
    room, first = limits.SNAPSHOT_BYTES_KEPT, sizes[-1][0]
    for number, size in reversed(sizes[-limits.SNAPSHOTS_KEPT :]):
        room -= size
        if room < 0:
            break
        first = number
    return first


def _keep(connection: Connection, row: dict[str, Any]) -> None:
    mine = _TABLE.c.deployment == row["deployment"]
    newest = connection.execute(sa.select(sa.func.max(_TABLE.c.number)).where(mine)).scalar()
    number = (newest or 0) + 1
    connection.execute(sa.insert(_TABLE).values(**row, number=number))
    oldest = number - limits.DECISIONS_KEPT
    connection.execute(sa.delete(_TABLE).where(mine, _TABLE.c.number <= oldest))
    length = sa.func.coalesce(sa.func.length(_TABLE.c.body), 0)
    sizes = connection.execute(
        sa.select(_TABLE.c.number, length).where(mine).order_by(_TABLE.c.number)
    ).all()
    first = first_whole([(one[0], one[1]) for one in sizes])
    connection.execute(
        sa.update(_TABLE)
        .where(mine, _TABLE.c.number < first, _TABLE.c.body.is_not(None))
        .values(body=None)
    )
