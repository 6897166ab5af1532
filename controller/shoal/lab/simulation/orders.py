"""The laws of what operators asked for: pace, budgets, thresholds, quorums, deadlines.

11 New content starts at the pace that was asked for: in the window, never on a suspended device, in
   any minute on no more devices than the rate.
12 Of the deployment, and of each rack, no more devices are on their way than may be unavailable.
13 A wave is over only when enough of it could be reached and enough of those confirmed, unless an
   operator promoted.
14 While an older deployment of the same model has some of the devices, nothing new starts; once the
   deployment is deleted, nobody is told anything, and nothing else is done.
15 Where a device that can be reached has not moved for longer than the deadline, the rollout says
   so.

A decision that was frozen before its commit was right when it was taken: it is not asked about.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shoal.contract.report import Phase
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord, Target
from shoal.controller.domain.strategy import OnDeadline, Strategy
from shoal.lab.simulation import fleet as fleets
from shoal.lab.simulation.fleet import Place
from shoal.lab.simulation.laws import BrokenLawError

MINUTE_S = 60.0
SLACK_S = 60.0  # beyond a deadline: until the pass, and until a lost device had its time again


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided, when, and what was known of the fleet then.

    `told` is what each device is told, `said` what the controllers know that it said; `late` where
    the decision was frozen before its commit, and `farewell` what else the pass did that ended a
    deleted deployment.
    """

    now_s: float
    record: RolloutRecord
    told: Mapping[str, dict[str, Any]]
    said: Callable[[str], dict[str, Any] | None]
    rival: bool
    deleted: bool
    farewell: tuple[str, ...]
    late: bool


@dataclass(slots=True, kw_only=True)
class Orders:
    """Looks at what was decided; `promoted` once an operator went past a wave by hand."""

    places: Mapping[str, Place]
    promoted: bool = False
    moved_s: float = 0.0
    _before: RolloutRecord | None = None
    _starts: list[float] = field(default_factory=list)

    def recorded(self, decided: Decided) -> None:
        """The planner's record or an assignment changed."""
        before, self._before = self._before, decided.record
        self.moved_s = decided.now_s
        if decided.deleted and decided.told:
            raise BrokenLawError(f"law 14: {sorted(decided.told)} are told what was deleted")
        if decided.farewell:
            raise BrokenLawError(f"law 14: the deployment is deleted, and {decided.farewell}")
        if before is None or decided.record.current is None or decided.late:
            return
        started = [one.device for one in _started(before, decided.record)]
        if started:
            self._paced(decided, started)
            self._few(decided, [one for one in started if _available(before, decided, one)])
            if decided.rival:
                raise BrokenLawError(f"law 14: {started} start while another deployment has some")
        if not self.promoted:
            for problem in _hurried(before, decided.record):
                raise BrokenLawError(f"law 13: {problem}")

    def stands_still(self, now_s: float, record: RolloutRecord) -> None:
        """Time passed, and a device that is told and can be reached did not move."""
        current = record.current
        if current is None or current.result is not Result.ACTIVE:
            return
        strategy = current.content.strategy
        waits = record.paused_at is not None or record.waiting is not None
        if waits or strategy.on_deadline is OnDeadline.REPORT:
            return
        soak_s = max(one.max_soak_s for one in strategy.waves)
        if now_s - self.moved_s > strategy.progress_deadline_s + soak_s + SLACK_S:
            raise BrokenLawError(f"law 15: revision {current.number} stands still and says nothing")

    def _paced(self, decided: Decided, started: list[str]) -> None:
        suspended = [one for one in started if self.places[one].suspended]
        if suspended:
            raise BrokenLawError(f"law 11: {suspended} start while suspended")
        strategy = decided.record.going.content.strategy
        into_s = decided.now_s % MINUTE_S
        if strategy.window is not None and into_s >= strategy.window.duration_s:
            raise BrokenLawError(f"law 11: {started} start {into_s:.1f} s into the minute")
        lately = [at for at in self._starts if at > decided.now_s - MINUTE_S]
        self._starts = [*lately, *(decided.now_s for _ in started)]
        allowed = _rate(strategy, decided.record)
        if allowed is not None and len(self._starts) > allowed:
            raise BrokenLawError(f"law 11: {len(self._starts)} start in a minute, not {allowed}")

    def _few(self, decided: Decided, started: list[str]) -> None:
        """Of each group, those that are on their way; devices that were lost are no part of it."""
        moving = Counter(
            group
            for one in decided.record.devices
            if one.device in self.places and _moving(decided, one)
            for group in ("", fleets.rack_of(one.device))
        )
        groups = {group for one in started for group in ("", fleets.rack_of(one))}
        strategy = decided.record.going.content.strategy
        for group in groups:
            limit = self._limit(strategy, group)
            if moving[group] > limit:
                where = f" of rack {group}" if group else ""
                raise BrokenLawError(
                    f"law 12: {moving[group]}{where} are on their way, not {limit}"
                )

    def _limit(self, strategy: Strategy, group: str) -> int:
        amounts = {one.label: one.amount for one in strategy.max_unavailable_per}
        amount = amounts.get("rack") if group else strategy.max_unavailable
        chosen = [name for name, one in self.places.items() if one.selected]
        size = sum(not group or fleets.rack_of(name) == group for name in chosen)
        return size if amount is None else max(1, amount.down(size))


