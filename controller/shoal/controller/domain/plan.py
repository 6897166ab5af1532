"""What one pass decided: a value for the shell to act on.

`record` is to be persisted, together with the desired states that follow from `tells` and
`withdrawals`, in one atomic write. `desired` is the whole of what devices should be told now, so
that a lost write is repaired from it. The rest is for people.
"""

import enum
from dataclasses import dataclass

from shoal.contract.choice import Miss
from shoal.contract.digest import Digest
from shoal.contract.profile import ProfileClass
from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.outcomes import Blocked, Count
from shoal.controller.domain.revisions import Result, WaveState
from shoal.controller.domain.rollout import Quarantined, RolloutRecord, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """One device's assignment under this deployment."""

    device: str
    generation: int
    target: Target


class Severity(enum.StrEnum):
    """The type of an event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEvent:
    """Something that happened in this pass and not before."""

    severity: Severity
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of the deployment."""

    type: str
    status: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortStatus:
    """One cohort for presentation; `name` is the profile's, made distinct where two share it."""

    cohort: CohortId
    name: str
    profile: str
    profile_class: ProfileClass
    devices: int
    variant: Digest | None
    fallbacks: tuple[Digest, ...]
    misses: tuple[Miss, ...]
    reason: str
    wave: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStatus:
    """One wave for presentation; `devices` is cumulative; `soaked_until` the longest soak's end.

    `promoted_by` is who opened it by hand, or let the rollout go on from it.
    """

    name: str
    devices: int
    state: WaveState
    started_at: float | None
    soaked_until: float | None
    counts: tuple[Count, ...]
    gates: tuple[GateVerdict, ...]
    promoted_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStatus:
    """The deployment's status in values; gates name their cohort by id (see `cohorts`)."""

    revision: int
    model_revision: int
    result: Result | None
    reason: str
    message: str
    paused: bool
    following: bool
    selected: int
    reachable: int
    counts: tuple[Count, ...]
    cohorts: tuple[CohortStatus, ...]
    wave: int
    waves: tuple[WaveStatus, ...]
    blocked: tuple[Blocked, ...]
    conditions: tuple[Condition, ...]
    quarantine: tuple[Quarantined, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole decision. `wake_at` is when to look again though nothing changed; None: never.

    `removed` is set once a deleted deployment has nothing left anywhere: its record may go.
    """

    record: RolloutRecord
    tells: tuple[Tell, ...]
    withdrawals: tuple[str, ...]
    desired: tuple[Tell, ...]
    status: RolloutStatus
    events: tuple[PlanEvent, ...]
    wake_at: float | None
    removed: bool = False
