"""Scouts through a Model's pass: who is sent, what came back, and what devices are told of it.

All of it follows from the revisions' records and from reports, whole each time: a lost or repeated
message, a restart or another leader changes nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shoal.contract import jsonform
from shoal.contract.assignment import Assignment, Preflight, Trial
from shoal.contract.digest import Digest
from shoal.contract.profile import ONNXRUNTIME
from shoal.controller.domain.archive import ArchiveState, ModelView
from shoal.controller.domain.fleet import Reach
from shoal.controller.planning import scouting
from shoal.controller.planning.scouting import Past, Scene, Scouting
from shoal.controller.reconcile import desired, evidence, revisions
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Put, Record

Kept = dict[str, Any]


def after(
    world: World, record: Record, classes: Mapping[str, Any], everyone: Sequence[Member]
) -> Kept:
    """What is to be kept of scouting, once `classes` are the revision's archives."""
    before: Kept = record.data.get("scouting") or {}
    view = revisions.model_view(replace(record, data={**record.data, "classes": classes}))
    members = {one.name: one for one in everyone}
    groups: dict[str, list[Member]] = {name: [] for name in before}
    for one in members.values():
        if one.profile_class is not None:
            groups.setdefault(one.profile_class.name, []).append(one)
    found = {
        name: _class(world, (record, view, name), before.get(name, {}), group)
        for name, group in sorted(groups.items())
        if classes.get(name, {}).get("state") == ArchiveState.READY
    }
    return {**before, **{name: one for name, one in found.items() if one}}


def _class(
    world: World, what: tuple[Record, ModelView, str], kept: Kept, group: Sequence[Member]
) -> Kept:
    """One class a step further."""
    record, view, name = what
    archive = next(one for one in view.archives if one.profile_class == name)
    going = jsonform.from_json(Scouting, kept["open"]) if "open" in kept else None
    past = jsonform.from_json(Past, kept["past"]) if "past" in kept else Past()
    said = _folded(record, name, kept.get("evidence", {}), (going, group))
    now = world.now()
    leading = scouting.leading(archive, {one.profile.budget for one in group}, view.objective)
    wanted = past.wanted(leading, now)
    reach = {one.name: one.reach(world.cadence, now) for one in group}
    scene = Scene(
        now=now,
        wanted=wanted,
        idle=tuple(one.name for one in group if _idle(world, one, reach[one.name])),
        heard=frozenset(one for one, how in reach.items() if how is not Reach.LOST),
        answers=frozenset((device, Digest(d)) for d, of in said.items() for device in of),
        again=max((dict(past.silent).get(one, 0) for one in wanted), default=0),
    )
    goes_on = scouting.step(going, scene)
    if going is not None and goes_on is None:
        told = {one.digest for one in evidence.measured({"evidence": said})}
        past = past.after(going.variants, told, now)
    elif goes_on is None and scene.again:
        past = past.after(wanted, (), now)  # nobody could go: that was their turn
    elif goes_on is None and wanted:
        past = past.put_off(now)
    elif going is None and goes_on is not None:
        # What was said of them before was nothing, and is not to pass for an answer now.
        said = {digest: of for digest, of in said.items() if digest not in goes_on.variants}
    found: Kept = {"open": jsonform.to_json(goes_on)} if goes_on else {}
    found |= {"past": jsonform.to_json(past)} if past != Past() else {}
    return found | ({"evidence": said} if said else {})


def _folded(
    record: Record, name: str, known: Kept, sent: tuple[Scouting | None, Sequence[Member]]
) -> Kept:
    """The evidence with what the devices that were sent have said since."""
    going, group = sent
    found = {digest: dict(of) for digest, of in known.items()}
    for one in group:
        if going is None or one.name not in going.devices or one.report is None:
            continue
        said = {result.key: result for result in one.report.trials}
        for digest in going.variants:
            result = said.get(_key(record, name, digest))
            if result is not None:
                found.setdefault(digest, {})[one.name] = jsonform.to_json(result)
    return found


def _idle(world: World, member: Member, reach: Reach) -> bool:
    """Whether a device has nothing else to do, and knows of nothing that it is about to."""
    if member.report is None or not member.report.scouts or reach is not Reach.REACHABLE:
        return False
    told = world.cache.get("Assignment", member.namespace, member.name)
    given = told.data["deployments"] if told else {}
    said = {one.deployment: one for one in member.report.deployments}
    settled = all(one.phase.terminal for one in said.values())
    same = all(
        name in said and said[name].generation == one["generation"] for name, one in given.items()
    )
    return settled and same and not member.suspended and member.standing.admitted


def wakes_at(kept: Iterable[Record], now: float) -> Iterator[float]:
    """When what goes on is to end at the latest, and when another turn is due."""
    for record in kept:
        for one in (record.data.get("scouting") or {}).values():
            if "open" in one:
                yield float(one["open"]["until"])
            elif one.get("past", {}).get("again_at", 0.0) > now:
                yield float(one["past"]["again_at"])


def tells(
    world: World, namespace: str, model: str, everyone: Iterable[Member], kept: Iterable[Record]
) -> Iterator[Put]:
    """The changes that make every device's record say exactly the trials of this Model."""
    wanted: dict[str, dict[str, Any]] = {}
    members = {one.name: one for one in everyone}
    for record in kept:
        for name, one in (record.data.get("scouting") or {}).items():
            going = jsonform.from_json(Scouting, one["open"]) if "open" in one else None
            for device in going.devices if going else ():
                if going is not None and device in members:
                    trials = _trials(world, members[device], (record, name), going)
                    wanted.setdefault(device, {}).update(trials)
    for told in world.cache.all("Assignment", namespace):
        if told.name in wanted or told.data.get("trials"):
            yield from desired.trial_writes(told, model, wanted.get(told.name, {}))


def _trials(
    world: World, member: Member, where: tuple[Record, str], going: Scouting
) -> dict[str, Any]:
    record, name = where
    archive = record.data["classes"].get(name, {}).get("archive") or {"points": ()}
    runtime = member.profile.runtime
    found = {}
    for point in archive["points"]:
        if point["digest"] not in going.variants:
            continue
        assignment = Assignment(
            deployment=f"{record.namespace}/{record.data['model']}",
            model=record.data["model"],
            revision=record.data["number"],
            generation=0,
            variant=point["digest"],
            artifacts=desired.artifacts_of(world, record, archive, point),
            engine=point.get("runtime", ONNXRUNTIME),
            providers=runtime.providers,
            threads=runtime.threads,
            output=archive["output"],
            preflight=Preflight(min_agreement=0.0),  # what agrees too little is to be told as well
        )
        key = _key(record, name, point["digest"])
        found[key] = jsonform.to_json(Trial(key=key, assignment=assignment))
    return found


def _key(record: Record, name: str, digest: str) -> str:
    """The same for the same content, class and variant; of a Model made anew another."""
    text = f"{record.namespace} {record.name} {record.data['key']} {name} {digest}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
