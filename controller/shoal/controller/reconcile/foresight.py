"""What the fleet would do if these resources were applied: the passes' own snapshot, and no write.

The proposed resources are laid over a copy of the cache; snapshot, planner and artifacts are those
of the real passes, so that a plan cannot differ from what then happens.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shoal.contract.profile import ProfileClass
from shoal.controller.deciding import foreseeing
from shoal.controller.deciding.foreseeing import Change, Forecast
from shoal.controller.domain.archive import ModelView
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.reconcile import deployments, fleet, forecasts, revisions, shipping
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Record

_Search = tuple[str, int, ProfileClass]

_PROPOSED = -1  # the version of what is not stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One deployment as it would be, with the devices of its namespace."""

    deployment: Record
    snapshot: Snapshot
    everyone: list[Member]


class Foresight:
    """Plans over the live cache of one controller."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def plan(self, resources: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What would become of every deployment that `resources` touch, in the API's form.

        `resources` are as they would be stored; none at all asks for what goes on now.
        """
        world = self._world
        proposed = [_record(one) for one in resources]
        after = replace(world, cache=world.cache.with_records(_with_revisions(world, proposed)))
        touched = {(one.kind, one.namespace, one.name) for one in proposed}
        items: list[dict[str, Any]] = []
        searches: list[_Search] = []
        for seen in _everything(after, {one.namespace for one in proposed}):
            # Passes over a large fleet take seconds, and the loop has devices to serve.
            found = await asyncio.to_thread(foreseeing.forecast, seen.snapshot)
            if not (_concerns(seen, touched) or _moves(found)):
                continue
            shipped = shipping.of(after, seen.deployment, found, seen.everyone)
            items.append(forecasts.document(found, seen.everyone, shipped))
            searches += _searches(seen)
        return {"items": items, "searches": _distinct(searches), "continue": None}


def _record(resource: dict[str, Any]) -> Record:
    metadata = resource["metadata"]
    return Record(
        kind=resource["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=str(metadata.get("uid") or ""),
        resource_version=_PROPOSED,
        data=resource,
    )


def _with_revisions(world: World, proposed: Sequence[Record]) -> Iterator[Record]:
    """The records, and a revision of which nothing is known for each Model with new content."""
    for record in proposed:
        yield record
        if record.kind != "Model":
            continue
        kept = revisions.of_model(world.cache, record.namespace, record.name)
        if kept and kept[-1].data["key"] == revisions.content_key(record.data["spec"]):
            continue
        number = int(kept[-1].data["number"]) + 1 if kept else 1
        data = revisions.new_revision(record.name, number, record.data["spec"])
        yield replace(record, kind="ModelRevision", name=f"{record.name}.{number}", data=data)


def _everything(world: World, namespaces: set[str]) -> Iterator[_Seen]:
    now = world.now()
    for deployment in world.cache.all("Deployment"):
        if deployment.namespace not in namespaces:
            continue
        everyone = fleet.members(world.cache, deployment.namespace)
        snapshot = deployments.take_snapshot(world, deployment, everyone, now)
        yield _Seen(deployment=deployment, snapshot=snapshot, everyone=everyone)


def _concerns(seen: _Seen, touched: set[tuple[str, str, str]]) -> bool:
    """Whether the deployment, or the model that it names, is among what was proposed."""
    namespace, name = seen.deployment.namespace, seen.deployment.name
    return bool(
        {("Deployment", namespace, name), ("Model", namespace, seen.snapshot.model)} & touched
    )


def _moves(found: Forecast) -> bool:
    return found.starts or any(one.change is not Change.KEEPS for one in found.devices)


def _searches(seen: _Seen) -> Iterator[_Search]:
    """The searches that have to end before the newest or pinned revision can be rolled out."""
    wanted = _wanted(seen.snapshot)
    if wanted is None:
        return
    for device in seen.snapshot.devices:
        if device.selected and device.cohort is not None:
            archive = wanted.archive(device.cohort.profile_class)
            if archive is None or not archive.state.settled:
                yield seen.snapshot.model, wanted.number, device.cohort.profile_class


def _wanted(snapshot: Snapshot) -> ModelView | None:
    if snapshot.pinned is not None:
        return snapshot.model_view(snapshot.pinned)
    return max(snapshot.models, key=lambda one: one.number, default=None)


def _distinct(searches: Sequence[_Search]) -> list[dict[str, Any]]:
    return [
        {"model": model, "modelRevision": number, "profileClass": profile_class}
        for model, number, profile_class in sorted(set(searches))
    ]
