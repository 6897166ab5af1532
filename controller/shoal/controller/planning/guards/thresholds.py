"""Guard 10: everyone finished, but too few confirmed."""

from shoal.contract import shortfall
from shoal.contract.reason import Reason
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.strategy import WHOLE
from shoal.controller.planning import naming
from shoal.controller.planning.decisions import Decision, Held
from shoal.controller.planning.view import CohortView, View


def decide(view: View) -> Decision | None:
    """Hold where a cohort misses successThreshold, or where nothing fits any device."""
    if not view.running:
        return None
    filled = [one for one in view.cohorts if one.members]
    if filled and not any(one.feasible for one in filled):
        return _nothing_fits(filled)
    judged = any(one.judged for one in view.open)
    for cohort in view.open:
        if not cohort.judging or (cohort.progress.returning and not cohort.judged and judged):
            continue
        total = len(cohort.judged)
        confirmed = sum(one.outcome is Outcome.CONFIRMED for one in cohort.judged)
        # 90 % of 10 judged devices is 9; none at all is no evidence, not even for a threshold of 0.
        if confirmed == 0 or confirmed * WHOLE < view.strategy.success_threshold_ppm * total:
            return Held(
                reason=Reason.THRESHOLD_UNMET, message=_unmet(view, cohort, confirmed, total)
            )
    return None


def _nothing_fits(cohorts: list[CohortView]) -> Held:
    parts = []
    for cohort in cohorts:
        misses = [
            shortfall.describe(one.constraint, one.nearest, one.limit)
            for one in cohort.content.misses
        ]
        parts.append(f"{cohort.content.profile}: {'; '.join(misses) or cohort.content.reason}")
    return Held(reason=Reason.NO_FEASIBLE_VARIANT, message=", ".join(parts))


def _unmet(view: View, cohort: CohortView, confirmed: int, total: int) -> str:
    needed = view.strategy.success_threshold_ppm / 10_000
    bad = naming.listed([f"{one.name} ({one.outcome})" for one in cohort.failures])
    tail = f": {bad}" if bad else ""
    return (
        f"cohort {cohort.content.profile}: {confirmed} of {naming.counted(total, 'device')}"
        f" confirmed, {needed:g}% needed{tail}"
    )
