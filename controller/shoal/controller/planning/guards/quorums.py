"""Guard 8: too few of a wave can be reached to judge it. Returns skip it."""

from shoal.contract.reason import Reason
from shoal.controller.domain.strategy import WHOLE
from shoal.controller.planning import naming
from shoal.controller.planning.decisions import Decision, Held
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Hold where a cohort's wave misses its quorum; 50 % of a canary of one is that one."""
    if not view.running:
        return None
    for cohort in view.open:
        if not cohort.judging or cohort.progress.returning:
            continue
        missing = [one.name for one in cohort.in_wave if one.owed]
        there = len(cohort.in_wave) - len(missing)
        if there * WHOLE < view.strategy.quorum_ppm * len(cohort.in_wave):
            return Held(
                reason=Reason.QUORUM_MISSING,
                message=f"cohort {cohort.content.profile}: {there} of"
                f" {naming.counted(len(cohort.in_wave), 'device')} of the wave can be reached;"
                f" lost or suspended: {naming.listed(missing)}",
            )
    return None
