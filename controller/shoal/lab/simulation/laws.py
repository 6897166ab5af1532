"""The laws of a rollout, asked after every step of a simulation.

1  Never more unproven devices than the wave: of each cohort no more devices are told a variant
   whose canary has not passed than a canary has (design: invariant I8). While nothing was ever
   complete there is nothing to take a device back to: one that runs an earlier revision keeps it
   (design: section 6 point 0) and is not counted.
2  No activation of an aborted revision once the abort is visible: after a device has been told
   something newer, it does not move its pointer to a revision that was given up.
3  One terminal status per (device, generation); LocalRollback after Confirmed is the one exception.
4  Generations never decrease, neither told nor accepted (I4).
5  Everything comes to rest after faults stop: observed is desired (I6); asked by `Simulation.calm`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shoal.agent.core import effects as ef
from shoal.agent.core.lives import Context
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.rollout import RolloutRecord

CANARY = 1  # devices: 10 % of a cohort of at most ten, rounded up


class BrokenLawError(AssertionError):
    """A law does not hold."""


@dataclass(slots=True)
class Laws:
    """What was seen so far."""

    terminal: dict[tuple[str, int], list[Phase]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, int] = field(default_factory=dict)
    given_up: set[int] = field(default_factory=set)

    def recorded(self, record: RolloutRecord, assignments: Mapping[str, dict[str, Any]]) -> None:
        """The planner's record or an assignment changed."""
        self.given_up = {one.number for one in record.revisions if one.result.tombstone}
        for device, one in assignments.items():
            if one["generation"] < self.told.get(device, 0):
                raise BrokenLawError(
                    f"law 4: {device} is told generation {one['generation']} again"
                )
            self.told[device] = one["generation"]
        self._few_unproven(record, assignments)

    def stepped(
        self, device: str, before: Context, after: Context, effects: tuple[ef.Effect, ...]
    ) -> None:
        """A device took a step."""
        for life in before.lives:
            now = after.life(life.deployment)
            if now is not None and now.newest_generation < life.newest_generation:
                raise BrokenLawError(f"law 4: {device} accepts an older generation")
        for effect in effects:
            if not isinstance(effect, ef.Activate):
                continue
            now, slot = after.life(effect.deployment), effect.slot
            newer = now is not None and now.newest_generation > slot.generation
            if newer and slot.assignment.revision in self.given_up:
                raise BrokenLawError(
                    f"law 2: {device} activates revision {slot.assignment.revision},"
                    " which was given up"
                )

    def reported(self, report: DeviceReport) -> None:
        """A device said this of itself."""
        for one in report.deployments:
            if one.phase.terminal:
                self._terminal(report.device, one)

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
        complete = {
            content.cohort
            for revision in record.revisions
            if revision.completed_at is not None
            for content in revision.content.cohorts
        }
        newest = record.current.number if record.current else 0
        unproven: dict[CohortId, set[str]] = defaultdict(set)
        for device, one in assignments.items():
            cohort = homes.get(device)
            keeps = one["revision"] != newest and cohort not in complete
            if cohort and not keeps and (cohort, one["variant"]) not in proven:
                unproven[cohort].add(device)
        for cohort, devices in unproven.items():
            if len(devices) > CANARY:
                raise BrokenLawError(f"law 1: {sorted(devices)} of {cohort} run what is not proven")
