"""Everything the planner may look at, taken at one moment."""

from dataclasses import dataclass, field

from shoal.controller.domain.archive import ModelView
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.live import LiveEvidence
from shoal.controller.domain.rollout import RolloutRecord
from shoal.controller.domain.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """An older deployment of the same model that already has some of these devices."""

    deployment: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One deployment and what bears on it.

    `now` is seconds since the epoch. `models` holds every known revision of the model, or at least
    the newest ready, the pinned and the current one; `pinned` is None for a following deployment.
    `devices` may hold devices that are not selected: the planner withdraws what they were told.
    `live` is what their traffic said, of the current revision and before it.
    """

    now: float
    deployment: str
    generation: int
    deleted: bool
    model: str
    pinned: int | None
    strategy: Strategy
    models: tuple[ModelView, ...]
    devices: tuple[DeviceView, ...]
    record: RolloutRecord
    conflict: Conflict | None = None
    live: LiveEvidence = field(default_factory=LiveEvidence)

    @property
    def newest_ready(self) -> ModelView | None:
        """The newest model revision that is ready, or the pinned one once it is."""
        ready = [one for one in self.models if one.ready and self.pinned in {None, one.number}]
        return max(ready, key=lambda one: one.number, default=None)

    @property
    def missing_pin(self) -> str:
        """What is wrong with a pin to a revision that is not there; empty where nothing is."""
        if self.pinned is None or not self.models or self.model_view(self.pinned) is not None:
            return ""
        newest = max(one.number for one in self.models)
        return f"{self.model} has no revision {self.pinned}: the newest is {newest}"

    def model_view(self, number: int) -> ModelView | None:
        """One model revision."""
        return next((one for one in self.models if one.number == number), None)