def _started(before: RolloutRecord, record: RolloutRecord) -> Iterator[DeviceRecord]:
    """The devices that were told the current revision just now, where it is new to its cohort."""
    known = {one.device: one.generation for one in before.devices}
    back = {one.cohort for one in record.cohorts if one.returning or one.reverted}
    number = record.going.number
    for one in record.devices:
        told = one.told
        if told is None or told.revision != number or known.get(one.device) == one.generation:
            continue
        if not record.going.origin.returns and told.cohort not in back:
            yield one


def _moving(decided: Decided, known: DeviceRecord) -> bool:
    """Whether a device that is there has not come to the end of what it was told."""
    if known.told is None or known.lost or known.confirmed:
        return False
    said = decided.said(known.device)
    ends = said is not None and Phase(said["phase"]).terminal
    return said is None or not ends or said["generation"] != known.generation


def _available(before: RolloutRecord, decided: Decided, device: str) -> bool:
    """Whether it served, and was not on its way already."""
    known, said = before.device(device), decided.said(device)
    if known is not None and (known.lost or _moving(decided, known)):
        return False
    return said is None or said.get("running") is not None


def _rate(strategy: Strategy, record: RolloutRecord) -> int | None:
    """How many devices may start in a minute; the ramp grows with what has confirmed."""
    rate = strategy.rate
    if rate is None:
        return None
    if rate.ramp is None:
        return rate.per_minute
    number = record.going.number
    confirmed = sum(
        one.confirmed and one.told is not None and one.told.revision == number
        for one in record.devices
    )
    grown = rate.ramp.start * rate.ramp.factor ** (confirmed // rate.ramp.per_confirmed)
    return min(int(grown), rate.per_minute)


def _hurried(before: RolloutRecord, record: RolloutRecord) -> Iterator[str]:
    """Cohorts whose wave is over though too few were there, or too few confirmed."""
    current = record.going
    if before.current is None or before.current.number != current.number or current.origin.returns:
        return
    strategy = current.content.strategy
    for was in before.cohorts:
        cohort = was.cohort
        if not _over(cohort, before, record):
            continue
        told = [one for one in _told(before, was) if one.told == _of(record, one)]
        after = [one for one in record.devices if one.device in {two.device for two in told}]
        away = [one for one in after if one.lost and not one.confirmed]
        confirmed = sum(one.confirmed for one in after)
        there = len(after) - len(away)
        if there * 1_000_000 < strategy.quorum_ppm * len(after):
            yield f"the wave of {cohort} is over with {there} of {len(after)} devices there"
        if confirmed * 1_000_000 < strategy.success_threshold_ppm * there:
            yield f"the wave of {cohort} is over with {confirmed} of {there} devices confirmed"


def _over(cohort: CohortId, before: RolloutRecord, record: RolloutRecord) -> bool:
    was, now = before.cohort(cohort), record.cohort(cohort)
    if was is None or now is None or was.wave < 0 or was.done or was.reverted or was.returning:
        return False
    climbed = (now.wave, not now.canary) > (was.wave, not was.canary) or now.done
    return climbed and now.step == was.step and not now.reverted


def _told(record: RolloutRecord, progress: CohortProgress) -> Iterator[DeviceRecord]:
    """The devices that were told what their cohort gets; after a fall few are."""
    content = record.going.content.of(progress.cohort)
    variant = content.variants[progress.step] if content and content.variants else None
    wanted = (record.going.number, progress.cohort, variant)
    for one in record.devices:
        if one.told and (one.told.revision, one.told.cohort, one.told.variant) == wanted:
            yield one


def _of(record: RolloutRecord, device: DeviceRecord) -> Target | None:
    found = record.device(device.device)
    return found.told if found is not None else None
