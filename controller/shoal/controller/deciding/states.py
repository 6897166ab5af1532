"""Every state that a deployment or a device can be in, with what it means and what ends it.

The tables are complete: a test enumerates results, outcomes and the reasons that planning gives.
"""

from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.standing import Approval, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a state means, and what would end it; `until` is empty where nothing is waited for."""

    what: str
    until: str = ""


STANDINGS: dict[Approval, Meaning] = {
    Approval.APPROVED: Meaning(what="it is part of the fleet"),
    Approval.PENDING: Meaning(
        what="its join token asks for an operator's approval: no deployment selects it",
        until="shoal device approve",
    ),
    Approval.REVOKED: Meaning(
        what="an operator took it out of the fleet for good: no deployment selects it",
        until="it is deleted and enrolled anew",
    ),
}
DRAINED = Meaning(
    what="an operator drained it: no deployment selects it", until="shoal device approve"
)
SUSPENDED = Meaning(
    what="an operator suspended it: it keeps what it runs and is told nothing new",
    until="suspended is taken out of its spec",
)

RESULTS: dict[Result | None, Meaning] = {
    None: Meaning(what="nothing was rolled out yet", until="a first revision can start"),
    Result.ACTIVE: Meaning(what="the rollout goes on", until="its waves are judged"),
    Result.HELD: Meaning(
        what="Shoal paused the rollout",
        until="new evidence, or rollout promote, retry, abort or undo",
    ),
    Result.COMPLETE: Meaning(what="every wave was judged well"),
    Result.ROLLED_BACK: Meaning(
        what="the revision was taken back and no device may be told it again",
        until="rollout retry, or a newer revision",
    ),
    Result.ABORTED: Meaning(
        what="an operator gave the revision up", until="rollout retry, or a newer revision"
    ),
    Result.SUPERSEDED: Meaning(what="a newer revision took its place"),
    Result.FAILED: Meaning(
        what="the revision failed, and there was nothing to return to: devices keep what they ran",
        until="rollout retry, or a newer revision",
    ),
}

OUTCOMES: dict[Outcome, Meaning] = {
    Outcome.PENDING: Meaning(what="it was not told yet, or has not begun", until="its turn"),
    Outcome.FETCHING: Meaning(what="it fetches the files of its variant", until="all are there"),
    Outcome.PREFLIGHT: Meaning(
        what="it checks the variant in a child process", until="parity, latency and memory are good"
    ),
    Outcome.SOAKING: Meaning(
        what="it runs the variant and is watched", until="the soak ends with good inferences"
    ),
    Outcome.CONFIRMED: Meaning(what="it is observed running what it was told"),
    Outcome.FAILED: Meaning(
        what="it could not run the variant", until="rollout retry, or a newer revision"
    ),
    Outcome.REFUSED: Meaning(
        what="its preflight refused the variant, and nothing is left to fall to",
        until="rollout retry, or a newer revision",
    ),
    Outcome.TIMED_OUT: Meaning(
        what="it took longer than deviceTimeout",
        until="it comes to an end after all, rollout retry, or a newer revision",
    ),
    Outcome.UNREACHABLE: Meaning(
        what="nothing was heard from it for a long time: a debt that no threshold counts",
        until="it is back; it then goes straight to the current revision",
    ),
    Outcome.NO_FEASIBLE_VARIANT: Meaning(
        what="no variant meets the floor and its budget: it keeps what it runs",
        until="another budget, another floor, or a model revision that fits",
    ),
    Outcome.SUPERSEDED: Meaning(
        what="its cohort alone was taken back", until="rollout retry, or a newer revision"
    ),
}

REASONS: dict[str, Meaning] = {
    Reason.ABORTED: Meaning(what="an operator aborted it", until="rollout retry"),
    Reason.APPROVAL_MISSING: Meaning(
        what="the next wave needs an operator's approval", until="rollout promote"
    ),
    Reason.COHORT_REVERTED: Meaning(
        what="a cohort failed and was taken back alone", until="rollout retry"
    ),
    Reason.COMPLETE: Meaning(what="all waves are complete"),
    Reason.CONFLICT: Meaning(
        what="an older deployment gives the same model to some of its devices",
        until="the selectors no longer overlap, or one of the two is deleted",
    ),
    Reason.DELETED: Meaning(
        what="the deployment is being deleted", until="every device gave back what it was told"
    ),
    Reason.GATE_FAILED: Meaning(
        what="a gate's confidence sequence lies wholly beyond its limit",
        until="rollout retry, promote (which waives it), abort or undo",
    ),
    Reason.GATE_INCONCLUSIVE: Meaning(
        what="a gate has no verdict yet: its confidence sequence still holds its limit",
        until="more evidence; after maxSoak what onInconclusive says, or rollout promote",
    ),
    Reason.HARD_STOP: Meaning(
        what="devices failed to start or had incidents beyond those not updated",
        until="rollout retry, promote, abort or undo",
    ),
    Reason.MAX_UNAVAILABLE: Meaning(
        what="maxUnavailable is used up", until="devices that are missing come back or confirm"
    ),
    Reason.MODEL_NOT_READY: Meaning(
        what="the model has no revision that could be rolled out",
        until="a revision of it whose search has ended",
    ),
    Reason.NO_DEVICES: Meaning(
        what="no reachable device is selected", until="a device enrols, comes back or is labelled"
    ),
    Reason.NO_FEASIBLE_VARIANT: Meaning(
        what="nothing fits any of the selected devices",
        until="another budget, another floor, or a model revision that fits",
    ),
    Reason.OUTSIDE_WINDOW: Meaning(what="the maintenance window is closed", until="it opens again"),
    Reason.PAUSED: Meaning(what="an operator paused it", until="rollout resume"),
    Reason.PROGRESS_DEADLINE: Meaning(
        what="nothing moved for the progress deadline",
        until="a device moves, or rollout promote, retry, abort or undo",
    ),
    Reason.QUORUM_MISSING: Meaning(
        what="too few devices of a wave can be reached to judge it", until="they are back"
    ),
    Reason.RATE_LIMITED: Meaning(
        what="ratePerMinute lets no further device start now", until="the next minute's share"
    ),
    Reason.REOPENED: Meaning(
        what="a device no longer runs what was confirmed", until="it confirms again"
    ),
    Reason.ROLLED_BACK: Meaning(
        what="a revision failed and its devices return", until="all of them confirm"
    ),
    Reason.STARTED: Meaning(what="a revision started", until="its waves are judged"),
    Reason.SUPERSEDED: Meaning(what="a newer revision took its place"),
    Reason.SUSPENDED: Meaning(
        what="an operator suspended devices", until="suspended is taken out of their spec"
    ),
    Reason.THRESHOLD_UNMET: Meaning(
        what="everyone finished, and too few confirmed",
        until="more devices confirm, or rollout promote, retry, abort or undo",
    ),
    Reason.TOO_MANY_COHORTS: Meaning(
        what="its devices fall into more cohorts than a gate's alpha can be split over",
        until="fewer profile classes and budgets, or a narrower selector",
    ),
    Reason.TOO_MANY_DEVICES: Meaning(
        what="the selector matches more devices than the deployment may have",
        until="a narrower selector, or a higher limit",
    ),
    Reason.TOO_MANY_FAILURES: Meaning(
        what="more devices of a wave failed than maxFailures allows",
        until="rollout retry, promote, abort or undo",
    ),
    Reason.UNDONE: Meaning(what="an operator went back to earlier content"),
}


def of_device(standing: Standing, *, suspended: bool) -> Meaning:
    """What operators decided about a device, whatever deployments make of it."""
    if standing.approval is not Approval.APPROVED:
        return STANDINGS[standing.approval]
    if standing.drained:
        return DRAINED
    return SUSPENDED if suspended else STANDINGS[standing.approval]


def meaning(reason: str) -> Meaning:
    """What a reason of a hold, of waiting or of an end means; nothing where there is no reason."""
    return REASONS.get(reason, Meaning(what=reason))
