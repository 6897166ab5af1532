"""The pass of a Deployment: take a snapshot, ask the planner, write its plan in one commit."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from shoal.contract.problem import ConflictError, Problem
from shoal.contract.reason import Reason
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.plan import Plan, PlanEvent, Severity
from shoal.controller.domain.rollout import RolloutRecord, record_from_json, record_to_json
from shoal.controller.domain.snapshot import Conflict, Snapshot
from shoal.controller.domain.strategy import Strategy, strategy_from_json
from shoal.controller.planning import planner
from shoal.controller.reconcile import deployment_status, desired, fleet, revisions
from shoal.controller.reconcile.fleet import Member
from shoal.controller.reconcile.journal import Happening, event_writes
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, delete_of, put_over
from shoal.controller.store.port import Record, Write


async def reconcile(world: World, key: Key) -> float | None:
    """Lead one Deployment a step further; returns when to look again though nothing changed."""
    deployment = world.cache.get("Deployment", key.namespace, key.name)
    if deployment is None:
        return None
    everyone = fleet.members(world.cache, key.namespace)
    now = world.now()
    snapshot = take_snapshot(world, deployment, everyone, now)
    stored = world.cache.get("Rollout", key.namespace, key.name)
    snapshot = replace(snapshot, live=await world.live.look(snapshot.record, now))
    plan, rollout = await world.beside(partial(_decided, snapshot))
    if world.cache.get("Rollout", key.namespace, key.name) is not stored:
        raise _overtaken(snapshot.deployment)
    # Devices that went meanwhile are told nothing: nobody would ever clear away what they were.
    everyone = [one for one in everyone if world.cache.get("Device", one.namespace, one.name)]
    writes = _writes(world, deployment, everyone, plan)
    written = await world.commit([*_recorded(world, deployment, plan, rollout), *writes])
    for one in written:
        if one.kind == "Rollout" and not plan.removed:
            world.cache.remember(one, plan.record)
    await world.witness.saw(snapshot, plan)
    if plan.removed:
        await world.live.forget(snapshot.deployment)
        return None
    await world.live.mark(plan.record, now)
    # Rollouts are led by who is lost; lateness is for people, and the Device's own pass shows it.
    losses = (one.lost_at(world.cadence) for one in everyone)
    looks = world.live.next_look(plan.record, now)
    moments = (plan.wake_at, looks, *(at for at in losses if at is not None and at > now))
    return min((at for at in moments if at is not None), default=None)


def take_snapshot(world: World, deployment: Record, everyone: list[Member], now: float) -> Snapshot:
    """What the planner sees of a deployment now."""
    key = f"{deployment.namespace}/{deployment.name}"
    spec, metadata = deployment.data["spec"], deployment.data["metadata"]
    ref = revisions.parse_ref(spec["model"])
    record = record_of(world, deployment)
    picked = {one.name for one in fleet.selected(everyone, deployment)}
    known = {one.device for one in record.devices}
    strategy = strategy_from_json(spec)
    angle = _angle(key, strategy, record, world.cadence.lost_after_s)
    return Snapshot(
        now=now,
        deployment=key,
        generation=int(metadata.get("generation", 1)),
        deleted=bool(metadata.get("deletionTime")),
        model=ref.name,
        pinned=ref.pinned,
        strategy=strategy,
        models=tuple(
            world.cache.value(one, revisions.model_view)
            for one in revisions.of_model(world.cache, deployment.namespace, ref.name)
        ),
        devices=tuple(
            _view(world, one, angle, now, picked=one.name in picked)
            for one in everyone
            if one.name in picked or one.name in known
        ),
        record=record,
        conflict=_conflict(world, deployment, everyone, picked),
    )


def _view(
    world: World, member: Member, angle: fleet.Angle, now: float, *, picked: bool
) -> DeviceView:
    """The member under this deployment, anew only where something of it has changed."""
    reach = member.reach(world.cadence, now)
    device = world.cache.get("Device", member.namespace, member.name)
    make = partial(fleet.view, member, angle, reach, picked=picked)
    if device is None:
        return make()
    inputs = (member, angle, reach, picked)
    return world.cache.derived(device, f"view of {angle.deployment}", inputs, make)


def _angle(
    deployment: str, strategy: Strategy, record: RolloutRecord, lost_after_s: float
) -> fleet.Angle:
    """What both the strategy asked for and the one going on name of devices, and no more."""
    going = record.current.content.strategy if record.current else strategy
    return fleet.Angle(
        deployment=deployment,
        lost_after_s=lost_after_s,
        labels=tuple(sorted(strategy.labels | going.labels)),
        apart=strategy.verdicts_per,
    )


def record_of(world: World, deployment: Record) -> RolloutRecord:
    """The planner's memory of a deployment as it was last written, read once for each version."""
    stored = world.cache.get("Rollout", deployment.namespace, deployment.name)
    if stored is None:
        return read_record(None, f"{deployment.namespace}/{deployment.name}")
    return world.cache.value(stored, rollout_of)


