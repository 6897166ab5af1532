"""From what is allowed to what is told: assignments, withdrawals, and what must be taken back.

The record is the truth of what was told. A device's generation grows with each telling, and beyond
whatever the device claims to have accepted, so that it is never taken for a late copy (invariant
I4).
"""

from collections.abc import Collection
from dataclasses import replace

from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.plan import Tell
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord, Target
from shoal.controller.planning import allocating, pacing, targets
from shoal.controller.planning.view import CohortView, View


def tell(view: View, go: Collection[str]) -> RolloutRecord:
    """The record in which `go` are told the current revision, and what may not stand is back."""
    homes = {one.name: cohort for cohort in view.cohorts for one in cohort.members}
    back = frozenset(allocating.taken_back(view, go))
    records = {one.device: one for one in view.record.devices}
    go, new, anew = frozenset(go), 0, set[str]()
    for device in view.snapshot.devices:
        known = records.get(device.name)
        told = known.told if known else None
        if view.snapshot.deleted or not device.selected:
            wanted = None
        elif device.name in go:
            wanted = _current(view, homes[device.name])
        elif told is not None and device.name in back:
            wanted = _back(view, homes.get(device.name), told, device)
        else:
            wanted = told
        again = known is not None and known.again and device.name in go
        changed = _changed(view, device, known, wanted, again=again)
        if changed is None:
            continue
        records[device.name] = changed
        anew.add(device.name)
        # The rate counts what is new, not content that was complete before.
        new += device.name in go and not homes[device.name].progress.returning
    devices = tuple(records[name] for name in sorted(records))
    record = replace(pacing.counted(view.record, new, view.now), devices=devices)
    return replace(record, cohorts=tuple(_pardoned(one, anew) for one in record.cohorts))


def desired(record: RolloutRecord) -> tuple[Tell, ...]:
    """Everything that is told now."""
    return tuple(_as_tell(one, one.told) for one in record.devices if one.told is not None)


def tells(before: RolloutRecord, record: RolloutRecord) -> tuple[Tell, ...]:
    """What is told now and was not before."""
    known = {one.device: one.generation for one in before.devices}
    return tuple(one for one in desired(record) if known.get(one.device) != one.generation)


def withdrawals(before: RolloutRecord, record: RolloutRecord) -> tuple[str, ...]:
    """The devices that were told something before and are told nothing now."""
    told = {one.device for one in before.devices if one.told is not None}
    return tuple(one.device for one in record.devices if one.told is None and one.device in told)


def _pardoned(progress: CohortProgress, anew: Collection[str]) -> CohortProgress:
    """Without a pardon of those told anew: it was for what happened with what they had."""
    left = tuple(one for one in progress.pardoned if one not in anew)
    return progress if left == progress.pardoned else replace(progress, pardoned=left)


def _current(view: View, cohort: CohortView) -> Target:
    return targets.target(view.record.going, cohort.content, cohort.progress)


def _back(view: View, cohort: CohortView | None, told: Target, device: DeviceView) -> Target | None:
    """A return leads to its own content, anything else to where the device can rest."""
    if cohort is not None and cohort.progress.returning:
        return _current(view, cohort)
    return targets.rest(view.record, told, device.report)


def _changed(
    view: View,
    device: DeviceView,
    known: DeviceRecord | None,
    wanted: Target | None,
    *,
    again: bool,
) -> DeviceRecord | None:
    """The device's record where it must be told something new, None where nothing changes."""
    before = known.told if known else None
    claimed = device.report.generation if device.report else 0
    numbered = known.generation if known else 0
    if wanted is None:
        return replace(known, told=None, confirmed=False, again=False) if before and known else None
    if wanted == before and not again and claimed <= numbered:
        return None
    return DeviceRecord(
        device=device.name,
        generation=max(numbered, claimed) + 1,
        told=wanted,
        since=view.now,
        lost=device.lost,
        doubted=_doubted(view.record, device, known),
    )


def _doubted(record: RolloutRecord, device: DeviceView, known: DeviceRecord | None) -> bool:
    """Whether the device may run what was never proven when it takes up what it is told now.

    Its answers are no measure for others then: a bad variant beside a bad one looks no worse.
    """
    told = known.told.variant if known and known.told else None
    running = device.report.running if device.report else None
    before = known is not None and known.doubted and not known.confirmed
    return before or any(targets.doubtful(record, one) for one in (told, running) if one)


def _as_tell(known: DeviceRecord, target: Target) -> Tell:
    return Tell(device=known.device, generation=known.generation, target=target)
