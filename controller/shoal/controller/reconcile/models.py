"""The pass of a Model: a revision for each new content, a search for each class that needs one."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from shoal.contract.problem import ProblemError
from shoal.contract.reason import Reason
from shoal.controller.domain.archive import ArchiveState
from shoal.controller.reconcile import (
    archives,
    fleet,
    model_status,
    retention,
    revisions,
    scouting_events,
    scouts,
    variants,
)
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.journal import Happening, event_writes
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.revisions import Need
from shoal.controller.reconcile.world import World, delete_of, put_over
from shoal.controller.store.port import Put, Record, Write

log = logging.getLogger(__name__)

# Not the input's fault: memory ran out, a program was missing. Tried again, with events counted.
_MAY_PASS = frozenset({Reason.CRASHED, Reason.INTERNAL, Reason.MISSING_EXTRA})
_AGAIN_S = 60.0
_KEPT = ("archive", "memory_bytes")  # of an archive that is looked through again
_DOUBLINGS = 6  # a search that always crashes must not keep the others waiting for ever

# Namespace, name and content key of the ModelRevision record, profile class. With the content,
# because a Model that is deleted and made again counts its revisions from 1: what a search of the
# old content finds must never pass for the new one's.
_Search = tuple[str, str, str, str]


class Searches:
    """Searches that run beside the passes; a finished one wakes its Model's pass to take it."""

    def __init__(self, world: World, wake: Callable[[Key], None]) -> None:
        self._world = world
        self._wake = wake
        self._running: dict[_Search, asyncio.Task[None]] = {}
        self._found: dict[_Search, dict[str, Any]] = {}

    def start(self, record: Record, need: Need) -> None:
        """Begin a search unless it runs or waits to be taken."""
        search = _search_of(record, need.profile.name)
        if search not in self._running and search not in self._found:
            self._running[search] = asyncio.create_task(self._run(search, record, need))

    def take(self, record: Record) -> dict[str, dict[str, Any]]:
        """What finished searches of one revision found, by profile class."""
        mine = [s for s in self._found if s == _search_of(record, s[-1])]
        return {search[-1]: self._found[search] for search in mine}

    def taken(self, record: Record, profile_class: str) -> None:
        """The pass has stored what this search found."""
        self._found.pop(_search_of(record, profile_class), None)

    def forget(self, namespace: str, model: str) -> None:
        """Let go of what was found for a Model that is gone: nobody will take it."""
        self._found = {
            search: found
            for search, found in self._found.items()
            if (search[0], search[1].rpartition(".")[0]) != (namespace, model)
        }

    async def idle(self) -> None:
        """Wait until nothing runs."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self) -> None:
        """End what still runs."""
        for task in self._running.values():
            task.cancel()
        await self.idle()

    async def _run(self, search: _Search, record: Record, need: Need) -> None:
        try:
            found = await self._search(record, need)
            self._found[search] = {**found, "memory_bytes": need.memory_bytes}
        finally:
            del self._running[search]
        self._wake(Key("Model", record.namespace, str(record.data["model"])))

    async def _search(self, record: Record, need: Need) -> dict[str, Any]:
        try:
            result = await self._world.jobs.run(revisions.job_request(record.data, need))
            archive = await archives.take_in(result, self._world.blobs)
        except ProblemError as error:
            return {"state": ArchiveState.FAILED, **error.problem.to_json()}
        except Exception as error:
            # Whatever a report does to its reader, the Model must learn that its search ended.
            log.exception("the search of %s for %s failed", record.name, need.profile.name)
            return {
                "state": ArchiveState.FAILED,
                "reason": Reason.INTERNAL,
                "message": f"the result of the search could not be read: {error}",
            }
        return {"state": ArchiveState.READY, "archive": archive}


def _search_of(record: Record, profile_class: str) -> _Search:
    return (record.namespace, record.name, str(record.data["key"]), profile_class)


async def reconcile(world: World, searches: Searches, key: Key) -> float | None:
    """Bring the revisions, archives, Variants and status of one Model up to date."""
    model = world.cache.get("Model", key.namespace, key.name)
    kept = revisions.of_model(world.cache, key.namespace, key.name)
    if model is None:
        searches.forget(key.namespace, key.name)
        await world.commit(retention.deletions(kept))
        await world.commit([*scouts.tells(world, key.namespace, key.name, (), ())])
        return None
    if retention.may_go(world.cache, model):
        await world.commit([delete_of(model)])  # and the pass after it clears up
        return None
    if not kept or kept[-1].data["key"] != revisions.content_key(model.data["spec"]):
        number = int(kept[-1].data["number"]) + 1 if kept else 1
        kept += await world.commit([_first_write(model, number)])
    used, everyone = _in_use(world, model, kept), _devices(world, model)
    for record in kept:
        here = everyone if record.data["number"] in used else []
        await _search(world, searches, record, here)
    kept = revisions.of_model(world.cache, key.namespace, key.name)
    dropped = retention.surplus(world.cache, key.namespace, kept)
    if dropped:
        await world.commit(retention.deletions(dropped))
        kept = revisions.of_model(world.cache, key.namespace, key.name)
    await world.commit([*scouts.tells(world, key.namespace, key.name, everyone, kept)])
    await world.commit(_status_writes(world, model, kept))
    # Only of what is searched again when the time comes: the others would wake the pass for ever.
    ours = {one.profile_class.name for one in everyone if one.profile_class is not None}
    again = (
        found["again_at"]
        for one in kept
        if one.data["number"] in used
        for name, found in one.data["classes"].items()
        if name in ours and _passing(found)
    )
    return min((*again, *scouts.wakes_at(kept, world.now())), default=None)


def _first_write(model: Record, number: int) -> Put:
    return Put(
        kind="ModelRevision",
        namespace=model.namespace,
        name=f"{model.name}.{number}",
        data=revisions.new_revision(model.name, number, model.data["spec"]),
        expected=None,
    )


def _in_use(world: World, model: Record, kept: list[Record]) -> set[int]:
    """The newest revision, and every one that a Deployment is pinned to or rolled out last."""
    used: set[int | None] = {kept[-1].data["number"]}
    for one in world.cache.all("Deployment", model.namespace):
        ref = revisions.parse_ref(one.data["spec"]["model"])
        if ref.name == model.name:
            # After an undo the current revision is an older one, and new devices need it too.
            used |= {ref.pinned, (one.data.get("status") or {}).get("modelRevision")}
    return {one for one in used if one is not None}


async def _search(world: World, searches: Searches, record: Record, devices: list[Member]) -> None:
    """Store what was found for one revision, and start what is missing of what devices need."""
    needed = _needs(record, devices)
    found = searches.take(record)
    classes = dict(record.data["classes"])
    for name, one in found.items():
        classes[name] = _settled(world, one, classes.get(name, {}))
    for name, need in needed.items():
        known = classes.get(name, {})
        if _is_due(known, need, world.now()):
            classes[name] = {
                **{key: known[key] for key in _KEPT if key in known},
                "state": ArchiveState.SEARCHING,
                "tries": known.get("tries", 0),
            }
            searches.start(record, need)
    # With the archive itself, so that no rollout starts between the two.
    scouting = scouts.after(world, record, classes, devices)
    before = record.data.get("scouting") or {}
    if (classes, scouting) == (record.data["classes"], before):
        return
    changed = {**record.data, "classes": classes, **({"scouting": scouting} if scouting else {})}
    writes: list[Write] = [
        put_over(record, "ModelRevision", (record.namespace, record.name), changed)
    ]
    told = replace(record, data=changed)
    for name in sorted({*found, *(one for one in scouting if scouting[one] != before.get(one))}):
        writes += variants.writes(world, told, name, classes)
    happenings = [_happening(record, one) for one in found.values()]
    happenings += scouting_events.of(record, before, scouting)
    writes += event_writes(world.cache, happenings, world.now())
    await world.commit(writes)
    for name in found:
        searches.taken(record, name)


def _settled(world: World, found: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What a search found, with the time of the next try where it failed of something passing.

    It comes after a minute, later ones after twice as long each time: 1, 2, 4 … 64 minutes. Where
    an archive was looked through again for a smaller memory, the old one stays in the new, and a
    failure leaves it as it is.
    """
    if found["state"] == ArchiveState.FAILED and "archive" in known:
        kept = {"archive": known["archive"], "memory_bytes": found["memory_bytes"]}
        return {"state": ArchiveState.READY, **kept}
    if "archive" in found and "archive" in known:
        return {**found, "archive": archives.joined(known["archive"], found["archive"])}
    if found.get("reason") not in _MAY_PASS:
        return found
    tries = known.get("tries", 0)
    wait_s = _AGAIN_S * 2.0 ** min(tries, _DOUBLINGS)
    return {**found, "tries": tries + 1, "again_at": world.now() + wait_s}