def read_record(stored: Record | None, key: str) -> RolloutRecord:
    """The planner's memory of a deployment, new where there is none."""
    return rollout_of(stored) if stored else RolloutRecord(deployment=key)


def rollout_of(stored: Record) -> RolloutRecord:
    """What a stored record remembers; to be asked of the cache, which knows it already."""
    return record_from_json(stored.data)


def _conflict(
    world: World, deployment: Record, everyone: list[Member], picked: set[str]
) -> Conflict | None:
    """The oldest deployment before this one that gives the same model to some of its devices."""
    name = revisions.parse_ref(deployment.data["spec"]["model"]).name
    for other in sorted(world.cache.all("Deployment", deployment.namespace), key=_age):
        if _age(other) >= _age(deployment):
            return None
        if revisions.parse_ref(other.data["spec"]["model"]).name != name:
            continue
        shared = picked & {one.name for one in fleet.selected(everyone, other)}
        if shared and not other.data["metadata"].get("deletionTime"):
            return Conflict(
                deployment=f"{other.namespace}/{other.name}", devices=tuple(sorted(shared))
            )
    return None


def _age(deployment: Record) -> tuple[str, str]:
    return str(deployment.data["metadata"].get("creationTime", "")), deployment.name


def _overtaken(deployment: str) -> ConflictError:
    """What an operator asked for or another leader decided meanwhile must not be written over."""
    message = f"the rollout of {deployment} changed while a pass decided about it"
    return ConflictError(Problem(reason=Reason.CONFLICT, message=message))


def _decided(snapshot: Snapshot) -> tuple[Plan, dict[str, Any] | None]:
    """The plan, and its record as JSON; None where that is the one of the snapshot."""
    plan = planner.plan(snapshot)
    return plan, None if plan.record == snapshot.record else record_to_json(plan.record)


def _recorded(
    world: World, deployment: Record, plan: Plan, rollout: dict[str, Any] | None
) -> Iterator[Write]:
    place = (deployment.namespace, deployment.name)
    stored = world.cache.get("Rollout", *place)
    if plan.removed:
        yield delete_of(deployment)
        if stored is not None:
            yield delete_of(stored)
    elif stored is None or rollout is not None:
        yield put_over(stored, "Rollout", place, rollout or record_to_json(plan.record))


def _writes(
    world: World, deployment: Record, everyone: list[Member], plan: Plan
) -> Iterator[Write]:
    place = (deployment.namespace, deployment.name)
    yield from desired.writes(world, everyone, plan.record.deployment, plan.desired)
    happenings = [_happening(deployment, event) for event in plan.events]
    yield from event_writes(world.cache, happenings, world.now())
    if not plan.removed:
        status = deployment_status.build(deployment, plan, world.now())
        if status != deployment.data.get("status"):
            yield put_over(deployment, "Deployment", place, {**deployment.data, "status": status})


def _happening(deployment: Record, event: PlanEvent) -> Happening:
    return Happening(
        regarding=f"Deployment/{deployment.namespace}/{deployment.name}",
        type="Warning" if event.severity is Severity.WARNING else "Normal",
        reason=event.reason,
        message=event.message,
    )
