"""What would happen: the planner is asked, and its answer told device by device.

The variants are those of the record that the planner's own pass would write, and the waves those of
a rehearsal. Nothing is chosen here.
"""

import enum
from dataclasses import dataclass, replace

from shoal.contract import shortfall
from shoal.contract.choice import Miss
from shoal.contract.digest import Digest
from shoal.contract.profile import ProfileClass
from shoal.contract.reason import Reason
from shoal.controller.deciding import rehearsing, starving
from shoal.controller.deciding.rehearsing import End, Rehearsal
from shoal.controller.deciding.starving import Starvation
from shoal.controller.domain.fleet import CohortId, DeviceView
from shoal.controller.domain.plan import Plan
from shoal.controller.domain.rollout import Target
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import planner, targets
from shoal.controller.planning.looking import look
from shoal.controller.planning.view import CohortView, Member, View


class Change(enum.StrEnum):
    """What becomes of a device."""

    NEW = "new"
    CHANGES = "changes"
    KEEPS = "keeps"
    WITHDRAWN = "withdrawn"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceForecast:
    """One device: what it would get, and what that may fall to.

    `current` is what it runs, or was told and does not run yet. `variant` is None where it gets
    nothing, with the reason. `wave` is empty where it is told nothing new, or nobody knows when.
    """

    device: str
    cohort: CohortId | None
    current: Digest | None
    variant: Digest | None
    may_fall_to: tuple[Digest, ...] = ()
    change: Change
    wave: str = ""
    after_s: float | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortForecast:
    """One cohort: the choice of the planner, or by how much the nearest variant misses."""

    cohort: CohortId
    name: str
    profile: str
    profile_class: ProfileClass
    devices: int
    variant: Digest | None
    may_fall_to: tuple[Digest, ...]
    misses: tuple[Miss, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One deployment: the plan of the next pass, and how the rollout goes at best.

    `starts` is whether that pass starts a revision. `rehearsal` is None where none is going on.
    """

    deployment: str
    starts: bool
    plan: Plan
    devices: tuple[DeviceForecast, ...]
    cohorts: tuple[CohortForecast, ...]
    rehearsal: Rehearsal | None
    starved: tuple[Starvation, ...]


def forecast(snapshot: Snapshot, device_turns: int = rehearsing.DEVICE_TURNS) -> Forecast:
    """What the next pass would decide on this snapshot, and where that leads.

    `device_turns` is what the rehearsal may cost; one that is cut off there still knows the waves.
    """
    plan = planner.plan(snapshot)
    view = look(snapshot, plan.record)
    before, current = snapshot.record.current, plan.record.current
    going = current is not None and current.result.open
    rehearsal = rehearsing.rehearse(snapshot, plan, device_turns) if going else None
    return Forecast(
        deployment=snapshot.deployment,
        starts=current is not None and (before is None or before.number != current.number),
        plan=plan,
        devices=_devices(view, snapshot, plan, rehearsal),
        cohorts=tuple(_cohort(view, one) for one in view.cohorts),
        rehearsal=rehearsal,
        starved=starving.causes(view, plan, rehearsal),
    )


def _devices(
    view: View, snapshot: Snapshot, plan: Plan, rehearsal: Rehearsal | None
) -> tuple[DeviceForecast, ...]:
    before = {one.device: one.told for one in snapshot.record.devices}
    held = {one.name: _current(one, before.get(one.name)) for one in snapshot.devices}
    found = [
        _member(view, cohort, one, held[one.name])
        for cohort in view.cohorts
        for one in cohort.members
    ]
    found += [_loose(view, plan, one, held[one.name]) for one in view.loose]
    names = {one.device for one in found}
    found += [
        _withdrawn(snapshot, name, told)
        for name, told in before.items()
        if told is not None and name in held and name not in names
    ]
    told = {one.device: one for one in rehearsal.told} if rehearsal else {}
    waves = [one.name for one in view.strategy.waves]
    turns = _turns(view) if rehearsal and rehearsal.end is End.NOT_FOLLOWED else {}
    timed = [
        replace(one, wave=waves[told[one.device].wave], after_s=told[one.device].after_s)
        if one.device in told
        else replace(one, wave=waves[turns[one.device]])
        if one.device in turns
        else one
        for one in found
    ]
    return tuple(sorted(timed, key=lambda one: one.device))


def _turns(view: View) -> dict[str, int]:
    """The wave that takes each device which is to be told: known without a rehearsal to its end."""
    last = len(view.strategy.waves) - 1
    return {
        one.name: one.joins
        for cohort in view.cohorts
        for one in cohort.members
        if cohort.feasible and not cohort.progress.returning
        if not one.told and one.joins is not None and one.joins <= last
    }


def _member(
    view: View, cohort: CohortView, member: Member, current: Digest | None
) -> DeviceForecast:
    variants, target = cohort.content.variants, _target(view, cohort, member)
    infeasible = not cohort.feasible
    falls: tuple[Digest, ...] = ()
    if target in variants and not cohort.progress.returning:
        falls = variants[variants.index(target) + 1 :]
    reason = Reason.NO_FEASIBLE_VARIANT if infeasible else ""
    if cohort.progress.reverted:
        reason = Reason.COHORT_REVERTED
    return DeviceForecast(
        device=member.name,
        cohort=cohort.id,
        current=current,
        variant=target,
        may_fall_to=falls,
        change=_change(current, target),
        reason=reason,
        message=unfit(cohort.content.misses, cohort.content.reason) if infeasible else "",
    )


def _change(current: Digest | None, target: Digest | None) -> Change:
    if target is None:
        return Change.NOTHING
    if current is None:
        return Change.NEW
    return Change.KEEPS if current == target else Change.CHANGES


def _target(view: View, cohort: CohortView, member: Member) -> Digest | None:
    """What the device is led to: its cohort's variant, or what it was told where that is given up.

    A device keeps what it was told earlier where nothing fits any more.
    """
    current = view.current
    told = member.known.told if member.known else None
    given_up = current is None or current.result.tombstone or cohort.progress.reverted
    if given_up or not cohort.feasible:
        return told.variant if told else None
    return targets.variant_of(cohort.content, cohort.progress)


def _loose(view: View, plan: Plan, member: Member, current: Digest | None) -> DeviceForecast:
    told = member.known.told if member.known else None
    cohort = member.device.cohort
    reason, message = plan.status.reason, plan.status.message
    if cohort is None:
        reason, message = Reason.NEVER_REPORTED, "it has not told its hardware yet"
    elif view.current is not None:
        reason, message = Reason.MODEL_NOT_READY, "its profile class is still being searched for"
    return DeviceForecast(
        device=member.name,
        cohort=cohort.id if cohort else None,
        current=current,
        variant=told.variant if told else None,
        change=Change.KEEPS if told else Change.NOTHING,
        reason=reason,
        message=message,
    )


def _withdrawn(snapshot: Snapshot, device: str, told: Target) -> DeviceForecast:
    return DeviceForecast(
        device=device,
        cohort=told.cohort,
        current=told.variant,
        variant=None,
        change=Change.WITHDRAWN,
        reason=Reason.DELETED if snapshot.deleted else Reason.NOT_SELECTED,
        message="the deployment takes back what it told the device",
    )


def _current(device: DeviceView, told: Target | None) -> Digest | None:
    """What the device runs, or was told and does not run yet."""
    if device.report is not None and device.report.running is not None:
        return device.report.running
    return told.variant if told else None


def _cohort(view: View, cohort: CohortView) -> CohortForecast:
    content, step = cohort.content, cohort.progress.step
    names = view.current.content.names if view.current else {}
    return CohortForecast(
        cohort=cohort.id,
        name=names.get(cohort.id, content.profile),
        profile=content.profile,
        profile_class=content.profile_class,
        devices=len(cohort.members),
        variant=targets.variant_of(content, cohort.progress),
        may_fall_to=content.variants[step + 1 :],
        misses=content.misses,
        reason=content.reason,
    )


def unfit(misses: tuple[Miss, ...], reason: str) -> str:
    """Why nothing fits: the nearest misses in the units people write."""
    texts = [shortfall.describe(one.constraint, one.nearest, one.limit) for one in misses]
    return "; ".join(texts) or reason
