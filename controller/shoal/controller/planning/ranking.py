"""How large a wave is, and who comes first into it; never by a metric (gates.md section 8)."""

import functools
import hashlib
from dataclasses import dataclass

from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.revisions import Content
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, RolloutRecord, Target
from shoal.controller.planning import targets


def wave_sizes(content: Content, devices: int, selected: int) -> tuple[int, ...]:
    """Cumulative wave sizes of a cohort with this many of the selected devices, rounded up.

    Three of nine devices under 10 %, 50 % and 100 %: 1, 2, 3. Later waves are never smaller.
    """
    sizes: list[int] = []
    for wave in content.strategy.waves:
        sizes.append(max([wave.size.up(devices, selected), *sizes[-1:]]))
    return tuple(sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order of one cohort's devices.

    Devices already told come first, so that a wave keeps its members; then those that must move
    anyway: they hold the refused variant that their cohort fell from, or something unproven; then
    ready, unready and lost ones; then by a hash that differs from revision to revision. Where
    unready devices use up maxUnavailable (`starved`) they go before ready ones: telling them costs
    nothing, and nothing else could ever move.
    """

    record: RolloutRecord
    progress: CohortProgress
    starved: bool

    def rank(self, device: DeviceView, known: DeviceRecord | None) -> tuple[int, str]:
        """Smaller comes first."""
        if targets.follows(self.record, self.progress, known):
            place = 0
        elif device.lost:
            place = 5
        elif known and known.told and self._fell(known, known.told):
            place = 1
        elif known and known.told and targets.stale(self.record, known.told):
            place = 2
        else:
            place = 3 if device.ready is not self.starved else 4
        number = self.record.current.number if self.record.current else 0
        return place, _lot(f"{self.record.deployment}:{number}:{device.name}")

    def _fell(self, known: DeviceRecord, told: Target) -> bool:
        current = self.record.current
        return current is not None and told.revision == current.number and not known.confirmed


@functools.lru_cache(maxsize=65_536)
def _lot(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
