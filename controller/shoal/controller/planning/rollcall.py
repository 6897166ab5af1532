"""Every selected device of a deployment by its wave: what a person watches a rollout by."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.outcomes import Count, Outcome
from shoal.controller.planning.view import CohortView, Member, View

# What a person looks for first: trouble, then what moves, then what rests.
_INTEREST = (
    Outcome.FAILED,
    Outcome.REFUSED,
    Outcome.TIMED_OUT,
    Outcome.PREFLIGHT,
    Outcome.SOAKING,
    Outcome.FETCHING,
    Outcome.UNREACHABLE,
    Outcome.NO_FEASIBLE_VARIANT,
    Outcome.PENDING,
    Outcome.SUPERSEDED,
    Outcome.CONFIRMED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One device: its cohort (None before it told its hardware), its outcome, and since when.

    `since` is when it was told what its cohort gets, None before that.
    """

    device: str
    cohort: CohortId | None
    outcome: Outcome
    reason: str
    message: str
    since: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRoll:
    """The devices that one wave added; `wave` is None for those that belong to none.

    `seats` holds only the first few, the most interesting first; `counts` counts all of them.
    """

    wave: int | None
    counts: tuple[Count, ...]
    seats: tuple[Seat, ...]

    @property
    def devices(self) -> int:
        """How many devices the wave added."""
        return sum(one.devices for one in self.counts)


def call(view: View, most: int) -> tuple[WaveRoll, ...]:
    """The rolls of all waves with devices, in order, with at most `most` seats each."""
    found: dict[int | None, list[Seat]] = defaultdict(list)
    for wave, seat in _placed(view):
        found[wave].append(seat)
    order = sorted(found, key=lambda wave: (wave is None, wave or 0))
    return tuple(_roll(wave, found[wave], most) for wave in order)


def _roll(wave: int | None, seats: Sequence[Seat], most: int) -> WaveRoll:
    counted = Counter(one.outcome for one in seats)
    ranked = sorted(seats, key=lambda one: (_INTEREST.index(one.outcome), one.device))
    counts = tuple(Count(outcome=one, devices=counted[one]) for one in Outcome if counted[one])
    return WaveRoll(wave=wave, counts=counts, seats=tuple(ranked[:most]))


def _placed(view: View) -> Iterator[tuple[int | None, Seat]]:
    for cohort in view.cohorts:
        for member in cohort.members:
            yield _wave(view, cohort, member), _seat(cohort.id, member)
    for member in view.loose:
        yield None, _seat(None, member)


def _wave(view: View, cohort: CohortView, member: Member) -> int | None:
    """The wave that adds the device, None where none does or where waves do not count.

    A device that was told stays in the wave that went on then, wherever it stands among the told
    ones now.
    """
    if view.current is None or not cohort.feasible or not view.current.waves:
        return None
    if cohort.progress.returning:
        return len(view.current.waves) - 1  # a return goes to all devices at once
    if member.told and member.known is not None:
        since = member.known.since
        starts = [wave.started_at for wave in view.current.waves]
        begun = [i for i, start in enumerate(starts) if start is not None and start <= since]
        return max(begun, default=0)
    taken = member.joins is not None and member.joins < len(view.current.waves)
    return member.joins if taken else None


def _seat(cohort: CohortId | None, member: Member) -> Seat:
    return Seat(
        device=member.name,
        cohort=cohort,
        outcome=member.outcome,
        reason=member.state.reason,
        message=member.state.message,
        since=member.known.since if member.told and member.known else None,
    )
