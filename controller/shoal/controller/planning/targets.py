"""What each device should be told, and whether what it was told may stand.

A device follows the current revision once its wave came; before that it rests on what it was told
earlier, as long as that was proven. What was never proven and is no longer wanted is taken back:
to the newest complete content, or, where there is none, from devices that do not run it yet.
"""

from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.contract.report import DeploymentReport
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.gating import Bound, Metric
from shoal.controller.domain.revisions import CohortContent, Proven, Revision
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord, Target
from shoal.controller.domain.strategy import Ppm


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A revision to return to, and for each cohort the step of its list that was proven.

    A cohort that was never proven with this content, as it joined later, has none. So have those in
    which a variant of it `failed` since.
    """

    revision: Revision
    steps: tuple[tuple[CohortId, int], ...]
    failed: frozenset[CohortId]

    def step(self, cohort: CohortId) -> int | None:
        """The place in the cohort's list that was proven, None where none was."""
        return dict(self.steps).get(cohort)


def follows(record: RolloutRecord, progress: CohortProgress, known: DeviceRecord | None) -> bool:
    """Whether the device was told exactly what its cohort gets from the current revision."""
    current = record.current
    if known is None or known.told is None or current is None or current.result.tombstone:
        return False
    if progress.reverted or known.told.revision != current.number:
        return False
    if known.told.cohort != progress.cohort:
        return False
    return known.told.variant == variant_of(current.content.of(progress.cohort), progress)


def variant_of(content: CohortContent | None, progress: CohortProgress) -> Digest | None:
    """The digest that a cohort gets now, None where nothing is feasible."""
    return content.variants[progress.step] if content and content.variants else None


def stale(record: RolloutRecord, told: Target) -> bool:
    """Whether what was told was never proven and is not wanted any more.

    Content of a revision that is no longer kept is old enough to have been complete.
    """
    revision = record.revision(told.revision)
    if revision is None:
        return False
    progress = record.cohort(told.cohort)
    wanted = (
        record.current is not None
        and told.revision == record.current.number
        and not revision.result.tombstone
        and progress is not None
        and not progress.reverted
        and told.variant == variant_of(revision.content.of(told.cohort), progress)
    )
    return not wanted and (revision.result.tombstone or not proven(record, told))


def proven(record: RolloutRecord, told: Target) -> bool:
    """Whether the variant passed its cohort's canary once and did not fail since."""
    one = Proven(cohort=told.cohort, variant=told.variant)
    passed = any(one in revision.proven for revision in record.revisions)
    return passed and (told.cohort, told.variant) not in record.set_aside


def doubtful(record: RolloutRecord, variant: Digest) -> bool:
    """Whether the variant was never proven in any cohort, or failed since.

    One of revisions that are no longer kept is old enough to have been complete.
    """
    kept = any(variant in c.variants for one in record.revisions for c in one.content.cohorts)
    passed = any(variant == proof.variant for one in record.revisions for proof in one.proven)
    failed = any(variant == digest for _, digest in record.set_aside)
    return kept and (failed or not passed)


def return_from(record: RolloutRecord, revision: Revision) -> Return | None:
    """Where a rollback from `revision` goes, None where there is nothing to return to.

    The newest earlier revision that was complete, is not quarantined, and differs from it. A return
    that was complete is named by its source, as that is where its content is from.
    """
    for one in sorted(record.revisions, key=lambda one: -one.number):
        earlier = one.number < revision.number and one.lasting
        differs = not one.content.puts_the_same(revision.content)
        if earlier and differs and not quarantined(record, one):
            return as_return(record, one)
    return None


def as_return(record: RolloutRecord, revision: Revision) -> Return:
    """The return to this revision, or to the one that it returned to itself."""
    if revision.origin.returns and revision.source is not None:
        revision = record.revision(revision.source) or revision
    steps, failed = [], set[CohortId]()
    for one in revision.content.cohorts:
        step = _proven_step(record, revision, one)
        if step is not None and (one.cohort, one.variants[step]) not in record.set_aside:
            steps.append((one.cohort, step))
        elif any((one.cohort, variant) in record.set_aside for variant in one.variants):
            failed.add(one.cohort)
    return Return(revision=revision, steps=tuple(steps), failed=frozenset(failed))


