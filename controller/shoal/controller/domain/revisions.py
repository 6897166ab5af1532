"""Deployment revisions: immutable targets with a history (design: section 6 point 0)."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.contract.budget import Budget
from shoal.contract.choice import Miss
from shoal.contract.digest import Digest
from shoal.contract.profile import ProfileClass
from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.fleet import CohortId, CohortKey, Labels
from shoal.controller.domain.outcomes import Count
from shoal.controller.domain.strategy import Strategy


class Origin(enum.StrEnum):
    """What started a revision."""

    SPEC = "spec"
    MODEL = "model"
    UNDO = "undo"
    ROLLBACK = "rollback"

    @property
    def returns(self) -> bool:
        """Whether the content was complete before, so that waves and gates are skipped."""
        return self in {Origin.UNDO, Origin.ROLLBACK}


class Result(enum.StrEnum):
    """What became of a revision."""

    ACTIVE = "active"
    HELD = "held"
    COMPLETE = "complete"
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        """Whether the rollout is still going on."""
        return self in {Result.ACTIVE, Result.HELD}

    @property
    def tombstone(self) -> bool:
        """Whether no device may ever be told this revision again."""
        return self in {Result.ROLLED_BACK, Result.ABORTED, Result.FAILED}

    @property
    def participle(self) -> str:
        """What became of it in a sentence: revision 4 was rolled back."""
        return self.value.replace("-", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortContent:
    """One cohort's frozen choice: the variant it gets, then those it may fall to.

    Empty `variants` is NoFeasibleVariant, with the nearest misses or the `reason` there is none.
    `labels` are the values that set it apart from cohorts of the same class and budget.
    """

    cohort: CohortId
    profile: str
    profile_class: ProfileClass
    budget: Budget
    variants: tuple[Digest, ...]
    misses: tuple[Miss, ...] = ()
    reason: str = ""
    labels: Labels = ()

    @property
    def name(self) -> str:
        """What people call it: the profile, and the labels that are judged apart."""
        return "/".join((self.profile, *(f"{key}={value}" for key, value in self.labels)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a revision asks for: spec, model revision and, per cohort, the ordered digests."""

    generation: int
    strategy: Strategy
    model: str
    model_revision: int
    cohorts: tuple[CohortContent, ...]

    def of(self, cohort: CohortId) -> CohortContent | None:
        """The choice for one cohort."""
        for one in self.cohorts:  # no generator: it is asked for every device in every pass
            if one.cohort == cohort:
                return one
        return None

    def home(self, key: CohortKey) -> CohortId | None:
        """The cohort that a device with this key belongs to, None where it has no place.

        Class and budget decide what fits. Content from before labels were judged apart holds one
        cohort for all of them; where they no longer are, any of the same class and budget fits.
        """
        if self.of(key.id) is not None:
            return key.id
        near = (
            one.cohort
            for one in self.cohorts
            if (one.profile_class, one.budget) == (key.profile_class, key.budget)
            and (not key.labels or set(one.labels) < set(key.labels))
        )
        return next(near, None)

    @property
    def names(self) -> dict[CohortId, str]:
        """A name for each cohort: its profile's, with the class where two share a profile."""
        names = [one.name for one in self.cohorts]
        return {
            one.cohort: one.name
            if names.count(one.name) == 1
            else f"{one.name}/{one.cohort[:6]}-{one.cohort[-4:]}"
            for one in self.cohorts
        }

    def puts_the_same(self, other: "Content") -> bool:
        """Whether both put the same bytes on every cohort that both have, however they go.

        A cohort that joined one of them later makes no difference; without any in common they
        differ, as cohorts do that begin to be judged apart.
        """
        if (self.model, self.model_revision) != (other.model, other.model_revision):
            return False
        theirs = {one.cohort: one.variants for one in other.cohorts if one.variants}
        ours = {one.cohort: one.variants for one in self.cohorts if one.variants}
        shared = ours.keys() & theirs.keys()
        return all(ours[one] == theirs[one] for one in shared) and (bool(shared) or ours == theirs)


class WaveState(enum.StrEnum):
    """What became of a wave; an empty one is skipped, never "100 %"."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETE = "complete"
    SKIPPED = "skipped"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRecord:
    """One wave of one revision. `counts` and `gates` are those of the moment it was decided.

    `promoted_by` is who opened it by hand, or let the rollout go on from it.
    """

    name: str
    state: WaveState = WaveState.PENDING
    devices: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    counts: tuple[Count, ...] = ()
    gates: tuple[GateVerdict, ...] = ()
    promoted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A variant whose cohort's canary passed under one revision."""

    cohort: CohortId
    variant: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One immutable target and its history.

    `source` is the revision whose content a return copies. `completed_at` stays once it was set,
    even when the wave is reopened. `proven` lists the variants whose canary passed. `by` is the
    operator who asked for it, empty where Shoal did.
    """

    number: int
    origin: Origin
    source: int | None
    content: Content
    result: Result
    reason: str
    message: str
    started_at: float
    ended_at: float | None = None
    completed_at: float | None = None
    waves: tuple[WaveRecord, ...] = ()
    proven: tuple[Proven, ...] = ()
    by: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it was complete and nobody gave it up since: only such content is returned to."""
        return self.completed_at is not None and not self.result.tombstone


def kept(revisions: Sequence[Revision], most: int) -> tuple[Revision, ...]:
    """The newest of these, which are in their order; and what a rollback would return to.

    That is the newest complete one, and the newest of other content than the last has, however long
    ago they were complete. Of 52 with the first complete 50 are kept: the first, and 4 to 52.
    """
    if len(revisions) <= most:
        return tuple(revisions)
    lasting = [one for one in revisions if one.lasting]
    newest = revisions[-1].content
    others = [one for one in lasting if not one.content.puts_the_same(newest)]
    homes = {one.number for one in (*lasting[-1:], *others[-1:])}
    away = [one.number for one in revisions if one.number not in homes]
    gone = set(away[: len(revisions) - most])
    return tuple(one for one in revisions if one.number not in gone)
