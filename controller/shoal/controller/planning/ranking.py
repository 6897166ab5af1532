"""Who joins which wave, and in which order; never by a metric (gates.md section 8)."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord, Target
from shoal.controller.domain.strategy import Strategy, WaveSpec
from shoal.controller.planning import budgets, pacing, targets
from shoal.controller.planning.budgets import Group


def picked(waves: Sequence[WaveSpec], selected: Sequence[DeviceView]) -> tuple[int, ...]:
    """For each wave, how many of the selected devices may join in it."""
    return tuple(sum(_may_join(wave, one) for one in selected) for wave in waves)


def joins(
    waves: Sequence[WaveSpec], ordered: Sequence[DeviceView], whole: Sequence[int]
) -> tuple[int, ...]:
    """For each device of a cohort, in its order, the wave that it joins in.

    Sizes are cumulative shares of the cohort, rounded up: of three of nine devices under 10 %, 50 %
    and 100 % the first joins in wave 0, the second in wave 1, the third in wave 2. A wave with a
    selector takes devices that it picks until it has its size of them. A device that no wave takes
    joins beyond the last one. `whole` is how many selected devices each wave may take from.
    """
    found = [len(waves)] * len(ordered)
    for number, wave in enumerate(waves):
        able = [i for i, one in enumerate(ordered) if _may_join(wave, one)]
        missing = wave.size.up(len(able), whole[number]) - sum(found[i] < number for i in able)
        for i in able:
            if missing <= 0:
                break
            if found[i] > number:
                found[i] = number
                missing -= 1
    return tuple(found)


def wave_sizes(waves: Sequence[WaveSpec], joined: Sequence[int]) -> tuple[int, ...]:
    """Cumulative sizes of a cohort's waves."""
    return tuple(sum(one <= number for one in joined) for number in range(len(waves)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order of one cohort's devices.

    Devices already told come first, so that a wave keeps its members; then those that must move
    anyway: they hold something unproven, beside which none may come to be one too many, or the
    refused variant that their cohort fell from; both go before either. Then ready ones, unready
    ones, those that are suspended or outside a window of their own, and lost ones; then by a hash
    that differs from revision to revision. Where unready devices use up maxUnavailable (`starved`)
    they go before ready ones: telling them costs nothing, and nothing else could ever move.
    """

    record: RolloutRecord
    progress: CohortProgress
    starved: frozenset[Group]
    strategy: Strategy

    def rank(self, now: float, device: DeviceView, known: DeviceRecord | None) -> tuple[int, str]:
        """Smaller comes first."""
        number = self.record.current.number if self.record.current else 0
        lot = _lot(f"{self.record.deployment}:{number}:{device.name}")
        return self._place(now, device, known), lot

    def _place(self, now: float, device: DeviceView, known: DeviceRecord | None) -> int:
        if targets.follows(self.record, self.progress, known):
            return 0
        if device.lost:
            return 7
        if not pacing.startable(now, device):
            return 6
        if known and known.told:
            fell = self._fell(known, known.told)
            if targets.stale(self.record, known.told):
                return 1 if fell else 2
            if fell:
                return 3
        return 4 if device.ready is not self._starved(device) else 5

    def _starved(self, device: DeviceView) -> bool:
        if not self.starved:
            return False
        return not self.starved.isdisjoint(budgets.groups_of(self.strategy, device))

    def _fell(self, known: DeviceRecord, told: Target) -> bool:
        current = self.record.current
        return current is not None and told.revision == current.number and not known.confirmed


def _may_join(wave: WaveSpec, device: DeviceView) -> bool:
    return wave.selector is None or wave.selector.matches(dict(device.labels))


@functools.lru_cache(maxsize=65_536)
def _lot(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
