"""What the fleet would do if these resources were applied: the passes' own snapshot, and no write.

The proposed resources are laid over a copy of the cache; snapshot, planner and artifacts are those
of the real passes, so that a plan cannot differ from what then happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shoal.contract import jsonform
from shoal.contract.profile import ProfileClass
from shoal.contract.reason import Reason
from shoal.controller.deciding import foreseeing
from shoal.controller.deciding.foreseeing import Forecast
from shoal.controller.domain.archive import ModelView
from shoal.controller.domain.live import LiveEvidence
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.reconcile import deployments, fleet, forecasts, revisions, scouts, shipping
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Record

_Search = tuple[str, int, ProfileClass, bool]  # the last: it has ended, and scouts are at work

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

        `resources` are as they would be stored.
        """
        world, proposed = self._world, [_record(one) for one in resources]
        now = world.now()
        before = replace(world, cache=world.cache.with_records(()), now=lambda: now)
        after = replace(before, cache=before.cache.with_records(_with_revisions(world, proposed)))
        evidence = {
            _place(one): await world.live.look(deployments.record_of(before, one), now)
            for one in before.cache.all("Deployment")
            if one.namespace in {other.namespace for other in proposed}
        }
        # Passes over a large fleet take seconds, and the loop has devices to serve.
        return await world.beside(partial(_plan, (before, after), evidence, proposed))


def _plan(
    worlds: tuple[World, World],
    evidence: Mapping[tuple[str, str], LiveEvidence],
    proposed: Sequence[Record],
) -> dict[str, Any]:
    """The plan, from two caches that nobody else has, and what traffic said so far."""
    before, after = worlds
    touched = {(one.kind, one.namespace, one.name) for one in proposed}
    known = {_place(one.deployment): one.snapshot for one in _everything(before, proposed)}
    items: list[dict[str, Any]] = []
    searches: set[_Search] = set()
    for seen in _everything(after, proposed):
        if not _concerns(seen, touched) and known.get(_place(seen.deployment)) == seen.snapshot:
            continue
        live = evidence.get(_place(seen.deployment), LiveEvidence())
        found = foreseeing.forecast(replace(_by_estimates(seen.snapshot), live=live))
        shipped = shipping.of(after, seen.deployment, found, seen.everyone)
        first = set(_searches(after, seen))
        document = forecasts.document(found, seen.everyone, shipped)
        items.append(document | (_coming(seen.snapshot, found) if first else {}))
        searches |= first
    return {"items": items, "searches": _listed(searches), "continue": None}


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


def _everything(world: World, proposed: Sequence[Record]) -> Iterator[_Seen]:
    """Every deployment of the namespaces in which something is proposed."""
    everyone = {one: fleet.members(world.cache, one) for one in {one.namespace for one in proposed}}
    for deployment in world.cache.all("Deployment"):
        members = everyone.get(deployment.namespace)
        if members is not None:
            snapshot = deployments.take_snapshot(world, deployment, members, world.now())
            yield _Seen(deployment=deployment, snapshot=snapshot, everyone=members)


def _place(deployment: Record) -> tuple[str, str]:
    return deployment.namespace, deployment.name


def _concerns(seen: _Seen, touched: set[tuple[str, str, str]]) -> bool:
    """Whether the deployment, or the model that it names, is among what was proposed."""
    namespace, name = seen.deployment.namespace, seen.deployment.name
    return bool(
        {("Deployment", namespace, name), ("Model", namespace, seen.snapshot.model)} & touched
    )


def _searches(world: World, seen: _Seen) -> Iterator[_Search]:
    """What has to end before the newest or pinned revision can be rolled out: searches, scouts."""
    wanted = _wanted(seen.snapshot)
    if wanted is None:
        return
    scouted = _scouted(world, seen, wanted.number)
    for device in seen.snapshot.devices:
        if device.selected and device.cohort is not None:
            name = device.cohort.profile_class
            archive = wanted.archive(name)
            found = archive is not None and archive.state.settled
            if not found or name in scouted:
                yield seen.snapshot.model, wanted.number, name, found


def _coming(snapshot: Snapshot, found: Forecast) -> dict[str, Any]:
    """What differs in an item whose searches come first: to wait for them is not to starve."""
    kept = tuple(one for one in found.starved if one.reason != Reason.MODEL_NOT_READY)
    item: dict[str, Any] = {"starved": [jsonform.to_json(one) for one in kept]}
    wanted, record = _wanted(snapshot), found.plan.record
    taken = record.current.content.model_revision if record.current else 0
    newer = snapshot.pinned is not None or (wanted and wanted.number > record.taken.model_revision)
    if wanted is None or not newer or wanted.number == taken:
        return item
    devices = sum(one.selected for one in snapshot.devices)
    follows = {"model": snapshot.model, "modelRevision": wanted.number, "devices": devices}
    return item | {"follows": follows}


def _scouted(world: World, seen: _Seen, number: int) -> frozenset[str]:
    """The classes of which the next pass of the Model has scouts at work."""
    name = f"{seen.snapshot.model}.{number}"
    record = world.cache.get("ModelRevision", seen.deployment.namespace, name)
    if record is None:
        return frozenset()
    found = scouts.after(world, record, record.data["classes"], seen.everyone)
    return frozenset(name for name, one in found.items() if "open" in one)


def _by_estimates(snapshot: Snapshot) -> Snapshot:
    """As if nobody waited for scouts: what they will find is told apart, as nobody knows it."""
    models = tuple(
        replace(one, archives=tuple(replace(each, scouting=False) for each in one.archives))
        for one in snapshot.models
    )
    return replace(snapshot, models=models)


def _wanted(snapshot: Snapshot) -> ModelView | None:
    if snapshot.pinned is not None:
        return snapshot.model_view(snapshot.pinned)
    return max(snapshot.models, key=lambda one: one.number, default=None)


def _listed(searches: set[_Search]) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "modelRevision": number,
            "profileClass": profile_class,
            "scouting": scouting,
        }
        for model, number, profile_class, scouting in sorted(searches)
    ]
