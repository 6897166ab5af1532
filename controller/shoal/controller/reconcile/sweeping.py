"""Sweeping: what nobody refers to any more goes, but only after a retention time.

Variants first: one that no archive holds is marked with the time, and deleted when the mark is old
enough. Then blobs: every digest that a kept record mentions is in use, whatever the record means by
it; a blob out of use goes when it was last seen in use, or asked for, that long ago. So an undo, a
re-made Model or a file uploaded just before its manifest finds everything still there.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shoal.contract.digest import Digest
from shoal.contract.problem import ConflictError, NotFoundError
from shoal.controller.reconcile import archives
from shoal.controller.reconcile.journal import iso
from shoal.controller.reconcile.world import delete_of, put_over
from shoal.controller.store.port import Part, Record, Store, Write

log = logging.getLogger(__name__)

MARK = "unreferencedSince"  # in the status of a Variant: RFC 3339
_REFERRING = ("Model", "ModelRevision", "Variant", "Deployment", "Rollout", "Assignment")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_AT_ONCE = 500
_LONGEST_PAUSE_S = 3600.0


class Litter(Protocol):
    """Blobs as the sweep sees them."""

    async def sweep(self, in_use: frozenset[Digest], now_s: float, kept_s: float) -> list[Digest]:
        """Note that `in_use` are in use; drop what was last so more than `kept_s` ago.

        Returns what was dropped.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeper:
    """Sweeps one controller; `now` is seconds since the epoch."""

    store: Store
    litter: Litter
    now: Callable[[], float]
    retention_s: float

    async def run(self) -> None:
        """Sweep now and then until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("the sweep failed and comes again")
            await asyncio.sleep(min(self.retention_s / 2, _LONGEST_PAUSE_S))

    async def sweep(self) -> None:
        """Once."""
        held = {
            (revision.namespace, archives.variant_name(point, profile_class))
            async for revision in self._all("ModelRevision")
            for profile_class, found in revision.data["classes"].items()
            for point in (found.get("archive") or {}).get("points", ())
        }
        async for variant in self._all("Variant"):
            await self._age(variant, held=(variant.namespace, variant.name) in held)
        in_use = {
            Digest(digest)
            for kind in _REFERRING
            async for record in self._all(kind)
            for digest in _DIGEST.findall(json.dumps(record.data))
        }
        dropped = await self.litter.sweep(frozenset(in_use), self.now(), self.retention_s)
        if dropped:
            log.info("dropped %d blobs that nothing refers to", len(dropped))

    async def _all(self, kind: str) -> AsyncIterator[Record]:
        """Every record of a kind, with pauses for others."""
        place = ("", "")
        while True:
            part = Part(after=place, limit=_AT_ONCE)
            records = (await self.store.list(kind, None, part)).records
            for record in records:
                yield record
            if len(records) < _AT_ONCE:
                return
            place = (records[-1].namespace, records[-1].name)

    async def _age(self, variant: Record, *, held: bool) -> None:
        write = self._next(variant, held=held)
        if write is None:
            return
        try:
            await self.store.commit([write])
        except (ConflictError, NotFoundError):
            return  # somebody was faster; the next sweep looks again

    def _next(self, variant: Record, *, held: bool) -> Write | None:
        """Mark, unmark or end one Variant, as its use and its mark say."""
        status = variant.data.get("status") or {}
        since = status.get(MARK)
        if held and since is None:
            return None
        if since is None:
            return _restated(variant, {**status, MARK: iso(self.now())})
        if held:
            return _restated(variant, {k: v for k, v in status.items() if k != MARK})
        age_s = self.now() - datetime.fromisoformat(since).timestamp()
        return delete_of(variant) if age_s >= self.retention_s else None


def is_marked(variant: Record) -> bool:
    """Whether no archive held the Variant when it was last looked at."""
    return MARK in (variant.data.get("status") or {})


def _restated(variant: Record, status: dict[str, Any]) -> Write:
    place = (variant.namespace, variant.name)
    return put_over(variant, variant.kind, place, {**variant.data, "status": status})
