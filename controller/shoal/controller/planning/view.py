"""The snapshot sorted for decisions: cohorts with their members in wave order, and outcomes.

Built anew whenever the record changes, so that no guard sees what another has outdated. Sets are
disjoint: a selected device is a member of exactly one cohort of the current revision, or loose.
"""

from dataclasses import dataclass
from functools import cached_property

from shoal.controller.domain.fleet import CohortId, DeviceView
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import CohortContent, Revision
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.domain.strategy import Strategy, WaveSpec
from shoal.controller.planning import standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One selected device: what is seen of it, what is remembered, and its outcome.

    `told` is whether it was told what its cohort gets from the current revision. `joins` is the
    wave that takes it, the number of waves where none does, and None where it has no cohort.
    """

    device: DeviceView
    known: DeviceRecord | None
    in_wave: bool
    joins: int | None
    told: bool
    state: standing.Standing

    @property
    def name(self) -> str:
        """The device's name."""
        return self.device.name

    @property
    def outcome(self) -> Outcome:
        """Where it stands with the current revision."""
        return self.state.outcome

    @property
    def waived(self) -> bool:
        """Whether a promote took its failure out of the counts.

        That of what it was told then: a newer revision finds it as it finds all others.
        """
        return self.told and self.known is not None and self.known.waived

    @property
    def judged(self) -> bool:
        """Whether thresholds count it: it finished, or it could (design: section 6 point 4)."""
        if self.outcome is Outcome.CONFIRMED:
            return True
        return not self.waived and not self.owed

    @property
    def owed(self) -> bool:
        """Whether it is a debt: lost, or suspended before it was told, and has shown no result."""
        absent = self.device.lost or (self.device.suspended and not self.told)
        return absent and not self.outcome.finished


@dataclass(frozen=True)
class CohortView:
    """One cohort of the current revision; `members` stand in wave order, the told ones first."""

    content: CohortContent
    progress: CohortProgress
    members: tuple[Member, ...]
    sizes: tuple[int, ...]

    @property
    def id(self) -> CohortId:
        """The cohort's id."""
        return self.content.cohort

    @property
    def feasible(self) -> bool:
        """Whether there is a variant for it."""
        return bool(self.content.variants)

    @property
    def open(self) -> bool:
        """Whether it still has a way to go.

        It has devices and a variant, and is neither done nor taken back.
        """
        return (
            self.feasible
            and bool(self.members)
            and not self.progress.done
            and not self.progress.reverted
        )

    @cached_property
    def in_wave(self) -> tuple[Member, ...]:
        """The devices of its wave, cumulative."""
        return tuple(one for one in self.members if one.in_wave)

    @property
    def judging(self) -> bool:
        """Whether its wave's verdict counts: it has devices there, and no promote skips it."""
        at = self.progress.wave
        return self.open and at >= 0 and self.progress.waived != at and bool(self.in_wave)

    @cached_property
    def judged(self) -> tuple[Member, ...]:
        """The devices of its wave that thresholds run over."""
        return tuple(one for one in self.in_wave if one.judged)

    @cached_property
    def unfinished(self) -> tuple[Member, ...]:
        """The judged devices from which more is expected."""
        return tuple(one for one in self.judged if not one.outcome.finished)

    @cached_property
    def failures(self) -> tuple[Member, ...]:
        """The judged devices that failed, timed out, or refused with nothing left to fall to."""
        return tuple(one for one in self.judged if one.outcome.failure)

    def reach(self, wave: int) -> int:
        """How many devices it has in this wave, with those that are in one now."""
        return sum(one.in_wave or (one.joins or 0) <= wave for one in self.members)

    def size(self, wave: int) -> int:
        """How many of its devices may be told in this wave; none before the first."""
        return self.sizes[wave] if wave >= 0 else 0


@dataclass(frozen=True)
class View:
    """Everything the guards look at."""

    snapshot: Snapshot
    record: RolloutRecord
    cohorts: tuple[CohortView, ...]
    loose: tuple[Member, ...]

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.snapshot.now

    @property
    def current(self) -> Revision | None:
        """The newest revision."""
        return self.record.current

    @property
    def strategy(self) -> Strategy:
        """The strategy frozen with the current revision, or the spec's before the first."""
        return self.current.content.strategy if self.current else self.snapshot.strategy

    @property
    def running(self) -> bool:
        """Whether a rollout is going on."""
        return self.current is not None and self.current.result.open

    @property
    def returning(self) -> bool:
        """Whether the current revision brings back content that was complete before."""
        return self.current is not None and self.current.origin.returns

    @cached_property
    def open(self) -> tuple[CohortView, ...]:
        """The cohorts that still have a way to go."""
        return tuple(one for one in self.cohorts if one.open)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every selected device."""
        return tuple(one for cohort in self.cohorts for one in cohort.members) + self.loose

    def wave_spec(self, cohort: CohortView) -> WaveSpec:
        """The wave that a cohort is in."""
        return self.strategy.waves[max(cohort.progress.wave, 0)]