def rest(record: RolloutRecord, told: Target, report: DeploymentReport | None) -> Target | None:
    """Where a device goes that may not keep what it was told.

    To the newest complete content of its cohort; where there is none it keeps what it runs, and
    what it does not run yet is withdrawn.
    """
    found = complete_target(record, told.cohort)
    if found is not None:
        return found
    running = report.running if report else None
    return told if running == told.variant else kept_target(record, told, running)


def complete_target(record: RolloutRecord, cohort: CohortId) -> Target | None:
    """What the cohort got from the newest revision that was complete; None where it got nothing.

    A revision may be complete without a cohort that joined it later: it proves nothing for that.
    """
    for one in sorted(record.revisions, key=lambda one: -one.number):
        content = one.content.of(cohort)
        if not one.lasting or content is None or not content.variants:
            continue
        step = _proven_step(record, one, content)
        if step is not None and not quarantined(record, one):
            return _resting(one, content, step)
    return None


def kept_target(record: RolloutRecord, told: Target, running: Digest | None) -> Target | None:
    """What a device runs while it was told something else, None where that was given up too.

    What the current revision has yet to prove is nothing to rest on: a device that keeps it would
    be a canary that never soaked.
    """
    for one in sorted(record.revisions, key=lambda one: -one.number):
        content = one.content.of(told.cohort)
        if content is None or running not in content.variants or one.result.tombstone:
            continue
        step, progress = content.variants.index(running), record.cohort(told.cohort)
        if one != record.current or (progress is not None and step < progress.step):
            return _resting(one, content, step)
    return None


def _proven_step(record: RolloutRecord, revision: Revision, content: CohortContent) -> int | None:
    """The place in the cohort's list that it came to rest on, there or in another revision.

    The newest proof comes last; None where no variant of the list was ever proven.
    """
    others = sorted(record.revisions, key=lambda one: one.number)
    proofs = [
        proof.variant
        for one in (*others, revision)
        for proof in one.proven
        if proof.cohort == content.cohort and proof.variant in content.variants
    ]
    return content.variants.index(proofs[-1]) if proofs else None


def _resting(revision: Revision, content: CohortContent, step: int) -> Target:
    """The target of content that a device lies on: past every wave."""
    last = len(revision.content.strategy.waves) - 1
    progress = CohortProgress(cohort=content.cohort, step=step, wave=last, returning=True)
    return target(revision, content, progress)


def quarantined(record: RolloutRecord, revision: Revision) -> bool:
    """Whether a variant that the revision proved has failed in its cohort since."""
    return any((one.cohort, one.variant) in record.set_aside for one in revision.proven)


def target(revision: Revision, cohort: CohortContent, progress: CohortProgress) -> Target:
    """What the cohort's devices are to run under this revision.

    Returns skip the soak and the comparison with the active variant: their content was complete.
    """
    strategy = revision.content.strategy
    ratios = [
        one.limit
        for one in strategy.gates
        if one.metric is Metric.LATENCY_P95 and one.kind is Bound.MAX_RATIO
    ]
    wave = strategy.waves[max(progress.wave, 0)]
    return Target(
        revision=revision.number,
        model=revision.content.model,
        model_revision=revision.content.model_revision,
        cohort=cohort.cohort,
        profile_class=cohort.profile_class,
        budget=cohort.budget,
        variant=cohort.variants[progress.step],
        soak_s=0.0 if progress.returning else wave.soak_s,
        shadow_ppm=Ppm(0) if progress.returning else strategy.shadow_ppm,
        shadow_s=wave.max_soak_s if strategy.shadow_ppm and not progress.returning else 0.0,
        max_latency_ratio=None if progress.returning else min(ratios, default=None),
    )
