"""The state that a deployment is in, in words: what it is, what led to it, what would end it."""

from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.controller.deciding import states
from shoal.controller.domain.revisions import Result, Revision
from shoal.controller.planning import naming
from shoal.controller.planning.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A state in words: what it is, what led to it, and what it waits for (empty: nothing)."""

    state: str
    reason: str
    what: str
    because: str
    waits_for: str


def of(view: View) -> Why:
    """The state of the deployment now."""
    record, current = view.record, view.current
    said = record.hold or record.waiting
    result = current.result if current else None
    given_up = record.given_up
    if current is not None and given_up is not None and said is None:
        return _way_back(view, current, given_up)
    meant = states.RESULTS[result]
    if said is not None:
        reason, because = said.reason, said.message
    else:
        reason, because = (current.reason, current.message) if current else ("", "")
    deeper = states.meaning(reason) if reason else meant
    waits_for = deeper.until if said is not None else _going_on(view) or meant.until
    return Why(
        state=result.value if result else "none",
        reason=reason,
        what=meant.what if deeper is meant else f"{meant.what}: {deeper.what}",
        because=because,
        waits_for=waits_for,
    )


def _way_back(view: View, current: Revision, given_up: Revision) -> Why:
    """A return that nobody asked for: what was given up, why, and how far the way back is."""
    done = current.result is Result.COMPLETE
    back = f"revision {current.number}, with the content of revision {current.source},"
    how_far = "is complete" if done else "is under way"
    ended = states.RESULTS[given_up.result].until
    return Why(
        state=(given_up if done else current).result.value,
        reason=given_up.reason if done else Reason.ROLLED_BACK,
        what=f"revision {given_up.number} was {given_up.result.participle}; {back} {how_far}",
        because=given_up.message,
        waits_for=ended if done else _going_on(view) or states.meaning(Reason.ROLLED_BACK).until,
    )


def _going_on(view: View) -> str:
    """Whom an active rollout waits for, where no guard had to say so."""
    if view.current is None or view.current.result is not Result.ACTIVE:
        return ""
    parts = []
    for cohort in view.open:
        names = [one.name for one in cohort.unfinished]
        if names:
            wave = view.wave_spec(cohort).name
            parts.append(f"wave {wave} of {cohort.content.profile}: {naming.listed(names)}")
    return "; ".join(parts)
