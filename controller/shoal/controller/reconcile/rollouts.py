"""Rollouts as operators see them: verbs under compare-and-swap, and the history of revisions."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.contract.problem import ConflictError, NotFoundError
from shoal.controller.domain.revisions import Revision
from shoal.controller.domain.rollout import Verb, record_to_json
from shoal.controller.planning import verbs
from shoal.controller.reconcile import deployment_status
from shoal.controller.reconcile.deployments import read_record
from shoal.controller.reconcile.world import put_over
from shoal.controller.store.acts import Act
from shoal.controller.store.port import Record, Store

_PATIENCE_S = 5.0
_POLL_S = 0.02
_ATTEMPTS = 20  # the reconcile loop writes the same record; each loss means it made progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRequest:
    """What `user` asks of the rollout of `deployment` (`namespace/name`)."""

    deployment: str
    verb: str
    to_revision: int | None = None
    follow: bool = False
    full: bool = False
    user: str = "local"


class StoredRollouts:
    """Rollouts in the store; `now` is seconds since the epoch."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def request(self, request: RolloutRequest) -> None:
        """Record what the operator asked for.

        An abort or undo returns once the next pass has carried it out. A controller too busy for
        that within a few seconds answers all the same: the wish is kept.

        Raises:
            ConflictError: the rollout is not in a state in which this can be done.
            NotFoundError: no such revision.
        """
        wanted = verbs.Request(
            verb=Verb(request.verb),
            to_revision=request.to_revision,
            follow=request.follow,
            full=request.full,
            by=request.user,
        )
        place = _place(request.deployment)
        for _ in range(_ATTEMPTS):
            stored = await self._stored(place)
            before = read_record(stored, request.deployment)
            after = verbs.apply(before, wanted, self._now())
            if after == before:
                return None
            try:
                await self._store.commit(
                    [put_over(stored, "Rollout", place, record_to_json(after))],
                    self._act(request, place, before.current),
                )
            except ConflictError:
                continue
            return await self._carried_out(place, request.deployment)
        raise RuntimeError(f"the record of {request.deployment} changed {_ATTEMPTS} times in a row")

    def _act(
        self, request: RolloutRequest, place: tuple[str, str], current: Revision | None
    ) -> Act:
        """What the audit log says of it: the revision that it was asked of, and how."""
        parts = (
            f"revision {current.number}" if current else "",
            f"to revision {request.to_revision}" if request.to_revision else "",
            "follow" if request.follow else "",
            "full" if request.full else "",
        )
        return Act(
            time_ms=round(self._now() * 1000),
            user=request.user,
            verb=request.verb,
            kind="Deployment",
            namespace=place[0],
            name=place[1],
            detail=", ".join(part for part in parts if part),
        )

    async def _carried_out(self, place: tuple[str, str], deployment: str) -> None:
        """Wait for the pass that takes the intent, so that a status read next is not an old one."""
        for _ in range(round(_PATIENCE_S / _POLL_S)):
            if read_record(await self._stored(place), deployment).intent is None:
                return
            await asyncio.sleep(_POLL_S)

    async def revisions(self, deployment: str) -> Sequence[dict[str, Any]]:
        """The deployment's revisions, oldest first, in the API's form."""
        place = _place(deployment)
        record = read_record(await self._stored(place), deployment)
        resource = await self._store.get("Deployment", *place)
        return deployment_status.history(record, resource.data.get("status") or {})

    async def _stored(self, place: tuple[str, str]) -> Record | None:
        try:
            return await self._store.get("Rollout", *place)
        except NotFoundError:
            return None


def _place(deployment: str) -> tuple[str, str]:
    namespace, _, name = deployment.partition("/")
    return namespace, name
