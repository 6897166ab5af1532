"""Which devices stand on which side of a gate, and whether live evidence decides at all.

Live evidence decides where a cohort has 8 devices on each side: those that run the candidate and
those that do not yet (design: section 6.5). Below that, and in a first rollout, it advises.
"""

from dataclasses import dataclass
from functools import cached_property

from shoal.contract.digest import Digest
from shoal.contract.profile import ProfileClass
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.gating import GateSpec
from shoal.controller.domain.live import DeviceEvidence
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import CohortContent, Revision
from shoal.controller.gates.engine import MIN_DEVICES
from shoal.controller.planning import targets
from shoal.controller.planning.judging import spending
from shoal.controller.planning.view import CohortView, Member, View

MIN_COVERAGE = 0.8  # of the updated devices: silence is no agreement

# A device that stands here serves what it served before.
_BEFORE = frozenset({Outcome.PENDING, Outcome.FETCHING, Outcome.PREFLIGHT, Outcome.UNREACHABLE})


@dataclass(frozen=True)
class Scene:
    """One cohort as every gate sees it in one pass."""

    view: View
    cohort: CohortView

    @cached_property
    def variant(self) -> Digest | None:
        """The candidate."""
        return targets.variant_of(self.cohort.content, self.cohort.progress)

    @cached_property
    def enrolled(self) -> tuple[Member, ...]:
        """Devices whose turn has come, whatever became of them since."""
        return tuple(one for one in self.cohort.in_wave if not one.waived)

    @cached_property
    def updated(self) -> tuple[Member, ...]:
        """Of those, the ones seen running the candidate."""
        return tuple(one for one in self.enrolled if runs_told(one))

    @cached_property
    def others(self) -> tuple[Member, ...]:
        """Devices that have not switched yet and have not failed to.

        A device that was told and still fetches serves what it served before: it is one of them, so
        that telling it changes no verdict of the same pass.
        """
        return tuple(
            one for one in self.cohort.members if one.outcome in _BEFORE and not runs_told(one)
        )

    @cached_property
    def past(self) -> Revision | None:
        """What was complete last before this revision; None in a first rollout."""
        current = self.view.record.going.number
        complete = (
            one
            for one in reversed(self.view.record.revisions)
            if one.completed_at is not None and one.number < current
        )
        return next(complete, None)

    @cached_property
    def unchanged(self) -> bool:
        """Whether the candidate is what was proven before: only the spec is new.

        There is nothing to compare then, and no device would ever have a past of another variant.
        """
        classes = {} if self.past is None else dict(map(_class_of, self.past.content.cohorts))
        return self.past is not None and any(
            one.variant == self.variant
            and classes.get(one.cohort) == self.cohort.content.profile_class
            for one in self.past.proven
        )

    @cached_property
    def score(self) -> str:
        """The metric of the Model revision, which gates on quality ask for."""
        model = self.view.snapshot.model_view(self.view.record.going.content.model_revision)
        return model.metric if model else ""

    @property
    def decides(self) -> bool:
        """Whether live evidence decides now."""
        sides = min(len(self.updated), len(self.others))
        return self.can_decide and sides >= MIN_DEVICES

    @property
    def large(self) -> bool:
        """Whether hard stops bear with single devices: 8 are updated, in a cohort of 16 or more.

        The other side runs out in the last waves, which makes no small fleet of a large one.
        """
        return len(self.enrolled) >= MIN_DEVICES and len(self.cohort.members) >= 2 * MIN_DEVICES

    @property
    def can_decide(self) -> bool:
        """Whether it ever may in this rollout; fixed at the first look, as alpha is split by it."""
        fixed = self.cohort.progress.live
        return might_decide(self) if fixed is None else fixed

    @property
    def last(self) -> bool:
        """Whether the cohort is in its last wave, where the other side runs out."""
        progress = self.cohort.progress
        return progress.wave == len(self.view.strategy.waves) - 1 and not progress.canary

    @cached_property
    def evidence(self) -> dict[str, DeviceEvidence]:
        """The live evidence of its devices."""
        names = {one.name for one in self.cohort.members}
        return {one.device: one for one in self.view.snapshot.live.devices if one.device in names}

    def alpha(self, gate: GateSpec, tests: int) -> float:
        """A test's share of the gate's alpha.

        0.05 over 3 tests in each of 2 cohorts of the start: 0.05 * 0.9 / 6 each.
        """
        progress = self.cohort.progress
        share = spending.share(progress.alpha_share, progress.alpha_turn)
        return gate.alpha * share / max(tests, 1)


def might_decide(scene: Scene) -> bool:
    """Whether the cohort is large enough for two sides, and has another past to compare with."""
    compares = scene.past is not None and not scene.unchanged
    return compares and len(scene.cohort.members) >= 2 * MIN_DEVICES


def _class_of(content: CohortContent) -> tuple[CohortId, ProfileClass]:
    return content.cohort, content.profile_class


def runs_told(member: Member) -> bool:
    """Whether the device is seen running what it was told, under that generation."""
    report, known = member.device.report, member.known
    return (
        member.told
        and report is not None
        and known is not None
        and report.generation == known.generation
        and report.running_generation == known.generation
    )
