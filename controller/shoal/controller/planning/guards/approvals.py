"""Guard 12: a wave with manual approval waits for promote."""

from shoal.contract.reason import Reason
from shoal.controller.domain.strategy import Approval
from shoal.controller.planning import allocating, waves
from shoal.controller.planning.decisions import Decision, Settled
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Settle where the next wave is due and nobody has approved it.

    Cohorts that catch up with an earlier wave need no approval: it was given. Nor does a wave that
    adds no device, as it is skipped: there is nothing to approve.
    """
    record, coming = view.record, view.record.wave + 1
    if not view.running or not view.open or coming >= len(view.strategy.waves):
        return None
    if any(one.progress.canary or one.progress.wave < record.wave for one in view.open):
        return None
    wave = view.strategy.waves[coming]
    if not waves.adds(view, coming):
        return None
    approved = record.approved_wave is not None and record.approved_wave >= coming
    if wave.approval is Approval.AUTO or approved:
        return None
    return Settled(
        reason=Reason.APPROVAL_MISSING,
        message=f"wave {wave.name} waits for approval: shoal rollout promote",
        go=allocating.allowed(view),
    )