def _is_due(known: Mapping[str, Any], need: Need, now: float) -> bool:
    """Whether a search is to be begun, or one that runs to be known as running."""
    match known.get("state"):
        case ArchiveState.READY:
            return not need.met_by(known)
        case ArchiveState.FAILED:
            return _passing(known) and now >= known["again_at"]
        case _:
            return True


def _passing(known: Mapping[str, Any]) -> bool:
    return known.get("state") == ArchiveState.FAILED and "again_at" in known


def _devices(world: World, model: Record) -> list[Member]:
    """Every device that a Deployment of this model selects; one may be there more than once."""
    everyone = fleet.members(world.cache, model.namespace)
    return [
        member
        for deployment in world.cache.all("Deployment", model.namespace)
        if revisions.parse_ref(deployment.data["spec"]["model"]).name == model.name
        for member in fleet.selected(everyone, deployment)
    ]


def _needs(record: Record, devices: Iterable[Member]) -> dict[str, Need]:
    """What devices need of a revision, by profile class."""
    needs: dict[str, Need] = {}
    for one in devices:
        if one.profile_class is not None:
            memory_bytes = one.profile.budget.memory_bytes
            need = revisions.need(record.data["spec"], one.profile_class, memory_bytes)
            name = one.profile_class.name
            needs[name] = needs[name].joined(need) if name in needs else need
    return needs


def _happening(record: Record, found: dict[str, Any]) -> Happening:
    regarding = f"Model/{record.namespace}/{record.data['model']}"
    which = revisions.title(record)
    if found["state"] == ArchiveState.FAILED:
        return Happening(
            regarding=regarding,
            type="Warning",
            reason=found["reason"],
            message=f"{which}: {found['message']}",
        )
    told = archives.summary(found["archive"], record.data["spec"])
    return Happening(
        regarding=regarding, type="Normal", reason="Searched", message=f"{which}: {told}"
    )


def _status_writes(world: World, model: Record, kept: list[Record]) -> list[Put]:
    status = model_status.build(world, model, kept)
    if status == model.data.get("status"):
        return []
    data = {**model.data, "status": status}
    return [put_over(model, "Model", (model.namespace, model.name), data)]
