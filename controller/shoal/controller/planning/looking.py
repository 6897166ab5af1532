"""From a snapshot and a record to the view: who belongs where, in which order, and in the wave."""

from collections import defaultdict
from dataclasses import dataclass, replace

from shoal.controller.domain.fleet import CohortId, DeviceView
from shoal.controller.domain.revisions import CohortContent, Revision
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.domain.strategy import Strategy
from shoal.controller.planning import budgets, ranking, standing, targets
from shoal.controller.planning.budgets import Group
from shoal.controller.planning.view import CohortView, Member, View


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What every cohort is sorted against."""

    now: float
    record: RolloutRecord
    current: Revision
    known: dict[str, DeviceRecord]
    starved: frozenset[Group]
    picked: tuple[int, ...]

    @property
    def strategy(self) -> Strategy:
        """The strategy that was frozen with the revision."""
        return self.current.content.strategy


def look(snapshot: Snapshot, record: RolloutRecord) -> View:
    """Sort what the snapshot holds under `record`."""
    current = record.current
    known = {one.device: one for one in record.devices}
    selected = tuple(one for one in snapshot.devices if one.selected)
    if current is None:
        loose = tuple(_loose(one, known.get(one.name)) for one in selected)
        return View(snapshot=snapshot, record=record, cohorts=(), loose=loose)
    strategy = current.content.strategy
    scene = _Scene(
        now=snapshot.now,
        record=record,
        current=current,
        known=known,
        starved=budgets.starved(strategy, selected),
        picked=ranking.picked(strategy.waves, selected),
    )
    groups: dict[CohortId | None, list[DeviceView]] = defaultdict(list)
    for device in selected:
        home = cohort_of(record, device, known.get(device.name), current)
        groups[home if home and current.content.of(home) else None].append(device)
    cohorts = tuple(
        _cohort(scene, content, groups[content.cohort]) for content in current.content.cohorts
    )
    loose = tuple(_loose(one, known.get(one.name)) for one in groups[None])
    return View(snapshot=snapshot, record=record, cohorts=cohorts, loose=loose)


def again(view: View, record: RolloutRecord) -> View:
    """The view under `record`: the one there is where nothing changed, as looking is what costs."""
    return view if record == view.record else look(view.snapshot, record)


def under(view: View, record: RolloutRecord) -> View:
    """The view under a record that differs in nothing that devices are sorted by.

    Those are holds, what is waited for, the mark of progress, and reason and waves of a revision.
    """
    return view if record == view.record else replace(view, record=record)


def cohort_of(
    record: RolloutRecord, device: DeviceView, known: DeviceRecord | None, current: Revision
) -> CohortId | None:
    """A device told the current revision keeps its cohort there; others are where they fit now.

    A device whose class changed keeps its variant until the next revision or a retry (design:
    section 3), and one that holds what its cohort has not proven yet stays in that cohort's canary:
    another one in its place would be one too many.
    """
    told = known.told if known else None
    if known and told and told.revision == current.number:
        unproven = not current.result.tombstone and not targets.proven(record, told)
        if unproven or not known.regroup:
            return told.cohort
    return current.content.home(device.cohort) if device.cohort else None


def _loose(device: DeviceView, known: DeviceRecord | None) -> Member:
    state = standing.untold(lost=device.lost)
    return Member(device=device, known=known, in_wave=False, joins=None, told=False, state=state)


def _cohort(scene: _Scene, content: CohortContent, devices: list[DeviceView]) -> CohortView:
    record, known = scene.record, scene.known
    progress = record.cohort(content.cohort) or CohortProgress(cohort=content.cohort)
    order = ranking.Order(
        record=record, progress=progress, starved=scene.starved, strategy=scene.strategy
    )
    ordered = sorted(devices, key=lambda one: order.rank(scene.now, one, known.get(one.name)))
    told = {one.name for one in devices if targets.follows(record, progress, known.get(one.name))}
    joins = ranking.joins(scene.strategy.waves, ordered, scene.picked)
    reached = _reached(progress, content, len(scene.strategy.waves))
    called = [one.name for one, wave in zip(ordered, joins, strict=True) if wave <= reached]
    within = told | set(called[: 0 if told else 1] if progress.canary else called)
    members = tuple(
        Member(
            device=one,
            known=known.get(one.name),
            in_wave=one.name in within,
            joins=wave,
            told=one.name in told,
            state=standing.of(scene.now, scene.current, progress, one, known.get(one.name)),
        )
        for one, wave in zip(ordered, joins, strict=True)
    )
    sizes = ranking.wave_sizes(scene.strategy.waves, joins)
    return CohortView(content=content, progress=progress, members=members, sizes=sizes)


def _reached(progress: CohortProgress, content: CohortContent, waves: int) -> int:
    """The wave up to which devices are called; a return calls all of them, in a wave or not."""
    if progress.reverted or not content.variants:
        return -1
    return waves if progress.returning else progress.wave
