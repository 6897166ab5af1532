"""Guard 7: the progress deadline, run from the last progress; paused time does not count."""

from collections.abc import Iterator

from shoal.contract.reason import Reason
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Result, WaveState
from shoal.controller.domain.strategy import OnDeadline
from shoal.controller.planning import naming, transitions, waves
from shoal.controller.planning.decisions import Decision, Held
from shoal.controller.planning.view import CohortView, Member, View


def decide(view: View) -> Decision | None:
    """Hold or roll back where devices were due and nothing moved for too long; or only report."""
    due, current = due_at(view), view.current
    if due is None or current is None or view.now < due:
        return None
    if view.strategy.on_deadline is OnDeadline.REPORT:
        return None
    message = expired_message(view)
    can_return = not view.returning and current.completed_at is None
    if view.strategy.on_deadline is OnDeadline.HOLD or not can_return:
        return Held(reason=Reason.PROGRESS_DEADLINE, message=message)
    why = transitions.Why(
        result=Result.ROLLED_BACK, reason=Reason.PROGRESS_DEADLINE, message=message
    )
    return transitions.give_up(waves.stamped(view, WaveState.FAILED), why, view.now)


def due_at(view: View) -> float | None:
    """When the deadline expires; None while no device is expected to move.

    Only devices that were told are expected to, and not those that a retry has yet to tell. A
    soaking one is meant to sit still, so its wave's soak is added; one that was lost is given its
    time when it is back. Progress at 100, a device back at 110, deadline 60 s, soak 30 s: 200.
    """
    expected = tuple(_expected(view))
    if not expected:
        return None
    soaks = [view.wave_spec(cohort).soak_s for cohort, one in expected if _soaking(one)]
    back = [one.known.since for _, one in expected if one.known is not None]
    started = max(view.record.progress.at, *back)
    return started + view.strategy.progress_deadline_s + max(soaks, default=0.0)


def expired_message(view: View) -> str:
    """Who is being waited for."""
    names = naming.listed([one.name for _, one in _expected(view)])
    return f"no progress for {view.strategy.progress_deadline_s:g} s; waiting for {names}"


def _expected(view: View) -> Iterator[tuple[CohortView, Member]]:
    for cohort in view.open if view.running else ():
        for member in cohort.unfinished if cohort.judging else ():
            if member.told and member.known is not None and not member.known.again:
                yield cohort, member


def _soaking(member: Member) -> bool:
    return member.outcome is Outcome.SOAKING
