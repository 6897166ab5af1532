"""The laws of a rollout, asked after every step of a simulation.

1  Never more unproven devices than the wave: of each cohort no more devices are told a variant
   whose canary has not passed than a canary has (design: invariant I8), nor one that is bad in
   truth, whatever the planner believes of it, as long as no operator promoted. While nothing was
   ever complete there is nothing to take a device back to: one that runs an earlier revision keeps
   it (design: section 6 point 0) and is not counted.
2  No activation of a revision that was given up once that is visible: no device is told it any
   more, and a device that has been told something newer does not move its pointer to it.
3  One terminal status per (device, generation); LocalRollback after Confirmed is the one exception
   (I7).
4  Generations never decrease, neither told nor accepted (I4).
5  Everything comes to rest after faults stop: observed is desired (I6); asked by `Simulation.calm`.
6  A deposed leader decides nothing (I9); asked by `Controllers`.
7  A device that served keeps serving, whatever its clock says (I1, I10): nothing is removed that is
   still wanted, and nothing is switched to that was not loaded beside what serves.
8  Only complete, verified bytes are loaded, and what serves is never collected (I2, I3).
9  Memory is bounded (I5): revisions, devices' blobs and what they remember of failed starts.
10 Operators are obeyed: while paused nothing new starts, and a wave that waits for approval begins
   only when it was given.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shoal.agent.core import effects as ef
from shoal.agent.core.lives import STARTS_KEPT, Context, Life, State
from shoal.contract.digest import Digest
from shoal.contract.limits import REVISIONS_KEPT
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.domain.strategy import Approval

_GIVEN_UP = frozenset({Result.ROLLED_BACK, Result.ABORTED, Result.FAILED})
BLOBS_KEPT = 12  # three slots of one deployment and an artifact of each role beside each


class BrokenLawError(AssertionError):
    """A law does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a device: its context before and after, what follows, what is on its disk."""

    device: str
    before: Context
    after: Context
    effects: tuple[ef.Effect, ...]
    blobs: frozenset[Digest]
    wanted: frozenset[str]


@dataclass(slots=True)
class Laws:
    """What was seen so far; `canaries` is the size of a canary for each profile.

    `bad` tells in truth which variants are, `serves_badly` which are where gates judge requests,
    `promoted` whether an operator went past a failure, and
    `in_full` the revisions that one gave to everybody at once.
    """

    bad: Callable[[Digest], bool]
    serves_badly: Callable[[Digest], bool]
    promoted: bool = False
    in_full: set[int] = field(default_factory=set)
    canaries: dict[str, int] = field(default_factory=dict)
    terminal: dict[tuple[str, int], list[Phase]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, int] = field(default_factory=dict)
    given_up: set[int] = field(default_factory=set)
    tellings: int = 0

    def recorded(self, record: RolloutRecord, assignments: Mapping[str, dict[str, Any]]) -> None:
        """The planner's record or an assignment changed."""
        self.given_up = {one.number for one in record.revisions if one.result in _GIVEN_UP}
        if len(record.revisions) > REVISIONS_KEPT:
            raise BrokenLawError(f"law 9: {len(record.revisions)} revisions are kept")
        for device, one in assignments.items():
            self._telling(record, device, one)
        self._few_unproven(record, assignments)
        _approved(record)

    def deleted(self) -> None:
        """The deployment is gone: what comes next is another one, with generations of its own."""
        self.told.clear()
        self.terminal.clear()
        self.given_up = set()

    def stepped(self, step: Step) -> None:
        """A device took a step."""
        _no_older(step)
        for effect in step.effects:
            match effect:
                case ef.Activate():
                    self._activated(step, effect)
                    _complete(step, effect.slot.variant)
                case ef.Load() | ef.Restore():
                    _complete(step, effect.slot.variant)
                case ef.Remove():
                    if effect.deployment in step.wanted:
                        raise BrokenLawError(f"law 7: {step.device} removes what is wanted")
        if len(step.blobs) > BLOBS_KEPT:
            raise BrokenLawError(f"law 9: {step.device} keeps {len(step.blobs)} blobs")
        if any(len(life.starts) > STARTS_KEPT for life in step.after.lives):
            raise BrokenLawError(f"law 9: {step.device} remembers every failed start")

    def reported(self, report: DeviceReport) -> None:
        """A device said this of itself."""
        for one in report.deployments:
            if one.phase.terminal:
                self._terminal(report.device, one)

    def _telling(self, record: RolloutRecord, device: str, one: dict[str, Any]) -> None:
        before = self.told.get(device, 0)
        if one["generation"] == before:
            return
        if one["generation"] < before:
            raise BrokenLawError(f"law 4: {device} is told generation {one['generation']} again")
        if one["revision"] in self.given_up:
            raise BrokenLawError(f"law 2: {device} is told revision {one['revision']}, given up")
        current = record.current
        starts = current is not None and one["revision"] == current.number
        if record.paused_at is not None and starts and not record.going.origin.returns:
            raise BrokenLawError(f"law 10: {device} starts revision {one['revision']} while paused")
        self.told[device] = one["generation"]
        self.tellings += 1

    def _activated(self, step: Step, effect: ef.Activate) -> None:
        now, slot = step.after.life(effect.deployment), effect.slot
        newer = now is not None and now.newest_generation > slot.generation
        if newer and slot.assignment.revision in self.given_up:
            raise BrokenLawError(
                f"law 2: {step.device} activates revision {slot.assignment.revision},"
                " which was given up"
            )

    def _terminal(self, device: str, one: DeploymentReport) -> None:
        seen = self.terminal[device, one.generation]
        if not seen or seen[-1] is not one.phase:
            seen.append(one.phase)
        if len(seen) > 1 and seen != [Phase.CONFIRMED, Phase.LOCAL_ROLLBACK]:
            raise BrokenLawError(f"law 3: {device} ends generation {one.generation} as {seen}")

    def _few_unproven(
        self, record: RolloutRecord, assignments: Mapping[str, dict[str, Any]]
    ) -> None:
        homes = {one.device: one.told.cohort for one in record.devices if one.told is not None}
        proven = {
            (one.cohort, one.variant) for revision in record.revisions for one in revision.proven
        }
        contents = [(one, c) for one in record.revisions for c in one.content.cohorts]
        profiles = {content.cohort: content.profile for _, content in contents}
        complete = {c.cohort for one, c in contents if one.completed_at is not None}
        judged = {one.cohort for one in record.cohorts if one.live}
        newest = record.current.number if record.current else 0
        unproven: dict[CohortId, set[str]] = defaultdict(set)
        for device, one in assignments.items():
            cohort = homes.get(device)
            keeps = one["revision"] != newest and cohort not in complete
            served = cohort in judged and self.serves_badly(one["variant"])
            bad = not self.promoted and (served or self.bad(one["variant"]))
            free = keeps or one["revision"] in self.in_full
            if cohort and not free and (bad or (cohort, one["variant"]) not in proven):
                unproven[cohort].add(device)
        for cohort, devices in unproven.items():
            if len(devices) > self.canaries.get(profiles[cohort], 1):
                raise BrokenLawError(f"law 1: {sorted(devices)} of {cohort} run what is not proven")


def _no_older(step: Step) -> None:
    for life in step.before.lives:
        now = step.after.life(life.deployment)
        if now is None or (now.successor is None and _leaves(now)):
            continue  # what is removed, or will be after its switch, has given up its generations
        if now.newest_generation < life.newest_generation:
            raise BrokenLawError(f"law 4: {step.device} accepts an older generation")


def _leaves(life: Life) -> bool:
    return life.leaving or life.state is State.REMOVING


def _approved(record: RolloutRecord) -> None:
    if record.current is None or record.current.origin.returns:
        return
    waves = record.current.content.strategy.waves
    begun = [i for i in range(record.wave + 1) if waves[i].approval is Approval.MANUAL]
    if begun and (record.approved_wave or 0) < begun[-1]:
        raise BrokenLawError(f"law 10: wave {waves[begun[-1]].name} begins without approval")


def _complete(step: Step, variant: Digest) -> None:
    if variant not in step.blobs:
        raise BrokenLawError(f"law 8: {step.device} is to load {variant}, which is not complete")
