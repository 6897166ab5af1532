"""Retry: what failed is tried again by hand, and only that."""

from dataclasses import replace

from shoal.contract.reason import Reason
from shoal.controller.domain.evidence import Verdict
from shoal.controller.domain.revisions import Result, Revision
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord
from shoal.controller.planning import refusing, transitions


def retry(record: RolloutRecord, now: float, *, by: str = "") -> RolloutRecord:
    """Try again by hand what failed: devices of the current revision, or the revision given up.

    Lifts the quarantine of the variants concerned, and lets devices whose class or budget has
    changed choose anew.

    Raises:
        ConflictError: nothing was rolled out yet, or nothing of it failed.
    """
    current = record.current
    if current is None:
        raise refusing.conflict(
            Reason.NOT_IN_PROGRESS, "nothing was rolled out yet", "wait for the first revision"
        )
    given_up = _given_up(record)
    if given_up is not None:
        record = transitions.lift(record, given_up, by, now)
        moved = transitions.start(record, given_up.content, given_up.origin, given_up.number, now)
        taken = replace(record.taken, model_revision=given_up.content.model_revision)
        started = moved.record.with_current(by=by)
        return replace(started, suspended="", taken=taken, intent=None)
    if not _anything_to_retry(record, current):
        raise refusing.conflict(
            Reason.NOT_IN_PROGRESS,
            f"nothing failed in revision {current.number}: there is nothing to retry",
            "shoal rollout history shows what became of each revision",
        )
    return _try_again(transitions.lift(record, current, by, now), current, now)


def _given_up(record: RolloutRecord) -> Revision | None:
    """The revision that a rollback led away from, once the rollback is over."""
    current = record.current
    if current is None or current.result.open:
        return None
    return current if current.result.tombstone else record.given_up


def _anything_to_retry(record: RolloutRecord, current: Revision) -> bool:
    """Whether anything was taken back, holds, has not confirmed, or changed its class since."""
    if record.hold is not None or record.strayed:
        return True
    if any(one.reverted for one in record.cohorts):
        return True
    return any(_unconfirmed(one, current) for one in record.devices)


def _unconfirmed(one: DeviceRecord, current: Revision) -> bool:
    return one.told is not None and one.told.revision == current.number and not one.confirmed


def _try_again(record: RolloutRecord, current: Revision, now: float) -> RolloutRecord:
    """Tell the devices that did not confirm anew; a cohort that was taken back starts again."""

    def anew(one: DeviceRecord) -> DeviceRecord:
        again = _unconfirmed(one, current)
        return replace(one, again=again, regroup=True, waived=one.waived and not again)

    cohorts = tuple(
        replace(
            _fresh(one),
            reverted=False,
            wave=-1 if one.reverted else one.wave,
            finished_at=None,
            waived=None,
            canary=one.canary and not one.reverted,
        )
        for one in record.cohorts
    )
    record = replace(
        record,
        cohorts=cohorts,
        hold=None,
        progress=replace(record.progress, at=now),
    ).map_devices(anew)
    if current.result is Result.HELD:
        record = record.with_current(result=Result.ACTIVE)
    return record


def _fresh(progress: CohortProgress) -> CohortProgress:
    """Without failed verdicts and the answers that led to them."""
    failed = any(one.verdict is Verdict.FAIL for one in progress.verdicts)
    return replace(progress, verdicts=(), ballots=()) if failed else progress
