"""Why a deployment or a device is as it is, in words and with the inputs that led there.

`view` is the planner's own; what a state means stands in `states`. Every state has an explanation.
"""

from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from shoal.controller.deciding import foreseeing, ruling, states, stating
from shoal.controller.deciding.ruling import Ruling
from shoal.controller.deciding.stating import Why
from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import allocating, standing, targets, waking
from shoal.controller.planning.looking import look
from shoal.controller.planning.view import CohortView, Member, View


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortWhy:
    """One cohort: its choice, every other variant with what ruled it out, and its gates."""

    cohort: CohortId
    name: str
    profile: str
    devices: int
    wave: str
    variant: Digest | None
    why: str
    variants: tuple[Ruling, ...]
    gates: tuple[GateVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentWhy:
    """A deployment; `next_look` is when time alone may change the decision.

    `given_up` is the revision that `revision` leads back from; 0 where it is no such way back.
    """

    revision: int
    given_up: int
    model_revision: int
    state: Why
    cohorts: tuple[CohortWhy, ...]
    next_look: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWhy:
    """A device under one deployment."""

    outcome: str
    told: Digest | None
    running: Digest | None
    cohort: CohortWhy | None
    wave: str
    place: int
    state: Why


def deployment(snapshot: Snapshot, inputs: Snapshot) -> DeploymentWhy:
    """Why the deployment stands where it stands; `inputs` are those that its choice was made from.

    They are those of the decision that froze the revision while they are kept, else of now.
    """
    view = look(snapshot, snapshot.record)
    current, given_up = view.current, view.record.given_up
    return DeploymentWhy(
        revision=current.number if current else 0,
        given_up=given_up.number if given_up else 0,
        model_revision=current.content.model_revision if current else 0,
        state=stating.of(view),
        cohorts=tuple(_cohort(view, one, inputs) for one in view.cohorts),
        next_look=waking.next_wake(view),
    )


def device(snapshot: Snapshot, inputs: Snapshot, name: str) -> DeviceWhy:
    """Why a device runs what it runs under this deployment, and what it waits for.

    Raises:
        KeyError: the snapshot has no such device.
    """
    view = look(snapshot, snapshot.record)
    for cohort in view.cohorts:
        for place, member in enumerate(cohort.members):
            if member.name == name:
                chosen = _cohort(view, cohort, inputs)
                return _member(view, (cohort, chosen), member, place)
    for member in view.loose:
        if member.name == name:
            return _device(member, cohort=None, wave="", place=-1, state=_loose(view, member))
    return _unselected(snapshot, name)


def _cohort(view: View, cohort: CohortView, inputs: Snapshot) -> CohortWhy:
    content, current = cohort.content, view.current
    number = current.content.model_revision if current else 0
    variants = ruling.rulings(view.record, inputs.model_view(number), content)
    chosen = next((one.why for one in variants if one.fate is ruling.Fate.CHOSEN), "")
    names = current.content.names if current else {}
    return CohortWhy(
        cohort=cohort.id,
        name=names.get(cohort.id, content.profile),
        profile=content.profile,
        devices=len(cohort.members),
        wave=view.wave_spec(cohort).name if cohort.progress.wave >= 0 else "",
        variant=targets.variant_of(content, cohort.progress),
        why=chosen if cohort.feasible else foreseeing.unfit(content.misses, content.reason),
        variants=variants,
        gates=cohort.progress.verdicts,
    )


def _member(
    view: View, home: tuple[CohortView, CohortWhy], member: Member, place: int
) -> DeviceWhy:
    cohort, chosen = home
    names = [one.name for one in view.strategy.waves]
    wave = names[member.joins] if member.joins is not None and member.joins < len(names) else ""
    return _device(
        member,
        cohort=chosen,
        wave=wave,
        place=place,
        state=_standing(view, cohort, member, wave),
    )


def _device(
    member: Member, *, cohort: CohortWhy | None, wave: str, place: int, state: Why
) -> DeviceWhy:
    report, known = member.device.report, member.known
    return DeviceWhy(
        outcome=member.outcome.value,
        told=known.told.variant if known and known.told else None,
        running=report.running if report else None,
        cohort=cohort,
        wave=wave,
        place=place,
        state=state,
    )


def _standing(view: View, cohort: CohortView, member: Member, wave: str) -> Why:
    meant = states.OUTCOMES[member.outcome]
    because, waits_for = member.state.message, meant.until
    reason = member.state.reason
    current = view.current
    if current is not None and current.result.tombstone:
        because = because or f"revision {current.number} is {current.result}: {current.message}"
        waits_for = states.RESULTS[current.result].until
    elif member.outcome is Outcome.PENDING:
        reason, because, waits_for = _turn(view, cohort, member, wave)
    elif member.outcome is Outcome.NO_FEASIBLE_VARIANT:
        reason = reason or Reason.NO_FEASIBLE_VARIANT
        because = foreseeing.unfit(cohort.content.misses, cohort.content.reason)
    elif member.outcome is Outcome.UNREACHABLE:
        because = _silence(member)
    elif not member.outcome.finished and member.known and member.known.told:
        until = standing.deadline(member.known, member.known.told, view.strategy.device_timeout_s)
        left = f"{max(until - view.now, 0.0):.0f} s are left of its time"
        because = because or left
    return Why(
        state=member.outcome.value,
        reason=reason,
        what=meant.what,
        because=because,
        waits_for=waits_for,
    )


def _silence(member: Member) -> str:
    """What a lost device was in the middle of; its time runs only once it is back."""
    if not member.told or member.known is None:
        return "it was lost before its turn came"
    return f"it was lost after it was told generation {member.known.generation}"


def _turn(view: View, cohort: CohortView, member: Member, wave: str) -> tuple[str, str, str]:
    """Why a pending device has nothing to do: reason, what led to it, what it waits for."""
    said = view.record.hold or view.record.waiting
    if member.told and member.known is not None:
        told = f"it was told generation {member.known.generation} and has not begun"
        return "", told, "its next report"
    if not member.in_wave:
        begun = cohort.progress.wave >= 0
        at = f"wave {view.wave_spec(cohort).name}"
        turn = f"its turn is in wave {wave}" if wave else "no wave takes it"
        stands = f"is in {at}" if begun else "has not begun"
        because = f"{turn}; cohort {cohort.content.profile} {stands}"
        next_step = f"the verdict on {at}" if begun else f"the start of {at}"
        return "", because, said.message if said else next_step
    held = {one.device: one for one in allocating.allocate(view).withheld}.get(member.name)
    if held is not None:
        return held.reason, held.message, states.meaning(held.reason).until
    if said is not None:
        return said.reason, said.message, states.meaning(said.reason).until
    return "", "its wave came in this moment", "the next pass"


def _loose(view: View, member: Member) -> Why:
    """A selected device that no cohort of the revision has."""
    said = view.record.hold or view.record.waiting
    if member.device.cohort is None:
        reason, what = Reason.NEVER_REPORTED, "it has enrolled and not told its hardware yet"
        because, until = "nothing can be chosen for unknown hardware", "its first report"
    elif view.current is None:
        reason = Reason(said.reason) if said else Reason.MODEL_NOT_READY
        what = "nothing was rolled out yet"
        because = said.message if said else ""
        until = states.meaning(reason).until
    else:
        reason, what = Reason.MODEL_NOT_READY, "its profile class has no variants yet"
        because = f"revision {view.current.number} was frozen before the class was known"
        until = "the search for its class ends; the device is then its cohort's canary"
    if member.device.lost:
        until = f"it is back, and {until}"
    return Why(
        state=member.outcome.value, reason=reason, what=what, because=because, waits_for=until
    )


def _unselected(snapshot: Snapshot, name: str) -> DeviceWhy:
    found = next((one for one in snapshot.devices if one.name == name), None)
    if found is None:
        raise KeyError(name)
    known = snapshot.record.device(name)
    told = known.told.variant if known and known.told else None
    return DeviceWhy(
        outcome="NotSelected",
        told=told,
        running=found.report.running if found.report else None,
        cohort=None,
        wave="",
        place=-1,
        state=Why(
            state="NotSelected",
            reason=Reason.NOT_SELECTED,
            what="the selector does not match its labels",
            because="",
            waits_for="it gives back what it was told" if told else "",
        ),
    )
