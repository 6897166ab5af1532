"""What is written down of a wave when it is decided: size, counts and gates of that moment."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.outcomes import Count, Outcome
from shoal.controller.domain.revisions import WaveRecord, WaveState
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.planning import transitions
from shoal.controller.planning.view import Member, View


def stamped(view: View, state: WaveState) -> RolloutRecord:
    """The record with the wave that is going on ended in this state, and its numbers kept."""
    current, index = view.current, view.record.wave
    if current is None or index < 0 or not current.result.open:
        return view.record
    seen = shown(view, current.waves[index])
    # The history of a wave has what decided it; its pictures would fill the record.
    kept = tuple(replace(one, path=(), effects=()) for one in seen.gates)
    ended = replace(seen, state=state, ended_at=view.now, gates=kept)
    return transitions.with_wave(view.record, index, ended)


def ended(view: View) -> RolloutRecord:
    """The record with the wave that is going on complete; one that was skipped stays skipped."""
    current, index = view.current, view.record.wave
    skipped = current is not None and index >= 0 and current.waves[index].state is WaveState.SKIPPED
    return view.record if skipped else stamped(view, WaveState.COMPLETE)


def shown(view: View, wave: WaveRecord) -> WaveRecord:
    """The wave with the numbers of now."""
    members = [one for cohort in view.cohorts for one in cohort.in_wave]
    return replace(wave, devices=len(members), counts=counts(members), gates=gates(view))


def adds(view: View, index: int) -> int:
    """How many devices this wave would take that none before it has; an empty one is skipped."""
    return sum(one.reach(index) - len(one.in_wave) for one in view.open)


def gates(view: View) -> tuple[GateVerdict, ...]:
    """Every verdict of every cohort, in the order of the strategy."""
    return tuple(
        one
        for cohort in view.cohorts
        if cohort.in_wave and not cohort.progress.returning
        for one in cohort.progress.verdicts
    )


def counts(members: Iterable[Member]) -> tuple[Count, ...]:
    """How many have each outcome that occurs, in the order of a device's life."""
    found = Counter(one.outcome for one in members)
    return tuple(Count(outcome=one, devices=found[one]) for one in Outcome if found[one])
